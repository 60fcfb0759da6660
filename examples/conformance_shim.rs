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

use std::{error::Error, io, time::Duration};

use clap::Parser;
use duologue::{
    Cause, Code, Config, Event, HandshakeError, Outcome, PeerPolicy, Provider, Psk, PublicKey,
    Received, Receiver, SecretKey, SendError, Sender, Sent, Session, Suite, TimeLimit, dial,
    net::{Admission, DialError, Listener, dial_unpinned},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};

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

/// What is written is left to the transport for so long, then to whatever is polled next.
const WRITE: Duration = Duration::from_millis(200);
/// A message that finds no room for so long is given back.
const ROOM: Duration = Duration::from_secs(1);

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

/// How the kit wants a session; what is absent is at its default.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Wishes {
    secret: String,
    suites: Vec<u8>,
    patterns: Vec<u8>,
    remote: Option<String>,
    accept: Option<Vec<String>>,
    psk: Option<String>,
    context: String,
    protocols: Option<Vec<String>>,
    max_message: Option<u64>,
    idle_ms: Option<u64>,
    handshake_ms: Option<u64>,
    end_ms: Option<u64>,
    stall_ms: Option<u64>,
    app: App,
}

#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum App {
    #[default]
    Echo,
    Manual,
}

/// Why a command is not obeyed.
enum No {
    Error(String),
    Unsupported(String),
}

type Answer = Result<Value, No>;

fn no(why: impl ToString) -> No {
    No::Error(why.to_string())
}

fn done(result: Result<(), SendError>) -> Answer {
    result.map(|()| json!({})).map_err(no)
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

type Request = (Command, oneshot::Sender<Answer>);

#[derive(Default)]
struct State {
    /// The answer to `established`, once it is known.
    met: Option<Value>,
    outcome: Option<Value>,
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
                    .map_err(|_closed| no("the session is gone"))?;
                answer.await.map_err(gone)?
            }
        }
    }
}

// ---- what the kit wishes

struct Wanted {
    config: Config,
    remote: Option<PublicKey>,
}

fn bytes32(name: &str, text: &str) -> Result<[u8; 32], No> {
    let bytes = hex::decode(text).map_err(|error| no(format!("{name}: {error}")))?;
    bytes
        .try_into()
        .map_err(|_length| no(format!("{name} has not 32 bytes")))
}

impl Wanted {
    fn responder(wishes: &Wishes, primitives: Primitives) -> Result<Self, No> {
        // With a pre-shared key we take the patterns that use it, without one the others.
        let taken: &[u8] = if wishes.psk.is_some() {
            &[16, 17]
        } else {
            &[0, 1]
        };
        if !wishes.patterns.is_empty() && wishes.patterns != taken {
            return Err(No::Unsupported("a choice of patterns".into()));
        }
        let config = Self::config(wishes, primitives)?;
        Ok(Self {
            config,
            remote: None,
        })
    }

    fn initiator(wishes: &Wishes, primitives: Primitives) -> Result<Self, No> {
        let &[pattern] = wishes.patterns.as_slice() else {
            return Err(no("an initiator is given one pattern"));
        };
        let pinned = matches!(pattern, 1 | 17);
        if matches!(pattern, 16 | 17) != wishes.psk.is_some() {
            return Err(No::Unsupported("a pre-shared key that is not used".into()));
        }
        let config = Self::config(wishes, primitives)?;
        let remote = match (&wishes.remote, pinned) {
            (Some(key), true) => Some(PublicKey::from_bytes(bytes32("remote", key)?)),
            (None, true) => return Err(no("XK pins a key")),
            (_, false) => None,
        };
        Ok(Self { config, remote })
    }

