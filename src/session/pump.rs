//! One session for many sending tasks: what they leave is gathered into full records and few writes.

use core::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::{Context, Poll},
};
use std::sync::Arc;

use tokio::sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError, watch};

use super::{
    Receiver, Sender, Session,
    link::now,
    wakers::{Side, Slot},
};
use crate::{
    proto::{Cause, Offered, Outcome, Peer, Progress, SendError},
    wire::{Code, GATHERED, OVERHEAD},
};

/// Bytes that senders may leave before the pump has written them: what one write gathers, and a little
/// less, so that our answers have room beside them.
const ROOM: usize = GATHERED - 8 * 1024;
/// Plaintext of a record that we send, at least, when a message is cut.
const RECORD: usize = 16 * 1024;

/// A sender that many tasks share: clone it.
///
/// The messages of one clone keep their order; clones take turns. When the last one is dropped our
/// direction ends.
pub struct SharedSender {
    shared: Arc<Shared>,
}

/// Sends what the [`SharedSender`]s leave: spawn it. It resolves to the outcome of the session.
///
/// Dropped before, it aborts the session, and the senders say so.
#[must_use = "nothing is sent unless the pump is polled"]
pub struct Pump {
    sender: Sender,
    shared: Arc<Shared>,
    taken: watch::Sender<Known>,
}

/// What the pump tells the senders.
#[derive(Debug, Clone, Default)]
struct Known {
    taken: u64,
    /// No more will be known.
    end: Option<SendError>,
}

struct Shared {
    link: Arc<super::link::Link>,
    /// Bytes of room. It is handed out in the order of asking, so that no sender starves, and before it
    /// is used, so that no sender waits for another to run.
    room: Semaphore,
    /// Bytes taken over whose room has not been given back; changed under the lock of `outgoing` alone.
    left: AtomicUsize,
    /// The pump has looked.
    looked: Notify,
    looks: AtomicUsize,
    pump: Slot,
    signalled: AtomicBool,
    wants_receipt: AtomicBool,
    senders: AtomicUsize,
    known: watch::Receiver<Known>,
}

impl Session {
    /// Splits the session into a sender that can be cloned, the receiving half, and the pump that sends.
    ///
    /// ```
    /// # use duologue::{Config, PeerPolicy, Received, SecretKey, Sent, accept, connect};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (alice, bob) = (SecretKey::generate()?, SecretKey::generate()?);
    /// # let (a, b) = (alice.public_key(), bob.public_key());
    /// # let (near, far) = tokio::io::duplex(64 * 1024);
    /// # let (alice, bob) = (Config::new(alice), Config::new(bob).peers(PeerPolicy::pinned([a])));
    /// # let (near, far) = tokio::join!(connect(near, Some(&b), &alice), accept(far, &bob));
    /// # let (alice, mut bob) = (near?, far?);
    /// let (sender, receiver, pump) = alice.into_pumped();
    /// let pump = tokio::spawn(pump);
    /// for task in 0..4_u8 {
    ///     let sender = sender.clone();
    ///     tokio::spawn(async move { sender.send(&[task]).await });
    /// }
    /// drop((sender, receiver));
    /// let mut count = 0;
    /// while bob.recv().await?.is_some() {
    ///     count += 1;
    /// }
    /// bob.close().await;
    /// assert_eq!((count, pump.await?.sent), (4, Sent::Delivered(4)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "nothing is sent unless the pump is polled"]
    pub fn into_pumped(self) -> (SharedSender, Receiver, Pump) {
        let (sender, receiver) = self.split();
        sender.link.outgoing().path.share();
        let (taken, known) = watch::channel(Known::default());
        let shared = Arc::new(Shared {
            link: Arc::clone(&sender.link),
            room: Semaphore::new(ROOM),
            left: AtomicUsize::new(0),
            looked: Notify::new(),
            looks: AtomicUsize::new(0),
            pump: Slot::default(),
            signalled: AtomicBool::new(false),
            wants_receipt: AtomicBool::new(false),
            senders: AtomicUsize::new(1),
            known,
        });
        let pump = Pump {
            sender,
            shared: Arc::clone(&shared),
            taken,
        };
        (SharedSender { shared }, receiver, pump)
    }
}

