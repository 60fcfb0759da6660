//! The sending half of a session.

use core::{
    fmt,
    future::{Future, poll_fn},
    task::{Context, Poll},
    time::Duration,
};
use std::{sync::Arc, time::Instant};

use tokio::task::coop;

use super::{
    link::{Link, now},
    timer::Timer,
    wakers::Side,
};
use crate::{
    proto::{Cause, Offered, Outcome, Peer, Progress, SendError},
    wire::Code,
};

/// The sending half of a session.
///
/// Dropping it before [`Sender::finish`] aborts the session with [`Code::DROPPED`]: nothing then looks like an end.
pub struct Sender {
    pub(super) link: Arc<Link>,
    timer: Timer,
}

impl Sender {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            timer: Timer::default(),
        }
    }

    /// Sends a whole message and waits until the transport has taken it.
    ///
    /// # Errors
    ///
    /// [`SendError::TooLarge`] before any byte is sent; [`SendError::Stopped`] if the peer takes no
    /// more; [`SendError::Finished`] after [`Sender::finish`]; [`SendError::Over`] with the session's end.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the message is sent whole or not at all: a small one is sent if this future was polled
    /// once with room for it, a large one that was under way is withdrawn.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Takes over a whole message, to be sent together with others; waits only for room.
    ///
    /// Up to 256 KiB are gathered. [`Sender::flush`] sends what is gathered.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send`].
    pub async fn feed(&mut self, message: &[u8]) -> Result<(), SendError> {
        let mut progress = Progress::default();
        match self.link.offer(message, &mut progress) {
            Ok(Offered::Whole) => Ok(()),
            Err(error) => Err(self.link.refine(error)),
            Ok(Offered::Full) => self.feed_rest(message, progress).await,
        }
    }

    async fn feed_rest(&mut self, message: &[u8], mut progress: Progress) -> Result<(), SendError> {
        let Self { link, timer } = self;
        let mut guard = Withdraw { link, armed: true };
        let fed = poll_fn(|cx| {
            let fed = link.poll_feed(cx, timer, message, &mut progress);
            guard.armed = fed.is_pending();
            fed
        });
        fed.await
    }

    pub(super) fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        message: &[u8],
        progress: &mut Progress,
    ) -> Poll<Result<(), SendError>> {
        let Self { link, timer } = self;
        link.poll_feed(cx, timer, message, progress)
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Self { link, timer } = self;
        link.poll_flush(cx, timer)
    }

    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let finished = self.link.outgoing().path.finish(Code::NONE, "", now());
        if let Err(error) = finished {
            return Poll::Ready(Err(self.link.refine(error)));
        }
        self.poll_flush(cx)
    }

    /// Sends what other tasks have left; ready with the outcome once the session is over.
    pub(super) fn poll_pumped(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Self { link, timer } = self;
        link.poll_end(cx, Side::Sender, timer)
    }

    /// Messages taken, and why no more will be, if that is known.
    pub(super) fn pumped_state(&self) -> (u64, Option<SendError>) {
        let outgoing = self.link.outgoing();
        let (taken, sent) = (outgoing.path.taken_count(), outgoing.path.sent_count());
        if outgoing.path.is_stopped() {
            return (taken, Some(SendError::Stopped { taken, sent }));
        }
        let broken = outgoing.broken.as_deref().cloned();
        drop(outgoing);
        let over = self.link.outcome().map(|outcome| outcome.cause.clone());
        (taken, broken.or(over).map(SendError::Over))
    }

    /// Waits until the transport has taken everything that was fed.
    ///
    /// # Errors
    ///
    /// [`SendError::Over`] if the session ended before.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was fed leaves with whatever future of the session is polled next.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        let Self { link, timer } = self;
        poll_fn(|cx| link.poll_flush(cx, timer)).await
    }

    /// Sends a message and waits until the peer's application has taken it.
    ///
    /// Taken is handed to the application for good; it is not processed.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`]; [`SendError::MustReceive`] if the receipt cannot come while our own input is
    /// full. The message stays sent then: [`Sender::wait_taken`] waits for it later.
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send`]; the receipt still counts in [`Sender::taken_count`].
    pub async fn send_confirmed(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.feed(message).await?;
        let position = self.sent_count();
        self.wait_taken(position).await
    }

    /// Waits until the peer's application has taken so many of our messages, counted from the first.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if it will not take so many, [`SendError::MustReceive`], [`SendError::Over`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn wait_taken(&mut self, count: u64) -> Result<(), SendError> {
        let Self { link, timer } = self;
        poll_fn(|cx| link.poll_taken(cx, timer, count)).await
    }

    /// Messages sent so far.
    #[must_use]
    pub fn sent_count(&self) -> u64 {
        self.link.outgoing().path.sent_count()
    }

    /// Messages that the peer's application has taken, as far as it has said so.
    ///
    /// These are safe to forget; the others may be sent again in another session.
    #[must_use]
    pub fn taken_count(&self) -> u64 {
        self.link.outgoing().path.taken_count()
    }

    /// Ends our direction: the peer's `recv` returns `None` once it has taken everything.
    ///
    /// Receiving goes on. Finishing twice is no error.
    ///
    /// # Errors
    ///
    /// [`SendError::Over`] if the session ended before.
    ///
    /// # Cancel safety
    ///
    /// Polled once, our direction is ended, whether or not this future is polled again.
    pub async fn finish(&mut self) -> Result<(), SendError> {
        self.finish_with(Code::NONE, "").await
    }

    /// Ends our direction with a code and a reason of at most 256 bytes.
    ///
    /// # Errors
    ///
    /// As [`Sender::finish`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::finish`].
    pub async fn finish_with(&mut self, code: Code, reason: &str) -> Result<(), SendError> {
        let finished = self.link.outgoing().path.finish(code, reason, now());
        finished.map_err(|error| self.link.refine(error))?;
        self.flush().await
    }

    /// Announces to both applications that this session will end within this time.
    ///
    /// # Errors
    ///
    /// [`SendError::Over`] if the session ended before.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the announcement leaves, whether or not this future is polled again.
    pub async fn drain(&mut self, within: Duration) -> Result<(), SendError> {
        self.link.still_open()?;
        self.link.drain(within, now())?;
        self.flush().await
    }

    /// Replaces our sending key now. Keys are also replaced by themselves.
    ///
    /// # Errors
    ///
    /// [`SendError::Over`] if the session ended before.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the key is replaced, whether or not this future is polled again.
    pub async fn rekey_now(&mut self) -> Result<(), SendError> {
        self.link.still_open()?;
        let rekeyed = self.link.outgoing().path.rekey_now(now());
        rekeyed.map_err(|error| self.link.refine(error))?;
        self.flush().await
    }

    /// The last measured time of a round trip, if there was one.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.link.outgoing().path.round_trip()
    }

    /// Measures a round trip with the next answer of the peer; see [`Sender::round_trip`].
    ///
    /// Nothing is asked while a question is out, or after very many in a short time.
    ///
    /// # Errors
    ///
    /// [`SendError::Over`] if the session ended before.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the question leaves.
    pub async fn ping(&mut self) -> Result<(), SendError> {
        self.link.still_open()?;
        let pinged = self.link.outgoing().path.ping(now());
        pinged.map_err(|error| self.link.refine(error))?;
        self.flush().await
    }

    /// Ends our direction and waits for the end of the whole session.
    ///
    /// While the receiving half lives, the end waits for it to take everything, or to be closed or dropped.
    ///
    /// # Cancel safety
    ///
    /// Call it again: the end goes on where it was.
    pub async fn close(&mut self) -> Outcome {
        let Self { link, timer } = self;
        let _over = link.outgoing().path.finish(Code::NONE, "", now());
        link.closed(Side::Sender);
        poll_fn(|cx| link.poll_end(cx, Side::Sender, timer)).await
    }

    /// Waits until the session is over, whoever ends it, and says how it ended. Ends nothing by itself.
    ///
    /// For a task that may learn beside its own work that nobody listens any more. While whole messages
    /// that came before a failure wait to be received, so does this, as the outcome counts them.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn wait_outcome(&mut self) -> Outcome {
        let Self { link, timer } = self;
        poll_fn(|cx| link.poll_end(cx, Side::Sender, timer)).await
    }

    /// Ends the session at once, in both directions, with a code and a reason that the peer sees.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the session is aborted.
    pub async fn abort(&mut self, code: Code, reason: &str) -> Outcome {
        let Self { link, timer } = self;
        link.abort(code, reason);
        poll_fn(|cx| link.poll_end(cx, Side::Sender, timer)).await
    }

    /// Runs a future and keeps the session alive meanwhile: answers, keepalive, deadlines.
    ///
    /// # Cancel safety
    ///
    /// As the future's.
    pub async fn attend<F: Future>(&mut self, future: F) -> F::Output {
        let Self { link, timer } = self;
        link.attend(Side::Sender, timer, future).await
    }

    /// Whom we talk to.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.link.fixed.peer
    }

    /// How the session ended, once that is known.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.link.outcome()
    }
}

