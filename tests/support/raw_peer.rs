//! A peer that can say anything, written from `spec/protocol.md` alone.
//!
//! It shares no code with the library: its Noise engine, its codec and its record ciphers are its
//! own, so that a misreading of the specification in one shows as a disagreement of the two. It
//! does no I/O: bytes go in, bytes come out. Every choice of an honest process is the default, and
//! every one can be replaced by a lie.
//!
//! Included by path from tests and from the conformance kit; it must not use either.

#[path = "raw_peer/handshake.rs"]
pub mod handshake;
#[path = "raw_peer/params.rs"]
pub mod params;
#[path = "raw_peer/rules.rs"]
pub mod rules;
#[path = "raw_peer/session.rs"]
pub mod session;
#[path = "raw_peer/suite.rs"]
pub mod suite;
#[path = "raw_peer/symmetric.rs"]
pub mod symmetric;
#[path = "raw_peer/wire.rs"]
pub mod wire;

pub use handshake::{Lies, Options, RawError, RawHandshake, Role};
pub use params::RawParams;
pub use rules::{Rules, Wrong};
pub use session::{Opened, RawSession};
pub use suite::{Pattern, Suite};
pub use wire::{RawFrame, RawRecord};