    fn config(wishes: &Wishes, primitives: Primitives) -> Result<Config, No> {
        let mut secret = bytes32("secret", &wishes.secret)?;
        let mut config = Config::new(SecretKey::from_bytes(&mut secret))
            .provider(primitives.provider())
            .context(hex::decode(&wishes.context).map_err(no)?)
            .idle_timeout(
                wishes
                    .idle_ms
                    .filter(|ms| *ms > 0)
                    .map(Duration::from_millis),
            );
        if !wishes.suites.is_empty() {
            let known = |id: &u8| Suite::from_id(*id).ok_or_else(|| no(format!("no suite {id}")));
            let suites: Result<Vec<Suite>, No> = wishes.suites.iter().map(known).collect();
            config = config.suites(suites?);
        }
        config = config.peers(match &wishes.accept {
            None => PeerPolicy::dangerous_any(),
            Some(keys) => {
                let key = |text: &String| bytes32("accept", text).map(PublicKey::from_bytes);
                PeerPolicy::pinned(keys.iter().map(key).collect::<Result<Vec<_>, No>>()?)
            }
        });
        if let Some(psk) = &wishes.psk {
            config = config.psk(Psk::from_bytes(&mut bytes32("psk", psk)?));
        }
        for name in wishes.protocols.iter().flatten() {
            config = config.protocol(name);
        }
        if let Some(bytes) = wishes.max_message {
            config = config.max_message(bytes);
        }
        if let Some(ms) = wishes.handshake_ms {
            config = config.handshake_deadline(Duration::from_millis(ms));
        }
        if let Some(ms) = wishes.end_ms {
            config = config.end_deadline(Duration::from_millis(ms));
        }
        if let Some(ms) = wishes.stall_ms {
            config = config.write_stall_limit(Duration::from_millis(ms));
        }
        config.check().map_err(no)?;
        Ok(config)
    }

    async fn dial(&self, address: &str) -> Result<Session, Failure> {
        let dialled = match &self.remote {
            Some(remote) => dial(address, remote, &self.config).await,
            None => dial_unpinned(address, &self.config).await,
        };
        dialled.map_err(|error| match &error {
            DialError::Handshake { error, .. } => failure(error, Role::Initiator),
            other => text(other),
        })
    }
}

// ---- how it ended, in the kit's words

/// A session that was not established: why, and its outcome.
struct Failure {
    why: String,
    outcome: Value,
}

fn text(error: &dyn Error) -> Failure {
    Failure {
        why: error.to_string(),
        outcome: ended_before("handshake", Code::NONE, ""),
    }
}

fn ended_before(cause: &str, code: Code, reason: &str) -> Value {
    json!({
        "incoming": "truncated", "outgoing": "at_least", "taken": 0,
        "cause": cause, "code": code.number(), "reason": reason,
    })
}

#[derive(Clone, Copy)]
enum Role {
    Initiator,
    Responder,
}

fn failure(error: &HandshakeError, role: Role) -> Failure {
    let outcome = match (error, role) {
        (HandshakeError::Refused { .. }, _) => ended_before("peer_aborted", Code::REFUSED, ""),
        (HandshakeError::Aborted { code, reason, .. }, _) => {
            ended_before("peer_aborted", *code, reason)
        }
        (HandshakeError::NoCommonProtocol { .. }, Role::Initiator) => {
            ended_before("peer_aborted", Code::NO_COMMON_PROTOCOL, "")
        }
        (HandshakeError::NoCommonProtocol { .. }, Role::Responder) => {
            ended_before("we_aborted", Code::NO_COMMON_PROTOCOL, "")
        }
        // A responder says so; an initiator that refuses says nothing.
        (HandshakeError::NotAccepted { .. } | HandshakeError::OwnKey, Role::Responder) => {
            ended_before("we_aborted", Code::REFUSED, "")
        }
        (HandshakeError::Violation(violation), _) => {
            ended_before("we_aborted", violation.code(), "")
        }
        (HandshakeError::BadRecord, _) => ended_before("we_aborted", Code::VIOLATION, ""),
        _other => ended_before("handshake", Code::NONE, ""),
    };
    Failure {
        why: error.to_string(),
        outcome,
    }
}

fn told(outcome: &Outcome) -> Value {
    let incoming = match outcome.received {
        Received::Truncated { .. } => "truncated",
        _ended => "ended",
    };
    let (outgoing, taken) = match outcome.sent {
        Sent::Delivered(all) => ("all", all),
        Sent::Partial { taken, .. } => ("exactly", taken),
        Sent::Unconfirmed { taken, .. } => ("at_least", taken),
        _ => ("at_least", 0),
    };
    let (cause, code, reason) = match &outcome.cause {
        Cause::Finished { .. } | Cause::Expired => ("ended", Code::NONE, ""),
        Cause::PeerAborted { code, reason, .. } => ("peer_aborted", *code, reason.as_str()),
        Cause::LocalAbort { code, .. } => ("we_aborted", *code, ""),
        Cause::Violation(violation) => ("we_aborted", violation.code(), ""),
        Cause::BadRecord => ("we_aborted", Code::VIOLATION, ""),
        Cause::Timeout(TimeLimit::WriteStall) => ("transport", Code::NONE, ""),
        Cause::Timeout(_) => ("we_aborted", Code::TIMEOUT, ""),
        Cause::Dropped => ("we_aborted", Code::DROPPED, ""),
        Cause::Internal => ("we_aborted", Code::INTERNAL, ""),
        _transport => ("transport", Code::NONE, ""),
    };
    json!({
        "incoming": incoming, "outgoing": outgoing, "taken": taken,
        "cause": cause, "code": code.number(), "reason": reason,
    })
}