/// Withdraws a message in its middle when its future is dropped.
struct Withdraw<'a> {
    link: &'a Link,
    armed: bool,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        if self.armed {
            let mut outgoing = self.link.outgoing();
            let now = outgoing.now;
            outgoing.path.withdraw(now);
        }
    }
}

impl Link {
    fn poll_feed(
        &self,
        cx: &mut Context<'_>,
        timer: &mut Timer,
        message: &[u8],
        progress: &mut Progress,
    ) -> Poll<Result<(), SendError>> {
        match self.offer(message, progress) {
            Ok(Offered::Whole) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(self.refine(error))),
            Ok(Offered::Full) => self.poll_room(cx, timer),
        }
    }

    #[inline]
    fn offer(&self, message: &[u8], progress: &mut Progress) -> Result<Offered, SendError> {
        let mut outgoing = self.outgoing();
        let now = outgoing.now;
        outgoing.path.offer(message, progress, now)
    }

    /// Whether something can still be said. Once there is an outcome, it cannot, however clean the end was.
    fn still_open(&self) -> Result<(), SendError> {
        match self.outcome() {
            Some(outcome) => Err(SendError::Over(outcome.cause.clone())),
            None => Ok(()),
        }
    }

    /// The end that an application sees: our own age limit is one, although our END has been sent.
    fn refine(&self, error: SendError) -> SendError {
        match error {
            SendError::Finished if self.life().expired => SendError::Over(Cause::Expired),
            other => other,
        }
    }

    /// Waits for room in the outgoing buffer; ready only with an error, else woken to offer again.
    fn poll_room(&self, cx: &mut Context<'_>, timer: &mut Timer) -> Poll<Result<(), SendError>> {
        let now = now();
        let next = self.drive(Side::Sender, cx.waker(), now);
        timer.set(next, cx);
        if self.outgoing().path.pending().is_empty() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn poll_flush(&self, cx: &mut Context<'_>, timer: &mut Timer) -> Poll<Result<(), SendError>> {
        let now = now();
        let mut outgoing = self.outgoing();
        let written = self.write(&mut outgoing, now);
        let over = outgoing.broken.as_deref().or(outgoing.path.silenced());
        if let Some(cause) = over {
            return Poll::Ready(Err(SendError::Over(cause.clone())));
        }
        drop(outgoing);
        if written.is_ready() {
            self.age(now);
            return Poll::Ready(self.look_in(cx, now));
        }
        if !coop::has_budget_remaining() {
            // The transport was not asked; nor would it be now.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = self.drive(Side::Sender, cx.waker(), now);
        timer.set(next, cx);
        if self.outgoing().is_flushed() {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Whoever only sends must hear it when the peer takes no more, and need not send into the void.
    // spec: E-5, E-9
    fn look_in(&self, cx: &Context<'_>, now: Instant) -> Result<(), SendError> {
        if self.take_received() || !self.wakers.read.is_stirred() {
            return Ok(());
        }
        self.drive_reading(Side::Sender, cx.waker(), now);
        self.wakers.read.forget(Side::Sender);
        self.serve(Side::Sender, cx.waker(), now);
        let failure = self
            .try_incoming(Side::Sender)
            .and_then(|incoming| incoming.path.failure().cloned());
        match failure {
            // Behind our END nothing is sent any more: the outcome tells the rest.
            Some(cause) if self.outgoing().path.ended().is_none() => Err(SendError::Over(cause)),
            _ => Ok(()),
        }
    }

    fn poll_taken(
        &self,
        cx: &mut Context<'_>,
        timer: &mut Timer,
        count: u64,
    ) -> Poll<Result<(), SendError>> {
        let now = now();
        if let Some(result) = self.taken(count) {
            return Poll::Ready(result);
        }
        let asked = self.outgoing().path.request_receipt(now);
        if let Err(error) = asked {
            return Poll::Ready(Err(error));
        }
        let next = self.drive(Side::Sender, cx.waker(), now);
        timer.set(next, cx);
        if let Some(result) = self.taken(count) {
            return Poll::Ready(result);
        }
        let blocked = self
            .try_incoming(Side::Sender)
            .is_some_and(|incoming| incoming.path.is_blocked());
        if blocked && !self.is_split() {
            return Poll::Ready(Err(SendError::MustReceive));
        }
        Poll::Pending
    }

    fn taken(&self, count: u64) -> Option<Result<(), SendError>> {
        {
            let outgoing = self.outgoing();
            let taken = outgoing.path.taken_count();
            if taken >= count {
                return Some(Ok(()));
            }
            if outgoing.path.is_stopped() {
                let sent = outgoing.path.sent_count();
                return Some(Err(SendError::Stopped { taken, sent }));
            }
            if let Some(cause) = &outgoing.broken {
                return Some(Err(SendError::Over(Cause::clone(cause))));
            }
        }
        let incoming = self.try_incoming(Side::Sender)?;
        let cause = incoming.path.failure()?;
        Some(Err(SendError::Over(cause.clone())))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.link.sender_dropped();
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("peer", self.peer())
            .finish_non_exhaustive()
    }
}
