//! What the two halves of a session share, and how every future drives both directions.
//!
//! Locks are short and never held across an await. Order: `incoming` before `outgoing`; whoever holds
//! `outgoing` only tries `incoming`. The receiver only tries `outgoing`: what it wants said stands in the
//! mail, and whoever holds `outgoing` looks there again after letting go.

use core::{
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
    time::Duration,
};
use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    task::Waker,
    time::Instant,
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::{
    close::Closing,
    transport::{Reader, Transport, Writer},
    wakers::{Side, Wakers},
};
use crate::{
    proto::{
        self, Cause, Channel, Config, Facts, Limits, Notices, Outcome, Peer, Processed,
        ReceivePath, SendPath, TimeLimit,
    },
    wire::{self, Code},
};

/// Records opened in one poll before others get their turn.
const TURN: usize = 16;
/// First and largest read into the input.
const READ_FIRST: usize = 8 * 1024;
const READ_MOST: usize = 256 * 1024;
/// A read while the session owns no input buffer.
const READ_COLD: usize = 2_048;
/// Buffers that are empty for so long are given back.
const RELEASE_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Link {
    outgoing: Mutex<Outgoing>,
    incoming: Mutex<Incoming>,
    mail: Mutex<Mail>,
    mail_waits: AtomicBool,
    pub(super) wakers: Wakers,
    flags: Flags,
    outcome: OnceLock<Outcome>,
    closing: Mutex<Closing>,
    pub(super) fixed: Fixed,
}

/// What never changes.
pub(super) struct Fixed {
    pub(super) peer: Peer,
    pub(super) limits: Limits,
    pub(super) born: Instant,
}

#[derive(Default)]
struct Flags {
    split: AtomicBool,
    receiving: AtomicBool,
}

pub(super) struct Outgoing {
    pub(super) path: SendPath,
    writer: Option<Writer>,
    unflushed: bool,
    /// A coarse clock for what needs no better one.
    pub(super) now: Instant,
    pub(super) broken: Option<Cause>,
}

pub(super) struct Incoming {
    pub(super) path: ReceivePath,
    reader: Option<Reader>,
    read_size: usize,
    used: Instant,
}

/// What passes between the halves without waiting.
struct Mail {
    notices: Option<Notices>,
    facts: Facts,
    stalled: Option<Instant>,
    pinging: bool,
    abort: Option<(Code, String, Cause)>,
    life: Life,
}

/// The session's age and end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Life {
    pub(super) closing: Option<Instant>,
    pub(super) draining: Option<Instant>,
    drain_told: bool,
    pub(super) expired: bool,
}

/// What reading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Messages wait.
    Ready,
    /// The transport has nothing.
    Waiting,
    /// Others get their turn.
    Yield,
    /// No more will come.
    Ended,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    }
}

pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Link {
    pub(super) fn new(
        channel: Channel,
        transport: Transport,
        input: Vec<u8>,
        config: &Config,
    ) -> Self {
        let Channel {
            send,
            mut receive,
            peer,
        } = channel;
        let now = now();
        if !input.is_empty() {
            *receive.input() = BytesMut::from(input.as_slice());
        }
        Self {
            mail: Mutex::new(Mail {
                notices: None,
                facts: send.facts(),
                stalled: None,
                pinging: false,
                abort: None,
                life: Life::default(),
            }),
            outgoing: Mutex::new(Outgoing {
                path: send,
                writer: Some(transport.writer),
                unflushed: false,
                now,
                broken: None,
            }),
            incoming: Mutex::new(Incoming {
                path: receive,
                reader: Some(transport.reader),
                read_size: READ_FIRST,
                used: now,
            }),
            mail_waits: AtomicBool::new(false),
            wakers: Wakers::new(),
            flags: Flags::default(),
            outcome: OnceLock::new(),
            closing: Mutex::new(Closing::default()),
            fixed: Fixed {
                peer,
                limits: *config.limits(),
                born: now,
            },
        }
    }

    pub(super) fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        lock(&self.outgoing)
    }

    pub(super) fn incoming(&self) -> MutexGuard<'_, Incoming> {
        lock(&self.incoming)
    }

    pub(super) fn try_incoming(&self) -> Option<MutexGuard<'_, Incoming>> {
        try_lock(&self.incoming)
    }

    pub(super) fn life(&self) -> Life {
        lock(&self.mail).life
    }

    pub(super) fn with_life<T>(&self, change: impl FnOnce(&mut Life) -> T) -> T {
        change(&mut lock(&self.mail).life)
    }

    pub(super) fn closing(&self) -> MutexGuard<'_, Closing> {
        lock(&self.closing)
    }

    pub(super) fn outgoing_clock(&self) -> Instant {
        self.outgoing().now
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    pub(super) fn set_split(&self) {
        self.flags.split.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_split(&self) -> bool {
        self.flags.split.load(Ordering::SeqCst)
    }

    /// Marks that a future of the receiving half waits, so that the other half leaves reading to it.
    pub(super) fn set_receiving(&self, receiving: bool) {
        self.flags.receiving.store(receiving, Ordering::SeqCst);
    }

    // ---- reading

    /// Reads and opens until there are messages, nothing more comes, or it is others' turn.
    pub(super) fn read(&self, incoming: &mut Incoming, now: Instant) -> Read {
        let outcome = self.read_inner(incoming, now);
        if let Some(notices) = incoming.path.notices() {
            self.post(notices);
        }
        outcome
    }

    fn read_inner(&self, incoming: &mut Incoming, now: Instant) -> Read {
        for _turn in 0..TURN {
            let facts = lock(&self.mail).facts;
            match incoming.path.process(&facts, now, TURN) {
                Processed::Full => return Read::Ready,
                Processed::Ended => return Read::Ended,
                Processed::Busy if incoming.path.is_empty() => return Read::Yield,
                Processed::Busy => return Read::Ready,
                Processed::NeedInput if !incoming.path.is_empty() => return Read::Ready,
                Processed::NeedInput => {}
            }
            match self.read_transport(incoming, now) {
                Poll::Ready(()) => {}
                Poll::Pending => {
                    incoming.path.waits(true, now);
                    return Read::Waiting;
                }
            }
        }
        Read::Yield
    }

    fn read_transport(&self, incoming: &mut Incoming, now: Instant) -> Poll<()> {
        let Incoming {
            path,
            reader,
            read_size,
            used,
        } = incoming;
        let Some(reader) = reader else {
            path.input_ended();
            return Poll::Ready(());
        };
        let mut context = self.wakers.reading();
        let input = path.input();
        let read = if input.capacity() == 0 {
            let mut room = [0_u8; READ_COLD];
            let mut buffer = ReadBuf::new(&mut room);
            let read = Pin::new(reader).poll_read(&mut context, &mut buffer);
            input.extend_from_slice(buffer.filled());
            read.map_ok(|()| buffer.filled().len())
        } else {
            input.reserve(*read_size);
            let room = input.capacity().saturating_sub(input.len());
            let read = pin!(reader.read_buf(input)).poll(&mut context);
            if matches!(read, Poll::Ready(Ok(filled)) if filled == room) {
                *read_size = read_size.saturating_mul(2).min(READ_MOST);
            }
            read
        };
        match read {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(0)) => path.input_ended(),
            Poll::Ready(Ok(_bytes)) => {
                *used = now;
                path.waits(false, now);
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Poll::Ready(Err(error)) => path.fail(Cause::TransportFailed(error.kind())),
        }
        Poll::Ready(())
    }

    /// Puts notices where whoever writes next finds them.
    pub(super) fn post(&self, notices: Notices) {
        let mut mail = lock(&self.mail);
        match &mut mail.notices {
            Some(waiting) => waiting.merge(notices),
            empty => *empty = Some(notices),
        }
        drop(mail);
        self.mail_waits.store(true, Ordering::SeqCst);
    }

    /// Wants the session aborted; the first wish counts.
    pub(super) fn post_abort(&self, code: Code, reason: &str, cause: Cause) {
        lock(&self.mail)
            .abort
            .get_or_insert((code, reason.to_owned(), cause));
        self.mail_waits.store(true, Ordering::SeqCst);
    }

    // ---- writing

    /// Sees to it that what stands in the mail leaves, unless another holds the sending side: then it will.
    pub(super) fn serve(&self, side: Side, waker: &Waker, now: Instant) {
        while self.mail_waits.load(Ordering::SeqCst) {
            let Some(mut outgoing) = try_lock(&self.outgoing) else {
                return;
            };
            self.wakers.write.register(side, waker);
            if self.write(&mut outgoing, now).is_ready() {
                self.wakers.write.forget(side);
            }
        }
    }

    /// Seals and writes everything that waits. Failures stand in `outgoing.broken`.
    pub(super) fn write(&self, outgoing: &mut Outgoing, now: Instant) -> Poll<()> {
        outgoing.now = now;
        loop {
            self.fetch_mail(outgoing, now);
            if let Err(error) = outgoing.path.flush(now) {
                self.break_with(outgoing, over(error));
            }
            self.publish(outgoing);
            let written = self.write_transport(outgoing);
            let stalled = written.is_pending();
            let mut mail = lock(&self.mail);
            mail.pinging = outgoing.path.is_pinging();
            if !stalled {
                mail.stalled = None;
            } else if mail.stalled.is_none() {
                mail.stalled = Some(now);
            }
            drop(mail);
            if stalled || !self.mail_waits.load(Ordering::SeqCst) {
                return written;
            }
        }
    }

    fn fetch_mail(&self, outgoing: &mut Outgoing, now: Instant) {
        if !self.mail_waits.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut mail = lock(&self.mail);
        let (notices, abort) = (mail.notices.take(), mail.abort.take());
        drop(mail);
        if let Some(notices) = notices {
            outgoing.path.heed(notices, now);
            self.wakers.news.wake_all();
        }
        if let Some((code, reason, cause)) = abort {
            outgoing.path.abort(code, &reason, cause);
            self.wakers.news.wake_all();
        }
    }

    /// The receive path must know what was sent before the peer can answer it.
    fn publish(&self, outgoing: &Outgoing) {
        lock(&self.mail).facts = outgoing.path.facts();
    }

    fn write_transport(&self, outgoing: &mut Outgoing) -> Poll<()> {
        let mut context = self.wakers.writing();
        loop {
            let Some(writer) = &mut outgoing.writer else {
                let length = outgoing.path.pending().len();
                outgoing.path.written(length);
                return Poll::Ready(());
            };
            let pending = outgoing.path.pending();
            if pending.is_empty() {
                if !outgoing.unflushed {
                    return Poll::Ready(());
                }
                match Pin::new(writer).poll_flush(&mut context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) => outgoing.unflushed = false,
                    Poll::Ready(Err(error)) => self.lose_writer(outgoing, &error),
                }
                continue;
            }
            match Pin::new(writer).poll_write(&mut context, pending) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => {
                    self.lose_writer(outgoing, &io::ErrorKind::WriteZero.into());
                }
                Poll::Ready(Ok(written)) => {
                    outgoing.path.written(written);
                    outgoing.unflushed = true;
                    lock(&self.mail).stalled = None;
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => self.lose_writer(outgoing, &error),
            }
        }
    }

    /// Nothing more can be said. What the peer said before is still read.
    fn lose_writer(&self, outgoing: &mut Outgoing, error: &io::Error) {
        outgoing.writer = None;
        self.break_with(outgoing, Cause::TransportFailed(error.kind()));
    }

    fn break_with(&self, outgoing: &mut Outgoing, cause: Cause) {
        outgoing.path.shut(cause.clone());
        outgoing.broken.get_or_insert(cause);
        self.wakers.news.wake_all();
    }

    // ---- driving

    /// Drives both directions as far as they go without waiting, then the clock.
    ///
    /// What it waits for wakes `side`. Returns when it should be asked again at the latest.
    pub(super) fn drive(&self, side: Side, waker: &Waker, now: Instant) -> Option<Instant> {
        self.wakers.news.register(side, waker);
        self.drive_reading(side, waker, now);
        if let Some(mut outgoing) = try_lock(&self.outgoing) {
            self.wakers.write.register(side, waker);
            if self.write(&mut outgoing, now).is_ready() {
                self.wakers.write.forget(side);
            }
        }
        self.serve(side, waker, now);
        self.clock(side, waker, now)
    }

    fn drive_reading(&self, side: Side, waker: &Waker, now: Instant) {
        let Some(mut incoming) = try_lock(&self.incoming) else {
            return;
        };
        if side == Side::Sender && self.flags.receiving.load(Ordering::SeqCst) {
            self.wakers.read.forget(side);
            return;
        }
        self.wakers.read.register(side, waker);
        loop {
            let wants = incoming.path.wants_input();
            let before = incoming.path.arrived_count();
            match self.read(&mut incoming, now) {
                Read::Yield => {
                    waker.wake_by_ref();
                    return;
                }
                Read::Waiting | Read::Ended => return,
                // Messages wait; more input may hold answers that we need.
                Read::Ready if !wants || !incoming.path.wants_input() => {
                    incoming.path.waits(false, now);
                    return;
                }
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
    }

    /// Looks at every limit in time; returns the next one.
    pub(super) fn clock(&self, side: Side, waker: &Waker, now: Instant) -> Option<Instant> {
        let mut next = Next::default();
        let (stalled, pinging) = {
            let mail = lock(&self.mail);
            (mail.stalled, mail.pinging)
        };
        let stall_at = stalled.and_then(|since| since.checked_add(self.fixed.limits.write_stall));
        if next.passed(stall_at, now) {
            self.time_out(TimeLimit::WriteStall);
        }
        if let Some(mut incoming) = try_lock(&self.incoming) {
            if incoming.path.failure().is_none() {
                if next.passed(incoming.path.idle_at(), now) {
                    incoming.path.fail(Cause::Timeout(TimeLimit::Idle));
                    self.post_abort(Code::TIMEOUT, "", Cause::Timeout(TimeLimit::Idle));
                    self.wakers.news.wake_all();
                } else if !pinging && next.passed(incoming.path.ping_at(), now) {
                    drop(incoming);
                    self.ping(now);
                }
            }
        }
        self.age(&mut next, now);
        self.release(&mut next, now);
        self.serve(side, waker, now);
        next.0
    }

    fn time_out(&self, limit: TimeLimit) {
        self.incoming().path.fail(Cause::Timeout(limit));
        let mut outgoing = self.outgoing();
        // The transport takes nothing: there is no last word.
        outgoing.writer = None;
        lock(&self.mail).stalled = None;
        self.break_with(&mut outgoing, Cause::Timeout(limit));
    }

    fn ping(&self, now: Instant) {
        if let Some(mut outgoing) = try_lock(&self.outgoing) {
            let _over = outgoing.path.ping(now);
            lock(&self.mail).pinging = true;
            self.mail_waits.store(true, Ordering::SeqCst);
        }
    }

    // spec: L-11
    fn age(&self, next: &mut Next, now: Instant) {
        let Some(age) = self.fixed.limits.age else {
            return;
        };
        let life = self.life();
        let expire_at = self.fixed.born.checked_add(age);
        let drain_at = expire_at.and_then(|at| at.checked_sub(self.fixed.limits.drain_before));
        if !life.drain_told && next.passed(drain_at.map(|at| at.max(self.fixed.born)), now) {
            let within = expire_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
            self.drain(within, now);
        }
        if !life.expired && next.passed(expire_at, now) {
            self.with_life(|life| life.expired = true);
            if let Some(mut outgoing) = try_lock(&self.outgoing) {
                let _over = outgoing.path.finish(Code::EXPIRED, "", now);
                self.mail_waits.store(true, Ordering::SeqCst);
            }
            self.wakers.news.wake_all();
        }
        let end_at = expire_at.and_then(|at| at.checked_add(self.fixed.limits.end));
        if life.expired && self.outcome.get().is_none() && next.passed(end_at, now) {
            self.incoming().path.fail(Cause::Expired);
            self.post_abort(Code::EXPIRED, "", Cause::Expired);
            self.wakers.news.wake_all();
        }
    }

    /// Announces the end to both applications.
    pub(super) fn drain(&self, within: Duration, now: Instant) {
        self.with_life(|life| {
            life.drain_told = true;
            life.draining = now.checked_add(within).or(life.draining);
        });
        let _over = self.outgoing().path.drain(within, now);
        self.mail_waits.store(true, Ordering::SeqCst);
        self.wakers.news.wake_all();
    }

    fn release(&self, next: &mut Next, now: Instant) {
        let Some(mut incoming) = try_lock(&self.incoming) else {
            return;
        };
        if incoming.path.input().capacity() == 0 && incoming.read_size == READ_FIRST {
            return;
        }
        if next.passed(incoming.used.checked_add(RELEASE_AFTER), now) {
            incoming.path.release();
            incoming.read_size = READ_FIRST;
            drop(incoming);
            if let Some(mut outgoing) = try_lock(&self.outgoing) {
                outgoing.path.release();
            }
        }
    }

    // ---- the end

    /// Writes the outcome down, the first time; later calls change nothing (spec: E-12).
    pub(super) fn conclude(
        &self,
        incoming: &Incoming,
        outgoing: &Outgoing,
        cause: Cause,
    ) -> &Outcome {
        self.outcome.get_or_init(|| Outcome {
            sent: outgoing.path.sent(),
            received: incoming.path.received(),
            cause,
        })
    }

    /// Why the session is over, if it is.
    pub(super) fn cause(&self, incoming: &Incoming, outgoing: &Outgoing) -> Option<Cause> {
        if proto::is_over(&outgoing.path, &incoming.path) {
            let ours = outgoing.path.ended().cloned().unwrap_or_default();
            let theirs = incoming.path.peer_ended().cloned().unwrap_or_default();
            let expired = self.life().expired || theirs.code == Code::EXPIRED;
            return Some(if expired {
                Cause::Expired
            } else {
                Cause::Finished { ours, theirs }
            });
        }
        let failed = incoming.path.failure();
        match (failed, &outgoing.broken) {
            // A writer that failed shows as an end of the transport on the other side of it.
            (Some(Cause::TransportEnded), Some(broken)) => Some(broken.clone()),
            (Some(cause), _) => Some(cause.clone()),
            (None, _) => None,
        }
    }
}

impl Outgoing {
    pub(super) fn shutdown(&mut self, wakers: &Wakers) -> Poll<()> {
        let Some(writer) = &mut self.writer else {
            return Poll::Ready(());
        };
        let mut context = wakers.writing();
        match Pin::new(writer).poll_shutdown(&mut context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_done) => Poll::Ready(()),
        }
    }

    pub(super) fn let_go(&mut self) {
        self.writer = None;
    }
}

impl Incoming {
    /// Reads and discards; ready at the end of the stream or of `left`.
    pub(super) fn read_off(&mut self, left: &mut usize, wakers: &Wakers) -> Poll<()> {
        let mut context = wakers.reading();
        let mut room = [0_u8; READ_COLD];
        while *left > 0 {
            let Some(reader) = &mut self.reader else {
                return Poll::Ready(());
            };
            let mut buffer = ReadBuf::new(&mut room);
            match Pin::new(reader).poll_read(&mut context, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Poll::Ready(()),
                Poll::Ready(Ok(())) => *left = left.saturating_sub(buffer.filled().len()),
            }
        }
        Poll::Ready(())
    }

    pub(super) fn let_go(&mut self) {
        self.reader = None;
        self.path.release();
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

fn over(error: proto::SendError) -> Cause {
    match error {
        proto::SendError::Over(cause) => cause,
        _other => Cause::Internal,
    }
}

/// What is left of the last word's time and bytes.
pub(super) struct LastWord {
    pub(super) until: Option<Instant>,
    pub(super) left: usize,
}

impl LastWord {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            until: now.checked_add(wire::READ_OFF_TIME),
            left: wire::READ_OFF_BYTES,
        }
    }
}
