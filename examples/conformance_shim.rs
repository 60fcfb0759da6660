//! The library under the conformance kit: answers its control protocol over the public interface.
//!
//! The protocol is described in `conformance/README.md`; another implementation writes such a program to be judged:
//!
//! ```sh
//! cargo build --example conformance_shim
//! cargo run -p duologue-conformance -- --shim target/debug/examples/conformance_shim
//! ```
//!
//! With `--listen ADDR` or `--connect ADDR` it is an echo instead, as the kit's other targets are.

#[path = "conformance_shim/hand.rs"]
mod hand;
#[path = "conformance_shim/sessions.rs"]
mod sessions;
#[path = "conformance_shim/wishes.rs"]
mod wishes;
#[path = "conformance_shim/words.rs"]
mod words;

use std::{error::Error, io, time::Duration};

use clap::Parser;
use duologue::{
    Config, PeerPolicy, Provider, SecretKey, Session, Suite,
    net::{Admission, Listener, dial_unpinned},
};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};

use sessions::{Request, State, echo, live};
use wishes::{App, Wanted, Wishes};
use words::{Answer, Failure, No, Role, failure, no, text};

/// Judged by `duologue-conformance`: speaks its control protocol on standard input and output.
#[derive(Parser)]
struct Options {
    /// Who computes the primitives.
    #[arg(long, value_enum, default_value_t = Primitives::Default)]
    provider: Primitives,
    /// Echo at this address until killed, instead of being a shim.
    #[arg(long, value_name = "ADDR", conflicts_with = "connect")]
    listen: Option<String>,
    /// Dial this address once and echo, instead of being a shim.
    #[arg(long, value_name = "ADDR")]
    connect: Option<String>,
    /// The suite of --connect; --listen takes any.
    #[arg(long, value_name = "ID", default_value_t = 1)]
    suite: u8,
    /// The secret key of an echo, in hexadecimal.
    #[arg(long, value_name = "HEX", default_value_t = "22".repeat(32))]
    secret: String,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Primitives {
    Default,
    Portable,
}

impl Primitives {
    fn provider(self) -> Provider {
        match self {
            Self::Default => Provider::default(),
            Self::Portable => Provider::portable(),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    match (&options.listen, &options.connect) {
        (Some(address), _) => echo_at(address, &options).await,
        (None, Some(address)) => echo_to(address, &options).await,
        (None, None) => Ok(Shim::new(options.provider).run().await?),
    }
}

// ---- the control protocol

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Command {
    Hello,
    Listen { config: Wishes },
    Connect { address: String, config: Wishes },
    Established { within_ms: u64 },
    Send { message: String },
    Recv { within_ms: u64 },
    Finish { code: u32, reason: String },
    Stop,
    Close,
    Abort { code: u32, reason: String },
    Drain { milliseconds: u64 },
    Rekey,
    Ping,
    RequestReceipt,
    Outcome { within_ms: u64 },
    Reset,
    Quit,
}

struct Shim {
    primitives: Primitives,
    current: Option<Current>,
}

/// The session that is under way.
struct Current {
    task: JoinHandle<()>,
    requests: mpsc::UnboundedSender<Request>,
    state: watch::Receiver<State>,
    app: App,
}

impl Shim {
    fn new(primitives: Primitives) -> Self {
        Self {
            primitives,
            current: None,
        }
    }

    async fn run(mut self) -> io::Result<()> {
        let mut commands = BufReader::new(tokio::io::stdin()).lines();
        let mut output = tokio::io::stdout();
        while let Some(line) = commands.next_line().await? {
            let answer = match serde_json::from_str(&line) {
                Ok(Command::Quit) => break,
                Ok(command) => self.obey(command).await,
                Err(error) => Err(no(format!("not a command: {error}"))),
            };
            let answer = match answer {
                Ok(fields) => json!({ "ok": fields }),
                Err(No::Error(why)) => json!({ "error": why }),
                Err(No::Unsupported(what)) => json!({ "unsupported": what }),
            };
            output.write_all(format!("{answer}\n").as_bytes()).await?;
            output.flush().await?;
        }
        self.reset().await;
        Ok(())
    }

    async fn obey(&mut self, command: Command) -> Answer {
        match command {
            Command::Hello => {
                let provider = self.primitives.provider().name();
                let version = env!("CARGO_PKG_VERSION");
                Ok(json!({ "name": format!("duologue {version}, {provider}") }))
            }
            Command::Listen { config } => {
                self.reset().await;
                let wanted = Wanted::responder(&config, self.primitives)?;
                let listener = TcpListener::bind("127.0.0.1:0").await.map_err(no)?;
                let address = listener.local_addr().map_err(no)?;
                self.begin(config.app, async move {
                    let (stream, _from) = listener.accept().await.map_err(|e| text(&e))?;
                    stream.set_nodelay(true).map_err(|e| text(&e))?;
                    let met = duologue::accept(stream, &wanted.config).await;
                    met.map_err(|error| failure(&error, Role::Responder))
                });
                Ok(json!({ "address": format!("tcp:{address}") }))
            }
            Command::Connect { address, config } => {
                self.reset().await;
                let wanted = Wanted::initiator(&config, self.primitives)?;
                self.begin(config.app, async move { wanted.dial(&address).await });
                Ok(json!({}))
            }
            Command::Reset | Command::Quit => {
                self.reset().await;
                Ok(json!({}))
            }
            other => match &mut self.current {
                Some(current) => current.obey(other).await,
                None => Err(no("no session")),
            },
        }
    }

    fn begin<F>(&mut self, app: App, meeting: F)
    where
        F: Future<Output = Result<Session, Failure>> + Send + 'static,
    {
        let (requests, asked) = mpsc::unbounded_channel();
        let (tell, state) = watch::channel(State::default());
        let task = tokio::spawn(live(app, meeting, asked, tell));
        self.current = Some(Current {
            task,
            requests,
            state,
            app,
        });
    }

    async fn reset(&mut self) {
        if let Some(current) = self.current.take() {
            current.task.abort();
            let _dropped = current.task.await;
        }
    }
}

impl Current {
    async fn obey(&mut self, command: Command) -> Answer {
        let within = match &command {
            Command::Established { within_ms }
            | Command::Recv { within_ms }
            | Command::Outcome { within_ms } => Duration::from_millis(*within_ms),
            _other => Duration::ZERO,
        };
        let until = Instant::now() + within;
        let settled = self.state.wait_for(|state| state.met.is_some());
        let settled = match timeout(within, settled).await {
            Ok(Ok(state)) => state.met.clone(),
            Ok(Err(_gone)) => return Err(no("the session is gone")),
            Err(_late) => None,
        };
        match (command, settled) {
            (Command::Established { .. }, Some(met)) => Ok(met),
            (Command::Established { .. }, None) => Err(no("neither established nor failed yet")),
            (Command::Outcome { .. }, None) => Ok(json!({})),
            (Command::Recv { .. }, None) => Ok(json!({ "nothing": true })),
            (Command::Outcome { .. }, Some(_)) if self.app == App::Echo => {
                let known = self.state.wait_for(|state| state.outcome.is_some());
                match tokio::time::timeout_at(until, known).await {
                    Ok(Ok(state)) => Ok(json!({ "outcome": state.outcome })),
                    Ok(Err(_gone)) => Err(no("the session is gone")),
                    Err(_late) => Ok(json!({})),
                }
            }
            (command, _) => {
                let (reply, answer) = oneshot::channel();
                let gone = |_| no("the session is gone");
                self.requests
                    .send((command, reply))
                    .map_err(|_sent| no("the session is gone"))?;
                answer.await.map_err(gone)?
            }
        }
    }
}

// ---- echoes

fn echo_config(options: &Options) -> Result<Config, Box<dyn Error>> {
    let mut secret: [u8; 32] = hex::decode(&options.secret)?
        .try_into()
        .map_err(|_bytes| "a secret key has 32 bytes")?;
    Ok(Config::new(SecretKey::from_bytes(&mut secret))
        .provider(options.provider.provider())
        .idle_timeout(None)
        .peers(PeerPolicy::dangerous_any()))
}

async fn echo_at(address: &str, options: &Options) -> Result<(), Box<dyn Error>> {
    // Whoever judges us comes often.
    let freely = Admission::default()
        .pending_per_source(256)
        .starts(10_000, 10_000);
    let listener = Listener::bind(address, echo_config(options)?).await?;
    let mut listener = listener.admission(freely);
    let place = json!({ "listening": listener.local_address().to_string() });
    let mut output = tokio::io::stdout();
    output.write_all(format!("{place}\n").as_bytes()).await?;
    output.flush().await?;
    loop {
        if let Ok(mut session) = listener.accept().await {
            tokio::spawn(async move { echo(&mut session).await });
        }
    }
}

async fn echo_to(address: &str, options: &Options) -> Result<(), Box<dyn Error>> {
    let suite = Suite::from_id(options.suite).ok_or("there is no such suite")?;
    let config = echo_config(options)?.suites([suite]);
    let mut session = dial_unpinned(address, &config).await?;
    echo(&mut session).await;
    Ok(())
}
