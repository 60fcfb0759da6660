//! Messages in pieces: opened one behind the other, bounded, counted once (spec: T-7, T-8).

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::{Item, ReceivePath};
use crate::{
    noise::TAG,
    proto::{notices::Facts, outcome::Cause},
    wire::{self, Kind, UNTAKEN, Violation},
};

/// A record that is no longer is never foreseen to be a first piece.
const FIRST_PIECE: usize = 8 * 1024;

/// A message in pieces.
#[derive(Debug)]
pub(super) enum Assembly {
    None,
    Keeping(Kept),
    /// We take no more; only its size is watched.
    Dropping(usize),
}

/// The pieces so far, at the front of a buffer that has served before: nothing is zeroed twice.
#[derive(Debug)]
pub(super) struct Kept {
    bytes: BytesMut,
    filled: usize,
}

impl Kept {
    /// In the buffer of an earlier message, unless that is still held.
    fn reusing(spare: Bytes) -> Self {
        Self {
            bytes: spare.try_into_mut().unwrap_or_default(),
            filled: 0,
        }
    }

    /// Room for so many bytes behind the pieces.
    ///
    /// It grows by doubling, but never beyond `most`.
    // spec: L-6
    fn room(&mut self, more: usize, most: usize) -> &mut [u8] {
        let needed = self.filled.saturating_add(more);
        if needed > self.bytes.len() {
            if needed > self.bytes.capacity() {
                // Only what is filled need be moved.
                self.bytes.truncate(self.filled);
            }
            if needed > self.bytes.capacity() && needed > UNTAKEN {
                let room = needed.max(self.bytes.capacity().saturating_mul(2).min(most));
                let mut bytes = Vec::from(core::mem::take(&mut self.bytes));
                bytes.reserve_exact(room.saturating_sub(bytes.len()));
                // Neither of these copies what nobody else holds.
                self.bytes = match Bytes::from(bytes).try_into_mut() {
                    Ok(bytes) => bytes,
                    Err(shared) => BytesMut::from(&*shared),
                };
            }
            self.bytes.resize(needed, 0);
        }
        self.bytes.get_mut(self.filled..needed).unwrap_or_default()
    }

    /// So many bytes behind the pieces, where a record was opened.
    fn behind(&self, length: usize) -> &[u8] {
        let end = self.filled.saturating_add(length);
        self.bytes.get(self.filled..end).unwrap_or_default()
    }

    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    fn append(&mut self, body: &[u8], most: usize) {
        self.room(body.len(), most).copy_from_slice(body);
        self.filled = self.filled.saturating_add(body.len());
    }
}

impl ReceivePath {
    /// Opens a record straight behind the pieces before it, as it most likely is the next one.
    pub(super) fn open_behind(
        &mut self,
        length: usize,
        facts: &Facts,
        now: Instant,
    ) -> Result<(), Cause> {
        let Assembly::Keeping(mut kept) = core::mem::replace(&mut self.assembly, Assembly::None)
        else {
            return Err(Cause::Internal);
        };
        let before = kept.filled;
        let (kind, more) = self.open_onto(&mut kept, length, now)?;
        if kind == Kind::Batch {
            let batch = Bytes::copy_from_slice(kept.behind(more));
            self.assembly = Assembly::Keeping(kept);
            return self.sort_batch(batch, facts);
        }
        kept.filled = before.saturating_add(more);
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

    /// Whether this record is most likely the first piece of a message, and there is a buffer to open it into.
    pub(super) fn foresees_piece(&self, length: usize) -> bool {
        length > FIRST_PIECE && self.spare.is_unique() && self.counts.stopped.is_none()
    }

    /// Opens a record where the pieces behind it will stand, as it most likely is the first of them.
    pub(super) fn open_first(
        &mut self,
        length: usize,
        facts: &Facts,
        now: Instant,
    ) -> Result<(), Cause> {
        let mut kept = Kept::reusing(core::mem::take(&mut self.spare));
        let (kind, first) = self.open_onto(&mut kept, length, now)?;
        if kind != Kind::Piece {
            // Its bytes must not keep so large a buffer; nor is the next one foreseen.
            let plaintext = kept.behind(length.saturating_sub(TAG));
            return self.sort(BytesMut::from(plaintext), facts);
        }
        let judged = self.judge.piece(first).and_then(|()| self.fits(0, first));
        judged.map_err(Cause::Violation)?;
        kept.filled = first;
        self.assembly = Assembly::Keeping(kept);
        Ok(())
    }

    /// Opens the next record behind what is kept: what it is, and how long its body.
    fn open_onto(
        &mut self,
        kept: &mut Kept,
        length: usize,
        now: Instant,
    ) -> Result<(Kind, usize), Cause> {
        let record = self.input.split_to(length);
        let plaintext = kept.room(length.saturating_sub(TAG), self.most_kept());
        self.opener
            .open_into(&record, plaintext)
            .map_err(|_bad| Cause::BadRecord)?;
        self.opened(now);
        let (body, kind) = wire::split_kind(plaintext).map_err(Cause::Violation)?;
        Ok((kind, body.len()))
    }

    /// The longest message, and a record.
    fn most_kept(&self) -> usize {
        self.max_message.saturating_add(wire::RECORD_ACCEPTED)
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
                kept.append(&body, self.most_kept());
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
            Assembly::Keeping(kept) => kept.filled,
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
        let mut kept = Kept::reusing(core::mem::take(&mut self.spare));
        kept.append(body, self.most_kept());
        self.assembly = Assembly::Keeping(kept);
        Ok(())
    }

    /// A message that is whole. Its buffer serves again once it is dropped, unless it is so large that
    /// a small message in it would keep too much.
    fn assembled(&mut self, kept: Kept) -> Bytes {
        let Kept { mut bytes, filled } = kept;
        let serves_again = bytes.capacity() <= UNTAKEN;
        // Split off, it can be shared and taken back without an allocation.
        let message = bytes.split_to(filled).freeze();
        if serves_again {
            self.spare = message.clone();
        }
        message
    }
}
