//! See `fuzz/src/typed.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::typed::run(data));
