//! One talk, by everyone with everyone: the library with itself over real sockets, each provider with each,
//! and (when `tests/interop/run` says where it is) with a second implementation that was written from the
//! specification alone.

#![cfg(feature = "net")]

use std::{process::Stdio, time::Duration};

use duologue::{
    Cause, Code, Config, Event, HandshakeError, Listener, Outcome, PeerPolicy, Provider, Psk,
    PublicKey, Received, SecretKey, Sent, Session, Suite, dial,
    net::{DialError, Refused, dial_unpinned},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdout, Command},
};

/// Around every edge there is: a batch, a record of its own, several pieces, the largest record, 1 MiB.
const SIZES: [usize; 15] = [
    0,
    1,
    100,
    1_023,
    4_095,
    4_096,
    32_767,
    32_768,
    32_769,
    65_518,
    65_519,
    65_536,
    200_000,
    (1 << 20) - 1,
    1 << 20,
];
const PATTERNS: [Pattern; 4] = [
    Pattern {
        pins: false,
        psk: false,
    },
    Pattern {
        pins: true,
        psk: false,
    },
    Pattern {
        pins: false,
        psk: true,
    },
    Pattern {
        pins: true,
        psk: true,
    },
];
const SHARED: [u8; 32] = [0x55; 32];

#[derive(Debug, Clone, Copy)]
struct Pattern {
    pins: bool,
    psk: bool,
}

impl Pattern {
    fn id(self) -> u8 {
        u8::from(self.pins) + if self.psk { 16 } else { 0 }
    }
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Tcp,
    #[cfg(unix)]
    Unix,
}

const PLACES: &[Place] = &[
    Place::Tcp,
    #[cfg(unix)]
    Place::Unix,
];

impl Place {
    fn address(self, folder: &tempfile::TempDir) -> String {
        match self {
            Self::Tcp => {
                let _unused = folder;
                "tcp:127.0.0.1:0".to_owned()
            }
            #[cfg(unix)]
            Self::Unix => format!("unix:{}", folder.path().join("talk").display()),
        }
    }
}

fn providers() -> Vec<Provider> {
    vec![
        Provider::portable(),
        #[cfg(feature = "aws-lc")]
        Provider::aws_lc(),
    ]
}

fn config(secret: u8, psk: bool) -> Config {
    let config = Config::new(SecretKey::from_bytes(&mut [secret; 32]));
    match psk {
        true => config.psk(Psk::from_bytes(&mut { SHARED })),
        false => config,
    }
}

fn key(secret: u8) -> PublicKey {
    SecretKey::from_bytes(&mut [secret; 32]).public_key()
}

fn content(size: usize, seed: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 7 + seed) as u8).collect()
}

async fn dialled(
    address: &str,
    pattern: Pattern,
    remote: PublicKey,
    config: &Config,
) -> Result<Session, DialError> {
    match pattern.pins {
        true => dial(address, &remote, config).await,
        false => dial_unpinned(address, config).await,
    }
}

/// Messages of every size and back again, under new keys, with receipts, and the end by halves.
async fn talks(session: &mut Session) -> Outcome {
    for (number, size) in SIZES.into_iter().enumerate() {
        let message = content(size, number);
        session.send(&message).await.unwrap();
        let echo = session.recv().await.unwrap().expect("an echo");
        assert!(echo[..] == message[..], "message of {size} bytes");
        // spec: T-10
        session.rekey_now().await.unwrap();
    }
    // A batch of many, then a receipt for all of them.
    for number in 0..200 {
        session.feed(&content(number, number)).await.unwrap();
    }
    session.flush().await.unwrap();
    let all = session.sent_count();
    for number in 0..200 {
        let echo = session.recv().await.unwrap().expect("an echo");
        assert!(echo[..] == content(number, number)[..], "batched {number}");
    }
    // spec: T-17
    session.wait_taken(all).await.unwrap();
    assert_eq!(session.taken_count(), all);
    session.ping().await.unwrap();
    // spec: E-13
    session
        .finish_with(Code::application(1), "that is all")
        .await
        .unwrap();
    while let Some(late) = session.recv().await.unwrap() {
        assert_eq!(&late[..], b"late");
    }
    session.close().await
}

