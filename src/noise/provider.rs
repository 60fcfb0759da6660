//! Two providers of the same primitives, chosen at run time.

use core::fmt;

use zeroize::Zeroizing;

use super::suite::Suite;

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(test)]
pub(super) mod fixed;
mod portable;

/// Who computes the primitives: the wire is the same with any.
#[derive(Clone, Copy)]
pub struct Provider(&'static dyn Backend);

impl Provider {
    /// Pure Rust, always there.
    #[must_use]
    pub fn portable() -> Self {
        Self(&portable::Portable)
    }

    /// AWS-LC: several times faster (feature `aws-lc`).
    #[cfg(feature = "aws-lc")]
    #[must_use]
    pub fn aws_lc() -> Self {
        Self(&aws_lc::AwsLc)
    }

    /// The provider's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    pub(super) fn backend(self) -> &'static dyn Backend {
        self.0
    }
}

#[cfg(feature = "aws-lc")]
impl Default for Provider {
    fn default() -> Self {
        Self::aws_lc()
    }
}

#[cfg(not(feature = "aws-lc"))]
impl Default for Provider {
    fn default() -> Self {
        Self::portable()
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.name())
    }
}

impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Provider {}

/// A primitive refused its input: which one stays inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

pub(super) trait Backend: Send + Sync {
    fn name(&self) -> &'static str;
    fn public_key(&self, secret: &[u8; 32]) -> Result<[u8; 32], Refused>;
    fn dh(&self, secret: &[u8; 32], public: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, Refused>;
    /// Makes a secret ready for more than one agreement, where that saves work.
    fn prepare(&self, secret: &[u8; 32]) -> Option<Box<dyn Agree>> {
        let _no_work_is_saved = secret;
        None
    }
    fn aead(&self, kind: AeadKind, key: &[u8; 32]) -> Result<Box<dyn Aead>, Refused>;
    fn kem_generate(&self) -> Result<Box<dyn KemSecret>, Refused>;
    /// Ciphertext into `out`; the shared secret comes back.
    fn kem_encapsulate(
        &self,
        public: &[u8],
        out: &mut [u8],
    ) -> Result<Zeroizing<[u8; 32]>, Refused>;
}

/// A secret that is ready for agreements, wiped on drop.
pub(super) trait Agree: Send + Sync {
    fn public_key(&self) -> Result<[u8; 32], Refused>;
    fn dh(&self, public: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, Refused>;
}

/// A fresh ML-KEM-768 key pair, wiped on drop.
pub(super) trait KemSecret: Send + Sync {
    fn public(&self) -> &[u8];
    fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<[u8; 32]>, Refused>;
}

/// One key of an AEAD. Buffers end with 16 bytes of room for the tag.
pub(super) trait Aead: Send + Sync {
    /// Seals `buffer` but for its last 16 bytes, which take the tag.
    fn seal(&self, nonce: Nonce, ad: &[u8], buffer: &mut [u8]) -> Result<(), Refused>;
    /// Seals `body | kind` into `out` of `body.len() + 17` bytes.
    fn seal_from(&self, nonce: Nonce, body: &[u8], kind: u8, out: &mut [u8])
    -> Result<(), Refused>;
    /// Opens `record` in place; the plaintext is all but the last 16 bytes.
    fn open(&self, nonce: Nonce, ad: &[u8], record: &mut [u8]) -> Result<(), Refused>;
    /// Opens `record` into `out` of 16 bytes less.
    fn open_into(&self, nonce: Nonce, record: &[u8], out: &mut [u8]) -> Result<(), Refused>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AeadKind {
    ChaChaPoly,
    AesGcm,
}

impl AeadKind {
    pub(super) const fn of(suite: Suite) -> Self {
        if suite.is_aes() {
            Self::AesGcm
        } else {
            Self::ChaChaPoly
        }
    }

    /// Four zero bytes, then the counter in the byte order of the AEAD.
    // spec: T-3
    pub(super) fn nonce(self, counter: u64) -> Nonce {
        let [a, b, c, d, e, f, g, h] = match self {
            Self::ChaChaPoly => counter.to_le_bytes(),
            Self::AesGcm => counter.to_be_bytes(),
        };
        Nonce([0, 0, 0, 0, a, b, c, d, e, f, g, h])
    }
}

/// The nonce of one record: outside tests only a counter makes one.
#[derive(Clone, Copy)]
pub(super) struct Nonce([u8; 12]);
