//! Many live sessions between two processes: the time to open them, the memory each takes, and the
//! time of one message to and from each.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use duologue::{Config, PeerPolicy, SecretKey};
use futures::future::join_all;
use tokio::net::{UnixListener, UnixStream};

use crate::{
    clock::Stopwatch,
    peer::{End, Io, Keys},
    run::{Better, Plan, Results},
    talk,
};

/// Handshakes under way at once: what a listener lets through.
const AT_ONCE: usize = 64;

/// Kinds that both processes know how to open without sharing keys: each makes its own.
const KINDS: [&str; 2] = ["plain tokio (limit)", "Duologue AES-256-GCM"];

fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0.0);
    pages * 4_096.0
}

pub fn run(results: &mut Results, _keys: &Arc<Keys>, plan: Plan) {
    // Two descriptors of twenty thousand are spared for the rest.
    let count = plan.amount(10_000, 1_000);
    for kind in KINDS {
        let [open, memory, trip] = measure(kind, count);
        let case = |what: &str| format!("{count} sessions, two processes: {what}");
        let push = |results: &mut Results, what: &str, unit: &str, value: f64| {
            let area = ("sessions", &*case(what), unit, Better::Lower);
            results.push(area, kind, vec![value]);
        };
        push(results, "to open one", "us", open);
        push(results, "resident memory of one end", "bytes", memory);
        push(results, "a message there and back", "us", trip);
    }
}

/// The responder's process: this one. The initiator's is a child.
fn measure(kind: &str, count: usize) -> [f64; 3] {
    raise_limit();
    let directory = std::env::temp_dir().join(format!("peers-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("directory");
    let path = directory.join("socket");
    let secret = SecretKey::generate().expect("key");
    let public = secret.public_key().to_string();
    let config = Config::new(secret).peers(PeerPolicy::dangerous_any());
    let figures = talk::runtime().block_on(async {
        let listener = UnixListener::bind(&path).expect("listener");
        let mut child = Command::new(std::env::current_exe().expect("own path"))
            .args([
                "--child",
                &format!("{kind}|{count}|{public}|{}", path.display()),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("child");
        let before = resident();
        let watch = Stopwatch::wall();
        let mut ends = Vec::with_capacity(count);
        while ends.len() < count {
            let lot = AT_ONCE.min(count - ends.len());
            let mut wires = Vec::with_capacity(lot);
            for _wire in 0..lot {
                wires.push(listener.accept().await.expect("connection").0);
            }
            ends.extend(join_all(wires.into_iter().map(|wire| accept(kind, wire, &config))).await);
        }
        let open = watch.elapsed().as_secs_f64() * 1e6 / count as f64;
        let memory = (resident() - before) / count as f64;
        say(&mut child);
        let watch = Stopwatch::wall();
        let ends = each_in_its_task(ends, echo).await;
        let trip = watch.elapsed().as_secs_f64() * 1e6 / count as f64;
        drop(ends);
        child.wait().expect("child's end");
        [open, memory, trip]
    });
    let _gone = std::fs::remove_dir_all(directory);
    figures
}

/// Tasks of their own, as in a server: thousands of sessions in one task would share the few steps that
/// the runtime grants it before others get their turn.
async fn each_in_its_task<F>(ends: Vec<End>, work: fn(End) -> F) -> Vec<End>
where
    F: Future<Output = End> + Send + 'static,
{
    let tasks: Vec<_> = ends
        .into_iter()
        .map(|end| tokio::spawn(work(end)))
        .collect();
    let ends = join_all(tasks).await.into_iter();
    ends.map(|end| end.expect("task")).collect()
}

fn say(child: &mut Child) {
    let input = child.stdin.as_mut().expect("input");
    input.write_all(b"go\n").expect("word");
    input.flush().expect("word");
}

async fn accept(kind: &str, wire: UnixStream, config: &Config) -> End {
    if kind == KINDS[0] {
        let io: Box<dyn Io> = Box::new(wire);
        return End::Stream(io);
    }
    End::Duologue(Box::new(
        duologue::accept(wire, config).await.expect("session"),
    ))
}

async fn echo(mut end: End) -> End {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    match &mut end {
        End::Stream(io) => {
            let mut message = [0; 64];
            io.read_exact(&mut message).await.expect("read");
            io.write_all(&message).await.expect("write");
        }
        End::Duologue(session) => {
            let message = session.recv().await.expect("recv").expect("message");
            session.send(&message).await.expect("send");
        }
        End::Snow(_) => {}
    }
    end
}

/// The initiator's process.
pub fn child(order: &str) {
    raise_limit();
    let mut order = order.split('|');
    let mut next = || order.next().expect("order").to_owned();
    let (kind, count, public, path) = (next(), next(), next(), next());
    let count: usize = count.parse().expect("count");
    let public = public.parse().expect("key");
    let config = Config::new(SecretKey::generate().expect("key"));
    talk::runtime().block_on(async {
        let mut ends = Vec::with_capacity(count);
        while ends.len() < count {
            let lot = AT_ONCE.min(count - ends.len());
            let connecting = (0..lot).map(|_one| async {
                let wire = UnixStream::connect(&path).await.expect("connection");
                if kind == KINDS[0] {
                    let io: Box<dyn Io> = Box::new(wire);
                    return End::Stream(io);
                }
                let session = duologue::connect(wire, Some(&public), &config).await;
                End::Duologue(Box::new(session.expect("session")))
            });
            ends.extend(join_all(connecting).await);
        }
        let mut word = String::new();
        BufReader::new(std::io::stdin())
            .read_line(&mut word)
            .expect("word");
        each_in_its_task(ends, ask).await;
    });
}

async fn ask(mut end: End) -> End {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    match &mut end {
        End::Stream(io) => {
            io.write_all(&[7; 64]).await.expect("write");
            io.read_exact(&mut [0; 64]).await.expect("read");
        }
        End::Duologue(session) => {
            session.send(&[7; 64]).await.expect("send");
            session.recv().await.expect("recv").expect("message");
        }
        End::Snow(_) => {}
    }
    end
}

pub fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("limit of open files");
}
