//! The seam for fuzz targets: past the AEAD, and into the bytes behind it. No part of the library.
//!
//! Bytes that a fuzzer makes up never open, so what stands behind the cipher would never be reached.
//! Here a channel is made from keys that the target knows, and the wire is read without a cipher.
//! There is no cipher that does nothing: also a fuzzed record must be sealed.
//!
//! It exists only with `--cfg fuzzing` and debug assertions, as `cargo fuzz` builds; no feature turns it on.

#[cfg(not(all(fuzzing, debug_assertions)))]
compile_error!("the seam for fuzzing is for builds with `--cfg fuzzing` and debug assertions only");

pub use crate::{
    proto::fuzzing::{Known, channel},
    wire::fuzzing::{
        Parameters, messages, read_params, rewrite_batch, rewrite_refusal, rewrite_varint,
    },
};
