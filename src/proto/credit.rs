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
    pub(super) fn receiver(idle: Option<Duration>, now: Instant) -> Self {
        let quarter = idle.map_or(CREDIT_PERIOD, |idle| idle.div_f32(4.0));
        Self::new(quarter.min(CREDIT_PERIOD), now)
    }

    /// The sender's picture of it. What was sent far apart may arrive together, so time earns far less here.
    // spec: L-2
    pub(super) fn sender(now: Instant) -> Self {
        let mut credit = Self::new(CREDIT_PERIOD.saturating_mul(8), now);
        credit.left = CREDIT / 2;
        credit
    }

    fn new(period: Duration, now: Instant) -> Self {
        Self {
            left: CREDIT,
            pieces: 0,
            since: now,
            period,
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
