//! See `fuzz/src/rekey.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::rekey::run(data));
