//! A conversation, as each side lives through it.

use std::time::Instant;

use super::{
    super::{
        file::{Conversation, From, Hex, Proven},
        script::Witness,
        shaken::{Party, Stage, initiator, responder, take_body, with_length},
        talk,
    },
    Checked, same,
};
use crate::{
    noise::{Pattern, Suite},
    proto::{Cause, Channel, Config, HandshakeError, Offered, Processed, Progress},
    wire::{Code, Frame, Kind, Params, Violation, split_kind},
};

/// The reader of the last record refuses it, and nothing before it.
pub(super) fn refuses(made: &Conversation, class: &str, clause: &str) -> Checked {
    let last = made.records.last().ok_or("no records")?;
    let mut reader = Listener::new(made, last.from.other())?;
    let before = &made.records[..made.records.len() - 1];
    for record in before {
        if record.from != last.from {
            reader.say(&record.plaintext.as_ref().ok_or("no plaintext")?.0)?;
        } else if let Err(failure) = reader.hear(&record.record.0) {
            return Err(format!(
                "{} {:?} before the last record",
                failure.class, failure.clause
            ));
        }
    }
    let Err(failure) = reader.hear(&last.record.0) else {
        return Err("the last record was taken".to_owned());
    };
    same("class", &failure.class, &class)?;
    same("clause", &failure.clause.unwrap_or(clause), &clause)?;
    // spec: T-20, H-24
    let code = match class {
        "no_common_protocol" => Code::NO_COMMON_PROTOCOL,
        "too_large" => Code::TOO_LARGE,
        _violation => Code::VIOLATION,
    };
    same("codes of its ABORTs", &reader.aborts()?, &vec![code])
}

/// A side lives through the whole conversation, and reports what it should.
pub(super) fn takes(made: &Conversation, side: From) -> Checked {
    let mut listener = Listener::new(made, side)?;
    for record in &made.records {
        if record.from == side {
            listener.say(&record.plaintext.as_ref().ok_or("no plaintext")?.0)?;
        } else if let Err(failure) = listener.hear(&record.record.0) {
            return Err(format!("{side:?}: {} {:?}", failure.class, failure.clause));
        }
    }
    let confirms = talk::confirms(&made.records, side);
    let proven = listener.proven(confirms)?;
    match made.outcome.as_ref().ok_or("no outcome")?.of(side) {
        Some(wanted) => same("outcome", &proven, wanted),
        None => Ok(()),
    }
}

/// One side of a conversation, as this implementation lives through it.
struct Listener {
    side: From,
    stage: Option<Stage>,
    /// Pieces that this side has sent.
    pieces: Vec<u8>,
    now: Instant,
    /// Reads what this side sends itself.
    witness: Witness,
    /// All of it, length by length, from record 0 on.
    sent: Vec<u8>,
}

/// How a side comes to its end: by code and clause.
struct Failure {
    class: &'static str,
    clause: Option<&'static str>,
}

impl Failure {
    fn of_violation(violation: Violation) -> Self {
        let class = match violation.code() {
            Code::TOO_LARGE => "too_large",
            _ => "violation",
        };
        Self {
            class,
            clause: Some(violation.clause()),
        }
    }

    const fn of_record() -> Self {
        Self {
            class: "violation",
            clause: None,
        }
    }
}

impl Listener {
    fn new(made: &Conversation, side: From) -> Result<Self, String> {
        let suite = Suite::from_id(made.suite).ok_or("suite")?;
        let mut parties = Party::both(suite, Pattern::Xx);
        let own = &mut parties[side.index()];
        own.config = configured(made, side, own.config.clone());
        let now = Instant::now();
        let mut out = Vec::new();
        let left = initiator(&parties[0].config, None, &mut out);
        let right = responder(&parties[1].config);
        let mut answer = Vec::new();
        let right = right
            .feed(&out, &mut answer, now)
            .map_err(|error| error.to_string())?;
        out.clear();
        let left = left
            .feed(&answer, &mut out, now)
            .map_err(|error| error.to_string())?;
        let third = with_length(&take_body(&mut out));
        let stage = match side {
            From::Initiator => left,
            From::Responder => right
                .feed(&third, &mut answer, now)
                .map_err(|error| error.to_string())?,
        };
        let [ours, theirs] = parties[side.index()].fixed.record_keys();
        let keys = if side == From::Initiator {
            [ours, theirs]
        } else {
            [theirs, ours]
        };
        same("keys", &keys.map(Hex::of), &made.keys)?;
        Ok(Self {
            side,
            stage: Some(stage),
            pieces: Vec::new(),
            now,
            witness: Witness::new(suite, &made.keys[side.index()]),
            sent: match side {
                From::Initiator => out,
                From::Responder => Vec::new(),
            },
        })
    }

    /// A record of the peer's.
    fn hear(&mut self, record: &[u8]) -> Result<(), Failure> {
        if let Some(Stage::Shaking(_)) = &self.stage {
            let fed = self
                .stage
                .take()
                .map(|stage| stage.feed(record, &mut self.sent, self.now));
            self.stage = match fed {
                Some(Ok(next)) => Some(next),
                // The peer's last word, in good order.
                Some(Err(HandshakeError::Refused { .. })) => None,
                Some(Err(error)) => return Err(of_handshake(&error)),
                None => None,
            };
            return Ok(());
        }
        let Some(Stage::Established(channel)) = &mut self.stage else {
            return Ok(());
        };
        channel.receive.input().extend_from_slice(record);
        let facts = channel.send.facts();
        while channel.receive.process(&facts, self.now, 16) == Processed::Busy {}
        heed(channel, self.now);
        match channel.receive.failure() {
            None | Some(Cause::PeerAborted { .. }) => Ok(()),
            Some(Cause::Violation(violation)) => Err(Failure::of_violation(*violation)),
            Some(_bad_record) => Err(Failure::of_record()),
        }
    }

