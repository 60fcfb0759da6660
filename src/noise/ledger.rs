//! Watches, in tests alone, that no nonce seals twice: compiled only with `--cfg duologue_ledger`.
//!
//! The one global of the lower layers, and never in what users build. Counters under one key only rise, so
//! the last one tells whether the next was used already.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

/// The last counter that sealed, for each key.
static LAST: Mutex<Option<HashMap<KeyId, u64>>> = Mutex::new(None);

/// Tells keys apart without being one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct KeyId([u8; 32]);

impl KeyId {
    pub(super) fn of(key: &[u8; 32]) -> Self {
        let hash = Sha256::new()
            .chain_update(b"duologue/ledger")
            .chain_update(key);
        Self(hash.finalize().into())
    }

    /// Writes down that this counter seals under this key.
    // spec: T-2; threat: 57, 60
    #[expect(clippy::panic, reason = "a nonce used twice must end the test at once")]
    pub(super) fn seals(self, counter: u64) {
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.get_or_insert_default().insert(self, counter);
        drop(last);
        if before.is_some_and(|before| before >= counter) {
            panic!("counter {counter} has sealed under this key before");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Provider, Sealer,
        provider::AeadKind::{self, AesGcm, ChaChaPoly},
    };

    fn sealer(kind: AeadKind, key: u8) -> Sealer {
        Sealer::new(Provider::portable(), kind, &[key; 32]).unwrap()
    }

    #[test]
    fn rising_counters_and_new_keys_are_fine() {
        let mut sealer = sealer(ChaChaPoly, 0xa0);
        for _record in 0..3 {
            sealer.seal(&mut [0; 20]).unwrap();
            sealer.seal_from(b"body", 1, &mut [0; 21]).unwrap();
            sealer.rekey().unwrap();
        }
    }

    #[test]
    #[should_panic(expected = "counter 0 has sealed under this key before")]
    fn a_second_sealer_with_the_same_key_is_caught() {
        let (mut one, mut other) = (sealer(AesGcm, 0xa1), sealer(AesGcm, 0xa1));
        one.seal(&mut [0; 20]).unwrap();
        other.seal(&mut [0; 20]).unwrap();
    }

    #[test]
    #[should_panic(expected = "has sealed under this key before")]
    fn a_key_that_goes_on_behind_its_successor_is_caught() {
        let (mut one, mut other) = (sealer(ChaChaPoly, 0xa2), sealer(ChaChaPoly, 0xa2));
        one.rekey().unwrap();
        other.seal_from(b"body", 1, &mut [0; 21]).unwrap();
    }
}
