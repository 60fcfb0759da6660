//! The two sides of a link while a half holds them, and what must happen when it lets go.

use core::{
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicBool, Ordering},
};
use std::sync::{MutexGuard, PoisonError};

use super::{Common, Incoming, Link, Outgoing, lock, try_lock};
use crate::session::wakers::Side;

/// The sending side, held.
pub(in crate::session) struct Held<'a> {
    guard: MutexGuard<'a, Outgoing>,
    // Dropped behind the guard.
    _again: LookAgain<'a>,
}

/// Whoever lets go of the sending side looks at the mail once more: the half that posted something while
/// it was held could not take it along, and may wait already.
struct LookAgain<'a>(&'a Common);

/// The receiving side, held.
pub(in crate::session) struct HeldIncoming<'a> {
    guard: MutexGuard<'a, Incoming>,
    // Dropped behind the guard.
    _missed: WakeMissed<'a>,
}

/// Whoever lets go of the receiving side wakes the half that meant to read and could not: it has
/// registered nowhere, and nobody else may read for it.
struct WakeMissed<'a>(&'a Common);

/// Which half could not look at the receiving side while it was held.
#[derive(Default)]
pub(super) struct Missed {
    sender: AtomicBool,
    receiver: AtomicBool,
}

impl Link {
    #[inline]
    pub(in crate::session) fn outgoing(&self) -> Held<'_> {
        self.held(lock(&self.outgoing))
    }

    pub(super) fn try_outgoing(&self) -> Option<Held<'_>> {
        try_lock(&self.outgoing).map(|guard| self.held(guard))
    }

    #[inline]
    fn held<'a>(&'a self, guard: MutexGuard<'a, Outgoing>) -> Held<'a> {
        Held {
            guard,
            _again: LookAgain(&self.common),
        }
    }

    pub(in crate::session) fn incoming(&self) -> HeldIncoming<'_> {
        self.held_incoming(lock(&self.incoming))
    }

    /// If the receiving side is held, `side` is woken when it is let go; it must have registered for news.
    pub(in crate::session) fn try_incoming(&self, side: Side) -> Option<HeldIncoming<'_>> {
        let guard = try_lock(&self.incoming).or_else(|| {
            self.missed.of(side).store(true, Ordering::SeqCst);
            try_lock(&self.incoming)
        });
        guard.map(|guard| self.held_incoming(guard))
    }

    fn held_incoming<'a>(&'a self, mut guard: MutexGuard<'a, Incoming>) -> HeldIncoming<'a> {
        self.see_handed(&mut guard);
        HeldIncoming {
            guard,
            _missed: WakeMissed(&self.common),
        }
    }
}

impl Link {
    /// Both sides, of a link that nobody else knows: without a lock.
    #[inline]
    pub(in crate::session) fn alone(&mut self) -> Alone<'_> {
        let Self {
            outgoing,
            incoming,
            common,
        } = self;
        let incoming = incoming.get_mut().unwrap_or_else(PoisonError::into_inner);
        common.see_handed(incoming);
        Alone {
            outgoing: outgoing.get_mut().unwrap_or_else(PoisonError::into_inner),
            incoming,
            common,
        }
    }

    /// The sending side alone, as [`Link::alone`].
    #[inline]
    pub(in crate::session) fn outgoing_alone(&mut self) -> &mut Outgoing {
        self.outgoing
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What [`Link::alone`] gives.
pub(in crate::session) struct Alone<'a> {
    pub(in crate::session) outgoing: &'a mut Outgoing,
    pub(in crate::session) incoming: &'a mut Incoming,
    pub(in crate::session) common: &'a Common,
}

impl Common {
    /// Whoever looks at the receive path sees what was handed out without it.
    #[inline]
    fn see_handed(&self, incoming: &mut Incoming) {
        let handed = self.handed.load(Ordering::Relaxed);
        incoming.path.handed_out(handed);
    }
}

impl Missed {
    fn of(&self, side: Side) -> &AtomicBool {
        match side {
            Side::Sender => &self.sender,
            Side::Receiver => &self.receiver,
        }
    }
}

impl Deref for Held<'_> {
    type Target = Outgoing;

    fn deref(&self) -> &Outgoing {
        &self.guard
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Outgoing {
        &mut self.guard
    }
}

impl Deref for HeldIncoming<'_> {
    type Target = Incoming;

    fn deref(&self) -> &Incoming {
        &self.guard
    }
}

impl DerefMut for HeldIncoming<'_> {
    fn deref_mut(&mut self) -> &mut Incoming {
        &mut self.guard
    }
}

impl Drop for WakeMissed<'_> {
    fn drop(&mut self) {
        for side in Side::BOTH {
            let missed = self.0.missed.of(side);
            if missed.load(Ordering::SeqCst) && missed.swap(false, Ordering::SeqCst) {
                self.0.wakers.news.wake(side);
            }
        }
    }
}

impl Drop for LookAgain<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.0.mail_waits.load(Ordering::SeqCst) {
            self.0.wakers.news.wake_all();
        }
    }
}