    /// What this side says itself: its application does what the record tells.
    fn say(&mut self, plaintext: &[u8]) -> Checked {
        let Some(Stage::Established(channel)) = &mut self.stage else {
            return Ok(()); // record 0
        };
        let (mut body, kind) = split_kind(plaintext).map_err(|wrong| wrong.to_string())?;
        match kind {
            Kind::Message => {
                self.pieces.extend_from_slice(body);
                send(channel, &std::mem::take(&mut self.pieces), self.now)?;
            }
            Kind::Piece => self.pieces.extend_from_slice(body),
            Kind::Batch => {
                while !body.is_empty() {
                    let frame = Frame::take(&mut body).map_err(|wrong| wrong.to_string())?;
                    if frame == Frame::Discard {
                        self.pieces.clear();
                    }
                    act(channel, frame, self.now)?;
                }
            }
        }
        heed(channel, self.now);
        channel
            .send
            .flush(self.now)
            .map_err(|error| error.to_string())?;
        self.sent.extend_from_slice(channel.send.pending());
        channel.send.written(usize::MAX);
        Ok(())
    }

    /// The codes of every ABORT that this side has said, with what it has still to say.
    fn aborts(mut self) -> Result<Vec<Code>, String> {
        if let Some(Stage::Established(channel)) = &mut self.stage {
            channel
                .send
                .flush(self.now)
                .map_err(|error| error.to_string())?;
            self.sent.extend_from_slice(channel.send.pending());
        }
        let mut codes = Vec::new();
        while !self.sent.is_empty() {
            let plaintext = self.witness.open(&with_length(&take_body(&mut self.sent)));
            if let Ok((mut body, Kind::Batch)) = split_kind(&plaintext) {
                let frames = std::iter::from_fn(|| Frame::take(&mut body).ok());
                codes.extend(frames.filter_map(|frame| match frame {
                    Frame::Abort { code, .. } => Some(code),
                    _other => None,
                }));
            }
        }
        Ok(codes)
    }

    fn proven(&self, confirms: bool) -> Result<Proven, String> {
        match &self.stage {
            Some(Stage::Established(channel)) => Ok(talk::proven(channel, confirms)),
            Some(Stage::Shaking(_)) => Err(format!("{:?} is not established", self.side)),
            None => Ok(Proven::new("unconfirmed 0 of 0", "truncated 0")),
        }
    }
}

/// What a side's record 0 says of its configuration; `takes` is the responder's own list.
fn configured(made: &Conversation, side: From, mut config: Config) -> Config {
    let own = made.records.iter().find(|record| record.from == side);
    let plaintext = own.and_then(|record| record.plaintext.as_ref());
    let params = plaintext.and_then(|plaintext| {
        let (mut body, _kind) = split_kind(&plaintext.0).ok()?;
        match Frame::take(&mut body).ok()? {
            Frame::Params(params) => Params::take(params).ok(),
            _other => None,
        }
    });
    let params = params.unwrap_or_default();
    let protocols = match side {
        From::Initiator => params.protocols,
        From::Responder => made.takes.clone(),
    };
    for name in protocols.into_iter().flatten() {
        config = config.protocol(name);
    }
    config.max_message(params.max_message)
}

fn send(channel: &mut Channel, message: &[u8], now: Instant) -> Checked {
    match channel.send.offer(message, &mut Progress::default(), now) {
        Ok(Offered::Whole) => Ok(()),
        // Said before STOP had been read.
        Err(_stopped) if channel.send.is_stopped() => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn act(channel: &mut Channel, frame: Frame<'_>, now: Instant) -> Checked {
    match frame {
        Frame::Message(message) => send(channel, message, now)?,
        Frame::End { code, reason, .. } => {
            channel
                .send
                .finish(code, reason, now)
                .map_err(|error| error.to_string())?;
        }
        Frame::Ping(_token) => channel.send.ping(now).map_err(|error| error.to_string())?,
        Frame::Receipt { taken } => take(channel, taken),
        Frame::Stop { taken } => {
            take(channel, taken);
            channel.receive.stop_taking();
        }
        Frame::FinalReceipt { taken } => {
            take(channel, taken);
            if taken < channel.receive.arrived_count() {
                channel.receive.stop_taking();
            }
        }
        Frame::Abort { code, reason } => {
            channel.send.abort(code, reason, Cause::LocalAbort { code });
        }
        Frame::Padding { .. }
        | Frame::Params(_)
        | Frame::Pong(_)
        | Frame::Rekey
        | Frame::ReceiptRequest
        | Frame::Drain { .. }
        | Frame::Discard => {}
    }
    Ok(())
}

fn take(channel: &mut Channel, taken: u64) {
    while channel.receive.taken_count() < taken && channel.receive.take().is_some() {}
}

fn heed(channel: &mut Channel, now: Instant) {
    if let Some(notices) = channel.receive.notices() {
        channel.send.heed(notices, now);
    }
}

fn of_handshake(error: &HandshakeError) -> Failure {
    match error {
        HandshakeError::Violation(violation) => Failure::of_violation(*violation),
        HandshakeError::NoCommonProtocol { .. } => Failure {
            class: "no_common_protocol",
            clause: None,
        },
        HandshakeError::BadRecord | HandshakeError::WrongSize => Failure::of_record(),
        _other => Failure {
            class: "ended",
            clause: None,
        },
    }
}
