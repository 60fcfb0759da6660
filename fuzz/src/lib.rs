//! What the fuzz targets do with their bytes. `fuzz_targets/` only hands the bytes over.
//!
//! Each module is a target; its head says what it asserts beyond "no panic". `cargo test` replays the
//! corpus and everything that was ever found, without a fuzzer: see `README.md`.

#[cfg(not(all(fuzzing, debug_assertions)))]
compile_error!("build with RUSTFLAGS=\"--cfg fuzzing\" and debug assertions, or with `cargo fuzz`");

pub mod async_io;
pub mod config;
pub mod differential;
pub mod frames;
pub mod handshake_initiator;
pub mod handshake_pair;
pub mod handshake_responder;
pub mod hello;
pub mod keys;
pub mod receive_path;
pub mod record;
pub mod rekey;
pub mod session_pair;
pub mod typed;

/// Where each target begins.
pub mod seeds;

mod input;
mod known;
mod law;
mod record0;
mod setup;
mod tamper;

/// The peer that was written from the specification alone, shared with the library's tests.
#[path = "../../tests/support/raw_peer.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the targets use a part of the peer"
)]
mod raw_peer;

// Two processes, their pipes and their laws, shared with the library's explorer.
#[path = "../../tests/explorer/laws.rs"]
mod laws;
#[path = "../../tests/explorer/moves.rs"]
mod moves;
#[path = "../../tests/explorer/settle.rs"]
mod settle;
#[path = "../../tests/explorer/world.rs"]
#[allow(dead_code, reason = "a fuzzer needs no digest of a state")]
mod world;

#[cfg(test)]
mod replay;

/// A target's name and body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 14] = [
    ("async_io", async_io::run),
    ("config", config::run),
    ("differential", differential::run),
    ("frames", frames::run),
    ("handshake_initiator", handshake_initiator::run),
    ("handshake_pair", handshake_pair::run),
    ("handshake_responder", handshake_responder::run),
    ("hello", hello::run),
    ("keys", keys::run),
    ("receive_path", receive_path::run),
    ("record", record::run),
    ("rekey", rekey::run),
    ("session_pair", session_pair::run),
    ("typed", typed::run),
];
