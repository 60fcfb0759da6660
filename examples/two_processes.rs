//! Two real processes, one encrypted session: the whole promise in three acts.
//!
//! 1. Both send each other a file, both ways at once, and both hold the proof that it was taken.
//! 2. The child sends without end and is killed: the parent is told that it was cut off.
//! 3. A process with an unknown key is refused, and told so.
//!
//! `cargo run --release --example two_processes -- --help` shows the options.
#![expect(clippy::print_stdout, reason = "it is there to be looked at")]

use std::{
    error::Error,
    io::Read,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};

use clap::Parser;
use duologue::{
    Config, HandshakeError, Listener, Outcome, PeerPolicy, PublicKey, ReceiveError, Received,
    Receiver, SecretKey, Sender, Sent, Session, dial, net::DialError,
};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

type Any = Box<dyn Error + Send + Sync>;

/// Two processes prove who they are, talk, and both know how it ended.
#[derive(Parser)]
struct Options {
    /// The file that each side sends; by default this program itself.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Talk over TCP on the loopback interface instead of a Unix socket.
    #[arg(long)]
    tcp: bool,
    /// What the second process is to do; given by the first.
    #[arg(long, hide = true, requires_all = ["address", "peer"])]
    act: Option<Act>,
    #[arg(long, hide = true)]
    address: Option<String>,
    #[arg(long, hide = true)]
    peer: Option<PublicKey>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Act {
    Exchange,
    Endless,
    Stranger,
}

/// What each message carries of the file.
const CHUNK: usize = 256 * 1024;
/// After so many messages the child is killed.
const ENOUGH: u64 = 1_000;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Any> {
    let file = match &options.file {
        Some(file) => file.clone(),
        None => std::env::current_exe()?,
    };
    std::fs::File::open(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    match (options.act, &options.address, options.peer) {
        (Some(act), Some(address), Some(peer)) => child(act, address, peer, &file).await,
        _first => parent(options, &file).await,
    }
}

// ---- the parent

async fn parent(options: &Options, file: &Path) -> Result<(), Any> {
    let (ours, childs) = (SecretKey::generate()?, SecretKey::generate()?);
    let (our_key, childs_key) = (ours.public_key(), childs.public_key());
    let folder = tempfile::tempdir()?;
    let address = if options.tcp || !cfg!(unix) {
        "tcp:127.0.0.1:0".to_owned()
    } else {
        format!("unix:{}", folder.path().join("talk.sock").display())
    };
    let config = Config::new(ours)
        .protocol("two-processes/1")
        .peers(PeerPolicy::pinned([childs_key]));
    let mut listener = Listener::bind(&address, config).await?;
    let address = listener.local_address().to_string();
    println!("parent: I am {our_key}");
    println!("parent: my child is {childs_key}");

    let stage = Stage {
        address,
        our_key,
        file: file.to_owned(),
    };
    stage.exchange(&mut listener, &childs).await?;
    stage.endless(&mut listener, &childs).await?;
    stage.stranger(&mut listener).await?;
    println!("\nAll three went as promised.");
    Ok(())
}

struct Stage {
    address: String,
    our_key: PublicKey,
    file: PathBuf,
}

impl Stage {
    /// Starts this program again. Its secret key goes over standard input, where nobody else can see it.
    async fn start(&self, act: &str, secret: &SecretKey) -> Result<Child, Any> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--act", act, "--address", &self.address, "--peer"])
            .arg(self.our_key.to_string())
            .arg("--file")
            .arg(&self.file)
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child
            .stdin
            .take()
            .ok_or("the child has no standard input")?;
        stdin.write_all(secret.to_text().as_bytes()).await?;
        stdin.shutdown().await?;
        Ok(child)
    }

    async fn exchange(&self, listener: &mut Listener, secret: &SecretKey) -> Result<(), Any> {
        println!("\n1. A file crosses both ways at once.");
        let mut child = self.start("exchange", secret).await?;
        let session = listener.accept().await?;
        println!("parent: we run {}", session.peer().suite);
        swap_files("parent", session, &self.file, Progress::Shown).await?;
        expect(
            child.wait().await?.code() == Some(0),
            "the child has its proof too",
        )
    }

    async fn endless(&self, listener: &mut Listener, secret: &SecretKey) -> Result<(), Any> {
        println!("\n2. The child sends without end and is killed.");
        let mut child = self.start("endless", secret).await?;
        let mut session = listener.accept().await?;
        for _message in 0..ENOUGH {
            let message = session.recv().await?;
            expect(message.is_some(), "the child goes on")?;
        }
        child.kill().await?;
        let error = loop {
            match session.recv().await {
                Ok(Some(_message)) => {}
                Ok(None) => return Err("a killed process looked like one that had ended".into()),
                Err(error) => break error,
            }
        };
        println!("parent: {error}");
        let outcome = session.close().await;
        println!("parent: {outcome}");
        expect(
            matches!(error, ReceiveError::Truncated { .. }),
            "recv says so",
        )?;
        let Received::Truncated { arrived, taken, .. } = outcome.received else {
            return Err(format!("not truncated: {outcome}").into());
        };
        println!("parent: received: Truncated, {arrived} whole messages");
        expect(
            arrived == taken && taken >= ENOUGH,
            "every whole message was handed out",
        )
    }

    async fn stranger(&self, listener: &mut Listener) -> Result<(), Any> {
        println!("\n3. A process with an unknown key knocks.");
        let mut child = self.start("stranger", &SecretKey::generate()?).await?;
        let waited = tokio::select! {
            session = listener.accept() => {
                return Err(format!("a stranger got in: {session:?}").into());
            }
            status = child.wait() => status?,
        };
        expect(
            waited.code() == Some(0),
            "the stranger was refused, authenticated",
        )
    }
}

// ---- the child

async fn child(act: Act, address: &str, peer: PublicKey, file: &Path) -> Result<(), Any> {
    let mut text = zeroize::Zeroizing::new(String::new());
    std::io::stdin().read_to_string(&mut text)?;
    let config = Config::new(SecretKey::from_text(&text)?).protocol("two-processes/1");
    let dialled = dial(address, &peer, &config).await;
    if act == Act::Stranger {
        return match dialled {
            Err(DialError::Handshake { error, .. }) => {
                println!("stranger: {error}");
                let refused = matches!(error, HandshakeError::Refused { .. });
                expect(refused, "the refusal is authenticated")
            }
            other => Err(format!("not refused: {other:?}").into()),
        };
    }
    let mut session = dialled?;
    match act {
        Act::Exchange => swap_files("child", session, file, Progress::Hidden).await,
        Act::Endless | Act::Stranger => loop {
            session.send(&[7; 10_000]).await?;
        },
    }
}

// ---- both

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Shown,
    Hidden,
}

