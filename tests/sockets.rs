//! Real TCP and Unix sockets with the smallest buffers: unread data at the end, floods both ways, resets.
//!
//! Invariants I3 and I8. `DUOLOGUE_LONG=1` floods about thirty times as long; a failed run of random ends is
//! repeated with the `DUOLOGUE_SEED` it prints.
#![expect(clippy::print_stdout, reason = "a run that fails names its seed")]
#![cfg(unix)]

mod support;

use std::{future::Future, time::Duration};

use duologue::{
    Cause, Code, Config, Outcome, ReceiveError, Received, SendError, Sent, Session, Suite,
    TimeLimit,
};
use fastrand::Rng;
use socket2::SockRef;
use support::{configs, pair_over, pattern};
use tokio::{
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinHandle,
    time::timeout,
};

/// The kernel takes it for its own least.
const TINY_UNIX: usize = 1;
/// One segment of the loopback: with less TCP waits for its own timers, seconds on end, and not for us.
const TINY_TCP: usize = 64 * 1024;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Tcp,
    Unix,
}

const KINDS: [Kind; 2] = [Kind::Tcp, Kind::Unix];

fn shrink(socket: SockRef<'_>, size: usize) {
    socket.set_send_buffer_size(size).unwrap();
    socket.set_recv_buffer_size(size).unwrap();
}

async fn tiny_pair(kind: Kind, change: fn(Config) -> Config) -> (Session, Session) {
    let (alice, bob) = configs();
    let plain = |config: Config| change(config.suites([Suite::AesGcm]));
    let (alice, bob) = (plain(alice), plain(bob));
    match kind {
        Kind::Tcp => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            shrink(SockRef::from(&listener), TINY_TCP);
            let address = listener.local_addr().unwrap();
            let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (near, far) = (near.unwrap(), far.unwrap().0);
            shrink(SockRef::from(&near), TINY_TCP);
            shrink(SockRef::from(&far), TINY_TCP);
            pair_over(near, far, &alice, &bob).await
        }
        Kind::Unix => {
            let (near, far) = UnixStream::pair().unwrap();
            shrink(SockRef::from(&near), TINY_UNIX);
            shrink(SockRef::from(&far), TINY_UNIX);
            pair_over(near, far, &alice, &bob).await
        }
    }
}

/// What stands still for so long is a deadlock.
async fn moving<F: Future>(what: &str, future: F) -> F::Output {
    let Ok(output) = timeout(Duration::from_secs(120), future).await else {
        panic!("{what}: nothing moves any more");
    };
    output
}