/// The other side of it. What the peer ended with is the last thing that it learns.
async fn echoes(session: &mut Session) -> Outcome {
    let mut count = 0_u64;
    loop {
        match session.recv_event().await.unwrap() {
            Event::Message(message) => {
                session.send(&message).await.unwrap();
                count += 1;
                if count.is_multiple_of(5) {
                    session.rekey_now().await.unwrap();
                }
            }
            Event::Ended => break,
            other => panic!("{other:?}"),
        }
    }
    let end = session.peer_end().expect("the peer's END");
    assert_eq!(
        (end.code, end.reason.as_str()),
        (Code::application(1), "that is all")
    );
    // The peer's direction has ended, ours has not.
    session.send_confirmed(b"late").await.unwrap();
    session.finish().await.unwrap();
    session.close().await
}

fn is_whole(outcome: &Outcome, sent: u64, received: u64) {
    assert_eq!(outcome.sent, Sent::Delivered(sent), "{outcome}");
    assert_eq!(outcome.received, Received::Complete(received), "{outcome}");
    assert!(matches!(outcome.cause, Cause::Finished { .. }), "{outcome}");
}

async fn library_talks(place: Place, suite: Suite, pattern: Pattern, by: (Provider, Provider)) {
    let folder = tempfile::tempdir().unwrap();
    let bob = config(2, pattern.psk)
        .provider(by.1)
        .peers(PeerPolicy::pinned([key(1)]));
    let mut listener = Listener::bind(place.address(&folder), bob).await.unwrap();
    let alice = config(1, pattern.psk)
        .provider(by.0)
        .suites([suite])
        .peers(PeerPolicy::pinned([key(2)]));
    let address = listener.local_address().to_string();
    let near = async {
        let mut session = dialled(&address, pattern, key(2), &alice).await.unwrap();
        assert_eq!(session.peer().pattern.id(), pattern.id());
        (talks(&mut session).await, session.peer().handshake_hash)
    };
    let far = async {
        let mut session = listener.accept().await.unwrap();
        assert_eq!((session.peer().key, session.peer().suite), (key(1), suite));
        (echoes(&mut session).await, session.peer().handshake_hash)
    };
    let ((near, one), (far, other)) = tokio::join!(near, far);
    let sent = SIZES.len() as u64 + 200;
    is_whole(&near, sent, sent + 1);
    is_whole(&far, sent + 1, sent);
    assert_eq!(one, other);
}

#[tokio::test]
async fn each_provider_talks_with_each_in_every_suite_and_pattern() {
    // spec: H-1, H-11, T-10, T-14, T-17, E-8, E-13
    let mut places = PLACES.iter().cycle();
    for near in providers() {
        for far in providers() {
            for suite in Suite::ALL {
                for pattern in PATTERNS {
                    let place = *places.next().expect("there is a place");
                    library_talks(place, suite, pattern, (near, far)).await;
                }
                // The next suite takes the other places.
                places.next();
            }
        }
    }
}

#[tokio::test]
async fn each_provider_is_told_by_each_that_it_is_refused() {
    // spec: H-16
    for near in providers() {
        for far in providers() {
            for place in PLACES {
                let folder = tempfile::tempdir().unwrap();
                let bob = config(2, false)
                    .provider(far)
                    .peers(PeerPolicy::pinned([key(9)]));
                let mut listener = Listener::bind(place.address(&folder), bob).await.unwrap();
                let address = listener.local_address().to_string();
                let alice = config(1, false).provider(near);
                let bob = key(2);
                let (dialled, arrival) =
                    tokio::join!(dial(&address, &bob, &alice), listener.arrival());
                assert!(is_refused(&dialled.unwrap_err()));
                let why = arrival.unwrap().session.unwrap_err();
                let Refused::Handshake(HandshakeError::NotAccepted { key: theirs, .. }) = why
                else {
                    panic!("{why}");
                };
                assert_eq!(theirs, key(1));
            }
        }
    }
}

fn is_refused(error: &DialError) -> bool {
    matches!(
        error,
        DialError::Handshake {
            error: HandshakeError::Refused { .. },
            ..
        }
    )
}

// ---- with the second implementation; see tests/interop/README.md for its interface

#[test]
fn the_second_implementation_is_small() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "py") {
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                assert!(line.chars().count() <= 120, "{}: {line}", path.display());
                count += 1;
            }
        }
    }
    assert!((1..=600).contains(&count), "{count} lines of Python");
}

/// A process of the second implementation.
struct Second {
    child: Child,
    lines: tokio::io::Lines<BufReader<ChildStdout>>,
}

/// The `config` of conformance/README.md, by which the second implementation is told its keys.
fn second_config(secret: u8, psk: bool) -> Value {
    let mut config = json!({"secret": hex::encode([secret; 32])});
    if psk {
        config["psk"] = hex::encode(SHARED).into();
    }
    config
}

