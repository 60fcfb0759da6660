//! Sessions over a listener: TCP and Unix sockets, who may come in, and what a dropped future loses.
#![cfg(all(feature = "net", unix))]

use std::{
    error::Error,
    io::Read,
    sync::{Arc, Mutex},
    time::Duration,
};

use duologue::{
    Config, HandshakeError, Listener, Origin, PeerPolicy, PublicKey, Received, SecretKey, Sent,
    Session, dial,
    net::{DialError, Refused, dial_unpinned},
};
use tempfile::TempDir;

type Checked = Result<(), Box<dyn Error>>;

/// Two processes that accept each other, and a directory that only we can write.
struct Pair {
    bob: PublicKey,
    bob_config: Config,
    alice_config: Config,
    directory: TempDir,
}

fn pair() -> Pair {
    let (alice, bob) = (
        SecretKey::generate().unwrap(),
        SecretKey::generate().unwrap(),
    );
    let (alice_public, bob_public) = (alice.public_key(), bob.public_key());
    Pair {
        bob: bob_public,
        bob_config: Config::new(bob).peers(PeerPolicy::pinned([alice_public])),
        alice_config: Config::new(alice).peers(PeerPolicy::pinned([bob_public])),
        directory: tempfile::tempdir().unwrap(),
    }
}

impl Pair {
    fn unix(&self) -> String {
        format!("unix:{}", self.directory.path().join("bob.sock").display())
    }

    async fn listen(&self, address: &str) -> Listener {
        Listener::bind(address, self.bob_config.clone())
            .await
            .unwrap()
    }

    /// One session, from both sides.
    async fn meet(&self, listener: &mut Listener) -> (Session, Session) {
        let address = listener.local_address().clone();
        let (alice, bob) = tokio::join!(
            dial(address, &self.bob, &self.alice_config),
            listener.accept()
        );
        (alice.unwrap(), bob.unwrap())
    }
}

fn half_open(listener: &Listener) -> std::net::TcpStream {
    let address = listener.local_address().to_string();
    std::net::TcpStream::connect(address.strip_prefix("tcp:").unwrap()).unwrap()
}

async fn talk(mut alice: Session, mut bob: Session) -> Checked {
    alice.send(b"good morning").await?;
    assert_eq!(bob.recv().await?.unwrap(), b"good morning"[..]);
    bob.send(b"and to you").await?;
    assert_eq!(alice.recv().await?.unwrap(), b"and to you"[..]);
    let (alice, bob) = tokio::join!(alice.close(), bob.close());
    for outcome in [alice, bob] {
        assert_eq!(outcome.sent, Sent::Delivered(1), "{outcome}");
        assert_eq!(outcome.received, Received::Complete(1), "{outcome}");
    }
    Ok(())
}

