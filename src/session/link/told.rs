//! What the sending side tells whoever looks at the clock, without a lock.

use core::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};
use std::time::Instant;

/// Written only by who holds the sending side.
#[derive(Default)]
pub(super) struct Told {
    /// Nanoseconds from the session's birth to when the transport stopped taking, and one more; 0 while it takes.
    stalled: AtomicU64,
    pinging: AtomicBool,
}

impl Told {
    /// Whether the transport takes nothing; the time is kept from the first such word to the last.
    pub(super) fn stalls(&self, stalls: bool, born: Instant, now: Instant) {
        let stalled = self.stalled.load(Ordering::Relaxed);
        if stalls == (stalled > 0) {
            return;
        }
        let since = now.saturating_duration_since(born).as_nanos();
        let since = u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1);
        let told = if stalls { since } else { 0 };
        self.stalled.store(told, Ordering::Release);
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire) > 0
    }

    pub(super) fn stalled_since(&self, born: Instant) -> Option<Instant> {
        let since = self.stalled.load(Ordering::Acquire).checked_sub(1)?;
        born.checked_add(Duration::from_nanos(since))
    }

    pub(super) fn pings(&self, pinging: bool) {
        if self.is_pinging() != pinging {
            self.pinging.store(pinging, Ordering::Release);
        }
    }

    /// Whether a PING of ours is out.
    pub(super) fn is_pinging(&self) -> bool {
        self.pinging.load(Ordering::Acquire)
    }
}
