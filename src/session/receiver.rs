//! The receiving half of a session.

use core::{
    fmt,
    future::{Future, poll_fn},
    ops::Range,
    task::{Context, Poll},
};
use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use tokio::task::coop;

use super::{
    link::{ENOUGH, Incoming, Link, Read, now},
    timer::Timer,
    wakers::Side,
};
use crate::{
    proto::{Ended, Outcome, Peer, ReceiveError},
    wire::{self, Code},
};

/// The receiving half of a session.
///
/// Dropping it tells the peer that nothing more is taken; the sending half goes on.
pub struct Receiver {
    pub(super) link: Arc<Link>,
    timer: Timer,
    lent: Bytes,
    batch: Batch,
}

/// A batch whose messages the receiving half hands out by itself.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Bytes,
    at: usize,
}

impl Batch {
    /// Where the next message stands.
    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        let mut rest = self.bytes.get(self.at..)?;
        let message = wire::next_message(&mut rest)?.len();
        let end = self.bytes.len().saturating_sub(rest.len());
        self.at = end;
        Some(end.saturating_sub(message)..end)
    }
}

/// What [`Receiver::recv_event`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A whole message.
    Message(Bytes),
    /// The session will end by then: by our age limit, by [`Sender::drain`](crate::Sender::drain), or as the peer announced.
    #[non_exhaustive]
    Draining {
        /// By when.
        deadline: Instant,
        /// Whether the peer has announced it; else it comes from our side.
        from_peer: bool,
    },
    /// The peer has ended its direction, and everything it sent has been handed out.
    Ended,
}

impl Receiver {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            timer: Timer::default(),
            lent: Bytes::new(),
            batch: Batch::default(),
        }
    }

    /// Receives the next whole message; `None` once the peer has ended, provably.
    ///
    /// The message counts as taken. Held, it keeps at most one input buffer (256 KiB) or itself alive.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::Truncated`] if the session broke before the peer ended, after every whole message
    /// has been handed out; [`ReceiveError::Stopped`] after the session was closed on our side.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: a message counts only when this future hands it out.
    pub async fn recv(&mut self) -> Result<Option<Bytes>, ReceiveError> {
        if let Some(place) = self.next_quickly() {
            return Ok(Some(self.batch.bytes.slice(place)));
        }
        self.recv_slowly().await
    }

    /// The next message of the batch that we have, if it is only to be counted.
    #[inline]
    fn next_quickly(&mut self) -> Option<Range<usize>> {
        if !self.link.is_quick() {
            return None;
        }
        let place = self.batch.next()?;
        self.link.hand_quickly();
        Some(place)
    }

    async fn recv_slowly(&mut self) -> Result<Option<Bytes>, ReceiveError> {
        // Let go of what was lent before the next read, so that the input buffer can be used again.
        self.lent.clear();
        let Self {
            link, timer, batch, ..
        } = self;
        let mut parked = Parked::new(link);
        poll_fn(|cx| link.poll_recv(cx, timer, (&mut parked, batch), Take::Count)).await
    }

    /// Receives a message without counting it as taken: that is for whoever looks into it first.
    pub(super) fn poll_recv_uncounted(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, ReceiveError>> {
        let Self {
            link, timer, batch, ..
        } = self;
        let mut parked = Parked::new(link);
        link.poll_recv(cx, timer, (&mut parked, batch), Take::Later)
    }

    /// Counts what was received uncounted, unless the application does so itself.
    pub(super) fn count_handed_out(&mut self) {
        let mut incoming = self.link.incoming();
        incoming.path.settle();
        if let Some(notices) = incoming.path.notices() {
            drop(incoming);
            self.link.post(notices);
        }
    }

    /// Receives the next whole message as a slice that is lent until the next call.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv`].
    ///
    /// # Cancel safety
    ///
    /// As [`Receiver::recv`].
    pub async fn recv_ref(&mut self) -> Result<Option<&[u8]>, ReceiveError> {
        if let Some(place) = self.next_quickly() {
            return Ok(self.batch.bytes.get(place));
        }
        let message = self.recv_slowly().await?;
        Ok(message.map(|message| {
            self.lent = message;
            &*self.lent
        }))
    }

    /// Receives the next message, or the news that the session will end soon, or that the peer has ended.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv`].
    ///
    /// # Cancel safety
    ///
    /// As [`Receiver::recv`].
    pub async fn recv_event(&mut self) -> Result<Event, ReceiveError> {
        let Self {
            link,
            timer,
            lent,
            batch,
        } = self;
        lent.clear();
        let mut parked = Parked::new(link);
        poll_fn(|cx| {
            if let Some(draining) = link.draining() {
                return Poll::Ready(Ok(draining));
            }
            let received = link.poll_recv(cx, timer, (&mut parked, batch), Take::Count);
            if let Poll::Ready(Ok(Some(message))) = received {
                return Poll::Ready(Ok(Event::Message(message)));
            }
            // What was announced comes before the end that it announces; the end is said again.
            if let Some(draining) = link.draining() {
                return Poll::Ready(Ok(draining));
            }
            received.map_ok(|message| message.map_or(Event::Ended, Event::Message))
        })
        .await
    }

    /// Counts every message handed out so far as taken.
    ///
    /// Needed only with [`Config::acknowledge_explicitly`](crate::Config::acknowledge_explicitly). The
    /// receipt leaves with the next future of the session that is polled.
    pub fn acknowledge(&mut self) {
        let mut incoming = self.link.incoming();
        incoming.path.acknowledge();
        if let Some(notices) = incoming.path.notices() {
            drop(incoming);
            self.link.post(notices);
            self.link.wakers.news.wake_all();
        }
    }

    /// Messages that count as taken.
    #[must_use]
    pub fn taken_count(&self) -> u64 {
        self.link.incoming().path.taken_count()
    }

    /// The code and the reason with which the peer ended its direction, once everything before is received.
    #[must_use]
    pub fn peer_end(&self) -> Option<Ended> {
        let incoming = self.link.incoming();
        let complete = incoming.path.is_complete();
        complete.then(|| incoming.path.peer_ended().cloned())?
    }

    /// Takes no more messages and waits for the end of the whole session.
    ///
    /// What is untaken is discarded and not counted. While the sending half lives, the end waits for it
    /// to be finished or closed.
    ///
    /// # Cancel safety
    ///
    /// Call it again: the end goes on where it was.
    pub async fn close(&mut self) -> Outcome {
        let Self { link, timer, .. } = self;
        link.stop_taking();
        link.closed(Side::Receiver);
        poll_fn(|cx| link.poll_end(cx, Side::Receiver, timer)).await
    }

    /// Ends the session at once, in both directions, with a code and a reason that the peer sees.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the session is aborted.
    pub async fn abort(&mut self, code: Code, reason: &str) -> Outcome {
        let Self { link, timer, .. } = self;
        link.abort(code, reason);
        poll_fn(|cx| link.poll_end(cx, Side::Receiver, timer)).await
    }

    /// Runs a future and keeps the session alive meanwhile: answers, keepalive, deadlines.
    ///
    /// # Cancel safety
    ///
    /// As the future's.
    pub async fn attend<F: Future>(&mut self, future: F) -> F::Output {
        let Self { link, timer, .. } = self;
        link.attend(Side::Receiver, timer, future).await
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

/// Whether a message counts as taken when it is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    Count,
    Later,
}

/// Says that the receiving half waits, for as long as it does.
pub(super) struct Parked<'a> {
    link: &'a Link,
    inert: bool,
    parked: bool,
}

