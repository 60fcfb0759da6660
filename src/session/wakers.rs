//! Two halves, one transport: whoever waits is woken, whichever task polled last.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tokio::task::coop;

/// Which half waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Sender,
    Receiver,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Sender, Self::Receiver];
}

#[derive(Debug, Default)]
struct Waiting {
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

/// Those who wait for one thing. Waking it wakes them all, once.
#[derive(Debug, Default)]
pub(super) struct Slot {
    waiting: Mutex<Waiting>,
    /// Nothing has happened since the thing was found not ready.
    calm: AtomicBool,
}

impl Slot {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Must come before the thing is looked at, or a wake between the two is lost; else whether it
    /// [`is_stirred`](Self::is_stirred) must be asked behind it.
    pub(super) fn register(&self, side: Side, waker: &Waker) {
        let mut waiting = self.waiting();
        let place = match side {
            Side::Sender => &mut waiting.sender,
            Side::Receiver => &mut waiting.receiver,
        };
        if !place.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *place = Some(waker.clone());
        }
    }

    pub(super) fn forget(&self, side: Side) {
        let mut waiting = self.waiting();
        match side {
            Side::Sender => waiting.sender = None,
            Side::Receiver => waiting.receiver = None,
        }
    }

    /// Looks at the thing, and keeps in mind whether it was found not ready: until it calls, looking again
    /// is not worth while.
    ///
    /// Without budget it says that it is pending and has not looked. Its call may even be lost then, as a
    /// runtime of one thread drops it with the `block_on` that ends in the same poll.
    pub(super) fn ask<T>(&self, look: impl FnOnce() -> Poll<T>) -> Poll<T> {
        // Before the look, so that a wake between the two is not forgotten. A transport that keeps our waker
        // from one look to the next may look at a flag alone: nothing but this order keeps the store before it.
        self.calm.store(true, Ordering::SeqCst);
        let mut asking = Asking {
            slot: self,
            calm: false,
        };
        let answer = look();
        asking.calm = answer.is_pending() && coop::has_budget_remaining();
        answer
    }

    fn stir(&self) {
        self.calm.store(false, Ordering::Release);
    }

    /// Whether looking at the thing is worth while.
    pub(super) fn is_stirred(&self) -> bool {
        !self.calm.load(Ordering::Acquire)
    }

    /// Wakes one side alone.
    pub(super) fn wake(&self, side: Side) {
        let mut waiting = self.waiting();
        let waker = match side {
            Side::Sender => waiting.sender.take(),
            Side::Receiver => waiting.receiver.take(),
        };
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn wake_all(&self) {
        let Waiting { sender, receiver } = core::mem::take(&mut *self.waiting());
        // The receiver first, so that it finds what came before the sender reads for it.
        for waker in [receiver, sender].into_iter().flatten() {
            waker.wake();
        }
    }
}

/// Whatever comes of a look, even a panic: only a thing that is surely not ready is left alone.
struct Asking<'a> {
    slot: &'a Slot,
    calm: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.calm {
            self.slot.stir();
        }
    }
}

impl Wake for Slot {
    fn wake(self: Arc<Self>) {
        self.stir();
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stir();
        self.wake_all();
    }
}

/// What the halves of a session wait for.
#[derive(Debug)]
pub(super) struct Wakers {
    pub(super) read: Arc<Slot>,
    pub(super) write: Arc<Slot>,
    /// News from the other half.
    pub(super) news: Slot,
    read_waker: Waker,
    write_waker: Waker,
}

impl Wakers {
    pub(super) fn new() -> Self {
        let (read, write) = (Arc::new(Slot::default()), Arc::new(Slot::default()));
        Self {
            read_waker: Waker::from(Arc::clone(&read)),
            write_waker: Waker::from(Arc::clone(&write)),
            read,
            write,
            news: Slot::default(),
        }
    }

    /// The context for every poll of the reader.
    pub(super) fn reading(&self) -> Context<'_> {
        Context::from_waker(&self.read_waker)
    }

    /// The context for every poll of the writer.
    pub(super) fn writing(&self) -> Context<'_> {
        Context::from_waker(&self.write_waker)
    }
}

#[cfg(test)]
mod tests;
