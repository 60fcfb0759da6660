//! Our direction: messages and answers into sealed records (spec: sections 4 and 6).

mod words;

use core::{fmt, time::Duration};
use std::time::Instant;

use super::{
    clock::agreed_idle,
    config::{Config, Rekey},
    credit::Budget,
    notices::{Facts, Notices},
    outcome::{Cause, Ended},
    outgoing::Outgoing,
    send_error::SendError,
};
use crate::{
    noise::{BadRecord, Sealer},
    wire::{self, Code, Frame, GATHERED, Kind, Params, RECORD_SENT},
};

/// From this size a message goes out in records of its own, sealed from the caller's slice.
const LARGE: usize = 4_096;
/// The largest body of a record that we send.
const BODY: usize = RECORD_SENT - 1;

/// Our direction of a session. It owns the outgoing bytes: write what [`SendPath::pending`] shows.
pub struct SendPath {
    sealer: Sealer,
    out: Outgoing,
    /// Room for the heads of frames, kept.
    scratch: Vec<u8>,
    batch: Batch,
    partial: Option<Partial>,
    facts: Facts,
    owed: Notices,
    words: Words,
    key: Key,
    credit: Budget,
    peer_max: u64,
}

/// What stands in the open batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Batch {
    /// Nothing.
    Empty,
    /// One message, whose head is so long.
    One { head: usize },
    /// More than one message, or a control frame.
    Mixed,
}

/// A message of which pieces have gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Partial {
    ticket: u64,
}

/// What is said once, and what was said last.
#[derive(Debug, Default)]
struct Words {
    end: Option<Box<Ended>>,
    stop: bool,
    final_receipt: bool,
    receipt: u64,
    requested: u64,
    request_due: bool,
    drained: bool,
    /// A DRAIN for this time waits for credit.
    drain_due: Option<Instant>,
    /// Our ABORT was said or the peer's was read: no record follows.
    aborted: bool,
    /// Several senders take turns: what one has begun must not wait for room behind another's.
    shared: bool,
    over: Option<Box<Cause>>,
    ping_at: Option<Instant>,
    round_trip: Option<Duration>,
    tickets: u64,
}

#[derive(Debug)]
struct Key {
    config: Config,
    /// When it is too old; never, if that lies beyond what the clock can say.
    old_at: Option<Instant>,
    bytes: u64,
    asked: bool,
}

/// How far a message has been taken over; begin with the default and keep it with the message.
#[derive(Debug, Default)]
pub struct Progress {
    done: usize,
    ticket: u64,
}

/// What became of an offered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Offered {
    /// It is taken over whole.
    Whole,
    /// There is no room: write what is pending, then offer it again with the same progress.
    Full,
}

impl SendPath {
    pub(super) fn new(sealer: Sealer, config: &Config, theirs: &Params, now: Instant) -> Self {
        Self {
            sealer,
            out: Outgoing::default(),
            scratch: Vec::new(),
            batch: Batch::Empty,
            partial: None,
            facts: Facts::default(),
            owed: Notices::default(),
            words: Words::default(),
            key: Key {
                config: config.clone(),
                old_at: now.checked_add(config.limits().rekey.age),
                bytes: 0,
                asked: false,
            },
            credit: Budget::new(agreed_idle(config, theirs), now),
            peer_max: theirs.max_message,
        }
    }

    /// Takes over a message, or as much of a large one as there is room for.
    ///
    /// A message of which only a part was taken over is withdrawn when another one is offered.
    ///
    /// # Errors
    ///
    /// The message is too large for the peer, or nothing can be sent any more. A whole message is
    /// taken over or nothing of it counts.
    pub fn offer(
        &mut self,
        message: &[u8],
        progress: &mut Progress,
        now: Instant,
    ) -> Result<Offered, SendError> {
        self.judge(message)?;
        if message.len() < LARGE {
            return self.offer_small(message, now);
        }
        // The rest of a message that was given up is not ours to continue.
        if self
            .partial
            .is_none_or(|partial| partial.ticket != progress.ticket)
        {
            *progress = Progress::default();
        }
        loop {
            let records = message.len().div_ceil(BODY);
            let size = message.len().div_ceil(records.max(1));
            if self.is_full(size) {
                return Ok(Offered::Full);
            }
            self.withdraw_other(progress.ticket, now)?;
            let rest = message.get(progress.done..).unwrap_or_default();
            if rest.len() <= size {
                self.seal_bare(rest, Kind::Message, now)?;
                return Ok(Offered::Whole);
            }
            let piece = rest.get(..size).unwrap_or_default();
            self.seal_bare(piece, Kind::Piece, now)?;
            progress.done = progress.done.saturating_add(size);
            if self.partial.is_none() {
                self.words.tickets = self.words.tickets.saturating_add(1);
                progress.ticket = self.words.tickets;
                self.partial = Some(Partial {
                    ticket: progress.ticket,
                });
            }
        }
    }

    /// From now on several senders take turns.
    pub(crate) fn share(&mut self) {
        self.words.shared = true;
    }

