//! Attacks that are a scene of their own: each one of spec/threat-model.md that no exhaustive test holds.

#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;
#[path = "support/raw_tokio.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_tokio;
#[path = "support/mod.rs"]
mod support;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use duologue::{
    Cause, Code, Config, HandshakeError, PeerPolicy, PublicKey, Received, SecretKey, Sent, Session,
    accept, connect,
};
use raw_peer::{
    Options, Pattern, RawFrame, RawHandshake, RawParams, RawRecord, Suite,
    handshake::public_key,
    wire::{refusal, take_body, with_length},
};
use raw_tokio::{Heard, RawPeer};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};

const OURS: [u8; 32] = [1; 32];
const RAWS: [u8; 32] = [2; 32];
const OTHERS: [u8; 32] = [3; 32];

fn config() -> Config {
    Config::new(SecretKey::from_bytes(&mut OURS.clone())).peers(PeerPolicy::pinned([
        PublicKey::from_bytes(public_key(RAWS)),
    ]))
}

/// A configuration that counts how often its policy is asked.
fn counting() -> (Config, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let policy = PeerPolicy::check(move |_candidate| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { true }
    });
    (config().peers(policy), asked)
}

fn options(pattern: Pattern) -> Options {
    let mut options = Options::new(Suite::AesGcm, pattern, RAWS);
    options.remote = Some(public_key(OURS));
    options
}

async fn established(config: &Config) -> (Session, RawPeer<DuplexStream>) {
    let (near, far) = duplex(1 << 20);
    let params = RawParams::default();
    let (raw, ours) = tokio::join!(
        RawPeer::connect(near, options(Pattern::Xx), &params),
        accept(far, config)
    );
    (ours.unwrap(), raw.unwrap().0)
}

#[tokio::test]
async fn a_recorded_initiator_played_again_establishes_nothing_and_asks_nobody() {
    // spec: H-5, H-15; threat: 5, 6, 11
    for pattern in [Pattern::Xx, Pattern::Xk] {
        let (config, asked) = counting();
        let (mut near, far) = duplex(1 << 20);
        let accepting = accept(far, &config);
        let recording = async {
            let mut raw = RawHandshake::initiator(options(pattern));
            let first = with_length(&raw.write_body().unwrap());
            near.write_all(&first).await.unwrap();
            let mut answer = vec![0; 2];
            near.read_exact(&mut answer).await.unwrap();
            answer.resize(
                2 + usize::from(u16::from_be_bytes([answer[0], answer[1]])),
                0,
            );
            near.read_exact(&mut answer[2..]).await.unwrap();
            raw.read_body(&answer[2..]).unwrap();
            let proof = with_length(&raw.write_body().unwrap());
            let mut raw = raw.into_session().unwrap();
            let params = RawFrame::Params(RawParams::default().encode(&raw.hash));
            let behind = [proof, raw.seal_frames(&[params])].concat();
            near.write_all(&behind).await.unwrap();
            [first, behind]
        };
        let (session, recorded) = tokio::join!(accepting, recording);
        drop(session.unwrap());
        assert_eq!(asked.swap(0, Ordering::SeqCst), 1);
        let (mut near, far) = duplex(1 << 20);
        near.write_all(&recorded.concat()).await.unwrap();
        assert_eq!(
            accept(far, &config).await.unwrap_err(),
            HandshakeError::Failed
        );
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{pattern:?}");
    }
}

#[tokio::test]
async fn who_has_the_responders_secret_poses_as_nobody_to_it() {
    // spec: H-1; threat: 12, 13
    for pattern in [Pattern::Xx, Pattern::Xk] {
        let (config, asked) = counting();
        // The attacker knows OURS and the public half of OTHERS.
        let mut thief = options(pattern);
        thief.secret = OURS;
        thief.lies.static_public = Some(public_key(OTHERS));
        thief.lies.takes_own_key = true;
        let (near, far) = duplex(1 << 20);
        let (thief, ours) = tokio::join!(RawPeer::initiate(near, thief), accept(far, &config));
        drop(thief);
        assert_eq!(ours.unwrap_err(), HandshakeError::Failed);
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{pattern:?}");
    }
}

