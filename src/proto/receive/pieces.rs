//! Messages in pieces: opened one behind the other, bounded, counted once (spec: T-7, T-8).

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::{Item, ReceivePath};
use crate::{
    noise::TAG,
    proto::{notices::Facts, outcome::Cause},
    wire::{self, Kind, UNTAKEN, Violation},
};

/// A message in pieces.
#[derive(Debug)]
pub(super) enum Assembly {
    None,
    Keeping(BytesMut),
    /// We take no more; only its size is watched.
    Dropping(usize),
}

impl ReceivePath {
    /// Opens a record straight behind the pieces before it, as it most likely is the next one.
    pub(super) fn open_behind(
        &mut self,
        length: usize,
        facts: &Facts,
        now: Instant,
    ) -> Result<(), Cause> {
        let record = self.input.split_to(length);
        let Assembly::Keeping(mut kept) = core::mem::replace(&mut self.assembly, Assembly::None)
        else {
            return Err(Cause::Internal);
        };
        let before = kept.len();
        kept = self.with_room(kept, length);
        kept.resize(before.saturating_add(length).saturating_sub(TAG), 0);
        let room = kept.get_mut(before..).unwrap_or_default();
        self.opener
            .open_into(&record, room)
            .map_err(|_bad| Cause::BadRecord)?;
        self.opened(now);
        let plaintext = kept.get(before..).unwrap_or_default();
        let (body, kind) = wire::split_kind(plaintext).map_err(Cause::Violation)?;
        let more = body.len();
        let batch = (kind == Kind::Batch).then(|| Bytes::copy_from_slice(body));
        if let Some(batch) = batch {
            kept.truncate(before);
            self.assembly = Assembly::Keeping(kept);
            return self.sort_batch(batch, facts);
        }
        kept.truncate(before.saturating_add(more));
        let judged = match kind {
            Kind::Piece => self
                .judge
                .piece(more)
                .and_then(|()| self.fits(before, more)),
            Kind::Message | Kind::Batch => self
                .judge
                .open()
                .and_then(|()| self.fits(before, more))
                .and_then(|()| self.judge.last_piece(more)),
        };
        judged.map_err(Cause::Violation)?;
        if kind == Kind::Piece {
            self.assembly = Assembly::Keeping(kept);
        } else {
            let message = self.assembled(kept);
            let length = message.len();
            self.keep(Item::Message(message), length);
        }
        Ok(())
    }

    /// Grows by doubling, but never beyond the longest message and a record.
    // spec: L-6
    fn with_room(&self, kept: BytesMut, more: usize) -> BytesMut {
        let needed = kept.len().saturating_add(more);
        if needed <= kept.capacity() || needed <= UNTAKEN {
            return kept;
        }
        let most = self.max_message.saturating_add(wire::RECORD_ACCEPTED);
        let room = needed.max(kept.capacity().saturating_mul(2).min(most));
        let mut bytes = Vec::from(kept);
        bytes.reserve_exact(room.saturating_sub(bytes.len()));
        // Neither of these copies what nobody else holds.
        match Bytes::from(bytes).try_into_mut() {
            Ok(kept) => kept,
            Err(shared) => BytesMut::from(&*shared),
        }
    }

    /// A bare message, or the last piece of one. One that is too large has not come (spec: T-8).
    pub(super) fn whole(&mut self, body: BytesMut) -> Result<(), Violation> {
        self.judge.open()?;
        self.fits(self.kept_length(), body.len())?;
        match self.assembly {
            Assembly::None => self.judge.message_record()?,
            Assembly::Keeping(_) | Assembly::Dropping(_) => self.judge.last_piece(body.len())?,
        }
        let message = match core::mem::replace(&mut self.assembly, Assembly::None) {
            Assembly::None => body.freeze(),
            Assembly::Keeping(mut kept) => {
                kept.extend_from_slice(&body);
                self.assembled(kept)
            }
            Assembly::Dropping(_dropped) => Bytes::new(),
        };
        if self.counts.stopped.is_none() {
            let length = message.len();
            self.keep(Item::Message(message), length);
        }
        Ok(())
    }

    /// Bytes of the message in pieces so far.
    fn kept_length(&self) -> usize {
        match &self.assembly {
            Assembly::None => 0,
            Assembly::Keeping(kept) => kept.len(),
            Assembly::Dropping(dropped) => *dropped,
        }
    }

    // spec: T-8
    fn fits(&self, kept: usize, more: usize) -> Result<(), Violation> {
        if kept.saturating_add(more) > self.max_message {
            return Err(Violation::too_large());
        }
        Ok(())
    }

    pub(super) fn piece(&mut self, body: &[u8]) -> Result<(), Violation> {
        self.judge.piece(body.len())?;
        let kept = self.kept_length();
        self.fits(kept, body.len())?;
        if self.counts.stopped.is_some() {
            self.assembly = Assembly::Dropping(kept.saturating_add(body.len()));
            return Ok(());
        }
        let mut kept = core::mem::take(&mut self.spare);
        kept.extend_from_slice(body);
        self.assembly = Assembly::Keeping(kept);
        Ok(())
    }

    /// A message that is whole. Its buffer serves again once it is dropped, unless it is so large that
    /// a small message behind it would keep too much.
    fn assembled(&mut self, mut kept: BytesMut) -> Bytes {
        let message = kept.split().freeze();
        if message.len().saturating_add(kept.capacity()) <= UNTAKEN {
            self.spare = kept;
        }
        message
    }
}