impl SharedSender {
    /// Leaves a whole message for the pump; waits for room, in order with the other clones.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`], and [`SendError::NotPumped`] if there is no room because nobody polls the pump.
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send`].
    pub async fn send(&self, message: &[u8]) -> Result<(), SendError> {
        self.leave(message).await.map(|_position| ())
    }

    /// Sends a message and waits until the peer's application has taken it.
    ///
    /// # Errors
    ///
    /// As [`SharedSender::send`], and [`SendError::Stopped`] if the peer will not take it.
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send_confirmed`].
    pub async fn send_confirmed(&self, message: &[u8]) -> Result<(), SendError> {
        let position = self.leave(message).await?;
        let mut known = self.shared.known.clone();
        self.shared.wants_receipt.store(true, Ordering::SeqCst);
        self.shared.signal();
        let seen = known
            .wait_for(|known| known.taken >= position || known.end.is_some())
            .await;
        match seen {
            Ok(known) if known.taken >= position => Ok(()),
            Ok(known) => Err(known.end.clone().unwrap_or(SendError::NotPumped)),
            Err(_closed) => Err(SendError::Over(Cause::Dropped)),
        }
    }

    async fn leave(&self, message: &[u8]) -> Result<u64, SendError> {
        let shared = &*self.shared;
        let length = u64::try_from(message.len()).unwrap_or(u64::MAX);
        let max = self.peer().max_message;
        if length > max {
            return Err(SendError::TooLarge { length, max });
        }
        let cost = cost(message);
        let permit = shared.room_for(cost).await?;
        let mut progress = Progress::default();
        let (offered, position) = shared.offer(message, &mut progress, cost)?;
        shared.signal();
        if offered == Offered::Whole {
            // The pump gives it back when the message is written.
            permit.forget();
            return Ok(position);
        }
        let mut guard = GiveUp {
            shared,
            armed: true,
        };
        let position = loop {
            let looked = shared.looked.notified();
            let (offered, position) = shared.offer(message, &mut progress, cost)?;
            shared.signal();
            if offered == Offered::Whole {
                break position;
            }
            shared.patiently(looked).await?;
        };
        guard.armed = false;
        permit.forget();
        Ok(position)
    }

    /// Messages that the peer's application has taken, of all clones together, as far as it has said so.
    #[must_use]
    pub fn taken_count(&self) -> u64 {
        self.shared.link.outgoing().path.taken_count()
    }

    /// Whom we talk to.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.shared.link.fixed.peer
    }
}

/// The room that a message takes. All of it, if it does not fit: then it is alone until it is taken over,
/// so that no other message comes between its pieces.
fn cost(message: &[u8]) -> usize {
    let records = (message.len() / RECORD).saturating_add(1);
    let overhead = records.saturating_mul(OVERHEAD);
    message.len().saturating_add(overhead).min(ROOM)
}

