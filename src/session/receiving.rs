//! What receives, for the session as for its half: looking, reading, handing out, waiting.

use core::{
    future::{Future, poll_fn},
    ops::Range,
    task::{Context, Poll},
};
use std::time::Instant;

use bytes::Bytes;
use tokio::task::coop;

use super::{
    link::{Alone, Common, ENOUGH, Incoming, Link, Read, now},
    reach::Reach,
    receiver::Event,
    timer::Timer,
    wakers::Side,
};
use crate::{
    proto::{Ended, Outcome, ReceiveError},
    wire::{self, Code},
};

/// The receiving side, for as long as one call lasts. What each does stands with [`Receiver`](super::Receiver).
pub(super) struct Receiving<'a, L> {
    link: L,
    own: &'a mut Received,
}

/// What the receiving side keeps between two calls.
#[derive(Default)]
pub(super) struct Received {
    timer: Timer,
    lent: Bytes,
    batch: Batch,
}

impl<'a, 'l, L: Reach<'l>> Receiving<'a, L> {
    pub(super) fn new(link: L, own: &'a mut Received) -> Self {
        Self { link, own }
    }

    pub(super) async fn recv(mut self) -> Result<Option<Bytes>, ReceiveError> {
        if let Some(place) = self.next_quickly() {
            return Ok(Some(self.own.batch.bytes.slice(place)));
        }
        self.recv_slowly().await
    }

