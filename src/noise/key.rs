//! Long-term keys: secrets are types of their own, wiped when dropped.

use core::fmt;

use x25519_dalek::StaticSecret;
use zeroize::{Zeroize, Zeroizing};

/// The operating system gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness")]
#[non_exhaustive]
pub struct RandomError;

/// Fills 32 bytes from the operating system.
pub(super) fn random32() -> Result<Zeroizing<[u8; 32]>, RandomError> {
    let mut bytes = Zeroizing::new([0; 32]);
    match getrandom::fill(bytes.as_mut_slice()) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(RandomError),
    }
}

/// A process's public X25519 key: who it is to its peers.
///
/// Its text form is bech32m with the prefix `duopk`, so that a mistyped key is an error and not a
/// stranger. Two keys are the same when all their 32 bytes are.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = duologue::SecretKey::generate()?.public_key();
/// assert_eq!(key.to_string().parse::<duologue::PublicKey>()?, key);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Takes the 32 bytes of a key as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A process's secret X25519 key, wiped when dropped.
///
/// It cannot be cloned, printed or serialised by accident; share it in an [`std::sync::Arc`], and
/// store it by [`SecretKey::to_text`].
pub struct SecretKey {
    bytes: Box<[u8; 32]>,
    public: PublicKey,
}

impl SecretKey {
    /// Makes a new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`RandomError`] when there is none.
    pub fn generate() -> Result<Self, RandomError> {
        let mut bytes = random32()?;
        Ok(Self::from_bytes(&mut bytes))
    }

    /// Takes the key out of `bytes`, which are overwritten.
    #[must_use]
    pub fn from_bytes(bytes: &mut [u8; 32]) -> Self {
        // The public key is always computed, never believed (so a swapped pair cannot exist).
        let public = x25519_dalek::PublicKey::from(&StaticSecret::from(*bytes));
        let key = Self {
            bytes: Box::new(*bytes),
            public: PublicKey(public.to_bytes()),
        };
        bytes.zeroize();
        key
    }

    /// The public half.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.public
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// A pre-shared key of one group of processes: 32 random bytes, wiped when dropped.
///
/// There is no constructor from a password: a guessable key gives a stranger with a recorded
/// handshake a way to search for it (spec: H-10).
pub struct Psk(Box<[u8; 32]>);

impl Psk {
    /// Makes a new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`RandomError`] when there is none.
    pub fn generate() -> Result<Self, RandomError> {
        let mut bytes = random32()?;
        Ok(Self::from_bytes(&mut bytes))
    }

    /// Takes the key out of `bytes`, which are overwritten.
    #[must_use]
    pub fn from_bytes(bytes: &mut [u8; 32]) -> Self {
        let key = Self(Box::new(*bytes));
        bytes.zeroize();
        key
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for Psk {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Psk(..)")
    }
}