/// Sends a file and receives one, in two tasks, and compares what was sent with what the peer got.
async fn swap_files(
    name: &'static str,
    session: Session,
    file: &Path,
    progress: Progress,
) -> Result<(), Any> {
    let size = tokio::fs::metadata(file).await?.len();
    let bar = match progress {
        Progress::Shown => ProgressBar::new(size.saturating_mul(2)),
        Progress::Hidden => ProgressBar::hidden(),
    };
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {bytes}/{total_bytes} {bytes_per_sec}",
    )?);
    let started = Instant::now();
    let (sender, receiver) = session.split();
    let sending = tokio::spawn(send_file(sender, file.to_owned(), bar.clone()));
    let receiving = tokio::spawn(receive_file(receiver, bar.clone()));
    let (sent, outcome) = sending.await??;
    let (received, bytes, _same) = receiving.await??;
    bar.finish_and_clear();
    report(
        name,
        &outcome,
        size.saturating_add(bytes),
        started.elapsed(),
    );
    expect(received.peer == received.ours, "what came is what was sent")?;
    println!("{name}: sent     {}", hex(&sent));
    println!("{name}: received {}", hex(&received.ours));
    expect(
        matches!(outcome.received, Received::Complete(_)),
        "received: Complete",
    )?;
    expect(
        matches!(outcome.sent, Sent::Delivered(_)),
        "sent: Delivered",
    )
}

/// The file in messages, then its digest, then the end.
async fn send_file(
    mut sender: Sender,
    file: PathBuf,
    bar: ProgressBar,
) -> Result<([u8; 32], Outcome), Any> {
    let mut file = tokio::fs::File::open(file).await?;
    let mut digest = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk).await?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        digest.update(bytes);
        sender.send(bytes).await?;
        bar.inc(u64::try_from(read)?);
    }
    let digest: [u8; 32] = digest.finalize().into();
    sender.send(&digest).await?;
    Ok((digest, sender.close().await))
}

struct Digests {
    ours: [u8; 32],
    peer: [u8; 32],
}

async fn receive_file(
    mut receiver: Receiver,
    bar: ProgressBar,
) -> Result<(Digests, u64, Outcome), Any> {
    let mut digest = Sha256::new();
    let mut bytes = 0_u64;
    // The last message is the digest, so one is always held back.
    let mut held = receiver.recv().await?.ok_or("the peer sent nothing")?;
    while let Some(next) = receiver.recv().await? {
        digest.update(&held);
        let length = u64::try_from(held.len())?;
        bytes = bytes.saturating_add(length);
        bar.inc(length);
        held = next;
    }
    let digests = Digests {
        ours: digest.finalize().into(),
        peer: held.as_ref().try_into()?,
    };
    Ok((digests, bytes, receiver.close().await))
}

fn report(name: &str, outcome: &Outcome, bytes: u64, time: Duration) {
    let seconds = time.as_secs_f64();
    let mebibytes = bytes / (1024 * 1024);
    println!("{name}: {outcome}");
    println!(
        "{name}: received: {:?}, sent: {:?}",
        outcome.received, outcome.sent
    );
    println!("{name}: {mebibytes} MiB both ways in {seconds:.2} s");
}

fn expect(kept: bool, promise: &str) -> Result<(), Any> {
    if kept {
        Ok(())
    } else {
        Err(format!("promise not kept: {promise}").into())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
