//! See `fuzz/src/config.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::config::run(data));
