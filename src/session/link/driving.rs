//! Both directions at once, and every limit in time.

use core::{sync::atomic::Ordering, time::Duration};
use std::{task::Waker, time::Instant};

use super::{
    Common, Incoming, Link, Outgoing, READ_FIRST, Read, held::HeldIncoming, reading::TURN,
};
use crate::{
    proto::{Cause, SendError, TimeLimit},
    session::wakers::Side,
    wire::Code,
};

/// Buffers that are empty for so long are given back.
const RELEASE_AFTER: Duration = Duration::from_secs(1);

impl Link {
    /// Drives both directions as far as they go without waiting, then the clock.
    ///
    /// What it waits for wakes `side`. Returns when it should be asked again at the latest.
    pub(in crate::session) fn drive(
        &self,
        side: Side,
        waker: &Waker,
        now: Instant,
    ) -> Option<Instant> {
        self.wakers.news.register(side, waker);
        self.drive_reading(side, waker, now);
        // Also if another holds it: it may take our sign out of the mail before it looks, and leave a rest.
        self.wakers.write.register(side, waker);
        if let Some(mut outgoing) = self.try_outgoing() {
            if self.write(&mut outgoing, now).is_ready() {
                self.wakers.write.forget(side);
            }
        } else {
            // Whoever holds it wakes us when it lets go.
            self.mail_waits.store(true, Ordering::SeqCst);
        }
        self.serve(side, waker, now);
        self.clock(side, waker, now)
    }

    pub(in crate::session) fn drive_reading(&self, side: Side, waker: &Waker, now: Instant) {
        let Some(mut incoming) = self.try_incoming(side) else {
            return;
        };
        if side == Side::Sender && self.is_read_by_receiver() {
            self.wakers.read.forget(side);
            return;
        }
        self.wakers.read.register(side, waker);
        for _turn in 0..TURN {
            let wants = incoming.path.wants_input();
            let before = incoming.path.arrived_count();
            match self.read(&mut incoming, now, usize::MAX) {
                Read::Yield => break,
                Read::Waiting | Read::Ended => return,
                // Messages wait; more input may hold answers that we need.
                Read::Ready | Read::Busy if !wants || !incoming.path.wants_input() => {
                    incoming.path.waits(false, now);
                    return;
                }
                // What was read is opened before more is read (spec: L-6).
                Read::Busy => {}
                Read::Ready => {
                    if self.read_transport(&mut incoming, now).is_pending() {
                        incoming.path.waits(true, now);
                        return;
                    }
                    if incoming.path.arrived_count() == before && incoming.path.failure().is_some()
                    {
                        return;
                    }
                }
            }
        }
        // Others get their turn (threat: 97).
        waker.wake_by_ref();
    }

    /// Looks at every limit in time; returns the next one.
    pub(in crate::session) fn clock(
        &self,
        side: Side,
        waker: &Waker,
        now: Instant,
    ) -> Option<Instant> {
        let mut next = Next::default();
        let pinging = self.told.is_pinging();
        let stalled = self.told.stalled_since(self.fixed.born);
        let stall_at = stalled.and_then(|since| since.checked_add(self.fixed.limits().write_stall));
        if next.passed(stall_at, now) {
            self.time_out(TimeLimit::WriteStall, stalled);
        }
        if let Some(mut incoming) = self.try_incoming(side) {
            incoming.release(&mut next, now);
            if incoming.path.failure().is_none() {
                self.silence(incoming, pinging, &mut next, now);
            }
        }
        self.age_within(&mut next, now);
        if let Some(mut outgoing) = self.try_outgoing() {
            outgoing.release(&mut next, now);
        }
        self.serve(side, waker, now);
        next.0
    }

    /// The limits of a peer that says nothing.
    // spec: L-3, L-4
    fn silence(
        &self,
        mut incoming: HeldIncoming<'_>,
        pinging: bool,
        next: &mut Next,
        now: Instant,
    ) {
        // With a PING out, nothing else would make us look before the idle timeout.
        let _candidate = next.passed(incoming.path.look_at(), now);
        if next.passed(incoming.path.idle_at(), now) {
            incoming.path.fail(Cause::Timeout(TimeLimit::Idle));
            self.post_abort(Code::TIMEOUT, "", Cause::Timeout(TimeLimit::Idle));
            self.wakers.news.wake_all();
        } else if !pinging && next.passed(incoming.path.ping_at(), now) {
            drop(incoming);
            self.ping(now);
        }
    }

    fn time_out(&self, limit: TimeLimit, stalled: Option<Instant>) {
        let mut incoming = self.incoming();
        let mut outgoing = self.outgoing();
        if self.told.stalled_since(self.fixed.born) != stalled {
            // The other half has written meanwhile.
            return;
        }
        incoming.path.fail(Cause::Timeout(limit));
        drop(incoming);
        // The transport takes nothing: there is no last word.
        outgoing.writer = None;
        self.told.stalls(false, self.fixed.born, outgoing.now);
        self.break_with(&mut outgoing, Cause::Timeout(limit));
    }

