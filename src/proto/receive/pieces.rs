//! Messages in pieces: opened one behind the other, bounded, counted once (spec: T-7, T-8).

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::{Item, ReceivePath};
use crate::{
    noise::TAG,
    proto::{notices::Facts, outcome::Cause},
    wire::{self, Kind, Violation},
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
                .and_then(|()| self.judge.message_record()),
        };
        judged.map_err(Cause::Violation)?;
        if kind == Kind::Piece {
            self.assembly = Assembly::Keeping(kept);
        } else {
            let length = kept.len();
            self.keep(Item::Message(kept.freeze()), length);
        }
        Ok(())
    }

    /// A bare message, or the last piece of one. One that is too large has not come (spec: T-8).
    pub(super) fn whole(&mut self, body: BytesMut) -> Result<(), Violation> {
        self.judge.open()?;
        self.fits(self.kept_length(), body.len())?;
        self.judge.message_record()?;
        let message = match core::mem::replace(&mut self.assembly, Assembly::None) {
            Assembly::None => body.freeze(),
            Assembly::Keeping(kept) => [kept.freeze(), body.freeze()].concat().into(),
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
        self.assembly = Assembly::Keeping(BytesMut::from(body));
        Ok(())
    }
}
