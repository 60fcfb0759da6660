//! How a session ends: the close handshake, the last word, the outcome (spec: section 6, L-14).

use core::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll},
};
use std::time::Instant;

use super::{
    link::{LastWord, Link, now},
    timer::Timer,
    wakers::Side,
};
use crate::{
    proto::{Cause, Outcome, TimeLimit},
    wire::Code,
};

/// Who still holds the session, and how far its end is.
#[derive(Default)]
pub(super) struct Closing {
    pub(super) sender_done: bool,
    pub(super) receiver_done: bool,
    sender_gone: bool,
    receiver_gone: bool,
    /// An application wanted the end at once: what is untaken is not waited for.
    aborted: bool,
    last_word: Option<LastWord>,
    released: bool,
}

impl Link {
    /// A half was closed: the end deadline runs once both are.
    // spec: E-14
    pub(super) fn closed(&self, side: Side) {
        let mut closing = self.closing();
        let done = match side {
            Side::Sender => &mut closing.sender_done,
            Side::Receiver => &mut closing.receiver_done,
        };
        // News only once: the pump says it in every poll.
        if core::mem::replace(done, true) {
            return;
        }
        let both = closing.sender_done && closing.receiver_done;
        drop(closing);
        if both {
            let deadline = now().checked_add(self.fixed.limits().end);
            self.with_life(|life| life.closing = life.closing.or(deadline));
        }
        self.wakers.news.wake_all();
    }

    /// Drives the session to its end and gives the outcome.
    pub(super) fn poll_end(
        &self,
        cx: &mut Context<'_>,
        side: Side,
        timer: &mut Timer,
    ) -> Poll<Outcome> {
        let now = now();
        let mut next = self.drive(side, cx.waker(), now);
        if self.outcome().is_none() {
            match self.settle_cause(side, now) {
                Some(cause) => {
                    let mut incoming = self.incoming();
                    let mut outgoing = self.outgoing();
                    self.conclude(&mut incoming, &mut outgoing, cause);
                    drop((incoming, outgoing));
                    // What the conclusion wants said must leave too.
                    next = self.drive(side, cx.waker(), now);
                    self.wakers.news.wake_all();
                }
                None => {
                    if self.is_over(now) {
                        // Its outcome waits for the receiving half, the peer need not.
                        let _parted = self.poll_parting(cx, side, &mut next);
                    }
                    next = earlier(next, self.life().closing);
                    timer.set(next, cx);
                    return Poll::Pending;
                }
            }
        }
        let Some(outcome) = self.outcome() else {
            return Poll::Pending;
        };
        if self.poll_parting(cx, side, &mut next).is_ready() {
            return Poll::Ready(outcome.clone());
        }
        timer.set(next, cx);
        Poll::Pending
    }

    /// A session that is over says its last word and lets go of the transport.
    // spec: L-14
    fn poll_parting(
        &self,
        cx: &mut Context<'_>,
        side: Side,
        next: &mut Option<Instant>,
    ) -> Poll<()> {
        let now = now();
        let mut closing = self.closing();
        if closing.released {
            return Poll::Ready(());
        }
        let last = closing.last_word.get_or_insert_with(|| LastWord::new(now));
        let late = last.until.is_some_and(|until| until <= now);
        if late || self.say_last_word(last, cx, side).is_ready() {
            closing.released = true;
            drop(closing);
            self.let_go();
            return Poll::Ready(());
        }
        *next = earlier(*next, last.until);
        Poll::Pending
    }

    fn is_over(&self, now: Instant) -> bool {
        let incoming = self.incoming();
        let mut outgoing = self.outgoing();
        self.heed_mail(&mut outgoing, now);
        self.cause(&incoming, &outgoing).is_some()
    }

    /// Why the session is over, if it is; the end deadline is one reason.
    fn settle_cause(&self, side: Side, now: Instant) -> Option<Cause> {
        let Closing {
            receiver_done,
            aborted,
            ..
        } = *self.closing();
        let mut incoming = self.incoming();
        let mut outgoing = self.outgoing();
        self.heed_mail(&mut outgoing, now);
        if let Some(cause) = self.cause(&incoming, &outgoing) {
            // Whole messages that came before a failure are the receiving half's to take.
            let settled =
                side == Side::Receiver || receiver_done || aborted || incoming.path.is_empty();
            return settled.then_some(cause);
        }
        if self.life().closing.is_some_and(|deadline| deadline <= now) {
            let cause = Cause::Timeout(TimeLimit::End);
            incoming.path.fail(cause.clone());
            drop((incoming, outgoing));
            self.post_abort(Code::TIMEOUT, "", cause.clone());
            return Some(cause);
        }
        None
    }

