//! See `fuzz/src/handshake_pair.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::handshake_pair::run(data));
