//! The other faces of a session: a stream of bytes, and a sender that many tasks share.

mod support;

use std::{io::ErrorKind, time::Duration};

use duologue::{Cause, ReceiveError, Received, SendError, Sent, TimeLimit};
use support::{configs, pair, pair_with, pattern};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

#[tokio::test]
async fn bytes_cross_both_ways_and_shutdown_is_an_end() {
    let (alice, bob) = pair().await;
    let mut tasks = Vec::new();
    for session in [alice, bob] {
        tasks.push(tokio::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(session.into_stream());
            let writing = async {
                for size in [0, 1, 4_095, 4_096, 32_768, 32_769, 1_000_000] {
                    writer.write_all(&pattern(size, 3)).await.unwrap();
                }
                writer.shutdown().await.unwrap();
            };
            let mut all = Vec::new();
            let ((), read) = tokio::join!(writing, reader.read_to_end(&mut all));
            let expected: Vec<u8> = [0, 1, 4_095, 4_096, 32_768, 32_769, 1_000_000]
                .into_iter()
                .flat_map(|size| pattern(size, 3))
                .collect();
            assert_eq!(read.unwrap(), expected.len());
            assert!(all == expected);
            let outcome = reader.unsplit(writer).close().await;
            assert!(matches!(outcome.sent, Sent::Delivered(_)), "{outcome}");
            assert!(
                matches!(outcome.received, Received::Complete(_)),
                "{outcome}"
            );
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_broken_session_is_never_a_clean_end_of_file() {
    // spec: E-10
    let (alice, bob) = pair().await;
    drop(alice);
    let error = bob.into_stream().read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_message_half_read_is_not_taken() {
    let (mut alice, bob) = pair().await;
    alice.send(b"four").await.unwrap();
    let mut bob = bob.into_stream();
    bob.read_exact(&mut [0; 3]).await.unwrap();
    let (a, b) = tokio::join!(alice.close(), bob.close());
    assert!(
        matches!(
            a.sent,
            Sent::Partial {
                taken: 0,
                sent: 1,
                ..
            }
        ),
        "{a}"
    );
    assert!(
        matches!(b.received, Received::Stopped { taken: 0, .. }),
        "{b}"
    );
}

#[tokio::test]
async fn many_tasks_share_a_sender_and_each_keeps_its_order() {
    let (alice, mut bob) = pair().await;
    let (sender, receiver, pump) = alice.into_pumped();
    let pump = tokio::spawn(pump);
    let tasks = 32_u8;
    for task in 0..tasks {
        let sender = sender.clone();
        tokio::spawn(async move {
            for number in 0..200_u8 {
                let size = if number % 50 == 49 { 100_000 } else { 10 };
                let mut message = pattern(size, 0);
                (message[0], message[1]) = (task, number);
                sender.send(&message).await.unwrap();
            }
        });
    }
    drop((sender, receiver));
    let mut next = vec![0_u8; usize::from(tasks)];
    while let Some(message) = bob.recv().await.unwrap() {
        let place = &mut next[usize::from(message[0])];
        assert_eq!(message[1], *place);
        *place += 1;
    }
    assert!(next.iter().all(|count| *count == 200), "{next:?}");
    bob.close().await;
    assert_eq!(pump.await.unwrap().sent, Sent::Delivered(32 * 200));
}

#[tokio::test]
async fn a_shared_sender_waits_for_receipts_too() {
    let (alice, mut bob) = pair().await;
    let (sender, _receiver, pump) = alice.into_pumped();
    let pump = tokio::spawn(pump);
    let echo = tokio::spawn(async move {
        while let Ok(Some(_message)) = bob.recv().await {}
        bob.close().await
    });
    let mut waits = Vec::new();
    for _task in 0..20 {
        let sender = sender.clone();
        waits.push(tokio::spawn(
            async move { sender.send_confirmed(b"m").await },
        ));
    }
    for wait in waits {
        wait.await.unwrap().unwrap();
    }
    assert!(sender.taken_count() >= 20);
    drop((sender, _receiver));
    assert_eq!(echo.await.unwrap().received, Received::Complete(20));
    assert_eq!(pump.await.unwrap().sent, Sent::Delivered(20));
}

#[tokio::test(start_paused = true)]
async fn a_pump_that_nobody_polls_is_said_and_one_that_is_dropped_too() {
    let (alice, bob) = pair().await;
    let (sender, _receiver, pump) = alice.into_pumped();
    let error = loop {
        if let Err(error) = sender.send(&[0; 9_000]).await {
            break error;
        }
    };
    assert_eq!(error, SendError::NotPumped);
    drop(pump);
    let error = sender.send(b"m").await.unwrap_err();
    assert!(matches!(error, SendError::Over(_)), "{error}");
    let confirmed = timeout(Duration::from_secs(1), sender.send_confirmed(b"m")).await;
    assert!(
        matches!(confirmed, Ok(Err(SendError::Over(_)))),
        "{confirmed:?}"
    );
    drop(bob);
}

/// Two tasks may share a stream behind tokio's lock: what one learns while it writes, the other hears.
// spec: L-5
#[tokio::test(start_paused = true)]
async fn the_reader_of_a_split_stream_hears_that_writing_has_failed() {
    let (alice, bob) = configs();
    // Without an idle timeout nothing else would wake it.
    let (alice, bob) = (alice.idle_timeout(None), bob.idle_timeout(None));
    let (alice, _bob) = pair_with(4_096, &alice, &bob).await;
    let (mut reader, mut writer) = tokio::io::split(alice.into_stream());
    let reading = tokio::spawn(async move { reader.read(&mut [0; 16]).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let writing = async {
        writer.write_all(&[7; 100_000]).await?;
        writer.flush().await
    };
    writing.await.unwrap_err();
    let read = timeout(Duration::from_millis(1), reading).await;
    let error = read.expect("the reader sleeps on").unwrap().unwrap_err();
    let cause = error.get_ref().and_then(|error| error.downcast_ref());
    let stalled = Cause::Timeout(TimeLimit::WriteStall);
    assert!(
        matches!(cause, Some(ReceiveError::Truncated { cause, .. }) if *cause == stalled),
        "{error}"
    );
}