#[tokio::test]
async fn another_encoding_of_a_key_is_another_key() {
    // spec: H-11; threat: 10
    let mut key = public_key(RAWS);
    key[31] ^= 0x80;
    let twin = PublicKey::from_bytes(key);
    assert_ne!(twin, PublicKey::from_bytes(public_key(RAWS)));
    // X25519 ignores the bit that differs; the policy and the transcript do not.
    let other = config().peers(PeerPolicy::pinned([twin]));
    let (near, far) = duplex(1 << 20);
    let (raw, ours) = tokio::join!(
        RawPeer::initiate(near, options(Pattern::Xx)),
        accept(far, &other)
    );
    drop(raw);
    assert!(matches!(
        ours.unwrap_err(),
        HandshakeError::NotAccepted { .. }
    ));
    let (near, far) = duplex(1 << 20);
    let config = config();
    let (raw, ours) = tokio::join!(
        async { RawPeer::respond(near, options(Pattern::Xk)).await.map(drop) },
        connect(far, Some(&twin), &config)
    );
    assert!(raw.is_err());
    assert!(ours.is_err());
}

#[tokio::test]
async fn two_initiators_fail_at_once() {
    // spec: W-10; threat: 17
    let (near, far) = duplex(1 << 20);
    let config = config();
    let (one, other) = tokio::join!(connect(near, None, &config), connect(far, None, &config));
    assert_eq!(one.unwrap_err(), HandshakeError::NotDuologue);
    assert_eq!(other.unwrap_err(), HandshakeError::NotDuologue);
}

#[tokio::test]
async fn an_initiator_shows_its_key_to_whom_it_accepts_alone() {
    // spec: H-13; threat: 8, 18
    let nobody = config().peers(PeerPolicy::default());
    let (mut near, far) = duplex(1 << 20);
    let responding = async {
        let mut raw = RawHandshake::responder(options(Pattern::Xx));
        let mut came = vec![0; 42];
        near.read_exact(&mut came).await.unwrap();
        raw.read_body(&take_body(&mut came).unwrap()).unwrap();
        near.write_all(&with_length(&raw.write_body().unwrap()))
            .await
            .unwrap();
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await.unwrap();
        rest
    };
    let nobody = nobody.suites([duologue::Suite::AesGcm]);
    let (rest, ours) = tokio::join!(responding, connect(far, None, &nobody));
    assert!(matches!(
        ours.unwrap_err(),
        HandshakeError::NotAccepted { .. }
    ));
    assert!(rest.is_empty(), "not one byte of message 3");
}

#[tokio::test]
async fn a_refusal_list_is_followed_by_no_other_attempt() {
    // spec: W-11; threat: 27
    let (mut near, far) = duplex(1 << 20);
    let config = config();
    let forging = async {
        let mut first = [0; 10];
        near.read_exact(&mut first).await.unwrap();
        near.write_all(&with_length(&refusal(&[[1, 1, 0], [1, 2, 0]])))
            .await
            .unwrap();
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await.unwrap();
        rest.len() + 8 - usize::from(u16::from_be_bytes([first[0], first[1]]))
    };
    let (more, ours) = tokio::join!(forging, connect(far, None, &config));
    assert!(matches!(
        ours.unwrap_err(),
        HandshakeError::Unsupported { .. }
    ));
    assert_eq!(more, 0, "one hello, and nothing behind it");
}

/// What costs credit, in a batch of its own or a record.
fn costly(number: u64) -> Vec<(&'static str, RawRecord)> {
    let batch = |frame| RawRecord::Batch(vec![frame]);
    vec![
        ("padding", batch(RawFrame::Padding(5))),
        ("requests", batch(RawFrame::ReceiptRequest)),
        ("receipts that do not rise", batch(RawFrame::Receipt(0))),
        ("new keys", batch(RawFrame::Rekey)),
        ("pings", batch(RawFrame::Ping(number.to_be_bytes()))),
        ("small pieces", RawRecord::Piece(vec![1; 31])),
    ]
}