impl<'a> Parked<'a> {
    /// While a session is not split, there is nobody to tell.
    fn new(link: &'a Link) -> Self {
        Self {
            link,
            inert: !link.is_split(),
            parked: false,
        }
    }

    fn park(&mut self) {
        if !self.inert {
            self.parked = true;
            self.link.set_receiving(true);
        }
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        if self.parked {
            self.link.set_receiving(false);
            // The other half may have left reading to us.
            self.link.wakers.news.wake_all();
        }
    }
}

impl Link {
    fn draining(&self) -> Option<Event> {
        let theirs = self.incoming().path.draining();
        let from_peer = theirs.is_some();
        let deadline = theirs.or_else(|| self.with_life(|life| life.draining.take()))?;
        Some(Event::Draining {
            deadline,
            from_peer,
        })
    }

    pub(super) fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        timer: &mut Timer,
        (parked, batch): (&mut Parked<'_>, &mut Batch),
        take: Take,
    ) -> Poll<Result<Option<Bytes>, ReceiveError>> {
        let mut incoming = self.incoming();
        if let Some(message) = self.hand_out(&mut incoming, batch, take) {
            let notices = incoming.path.notices();
            drop(incoming);
            if let Some(notices) = notices {
                self.post(notices);
                self.serve(Side::Receiver, cx.waker(), now());
            }
            return Poll::Ready(Ok(Some(message)));
        }
        // Whoever takes one message after the other has others on its thread (threat: 97).
        match coop::poll_proceed(cx) {
            Poll::Ready(turn) => turn.made_progress(),
            Poll::Pending => return Poll::Pending,
        }
        let now = now();
        // The other half may have news at any time; while there is none, only the transport may call.
        let split = self.is_split();
        if split {
            self.wait_for_input(cx);
        }
        // It is handed out: what it stood in can be used again.
        *batch = Batch::default();
        let read = self.read(&mut incoming, now, ENOUGH);
        if let Some(message) = self.hand_out(&mut incoming, batch, take) {
            if let Some(notices) = incoming.path.notices() {
                self.post(notices);
            }
            drop(incoming);
            self.has_received();
            self.age(now);
            self.serve(Side::Receiver, cx.waker(), now);
            return Poll::Ready(Ok(Some(message)));
        }
        let end = self.end_of_input(&mut incoming);
        if end.is_none() && !split {
            self.wait_for_input(cx);
            if read == Read::Waiting
                && !self.wakers.read.is_stirred()
                && let Some(next) = self.quiet(&incoming, now)
            {
                timer.set(next, cx);
                return Poll::Pending;
            }
        }
        drop(incoming);
        if let Some(end) = end {
            self.serve(Side::Receiver, cx.waker(), now);
            return Poll::Ready(end);
        }
        if read == Read::Yield || self.wakers.read.is_stirred() {
            cx.waker().wake_by_ref();
        }
        parked.park();
        self.settle(cx, timer, now);
        // The clock may have ended the session.
        let end = self.end_of_input(&mut self.incoming());
        end.map_or(Poll::Pending, Poll::Ready)
    }

