//! The record ciphers: one owner a direction, implicit counters, announced rekey.

use core::fmt;

use zeroize::Zeroizing;

use super::{
    ledger::KeyId,
    provider::{Aead, AeadKind, Nonce, Provider, Refused},
};

/// Bytes of an authentication tag.
pub(crate) const TAG: usize = 16;

/// Noise keeps the last counter for `Rekey()`.
const LAST: u64 = u64::MAX;

/// A record did not open, or a cipher can do no more. Final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadRecord;

struct Key {
    provider: Provider,
    kind: AeadKind,
    aead: Box<dyn Aead>,
    id: KeyId,
    counter: u64,
    /// Records under the present key.
    records: u64,
}

impl Key {
    fn new(provider: Provider, kind: AeadKind, key: &[u8; 32]) -> Result<Self, Refused> {
        Ok(Self {
            provider,
            kind,
            aead: provider.backend().aead(kind, key)?,
            id: KeyId::of(key),
            counter: 0,
            records: 0,
        })
    }

    fn next(&mut self) -> Result<Nonce, BadRecord> {
        if self.counter == LAST {
            return Err(BadRecord);
        }
        let counter = self.counter;
        self.counter = counter.saturating_add(1);
        self.records = self.records.saturating_add(1);
        Ok(self.kind.nonce(counter))
    }

    /// Noise `Rekey()`: the old key goes at once, the counter goes on.
    // spec: T-10
    fn rekey(&mut self) -> Result<(), BadRecord> {
        let mut block = Zeroizing::new([0_u8; 48]);
        self.aead
            .seal(self.kind.nonce(LAST), &[], block.as_mut_slice())
            .map_err(|_refused| BadRecord)?;
        let key = block.first_chunk::<32>().ok_or(BadRecord)?;
        self.aead = self
            .provider
            .backend()
            .aead(self.kind, key)
            .map_err(|_refused| BadRecord)?;
        self.id = KeyId::of(key);
        self.records = 0;
        Ok(())
    }
}

/// Seals the records of our direction.
pub(crate) struct Sealer {
    key: Key,
    failed: bool,
}

impl Sealer {
    pub(super) fn new(provider: Provider, kind: AeadKind, key: &[u8; 32]) -> Result<Self, Refused> {
        Ok(Self {
            key: Key::new(provider, kind, key)?,
            failed: false,
        })
    }

    /// Seals `buffer` but for its last 16 bytes, which take the tag.
    pub(crate) fn seal(&mut self, buffer: &mut [u8]) -> Result<(), BadRecord> {
        // Taken before sealing: a counter that may have left the process is never used again (spec: T-2).
        let nonce = self.next()?;
        let sealed = self.key.aead.seal(nonce, &[], buffer).is_ok();
        self.settle(sealed)
    }

    /// Seals `body | kind` into `out` of `body.len() + 17` bytes.
    pub(crate) fn seal_from(
        &mut self,
        body: &[u8],
        kind: u8,
        out: &mut [u8],
    ) -> Result<(), BadRecord> {
        let nonce = self.next()?;
        let sealed = self.key.aead.seal_from(nonce, body, kind, out).is_ok();
        self.settle(sealed)
    }

    fn next(&mut self) -> Result<Nonce, BadRecord> {
        if self.failed {
            return Err(BadRecord);
        }
        self.key.id.seals(self.key.counter);
        self.key.next()
    }

    /// A record that was not sealed has used its counter: the peer could open nothing behind it.
    fn settle(&mut self, sealed: bool) -> Result<(), BadRecord> {
        self.failed |= !sealed;
        if sealed { Ok(()) } else { Err(BadRecord) }
    }

    pub(crate) fn rekey(&mut self) -> Result<(), BadRecord> {
        self.key.id.seals(LAST);
        let rekeyed = self.key.rekey().is_ok();
        self.settle(rekeyed)
    }

    pub(crate) fn records(&self) -> u64 {
        self.key.records
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("counter", &self.key.counter)
            .finish_non_exhaustive()
    }
}

/// Opens the records of the peer's direction. The first that does not open is the last.
pub(crate) struct Opener {
    key: Key,
    failed: bool,
}

impl Opener {
    pub(super) fn new(provider: Provider, kind: AeadKind, key: &[u8; 32]) -> Result<Self, Refused> {
        Ok(Self {
            key: Key::new(provider, kind, key)?,
            failed: false,
        })
    }

    /// Opens `record` in place; the plaintext is all but its last 16 bytes.
    pub(crate) fn open(&mut self, record: &mut [u8]) -> Result<(), BadRecord> {
        let nonce = self.key.kind.nonce(self.key.counter);
        let opened = !self.failed && self.key.aead.open(nonce, &[], record).is_ok();
        self.settle(opened)
    }

    /// Opens `record` into `out` of 16 bytes less.
    pub(crate) fn open_into(&mut self, record: &[u8], out: &mut [u8]) -> Result<(), BadRecord> {
        let nonce = self.key.kind.nonce(self.key.counter);
        let opened = !self.failed && self.key.aead.open_into(nonce, record, out).is_ok();
        self.settle(opened)
    }

    // spec: T-4
    fn settle(&mut self, opened: bool) -> Result<(), BadRecord> {
        if !opened {
            self.failed = true;
            return Err(BadRecord);
        }
        self.key.next().map(|_nonce| ())
    }

    pub(crate) fn rekey(&mut self) -> Result<(), BadRecord> {
        let rekeyed = self.key.rekey();
        self.failed |= rekeyed.is_err();
        rekeyed
    }

    pub(crate) fn records(&self) -> u64 {
        self.key.records
    }

    /// As if so many records had been opened under the present key.
    #[cfg(test)]
    pub(crate) fn pretend_records(&mut self, records: u64) {
        self.key.records = records;
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("counter", &self.key.counter)
            .finish_non_exhaustive()
    }
}
