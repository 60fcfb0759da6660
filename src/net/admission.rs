//! Who may start a handshake: budgets for all and for each source, in bounded memory.
// spec: L-8, L-9

use core::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use thiserror::Error;

use crate::Origin;

/// Handshakes under way in all: at 16 KiB each, 4 MiB of memory (spec: L-8, L-10).
const PENDING: usize = 256;
/// Handshakes under way from one source: sixteen sources must act together to fill the budget (spec: L-8).
const PENDING_PER_SOURCE: usize = 16;
/// Starts of one source in a second: far above what a process needs, far below what costs us a core (spec: L-9).
const STARTS_PER_SECOND: u32 = 20;
/// Starts of one source at once: what reconnects together after a restart (spec: L-9).
const BURST: u32 = 32;
/// Sources whose starts are remembered: some megabytes at the most.
const SOURCES: usize = 65_536;

/// What a listener lets strangers cost it, before it knows who they are.
///
/// A source is an IPv4 address, the first 64 bits of an IPv6 address, or the user of a Unix socket.
/// A connection beyond one of these limits is closed before a byte is read or written.
///
/// Who a peer *is* comes out only in the handshake, so peers behind one address share its budget: where
/// many honest ones sit behind one gateway, raise the limits of a source.
///
/// ```
/// use duologue::net::Admission;
///
/// let gateway = Admission::default().pending_per_source(128).starts(200, 400);
/// # let _ = gateway;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    pending: usize,
    pending_per_source: usize,
    starts_per_second: u32,
    burst: u32,
    sources: usize,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            pending: PENDING,
            pending_per_source: PENDING_PER_SOURCE,
            starts_per_second: STARTS_PER_SECOND,
            burst: BURST,
            sources: SOURCES,
        }
    }
}

impl Admission {
    /// Handshakes under way in all (default 256).
    #[must_use]
    pub const fn pending(mut self, handshakes: usize) -> Self {
        self.pending = handshakes;
        self
    }

    /// Handshakes under way from one source (default 16).
    #[must_use]
    pub const fn pending_per_source(mut self, handshakes: usize) -> Self {
        self.pending_per_source = handshakes;
        self
    }

    /// Handshakes that one source may start in a second, and at once (defaults 20 and 32).
    #[must_use]
    pub const fn starts(mut self, per_second: u32, burst: u32) -> Self {
        self.starts_per_second = per_second;
        self.burst = burst;
        self
    }

    /// Sources whose starts are remembered (default 65,536); beyond that the oldest is forgotten.
    #[must_use]
    pub const fn sources(mut self, remembered: usize) -> Self {
        self.sources = remembered;
        self
    }
}

/// Which budget a connection was beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Excess {
    /// As many handshakes are under way as may be in all.
    #[error("too many handshakes are under way")]
    Pending,
    /// As many handshakes of this source are under way as may be.
    #[error("too many handshakes of this source are under way")]
    PendingOfSource,
    /// This source starts handshakes faster than it may.
    #[error("this source starts handshakes too fast")]
    Starts,
}

/// Whom a start is counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Unknown,
    V4(Ipv4Addr),
    /// The first 64 bits: what one subscriber has, and may choose freely within.
    V6(u64),
    User(u32),
}

impl Source {
    pub(super) fn of(origin: Origin) -> Self {
        match origin {
            Origin::Unknown => Self::Unknown,
            Origin::Tcp(address) => match address.ip().to_canonical() {
                IpAddr::V4(address) => Self::V4(address),
                IpAddr::V6(address) => {
                    let [a, b, c, d, e, f, g, h, ..] = address.octets();
                    Self::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
                }
            },
            Origin::Unix { uid, .. } => Self::User(uid),
        }
    }
}

/// The budgets in use.
#[derive(Debug)]
pub(super) struct Gate {
    limits: Admission,
    pending: usize,
    /// Only sources with a handshake under way: never more than `limits.pending`.
    pending_of: HashMap<Source, usize>,
    starts: Starts,
}

impl Gate {
    pub(super) fn new(limits: Admission) -> Self {
        Self {
            limits,
            pending: 0,
            pending_of: HashMap::new(),
            starts: Starts::default(),
        }
    }

    pub(super) fn set_limits(&mut self, limits: Admission) {
        self.limits = limits;
    }

    /// Takes a handshake into the budgets; each one admitted is given back with [`Gate::release`].
    pub(super) fn admit(&mut self, source: Source, now: Instant) -> Result<(), Excess> {
        if self.pending >= self.limits.pending {
            return Err(Excess::Pending);
        }
        let of_source = self.pending_of.get(&source).copied().unwrap_or(0);
        if of_source >= self.limits.pending_per_source {
            return Err(Excess::PendingOfSource);
        }
        if !self.starts.take(source, now, &self.limits) {
            return Err(Excess::Starts);
        }
        self.pending = self.pending.saturating_add(1);
        self.pending_of.insert(source, of_source.saturating_add(1));
        Ok(())
    }

    /// A handshake that was admitted is over, however it ended.
    pub(super) fn release(&mut self, source: Source) {
        let Some(of_source) = self.pending_of.get_mut(&source) else {
            return;
        };
        *of_source = of_source.saturating_sub(1);
        if *of_source == 0 {
            self.pending_of.remove(&source);
        }
        self.pending = self.pending.saturating_sub(1);
    }

    pub(super) fn pending(&self) -> usize {
        self.pending
    }
}

/// A token bucket for each of the sources seen last.
#[derive(Debug, Default)]
struct Starts {
    buckets: HashMap<Source, Bucket>,
    /// The same sources, the one not seen for longest first.
    order: BTreeMap<u64, Source>,
    turn: u64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// In units of [`TOKEN`], so that a refill loses no fraction.
    level: u64,
    refilled: Instant,
    turn: u64,
}

/// One start. At `n` tokens a second a bucket gains `n` units in each nanosecond.
const TOKEN: u64 = 1_000_000_000;

impl Starts {
    /// Whether the source has a token left, which is then gone.
    fn take(&mut self, source: Source, now: Instant, limits: &Admission) -> bool {
        let full = u64::from(limits.burst).saturating_mul(TOKEN);
        let known = self.buckets.get(&source).copied();
        let level = known.map_or(full, |bucket| {
            let gained = nanoseconds(now.saturating_duration_since(bucket.refilled))
                .saturating_mul(u64::from(limits.starts_per_second));
            bucket.level.saturating_add(gained).min(full)
        });
        let paid = level.checked_sub(TOKEN);
        match known {
            Some(bucket) => drop(self.order.remove(&bucket.turn)),
            None => self.make_room(limits.sources),
        }
        // A source that is turned away is seen too: being forgotten would fill its bucket.
        self.turn = self.turn.wrapping_add(1);
        self.order.insert(self.turn, source);
        let bucket = Bucket {
            level: paid.unwrap_or(level),
            refilled: known.map_or(now, |bucket| bucket.refilled.max(now)),
            turn: self.turn,
        };
        self.buckets.insert(source, bucket);
        paid.is_some()
    }

    /// threat: 93
    fn make_room(&mut self, sources: usize) {
        while self.buckets.len() >= sources.max(1) {
            let Some((_turn, oldest)) = self.order.pop_first() else {
                return;
            };
            self.buckets.remove(&oldest);
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