    fn wait_for_input(&self, cx: &Context<'_>) {
        self.wakers.news.register(Side::Receiver, cx.waker());
        self.wakers.read.register(Side::Receiver, cx.waker());
    }

    /// Hands out the next message: of the batch that is out already, else of the queue.
    fn hand_out(&self, incoming: &mut Incoming, batch: &mut Batch, take: Take) -> Option<Bytes> {
        let message = self.next_message(incoming, batch, take)?;
        // The outcome of a broken session waits for the last whole message.
        if incoming.path.is_empty() && incoming.path.failure().is_some() {
            self.wakers.news.wake_all();
        }
        Some(message)
    }

    fn next_message(
        &self,
        incoming: &mut Incoming,
        batch: &mut Batch,
        take: Take,
    ) -> Option<Bytes> {
        let path = &mut incoming.path;
        if path.is_stopped() {
            *batch = Batch::default();
        }
        let mut place = batch.next();
        if place.is_none() && path.is_exhausted() {
            return None;
        }
        if place.is_none()
            && take == Take::Count
            && !self.is_split()
            && path.is_only_counted()
            && let Some(bytes) = path.give_batch()
        {
            *batch = Batch { bytes, at: 0 };
            place = batch.next();
        }
        let Some(place) = place else {
            return match take {
                Take::Count => path.take(),
                Take::Later => path.hand_out(),
            };
        };
        path.hand_one();
        if take == Take::Count {
            path.settle();
        }
        self.start_handing(incoming);
        Some(batch.bytes.slice(place))
    }

    /// Before the receiving half waits, what others wait for leaves.
    fn settle(&self, cx: &mut Context<'_>, timer: &mut Timer, now: Instant) {
        self.take_over_write();
        self.serve(Side::Receiver, cx.waker(), now);
        if !self.is_split() {
            let mut outgoing = self.outgoing();
            if outgoing.path.is_open() || !outgoing.path.pending().is_empty() {
                self.wakers.write.register(Side::Receiver, cx.waker());
                let _waits = self.write(&mut outgoing, now);
            }
        }
        let next = self.clock(Side::Receiver, cx.waker(), now);
        timer.set(next, cx);
    }

    /// What `recv` says when no message waits and none will come.
    fn end_of_input(&self, incoming: &mut Incoming) -> Option<Result<Option<Bytes>, ReceiveError>> {
        if !incoming.path.is_empty() {
            return None;
        }
        if incoming.path.is_complete() && !incoming.path.is_stopped() {
            return Some(Ok(None));
        }
        let failed = incoming.path.failure().is_some();
        if failed {
            let mut outgoing = self.outgoing();
            self.heed_mail(&mut outgoing, now());
            let cause = self.cause(incoming, &outgoing)?;
            let cause = self.conclude(incoming, &mut outgoing, cause).cause.clone();
            return Some(Err(ReceiveError::Truncated {
                arrived: incoming.path.arrived_count(),
                cause,
            }));
        }
        incoming
            .path
            .is_stopped()
            .then_some(Err(ReceiveError::Stopped))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.link.receiver_dropped();
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("peer", self.peer())
            .finish_non_exhaustive()
    }
}
