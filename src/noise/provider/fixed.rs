//! What tests need and the library must not have: nonces, keys and randomness that are given.
#![expect(
    deprecated,
    reason = "published vectors have decapsulation keys in expanded form"
)]

mod choices;

use ml_kem::{DecapsulationKey768, ExpandedKeyEncoding, Seed};
use zeroize::Zeroizing;

use super::{Backend, KemSecret, Nonce, Provider, Refused, portable};
pub(crate) use choices::{Choices, Fixed, opener, sealer};

impl Nonce {
    pub(in crate::noise) fn of_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }
}

impl Provider {
    /// Puts a test double in a provider's place.
    pub(in crate::noise) fn of(backend: &'static dyn Backend) -> Self {
        Self(backend)
    }
}

/// The portable provider's key pair of a seed `d | z`.
pub(in crate::noise) fn kem_of_seed(seed: &[u8; 64]) -> Box<dyn KemSecret> {
    let key = DecapsulationKey768::from_seed(Seed::from(*seed));
    Box::new(portable::Secret::of(key))
}

/// The portable provider's encapsulation with the randomness `m`.
pub(in crate::noise) fn encapsulate_with(
    m: &[u8; 32],
    public: &[u8],
    out: &mut [u8],
) -> Result<Zeroizing<[u8; 32]>, Refused> {
    portable::encapsulate_with(m, public, out)
}

/// The expanded decapsulation key (FIPS 203, algorithm 16) of a seed `d | z`.
pub(in crate::noise) fn expand(seed: &[u8; 64]) -> Vec<u8> {
    DecapsulationKey768::from_seed(Seed::from(*seed))
        .to_expanded_bytes()
        .to_vec()
}

/// Makes a provider's own key pair from an expanded decapsulation key and its public half.
type Import = fn(&[u8], &[u8]) -> Box<dyn KemSecret>;

/// How each provider imports a key pair.
#[cfg(not(feature = "aws-lc"))]
pub(in crate::noise) const IMPORTS: &[(&str, Import)] = &[("portable", import_portable)];

/// How each provider imports a key pair.
#[cfg(feature = "aws-lc")]
pub(in crate::noise) const IMPORTS: &[(&str, Import)] =
    &[("portable", import_portable), ("aws-lc", import_aws_lc)];

fn import_portable(expanded: &[u8], public: &[u8]) -> Box<dyn KemSecret> {
    let expanded = expanded.try_into().unwrap();
    let key = portable::Secret::of(DecapsulationKey768::from_expanded_bytes(expanded).unwrap());
    assert_eq!(key.public(), public);
    Box::new(key)
}

#[cfg(feature = "aws-lc")]
fn import_aws_lc(expanded: &[u8], public: &[u8]) -> Box<dyn KemSecret> {
    use aws_lc_rs::kem::{DecapsulationKey, ML_KEM_768};
    Box::new(super::aws_lc::Secret {
        secret: DecapsulationKey::new(&ML_KEM_768, expanded).unwrap(),
        public: public.to_vec(),
    })
}
