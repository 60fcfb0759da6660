//! A side of a handshake that draws nothing, and record ciphers of given keys.

use std::sync::Mutex;

use zeroize::Zeroizing;

use super::{
    super::{Aead, AeadKind, Backend, KemSecret, Provider, Refused},
    encapsulate_with, kem_of_seed,
};
use crate::noise::{Opener, Sealer, Suite};

/// What a side would draw.
#[derive(Debug, Clone)]
pub(crate) struct Choices {
    pub(crate) secret: [u8; 32],
    pub(crate) ephemeral: [u8; 32],
    pub(crate) kem_seed: [u8; 64],
    pub(crate) kem_message: [u8; 32],
}

/// The portable provider with every choice made, which remembers the keys it is given.
pub(crate) struct Fixed {
    choices: Choices,
    keys: Mutex<Vec<[u8; 32]>>,
}

impl Fixed {
    /// It lives as long as the process.
    pub(crate) fn new(choices: Choices) -> &'static Self {
        Box::leak(Box::new(Self {
            choices,
            keys: Mutex::new(Vec::new()),
        }))
    }

    pub(crate) fn provider(&'static self) -> Provider {
        Provider::of(self)
    }

    /// Our key and the peer's, once a handshake is finished: the record ciphers come last.
    pub(crate) fn record_keys(&self) -> [[u8; 32]; 2] {
        *self.keys.lock().unwrap().last_chunk().unwrap()
    }

    /// What stands for `secret`: what was drawn is the one chosen ephemeral key.
    fn chosen(&self, secret: &[u8; 32]) -> [u8; 32] {
        if *secret == self.choices.secret {
            *secret
        } else {
            self.choices.ephemeral
        }
    }
}

fn portable() -> &'static dyn Backend {
    Provider::portable().backend()
}

impl Backend for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn public_key(&self, secret: &[u8; 32]) -> Result<[u8; 32], Refused> {
        portable().public_key(&self.chosen(secret))
    }

    fn dh(&self, secret: &[u8; 32], public: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, Refused> {
        portable().dh(&self.chosen(secret), public)
    }

    fn aead(&self, kind: AeadKind, key: &[u8; 32]) -> Result<Box<dyn Aead>, Refused> {
        self.keys.lock().unwrap().push(*key);
        portable().aead(kind, key)
    }

    fn kem_generate(&self) -> Result<Box<dyn KemSecret>, Refused> {
        Ok(kem_of_seed(&self.choices.kem_seed))
    }

    fn kem_encapsulate(
        &self,
        public: &[u8],
        out: &mut [u8],
    ) -> Result<Zeroizing<[u8; 32]>, Refused> {
        encapsulate_with(&self.choices.kem_message, public, out)
    }
}

/// A record cipher of a given key.
pub(crate) fn sealer(suite: Suite, key: &[u8; 32]) -> Sealer {
    Sealer::new(Provider::portable(), AeadKind::of(suite), key).unwrap()
}

/// The other half of [`sealer`].
pub(crate) fn opener(suite: Suite, key: &[u8; 32]) -> Opener {
    Opener::new(Provider::portable(), AeadKind::of(suite), key).unwrap()
}