    pub(super) async fn recv_ref(mut self) -> Result<Option<&'a [u8]>, ReceiveError> {
        if let Some(place) = self.next_quickly() {
            return Ok(self.own.batch.bytes.get(place));
        }
        let message = self.recv_slowly().await?;
        Ok(message.map(|message| {
            self.own.lent = message;
            &*self.own.lent
        }))
    }

    /// The next message of the batch that we have, if it is only to be counted.
    #[inline]
    fn next_quickly(&mut self) -> Option<Range<usize>> {
        if !self.link.is_quick() {
            return None;
        }
        let place = self.own.batch.next()?;
        self.link.hand_quickly();
        Some(place)
    }

    async fn recv_slowly(&mut self) -> Result<Option<Bytes>, ReceiveError> {
        let Self { link, own } = self;
        // Let go of what was lent before the next read, so that the input buffer can be used again.
        own.lent.clear();
        let mut parked = link.parked();
        poll_fn(|cx| {
            let wait = (&mut parked, &mut own.timer);
            link.poll_recv(cx, wait, &mut own.batch, Take::Count)
        })
        .await
    }

    /// Receives a message without counting it as taken: that is for whoever looks into it first.
    pub(super) fn poll_recv_uncounted(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, ReceiveError>> {
        let Self { link, own } = self;
        let mut parked = link.parked();
        let wait = (&mut parked, &mut own.timer);
        link.poll_recv(cx, wait, &mut own.batch, Take::Later)
    }

    pub(super) async fn recv_event(mut self) -> Result<Event, ReceiveError> {
        let Self { link, own } = &mut self;
        own.lent.clear();
        let mut parked = link.parked();
        poll_fn(|cx| {
            if let Some(draining) = link.draining() {
                return Poll::Ready(Ok(draining));
            }
            let wait = (&mut parked, &mut own.timer);
            let received = link.poll_recv(cx, wait, &mut own.batch, Take::Count);
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

    pub(super) async fn close(self) -> Outcome {
        self.link.stop_taking();
        self.link.closed(Side::Receiver);
        self.wait_outcome().await
    }

    pub(super) async fn abort(self, code: Code, reason: &str) -> Outcome {
        self.link.abort(code, reason);
        self.wait_outcome().await
    }

    async fn wait_outcome(self) -> Outcome {
        let Self { link, own } = self;
        poll_fn(|cx| link.poll_end(cx, Side::Receiver, &mut own.timer)).await
    }

    pub(super) async fn attend<F: Future>(self, future: F) -> F::Output {
        let Self { link, own } = self;
        link.attend(Side::Receiver, &mut own.timer, future).await
    }
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

/// Whether a message counts as taken when it is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    Count,
    Later,
}

/// Says that the receiving half waits, for as long as it does. While a session is not split, there is nobody to tell.
#[derive(Default)]
pub(super) struct Parked<'l> {
    half: Option<&'l Link>,
    parked: bool,
}

impl<'l> Parked<'l> {
    pub(super) fn of_half(link: &'l Link) -> Self {
        Self {
            half: Some(link),
            parked: false,
        }
    }

    fn park(&mut self) {
        if let Some(link) = self.half {
            self.parked = true;
            link.set_receiving(true);
        }
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.half.filter(|_link| self.parked) {
            link.set_receiving(false);
            // The other half may have left reading to us.
            link.wakers.news.wake_all();
        }
    }
}

/// What looking for a message came to.
pub(super) enum Looked {
    /// One; and when it was read, unless it was there already.
    Message(Bytes, Option<Instant>),
    /// Others get their turn first.
    NoTurn,
    /// None.
    Nothing(Read, Instant),
}

impl Link {
    /// Counts what was received uncounted, unless the application does so itself.
    pub(super) fn count_handed_out(&self) {
        let mut incoming = self.incoming();
        incoming.path.settle();
        if let Some(notices) = incoming.path.notices() {
            drop(incoming);
            self.post(notices);
        }
    }

    /// Counts every message handed out so far as taken.
    pub(super) fn acknowledge(&self) {
        let mut incoming = self.incoming();
        incoming.path.acknowledge();
        if let Some(notices) = incoming.path.notices() {
            drop(incoming);
            self.post(notices);
            self.wakers.news.wake_all();
        }
    }

    /// The code and the reason with which the peer ended, once everything before is received.
    pub(super) fn peer_end(&self) -> Option<Ended> {
        let incoming = self.incoming();
        let complete = incoming.path.is_complete();
        complete.then(|| incoming.path.peer_ended().cloned())?
    }

    fn draining(&self) -> Option<Event> {
        let theirs = self.incoming().path.draining();
        let from_peer = theirs.is_some();
        let deadline = theirs.or_else(|| self.with_life(|life| life.draining.take()))?;
        Some(Event::Draining {
            deadline,
            from_peer,
        })
    }

    /// What is left to do behind a look: with a message, or before there is one.
    pub(super) fn looked(
        &self,
        cx: &mut Context<'_>,
        (parked, timer): (&mut Parked<'_>, &mut Timer),
        looked: Looked,
    ) -> Poll<Result<Option<Bytes>, ReceiveError>> {
        let (read, now) = match looked {
            Looked::NoTurn => return Poll::Pending,
            Looked::Message(message, read_at) => {
                if let Some(now) = read_at {
                    self.age(now);
                }
                if self.has_mail() {
                    self.serve(Side::Receiver, cx.waker(), read_at.unwrap_or_else(now));
                }
                return Poll::Ready(Ok(Some(message)));
            }
            Looked::Nothing(read, now) => (read, now),
        };
        let end = self.end_of_input(&mut self.incoming());
        if let Some(end) = end {
            self.serve(Side::Receiver, cx.waker(), now);
            return Poll::Ready(end);
        }
        if !self.is_split() {
            self.wait_for_input(cx);
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

impl Common {
    /// Looks for the next message: in the batch, in the queue, in the input, in the transport.
    pub(super) fn look(
        &self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
        batch: &mut Batch,
        take: Take,
    ) -> Looked {
        if let Some(message) = self.hand_out(incoming, batch, take) {
            return Looked::Message(message, None);
        }
        // Whoever takes one message after the other has others on its thread (threat: 97).
        match coop::poll_proceed(cx) {
            Poll::Ready(turn) => turn.made_progress(),
            Poll::Pending => return Looked::NoTurn,
        }
        let now = now();
        // The other half may have news at any time; while there is none, only the transport may call.
        if self.is_split() {
            self.wait_for_input(cx);
        }
        // It is handed out: what it stood in can be used again.
        *batch = Batch::default();
        let read = self.read(incoming, now, ENOUGH);
        match self.hand_out(incoming, batch, take) {
            Some(message) => {
                incoming.has_received();
                Looked::Message(message, Some(now))
            }
            None => Looked::Nothing(read, now),
        }
    }

    fn wait_for_input(&self, cx: &Context<'_>) {
        self.wakers.news.register(Side::Receiver, cx.waker());
        self.wakers.read.register(Side::Receiver, cx.waker());
    }

    /// Hands out the next message: of the batch that is out already, else of the queue.
    fn hand_out(&self, incoming: &mut Incoming, batch: &mut Batch, take: Take) -> Option<Bytes> {
        let message = self.next_message(incoming, batch, take)?;
        if let Some(notices) = incoming.path.notices() {
            self.post(notices);
        }
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
        if place.is_none() {
            if path.is_exhausted() {
                return None;
            }
            if take == Take::Count
                && !self.is_split()
                && path.is_only_counted()
                && let Some(bytes) = path.give_batch()
            {
                *batch = Batch { bytes, at: 0 };
                place = batch.next();
            }
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
}

impl Alone<'_> {
    /// Whether a session that found no message has nothing to do but wait for the transport or the alarm,
    /// which is set.
    pub(super) fn waits(&self, looked: &Looked, cx: &mut Context<'_>, timer: &mut Timer) -> bool {
        let Looked::Nothing(Read::Waiting, now) = looked else {
            return false;
        };
        let Self {
            outgoing,
            incoming,
            common,
        } = self;
        if !incoming.path.is_open() {
            return false;
        }
        // News there can be: two tasks may share a session behind a lock of their own, as the halves of a
        // byte stream that tokio has split.
        common.wait_for_input(cx);
        if common.wakers.read.is_stirred() {
            return false;
        }
        let Some(next) = common.quiet(outgoing, incoming, *now) else {
            return false;
        };
        timer.set(next, cx);
        true
    }
}
