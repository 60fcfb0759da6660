//! What our direction says beside messages, and what it knows of the peer's application.

use core::time::Duration;
use std::time::Instant;

use super::{SendError, SendPath};
use crate::{
    proto::{
        notices::{Facts, Notices},
        outcome::{Cause, Ended, Sent},
    },
    wire::Frame,
};

impl SendPath {
    /// Asks for a receipt of all that was sent, unless one is already asked for.
    ///
    /// # Errors
    ///
    /// The session is over.
    // spec: T-17
    pub fn request_receipt(&mut self, now: Instant) -> Result<(), SendError> {
        if let Some(cause) = &self.words.over {
            return Err(SendError::Over(Cause::clone(cause)));
        }
        let sent = self.facts.sent;
        // After END the FINAL_RECEIPT comes unasked.
        let known = self.owed.peer.taken >= sent || self.words.requested >= sent;
        if self.words.end.is_some() || self.owed.peer.stopped || known {
            return Ok(());
        }
        self.words.request_due = !self.credit.pay(now);
        if self.words.request_due {
            return Ok(());
        }
        self.words.requested = sent;
        self.control(Frame::ReceiptRequest, now)
    }

    /// Says that we shall end within this time, as soon as there is credit for it. Once, and not after our
    /// END; else nothing happens.
    ///
    /// # Errors
    ///
    /// The session is over.
    // spec: T-18
    pub fn drain(&mut self, within: Duration, now: Instant) -> Result<(), SendError> {
        if let Some(cause) = &self.words.over {
            return Err(SendError::Over(Cause::clone(cause)));
        }
        if self.words.end.is_some() || self.words.drained {
            return Ok(());
        }
        if !self.credit.pay(now) {
            self.words.drain_due = now.checked_add(within);
            return Ok(());
        }
        self.words.drained = true;
        let milliseconds = u64::try_from(within.as_millis()).unwrap_or(u64::MAX >> 1);
        self.control(Frame::Drain { milliseconds }, now)
    }

    /// Sends a PING unless one is out or there were too many of late.
    ///
    /// # Errors
    ///
    /// The session is over.
    // spec: T-15, L-2
    pub fn ping(&mut self, now: Instant) -> Result<(), SendError> {
        if !self.may_ping() || !self.credit.pay(now) {
            return Ok(());
        }
        self.put_ping(now)
    }

    /// Sends a PING because nothing has come for long; there is always one left for that.
    ///
    /// # Errors
    ///
    /// The session is over.
    // spec: L-4
    pub fn keep_alive(&mut self, now: Instant) -> Result<(), SendError> {
        if !self.may_ping() || !self.credit.pay_keepalive(now) {
            return Ok(());
        }
        self.put_ping(now)
    }

    fn may_ping(&self) -> bool {
        self.words.ping_at.is_none() && self.words.over.is_none()
    }

    fn put_ping(&mut self, now: Instant) -> Result<(), SendError> {
        self.words.ping_at = Some(now);
        self.facts.pings = self.facts.pings.saturating_add(1);
        self.control(Frame::Ping(self.facts.pings.to_be_bytes()), now)?;
        self.credit.pinged();
        Ok(())
    }

    /// Takes what the receive path wants said.
    pub fn heed(&mut self, notices: Notices, now: Instant) {
        if notices.peer.pongs > self.owed.peer.pongs
            && let Some(at) = self.words.ping_at.take()
        {
            self.words.round_trip = Some(now.saturating_duration_since(at));
            self.credit.answered(now);
        }
        self.owed.merge(notices);
    }

    // spec: L-7
    pub(super) fn answer(&mut self, now: Instant) -> Result<(), SendError> {
        if let Some(token) = self.owed.pong.take() {
            self.facts.pongs = self.facts.pongs.saturating_add(1);
            self.control(Frame::Pong(token), now)?;
        }
        let taken = self.owed.taken;
        if core::mem::take(&mut self.owed.stop) && !self.words.stop && !self.words.final_receipt {
            self.owed.receipt = false;
            self.words.stop = true;
            self.control(Frame::Stop { taken }, now)?;
        }
        if core::mem::take(&mut self.owed.final_receipt) && !self.words.final_receipt {
            self.owed.receipt = false;
            self.words.final_receipt = true;
            self.control(Frame::FinalReceipt { taken }, now)?;
        }
        let told = self.words.stop || self.words.final_receipt;
        if core::mem::take(&mut self.owed.receipt) && !told && taken > self.words.receipt {
            self.words.receipt = taken;
            self.control(Frame::Receipt { taken }, now)?;
        }
        if let Some(deadline) = self.words.drain_due.take() {
            self.drain(deadline.saturating_duration_since(now), now)?;
        }
        if self.words.request_due {
            self.request_receipt(now)?;
        }
        Ok(())
    }

    /// What the receive path must know of this one.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// Messages taken over so far.
    #[must_use]
    pub fn sent_count(&self) -> u64 {
        self.facts.sent
    }

    /// Messages that the peer's application has taken, as far as it said.
    #[must_use]
    pub fn taken_count(&self) -> u64 {
        self.owed.peer.taken
    }

    /// Whether the peer's application takes no more.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.owed.peer.stopped || self.owed.peer.confirmed
    }

    /// The last measured time from a PING to its PONG.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.words.round_trip
    }

    /// Whether a PING waits for its PONG.
    #[must_use]
    pub fn is_pinging(&self) -> bool {
        self.words.ping_at.is_some()
    }

    /// What our END said.
    #[must_use]
    pub fn ended(&self) -> Option<&Ended> {
        self.words.end.as_deref()
    }

    /// Whether END and FINAL_RECEIPT have gone both ways, as far as our direction knows.
    pub(in crate::proto) fn is_over(&self) -> bool {
        self.facts.ended && self.words.final_receipt && self.owed.peer.confirmed
    }

    /// What is proven of our messages.
    // spec: E-11
    #[must_use]
    pub fn sent(&self) -> Sent {
        let sent = self.facts.sent;
        let taken = self.taken_count();
        if self.owed.peer.confirmed && taken == sent {
            return Sent::Delivered(sent);
        }
        // A STOP for all of them is not yet the word on our END.
        if self.is_stopped() && taken < sent {
            return Sent::Partial { taken, sent };
        }
        Sent::Unconfirmed { taken, sent }
    }
}
