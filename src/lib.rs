//! Encrypted, authenticated sessions between two processes, with an end both sides can prove.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::as_conversions,
        clippy::arithmetic_side_effects,
    )
)]

#[cfg(feature = "serde")]
pub mod codec;
#[expect(
    dead_code,
    unused_imports,
    reason = "the layers above are not there yet"
)]
mod noise;

pub use noise::{KeyTextError, Pattern, Provider, Psk, PublicKey, RandomError, SecretKey, Suite};