    fn ping(&self, now: Instant) {
        // Not just tried: nothing would come back to it before the peer is given up.
        let mut outgoing = self.outgoing();
        let _over = outgoing.path.keep_alive(now);
        // Whoever may not ask must not be woken for it: it would try again at once, for ever.
        if outgoing.path.is_pinging() {
            self.told.pings(true);
            self.mail_waits.store(true, Ordering::SeqCst);
        }
    }

    /// The age of a session that always has something to do: nobody looks at its clock then.
    // spec: L-11
    #[inline]
    pub(in crate::session) fn age(&self, now: Instant) {
        if self.fixed.limits().age.is_some() {
            self.age_within(&mut Next::default(), now);
        }
    }

    // spec: L-11
    fn age_within(&self, next: &mut Next, now: Instant) {
        let Some(age) = self.fixed.limits().age else {
            return;
        };
        let life = self.life();
        let expire_at = self.fixed.born.checked_add(age);
        let drain_at = expire_at.and_then(|at| at.checked_sub(self.fixed.limits().drain_before));
        if !life.drain_told && next.passed(drain_at.map(|at| at.max(self.fixed.born)), now) {
            let within = expire_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
            self.with_life(|life| life.drain_told = true);
            let _over = self.drain(within, now);
        }
        if !life.expired && next.passed(expire_at, now) {
            self.with_life(|life| life.expired = true);
            let _over = self.outgoing().path.finish(Code::EXPIRED, "", now);
            self.mail_waits.store(true, Ordering::SeqCst);
            self.wakers.news.wake_all();
        }
        let end_at = expire_at.and_then(|at| at.checked_add(self.fixed.limits().end));
        if life.expired && self.outcome.get().is_none() && next.passed(end_at, now) {
            let mut incoming = self.incoming();
            // Said once: whoever waits for something else would be woken by it for ever.
            if incoming.path.failure().is_none() {
                incoming.path.fail(Cause::Expired);
                drop(incoming);
                self.post_abort(Code::EXPIRED, "", Cause::Expired);
                self.wakers.news.wake_all();
            }
        }
    }

    /// Announces the end to both applications.
    pub(in crate::session) fn drain(
        &self,
        within: Duration,
        now: Instant,
    ) -> Result<(), SendError> {
        self.outgoing().path.drain(within, now)?;
        self.with_life(|life| {
            life.drain_told = true;
            life.draining = now.checked_add(within).or(life.draining);
        });
        self.mail_waits.store(true, Ordering::SeqCst);
        self.wakers.news.wake_all();
        Ok(())
    }
}

impl Common {
    /// The next limit in time, if a session that is not split has nothing else to do before it waits.
    pub(in crate::session) fn quiet(
        &self,
        outgoing: &Outgoing,
        incoming: &Incoming,
        now: Instant,
    ) -> Option<Option<Instant>> {
        let ages = self.fixed.limits().age.is_some();
        if ages || self.told.is_stalled() || self.has_mail() || outgoing.path.waiting() > 0 {
            return None;
        }
        let mut next = Next::default();
        let passed = [
            incoming.release_at(),
            outgoing.release_at(),
            incoming.path.look_at(),
            if self.told.is_pinging() {
                incoming.path.idle_at()
            } else {
                incoming.path.ping_at()
            },
        ]
        .into_iter()
        .any(|limit| next.passed(limit, now));
        (!passed).then_some(next.0)
    }
}

impl Incoming {
    /// When buffers that are not used are given back.
    fn release_at(&self) -> Option<Instant> {
        let owns = self.path.owns_memory();
        owns.then(|| self.used.checked_add(RELEASE_AFTER))?
    }

    fn release(&mut self, next: &mut Next, now: Instant) {
        if next.passed(self.release_at(), now) {
            self.path.release();
            self.read_size = READ_FIRST;
        }
    }
}

impl Outgoing {
    fn release_at(&self) -> Option<Instant> {
        let owns = self.path.owns_memory();
        owns.then(|| self.used.checked_add(RELEASE_AFTER))?
    }

    fn release(&mut self, next: &mut Next, now: Instant) {
        if next.passed(self.release_at(), now) {
            self.path.release();
        }
    }
}

/// The next limit in time.
#[derive(Default)]
struct Next(Option<Instant>);

impl Next {
    /// Whether a limit has passed; if not, it is a candidate for the next one.
    fn passed(&mut self, limit: Option<Instant>, now: Instant) -> bool {
        let Some(limit) = limit else {
            return false;
        };
        if limit <= now {
            return true;
        }
        self.0 = Some(self.0.map_or(limit, |next| next.min(limit)));
        false
    }
}
