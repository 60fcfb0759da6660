//! Judges an implementation of the Duologue protocol against `spec/protocol.md`.
//!
//! The kit speaks to the implementation as a peer that can say anything, and watches what comes
//! back. It shares no code with the library. `README.md` says how to run it.

pub mod control;
pub mod link;
pub mod peer;
#[path = "../../tests/support/raw_peer.rs"]
pub mod raw_peer;
pub mod serve;
