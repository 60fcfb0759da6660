//! One session for many sending tasks: what they leave is gathered into full records and few writes.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::{Context, Poll},
};
use std::sync::Arc;

use tokio::sync::{Mutex, Notify, watch};

use super::{
    Receiver, Sender, Session,
    link::now,
    wakers::{Side, Slot},
};
use crate::{
    proto::{Cause, Offered, Outcome, Peer, Progress, SendError},
    wire::Code,
};

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
    /// Who puts a message that does not fit at once keeps the others waiting, in their order.
    turn: Mutex<()>,
    room: Notify,
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
        let (taken, known) = watch::channel(Known::default());
        let shared = Arc::new(Shared {
            link: Arc::clone(&sender.link),
            turn: Mutex::new(()),
            room: Notify::new(),
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
        let turn = shared.turn.lock().await;
        let mut progress = Progress::default();
        let mut guard = GiveUp {
            shared,
            armed: false,
        };
        let position = loop {
            let room = shared.room.notified();
            let (offered, position) = shared.offer(message, &mut progress)?;
            shared.signal();
            if offered == Offered::Whole {
                break position;
            }
            guard.armed = true;
            let limit = shared.link.fixed.limits().write_stall;
            if tokio::time::timeout(limit, room).await.is_err() {
                return Err(SendError::NotPumped);
            }
        };
        guard.armed = false;
        drop(turn);
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

impl Shared {
    fn offer(&self, message: &[u8], progress: &mut Progress) -> Result<(Offered, u64), SendError> {
        let mut outgoing = self.link.outgoing();
        let now = outgoing.now;
        let offered = outgoing.path.offer(message, progress, now)?;
        Ok((offered, outgoing.path.sent_count()))
    }

    /// Wakes the pump, once until it has looked.
    fn signal(&self) {
        if !self.signalled.swap(true, Ordering::SeqCst) {
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
        end
    }
}

impl Pump {
    /// Tells the senders what is known, and that there may be room.
    fn tell(&self) {
        let (taken, end) = self.sender.pumped_state();
        self.taken.send_if_modified(|known| {
            let news = known.taken != taken || (known.end.is_none() && end.is_some());
            if news {
                *known = Known { taken, end };
            }
            news
        });
        self.shared.room.notify_waiters();
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        // The sending half, dropped with this, aborts what has no end.
        self.shared.room.notify_waiters();
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
