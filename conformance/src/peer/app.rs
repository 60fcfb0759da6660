//! What the application does, and the answers that the session owes by itself.

use super::{Item, Peer, Stage, code};
use crate::control::{Cause, Fields, Outcome, Word};
use crate::raw_peer::{RawFrame, RawRecord};
use std::time::Instant;

/// Messages up to this size travel as frames.
const SMALL: usize = 1024;
/// The body of a record of the size that T-9 recommends.
const BODY: usize = 32_768;
const LARGEST_BODY: usize = 65_518;

impl Peer {
    /// Queues a message.
    pub fn send(&mut self, message: Vec<u8>) -> Result<(), String> {
        if matches!(self.stage, Stage::Handshake | Stage::AwaitParams) {
            self.outward.early.push_back(message);
            return Ok(());
        }
        self.is_open()?;
        if self.outward.ended {
            return Err("the direction has ended".into());
        }
        if self.outward.stopped && !self.has("stop-ignored") {
            return Err("the peer takes no more".into());
        }
        if self.inward.ended && self.has("ends-with-peer") {
            return Err("the peer has ended".into());
        }
        if message.len() as u64 > self.agreed.max_message && !self.has("ignores-their-max") {
            return Err("above the peer's limit".into());
        }
        self.put_message(message);
        Ok(())
    }

    fn put_message(&mut self, message: Vec<u8>) {
        self.outward.sent += 1;
        if message.len() <= SMALL {
            return self.say(&[RawFrame::Message(message)]);
        }
        let body = match self.has("big-records") {
            true => LARGEST_BODY,
            false => BODY,
        };
        let mut pieces = message.chunks(body).peekable();
        while let Some(piece) = pieces.next() {
            let record = match pieces.peek() {
                Some(_) => RawRecord::Piece(piece.to_vec()),
                None => RawRecord::Message(piece.to_vec()),
            };
            self.put(&record);
        }
    }

    pub(super) fn send_queued(&mut self) {
        for message in std::mem::take(&mut self.outward.early) {
            self.put_message(message);
        }
    }

    fn is_open(&self) -> Result<(), String> {
        match self.stage {
            Stage::Open => Ok(()),
            _ => Err(self.failure.clone().unwrap_or_else(|| "not open".into())),
        }
    }

    /// Takes the next thing from the inbox.
    pub fn take(&mut self, now: Instant) -> Option<Item> {
        let item = self.inbox.pop_front()?;
        if matches!(item, Item::Message(_)) {
            self.inward.taken += 1;
        }
        self.answer(now);
        Some(item)
    }

    pub(super) fn echo(&mut self, now: Instant) {
        while let Some(item) = self.take(now) {
            match item {
                // An echo that cannot be sent is dropped; the peer has stopped us.
                Item::Message(message) => drop(self.send(message)),
                Item::Drain(_) => {}
                Item::End(..) => drop(self.finish(0, "", now)),
            }
        }
    }

    /// Ends our direction.
    pub fn finish(&mut self, code: u64, reason: &str, now: Instant) -> Result<(), String> {
        self.is_open()?;
        if self.outward.ended {
            return Err("the direction has ended".into());
        }
        self.outward.ended = true;
        let reason = reason.as_bytes().to_vec();
        self.say(&[RawFrame::End(self.outward.sent, code, reason)]);
        if self.has("asks-behind-end") {
            self.say(&[RawFrame::ReceiptRequest]);
        }
        self.answer(now);
        Ok(())
    }

    /// Takes no more messages (spec: E-4).
    pub fn stop(&mut self, now: Instant) -> Result<(), String> {
        self.is_open()?;
        let message = |item: &Item| matches!(item, Item::Message(_));
        self.inbox.retain(|item| !message(item));
        self.inward.closed = true;
        if !self.inward.ended && self.inward.stopped.is_none() {
            self.inward.stopped = Some(self.inward.taken);
            self.say(&[RawFrame::Stop(self.inward.taken)]);
        }
        self.answer(now);
        Ok(())
    }

    /// Ends and takes no more, under the end deadline (spec: E-14).
    pub fn close_session(&mut self, now: Instant) -> Result<(), String> {
        self.is_open()?;
        self.finish_until.get_or_insert(now + self.settings.end);
        if !self.outward.ended {
            self.finish(0, "", now)?;
        }
        if self.stage == Stage::Open && !self.has("no-stop-on-close") {
            self.stop(now)?;
        }
        Ok(())
    }

    /// Aborts.
    pub fn abort_session(&mut self, code: u64, reason: &str, now: Instant) -> Result<(), String> {
        self.is_open()?;
        self.abort(code, reason, now);
        Ok(())
    }

