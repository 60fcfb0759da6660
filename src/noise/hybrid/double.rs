//! A backend that draws nothing and can be told to misbehave.

use std::sync::atomic::{AtomicUsize, Ordering};

use zeroize::Zeroizing;

use super::{
    super::{
        Provider, Role,
        provider::{
            Aead, AeadKind, Backend, KemSecret, Refused,
            fixed::{encapsulate_with, kem_of_seed},
        },
    },
    STATIC,
};

/// The secrets of the two ephemeral keys, initiator first.
const EPHEMERAL: [[u8; 32]; 2] = [[0x61; 32], [0x62; 32]];

/// How a double differs from the portable provider with fixed ephemerals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The result of `ee` is another.
    Ee,
    /// The KEM's shared secret is another.
    Kem,
    /// Sends this in place of the encapsulation key.
    EncapsulationKey(Vec<u8>),
    /// Sends zeros in place of the KEM's ciphertext, and takes zeros for the secret.
    ZeroCiphertext,
    /// The KEM finds no randomness.
    Dry,
}

pub(super) struct Double {
    own: usize,
    fault: Fault,
    agreements: AtomicUsize,
}

impl Double {
    /// A double, which lives as long as the process.
    pub(super) fn new(role: Role, fault: Fault) -> &'static Self {
        let own = match role {
            Role::Initiator => 0,
            Role::Responder => 1,
        };
        Box::leak(Box::new(Self {
            own,
            fault,
            agreements: AtomicUsize::new(0),
        }))
    }

    pub(super) fn provider(role: Role, fault: Fault) -> Provider {
        Provider::of(Self::new(role, fault))
    }

    /// How many Diffie-Hellman results were asked for.
    pub(super) fn agreements(&self) -> usize {
        self.agreements.load(Ordering::Relaxed)
    }

    fn portable() -> &'static dyn Backend {
        Provider::portable().backend()
    }

    /// What stands for `secret`: every key that was drawn is the one fixed ephemeral key.
    fn stand_in(&self, secret: &[u8; 32]) -> [u8; 32] {
        if *secret == STATIC[self.own] {
            *secret
        } else {
            EPHEMERAL[self.own]
        }
    }
}

impl Backend for Double {
    fn name(&self) -> &'static str {
        "double"
    }

    fn public_key(&self, secret: &[u8; 32]) -> Result<[u8; 32], Refused> {
        Self::portable().public_key(&self.stand_in(secret))
    }

    fn dh(&self, secret: &[u8; 32], public: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, Refused> {
        self.agreements.fetch_add(1, Ordering::Relaxed);
        let secret = self.stand_in(secret);
        let theirs = Self::portable().public_key(&EPHEMERAL[1 - self.own])?;
        let mut shared = Self::portable().dh(&secret, public)?;
        if self.fault == Fault::Ee && secret == EPHEMERAL[self.own] && *public == theirs {
            shared[0] ^= 1;
        }
        Ok(shared)
    }

    fn aead(&self, kind: AeadKind, key: &[u8; 32]) -> Result<Box<dyn Aead>, Refused> {
        Self::portable().aead(kind, key)
    }

    fn kem_generate(&self) -> Result<Box<dyn KemSecret>, Refused> {
        let pair = kem_of_seed(&[0x63; 64]);
        let public = match &self.fault {
            Fault::Dry => return Err(Refused),
            Fault::EncapsulationKey(other) => other.clone(),
            Fault::None | Fault::Ee | Fault::Kem | Fault::ZeroCiphertext => pair.public().to_vec(),
        };
        Ok(Box::new(Pair {
            pair,
            public,
            fault: self.fault.clone(),
        }))
    }

    fn kem_encapsulate(
        &self,
        public: &[u8],
        out: &mut [u8],
    ) -> Result<Zeroizing<[u8; 32]>, Refused> {
        if self.fault == Fault::Dry {
            return Err(Refused);
        }
        let mut shared = encapsulate_with(&[0x64; 32], public, out)?;
        if self.fault == Fault::Kem {
            shared[0] ^= 1;
        }
        if self.fault == Fault::ZeroCiphertext {
            out.fill(0);
            shared.fill(0);
        }
        Ok(shared)
    }
}

struct Pair {
    pair: Box<dyn KemSecret>,
    public: Vec<u8>,
    fault: Fault,
}

impl KemSecret for Pair {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<[u8; 32]>, Refused> {
        let mut shared = self.pair.decapsulate(ciphertext)?;
        if self.fault == Fault::Kem {
            shared[0] ^= 1;
        }
        Ok(shared)
    }
}
