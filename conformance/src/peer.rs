//! The built-in peer: a session after the specification, on the raw engine, and its faults.
//!
//! Plain rather than fast. It owns no transport: `drive` moves the bytes.

pub mod app;
pub mod bugs;
pub mod drive;
mod handshake;
mod receive;
mod settings;

use crate::control::{Cause, Config, Incoming, Outcome, Outgoing};
use crate::raw_peer::{RawFrame, RawHandshake, RawRecord, RawSession, Role};
pub use settings::Settings;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The codes of the specification (spec: T-21).
pub mod code {
    /// The peer's key is not accepted.
    pub const REFUSED: u64 = 1;
    /// The two sides agree on no application protocol.
    pub const NO_COMMON_PROTOCOL: u64 = 2;
    /// The peer broke a rule.
    pub const VIOLATION: u64 = 3;
    /// A message above the receiver's limit.
    pub const TOO_LARGE: u64 = 4;
    /// A time limit passed.
    pub const TIMEOUT: u64 = 5;
}

/// What the peer did wrong, and the code that answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(crate) code: u64,
    pub(crate) rule: String,
}

impl Fault {
    fn violation(rule: impl Into<String>) -> Self {
        Self {
            code: code::VIOLATION,
            rule: rule.into(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Handshake,
    AwaitParams,
    Open,
    Closing,
    Closed,
}

/// What the application finds in its inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message; popping it takes it.
    Message(Vec<u8>),
    /// The peer announces its end.
    Drain(u64),
    /// The peer's direction has ended.
    End(u64, String),
}

/// The peer's direction, as its receiver sees it.
#[derive(Debug, Default)]
struct Inward {
    /// Whole messages that came.
    came: u64,
    /// Those that the application took.
    taken: u64,
    pieces: Option<Vec<u8>>,
    /// Piece bytes that have not earned credit yet.
    piece_bytes: usize,
    ended: bool,
    drained: bool,
    /// We told the peer to stop, with this count.
    stopped: Option<u64>,
    final_sent: bool,
    /// How many must be taken before the oldest and the newest request are answered.
    requests: Option<(u64, u64)>,
    /// A PONG owed.
    pong: Option<[u8; 8]>,
    /// The application takes no more.
    closed: bool,
}

/// Our direction.
#[derive(Debug, Default)]
struct Outward {
    sent: u64,
    ended: bool,
    drained: bool,
    /// The highest count that the peer told.
    taken: u64,
    stopped: bool,
    confirmed: bool,
    ping: Option<[u8; 8]>,
    pings: u64,
    /// Messages sent before establishment.
    early: VecDeque<Vec<u8>>,
}

/// What both sides settled in PARAMS.
#[derive(Clone, Debug, Default)]
struct Agreed {
    protocol: Option<String>,
    max_message: u64,
    idle: Option<Duration>,
}

/// One session, from its first byte to its outcome.
#[derive(Debug)]
pub struct Peer {
    settings: Settings,
    role: Role,
    stage: Stage,
    input: Vec<u8>,
    output: Vec<u8>,
    handshake: Option<RawHandshake>,
    session: Option<RawSession>,
    old_key: Option<[u8; 32]>,
    agreed: Agreed,
    established: bool,
    inbox: VecDeque<Item>,
    inward: Inward,
    outward: Outward,
    credit: u32,
    credited: Instant,
    started: Instant,
    opened: Instant,
    close_until: Option<Instant>,
    finish_until: Option<Instant>,
    read_off: usize,
    write_blocked: bool,
    outcome: Option<Outcome>,
    failure: Option<String>,
}

/// What an untaken inbox may hold before reading pauses (spec: L-6).
const HELD: usize = 256 * 1024;
const READ_OFF: usize = 64 * 1024;
const READ_OFF_TIME: Duration = Duration::from_secs(2);
const CREDIT: u32 = 32;

impl Peer {
    /// A session that begins now.
    pub fn new(role: Role, settings: Settings, now: Instant) -> Self {
        let credit = if settings.has("small-budget") {
            CREDIT / 2
        } else {
            CREDIT
        };
        let mut this = Self {
            settings,
            role,
            stage: Stage::Handshake,
            input: Vec::new(),
            output: Vec::new(),
            handshake: None,
            session: None,
            old_key: None,
            agreed: Agreed::default(),
            established: false,
            inbox: VecDeque::new(),
            inward: Inward::default(),
            outward: Outward::default(),
            credit,
            credited: now,
            started: now,
            opened: now,
            close_until: None,
            finish_until: None,
            read_off: 0,
            write_blocked: false,
            outcome: None,
            failure: None,
        };
        this.begin();
        this
    }

    fn has(&self, bug: &str) -> bool {
        self.settings.has(bug)
    }

    /// Takes what came from the transport.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        if self.stage == Stage::Closing {
            self.read_off += bytes.len();
            return;
        }
        if self.has("idle-rearmed") {
            self.opened = now;
        }
        if self.has("deadline-rearmed") {
            self.started = now;
        }
        self.input.extend_from_slice(bytes);
        self.work(now);
    }

