//! Messages cross whole and in order: every edge, both ways at once, over every transport.

mod support;

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use duologue::{Received, SendError, Sent, Session};
use support::{configs, pair, pair_over, pair_with, pattern};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    net::{TcpListener, TcpStream, UnixStream},
};

/// Every edge up to `most`: of frames, records, pieces and gathering.
fn sizes(most: usize) -> Vec<usize> {
    let edges = [
        1,
        128,
        4_096,
        32_768,
        65_498,
        65_519,
        98_304,
        262_144,
        16 * 1024 * 1024,
    ];
    let mut sizes = vec![0];
    for edge in edges {
        sizes.extend([edge - 1, edge, edge + 1]);
    }
    sizes.retain(|size| *size <= most.min(16 * 1024 * 1024));
    sizes
}

/// Both sides send all messages to each other at once and end; everything must be proven.
async fn cross(pair: (Session, Session), most: usize) {
    let mut tasks = Vec::new();
    for (session, seed) in [(pair.0, 0), (pair.1, 1)] {
        let (mut sender, mut receiver) = session.split();
        let sizes = sizes(most);
        let count = sizes.len() as u64;
        let expected = sizes.clone();
        tasks.push(tokio::spawn(async move {
            let sending = async {
                for size in sizes {
                    sender.send(&pattern(size, seed)).await.unwrap();
                }
                sender.close().await
            };
            let receiving = async {
                for size in expected {
                    let message = receiver.recv().await.unwrap().unwrap();
                    assert!(*message == *pattern(size, 1 - seed), "{size}");
                }
                assert_eq!(receiver.recv().await.unwrap(), None);
                receiver.close().await
            };
            let (outcome, same) = tokio::join!(sending, receiving);
            assert_eq!(outcome, same);
            assert_eq!(outcome.sent, Sent::Delivered(count), "{outcome}");
            assert_eq!(outcome.received, Received::Complete(count), "{outcome}");
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn every_size_crosses_in_memory() {
    cross(pair().await, usize::MAX).await;
}

#[tokio::test]
async fn every_size_crosses_a_unix_socket() {
    let (near, far) = UnixStream::pair().unwrap();
    let (alice, bob) = configs();
    cross(pair_over(near, far, &alice, &bob).await, usize::MAX).await;
}

#[tokio::test]
async fn every_size_crosses_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (alice, bob) = configs();
    cross(
        pair_over(near.unwrap(), far.unwrap().0, &alice, &bob).await,
        usize::MAX,
    )
    .await;
}

#[tokio::test]
async fn every_size_crosses_split_pipes() {
    let (near, far) = duplex(4_096);
    let (near_reader, near_writer) = tokio::io::split(near);
    let (far_reader, far_writer) = tokio::io::split(far);
    let (alice, bob) = configs();
    let (alice, bob) = tokio::join!(
        duologue::connect_halves(near_reader, near_writer, None, &alice),
        duologue::accept_halves(far_reader, far_writer, &bob),
    );
    cross((alice.unwrap(), bob.unwrap()), 262_145).await;
}

/// A transport that moves one byte at a time.
struct Trickle(DuplexStream);

impl AsyncRead for Trickle {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut one = [0];
        let mut small = ReadBuf::new(&mut one);
        let read = Pin::new(&mut self.0).poll_read(cx, &mut small);
        buf.put_slice(small.filled());
        read
    }
}

impl AsyncWrite for Trickle {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, &buf[..buf.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn every_size_crosses_one_byte_at_a_time() {
    // spec: W-5
    let (near, far) = duplex(64 * 1024);
    let (alice, bob) = configs();
    cross(
        pair_over(Trickle(near), Trickle(far), &alice, &bob).await,
        262_144,
    )
    .await;
}

#[tokio::test]
async fn fed_messages_leave_together_and_when_the_session_waits() {
    let (mut alice, mut bob) = pair().await;
    for number in 0..10_000_u32 {
        alice.feed(&number.to_be_bytes()).await.unwrap();
    }
    let echo = tokio::spawn(async move {
        for number in 0..10_000_u32 {
            let message = bob.recv_ref().await.unwrap().unwrap();
            assert_eq!(message, number.to_be_bytes());
        }
        bob.send(b"all").await.unwrap();
        bob
    });
    assert_eq!(alice.recv().await.unwrap().as_deref(), Some(&b"all"[..]));
    drop(echo.await.unwrap());
}

#[tokio::test]
async fn a_message_too_large_is_refused_and_the_session_goes_on() {
    // spec: T-8
    let (alice, bob) = configs();
    let (mut alice, mut bob) = pair_with(64 * 1024, &alice, &bob.max_message(100_000)).await;
    let refused = alice.send(&vec![0; 100_001]).await;
    assert!(matches!(
        refused,
        Err(SendError::TooLarge {
            length: 100_001,
            max: 100_000,
            ..
        })
    ));
    let receiving = tokio::spawn(async move { bob.recv().await.unwrap().unwrap().len() });
    alice.send(&vec![0; 100_000]).await.unwrap();
    assert_eq!(receiving.await.unwrap(), 100_000);
}

#[tokio::test]
async fn a_dropped_send_in_mid_message_is_withdrawn() {
    // spec: T-19
    let (alice, bob) = configs();
    let (mut alice, mut bob) = pair_with(1_024, &alice, &bob).await;
    let large = vec![7; 1_000_000];
    let dropped =
        tokio::time::timeout(std::time::Duration::from_millis(5), alice.send(&large)).await;
    assert!(dropped.is_err());
    let receiving = tokio::spawn(async move {
        let first = bob.recv().await.unwrap().unwrap();
        (first, bob.close().await)
    });
    alice.send(b"small").await.unwrap();
    let outcome = alice.close().await;
    let (first, other) = receiving.await.unwrap();
    assert_eq!(&*first, b"small");
    assert_eq!(
        (outcome.sent, other.received),
        (Sent::Delivered(1), Received::Complete(1))
    );
}
