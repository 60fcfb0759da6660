//! What the two halves of a session share, and how every future drives both directions.
//!
//! Locks are short and never held across an await. Order: `incoming` before `outgoing`; whoever holds
//! `outgoing` only tries `incoming`. The receiver only tries `outgoing`: what it wants said stands in the
//! mail, and whoever lets go of `outgoing` looks there again. While a session is not split it owns its link
//! alone, and what is done for each message takes no lock; see [`Link::alone`].

mod driving;
mod held;
mod reading;
#[cfg(test)]
mod tests;
mod told;
mod writing;

pub(super) use self::{held::Alone, reading::ENOUGH};

use core::{
    ops::Deref,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    task::Poll,
    time::Duration,
};
use std::{
    pin::Pin,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::{held::Missed, told::Told};
use super::{
    close::Closing,
    events,
    transport::{Reader, Transport, Writer},
    wakers::Wakers,
};
use crate::{
    proto::{
        self, Cause, Channel, Config, Limits, Notices, Offered, Outcome, Peer, Progress,
        ReceivePath, SendError, SendPath, SharedFacts,
    },
    wire::{self, Code},
};

/// The first read into the input.
const READ_FIRST: usize = 8 * 1024;
/// So long after a read the peer's news are as good as new.
const FRESH: Duration = Duration::from_millis(1);
/// A read while the session owns no input buffer.
const READ_COLD: usize = 2_048;

pub(super) struct Link {
    outgoing: Mutex<Outgoing>,
    incoming: Mutex<Incoming>,
    common: Common,
}

/// What both sides use at once, whoever holds them.
pub(super) struct Common {
    mail: Mutex<Mail>,
    mail_waits: AtomicBool,
    /// What the send path has said, for whoever judges the peer.
    facts: SharedFacts,
    told: Told,
    /// Messages handed out, as the receiving half counts them by itself.
    handed: AtomicU64,
    /// Which half could not look at the receiving side while it was held.
    missed: Missed,
    pub(super) wakers: Wakers,
    flags: Flags,
    outcome: OnceLock<Box<Outcome>>,
    closing: Mutex<Closing>,
    pub(super) fixed: Fixed,
}

/// What never changes.
pub(super) struct Fixed {
    pub(super) peer: Peer,
    config: Config,
    pub(super) born: Instant,
}

#[derive(Default)]
struct Flags {
    split: AtomicBool,
    receiving: AtomicBool,
    /// The receiving half hands out messages of its batch without a lock; see [`Link::hand_quickly`].
    quick: AtomicBool,
}

pub(super) struct Outgoing {
    pub(super) path: SendPath,
    writer: Option<Writer>,
    unflushed: bool,
    /// A coarse clock for what needs no better one.
    pub(super) now: Instant,
    used: Instant,
    /// Boxed, as what ends a session: an idle one must not carry the room for it.
    pub(super) broken: Option<Box<Cause>>,
}

pub(super) struct Incoming {
    pub(super) path: ReceivePath,
    reader: Option<Reader>,
    read_size: usize,
    used: Instant,
    /// A message has been read since the sending side last thought of the transport.
    fresh: bool,
}

/// What passes between the halves without waiting.
struct Mail {
    notices: Option<Notices>,
    abort: Option<Box<(Code, String, Cause)>>,
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
    /// Messages wait, and all that was read is opened.
    Ready,
    /// Messages wait, and more was read than was opened.
    Busy,
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

/// A clock that never goes back.
// spec: L-13
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Fixed {
    pub(super) fn limits(&self) -> &Limits {
        self.config.limits()
    }
}

impl Deref for Link {
    type Target = Common;

    #[inline]
    fn deref(&self) -> &Common {
        &self.common
    }
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
        let facts = SharedFacts::default();
        facts.write(send.facts());
        if !input.is_empty() {
            *receive.input() = BytesMut::from(input.as_slice());
        }
        Self {
            outgoing: Mutex::new(Outgoing {
                path: send,
                writer: Some(transport.writer),
                unflushed: false,
                now,
                used: now,
                broken: None,
            }),
            incoming: Mutex::new(Incoming {
                path: receive,
                reader: Some(transport.reader),
                read_size: READ_FIRST,
                used: now,
                fresh: false,
            }),
            common: Common {
                mail: Mutex::new(Mail {
                    notices: None,
                    abort: None,
                    life: Life::default(),
                }),
                mail_waits: AtomicBool::new(false),
                facts,
                told: Told::default(),
                handed: AtomicU64::new(0),
                missed: Missed::default(),
                wakers: Wakers::new(),
                flags: Flags::default(),
                outcome: OnceLock::new(),
                closing: Mutex::new(Closing::default()),
                fixed: Fixed {
                    peer,
                    config: config.clone(),
                    born: now,
                },
            },
        }
    }

    pub(super) fn outgoing_clock(&self) -> Instant {
        self.outgoing().now
    }
}

impl Common {
    /// The receiving half has a batch and may hand out its messages with [`Link::hand_quickly`], as long
    /// as they are only counted and the session is not split: then nobody else looks in between.
    pub(super) fn start_handing(&self, incoming: &Incoming) {
        self.handed.store(incoming.path.handed(), Ordering::Relaxed);
        let quick = !self.is_split() && incoming.path.is_only_counted();
        self.flags.quick.store(quick, Ordering::Relaxed);
    }

    pub(super) fn stop_handing(&self) {
        self.flags.quick.store(false, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_quick(&self) -> bool {
        self.flags.quick.load(Ordering::Relaxed)
    }

    /// Counts one message as handed out. Nobody else does so meanwhile, and no order is needed.
    #[inline]
    pub(super) fn hand_quickly(&self) {
        let handed = self.handed.load(Ordering::Relaxed);
        self.handed
            .store(handed.saturating_add(1), Ordering::Relaxed);
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

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.get().map(|outcome| &**outcome)
    }

    pub(super) fn set_split(&self) {
        self.stop_handing();
        self.flags.split.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_split(&self) -> bool {
        self.flags.split.load(Ordering::SeqCst)
    }

    /// Marks that a future of the receiving half waits, so that the other half leaves reading to it.
    pub(super) fn set_receiving(&self, receiving: bool) {
        self.flags.receiving.store(receiving, Ordering::SeqCst);
    }

    /// Whether the receiving half waits for input and has not been told of any that it has not looked at.
    fn is_read_by_receiver(&self) -> bool {
        self.flags.receiving.load(Ordering::SeqCst) && !self.wakers.read.is_stirred()
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
            .get_or_insert_with(|| Box::new((code, reason.to_owned(), cause)));
        self.mail_waits.store(true, Ordering::SeqCst);
    }

    /// Writes the outcome down, the first time; later calls change nothing (spec: E-12).
    ///
    /// What it says was sent and taken is then all that ever will be.
    pub(super) fn conclude(
        &self,
        incoming: &mut Incoming,
        outgoing: &mut Outgoing,
        cause: Cause,
    ) -> &Outcome {
        self.heed_mail(outgoing, outgoing.now);
        if !proto::is_over(&outgoing.path, &incoming.path) {
            outgoing.path.shut(cause.clone());
            if !incoming.path.is_complete() {
                incoming.path.stop_taking();
            }
        }
        self.outcome.get_or_init(|| {
            let outcome = Box::new(Outcome {
                sent: outgoing.path.sent(),
                received: incoming.path.received(),
                cause,
            });
            events::ended(&self.fixed.peer, &outcome);
            outcome
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
            (Some(Cause::TransportEnded), Some(broken)) => Some(Cause::clone(broken)),
            (Some(cause), _) => Some(cause.clone()),
            (None, _) => None,
        }
    }
}

impl Outgoing {
    #[inline]
    pub(super) fn offer(
        &mut self,
        message: &[u8],
        progress: &mut Progress,
    ) -> Result<Offered, SendError> {
        let now = self.now;
        self.path.offer(message, progress, now)
    }

    /// Whether the transport has taken and flushed everything.
    pub(super) fn is_flushed(&self) -> bool {
        self.path.pending().is_empty() && !self.unflushed
    }

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
    /// A message was read just now: whoever sends need not look at the transport, too.
    pub(super) fn has_received(&mut self) {
        self.fresh = true;
    }

    /// Whether a message was read just now, and this is asked for the first time since.
    pub(super) fn take_fresh(&mut self, now: Instant) -> bool {
        let fresh = core::mem::take(&mut self.fresh);
        let until = self.used.checked_add(FRESH);
        fresh && until.is_some_and(|until| now < until)
    }

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
