//! Real processes, killed at random points of their sessions: the survivor never claims what is not so.
//!
//! Invariants I1, I2 and I6. 200 kills, 2,000 with `DUOLOGUE_LONG=1`; `DUOLOGUE_SEED=n` repeats one.
#![expect(
    clippy::print_stdout,
    reason = "a run that fails names its seed, and the child tells what it took"
)]
#![cfg(unix)]

mod support;

#[path = "kill/child.rs"]
mod child;
#[path = "kill/fuse.rs"]
mod fuse;

use std::time::Duration;

use child::{Child, MESSAGES, expected};
use duologue::{
    Cause, HandshakeError, Outcome, ReceiveError, Received, SendError, Sent, Session, accept,
};
use fastrand::Rng;
use fuse::{Fuse, Point};
use tokio::time::timeout;

/// What the survivor has at the end.
struct Survivor {
    got: Vec<Vec<u8>>,
    outcome: Outcome,
}

/// Sends and takes by turns until both have ended, or the session broke.
async fn survive(mut session: Session, fuse: &Fuse) -> Survivor {
    let mut got = Vec::new();
    let mut broken = false;
    for number in 0..MESSAGES {
        match session.send(&expected(number)).await {
            Ok(()) => {}
            Err(SendError::Over(_)) => broken = true,
            Err(error) => panic!("{error}"),
        }
        if broken || number % 2 == 0 {
            continue;
        }
        take(&mut session, &mut got, fuse).await;
    }
    if !broken {
        let _broken = session.finish().await;
    }
    while take(&mut session, &mut got, fuse).await {}
    let outcome = session.close().await;
    assert_eq!(session.close().await, outcome);
    Survivor { got, outcome }
}

async fn take(session: &mut Session, got: &mut Vec<Vec<u8>>, fuse: &Fuse) -> bool {
    match session.recv().await {
        Ok(Some(message)) => {
            got.push(message.to_vec());
            fuse.taken(got.len() as u64);
            true
        }
        Ok(None) | Err(ReceiveError::Truncated { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// What may be claimed, given what the child had written down before it died.
fn judge(survivor: &Survivor, log: &child::Log) {
    let Survivor { got, outcome } = survivor;
    let sent: Vec<Vec<u8>> = (0..MESSAGES).map(expected).collect();
    assert!(sent.starts_with(got), "other messages came than were sent");
    match outcome.received {
        // I1
        Received::Complete(count) => {
            assert_eq!((count, got.len()), (MESSAGES, sent.len()), "{outcome}");
        }
        Received::Truncated { arrived, taken, .. } => {
            assert_eq!(taken, got.len() as u64, "{outcome}");
            assert!(taken <= arrived && arrived <= MESSAGES, "{outcome}");
            assert!(
                !matches!(outcome.cause, Cause::Finished { .. }),
                "{outcome}"
            );
        }
        other => panic!("{other}: nobody stopped"),
    }
    match outcome.sent {
        // I2
        Sent::Delivered(count) => {
            assert_eq!((count, log.took), (MESSAGES, MESSAGES), "{outcome}");
        }
        Sent::Unconfirmed { taken, .. } => assert!(taken <= log.took, "{outcome}, {log:?}"),
        other => panic!("{other}: nobody stopped"),
    }
    if log.proof {
        // The child's own outcome said that we had taken everything.
        assert_eq!(got.len(), sent.len(), "{outcome}");
    }
}

/// Which of the ends were seen, so that the test knows that it reached them all.
#[derive(Debug, Default)]
struct Seen {
    handshake: u32,
    truncated: u32,
    half: u32,
    whole: u32,
}

async fn kill_once(seed: u64, seen: &mut Seen) {
    let mut rng = Rng::with_seed(seed);
    let point = Point::random(&mut rng);
    let (child, config, listener) = Child::start(&mut rng).await;
    let fuse = Fuse::new(point, child.killer());
    let (socket, _address) = listener.accept().await.unwrap();
    match accept(fuse.on(socket), &config).await {
        Ok(session) => {
            let survivor = survive(session, &fuse).await;
            let log = child.end(point != Point::Never);
            judge(&survivor, &log);
            match (survivor.outcome.sent, survivor.outcome.received) {
                (Sent::Delivered(_), Received::Complete(_)) => seen.whole += 1,
                (Sent::Delivered(_), _) | (_, Received::Complete(_)) => seen.half += 1,
                _ => seen.truncated += 1,
            }
        }
        Err(HandshakeError::TransportEnded { .. } | HandshakeError::TransportFailed(_)) => {
            seen.handshake += 1;
            assert_eq!(child.end(true).took, 0);
        }
        Err(error) => panic!("{error}"),
    }
    assert!(
        point != Point::Never || seen.whole > 0,
        "nobody was killed, yet"
    );
}

#[tokio::test]
async fn a_killed_peer_never_looks_finished_and_what_it_did_not_take_never_delivered() {
    // spec: E-10, E-11; threat: 71
    let kills = if std::env::var_os("DUOLOGUE_LONG").is_some() {
        2_000
    } else {
        200
    };
    let seeds = match std::env::var("DUOLOGUE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..kills).map(|_kill| fastrand::u64(..)).collect(),
    };
    let all = seeds.len() > 1;
    let mut seen = Seen::default();
    for seed in seeds {
        println!("DUOLOGUE_SEED={seed}");
        // I4: the transport ends with the process, so nothing has to be waited for.
        timeout(Duration::from_secs(60), kill_once(seed, &mut seen))
            .await
            .unwrap();
    }
    println!("{seen:?}");
    if all {
        assert!(
            seen.handshake > 0 && seen.truncated > 0 && seen.whole > 0,
            "{seen:?}"
        );
    }
}

/// With the variable set this is the other process; without, a pair that nobody kills.
#[tokio::test]
async fn a_peer_that_is_not_killed_proves_everything() {
    // spec: E-8
    if child::is_child() {
        return child::live().await;
    }
    let (child, config, listener) = Child::start(&mut Rng::new()).await;
    let fuse = Fuse::new(Point::Never, child.killer());
    let (socket, _address) = listener.accept().await.unwrap();
    let session = accept(fuse.on(socket), &config).await.unwrap();
    let survivor = survive(session, &fuse).await;
    let log = child.end(false);
    judge(&survivor, &log);
    assert_eq!(survivor.outcome.sent, Sent::Delivered(MESSAGES));
    assert_eq!(survivor.outcome.received, Received::Complete(MESSAGES));
    assert!(log.proof, "{log:?}");
}
