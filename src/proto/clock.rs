//! When a session has been silent for too long (spec: L-3, L-4).

use core::time::Duration;
use std::time::Instant;

use super::config::Config;
use crate::wire::Params;

/// The session's idle timeout: the smaller of the two.
// spec: H-23
pub(super) fn agreed_idle(config: &Config, theirs: &Params) -> Option<Duration> {
    let ours = config.limits().idle;
    let theirs = Some(theirs.idle_ms)
        .filter(|idle| *idle > 0)
        .map(Duration::from_millis);
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
        (one, other) => one.or(other),
    }
}

/// Silence counts from the last opened record, or from when we began to wait, whichever is later.
#[derive(Debug)]
pub(super) struct Clock {
    idle: Option<Duration>,
    opened: Instant,
    /// When we last began to wait for input, and when that was last looked at.
    waiting: Option<Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    since: Instant,
    looked: Instant,
}

impl Clock {
    pub(super) fn new(idle: Option<Duration>, now: Instant) -> Self {
        Self {
            idle,
            opened: now,
            waiting: None,
        }
    }

    pub(super) fn opened(&mut self, now: Instant) {
        self.opened = now;
    }

    pub(super) fn last_opened(&self) -> Instant {
        self.opened
    }

    /// We wait for input. After a time in which nobody looked, waiting begins anew: we were not reading.
    pub(super) fn wait(&mut self, now: Instant) {
        let since = match (self.waiting, self.idle) {
            (Some(Waiting { since, looked }), Some(idle))
                if looked
                    .checked_add(three_quarters(idle))
                    .is_none_or(|until| now < until) =>
            {
                since
            }
            (_, _) => now,
        };
        self.waiting = Some(Waiting { since, looked: now });
    }

    pub(super) fn stop_waiting(&mut self) {
        self.waiting = None;
    }

    fn silent_since(&self) -> Option<Instant> {
        Some(self.waiting?.since.max(self.opened))
    }

    pub(super) fn idle_at(&self) -> Option<Instant> {
        self.silent_since()?.checked_add(self.idle?)
    }

    /// When waiting must be looked at again, or it counts as begun anew.
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.waiting?.looked.checked_add(self.idle?.checked_div(2)?)
    }

    pub(super) fn ping_at(&self) -> Option<Instant> {
        self.silent_since()?.checked_add(self.idle?.checked_div(3)?)
    }
}

fn three_quarters(time: Duration) -> Duration {
    time.saturating_sub(time.checked_div(4).unwrap_or_default())
}
