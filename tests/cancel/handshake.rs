//! `connect` and `accept`, dropped at every poll: no session of ours, and the other side is told so.

use duologue::{Config, HandshakeError, ReceiveError, Session, Suite, accept, connect};
use tokio::{io::duplex, task::JoinHandle};

use crate::{
    harness::{at_every_poll, cut},
    slow::{Pace, Slow},
    support::{configs, pair_with},
};

fn plain() -> (Config, Config) {
    let (alice, bob) = configs();
    (alice.suites([Suite::AesGcm]), bob.suites([Suite::AesGcm]))
}

/// The other side has no session, or one that is cut off; never one that ended.
async fn demand_nothing(other: JoinHandle<Result<Session, HandshakeError>>) {
    match other.await.unwrap() {
        Err(HandshakeError::TransportEnded { .. } | HandshakeError::TransportFailed(_)) => {}
        Err(error) => panic!("{error}"),
        Ok(mut session) => {
            let error = session.recv().await.unwrap_err();
            assert!(
                matches!(error, ReceiveError::Truncated { arrived: 0, .. }),
                "{error}"
            );
        }
    }
}

async fn talk(one: Session, other: Session) {
    let (mut one, mut other) = (one, other);
    one.send(b"hello").await.unwrap();
    assert_eq!(other.recv().await.unwrap().as_deref(), Some(&b"hello"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_connect_is_no_session_and_its_config_serves_the_next() {
    // spec: E-10, H-9; threat: 2, 80
    let (alice, bob) = plain();
    at_every_poll(&[1, 4, 50], async |step, polls| {
        let pace = Pace::default();
        let (near, far) = duplex(1 << 16);
        let (near, far) = (Slow::new(near, &pace), Slow::new(far, &pace));
        pace.set(step);
        let config = bob.clone();
        let other = tokio::spawn(async move { accept(far, &config).await });
        let Some(session) = cut(polls, connect(near, None, &alice)).await else {
            demand_nothing(other).await;
            return false;
        };
        pace.set(0);
        talk(session.unwrap(), other.await.unwrap().unwrap()).await;
        true
    })
    .await;
    let (one, other) = pair_with(1 << 16, &alice, &bob).await;
    talk(one, other).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_accept_is_no_session_and_its_config_serves_the_next() {
    // spec: E-10, H-9; threat: 2, 80
    let (alice, bob) = plain();
    at_every_poll(&[1, 4, 50], async |step, polls| {
        let pace = Pace::default();
        let (near, far) = duplex(1 << 16);
        let (near, far) = (Slow::new(near, &pace), Slow::new(far, &pace));
        pace.set(step);
        let config = alice.clone();
        let other = tokio::spawn(async move { connect(near, None, &config).await });
        let Some(session) = cut(polls, accept(far, &bob)).await else {
            demand_nothing(other).await;
            return false;
        };
        pace.set(0);
        talk(session.unwrap(), other.await.unwrap().unwrap()).await;
        true
    })
    .await;
    let (one, other) = pair_with(1 << 16, &alice, &bob).await;
    talk(one, other).await;
}