    fn is_full(&self, more: usize) -> bool {
        if self.words.shared {
            return self.out.pending_length() >= GATHERED;
        }
        self.out.is_full(more)
    }

    /// Withdraws a message of which pieces have gone out.
    // spec: T-19
    pub fn withdraw(&mut self, now: Instant) {
        let _failed = self.withdraw_other(0, now);
    }

    fn withdraw_other(&mut self, ticket: u64, now: Instant) -> Result<(), SendError> {
        if self.partial.is_some_and(|partial| partial.ticket != ticket) {
            self.partial = None;
            self.control(Frame::Discard, now)?;
        }
        Ok(())
    }

    fn judge(&mut self, message: &[u8]) -> Result<(), SendError> {
        if let Some(cause) = &self.words.over {
            return Err(SendError::Over(Cause::clone(cause)));
        }
        if self.words.end.is_some() {
            return Err(SendError::Finished);
        }
        // spec: E-5
        if self.is_stopped() {
            return Err(SendError::Stopped {
                taken: self.taken_count(),
                sent: self.facts.sent,
            });
        }
        // spec: T-8
        let length = u64::try_from(message.len()).unwrap_or(u64::MAX);
        if length > self.peer_max {
            return Err(SendError::TooLarge {
                length,
                max: self.peer_max,
            });
        }
        Ok(())
    }

    fn offer_small(&mut self, message: &[u8], now: Instant) -> Result<Offered, SendError> {
        self.withdraw_other(0, now)?;
        let (head, width) = wire::short_message_head(message.len());
        let length = width.saturating_add(message.len());
        if self.out.batch_length().saturating_add(length) > BODY {
            if self.is_full(self.out.batch_length()) {
                return Ok(Offered::Full);
            }
            self.seal_batch(now)?;
        }
        self.batch = match self.batch {
            Batch::Empty => Batch::One { head: width },
            Batch::One { .. } | Batch::Mixed => Batch::Mixed,
        };
        self.out.push_short((head, width), message);
        self.count();
        Ok(Offered::Whole)
    }

    fn count(&mut self) {
        self.facts.sent = self.facts.sent.saturating_add(1);
        self.credit.messages(1);
    }

    /// Puts a control frame into the open batch.
    fn control(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), SendError> {
        self.scratch.clear();
        frame.put(&mut self.scratch);
        if self.out.batch_length().saturating_add(self.scratch.len()) > BODY {
            let frame = core::mem::take(&mut self.scratch);
            self.seal_batch(now)?;
            self.scratch = frame;
        }
        self.batch = Batch::Mixed;
        self.out.push(&self.scratch, &[]);
        Ok(())
    }

    fn seal_batch(&mut self, now: Instant) -> Result<(), SendError> {
        let length = self.out.batch_length();
        if length == 0 {
            return Ok(());
        }
        let bare = match self.batch {
            // Between pieces no message may stand, so a bare one cannot be mistaken for the last piece.
            Batch::One { head } => Some(head),
            Batch::Empty | Batch::Mixed => None,
        };
        self.batch = Batch::Empty;
        let sealed = self.out.seal(&mut self.sealer, bare);
        self.sealed(sealed, length, now)
    }

    fn seal_bare(&mut self, body: &[u8], kind: Kind, now: Instant) -> Result<(), SendError> {
        self.seal_batch(now)?;
        let sealed = self.out.seal_from(&mut self.sealer, body, kind);
        if sealed.is_ok() {
            // It earns before a REKEY behind it pays, as it does where it is read (spec: L-2).
            let whole = kind == Kind::Message;
            if !whole || self.partial.is_some() {
                self.credit.piece(body.len());
            }
            if whole {
                self.partial = None;
                self.count();
            }
        }
        self.sealed(sealed, body.len(), now)
    }

    fn sealed(
        &mut self,
        sealed: Result<(), BadRecord>,
        length: usize,
        now: Instant,
    ) -> Result<(), SendError> {
        sealed.map_err(|_bad| self.broken())?;
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.key.bytes = self.key.bytes.saturating_add(length).saturating_add(1);
        if self.key_is_spent(now) {
            self.rekey(now)?;
        }
        Ok(())
    }

    fn broken(&mut self) -> SendError {
        let broken = || Box::new(Cause::Internal);
        let cause = self.words.over.get_or_insert_with(broken);
        SendError::Over(Cause::clone(cause))
    }

    // spec: T-11
    fn key_is_spent(&mut self, now: Instant) -> bool {
        let Rekey { records, bytes, .. } = self.key.config.limits().rekey;
        // One record below the limit, as the REKEY itself is sealed with the old key.
        let spent = self.sealer.records().saturating_add(1) >= records || self.key.bytes >= bytes;
        let old = self.key.old_at.is_some_and(|at| at <= now);
        let must = self.sealer.records() >= wire::REKEY_RECORDS.saturating_sub(16);
        if !(spent || old || self.key.asked) || self.words.aborted {
            return false;
        }
        let paid = if self.key.asked {
            self.credit.pay(now)
        } else {
            self.credit.pay_spare(now)
        };
        paid || must
    }

