//! What each side may say at which moment, for whole conversations (spec: T-7 to T-19, E-1 to E-9, L-1, section 8).
//!
//! The records of both sides are heard in the order in which they are made; each has arrived before
//! the next is made. Time does not pass.

use super::handshake::Role;
use super::params::RawParams;
use super::wire::{RawFrame, RawRecord};

/// How a record breaks the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A rule of the page.
    Violation(String),
    /// A message above the receiver's limit.
    TooLarge,
    /// The two sides agree on no application protocol.
    NoCommonProtocol,
}

impl Wrong {
    /// The name of the code that answers it.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Violation(_) => "violation",
            Self::TooLarge => "too_large",
            Self::NoCommonProtocol => "no_common_protocol",
        }
    }
}

impl From<String> for Wrong {
    fn from(rule: String) -> Self {
        Self::Violation(rule)
    }
}

type Judged = Result<(), Wrong>;

fn wrong(rule: &str) -> Judged {
    Err(Wrong::Violation(rule.into()))
}

/// What one side has said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its parameters.
    pub params: Option<RawParams>,
    /// Whole messages.
    pub sent: u64,
    /// Bytes of the message in pieces.
    pub pieces: Option<u64>,
    /// What its END counts.
    pub end: Option<u64>,
    /// The newest count of messages taken.
    pub told: u64,
    /// The count of its STOP.
    pub stop: Option<u64>,
    /// The count of its FINAL_RECEIPT.
    pub confirmed: Option<u64>,
    /// It has aborted.
    pub aborted: bool,
    ping: Option<[u8; 8]>,
    drained: bool,
    credit: u64,
    /// Bytes of pieces that have not earned yet.
    unearned: u64,
}

impl Said {
    const fn new() -> Self {
        Self {
            params: None,
            sent: 0,
            pieces: None,
            end: None,
            told: 0,
            stop: None,
            confirmed: None,
            aborted: false,
            ping: None,
            drained: false,
            credit: 32,
            unearned: 0,
        }
    }

    fn earn(&mut self, amount: u64) {
        self.credit = (self.credit + amount).min(32);
    }

    fn pay(&mut self) -> Judged {
        match self.credit {
            0 => wrong("beyond the progress budget"),
            _ => {
                self.credit -= 1;
                Ok(())
            }
        }
    }

    fn max_message(&self) -> u64 {
        let params = self.params.as_ref();
        params
            .and_then(|params| params.max_message)
            .unwrap_or(16 << 20)
    }
}

/// Both sides of a conversation.
#[derive(Clone, Debug)]
pub struct Rules {
    initiator: Said,
    responder: Said,
    /// The names that the responder's application takes.
    takes: Option<Vec<String>>,
}

impl Rules {
    /// A conversation that begins with record 0 of each side.
    pub const fn new(takes: Option<Vec<String>>) -> Self {
        Self {
            initiator: Said::new(),
            responder: Said::new(),
            takes,
        }
    }

    /// What a side has said.
    pub const fn said(&self, side: Role) -> &Said {
        match side {
            Role::Initiator => &self.initiator,
            Role::Responder => &self.responder,
        }
    }

    /// Whether the next record of a side is its record 0.
    pub const fn is_first(&self, from: Role) -> bool {
        self.said(from).params.is_none() && !self.said(from).aborted
    }

    /// Judges the next record of a side.
    pub fn hear(&mut self, from: Role, record: &RawRecord) -> Judged {
        if self.is_first(from) {
            return self.first(from, record);
        }
        let (own, peer) = match from {
            Role::Initiator => (&mut self.initiator, &mut self.responder),
            Role::Responder => (&mut self.responder, &mut self.initiator),
        };
        let mut talk = Talk { own, peer };
        match record {
            RawRecord::Batch(frames) => talk.batch(frames),
            RawRecord::Message(bytes) => talk.message(bytes.len() as u64),
            RawRecord::Piece(bytes) => talk.piece(bytes.len() as u64),
        }
    }

