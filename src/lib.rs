#![doc = include_str!("../README.md")]
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
mod error;
#[cfg(all(fuzzing, debug_assertions))]
pub mod fuzzing;
pub mod manual;
#[cfg(feature = "net")]
pub mod net;
mod noise;
pub mod proto;
pub mod session;
mod wire;

#[doc(inline)]
pub use error::Error;
#[cfg(feature = "net")]
#[doc(inline)]
pub use net::{Listener, dial};
#[doc(inline)]
pub use noise::{KeyTextError, Pattern, Provider, Psk, PublicKey, RandomError, SecretKey, Suite};
#[doc(inline)]
pub use proto::{
    Candidate, Cause, Config, ConfigError, Ended, HandshakeError, Origin, Outcome, Peer,
    PeerPolicy, ReceiveError, Received, SendError, Sent, TimeLimit,
};
#[doc(inline)]
pub use session::{
    ByteStream, Event, Pump, Receiver, Sender, Session, SharedSender, accept, accept_halves,
    connect, connect_halves,
};
#[cfg(feature = "serde")]
#[doc(inline)]
pub use session::{Typed, TypedReceiveError, TypedSendError};
#[doc(inline)]
pub use wire::{Code, Offer, Violation};