/// The code of a number: the protocol's own by name, the application's from 256 on.
fn code(number: u32) -> Result<Code, No> {
    const OWN: [Code; 10] = [
        Code::NONE,
        Code::REFUSED,
        Code::NO_COMMON_PROTOCOL,
        Code::VIOLATION,
        Code::TOO_LARGE,
        Code::TIMEOUT,
        Code::EXPIRED,
        Code::GOING_AWAY,
        Code::DROPPED,
        Code::INTERNAL,
    ];
    match number.checked_sub(256) {
        Some(own) => Ok(Code::application(own)),
        None => {
            let known = OWN.into_iter().find(|code| code.number() == number);
            known.ok_or_else(|| No::Unsupported(format!("code {number}")))
        }
    }
}

// ---- sessions

/// From the handshake to the end, in a task of its own.
async fn live<F>(
    app: App,
    meeting: F,
    mut requests: mpsc::UnboundedReceiver<Request>,
    state: watch::Sender<State>,
) where
    F: Future<Output = Result<Session, Failure>>,
{
    let mut early = Vec::new();
    let mut meeting = Box::pin(meeting);
    let met = loop {
        tokio::select! {
            met = &mut meeting => break met,
            Some((command, reply)) = requests.recv() => {
                let answer = match command {
                    Command::Send { message } => keep(&message, &mut early),
                    _other => Err(no("not established yet")),
                };
                let _gone = reply.send(answer);
            }
        }
    };
    let session = match met {
        Ok(session) => session,
        Err(failure) => return fail(failure, requests, &state).await,
    };
    let peer = session.peer();
    let mut met = json!({
        "established": true,
        "hash": hex::encode(peer.handshake_hash),
        "remote": hex::encode(peer.key.as_bytes()),
    });
    if let Some(protocol) = &peer.protocol {
        met["protocol"] = json!(protocol);
    }
    state.send_modify(|state| state.met = Some(met));
    match app {
        App::Echo => {
            let mut session = session;
            let outcome = told(&echo(&mut session).await);
            state.send_modify(|state| state.outcome = Some(outcome));
            // Whoever asks still finds the session, until it is reset.
            while requests.recv().await.is_some() {}
        }
        App::Manual => {
            let mut hand = Hand::new(session);
            for message in early {
                let _told_later = hand.send(&message).await;
            }
            hand.obey_all(requests).await;
        }
    }
}

fn keep(message: &str, early: &mut Vec<Vec<u8>>) -> Answer {
    early.push(hex::decode(message).map_err(no)?);
    Ok(json!({}))
}

async fn fail(
    failure: Failure,
    mut requests: mpsc::UnboundedReceiver<Request>,
    state: &watch::Sender<State>,
) {
    let met = json!({ "established": false, "failed": failure.why });
    let outcome = failure.outcome;
    state.send_modify(|state| {
        state.met = Some(met);
        state.outcome = Some(outcome.clone());
    });
    while let Some((command, reply)) = requests.recv().await {
        let answer = match command {
            Command::Recv { .. } => Ok(json!({ "failed": failure.why })),
            Command::Outcome { .. } => Ok(json!({ "outcome": outcome })),
            _other => Err(no(&failure.why)),
        };
        let _gone = reply.send(answer);
    }
}

/// Takes every message as it comes, sends it back, and ends when the peer has.
async fn echo(session: &mut Session) -> Outcome {
    loop {
        match session.recv().await {
            Ok(Some(message)) => {
                let sent = match session.feed(&message).await {
                    Ok(()) => session.flush().await,
                    error => error,
                };
                if let Err(SendError::Stopped { .. }) = sent {
                    let _over = session.finish().await;
                }
            }
            Ok(None) => {
                let _over = session.finish().await;
                return session.wait_outcome().await;
            }
            Err(_broken) => return session.wait_outcome().await,
        }
    }
}

/// A session that does what commands say, and nothing else.
struct Hand {
    sender: Sender,
    receiver: Option<Receiver>,
    /// Our own DRAIN is an event here too, and not the peer's.
    drained: u32,
    end_told: bool,
}

impl Hand {
    fn new(session: Session) -> Self {
        let (sender, receiver) = session.split();
        Self {
            sender,
            receiver: Some(receiver),
            drained: 0,
            end_told: false,
        }
    }