#[tokio::test(start_paused = true)]
async fn the_33rd_that_costs_and_earns_nothing_is_a_violation() {
    // spec: L-1, L-2; threat: 45, 52, 61, 87
    for which in 0..costly(0).len() {
        let (mut session, mut raw) = established(&config()).await;
        let name = costly(0)[which].0;
        for number in 0..33 {
            let record = costly(number).swap_remove(which).1;
            let rekeys = name == "new keys";
            raw.send(&record).await.unwrap();
            if rekeys {
                raw.session.rekey_send();
            }
            let step = std::time::Duration::from_millis(1);
            session.attend(tokio::time::sleep(step)).await;
            if name == "pings" && number < 32 {
                let pong = RawFrame::Pong(number.to_be_bytes());
                assert_eq!(
                    raw.next().await,
                    Heard::Record(RawRecord::Batch(vec![pong]))
                );
            }
            assert_eq!(session.outcome(), None, "{name}: {number}");
            let broken = number == 32;
            let abort = async {
                loop {
                    match raw.next().await {
                        Heard::Record(RawRecord::Batch(frames)) => {
                            if let [RawFrame::Abort(code, _)] = frames[..] {
                                return code;
                            }
                        }
                        other => panic!("{name}: {other:?}"),
                    }
                }
            };
            if broken {
                let (error, code) = tokio::join!(session.recv(), abort);
                let error = error.unwrap_err();
                let text = error.to_string();
                assert!(text.contains("L-1"), "{name}: {text}");
                assert_eq!(code, 3);
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_comes_behind_the_end_changes_nothing() {
    // spec: E-8, E-12; threat: 49, 84
    let (mut session, mut raw) = established(&config()).await;
    session.finish().await.unwrap();
    let end = [RawFrame::End(0, 0, Vec::new()), RawFrame::FinalReceipt(0)];
    raw.send_frames(&end).await.unwrap();
    raw.send_frames(&[RawFrame::Message(b"late".to_vec())])
        .await
        .unwrap();
    raw.send_bytes(&[0xff; 5_000]).await.unwrap();
    assert_eq!(session.recv().await.unwrap(), None);
    let (outcome, ()) = tokio::join!(session.close(), async {
        while !matches!(raw.next().await, Heard::EndOfStream) {}
        raw.transport.shutdown().await.unwrap();
    });
    assert_eq!(outcome.received, Received::Complete(0));
    assert_eq!(outcome.sent, Sent::Delivered(0));
    assert_eq!(session.close().await, outcome);
}

/// A transport that does what transports may do, and what they should not.
struct Odd {
    inner: DuplexStream,
    calls: usize,
    fault: Option<(usize, io::ErrorKind)>,
}

impl Odd {
    fn new(inner: DuplexStream) -> Self {
        Self {
            inner,
            calls: 0,
            fault: None,
        }
    }

    fn failing(inner: DuplexStream, after: usize, kind: io::ErrorKind) -> Self {
        Self {
            fault: Some((after, kind)),
            ..Self::new(inner)
        }
    }

    /// Every other call wakes for nothing or is interrupted; from some call on it fails for good.
    fn turn(&mut self, cx: &Context<'_>) -> Option<Poll<io::Error>> {
        self.calls += 1;
        if let Some((after, kind)) = self.fault
            && self.calls > after
        {
            return Some(Poll::Ready(kind.into()));
        }
        match self.calls % 5 {
            0 => {
                cx.waker().wake_by_ref();
                Some(Poll::Pending)
            }
            3 => Some(Poll::Ready(io::ErrorKind::Interrupted.into())),
            _ => None,
        }
    }
}

impl AsyncRead for Odd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(odd) = self.turn(cx) {
            return odd.map(Err);
        }
        let mut few = [0; 7];
        let room = buffer.remaining().min(few.len());
        let mut part = ReadBuf::new(&mut few[..room]);
        let read = Pin::new(&mut self.inner).poll_read(cx, &mut part);
        buffer.put_slice(part.filled());
        read
    }
}

impl AsyncWrite for Odd {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.turn(cx) {
            Some(Poll::Ready(error)) if error.kind() == io::ErrorKind::WriteZero => {
                Poll::Ready(Ok(0))
            }
            Some(odd) => odd.map(Err),
            None => Pin::new(&mut self.inner).poll_write(cx, &bytes[..bytes.len().min(5)]),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn an_odd_transport_is_endured() {
    // spec: W-5; threat: 47, 104
    let (alice, bob) = support::configs();
    let (near, far) = duplex(64);
    let (mut one, mut other) =
        support::pair_over(Odd::new(near), Odd::new(far), &alice, &bob).await;
    let message = support::pattern(100_000, 7);
    let sending = async {
        one.send(&message).await.unwrap();
        one.close().await
    };
    let receiving = async {
        assert_eq!(*other.recv().await.unwrap().unwrap(), message);
        assert_eq!(other.recv().await.unwrap(), None);
        other.close().await
    };
    let (sent, received) = tokio::join!(sending, receiving);
    assert_eq!(sent.sent, Sent::Delivered(1));
    assert_eq!(received.received, Received::Complete(1));
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_fails_at_any_call_gives_an_outcome_and_no_panic() {
    // spec: E-10; threat: 70, 104
    use io::ErrorKind::{BrokenPipe, ConnectionReset, Other, WouldBlock, WriteZero};
    let mut broken = 0;
    for kind in [ConnectionReset, BrokenPipe, WriteZero, WouldBlock, Other] {
        for after in 0..120 {
            let (alice, bob) = support::configs();
            let (near, far) = duplex(1 << 16);
            let (one, other) = tokio::join!(
                connect(Odd::failing(near, after, kind), None, &alice),
                accept(far, &bob)
            );
            let Ok(mut one) = one else {
                broken += 1;
                continue;
            };
            let talking = async {
                let _said = one.send(&[7; 3_000]).await;
                let _end = one.finish().await;
                while let Ok(Some(_)) = one.recv().await {}
                one.close().await
            };
            let listening = async {
                let mut other = other.ok()?;
                while let Ok(Some(_)) = other.recv().await {}
                Some(other.close().await)
            };
            let (outcome, _theirs) = tokio::join!(talking, listening);
            if !matches!(outcome.cause, Cause::Finished { .. }) {
                broken += 1;
                let ended = matches!(
                    outcome.cause,
                    Cause::TransportFailed(_) | Cause::TransportEnded | Cause::Timeout(_)
                );
                assert!(ended, "{kind:?} {after}: {outcome}");
                assert_ne!(outcome.sent, Sent::Delivered(2));
            }
        }
    }
    assert!(broken > 100, "{broken}");
}

#[test]
fn a_runtime_that_ends_in_the_middle_of_a_close_leaves_nothing_hanging() {
    // spec: E-11; threat: 107
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (near, far) = duplex(1 << 16);
    let (alice, bob) = support::configs();
    let (mut one, other) =
        runtime.block_on(async { support::pair_over(near, far, &alice, &bob).await });
    let closing = runtime.spawn(async move { one.close().await });
    runtime.block_on(tokio::task::yield_now());
    drop(runtime);
    // Its task is gone with it, and with that the session: the peer sees no end that is whole.
    let after = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    assert!(after.block_on(closing).unwrap_err().is_cancelled());
    let outcome = after.block_on(async {
        let mut other = other;
        while let Ok(Some(_)) = other.recv().await {}
        other.abort(Code::NONE, "").await
    });
    assert!(
        !matches!(outcome.cause, Cause::Finished { .. }),
        "{outcome}"
    );
}
