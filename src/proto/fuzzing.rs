//! A channel as a handshake would leave it, from keys that a fuzz target knows.

use std::time::Instant;

use super::{Channel, Config, Origin, Peer, receive::ReceivePath, send::SendPath};
use crate::{
    noise::{Pattern, PublicKey, Suite, fuzzing::ciphers},
    wire::Params,
};

/// What a handshake would have brought to light.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "fuzz targets fill it in")]
pub struct Known {
    /// The suite that the session runs.
    pub suite: Suite,
    /// Our key, and the peer's.
    pub keys: [[u8; 32]; 2],
    /// The peer's `max_message`.
    pub max_message: u64,
    /// The peer's idle timeout in milliseconds, 0 for none.
    pub idle_ms: u64,
}

/// One side of an established session; `None` if the cipher refuses the keys.
#[must_use]
pub fn channel(config: &Config, known: &Known, now: Instant) -> Option<Channel> {
    let theirs = Params {
        protocols: None,
        max_message: known.max_message,
        idle_ms: known.idle_ms,
    };
    let provider = config.used_provider();
    let (sealer, opener) = ciphers(provider, known.suite, &known.keys).ok()?;
    Some(Channel {
        send: SendPath::new(sealer, config, &theirs, now),
        receive: ReceivePath::new(opener, config, &theirs, now),
        peer: Peer {
            key: PublicKey::from_bytes([0; 32]),
            origin: Origin::Unknown,
            protocol: None,
            suite: known.suite,
            pattern: Pattern::Xx,
            handshake_hash: [0; 32],
            max_message: known.max_message,
        },
    })
}
