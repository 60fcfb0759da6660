//! See `fuzz/src/handshake_responder.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::handshake_responder::run(data));
