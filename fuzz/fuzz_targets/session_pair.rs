//! See `fuzz/src/session_pair.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::session_pair::run(data));
