//! What the two paths of a session tell each other, as values.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::outcome::Cause;

/// What the receive path wants the send path to say or to know: one slot each, so memory is constant.
///
/// Take it with [`ReceivePath::notices`](super::ReceivePath::notices), hand it to [`SendPath::heed`](super::SendPath::heed).
// spec: L-6, L-7
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notices {
    /// Messages taken, for whichever of the three words is due: it never falls, and is fixed by a STOP.
    pub(super) taken: u64,
    pub(super) receipt: bool,
    pub(super) stop: bool,
    pub(super) final_receipt: bool,
    pub(super) pong: Option<[u8; 8]>,
    /// Boxed: an idle session must not carry the room for it.
    pub(super) abort: Option<Box<Cause>>,
    pub(super) peer: PeerWord,
}

/// What the peer said of our direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PeerWord {
    /// What the newest RECEIPT, STOP or FINAL_RECEIPT counted.
    pub(super) taken: u64,
    /// A STOP was read, so that `taken` is fixed (spec: E-5).
    pub(super) stopped: bool,
    /// FINAL_RECEIPT was read.
    pub(super) confirmed: bool,
    /// PONGs read.
    pub(super) pongs: u64,
}

impl PeerWord {
    /// Two halves may hand over what they read in another order than they read it: nothing is taken back.
    fn merge(&mut self, other: Self) {
        self.taken = self.taken.max(other.taken);
        self.stopped |= other.stopped;
        self.confirmed |= other.confirmed;
        self.pongs = self.pongs.max(other.pongs);
    }
}

impl Notices {
    /// Puts newer notices on top: the newest receipt, the first of everything that is said once.
    pub fn merge(&mut self, newer: Self) {
        self.taken = self.taken.max(newer.taken);
        self.receipt |= newer.receipt;
        self.pong = newer.pong.or(self.pong);
        self.stop |= newer.stop;
        self.final_receipt |= newer.final_receipt;
        self.abort = self.abort.take().or(newer.abort);
        self.peer.merge(newer.peer);
    }
}

/// What the send path has said, as far as the receive path must know it to judge the peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whole messages in our direction.
    pub(super) sent: u64,
    /// END is among what was sent.
    pub(super) ended: bool,
    /// PINGs and PONGs sent.
    pub(super) pings: u64,
    pub(super) pongs: u64,
}

/// Facts that one half writes down and the other reads, without a lock.
///
/// Each of them only rises. What the peer answers was written down before it left, so whoever judges the
/// answer sees it; and as END is written last and read first, it is never seen without the messages before it.
#[derive(Debug, Default)]
pub(crate) struct SharedFacts {
    sent: AtomicU64,
    pings: AtomicU64,
    pongs: AtomicU64,
    ended: AtomicBool,
}

impl SharedFacts {
    pub(crate) fn write(&self, facts: Facts) {
        self.sent.store(facts.sent, Ordering::Release);
        self.pings.store(facts.pings, Ordering::Release);
        self.pongs.store(facts.pongs, Ordering::Release);
        self.ended.store(facts.ended, Ordering::Release);
    }

    pub(crate) fn read(&self) -> Facts {
        let ended = self.ended.load(Ordering::Acquire);
        Facts {
            sent: self.sent.load(Ordering::Acquire),
            ended,
            pings: self.pings.load(Ordering::Acquire),
            pongs: self.pongs.load(Ordering::Acquire),
        }
    }
}
