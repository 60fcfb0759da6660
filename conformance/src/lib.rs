//! Judges an implementation of the Duologue protocol against `spec/protocol.md`.
//!
//! The kit speaks to the implementation as a peer that can say anything, and watches what comes
//! back. It shares no code with the library. `README.md` says how to run it.

pub mod case;
pub mod cases;
pub mod control;
pub mod conversation;
pub mod expectations;
pub mod link;
pub mod peer;
#[path = "../../tests/support/raw_peer.rs"]
pub mod raw_peer;
pub mod report;
pub mod run;
pub mod self_test;
pub mod serve;
pub mod shim;
pub mod target;
pub mod vectors;