    fn first(&mut self, from: Role, record: &RawRecord) -> Judged {
        let RawRecord::Batch(frames) = record else {
            return wrong("record 0 is no batch");
        };
        let ([frame] | [frame, RawFrame::Padding(_)]) = frames.as_slice() else {
            return wrong("record 0 holds more than one frame");
        };
        let params = match frame {
            RawFrame::Params(params) => RawParams::parse(params)?,
            RawFrame::Abort(..) => {
                self.said_mut(from).aborted = true;
                return Ok(());
            }
            _ => return wrong("record 0 without PARAMS"),
        };
        match from {
            Role::Initiator => self.agree(params.protocols.as_deref())?,
            Role::Responder => self.answered(params.protocols.as_deref())?,
        }
        self.said_mut(from).params = Some(params);
        Ok(())
    }

    fn said_mut(&mut self, side: Role) -> &mut Said {
        match side {
            Role::Initiator => &mut self.initiator,
            Role::Responder => &mut self.responder,
        }
    }

    /// The responder looks for a name that it takes.
    fn agree(&self, offered: Option<&[String]>) -> Judged {
        match (offered, &self.takes) {
            (None, None) => Ok(()),
            (Some(offered), Some(takes)) if offered.iter().any(|name| takes.contains(name)) => {
                Ok(())
            }
            _ => Err(Wrong::NoCommonProtocol),
        }
    }

    /// The initiator looks at the responder's answer.
    fn answered(&self, answer: Option<&[String]>) -> Judged {
        let offered = self.initiator.params.as_ref();
        let offered = offered.and_then(|params| params.protocols.as_ref());
        match (offered, answer) {
            (None, None) => Ok(()),
            (Some(offered), Some([picked])) if offered.contains(picked) => Ok(()),
            _ => wrong("an answer to another list of protocols"),
        }
    }

    /// What is proven of a side's messages when nothing follows.
    pub fn sent(&self, side: Role) -> String {
        let (own, peer) = (self.said(side), self.said(side.other()));
        match (peer.confirmed, peer.stop) {
            (Some(taken), _) if taken == own.sent => format!("delivered {taken}"),
            (Some(taken), _) | (None, Some(taken)) => format!("partial {taken} of {}", own.sent),
            (None, None) => format!("unconfirmed {} of {}", peer.told, own.sent),
        }
    }

    /// What a side has of its peer's messages when nothing follows.
    pub fn received(&self, side: Role) -> String {
        let (own, peer) = (self.said(side), self.said(side.other()));
        match (peer.end, own.confirmed) {
            (None, _) => format!("truncated {}", peer.sent),
            (Some(sent), None) => format!("ended {sent}"),
            (Some(sent), Some(taken)) if taken == sent => format!("complete {sent}"),
            (Some(sent), Some(taken)) => format!("stopped {taken} of {sent}"),
        }
    }
}

/// The side that speaks, and the one that listens.
struct Talk<'a> {
    own: &'a mut Said,
    peer: &'a mut Said,
}