    /// Goes through the input as far as the inbox has room.
    fn work(&mut self, now: Instant) {
        loop {
            let progressed = match self.stage {
                Stage::Handshake => self.step_handshake(now),
                Stage::AwaitParams | Stage::Open if self.has_room() => self.step_record(now),
                Stage::AwaitParams | Stage::Open | Stage::Closing | Stage::Closed => false,
            };
            self.answer(now);
            if !progressed {
                return;
            }
        }
    }

    fn has_room(&self) -> bool {
        let held = |item: &Item| match item {
            Item::Message(message) => message.len() + 64,
            Item::Drain(_) | Item::End(..) => 64,
        };
        self.has("unbounded-input") || self.inbox.iter().map(held).sum::<usize>() < HELD
    }

    /// The transport ended or failed.
    pub fn transport_ended(&mut self) {
        let cause = match self.stage {
            Stage::Handshake | Stage::AwaitParams => Cause::Handshake,
            _ => Cause::Transport,
        };
        if self.has("eof-is-end") && self.stage == Stage::Open {
            self.inward.ended = true;
            self.inbox.push_back(Item::End(0, String::new()));
            self.conclude(Cause::Ended, 0, String::new());
        }
        self.conclude(cause, 0, String::new());
        self.failure
            .get_or_insert_with(|| "the transport ended".into());
        self.stage = Stage::Closed;
    }

    /// The transport takes no bytes, or takes them again.
    pub fn write_blocked(&mut self, since: Option<Instant>, now: Instant) {
        self.write_blocked = since.is_some();
        let stalled = since.is_some_and(|since| now >= since + self.settings.stall);
        if stalled && self.stage != Stage::Closed {
            self.abort(code::TIMEOUT, "", now);
            self.stage = Stage::Closed;
        }
    }

    /// Whether bytes should be read now.
    pub fn wants_input(&self) -> bool {
        match self.stage {
            Stage::Handshake | Stage::AwaitParams => true,
            Stage::Open => {
                self.has_room() && !(self.has("reading-waits-for-writing") && self.write_blocked)
            }
            Stage::Closing => self.read_off < READ_OFF,
            Stage::Closed => false,
        }
    }

    /// Whether the last word is said: the writing side is to be shut once it is written.
    pub fn has_said_all(&self) -> bool {
        self.stage == Stage::Closing && !self.has("never-closes")
    }

    /// Whether the transport is to be dropped.
    pub fn is_closed(&self) -> bool {
        self.stage == Stage::Closed
    }

    /// Whether unread input is left behind on purpose.
    pub fn closes_at_once(&self) -> bool {
        self.stage == Stage::Closing && self.has("closes-at-once")
    }

