//! The peer's direction: sealed records into whole messages, each rule judged once (spec: sections 4 and 6).

mod pieces;
mod taking;

use core::{fmt, time::Duration};
use std::{collections::VecDeque, time::Instant};

use bytes::{Buf, Bytes, BytesMut};

use self::pieces::Assembly;
use super::{
    clock::{Clock, agreed_idle},
    config::{Config, Taking},
    credit::Credit,
    judge::{Judge, Verdict},
    notices::{Facts, Notices},
    outcome::{Cause, Ended, Received},
};
use crate::{
    noise::{Opener, TAG},
    wire::{self, Frame, HEADER, Kind, Params, UNTAKEN, Violation},
};

/// The peer's direction of a session. It owns the incoming bytes: read into [`ReceivePath::input`].
pub struct ReceivePath {
    opener: Opener,
    input: BytesMut,
    input_ended: bool,
    queue: VecDeque<Waiting>,
    queued: usize,
    /// Bytes of input that were consumed, from the first one on.
    position: u64,
    assembly: Assembly,
    /// The last message in pieces: once nobody else holds it, the next one is assembled in its place.
    spare: Bytes,
    judge: Judge,
    counts: Counts,
    clock: Clock,
    /// Boxed, as what ends a session: an idle one must not carry the room for it.
    failure: Option<Box<Cause>>,
    max_message: usize,
}

/// Whole messages that wait to be taken.
#[derive(Debug)]
struct Waiting {
    item: Item,
    /// Where the input stood; what was read since may be kept alive by this item's buffer.
    position: u64,
}

#[derive(Debug)]
enum Item {
    /// A batch that was checked when it was opened, with so many messages.
    Batch {
        bytes: Bytes,
        messages: u64,
    },
    Message(Bytes),
}

#[derive(Debug, Default)]
struct Counts {
    handed: u64,
    /// Messages that have left the queue: those handed out, and what is left of a batch given out whole.
    given: u64,
    /// Bytes of that batch: they are held until the next thing leaves the queue.
    lent: usize,
    taken: u64,
    stopped: Option<u64>,
    taking: Taking,
    drain: Option<Instant>,
}

/// What [`ReceivePath::process`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "callers must know every answer")]
pub enum Processed {
    /// It opened as many records as it might.
    Busy,
    /// It needs more input.
    NeedInput,
    /// What is untaken is as much as it holds.
    Full,
    /// It will open no more.
    Ended,
}

impl ReceivePath {
    pub(super) fn new(opener: Opener, config: &Config, theirs: &Params, now: Instant) -> Self {
        let idle = agreed_idle(config, theirs);
        let max = config.limits().max_message;
        Self {
            opener,
            input: BytesMut::new(),
            input_ended: false,
            queue: VecDeque::new(),
            queued: 0,
            position: 0,
            assembly: Assembly::None,
            spare: Bytes::new(),
            judge: Judge::new(Credit::new(idle, now)),
            counts: Counts {
                taking: config.taking(),
                ..Counts::default()
            },
            clock: Clock::new(idle, now),
            failure: None,
            max_message: usize::try_from(max).unwrap_or(usize::MAX),
        }
    }

    /// Where bytes of the transport are appended.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// The transport has ended; what came before it is still processed.
    // spec: E-10
    pub fn input_ended(&mut self) {
        self.input_ended = true;
    }

    /// Fails for this cause, unless it has failed already. Whole messages are still handed out.
    pub fn fail(&mut self, cause: Cause) {
        self.failure.get_or_insert_with(|| Box::new(cause));
    }

