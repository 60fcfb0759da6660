//! See `fuzz/src/handshake_initiator.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::handshake_initiator::run(data));