#[tokio::test]
async fn two_processes_talk_over_each_kind_of_address() -> Checked {
    let pair = pair();
    for address in [pair.unix().as_str(), "tcp:127.0.0.1:0"] {
        let mut listener = pair.listen(address).await;
        let (alice, bob) = pair.meet(&mut listener).await;
        assert_eq!(listener.counts().established, 1);
        assert_eq!(listener.counts().pending, 0);
        talk(alice, bob).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_session_given_out_outlives_its_listener() -> Checked {
    let pair = pair();
    let mut listener = pair.listen(&pair.unix()).await;
    let (alice, bob) = pair.meet(&mut listener).await;
    drop(listener);
    talk(alice, bob).await
}

#[tokio::test]
async fn the_policy_is_told_the_peers_user() -> Checked {
    let mut pair = pair();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&asked);
    pair.bob_config = pair.bob_config.peers(PeerPolicy::check(move |candidate| {
        told.lock().unwrap().push(candidate.origin);
        async { true }
    }));
    let mut listener = pair.listen(&pair.unix()).await;
    let (_alice, _bob) = pair.meet(&mut listener).await;

    let pid = i32::try_from(std::process::id())?;
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    assert_eq!(*asked.lock().unwrap(), [Origin::unix(uid, gid, Some(pid))]);
    Ok(())
}

// spec: L-8
#[tokio::test]
async fn peers_that_say_nothing_delay_nobody() -> Checked {
    let pair = pair();
    let mut listener = pair.listen("tcp:127.0.0.1:0").await;
    let silent: Vec<_> = (0..15).map(|_| half_open(&listener)).collect();
    let (alice, bob) = pair.meet(&mut listener).await;
    assert_eq!(listener.counts().pending, 15);
    talk(alice, bob).await?;
    drop(silent);
    Ok(())
}

// threat: 101
#[tokio::test]
async fn accept_dropped_at_each_poll_loses_no_session() -> Checked {
    let pair = pair();
    let mut listener = pair.listen("tcp:127.0.0.1:0").await;
    let (address, bob, config) = (
        listener.local_address().clone(),
        pair.bob,
        pair.alice_config.clone(),
    );
    let dialling = tokio::spawn(async move {
        let mut sessions = Vec::new();
        for _ in 0..8 {
            sessions.push(dial(&address, &bob, &config).await.unwrap());
        }
        sessions
    });
    let mut accepted = Vec::new();
    while accepted.len() < 8 {
        tokio::select! {
            biased;
            session = listener.accept() => accepted.push(session?),
            () = tokio::task::yield_now() => {}
        }
    }
    for (alice, bob) in dialling.await?.into_iter().zip(accepted) {
        talk(alice, bob).await?;
    }
    assert_eq!(listener.counts().failed, 0);
    Ok(())
}

#[tokio::test]
async fn handshakes_end_with_their_listener() -> Checked {
    let pair = pair();
    let mut listener = pair.listen("tcp:127.0.0.1:0").await;
    let mut silent = half_open(&listener);
    while listener.counts().pending == 0 {
        tokio::select! {
            biased;
            arrival = listener.arrival() => panic!("{arrival:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(listener);
    let read = tokio::task::spawn_blocking(move || silent.read(&mut [0; 1]));
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(5), read).await???,
        0
    );
    Ok(())
}

// spec: H-19
#[tokio::test]
async fn a_silent_peer_is_ended_by_the_handshake_deadline() -> Checked {
    let mut pair = pair();
    pair.bob_config = pair
        .bob_config
        .handshake_deadline(Duration::from_millis(50));
    let mut listener = pair.listen("tcp:127.0.0.1:0").await;
    let silent = half_open(&listener);
    let arrival = listener.arrival().await?;
    assert!(matches!(
        arrival.session,
        Err(Refused::Handshake(HandshakeError::TimedOut { .. }))
    ));
    assert_eq!(arrival.origin, Origin::Tcp(silent.local_addr()?));
    Ok(())
}

#[tokio::test]
async fn a_stranger_is_refused_and_both_sides_are_told() -> Checked {
    let mut pair = pair();
    let stranger = SecretKey::generate()?;
    let key = stranger.public_key();
    pair.alice_config = Config::new(stranger);
    let mut listener = pair.listen(&pair.unix()).await;
    let address = listener.local_address().clone();
    let (alice, arrival) = tokio::join!(
        dial(address, &pair.bob, &pair.alice_config),
        listener.arrival()
    );
    let Err(DialError::Handshake { error, .. }) = alice else {
        panic!("{alice:?}");
    };
    assert!(matches!(error, HandshakeError::Refused { ours, .. } if ours == key));
    assert!(matches!(
        arrival?.session,
        Err(Refused::Handshake(HandshakeError::NotAccepted { key: refused, .. })) if refused == key
    ));
    Ok(())
}

#[tokio::test]
async fn whoever_answers_is_judged_by_the_policy() -> Checked {
    let pair = pair();
    let mut listener = pair.listen("tcp:127.0.0.1:0").await;
    let address = listener.local_address().clone();
    let (alice, bob) = tokio::join!(
        dial_unpinned(&address, &pair.alice_config),
        listener.accept()
    );
    talk(alice?, bob?).await?;

    let nobody = Config::new(SecretKey::generate()?);
    let (alice, arrival) = tokio::join!(dial_unpinned(&address, &nobody), listener.arrival());
    let Err(DialError::Handshake { error, .. }) = alice else {
        panic!("{alice:?}");
    };
    assert!(matches!(error, HandshakeError::NotAccepted { key, .. } if key == pair.bob));
    assert!(arrival?.session.is_err());
    Ok(())
}

// threat: 100
#[tokio::test]
async fn a_policy_that_panics_costs_one_connection() -> Checked {
    let mut pair = pair();
    let calls = Arc::new(Mutex::new(0));
    pair.bob_config = pair.bob_config.peers(PeerPolicy::check(move |_candidate| {
        let mut calls = calls
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        *calls += 1;
        assert!(*calls != 1, "the first peer meets a fault of the policy");
        async { true }
    }));
    let mut listener = pair.listen("tcp:127.0.0.1:0").await;
    let address = listener.local_address().clone();
    let (alice, arrival) = tokio::join!(
        dial(address, &pair.bob, &pair.alice_config),
        listener.arrival()
    );
    assert!(alice.is_err());
    assert!(matches!(
        arrival?.session,
        Err(Refused::Handshake(HandshakeError::Internal))
    ));
    assert_eq!(listener.counts().pending, 0);
    let (alice, bob) = pair.meet(&mut listener).await;
    talk(alice, bob).await
}
