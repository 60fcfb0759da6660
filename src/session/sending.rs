//! What sends, for the session as for its half: feeding, flushing, receipts, our end.

use core::{
    future::{Future, poll_fn},
    task::{Context, Poll},
    time::Duration,
};
use std::time::Instant;

use tokio::task::coop;

use super::{
    link::{Link, now},
    reach::Reach,
    timer::Timer,
    wakers::Side,
};
use crate::{
    proto::{Cause, Offered, Outcome, Progress, SendError},
    wire::Code,
};

/// The sending side, for as long as one call lasts. What each does stands with [`Sender`](super::Sender).
pub(super) struct Sending<'a, L> {
    link: L,
    timer: &'a mut Timer,
}

impl<'a, 'l, L: Reach<'l>> Sending<'a, L> {
    pub(super) fn new(link: L, timer: &'a mut Timer) -> Self {
        Self { link, timer }
    }

    pub(super) async fn send(mut self, message: &[u8]) -> Result<(), SendError> {
        let mut progress = Progress::default();
        if self.offer(message, &mut progress)? == Offered::Full {
            self.take_rest(message, progress).await?;
        }
        self.flush().await
    }

    // Called for each message: no future within the future while there is room.
    pub(super) async fn feed(mut self, message: &[u8]) -> Result<(), SendError> {
        let mut progress = Progress::default();
        match self.offer(message, &mut progress)? {
            Offered::Whole => Ok(()),
            Offered::Full => self.take_rest(message, progress).await,
        }
    }

    fn offer(&mut self, message: &[u8], progress: &mut Progress) -> Result<Offered, SendError> {
        let offered = self.link.offer(message, progress);
        offered.map_err(|error| self.link.refine(error))
    }

    async fn take_rest(&mut self, message: &[u8], mut progress: Progress) -> Result<(), SendError> {
        let Self { link, timer } = self;
        let link: &Link = link;
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
        self.link.poll_feed(cx, self.timer, message, progress)
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.link.poll_flush(cx, self.timer)
    }

    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if let Err(error) = self.end(Code::NONE, "") {
            return Poll::Ready(Err(error));
        }
        self.poll_flush(cx)
    }

    pub(super) async fn flush(mut self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    pub(super) async fn send_confirmed(mut self, message: &[u8]) -> Result<(), SendError> {
        let mut progress = Progress::default();
        if self.offer(message, &mut progress)? == Offered::Full {
            self.take_rest(message, progress).await?;
        }
        let position = self.link.sent_count();
        self.wait_taken(position).await
    }

    pub(super) async fn wait_taken(self, count: u64) -> Result<(), SendError> {
        let Self { link, timer } = self;
        poll_fn(|cx| link.poll_taken(cx, timer, count)).await
    }

    fn end(&self, code: Code, reason: &str) -> Result<(), SendError> {
        let ended = self.link.outgoing().path.finish(code, reason, now());
        ended.map_err(|error| self.link.refine(error))
    }

    pub(super) async fn finish(self, code: Code, reason: &str) -> Result<(), SendError> {
        self.end(code, reason)?;
        self.flush().await
    }

    pub(super) async fn drain(self, within: Duration) -> Result<(), SendError> {
        self.link.still_open()?;
        self.link.drain(within, now())?;
        self.flush().await
    }

    pub(super) async fn rekey_now(self) -> Result<(), SendError> {
        self.link.still_open()?;
        let rekeyed = self.link.outgoing().path.rekey_now(now());
        rekeyed.map_err(|error| self.link.refine(error))?;
        self.flush().await
    }

    pub(super) async fn ping(self) -> Result<(), SendError> {
        self.link.still_open()?;
        let pinged = self.link.outgoing().path.ping(now());
        pinged.map_err(|error| self.link.refine(error))?;
        self.flush().await
    }

    pub(super) async fn close(self) -> Outcome {
        let _over = self.link.outgoing().path.finish(Code::NONE, "", now());
        self.link.closed(Side::Sender);
        self.wait_outcome().await
    }

    pub(super) async fn wait_outcome(mut self) -> Outcome {
        poll_fn(|cx| self.poll_end(cx)).await
    }

    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.link.poll_end(cx, Side::Sender, self.timer)
    }

    pub(super) async fn abort(self, code: Code, reason: &str) -> Outcome {
        self.link.abort(code, reason);
        self.wait_outcome().await
    }

    pub(super) async fn attend<F: Future>(self, future: F) -> F::Output {
        let Self { link, timer } = self;
        link.attend(Side::Sender, timer, future).await
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
    pub(super) fn poll_feed(
        &self,
        cx: &mut Context<'_>,
        timer: &mut Timer,
        message: &[u8],
        progress: &mut Progress,
    ) -> Poll<Result<(), SendError>> {
        let offered = self.outgoing().offer(message, progress);
        match offered {
            Ok(Offered::Whole) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(self.refine(error))),
            Ok(Offered::Full) => self.poll_room(cx, timer),
        }
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

    /// What is left to do behind a write.
    pub(super) fn flushed(
        &self,
        cx: &mut Context<'_>,
        timer: &mut Timer,
        (written, now): (Result<Poll<()>, SendError>, Instant),
        knows_news: bool,
    ) -> Poll<Result<(), SendError>> {
        if written?.is_ready() {
            self.age(now);
            if knows_news {
                return Poll::Ready(Ok(()));
            }
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
        if !self.wakers.read.is_stirred() {
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

    /// Messages sent so far.
    pub(super) fn sent_count(&self) -> u64 {
        self.outgoing().path.sent_count()
    }

    /// Messages that the peer's application has taken, as far as it has said so.
    pub(super) fn taken_count(&self) -> u64 {
        self.outgoing().path.taken_count()
    }

    /// The last measured time of a round trip, if there was one.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.outgoing().path.round_trip()
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
