//! What our direction says beside messages, and what it knows of the peer's application.

use core::time::Duration;
use std::time::Instant;

use super::{SendError, SendPath};
use crate::{
    proto::{
        notices::{Facts, Notices},
        outcome::{Ended, Sent},
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
            return Err(SendError::Over(cause.clone()));
        }
        let sent = self.facts.sent;
        // After END the FINAL_RECEIPT comes unasked.
        let known = self.owed.peer.taken >= sent || self.words.requested >= sent;
        if self.words.end.is_some() || self.owed.peer.stopped.is_some() || known {
            return Ok(());
        }
        self.words.request_due = !self.credit.pay(now);
        if self.words.request_due {
            return Ok(());
        }
        self.words.requested = sent;
        self.control(Frame::ReceiptRequest, now)
    }

    /// Says that we shall end within this time. Once, and not after our END; else nothing happens.
    ///
    /// # Errors
    ///
    /// The session is over.
    // spec: T-18
    pub fn drain(&mut self, within: Duration, now: Instant) -> Result<(), SendError> {
        let ended = self.words.end.is_some() || self.words.over.is_some();
        if ended || self.words.drained || !self.credit.pay(now) {
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
        if let Some(taken) = self.owed.stop.take()
            && self.words.stop.is_none()
            && self.words.final_receipt.is_none()
        {
            self.owed.receipt = None;
            self.words.stop = Some(taken);
            self.control(Frame::Stop { taken }, now)?;
        }
        if let Some(taken) = self.owed.final_receipt.take()
            && self.words.final_receipt.is_none()
        {
            self.owed.receipt = None;
            self.words.final_receipt = Some(taken);
            self.control(Frame::FinalReceipt { taken }, now)?;
        }
        let told = self.words.stop.or(self.words.final_receipt).is_some();
        if let Some(taken) = self.owed.receipt.take()
            && !told
            && taken > self.words.receipt
        {
            self.words.receipt = taken;
            self.control(Frame::Receipt { taken }, now)?;
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
        let peer = &self.owed.peer;
        peer.confirmed.or(peer.stopped).unwrap_or(peer.taken)
    }

    /// Whether the peer's application takes no more.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.owed
            .peer
            .stopped
            .or(self.owed.peer.confirmed)
            .is_some()
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
        self.words.end.as_ref()
    }

    /// Whether END and FINAL_RECEIPT have gone both ways, as far as our direction knows.
    pub(in crate::proto) fn is_over(&self) -> bool {
        self.facts.ended && self.words.final_receipt.is_some() && self.owed.peer.confirmed.is_some()
    }

    /// What is proven of our messages.
    // spec: E-11
    #[must_use]
    pub fn sent(&self) -> Sent {
        let sent = self.facts.sent;
        let peer = &self.owed.peer;
        match (peer.confirmed, peer.stopped) {
            (Some(taken), _) if taken == sent => Sent::Delivered(sent),
            (Some(taken), _) | (None, Some(taken)) => Sent::Partial { taken, sent },
            (None, None) => Sent::Unconfirmed {
                taken: peer.taken,
                sent,
            },
        }
    }
}