    // spec: T-10
    fn rekey(&mut self, now: Instant) -> Result<(), SendError> {
        self.scratch.clear();
        Frame::Rekey.put(&mut self.scratch);
        self.out.push(&self.scratch, &[]);
        self.batch = Batch::Empty;
        let sealed = self.out.seal(&mut self.sealer, None);
        sealed.map_err(|_bad| self.broken())?;
        self.sealer.rekey().map_err(|_bad| self.broken())?;
        self.key.old_at = now.checked_add(self.key.config.limits().rekey.age);
        (self.key.bytes, self.key.asked) = (0, false);
        Ok(())
    }

    /// Replaces our key with the next record. Askings without messages between them fall into one.
    ///
    /// # Errors
    ///
    /// The session is over.
    pub fn rekey_now(&mut self, now: Instant) -> Result<(), SendError> {
        if let Some(cause) = &self.words.over {
            return Err(SendError::Over(Cause::clone(cause)));
        }
        self.key.asked = true;
        self.seal_batch(now)?;
        if self.key.asked && self.key_is_spent(now) {
            self.rekey(now)?;
        }
        Ok(())
    }

    /// Ends our direction: no message follows. A message in pieces is withdrawn.
    ///
    /// # Errors
    ///
    /// The session is over. Ending twice is no error; the first word counts.
    // spec: E-1, E-2, E-13
    pub fn finish(&mut self, code: Code, reason: &str, now: Instant) -> Result<(), SendError> {
        if let Some(cause) = &self.words.over {
            return Err(SendError::Over(Cause::clone(cause)));
        }
        if self.words.end.is_some() {
            return Ok(());
        }
        self.withdraw_other(0, now)?;
        let sent = self.facts.sent;
        self.control(Frame::End { sent, code, reason }, now)?;
        self.words.end = Some(Box::new(Ended::new(code, reason)));
        self.facts.ended = true;
        Ok(())
    }

    /// Ends the session at once, with one ABORT behind what is sealed; what is not is dropped.
    // spec: E-9
    pub fn abort(&mut self, code: Code, reason: &str, cause: Cause) {
        if self.words.aborted || self.words.over.is_some() {
            return;
        }
        self.out.drop_batch();
        self.scratch.clear();
        Frame::Abort { code, reason }.put(&mut self.scratch);
        self.out.push(&self.scratch, &[]);
        self.batch = Batch::Empty;
        let _unsaid = self.out.seal(&mut self.sealer, None);
        self.words.aborted = true;
        self.words.over = Some(Box::new(cause));
    }

    /// What is sealed still leaves; what is owed or open is dropped.
    // spec: E-16
    fn fall_silent(&mut self, cause: Cause) {
        self.out.drop_batch();
        self.batch = Batch::Empty;
        self.words.aborted = true;
        self.words.over = Some(Box::new(cause));
    }

    /// Says no more: the session is over for this cause.
    pub(crate) fn shut(&mut self, cause: Cause) {
        self.words.over.get_or_insert_with(|| Box::new(cause));
    }

    /// Why messages that were taken over may have been dropped unsealed. Behind our END the outcome tells.
    pub(crate) fn silenced(&self) -> Option<&Cause> {
        let silent = self.words.aborted && self.words.end.is_none();
        self.words.over.as_deref().filter(|_over| silent)
    }

    /// Puts every answer that is owed into the open batch and seals it.
    ///
    /// # Errors
    ///
    /// The cipher failed; the session is over.
    pub fn flush(&mut self, now: Instant) -> Result<(), SendError> {
        if let Some(cause) = self.owed.abort.take()
            && !self.is_over()
        {
            let code = cause.code();
            let cause = *self.words.over.take().unwrap_or(cause);
            match code {
                Some(code) => self.abort(code, "", cause),
                None => self.fall_silent(cause),
            }
        }
        if self.words.aborted {
            return Ok(());
        }
        self.answer(now)?;
        if self.owed.peer.stopped {
            // spec: E-5
            self.withdraw_other(0, now)?;
        }
        self.seal_batch(now)
    }

    /// Sealed bytes that wait to be written.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.out.pending()
    }

    /// Bytes that wait to be sealed or written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let open = self.out.batch_length();
        self.out.pending_length().saturating_add(open)
    }

    /// Whether a batch is open: messages that [`SendPath::flush`] would seal.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.out.batch_length() > 0
    }

    /// Forgets bytes that were written.
    pub fn written(&mut self, bytes: usize) {
        self.out.consume(bytes);
    }

    /// Whether there are buffers that [`SendPath::release`] may give back.
    #[must_use]
    pub fn owns_memory(&self) -> bool {
        self.out.owns_memory() || self.scratch.capacity() > 0
    }

    /// Gives memory back while nothing is pending.
    pub fn release(&mut self) {
        self.out.release();
        self.scratch = Vec::new();
    }
}

impl fmt::Debug for SendPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendPath")
            .field("facts", &self.facts)
            .field("pending", &self.out.pending_length())
            .field("over", &self.words.over)
            .finish_non_exhaustive()
    }
}