    /// Whether more input is wanted: it has not ended and there is room for what it brings.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        self.failure.is_none() && !self.input_ended && !self.is_full()
    }

    fn is_full(&self) -> bool {
        self.queued >= UNTAKEN
    }

    /// Opens at most `records` records of the input.
    #[inline]
    pub fn process(&mut self, facts: &Facts, now: Instant, records: usize) -> Processed {
        // The usual answer behind a record that came alone.
        if self.input.is_empty() && self.wants_input() {
            return Processed::NeedInput;
        }
        self.process_input(facts, now, records)
    }

    fn process_input(&mut self, facts: &Facts, now: Instant, records: usize) -> Processed {
        for _record in 0..records {
            if self.failure.is_some() {
                return Processed::Ended;
            }
            if self.is_full() {
                return Processed::Full;
            }
            match self.open_next(facts, now) {
                Ok(true) => {}
                Ok(false) if self.input_ended => {
                    self.end_for(Cause::TransportEnded);
                    return Processed::Ended;
                }
                Ok(false) => return Processed::NeedInput,
                Err(cause) => {
                    self.end_for(cause);
                    return Processed::Ended;
                }
            }
        }
        Processed::Busy
    }

    // spec: T-20, E-16
    fn end_for(&mut self, cause: Cause) {
        self.judge.notices.abort = Some(Box::new(cause.clone()));
        self.assembly = Assembly::None;
        self.failure = Some(Box::new(cause));
    }

    fn open_next(&mut self, facts: &Facts, now: Instant) -> Result<bool, Cause> {
        let length = wire::record_length(&self.input, wire::RECORD_ACCEPTED);
        let Some(length) = length.map_err(Cause::Violation)? else {
            return Ok(false);
        };
        if self.input.len() < length.saturating_add(HEADER) {
            return Ok(false);
        }
        // spec: T-11
        if self.opener.records() >= wire::OPENED_RECORDS {
            let violation = Violation::new("T-11", "too many records under one key");
            return Err(Cause::Violation(violation));
        }
        self.input.advance(HEADER);
        self.consume(length.saturating_add(HEADER));
        if matches!(self.assembly, Assembly::Keeping(_)) {
            return self.open_behind(length, facts, now).map(|()| true);
        }
        if self.foresees_piece(length) {
            return self.open_first(length, facts, now).map(|()| true);
        }
        let mut record = self.input.split_to(length);
        self.opener
            .open(&mut record)
            .map_err(|_bad| Cause::BadRecord)?;
        record.truncate(length.saturating_sub(TAG));
        self.opened(now);
        self.sort(record, facts).map(|()| true)
    }

    fn opened(&mut self, now: Instant) {
        self.clock.opened(now);
        self.judge.pass(now);
    }

    /// Judges a plaintext and keeps what the application will take.
    fn sort(&mut self, plaintext: BytesMut, facts: &Facts) -> Result<(), Cause> {
        let (body, kind) = wire::split_kind(&plaintext).map_err(Cause::Violation)?;
        let length = body.len();
        let mut plaintext = plaintext;
        plaintext.truncate(length);
        match kind {
            Kind::Batch => self.sort_batch(plaintext.freeze(), facts),
            Kind::Message => self.whole(plaintext).map_err(Cause::Violation),
            Kind::Piece => self.piece(&plaintext).map_err(Cause::Violation),
        }
    }

    fn sort_batch(&mut self, body: Bytes, facts: &Facts) -> Result<(), Cause> {
        let mut rest = &*body;
        let mut end_of_messages = 0;
        let mut messages = 0_u64;
        let verdict = loop {
            if rest.is_empty() {
                break self
                    .judge
                    .close_batch()
                    .map(|()| Verdict::Fine)
                    .map_err(Cause::Violation);
            }
            match self.next_frame(&mut rest, facts) {
                Ok(Verdict::Message) => {
                    messages = messages.saturating_add(1);
                    end_of_messages = body.len().saturating_sub(rest.len());
                }
                Ok(Verdict::Fine) => {}
                Ok(other) => break Ok(other),
                Err(cause) => break Err(cause),
            }
        };
        // Messages before a fault are whole and stay; what stands behind the last of them need not.
        if messages > 0 && self.counts.stopped.is_none() {
            let bytes = body.slice(..end_of_messages);
            self.keep(Item::Batch { bytes, messages }, end_of_messages);
        }
        match verdict? {
            Verdict::Rekey => self.opener.rekey().map_err(|_bad| Cause::Internal),
            Verdict::Fine | Verdict::Message => Ok(()),
        }
    }

    #[inline]
    fn next_frame(&mut self, rest: &mut &[u8], facts: &Facts) -> Result<Verdict, Cause> {
        let in_pieces = !matches!(self.assembly, Assembly::None);
        let mut behind = *rest;
        if let Some(message) = wire::short_message(&mut behind)
            && message.len() <= self.max_message
        {
            *rest = behind;
            return self.judge.message(in_pieces).map_err(Cause::Violation);
        }
        self.frame(rest, facts)
    }

    fn frame(&mut self, rest: &mut &[u8], facts: &Facts) -> Result<Verdict, Cause> {
        let frame = Frame::take(rest).map_err(Cause::Violation)?;
        let in_pieces = !matches!(self.assembly, Assembly::None);
        match frame {
            Frame::Abort { code, reason } => {
                return Err(Cause::PeerAborted {
                    code,
                    reason: reason.to_owned(),
                });
            }
            Frame::Discard => {
                self.judge.discard(in_pieces).map_err(Cause::Violation)?;
                self.assembly = Assembly::None;
                return Ok(Verdict::Fine);
            }
            Frame::Drain { milliseconds } => {
                let within = Duration::from_millis(milliseconds);
                // Counted from when it came, whenever the application looks.
                self.counts.drain = self.clock.last_opened().checked_add(within);
            }
            Frame::Message(message) if message.len() > self.max_message => {
                return Err(Cause::Violation(Violation::too_large()));
            }
            _judged_below => {}
        }
        let position = Position {
            taken: self.counts.taken,
            stopped: self.counts.stopped,
            in_pieces,
        };
        let verdict = self.judge.frame(&frame, facts, position);
        if let Ok(Verdict::Rekey) = verdict {
            self.judge.only_padding(rest).map_err(Cause::Violation)?;
        }
        verdict.map_err(Cause::Violation)
    }

    /// Small messages that wait are moved together once they keep more alive than a session may hold.
    // spec: L-6
    fn consume(&mut self, length: usize) {
        self.position = self
            .position
            .saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        let Some(oldest) = self.queue.front() else {
            return;
        };
        let span = self.position.saturating_sub(oldest.position);
        let span = usize::try_from(span).unwrap_or(usize::MAX);
        if span <= self.queued.saturating_add(UNTAKEN) {
            return;
        }
        for waiting in &mut self.queue {
            let (Item::Batch { bytes, .. } | Item::Message(bytes)) = &mut waiting.item;
            // What is larger than a record has a buffer of its own.
            if bytes.len() <= wire::RECORD_ACCEPTED {
                *bytes = Bytes::copy_from_slice(bytes);
            }
            waiting.position = self.position;
        }
    }

    // spec: T-14
    fn keep(&mut self, item: Item, length: usize) {
        // Even an empty message holds a place in the queue.
        self.queued = self.queued.saturating_add(length).saturating_add(32);
        let position = self.position;
        self.queue.push_back(Waiting { item, position });
    }

    /// Takes what must be said to the peer or known by the send path; `None` if that is nothing new.
    pub fn notices(&mut self) -> Option<Notices> {
        self.judge.take_notices()
    }

    /// By when the peer has announced that it will end; given out once.
    pub fn draining(&mut self) -> Option<Instant> {
        self.counts.drain.take()
    }

    /// Whether no whole message waits to be taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.counts.given == self.counts.handed
    }

    /// About how many bytes of messages wait to be taken.
    #[must_use]
    pub fn untaken(&self) -> usize {
        self.queued
    }

    /// Whether untaken messages keep it from reading on.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.failure.is_none() && self.is_full()
    }

    /// Why it opens no more records.
    #[must_use]
    pub fn failure(&self) -> Option<&Cause> {
        self.failure.as_deref()
    }

    /// What the peer's END said, once it is read.
    #[must_use]
    pub fn peer_ended(&self) -> Option<&Ended> {
        self.judge.end().map(|(_sent, ended)| ended)
    }

    /// Whether the application takes no more.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.counts.stopped.is_some()
    }

    /// Whether the peer's END is read and everything before it is handed out.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.judge.end().is_some() && self.is_empty()
    }

    /// Whether nothing has ended it, on either side: more messages may come.
    pub(crate) fn is_open(&self) -> bool {
        self.failure.is_none() && self.judge.end().is_none() && !self.is_stopped()
    }

    /// Whole messages that arrived.
    #[must_use]
    pub fn arrived_count(&self) -> u64 {
        self.judge.arrived()
    }

    /// Messages that count as taken.
    #[must_use]
    pub fn taken_count(&self) -> u64 {
        self.counts.taken
    }

    /// What is proven of the peer's messages.
    // spec: E-10
    #[must_use]
    pub fn received(&self) -> Received {
        let taken = self.counts.taken;
        match self.judge.end() {
            Some((sent, _ended)) if *sent == taken => Received::Complete(taken),
            Some((sent, _ended)) => Received::Stopped { taken, sent: *sent },
            None => Received::Truncated {
                arrived: self.judge.arrived(),
                taken,
            },
        }
    }

    /// Says whether we wait for input; the idle timeout runs only then.
    // spec: L-3
    pub fn waits(&mut self, waits: bool, now: Instant) {
        if waits {
            self.clock.wait(now);
        } else {
            self.clock.stop_waiting();
        }
    }

    /// When the session has been silent for too long, if it goes on like this.
    #[must_use]
    pub fn idle_at(&self) -> Option<Instant> {
        self.clock.idle_at()
    }

    /// When a PING should go out.
    // spec: L-4
    #[must_use]
    pub fn ping_at(&self) -> Option<Instant> {
        self.clock.ping_at()
    }

    /// Whether there are buffers that [`ReceivePath::release`] may give back.
    #[must_use]
    pub fn owns_memory(&self) -> bool {
        let kept = self.input.capacity().max(self.spare.len());
        kept.max(self.queue.capacity()) > 0
    }

    #[cfg(test)]
    pub(super) fn opener(&mut self) -> &mut Opener {
        &mut self.opener
    }

    /// When [`ReceivePath::waits`] must be called again at the latest: a longer silence of ours counts as
    /// time in which we were not reading.
    #[must_use]
    pub fn look_at(&self) -> Option<Instant> {
        self.clock.look_at()
    }

    /// Gives memory back while no part of a record waits in it.
    pub fn release(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        self.spare = Bytes::new();
    }
}

/// Where the application stands when a frame is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub(super) taken: u64,
    pub(super) stopped: Option<u64>,
    pub(super) in_pieces: bool,
}

impl fmt::Debug for ReceivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivePath")
            .field("input", &self.input.len())
            .field("queued", &self.queued)
            .field("counts", &self.counts)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
