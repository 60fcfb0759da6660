//! The outgoing bytes: sealed records, and behind them the open batch at its final place.

use crate::{
    noise::{BadRecord, Sealer, TAG},
    wire::{GATHERED, HEADER, Kind, OVERHEAD},
};

/// Bytes from `start` to `end` are sealed and wait to be written; the open batch's body stands
/// behind a header's room at `end`. The vector keeps its full length, so that nothing is zeroed twice.
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    batch: usize,
    /// What is gathered for one write: as much as the transport takes at once, so that no rest must be moved.
    most: usize,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            batch: 0,
            most: GATHERED,
        }
    }
}

/// First size of the buffer.
const SMALL: usize = 2_048;

impl Outgoing {
    pub(super) fn pending(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn pending_length(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Bytes of the open batch.
    pub(super) fn batch_length(&self) -> usize {
        self.batch
    }

    /// Whether so many bytes more are for a later write.
    pub(super) fn is_full(&self, more: usize) -> bool {
        let pending = self.pending_length();
        pending > 0 && pending.saturating_add(more) > self.most
    }

    pub(super) fn consume(&mut self, written: usize) {
        self.most = if written < self.pending_length() {
            written.max(GATHERED / 2)
        } else {
            self.most.saturating_add(self.most / 8).min(GATHERED)
        };
        self.start = self.start.saturating_add(written).min(self.end);
        if self.start == self.end && self.batch == 0 {
            (self.start, self.end) = (0, 0);
        }
    }

    pub(super) fn owns_memory(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Gives the memory back while there is nothing in it.
    pub(super) fn release(&mut self) {
        if self.start == self.end && self.batch == 0 {
            *self = Self::default();
        }
    }

    fn used(&self) -> usize {
        let open = if self.batch == 0 { 0 } else { HEADER };
        self.end.saturating_add(open).saturating_add(self.batch)
    }

    /// Makes room for `more` bytes behind what is used.
    #[inline]
    fn make_room(&mut self, more: usize) {
        let used = self.used();
        if self.bytes.len().saturating_sub(used) < more {
            self.grow(used, more);
        }
    }

    fn grow(&mut self, used: usize, more: usize) {
        if self.start >= used / 2 && self.start > 0 {
            self.bytes.copy_within(self.start..used, 0);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
        }
        let needed = self.used().saturating_add(more);
        if self.bytes.len() < needed {
            let doubled = self.bytes.len().saturating_mul(2);
            self.bytes.resize(needed.max(doubled).max(SMALL), 0);
        }
    }

    /// Appends to the open batch, and opens one if there is none.
    pub(super) fn push(&mut self, head: &[u8], body: &[u8]) {
        let length = head.len().saturating_add(body.len());
        self.make_room(length.saturating_add(OVERHEAD));
        let room = self.batch_room();
        if let Some((first, rest)) = room.split_at_mut_checked(head.len())
            && let Some(second) = rest.get_mut(..body.len())
        {
            first.copy_from_slice(head);
            second.copy_from_slice(body);
            self.batch = self.batch.saturating_add(length);
        }
    }

    /// As [`Outgoing::push`], for a head of two or three bytes: all three are written, which needs no
    /// loop, and the body covers the last.
    #[inline]
    pub(super) fn push_short(&mut self, (head, width): ([u8; 3], usize), body: &[u8]) {
        let length = width.saturating_add(body.len());
        self.make_room(length.saturating_add(OVERHEAD));
        let room = self.batch_room();
        if let Some(first) = room.first_chunk_mut::<3>() {
            *first = head;
        }
        if let Some(second) = room.get_mut(width..length) {
            second.copy_from_slice(body);
            self.batch = self.batch.saturating_add(length);
        }
    }

    fn batch_room(&mut self) -> &mut [u8] {
        let at = self.end.saturating_add(HEADER).saturating_add(self.batch);
        self.bytes.get_mut(at..).unwrap_or_default()
    }

    /// Drops the open batch: nothing of it was sealed.
    pub(super) fn drop_batch(&mut self) {
        self.batch = 0;
    }

    /// Seals the open batch; with `bare` its only frame, whose head is that long, becomes a bare message.
    pub(super) fn seal(
        &mut self,
        sealer: &mut Sealer,
        bare: Option<usize>,
    ) -> Result<(), BadRecord> {
        if self.batch == 0 {
            return Ok(());
        }
        let at = self.end.saturating_add(HEADER);
        let mut length = self.batch;
        let mut kind = Kind::Batch;
        if let Some(head) = bare {
            let from = at.saturating_add(head);
            self.bytes.copy_within(from..at.saturating_add(length), at);
            length = length.saturating_sub(head);
            kind = Kind::Message;
        }
        self.batch = 0;
        let total = length.saturating_add(OVERHEAD);
        let record = self
            .bytes
            .get_mut(self.end..self.end.saturating_add(total))
            .ok_or(BadRecord)?;
        let (header, body) = record.split_at_mut_checked(HEADER).ok_or(BadRecord)?;
        put_length(header, body.len())?;
        *body.get_mut(length).ok_or(BadRecord)? = kind.byte();
        sealer.seal(body)?;
        self.end = self.end.saturating_add(total);
        Ok(())
    }

    /// Seals a bare record from the caller's slice. There must be no open batch.
    pub(super) fn seal_from(
        &mut self,
        sealer: &mut Sealer,
        body: &[u8],
        kind: Kind,
    ) -> Result<(), BadRecord> {
        let total = body.len().saturating_add(OVERHEAD);
        self.make_room(total);
        let record = self
            .bytes
            .get_mut(self.end..self.end.saturating_add(total))
            .ok_or(BadRecord)?;
        let (header, sealed) = record.split_at_mut_checked(HEADER).ok_or(BadRecord)?;
        put_length(header, sealed.len())?;
        sealer.seal_from(body, kind.byte(), sealed)?;
        self.end = self.end.saturating_add(total);
        Ok(())
    }
}

fn put_length(header: &mut [u8], length: usize) -> Result<(), BadRecord> {
    debug_assert!(length > TAG, "a record has a kind");
    let length = u16::try_from(length).map_err(|_wide| BadRecord)?;
    header.copy_from_slice(&length.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(pending: usize) -> Outgoing {
        Outgoing {
            bytes: vec![0; pending],
            end: pending,
            ..Outgoing::default()
        }
    }

    #[test]
    fn one_write_gathers_256_kib_at_most_but_always_one_record() {
        let out = waiting(GATHERED - 10);
        assert!(!out.is_full(10));
        assert!(out.is_full(11));
        assert!(!waiting(0).is_full(2 * GATHERED));
    }

    #[test]
    fn as_much_is_gathered_as_the_transport_took() {
        let mut out = waiting(250_000);
        out.consume(200_000);
        assert!(!out.is_full(150_000));
        assert!(out.is_full(150_001));
        // It takes all: a little more is tried, at last what there may be.
        out.consume(50_000);
        out.end = 200_000;
        assert!(!out.is_full(25_000));
        assert!(out.is_full(25_001));
        for _write in 0..3 {
            out.consume(out.pending_length());
        }
        out.end = GATHERED - 1;
        assert!(!out.is_full(1));
        assert!(out.is_full(2));
    }

    #[test]
    fn a_transport_that_takes_little_is_still_offered_much() {
        let mut out = waiting(GATHERED / 4);
        out.consume(1);
        assert!(!out.is_full(GATHERED / 4 + 1));
        assert!(out.is_full(GATHERED / 4 + 2));
    }
}
