//! What is told to whoever collects diagnostics (feature `tracing`).
//!
//! Never a secret key, never a byte of a message. What strangers can cause is of bounded size and limited in
//! rate: ten events a second, the next one saying how many were left out.
// threat: 99, 116

use core::fmt::{self, Write as _};
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::{Level, debug, enabled};

use super::link::now;
use crate::proto::{HandshakeError, Origin, Outcome, Peer};

/// Events about strangers in one period: enough to see what goes on, too few to fill a disk.
const PER_PERIOD: u32 = 10;
const PERIOD: Duration = Duration::from_secs(1);
/// Bytes of a text that a peer may have had a part in.
const TEXT: usize = 200;

static STRANGERS: Mutex<Limiter> = Mutex::new(Limiter {
    since: None,
    told: 0,
    left_out: 0,
});

struct Limiter {
    since: Option<Instant>,
    told: u32,
    left_out: u64,
}

impl Limiter {
    /// Whether this event is told; if so, how many were not since the last one.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let old = |since| now.saturating_duration_since(since) >= PERIOD;
        if self.since.is_none_or(old) {
            self.since = Some(now);
            self.told = 0;
        }
        if self.told >= PER_PERIOD {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.told = self.told.saturating_add(1);
        Some(core::mem::take(&mut self.left_out))
    }
}

fn admit() -> Option<u64> {
    if !enabled!(Level::DEBUG) {
        return None;
    }
    let mut strangers = STRANGERS.lock().unwrap_or_else(PoisonError::into_inner);
    strangers.admit(now())
}

pub(crate) fn established(peer: &Peer) {
    debug!(
        peer = %peer.key,
        origin = ?peer.origin,
        suite = %peer.suite,
        pattern = %peer.pattern,
        "session established"
    );
}

pub(crate) fn ended(peer: &Peer, outcome: &Outcome) {
    debug!(peer = %peer.key, outcome = %Short(outcome), "session ended");
}

pub(crate) fn handshake_failed(origin: Origin, error: &HandshakeError) {
    if let Some(left_out) = admit() {
        debug!(?origin, error = %Short(error), left_out, "handshake failed");
    }
}

#[cfg(feature = "net")]
pub(crate) fn turned_away(origin: Origin, why: &dyn fmt::Display) {
    if let Some(left_out) = admit() {
        debug!(?origin, error = %Short(why), left_out, "connection turned away");
    }
}

/// The beginning of a text, whatever its length.
struct Short<T>(T);

impl<T: fmt::Display> fmt::Display for Short<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cut = Cut { out: f, left: TEXT };
        // An error is either the formatter's or our own end of the text.
        match write!(cut, "{}", self.0) {
            Err(fmt::Error) if cut.left > 0 => Err(fmt::Error),
            Ok(()) | Err(fmt::Error) => Ok(()),
        }
    }
}

struct Cut<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    left: usize,
}

impl fmt::Write for Cut<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let ends = text
            .char_indices()
            .map(|(at, c)| at.saturating_add(c.len_utf8()));
        let end = ends.take_while(|end| *end <= self.left).last().unwrap_or(0);
        self.out.write_str(text.get(..end).unwrap_or_default())?;
        if end < text.len() {
            self.left = 0;
            self.out.write_str("…")?;
            return Err(fmt::Error);
        }
        self.left = self.left.saturating_sub(end);
        Ok(())
    }
}
