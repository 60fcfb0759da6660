//! See `fuzz/src/differential.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::differential::run(data));
