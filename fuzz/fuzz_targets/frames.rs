//! See `fuzz/src/frames.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::frames::run(data));
