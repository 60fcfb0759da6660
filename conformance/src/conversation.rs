//! One case's hold on the target: the wire, the control channel, the clock and the transcript.

mod expect;
mod setup;
mod watch;

use crate::case::{Fail, Line, Run, Verdict};
use crate::control::{Command, Fields};
use crate::link::{Got, Link};
use crate::raw_peer::wire::{take_body, with_length};
use crate::raw_peer::{Opened, Options, RawFrame, RawHandshake, RawParams, RawRecord};
use crate::raw_peer::{RawSession, Role};
use crate::shim::ShimError;
use crate::target::{Fixed, Target};
pub use expect::wrong;
pub use setup::{KIT_SECRET, PSK, Setup, TARGET_SECRET};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use watch::Watch;

/// What the target says, as a case looks at it. Messages are whole, however they travelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A whole message.
    Message(Vec<u8>),
    /// Any other frame but PADDING.
    Frame(RawFrame),
    /// A plaintext that breaks the format.
    Malformed(String),
    /// A record that does not open.
    Broken,
    /// The end of the stream.
    End,
    /// The transport was reset.
    Reset,
    /// Nothing within the time.
    Silence,
}

/// One case's hold on the target.
#[derive(Debug)]
pub struct Conversation<'a> {
    target: &'a mut Target,
    /// What is known of a target that no shim configures.
    pub fixed: &'a Fixed,
    /// How long a reaction may take.
    pub patience: Duration,
    started: Instant,
    deadline: Instant,
    link: Option<Link>,
    input: Vec<u8>,
    over: Option<Heard>,
    setup: Setup,
    /// The role that the target plays.
    pub role: Role,
    /// The handshake, until it is finished.
    pub handshake: Option<RawHandshake>,
    /// The session, from then on.
    pub session: Option<RawSession>,
    /// The target's parameters.
    pub params: RawParams,
    heard: VecDeque<Heard>,
    pieces: Option<Vec<u8>>,
    watch: Watch,
    /// How many messages have come.
    pub came: u64,
    /// The size of the largest plaintext that has come.
    pub largest: usize,
    /// What was said.
    pub transcript: Vec<Line>,
    /// The verdict on the close, once it is judged.
    pub close: Verdict,
    /// The target itself is gone, not just its session.
    pub lost: bool,
}

/// A case's clock: how patient it is, and when it is over.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// How long a reaction may take.
    pub patience: Duration,
    /// How long the whole case may take.
    pub deadline: Duration,
}

impl<'a> Conversation<'a> {
    /// The beginning of a case.
    pub fn new(target: &'a mut Target, fixed: &'a Fixed, clock: Clock) -> Self {
        let now = Instant::now();
        Self {
            target,
            fixed,
            patience: clock.patience,
            started: now,
            deadline: now + clock.deadline,
            link: None,
            input: Vec::new(),
            over: None,
            setup: Setup::any(),
            role: Role::Responder,
            handshake: None,
            session: None,
            params: RawParams::default(),
            heard: VecDeque::new(),
            pieces: None,
            watch: Watch::default(),
            came: 0,
            largest: 0,
            transcript: Vec::new(),
            close: Verdict::None,
            lost: false,
        }
    }

    /// Writes a line of the transcript.
    pub fn note(&mut self, side: &'static str, text: impl Into<String>) {
        let at = self.started.elapsed().as_millis();
        let mut text = text.into();
        if let Some((cut, _)) = text.char_indices().nth(160) {
            text.truncate(cut);
            text.push('…');
        }
        if self.transcript.len() < 400 {
            self.transcript.push(Line { at, side, text });
        }
    }

    fn until(&self, within: Duration) -> Instant {
        self.deadline.min(Instant::now() + within)
    }

    /// A command that must succeed.
    pub fn ask(&mut self, command: &Command) -> Run<Fields> {
        match self.try_ask(command) {
            Ok(fields) => Ok(fields),
            Err(ShimError::Unsupported(what)) if !self.has_shim() => Err(Fail::Skip(what)),
            Err(ShimError::Unsupported(what)) => {
                Err(Fail::Skip(format!("the shim cannot: {what}")))
            }
            Err(ShimError::Refused(why)) => {
                let command = name(command);
                Err(Fail::Behaviour(format!("{command}: the shim says: {why}")))
            }
            Err(ShimError::Malformed(why) | ShimError::Gone(why)) => Err(Fail::Behaviour(why)),
        }
    }

    /// A command that may fail.
    pub fn try_ask(&mut self, command: &Command) -> Result<Fields, ShimError> {
        if !self.target.is_shim() {
            return Err(ShimError::Unsupported("needs a shim".into()));
        }
        self.note("--", format!("kit: {}", brief(command)));
        let answer = self.target.ask(command);
        match &answer {
            Ok(fields) => {
                let text = serde_json::to_string(fields).unwrap_or_default();
                self.note("--", format!("shim: {text}"));
            }
            Err(error) => {
                self.note("--", format!("shim: {error:?}"));
                self.lost |= matches!(error, ShimError::Malformed(_) | ShimError::Gone(_));
            }
        }
        answer
    }

