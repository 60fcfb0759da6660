//! The progress budget: what costs the peer something must be earned (spec: L-1).

use core::time::Duration;
use std::time::Instant;

use crate::wire::{CREDIT, CREDIT_PERIOD, CREDIT_PIECE};

#[derive(Debug)]
pub(super) struct Credit {
    left: u32,
    /// Bytes of pieces that have not earned yet.
    pieces: usize,
    since: Instant,
    period: Duration,
}

impl Credit {
    /// The receiver's account; time earns with the smaller of a second and a quarter of the idle timeout.
    pub(super) fn new(idle: Option<Duration>, now: Instant) -> Self {
        let quarter = idle.map_or(CREDIT_PERIOD, |idle| idle.div_f32(4.0));
        Self {
            left: CREDIT,
            pieces: 0,
            since: now,
            period: quarter.min(CREDIT_PERIOD),
        }
    }

    fn earn(&mut self, amount: usize) {
        let amount = u32::try_from(amount).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(amount).min(CREDIT);
    }

    pub(super) fn messages(&mut self, count: usize) {
        self.earn(count);
    }

    pub(super) fn piece(&mut self, length: usize) {
        let bytes = self.pieces.saturating_add(length);
        self.pieces = bytes % CREDIT_PIECE;
        self.earn(bytes / CREDIT_PIECE);
    }

    pub(super) fn pass(&mut self, now: Instant) {
        while self.left < CREDIT {
            match self.since.checked_add(self.period) {
                Some(next) if next <= now => {
                    self.since = next;
                    self.earn(1);
                }
                _later => return,
            }
        }
        self.since = now;
    }

    /// Pays one, if there is one.
    pub(super) fn pay(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

/// The sender's picture of the receiver's account: never above it, however long things are under way.
///
/// What was sent far apart may arrive together, so time earns only while the peer is proven to have read
/// all that cost: from a PONG on whose PING nothing was paid behind, until the next payment.
// spec: L-2
#[derive(Debug)]
pub(super) struct Budget {
    credit: Credit,
    earning: Earning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Earning {
    /// Something that cost may be unread.
    No,
    /// A PING is out and nothing behind it has cost.
    Asked,
    Yes,
}

impl Budget {
    pub(super) fn new(idle: Option<Duration>, now: Instant) -> Self {
        Self {
            credit: Credit::new(idle, now),
            earning: Earning::No,
        }
    }

    pub(super) fn messages(&mut self, count: usize) {
        self.credit.messages(count);
    }

    pub(super) fn piece(&mut self, length: usize) {
        self.credit.piece(length);
    }

    /// Pays one, if it is not the last: that is for a keepalive, without which nothing could be earned.
    pub(super) fn pay(&mut self, now: Instant) -> bool {
        self.pass(now);
        self.credit.left > 1 && self.spend()
    }

    /// Pays one, if there are many: for what can wait, so that receipts can still be asked for.
    pub(super) fn pay_spare(&mut self, now: Instant) -> bool {
        self.pass(now);
        self.credit.left > CREDIT / 2 && self.spend()
    }

    /// Pays for a PING that keeps the session alive, also with the last one.
    pub(super) fn pay_keepalive(&mut self, now: Instant) -> bool {
        self.pass(now);
        self.spend()
    }

    fn pass(&mut self, now: Instant) {
        if self.earning == Earning::Yes {
            self.credit.pass(now);
        }
    }

    fn spend(&mut self) -> bool {
        self.earning = Earning::No;
        self.credit.pay()
    }

    pub(super) fn pinged(&mut self) {
        self.earning = Earning::Asked;
    }

    pub(super) fn answered(&mut self, now: Instant) {
        if self.earning == Earning::Asked {
            self.earning = Earning::Yes;
            self.credit.since = now;
        }
    }
}