    async fn obey_all(mut self, mut requests: mpsc::UnboundedReceiver<Request>) {
        let mut over = false;
        loop {
            tokio::select! {
                _outcome = self.sender.wait_outcome(), if !over => over = true,
                request = requests.recv() => {
                    let Some((command, reply)) = request else { return };
                    let _gone = reply.send(self.obey(command).await);
                }
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Answer {
        match command {
            Command::Send { message } => {
                let message = hex::decode(&message).map_err(no)?;
                self.send(&message).await
            }
            Command::Recv { within_ms } => self.recv(Duration::from_millis(within_ms)).await,
            Command::Outcome { within_ms } => {
                let within = Duration::from_millis(within_ms);
                let _late = timeout(within, self.sender.wait_outcome()).await;
                Ok(match self.sender.outcome() {
                    Some(outcome) => json!({ "outcome": told(outcome) }),
                    None => json!({}),
                })
            }
            Command::Finish {
                code: number,
                reason,
            } => {
                let finish = self.sender.finish_with(code(number)?, &reason);
                done(timeout(WRITE, finish).await.unwrap_or(Ok(())))
            }
            Command::Stop => {
                self.receiver = None;
                self.leave().await
            }
            Command::Close => {
                self.receiver = None;
                let _goes_on = timeout(Duration::ZERO, self.sender.close()).await;
                Ok(json!({}))
            }
            Command::Abort {
                code: number,
                reason,
            } => {
                let abort = self.sender.abort(code(number)?, &reason);
                let _goes_on = timeout(Duration::ZERO, abort).await;
                Ok(json!({}))
            }
            Command::Drain { milliseconds } => {
                self.drained += 1;
                let drain = self.sender.drain(Duration::from_millis(milliseconds));
                done(timeout(WRITE, drain).await.unwrap_or(Ok(())))
            }
            Command::Rekey => {
                let rekeyed = timeout(WRITE, self.sender.rekey_now()).await;
                done(rekeyed.unwrap_or(Ok(())))
            }
            Command::Ping => done(timeout(WRITE, self.sender.ping()).await.unwrap_or(Ok(()))),
            Command::RequestReceipt => {
                // Asked for by whoever waits; we do not.
                let all = self.sender.wait_taken(u64::MAX);
                done(timeout(Duration::ZERO, all).await.unwrap_or(Ok(())))
            }
            _other => Err(no("not a command to a session")),
        }
    }

    async fn send(&mut self, message: &[u8]) -> Answer {
        match timeout(ROOM, self.sender.feed(message)).await {
            Ok(fed) => fed.map_err(no)?,
            Err(_full) => return Err(no("writes are blocked")),
        }
        self.leave().await
    }

    async fn leave(&mut self) -> Answer {
        done(timeout(WRITE, self.sender.flush()).await.unwrap_or(Ok(())))
    }

    async fn recv(&mut self, within: Duration) -> Answer {
        let Self {
            sender,
            receiver,
            drained,
            end_told,
        } = self;
        let Some(receiver) = receiver.as_mut().filter(|_| !*end_told) else {
            return Ok(match timeout(within, sender.wait_outcome()).await {
                Ok(outcome) => json!({ "failed": outcome.cause.to_string() }),
                Err(_late) => json!({ "nothing": true }),
            });
        };
        let event = loop {
            // The sender writes meanwhile.
            match sender.attend(timeout(within, receiver.recv_event())).await {
                Ok(Ok(Event::Draining { .. })) if *drained > 0 => *drained -= 1,
                other => break other,
            }
        };
        Ok(match event {
            Err(_late) => json!({ "nothing": true }),
            Ok(Ok(Event::Message(message))) => json!({ "message": hex::encode(message) }),
            Ok(Ok(Event::Draining { deadline, .. })) => {
                let left = deadline.saturating_duration_since(std::time::Instant::now());
                json!({ "drain": left.as_micros().div_ceil(1_000) })
            }
            Ok(Ok(_ended)) => {
                *end_told = true;
                let end = receiver.peer_end().unwrap_or_default();
                json!({ "end": { "code": end.code.number(), "reason": end.reason } })
            }
            Ok(Err(error)) => json!({ "failed": error.to_string() }),
        })
    }
}

// ---- echoes

fn echo_config(options: &Options) -> Result<Config, Box<dyn Error>> {
    let mut secret: [u8; 32] = hex::decode(&options.secret)?
        .try_into()
        .map_err(|_length| "a secret key has 32 bytes")?;
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