impl Talk<'_> {
    fn open(&self) -> Judged {
        match self.own.end {
            Some(_) => wrong("not behind END"),
            None => Ok(()),
        }
    }

    fn fits(&self, size: u64) -> Judged {
        match size > self.peer.max_message() {
            true => Err(Wrong::TooLarge),
            false => Ok(()),
        }
    }

    fn message(&mut self, length: u64) -> Judged {
        self.open()?;
        let before = self.own.pieces.take();
        self.fits(before.unwrap_or(0) + length)?;
        self.own.sent += 1;
        self.own.earn(1);
        if before.is_some() {
            self.earn_by_pieces(length);
        }
        Ok(())
    }

    fn earn_by_pieces(&mut self, length: u64) {
        self.own.unearned += length;
        self.own.earn(self.own.unearned / 1024);
        self.own.unearned %= 1024;
    }

    fn piece(&mut self, length: u64) -> Judged {
        self.open()?;
        if length < 1024 {
            self.own.pay()?;
        }
        self.earn_by_pieces(length);
        let size = self.own.pieces.unwrap_or(0) + length;
        self.own.pieces = Some(size);
        self.fits(size)
    }

    fn batch(&mut self, frames: &[RawFrame]) -> Judged {
        if matches!(frames, [RawFrame::Padding(_)]) {
            return self.own.pay();
        }
        for (index, frame) in frames.iter().enumerate() {
            self.frame(frame)?;
            let behind = &frames[index + 1..];
            match frame {
                RawFrame::Abort(..) => return Ok(()),
                RawFrame::Rekey if !matches!(behind, [] | [RawFrame::Padding(_)]) => {
                    return wrong("only PADDING behind REKEY");
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn frame(&mut self, frame: &RawFrame) -> Judged {
        match frame {
            RawFrame::Padding(_) => Ok(()),
            RawFrame::Params(_) => wrong("PARAMS only in record 0"),
            RawFrame::Message(bytes) => {
                if self.own.pieces.is_some() {
                    return wrong("MESSAGE between pieces");
                }
                self.message(bytes.len() as u64)
            }
            RawFrame::End(sent, ..) => self.end(*sent),
            RawFrame::Receipt(taken) => self.receipt(*taken),
            RawFrame::FinalReceipt(taken) => self.final_receipt(*taken),
            RawFrame::Stop(taken) => self.stop(*taken),
            RawFrame::Abort(..) => {
                self.own.aborted = true;
                Ok(())
            }
            RawFrame::Ping(bytes) => {
                self.own.pay()?;
                match self.own.ping.replace(*bytes) {
                    Some(_) => wrong("PING before the PONG of the one before"),
                    None => Ok(()),
                }
            }
            RawFrame::Pong(bytes) => match self.peer.ping.take() == Some(*bytes) {
                true => Ok(()),
                false => wrong("PONG to no PING"),
            },
            RawFrame::Rekey => self.own.pay(),
            RawFrame::ReceiptRequest => {
                self.open()?;
                self.own.pay()
            }
            RawFrame::Drain(_) => {
                self.open()?;
                if std::mem::replace(&mut self.own.drained, true) {
                    return wrong("DRAIN twice");
                }
                self.own.pay()
            }
            RawFrame::Discard => match self.own.pieces.take() {
                Some(_) => Ok(()),
                None => wrong("DISCARD outside a message in pieces"),
            },
            RawFrame::Raw(_) => wrong("no frame"),
        }
    }

    fn end(&mut self, sent: u64) -> Judged {
        self.open()?;
        if self.own.pieces.is_some() {
            return wrong("END inside a message in pieces");
        }
        if sent != self.own.sent {
            return wrong("END counts other messages");
        }
        self.own.end = Some(sent);
        Ok(())
    }

    fn count(&self, taken: u64) -> Judged {
        if self.own.confirmed.is_some() {
            return wrong("a receipt behind FINAL_RECEIPT");
        }
        if taken < self.own.told {
            return wrong("a receipt that falls");
        }
        if taken > self.peer.sent {
            return wrong("a receipt above what was sent");
        }
        match self.own.stop {
            Some(stop) if stop != taken => wrong("a receipt that differs from STOP"),
            _ => Ok(()),
        }
    }

    fn receipt(&mut self, taken: u64) -> Judged {
        self.count(taken)?;
        if taken == self.own.told {
            self.own.pay()?;
        }
        self.own.told = taken;
        Ok(())
    }

    fn final_receipt(&mut self, taken: u64) -> Judged {
        if self.peer.end.is_none() {
            return wrong("FINAL_RECEIPT before the peer's END");
        }
        self.count(taken)?;
        self.own.told = taken;
        self.own.confirmed = Some(taken);
        Ok(())
    }

    fn stop(&mut self, taken: u64) -> Judged {
        self.count(taken)?;
        if self.own.stop.is_some() {
            return wrong("STOP twice");
        }
        self.own.told = taken;
        self.own.stop = Some(taken);
        Ok(())
    }
}
