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

#[cfg(feature = "net")]
pub mod net;
mod noise;
pub mod proto;
mod session;
mod wire;

#[cfg(feature = "net")]
pub use net::{Listener, dial};
pub use noise::{KeyTextError, Pattern, Provider, Psk, PublicKey, RandomError, SecretKey, Suite};
pub use proto::{
    Candidate, Cause, Config, ConfigError, Ended, HandshakeError, Origin, Outcome, Peer,
    PeerPolicy, ReceiveError, Received, SendError, Sent, TimeLimit,
};
pub use session::{Session, accept, connect};
pub use wire::{Code, Offer, Violation};
