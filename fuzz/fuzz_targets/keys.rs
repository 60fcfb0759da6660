//! See `fuzz/src/keys.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::keys::run(data));