/// A session that sends so many messages, takes so many, and closes.
fn taking_some(mut session: Session, sends: u64, takes: u64, seed: u8) -> JoinHandle<Outcome> {
    tokio::spawn(async move {
        for number in 0..sends {
            // Gathered, so that sending waits for nobody.
            match session.feed(&pattern(900, seed ^ number as u8)).await {
                Ok(()) => {}
                Err(SendError::Stopped { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        for number in 0..takes {
            let message = session.recv().await.unwrap();
            let expected = pattern(900, !seed ^ number as u8);
            assert_eq!(message.as_deref(), Some(&*expected));
        }
        session.close().await
    })
}

/// Two outcomes of one session that was cut by nobody.
fn demand_agreement(one: &Outcome, other: &Outcome, took: u64) {
    match (one.sent, other.received) {
        (Sent::Delivered(sent), Received::Complete(taken)) => {
            assert_eq!((sent, taken), (took, took), "{one}, but {other}");
        }
        (
            Sent::Partial { taken, sent, .. },
            Received::Stopped {
                taken: same,
                sent: all,
                ..
            },
        ) => {
            assert_eq!((taken, sent), (same, all), "{one}, but {other}");
            assert_eq!(taken, took, "{one}, but {other}");
        }
        _ => panic!("{one}, but {other}"),
    }
    assert!(matches!(one.cause, Cause::Finished { .. }), "{one}");
}

#[tokio::test]
async fn unread_data_both_ways_at_close_does_not_eat_the_end() {
    // spec: E-4, E-6, E-8, L-14; threat: 77, 81
    for kind in KINDS {
        for (sends, takes) in [(0, 0), (1, 0), (200, 0), (200, 1), (200, 199), (200, 200)] {
            let (alice, bob) = tiny_pair(kind, |config| config).await;
            let alice = taking_some(alice, sends, takes, 0);
            let bob = taking_some(bob, sends, takes, 0xff);
            let both = async { (alice.await.unwrap(), bob.await.unwrap()) };
            let (a, b) = moving(&format!("{kind:?} {sends} {takes}"), both).await;
            demand_agreement(&a, &b, takes);
            demand_agreement(&b, &a, takes);
        }
    }
}

#[tokio::test]
async fn random_ends_over_sockets_always_agree() {
    // spec: E-1 to E-8, L-14; threat: 77, 81
    let seed = match std::env::var("DUOLOGUE_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => fastrand::u64(..),
    };
    println!("DUOLOGUE_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    for _round in 0..if long() { 3_000 } else { 100 } {
        let kind = KINDS[rng.usize(0..2)];
        let (alice, bob) = tiny_pair(kind, |config| config).await;
        let (sends, answers) = (rng.u64(0..60), rng.u64(0..60));
        let (takes, taken) = (rng.u64(0..=answers), rng.u64(0..=sends));
        let alice = taking_some(alice, sends, takes, 0);
        let bob = taking_some(bob, answers, taken, 0xff);
        let both = async { (alice.await.unwrap(), bob.await.unwrap()) };
        let (a, b) = moving("a random end", both).await;
        demand_agreement(&a, &b, taken);
        demand_agreement(&b, &a, takes);
    }
}

#[tokio::test]
async fn the_last_word_reaches_a_peer_that_floods() {
    // spec: E-9, L-14; threat: 70, 81
    for kind in KINDS {
        for _round in 0..20 {
            let (mut alice, mut bob) = tiny_pair(kind, |config| config).await;
            let flooding = tokio::spawn(async move {
                loop {
                    if let Err(error) = bob.send(&[7; 1_000]).await {
                        break (error, bob.recv().await, bob.close().await);
                    }
                }
            });
            for _message in 0..10 {
                assert!(alice.recv().await.unwrap().is_some());
            }
            let ours = alice.abort(Code::application(5), "enough").await;
            assert!(matches!(ours.cause, Cause::LocalAbort { .. }), "{ours}");
            drop(alice);
            let (error, received, outcome) = moving("a flood", flooding).await.unwrap();
            assert!(matches!(error, SendError::Over(_)), "{error}");
            let Err(ReceiveError::Truncated {
                cause: Cause::PeerAborted { code, .. },
                ..
            }) = received
            else {
                panic!("{kind:?}: {error}, {received:?}, {outcome}");
            };
            assert_eq!(code, Code::application(5));
            assert!(
                matches!(outcome.sent, Sent::Unconfirmed { .. }),
                "{outcome}"
            );
        }
    }
}

fn long() -> bool {
    std::env::var_os("DUOLOGUE_LONG").is_some()
}

/// Sends and takes as fast as it goes, in two tasks.
fn flooding(session: Session, count: u32, seed: u8) -> JoinHandle<Outcome> {
    let (mut sender, mut receiver) = session.split();
    let size = |number: u32, seed: u8| match number % 1_000 {
        0 => 200_000,
        1..=9 => 9_000,
        other => other as usize ^ usize::from(seed & 1),
    };
    tokio::spawn(async move {
        let sending = async {
            for number in 0..count {
                let message = pattern(size(number, seed), seed ^ number as u8);
                if number % 5 == 0 {
                    sender.send(&message).await.unwrap();
                } else {
                    sender.feed(&message).await.unwrap();
                }
            }
            sender.close().await
        };
        let receiving = async {
            for number in 0..count {
                let message = receiver.recv().await.unwrap().unwrap();
                let expected = pattern(size(number, !seed), !seed ^ number as u8);
                assert!(*message == *expected, "message {number}");
            }
            assert_eq!(receiver.recv().await.unwrap(), None);
            receiver.close().await
        };
        let (outcome, same) = tokio::join!(sending, receiving);
        assert_eq!(outcome, same);
        outcome
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sides_that_flood_each_other_through_tiny_buffers_always_move() {
    // spec: L-6, E-8; threat: 81, 88, 89, 91
    let count = if long() { 300_000 } else { 10_000 };
    for kind in KINDS {
        let (alice, bob) = tiny_pair(kind, |config| config).await;
        let (alice, bob) = (flooding(alice, count, 0), flooding(bob, count, 0xff));
        let both = async { (alice.await.unwrap(), bob.await.unwrap()) };
        let time = if long() { 20 } else { 1 };
        let done = timeout(Duration::from_secs(120 * time), both).await;
        let (a, b) = done.unwrap_or_else(|_| panic!("{kind:?}: nothing moves any more"));
        for outcome in [a, b] {
            let all = u64::from(count);
            assert_eq!(outcome.sent, Sent::Delivered(all), "{outcome}");
            assert_eq!(outcome.received, Received::Complete(all), "{outcome}");
        }
    }
}

#[tokio::test]
async fn two_whole_sessions_that_send_a_large_message_at_once_do_not_wait_for_each_other() {
    // spec: L-6; threat: 91
    for kind in KINDS {
        let (mut alice, mut bob) = tiny_pair(kind, |config| config).await;
        let (one, other) = (pattern(2_000_000, 1), pattern(1_500_000, 2));
        let sending = async {
            alice.send(&one).await.unwrap();
            assert!(*alice.recv().await.unwrap().unwrap() == *other);
        };
        let answering = async {
            bob.send(&other).await.unwrap();
            assert!(*bob.recv().await.unwrap().unwrap() == *one);
        };
        moving("two sends", async { tokio::join!(sending, answering) }).await;
        let (a, b) = tokio::join!(alice.close(), bob.close());
        demand_agreement(&a, &b, 1);
        demand_agreement(&b, &a, 1);
    }
}

#[tokio::test]
async fn two_sides_that_only_send_are_ended_by_the_limit_on_stalled_writes() {
    // spec: L-5; threat: 91
    for kind in KINDS {
        let limit = |config: Config| config.write_stall_limit(Duration::from_millis(300));
        let (mut alice, mut bob) = tiny_pair(kind, limit).await;
        let only_sends = async |session: &mut Session| loop {
            if let Err(error) = session.send(&[1; 30_000]).await {
                break error;
            }
        };
        let both = async { tokio::join!(only_sends(&mut alice), only_sends(&mut bob)) };
        let (one, other) = moving("two that only send", both).await;
        let stalled = SendError::Over(Cause::Timeout(TimeLimit::WriteStall));
        assert!(one == stalled || other == stalled, "{one}, {other}");
        for outcome in [alice.close().await, bob.close().await] {
            assert!(
                matches!(outcome.received, Received::Truncated { .. }),
                "{outcome}"
            );
            assert!(
                matches!(outcome.sent, Sent::Unconfirmed { .. }),
                "{outcome}"
            );
        }
    }
}

#[tokio::test]
async fn one_side_may_end_long_before_the_other() {
    // spec: E-13; threat: 78
    for kind in KINDS {
        let (mut alice, bob) = tiny_pair(kind, |config| config).await;
        let (mut sender, mut receiver) = bob.split();
        alice.finish().await.unwrap();
        let talking = tokio::spawn(async move {
            assert_eq!(receiver.recv().await.unwrap(), None);
            for number in 0..2_000 {
                sender.send(&pattern(500, number as u8)).await.unwrap();
            }
            tokio::join!(sender.close(), receiver.close()).0
        });
        let mut count = 0;
        while let Some(message) = moving("a half-closed session", alice.recv()).await.unwrap() {
            assert!(*message == *pattern(500, count as u8));
            count += 1;
        }
        let a = alice.close().await;
        let b = talking.await.unwrap();
        assert_eq!(a.received, Received::Complete(2_000), "{a}");
        assert_eq!(b.sent, Sent::Delivered(2_000), "{b}");
        assert_eq!(b.received, Received::Complete(0), "{b}");
    }
}
