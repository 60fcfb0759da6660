//! A peer that always has something to say does not keep others on the same thread waiting: polls are counted.
#![expect(clippy::print_stdout, reason = "the counts are part of the evidence")]

#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;
#[path = "support/mod.rs"]
mod support;

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use duologue::{Config, PeerPolicy, PublicKey, SecretKey, Session, accept};
use raw_peer::{
    Options, Pattern, RawFrame, RawHandshake, RawParams, RawRecord, RawSession, Suite,
    handshake::public_key,
    wire::{take_body, with_length},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const OURS: [u8; 32] = [1; 32];
const RAWS: [u8; 32] = [2; 32];

type Next = fn(&mut RawSession) -> Vec<u8>;

/// A peer whose transport always has more, and takes all that we write.
struct Torrent {
    handshake: Option<RawHandshake>,
    session: Option<RawSession>,
    came: Vec<u8>,
    ready: Vec<u8>,
    next: Next,
    given: Arc<AtomicUsize>,
}

impl Torrent {
    fn new(next: Next, given: Arc<AtomicUsize>) -> Self {
        let mut handshake = RawHandshake::initiator(Options::new(Suite::AesGcm, Pattern::Xx, RAWS));
        let ready = with_length(&handshake.write_body().unwrap());
        Self {
            handshake: Some(handshake),
            session: None,
            came: Vec::new(),
            ready,
            next,
            given,
        }
    }

    fn fill(&mut self) {
        if let Some(session) = &mut self.session {
            self.ready.extend((self.next)(session));
        } else if let Some(body) = take_body(&mut self.came) {
            let mut raw = self.handshake.take().unwrap();
            raw.read_body(&body).unwrap();
            self.ready.extend(with_length(&raw.write_body().unwrap()));
            let mut session = raw.into_session().unwrap();
            let params = RawFrame::Params(RawParams::default().encode(&session.hash));
            self.ready.extend(session.seal_frames(&[params]));
            self.session = Some(session);
        }
    }
}

impl AsyncRead for Torrent {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Far beyond what a test that passes asks for: it must fail, and not hang.
        if this.given.load(Ordering::SeqCst) > 8 * MOST {
            return Poll::Pending;
        }
        if this.session.is_none() {
            if this.ready.is_empty() {
                this.fill();
            }
        } else {
            while this.ready.len() < buffer.remaining() {
                this.fill();
            }
        }
        let size = this.ready.len().min(buffer.remaining());
        buffer.put_slice(&this.ready[..size]);
        this.ready.drain(..size);
        this.given.fetch_add(size, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Torrent {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.session.is_none() {
            this.came.extend_from_slice(bytes);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const TORRENTS: [(&str, Next); 4] = [
    ("messages of one byte", |session| {
        session.seal(&RawRecord::Message(vec![1]))
    }),
    ("records full of messages", |session| {
        session.seal_frames(&vec![RawFrame::Message(vec![1; 60]); 1_000])
    }),
    ("pieces that are withdrawn", |session| {
        let piece = session.seal(&RawRecord::Piece(vec![1; 1_024]));
        [piece, session.seal_frames(&[RawFrame::Discard])].concat()
    }),
    ("a message and a request", |session| {
        session.seal_frames(&[RawFrame::Message(vec![1]), RawFrame::ReceiptRequest])
    }),
];

/// Bytes of the transport that one poll may make use of: what is opened in 128 turns of 16 records, or of
/// 16 KiB and the record that goes beyond.
const MOST: usize = 128 * (16 + 64) * 1024;

/// Takes all that comes, for ever.
async fn take_all(mut session: Session) {
    while let Ok(Some(message)) = session.recv().await {
        drop(message);
    }
}

/// Takes nothing, for ever.
async fn attend(mut session: Session) {
    session.attend(std::future::pending::<()>()).await;
}

/// Has said that it takes no more.
async fn stopped(session: Session) {
    let (mut sender, receiver) = session.split();
    drop(receiver);
    sender.attend(std::future::pending::<()>()).await;
}

/// Polls a future, and says how many bytes the busiest of its polls took from the transport.
async fn busiest(
    future: impl Future<Output = ()>,
    given: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let before = given.load(Ordering::SeqCst);
        let end = future.as_mut().poll(cx);
        let took = given.load(Ordering::SeqCst) - before;
        most.fetch_max(took, Ordering::SeqCst);
        end
    })
    .await;
}

/// Two that talk as usual, in so many round trips.
async fn converse(rounds: u32) {
    let (mut one, mut other) = support::pair().await;
    for round in 0..rounds {
        let message = round.to_be_bytes();
        let (_sent, asked) =
            tokio::join!(async { one.send(&message).await.unwrap() }, other.recv());
        assert_eq!(*asked.unwrap().unwrap(), message);
        let (_sent, answer) = tokio::join!(async { other.send(b"yes").await.unwrap() }, one.recv());
        assert_eq!(*answer.unwrap().unwrap(), *b"yes");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_peer_that_never_pauses_starves_nobody_on_the_same_thread() {
    // threat: 97
    let config = Config::new(SecretKey::from_bytes(&mut OURS.clone())).peers(PeerPolicy::pinned([
        PublicKey::from_bytes(public_key(RAWS)),
    ]));
    for (name, next) in TORRENTS {
        for how in 0..3 {
            let given = Arc::new(AtomicUsize::new(0));
            let most = Arc::new(AtomicUsize::new(0));
            let torrent = Torrent::new(next, Arc::clone(&given));
            let session = accept(torrent, &config).await.unwrap();
            let counted = |future| busiest(future, Arc::clone(&given), Arc::clone(&most));
            let busy: Pin<Box<dyn Future<Output = ()> + Send>> = match how {
                0 => Box::pin(take_all(session)),
                1 => Box::pin(attend(session)),
                _ => Box::pin(stopped(session)),
            };
            let attacked = tokio::spawn(counted(busy));
            // Were one poll of the other endless, this would never come back.
            converse(10).await;
            assert!(!attacked.is_finished(), "{name} {how}");
            attacked.abort();
            let most = most.load(Ordering::SeqCst);
            println!("{name} {how}: {most} bytes in one poll");
            assert!(
                (1..=MOST).contains(&most),
                "{name} {how}: {most} bytes in one poll"
            );
        }
    }
}