fn second_dials(suite: Suite, pattern: Pattern, remote: PublicKey) -> Value {
    let mut config = second_config(1, pattern.psk);
    config["suites"] = json!([suite.id()]);
    config["patterns"] = json!([pattern.id()]);
    if pattern.pins {
        config["remote"] = hex::encode(remote.as_bytes()).into();
    }
    config
}

impl Second {
    fn start(arguments: &[&str], config: &Value) -> Self {
        let command = std::env::var("DUOLOGUE_SECOND").expect("DUOLOGUE_SECOND names the program");
        let mut words = command.split_whitespace();
        let mut process = Command::new(words.next().expect("a program"));
        process
            .args(words)
            .args(arguments)
            .env("DUOLOGUE_CONFIG", config.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = process.spawn().expect("the second implementation starts");
        let output = child.stdout.take().expect("its output");
        Self {
            child,
            lines: BufReader::new(output).lines(),
        }
    }

    /// Tells its shim to do something.
    async fn does(&mut self, command: Value) -> Value {
        let input = self.child.stdin.as_mut().expect("its input");
        let line = format!("{command}\n");
        input.write_all(line.as_bytes()).await.unwrap();
        self.says("ok").await
    }

    async fn says(&mut self, what: &str) -> Value {
        let late = Duration::from_secs(60);
        loop {
            let line = tokio::time::timeout(late, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("it does not say {what}"));
            let line = line
                .unwrap()
                .unwrap_or_else(|| panic!("it ended before it said {what}"));
            let mut said: Value = serde_json::from_str(&line).unwrap();
            if let Some(said) = said.get_mut(what) {
                return said.take();
            }
        }
    }

    async fn ends(mut self) -> Option<i32> {
        self.child.wait().await.unwrap().code()
    }
}

#[tokio::test]
#[ignore = "needs the second implementation: tests/interop/run"]
async fn we_dial_the_second_implementation() {
    // spec: H-1, T-10, T-14, T-17, E-8
    for (place, provider) in PLACES
        .iter()
        .cycle()
        .zip(providers().iter().cycle())
        .take(2)
    {
        for pattern in PATTERNS {
            let folder = tempfile::tempdir().unwrap();
            let address = place.address(&folder);
            let mut second = Second::start(&["--listen", &address], &second_config(2, pattern.psk));
            let address = second.says("listening").await;
            let address = address.as_str().unwrap();
            for suite in Suite::ALL {
                let alice = config(1, pattern.psk)
                    .provider(*provider)
                    .suites([suite])
                    .peers(PeerPolicy::pinned([key(2)]));
                let mut session = dialled(address, pattern, key(2), &alice).await.unwrap();
                let outcome = talks(&mut session).await;
                let sent = SIZES.len() as u64 + 200;
                is_whole(&outcome, sent, sent);
                let theirs = second.says("outcome").await;
                assert_eq!(theirs["outgoing"], "all", "{theirs}");
                assert_eq!(
                    (&theirs["incoming"], &theirs["taken"]),
                    (&"ended".into(), &sent.into())
                );
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs the second implementation: tests/interop/run"]
async fn the_second_implementation_dials_us() {
    // spec: H-1, T-10, T-14, T-17, E-8, E-13
    for (place, provider) in PLACES
        .iter()
        .cycle()
        .zip(providers().iter().cycle())
        .take(2)
    {
        for pattern in PATTERNS {
            let folder = tempfile::tempdir().unwrap();
            let bob = config(2, pattern.psk)
                .provider(*provider)
                .peers(PeerPolicy::pinned([key(1)]));
            let mut listener = Listener::bind(place.address(&folder), bob).await.unwrap();
            let address = listener.local_address().to_string();
            let mut shim = Second::start(&["--shim"], &json!({}));
            for suite in Suite::ALL {
                // The library talks and the second implementation echoes, then the other way round.
                let sent = SIZES.len() as u64;
                let config = second_dials(suite, pattern, key(2));
                let mut second = Second::start(&["--connect", &address], &config);
                let mut session = listener.accept().await.unwrap();
                is_whole(&talks(&mut session).await, sent + 200, sent + 200);
                assert_eq!(second.says("outcome").await["taken"], sent + 200);
                assert_eq!(second.ends().await, Some(0));

                let near = second_talks(&mut shim, &address, config);
                let far = async {
                    let mut session = listener.accept().await.unwrap();
                    (session.peer().suite, echoes(&mut session).await)
                };
                let (near, (used, far)) = tokio::join!(near, far);
                assert_eq!(used, suite);
                is_whole(&far, sent + 1, sent);
                assert_eq!(
                    (&near["incoming"], &near["outgoing"]),
                    (&"ended".into(), &"all".into())
                );
                assert_eq!(
                    (&near["cause"], &near["taken"]),
                    (&"ended".into(), &sent.into())
                );
            }
        }
    }
}

/// What `talks` does, by the second implementation.
async fn second_talks(second: &mut Second, address: &str, mut config: Value) -> Value {
    let late = 60_000;
    config["app"] = "manual".into();
    second
        .does(json!({"do": "connect", "address": address, "config": config}))
        .await;
    let established = json!({"do": "established", "within_ms": late});
    assert_eq!(second.does(established).await["established"], true);
    let recv = json!({"do": "recv", "within_ms": late});
    for (number, size) in SIZES.into_iter().enumerate() {
        let message = hex::encode(content(size, number));
        second.does(json!({"do": "send", "message": message})).await;
        second.does(json!({"do": "rekey"})).await;
        let echo = second.does(recv.clone()).await;
        assert!(echo["message"] == message, "message of {size} bytes");
    }
    second.does(json!({"do": "request_receipt"})).await;
    second.does(json!({"do": "ping"})).await;
    let end = json!({"do": "finish", "code": 257, "reason": "that is all"});
    second.does(end).await;
    let message = second.does(recv.clone()).await;
    assert_eq!(message["message"], hex::encode(b"late"));
    assert_eq!(second.does(recv).await["end"]["code"], 0);
    let outcome = json!({"do": "outcome", "within_ms": late});
    second.does(outcome).await["outcome"].take()
}

#[tokio::test]
#[ignore = "needs the second implementation: tests/interop/run"]
async fn the_second_implementation_and_we_refuse_each_other() {
    // spec: H-13, H-16, W-8, W-10
    let mut strict = second_config(2, false);
    strict["accept"] = json!([hex::encode(key(9).as_bytes())]);
    strict["suites"] = json!([1]);
    let mut second = Second::start(&["--listen", "tcp:127.0.0.1:0"], &strict);
    let address = second.says("listening").await;
    let address = address.as_str().unwrap();
    let alice = config(1, false).suites([Suite::ChaChaPoly]);
    let refused = dial(address, &key(2), &alice).await.unwrap_err();
    assert!(is_refused(&refused), "{refused}");
    // What it does not take, it lists.
    let other = config(1, false).suites([Suite::HybridAesGcm]);
    let unsupported = dial(address, &key(2), &other).await.unwrap_err();
    let DialError::Handshake {
        error: HandshakeError::Unsupported { takes, .. },
        ..
    } = unsupported
    else {
        panic!("{unsupported}");
    };
    assert!(
        takes.iter().all(|offer| offer.suite == 1) && !takes.is_empty(),
        "{takes:?}"
    );

    let bob = config(2, false).peers(PeerPolicy::pinned([key(9)]));
    let mut listener = Listener::bind("tcp:127.0.0.1:0", bob).await.unwrap();
    let address = listener.local_address().to_string();
    let mut second = Second::start(&["--connect", &address], &second_config(1, false));
    let arrival = listener.arrival().await.unwrap();
    assert!(arrival.session.is_err());
    let outcome = second.says("outcome").await;
    assert_eq!(
        (&outcome["cause"], &outcome["code"]),
        (&"peer_aborted".into(), &1.into())
    );
    assert_eq!(second.ends().await, Some(1));
}

#[tokio::test]
#[ignore = "needs the second implementation: tests/interop/run"]
async fn a_second_implementation_that_is_killed_is_truncated() {
    // spec: E-10
    let mut second = Second::start(&["--listen", "tcp:127.0.0.1:0"], &second_config(2, false));
    let address = second.says("listening").await;
    let address = address.as_str().unwrap();
    let mut session = dial(address, &key(2), &config(1, false)).await.unwrap();
    session.send(b"still there?").await.unwrap();
    assert_eq!(
        session.recv().await.unwrap().as_deref(),
        Some(&b"still there?"[..])
    );
    second.child.kill().await.unwrap();
    let outcome = session.wait_outcome().await;
    assert!(
        matches!(outcome.received, Received::Truncated { .. }),
        "{outcome}"
    );
    assert!(
        matches!(outcome.sent, Sent::Unconfirmed { .. }),
        "{outcome}"
    );
}