    /// Whether a shim takes commands.
    pub fn has_shim(&self) -> bool {
        self.target.is_shim()
    }

    /// Sends bytes as they are. That the target has closed already shows elsewhere.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.note("->", format!("{} bytes {}", bytes.len(), hex_start(bytes)));
        self.write(bytes);
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let until = self.until(self.patience);
        let Some(link) = &mut self.link else {
            return 0;
        };
        match link.write(bytes, until) {
            Ok(count) if count == bytes.len() => count,
            Ok(count) => {
                self.note("--", format!("only {count} bytes could be written"));
                count
            }
            Err(error) => {
                self.note("--", format!("writing failed: {error}"));
                0
            }
        }
    }

    /// Sends records until the target takes no more; says how many bytes went.
    pub fn flood(&mut self, record: &RawRecord, most: usize) -> Run<usize> {
        let mut sent = 0;
        self.note("->", format!("a flood of up to {most} bytes"));
        while sent < most {
            let bytes = self.live()?.seal(record);
            self.watch.said(record);
            let until = self.until(Duration::from_millis(600));
            let Some(link) = &mut self.link else {
                break;
            };
            let count = link.write(&bytes, until).unwrap_or(0);
            sent += count;
            if count < bytes.len() {
                break;
            }
        }
        self.note("--", format!("{sent} bytes went"));
        Ok(sent)
    }

    /// Whether the transport still takes these bytes.
    pub fn write_goes(&mut self, bytes: &[u8]) -> bool {
        self.note("->", format!("{} bytes {}", bytes.len(), hex_start(bytes)));
        self.write(bytes) == bytes.len()
    }

    /// Sends a body with its length.
    pub fn body(&mut self, body: &[u8]) {
        self.bytes(&with_length(body));
    }

    fn live(&mut self) -> Run<&mut RawSession> {
        let missing = || Fail::Kit("the case has no session".into());
        self.session.as_mut().ok_or_else(missing)
    }

    /// Seals and sends any plaintext.
    pub fn plaintext(&mut self, plaintext: &[u8]) -> Run {
        let record = self.live()?.seal_plaintext(plaintext);
        let text = format!("record of {} {}", plaintext.len(), hex_start(plaintext));
        self.note("->", text);
        self.write(&record);
        Ok(())
    }

    /// Sends a record.
    pub fn put(&mut self, record: &RawRecord) -> Run {
        let sealed = self.live()?.seal(record);
        self.watch.said(record);
        self.note("->", show(record));
        self.write(&sealed);
        Ok(())
    }

    /// Sends frames as one batch.
    pub fn say(&mut self, frames: &[RawFrame]) -> Run {
        self.put(&RawRecord::Batch(frames.to_vec()))
    }

    /// Sends each frame in a record of its own, all in one write.
    pub fn say_apart(&mut self, frames: &[RawFrame]) -> Run {
        let mut bytes = Vec::new();
        for frame in frames {
            bytes.extend(self.live()?.seal_frames(std::slice::from_ref(frame)));
            self.watch.said_frame(frame);
        }
        let first = frames.first().map(|frame| format!("{frame:?}"));
        let text = format!(
            "{} records, from {}",
            frames.len(),
            first.unwrap_or_default()
        );
        self.note("->", text);
        self.write(&bytes);
        Ok(())
    }

    /// Sends REKEY and follows it.
    pub fn rekey(&mut self) -> Run {
        self.say(&[RawFrame::Rekey])?;
        self.live()?.rekey_send();
        Ok(())
    }

    /// Messages that the case seals by itself, and that may arrive.
    pub fn seals_messages(&mut self, count: u64) {
        self.watch.sent += count;
    }

    /// What the target may never say, whatever the case is about (spec: section 8).
    pub fn foul(&self) -> Option<String> {
        self.watch.foul().map(str::to_owned)
    }

    /// Ends our direction of the transport.
    pub fn hang_up(&mut self) {
        self.note("->", "end of the stream");
        if let Some(link) = &self.link {
            link.shutdown_write();
        }
    }

    /// Drops the transport.
    pub fn drop_link(&mut self) {
        self.note("->", "transport dropped");
        self.link = None;
    }

    /// The options of an honest kit for this setup.
    pub fn options(&self) -> Options {
        self.setup.options(self.fixed, self.target.is_shim())
    }

    /// Waits; a keepalive that comes meanwhile stays unread.
    pub fn pause(&self, time: Duration) {
        std::thread::sleep(time.min(self.deadline.saturating_duration_since(Instant::now())));
    }

    /// Reads the transport once; `false` when nothing came in time.
    fn fill(&mut self, until: Instant) -> bool {
        let Some(link) = &mut self.link else {
            self.over.get_or_insert(Heard::End);
            return true;
        };
        let mut buffer = vec![0; 64 * 1024];
        match link.read(&mut buffer, until) {
            Got::Bytes(count) => self.input.extend_from_slice(&buffer[..count]),
            Got::Nothing => return false,
            Got::End => self.over = Some(Heard::End),
            Got::Reset => self.over = Some(Heard::Reset),
        }
        true
    }

    /// The next body as it is.
    pub fn next_body(&mut self, within: Duration) -> Result<Vec<u8>, Heard> {
        let until = self.until(within);
        loop {
            if let Some(body) = take_body(&mut self.input) {
                return Ok(body);
            }
            if let Some(over) = &self.over {
                return Err(over.clone());
            }
            if !self.fill(until) {
                return Err(Heard::Silence);
            }
        }
    }

    /// The next thing the target says.
    pub fn hear(&mut self, within: Duration) -> Heard {
        let until = self.until(within);
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return heard;
            }
            let opened = match &mut self.session {
                Some(session) => session.open(&mut self.input),
                None => None,
            };
            match opened {
                Some(Opened::Plaintext(plaintext)) => self.sort(&plaintext),
                Some(Opened::Broken(body)) => {
                    self.note("<-", format!("{} bytes that do not open", body.len()));
                    self.heard.push_back(Heard::Broken);
                }
                None => {
                    if let Some(over) = self.over.clone() {
                        self.note("<-", format!("{over:?}"));
                        return over;
                    }
                    if !self.fill(until) {
                        return Heard::Silence;
                    }
                }
            }
        }
    }

    fn sort(&mut self, plaintext: &[u8]) {
        self.largest = self.largest.max(plaintext.len());
        let record = RawRecord::parse(plaintext);
        self.watch.record(&record, Instant::now());
        match &record {
            Ok(record) => self.note("<-", show(record)),
            Err(rule) => self.note("<-", format!("malformed: {rule}")),
        }
        match record {
            Ok(RawRecord::Batch(frames)) => {
                let rekey = frames.contains(&RawFrame::Rekey);
                for frame in frames {
                    match frame {
                        RawFrame::Padding(_) => {}
                        RawFrame::Message(message) => self.message(message),
                        frame => self.heard.push_back(Heard::Frame(frame)),
                    }
                }
                if rekey && let Some(session) = &mut self.session {
                    session.rekey_receive();
                }
            }
            Ok(RawRecord::Message(last)) => {
                let message = [self.pieces.take().unwrap_or_default(), last].concat();
                self.message(message);
            }
            Ok(RawRecord::Piece(piece)) => {
                self.pieces.get_or_insert_default().extend(piece);
            }
            Err(rule) => self.heard.push_back(Heard::Malformed(rule)),
        }
    }

    fn message(&mut self, message: Vec<u8>) {
        self.came += 1;
        self.heard.push_back(Heard::Message(message));
    }

    /// Puts something heard back, to be heard again.
    pub fn push_back(&mut self, heard: Heard) {
        self.heard.push_front(heard);
    }

    /// Whether the target's connection is gone in both directions, seen by writing to it.
    pub fn is_gone_within(&mut self, within: Duration) -> bool {
        let until = self.until(within);
        while Instant::now() < until {
            let Some(link) = &mut self.link else {
                return true;
            };
            if link.write_now(&[0]).is_err() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Forgets the session in the shim, for the next case.
    pub fn finish(&mut self) {
        self.link = None;
        if self.target.is_shim() && !self.lost {
            self.lost = self.target.ask(&Command::Reset).is_err();
        }
    }
}

fn name(command: &Command) -> String {
    let value = serde_json::to_value(command).unwrap_or_default();
    value["do"].as_str().unwrap_or("?").to_owned()
}

fn brief(command: &Command) -> String {
    serde_json::to_string(command).unwrap_or_default()
}

fn hex_start(bytes: &[u8]) -> String {
    let start = hex::encode(&bytes[..bytes.len().min(24)]);
    let more = if bytes.len() > 24 { "…" } else { "" };
    format!("{start}{more}")
}

/// A record in a few words.
pub fn show(record: &RawRecord) -> String {
    match record {
        RawRecord::Batch(frames) => {
            let frames: Vec<String> = frames.iter().map(show_frame).collect();
            format!("BATCH {}", frames.join(", "))
        }
        RawRecord::Message(bytes) => format!("MESSAGE of {} bytes", bytes.len()),
        RawRecord::Piece(bytes) => format!("PIECE of {} bytes", bytes.len()),
    }
}

fn show_frame(frame: &RawFrame) -> String {
    match frame {
        RawFrame::Message(bytes) => format!("Message of {} {}", bytes.len(), hex_start(bytes)),
        RawFrame::Params(bytes) => format!("Params {}", hex_start(bytes)),
        RawFrame::Raw(bytes) => format!("raw {}", hex_start(bytes)),
        RawFrame::End(sent, code, reason) => {
            let reason = String::from_utf8_lossy(reason);
            format!("End(sent {sent}, code {code}, {reason:?})")
        }
        RawFrame::Abort(code, reason) => {
            format!("Abort(code {code}, {:?})", String::from_utf8_lossy(reason))
        }
        other => format!("{other:?}"),
    }
}
