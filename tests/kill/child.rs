//! The process that is killed: this test's own program, started again.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use duologue::{Config, PeerPolicy, PublicKey, Received, SecretKey, Sent, Suite, connect};
use fastrand::Rng;
use tokio::net::{TcpListener, TcpStream};

use crate::support::pattern;

const VARIABLE: &str = "DUOLOGUE_KILL_CHILD";
/// The test that turns into the child.
const ENTRY: &str = "a_peer_that_is_not_killed_proves_everything";
/// Messages in each direction.
pub(crate) const MESSAGES: u64 = 40;

/// Both processes send the same.
pub(crate) fn expected(number: u64) -> Vec<u8> {
    let size = match number {
        20 => 300_000,
        other => other as usize * 97 % 3_000,
    };
    pattern(size, number as u8)
}

/// What the child wrote down: how many it took, before it told us; whether it saw proof of everything.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) took: u64,
    pub(crate) proof: bool,
}

type Process = Arc<Mutex<std::process::Child>>;

pub(crate) struct Child(Process);

impl Child {
    /// Starts the process; it dials the listener.
    pub(crate) async fn start(rng: &mut Rng) -> (Self, Config, TcpListener) {
        let mut key = || {
            let mut bytes = [0; 32];
            rng.fill(&mut bytes);
            bytes
        };
        let (ours, theirs) = (key(), key());
        let our_public = SecretKey::from_bytes(&mut ours.clone()).public_key();
        let their_public = SecretKey::from_bytes(&mut theirs.clone()).public_key();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", ENTRY, "--nocapture"])
            .env(VARIABLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let orders = [&theirs[..], our_public.as_bytes(), &port.to_be_bytes()].concat();
        process.stdin.take().unwrap().write_all(&orders).unwrap();
        let config = Config::new(SecretKey::from_bytes(&mut ours.clone()))
            .peers(PeerPolicy::pinned([their_public]))
            .suites([Suite::AesGcm]);
        (Self(Arc::new(Mutex::new(process))), config, listener)
    }

    /// Kills the process at once, by SIGKILL, when it is called.
    pub(crate) fn killer(&self) -> impl Fn() + Send + Sync + 'static {
        let process = Arc::clone(&self.0);
        move || process.lock().unwrap().kill().unwrap()
    }

    /// Waits until the process is gone and reads what it left.
    pub(crate) fn end(self, killed: bool) -> Log {
        let mut process = self.0.lock().unwrap();
        if killed {
            process.kill().unwrap();
        }
        process.wait().unwrap();
        let mut text = String::new();
        let stdout = process.stdout.as_mut().unwrap();
        stdout.read_to_string(&mut text).unwrap();
        let mut log = Log::default();
        for line in text.lines() {
            match line.strip_prefix("took ") {
                Some(count) => log.took = count.parse().unwrap(),
                None => log.proof |= line == "proof",
            }
        }
        log
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // A test that fails leaves nobody behind.
        if let Ok(mut process) = self.0.lock() {
            let _gone = process.kill();
            let _known = process.wait();
        }
    }
}

pub(crate) fn is_child() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Sends and takes everything; writes down what it took before the peer is told.
pub(crate) async fn live() {
    let mut orders = [0; 66];
    std::io::stdin().read_exact(&mut orders).unwrap();
    let mut secret: [u8; 32] = orders[..32].try_into().unwrap();
    let remote = PublicKey::from_bytes(orders[32..64].try_into().unwrap());
    let port = u16::from_be_bytes(orders[64..].try_into().unwrap());
    let config = Config::new(SecretKey::from_bytes(&mut secret))
        .suites([Suite::AesGcm])
        .acknowledge_explicitly();
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let session = connect(socket, Some(&remote), &config).await.unwrap();
    let (mut sender, mut receiver) = session.split();
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            sender.send(&expected(number)).await.unwrap();
        }
        sender.close().await
    });
    let mut took = 0;
    while let Some(message) = receiver.recv().await.unwrap() {
        assert!(*message == *expected(took));
        took += 1;
        println!("took {took}");
        receiver.acknowledge();
    }
    receiver.close().await;
    let outcome = sending.await.unwrap();
    if outcome.sent == Sent::Delivered(MESSAGES) {
        assert_eq!(outcome.received, Received::Complete(MESSAGES));
        println!("proof");
    }
}