    /// What is to be written.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Instant) {
        match self.stage {
            Stage::Handshake | Stage::AwaitParams => {
                let late = now >= self.started + self.settings.handshake;
                if late && !self.has("no-handshake-deadline") {
                    self.give_up("the handshake's deadline passed", now);
                }
            }
            Stage::Open => {
                self.earn_by_time(now);
                self.tick_open(now);
                self.work(now);
            }
            Stage::Closing => {
                let spent = self.read_off >= READ_OFF;
                let late = self.close_until.is_some_and(|until| now >= until);
                if (late || spent) && !self.has("never-closes") {
                    self.stage = Stage::Closed;
                }
            }
            Stage::Closed => {}
        }
    }

    fn tick_open(&mut self, now: Instant) {
        if !self.wants_input() {
            self.opened = now; // the clock of L-3 stands still while nothing is read
        }
        if let Some(idle) = self.agreed.idle {
            if now >= self.opened + idle && !self.has("no-idle") {
                return self.abort(code::TIMEOUT, "", now);
            }
            if now >= self.opened + idle / 3 && !self.has("no-ping") {
                self.ping();
            }
        }
        if self.finish_until.is_some_and(|until| now >= until) && !self.has("no-end-deadline") {
            return self.abort(code::TIMEOUT, "", now);
        }
        if self.settings.echo {
            self.echo(now);
        }
        if self.has("final-early") && self.outward.ended && !self.inward.final_sent {
            self.inward.final_sent = true;
            self.say(&[RawFrame::FinalReceipt(self.inward.taken)]);
        }
    }

    fn earn_by_time(&mut self, now: Instant) {
        let second = Duration::from_secs(1);
        let period = self.agreed.idle.map_or(second, |idle| second.min(idle / 4));
        while now >= self.credited + period {
            self.credited += period;
            self.earn(1);
        }
    }

    fn earn(&mut self, amount: u32) {
        self.credit = CREDIT.min(self.credit + amount);
    }

    fn pay(&mut self) -> Result<(), Fault> {
        if self.has("no-budget") {
            return Ok(());
        }
        self.credit = match self.credit.checked_sub(1) {
            Some(rest) => rest,
            None => return Err(Fault::violation("no progress")),
        };
        Ok(())
    }

    /// Seals frames as one batch.
    fn say(&mut self, frames: &[RawFrame]) {
        self.put(&RawRecord::Batch(frames.to_vec()));
    }

    fn put(&mut self, record: &RawRecord) {
        if let Some(session) = &mut self.session {
            if self.settings.has("little-endian-gcm") {
                let aead = session.send.aead;
                let counter = session.send.counter;
                if aead == crate::raw_peer::symmetric::Aead::AesGcm {
                    session.send.counter = counter.swap_bytes();
                    self.output.extend(session.seal(record));
                    session.send.counter = counter + 1;
                    return;
                }
            }
            self.output.extend(session.seal(record));
        }
    }

    /// Ends the session with ABORT (spec: E-9, T-20).
    fn abort(&mut self, code: u64, reason: &str, now: Instant) {
        if matches!(self.stage, Stage::Closing | Stage::Closed) {
            return;
        }
        self.say(&[RawFrame::Abort(code, reason.as_bytes().to_vec())]);
        if self.has("word-after-abort") {
            self.say(&[RawFrame::Abort(code, reason.as_bytes().to_vec())]);
        }
        self.conclude(Cause::WeAborted, code, String::new());
        self.close(now);
    }

    /// Ends what is not a session yet, without a word (spec: H-9).
    fn give_up(&mut self, why: &str, now: Instant) {
        self.failure.get_or_insert_with(|| why.into());
        self.conclude(Cause::Handshake, 0, String::new());
        self.close(now);
    }

    fn fail(&mut self, fault: &Fault, now: Instant) {
        self.failure.get_or_insert_with(|| fault.rule.clone());
        if self.has("forgets-earlier") {
            self.inbox.clear();
        }
        if !self.established && self.has("silent-record-zero") {
            return self.give_up("a fault", now);
        }
        self.abort(fault.code, "", now);
    }

    fn close(&mut self, now: Instant) {
        self.stage = Stage::Closing;
        self.close_until = Some(now + READ_OFF_TIME);
        self.read_off = 0;
        self.input.clear();
    }

    /// Writes the outcome, once (spec: E-12).
    fn conclude(&mut self, cause: Cause, code: u64, reason: String) {
        let all = self.outward.confirmed && self.outward.taken == self.outward.sent;
        let claims = self.has("claims-all");
        let outcome = Outcome {
            incoming: match self.inward.ended {
                true => Incoming::Ended,
                false => Incoming::Truncated,
            },
            outgoing: if all && self.outward.ended || claims {
                Outgoing::All
            } else if self.outward.confirmed || self.outward.stopped {
                Outgoing::Exactly
            } else {
                Outgoing::AtLeast
            },
            taken: self.outward.taken,
            cause,
            code,
            reason,
        };
        self.outcome.get_or_insert(outcome);
    }

    /// The session's settings as the control protocol gave them.
    pub fn config(&self) -> &Config {
        &self.settings.config
    }
}