impl Shared {
    async fn room_for(&self, cost: usize) -> Result<SemaphorePermit<'_>, SendError> {
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        match self.room.try_acquire_many(cost) {
            Ok(permit) => return Ok(permit),
            Err(TryAcquireError::NoPermits) => {}
            Err(TryAcquireError::Closed) => return Err(self.over()),
        }
        let permit = self.patiently(self.room.acquire_many(cost)).await?;
        permit.map_err(|_closed| self.over())
    }

    /// Waits for the pump, as long as somebody polls it.
    async fn patiently<F: Future>(&self, waiting: F) -> Result<F::Output, SendError> {
        let limit = self.link.fixed.limits().write_stall;
        let mut waiting = pin!(waiting);
        loop {
            let looks = self.looks.load(Ordering::SeqCst);
            if let Ok(output) = tokio::time::timeout(limit, waiting.as_mut()).await {
                return Ok(output);
            }
            if self.looks.load(Ordering::SeqCst) == looks {
                return Err(SendError::NotPumped);
            }
        }
    }

    /// Why the pump is gone.
    fn over(&self) -> SendError {
        let known = self.known.borrow().end.clone();
        known.unwrap_or(SendError::Over(Cause::Dropped))
    }

    fn offer(
        &self,
        message: &[u8],
        progress: &mut Progress,
        cost: usize,
    ) -> Result<(Offered, u64), SendError> {
        let mut outgoing = self.link.outgoing();
        let waiting = outgoing.path.waiting();
        if cost < ROOM && waiting.saturating_add(cost) > GATHERED {
            // Our answers take more than is kept for them. It must not be left in part.
            return Ok((Offered::Full, 0));
        }
        let now = outgoing.now;
        let offered = outgoing.path.offer(message, progress, now)?;
        if offered == Offered::Whole {
            let left = self.left.load(Ordering::Relaxed);
            self.left
                .store(left.saturating_add(cost), Ordering::Relaxed);
        }
        Ok((offered, outgoing.path.sent_count()))
    }

    /// Gives back the room of what is written.
    fn give_back(&self) {
        let outgoing = self.link.outgoing();
        let left = self.left.load(Ordering::Relaxed);
        let kept = left.min(outgoing.path.waiting());
        self.left.store(kept, Ordering::Relaxed);
        let freed = left.saturating_sub(kept);
        drop(outgoing);
        self.room.add_permits(freed);
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.looked.notify_waiters();
    }

    /// Wakes the pump, once until it has looked.
    fn signal(&self) {
        // What was left before under the lock is seen by the look that is still to come.
        if !self.signalled.load(Ordering::SeqCst) && !self.signalled.swap(true, Ordering::SeqCst) {
            self.pump.wake_all();
        }
    }
}

/// Withdraws a large message whose future is dropped in its middle.
struct GiveUp<'a> {
    shared: &'a Shared,
    armed: bool,
}

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        if self.armed {
            let mut outgoing = self.shared.link.outgoing();
            let now = outgoing.now;
            outgoing.path.withdraw(now);
            drop(outgoing);
            // The pump may sleep by now: the peer must not keep the pieces until it has something else to do.
            self.shared.signal();
        }
    }
}

impl Clone for SharedSender {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::SeqCst);
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl Drop for SharedSender {
    fn drop(&mut self) {
        if self.shared.senders.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.shared.signalled.store(true, Ordering::SeqCst);
            self.shared.pump.wake_all();
        }
    }
}

impl Future for Pump {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let this = self.get_mut();
        let shared = &*this.shared;
        shared.pump.register(Side::Sender, cx.waker());
        shared.signalled.store(false, Ordering::SeqCst);
        if shared.wants_receipt.swap(false, Ordering::SeqCst) {
            let _over = this.sender.link.outgoing().path.request_receipt(now());
        }
        if shared.senders.load(Ordering::SeqCst) == 0 {
            let _over = this
                .sender
                .link
                .outgoing()
                .path
                .finish(Code::NONE, "", now());
            this.sender.link.closed(Side::Sender);
        }
        let end = this.sender.poll_pumped(cx);
        this.tell();
        shared.give_back();
        if end.is_ready() {
            shared.room.close();
        }
        end
    }
}

impl Pump {
    /// Tells the senders what is known.
    fn tell(&self) {
        let (taken, end) = self.sender.pumped_state();
        self.taken.send_if_modified(|known| {
            let news = known.taken != taken || (known.end.is_none() && end.is_some());
            if news {
                *known = Known { taken, end };
            }
            news
        });
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        // The sending half, dropped with this, aborts what has no end.
        self.shared.room.close();
        self.shared.looked.notify_waiters();
    }
}

impl fmt::Debug for SharedSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSender")
            .field("peer", self.peer())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump").finish_non_exhaustive()
    }
}