    /// Announces the end.
    pub fn drain(&mut self, milliseconds: u64) -> Result<(), String> {
        self.is_open()?;
        if self.outward.ended || self.outward.drained {
            return Err("too late to announce the end".into());
        }
        self.outward.drained = true;
        self.say(&[RawFrame::Drain(milliseconds)]);
        Ok(())
    }

    /// Rekeys our direction (spec: T-10).
    pub fn rekey(&mut self) -> Result<(), String> {
        self.is_open()?;
        self.say(&[RawFrame::Rekey]);
        let restarts = self.has("rekey-restarts");
        if let Some(session) = &mut self.session {
            session.rekey_send();
            if restarts {
                session.send.counter = 0;
            }
        }
        Ok(())
    }

    /// Sends a PING unless one is outstanding (spec: T-15).
    pub fn ping(&mut self) {
        if self.stage == Stage::Open && self.outward.ping.is_none() {
            self.outward.pings += 1;
            let bytes = self.outward.pings.to_be_bytes();
            self.outward.ping = Some(bytes);
            self.say(&[RawFrame::Ping(bytes)]);
        }
    }

    /// Asks for a receipt.
    pub fn request_receipt(&mut self) -> Result<(), String> {
        self.is_open()?;
        if self.outward.ended {
            return Err("the direction has ended".into());
        }
        self.say(&[RawFrame::ReceiptRequest]);
        Ok(())
    }

    /// Says what is owed: PONG, RECEIPT, FINAL_RECEIPT; sees whether all is over (spec: L-7, E-8).
    pub(super) fn answer(&mut self, now: Instant) {
        if self.stage != Stage::Open {
            return;
        }
        let mut frames = Vec::new();
        if let Some(bytes) = self.inward.pong.take()
            && !self.has("no-pong")
        {
            frames.push(RawFrame::Pong(bytes));
        }
        let arrival = self.has("receipt-on-arrival");
        let taken = if arrival {
            self.inward.came
        } else {
            self.inward.taken
        };
        let done = taken == self.inward.came
            || self.inward.closed
            || self.has("final-on-arrival") && self.inward.ended;
        if self.inward.ended && done && !self.inward.final_sent {
            self.inward.final_sent = true;
            self.inward.requests = None;
            let taken = self.inward.stopped.unwrap_or(self.inward.taken);
            let claimed = if self.has("final-on-arrival") {
                self.inward.came
            } else {
                taken
            };
            frames.push(RawFrame::FinalReceipt(claimed));
        } else if let Some((first, last)) = self.inward.requests
            && taken >= first
            && self.inward.stopped.is_none()
            && !self.inward.final_sent
        {
            self.inward.requests = (taken < last).then_some((last, last));
            if !self.has("no-receipt") {
                frames.push(RawFrame::Receipt(taken));
            }
        }
        if !frames.is_empty() {
            self.say(&frames);
        }
        let ours = self.outward.ended && self.outward.confirmed;
        if ours && self.inward.ended && self.inward.final_sent {
            self.conclude(Cause::Ended, 0, String::new());
            self.close(now);
        }
    }

    /// What `established` answers, once it is known.
    pub fn establishment(&self) -> Option<Fields> {
        if self.established {
            let session = self.session.as_ref()?;
            return Some(Fields {
                established: Some(true),
                hash: Some(hex::encode(session.hash)),
                remote: Some(hex::encode(session.remote_static)),
                protocol: self.agreed.protocol.clone(),
                ..Fields::default()
            });
        }
        self.outcome.as_ref().map(|_| Fields {
            established: Some(false),
            failed: self.failure.clone(),
            ..Fields::default()
        })
    }

    /// What `recv` answers, once there is something.
    pub fn received(&mut self, now: Instant) -> Option<Fields> {
        let mut fields = Fields::default();
        match self.take(now) {
            Some(Item::Message(message)) => fields.message = Some(hex::encode(message)),
            Some(Item::Drain(milliseconds)) => fields.drain = Some(milliseconds),
            Some(Item::End(code, reason)) => fields.end = Some(Word { code, reason }),
            None => {
                self.outcome.as_ref()?;
                let failure = self.failure.clone();
                fields.failed = Some(failure.unwrap_or_else(|| "over".into()));
            }
        }
        Some(fields)
    }

    /// How the session ended.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Whether the faulty peer dials again although it was refused (spec: W-11).
    pub fn retries(&self) -> bool {
        self.has("retries-refused") && self.failure.as_deref() == Some("retry")
    }

    /// The application let go of the session.
    pub fn drop_session(&mut self, now: Instant) {
        self.abort(code::TIMEOUT, "", now);
    }
}