    // spec: L-14
    fn say_last_word(&self, last: &mut LastWord, cx: &mut Context<'_>, side: Side) -> Poll<()> {
        let mut incoming = self.incoming();
        let mut outgoing = self.outgoing();
        self.wakers.write.register(side, cx.waker());
        self.wakers.read.register(side, cx.waker());
        if !outgoing.path.pending().is_empty() {
            return Poll::Pending;
        }
        if outgoing.shutdown(&self.wakers).is_pending() {
            return Poll::Pending;
        }
        incoming.read_off(&mut last.left, &self.wakers)
    }

    fn let_go(&self) {
        self.incoming().let_go();
        self.outgoing().let_go();
        self.wakers.news.wake_all();
    }

    /// A sending half that goes without an end must not look like one.
    pub(super) fn sender_dropped(&self) {
        let mut closing = self.closing();
        closing.sender_gone = true;
        let last = closing.receiver_gone;
        drop(closing);
        self.closed(Side::Sender);
        let unfinished = self.outgoing().path.ended().is_none();
        if unfinished {
            self.give_up();
        }
        self.half_dropped(last);
    }

    /// A receiving half that goes takes no more.
    pub(super) fn receiver_dropped(&self) {
        self.stop_taking();
        let mut closing = self.closing();
        closing.receiver_gone = true;
        let last = closing.sender_gone;
        drop(closing);
        self.closed(Side::Receiver);
        self.half_dropped(last);
    }

    fn half_dropped(&self, last: bool) {
        if last {
            if self.outcome().is_none() {
                self.give_up();
            }
            let mut incoming = self.incoming();
            let mut outgoing = self.outgoing();
            self.heed_mail(&mut outgoing, now());
            let cause = self.cause(&incoming, &outgoing).unwrap_or(Cause::Dropped);
            self.conclude(&mut incoming, &mut outgoing, cause);
        }
        self.best_effort();
        if last {
            // A sender of a pump that is gone must not keep the transport open.
            self.let_go();
        }
        self.wakers.news.wake_all();
    }

    fn give_up(&self) {
        let mut incoming = self.incoming();
        let mut outgoing = self.outgoing();
        self.heed_mail(&mut outgoing, now());
        if self.outcome().is_some() || self.cause(&incoming, &outgoing).is_some() {
            return;
        }
        incoming.path.fail(Cause::Dropped);
        drop((incoming, outgoing));
        self.post_abort(Code::DROPPED, "", Cause::Dropped);
    }

    /// What can be said without waiting is said.
    fn best_effort(&self) {
        // A transport that has just panicked is not called again.
        if std::thread::panicking() {
            return;
        }
        let waker = std::task::Waker::noop();
        self.serve(Side::Sender, waker, self.outgoing_clock());
    }
}

/// A session that goes without having been split goes as both its halves would.
impl Drop for Link {
    fn drop(&mut self) {
        if !self.is_split() {
            self.sender_dropped();
            self.receiver_dropped();
        }
    }
}

impl Link {
    pub(super) fn stop_taking(&self) {
        let mut incoming = self.incoming();
        self.stop_handing();
        incoming.path.stop_taking();
        if let Some(notices) = incoming.path.notices() {
            drop(incoming);
            self.post(notices);
            self.wakers.news.wake_all();
        }
    }

    pub(super) fn abort(&self, code: Code, reason: &str) {
        self.closing().aborted = true;
        let mut incoming = self.incoming();
        let mut outgoing = self.outgoing();
        self.heed_mail(&mut outgoing, now());
        if self.outcome().is_some() || self.cause(&incoming, &outgoing).is_some() {
            return;
        }
        drop(outgoing);
        let cause = Cause::LocalAbort { code };
        incoming.path.fail(cause.clone());
        drop(incoming);
        self.post_abort(code, reason, cause);
        self.wakers.news.wake_all();
    }

    pub(super) async fn attend<F: Future>(
        &self,
        side: Side,
        timer: &mut Timer,
        future: F,
    ) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            let now = now();
            let mut next = self.drive(side, cx.waker(), now);
            if self.is_over(now) {
                // Nobody need look for the peer to see that it is over.
                let _parted = self.poll_parting(cx, side, &mut next);
            }
            timer.set(next, cx);
            Poll::Pending
        })
        .await
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
