//! See `fuzz/src/receive_path.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::receive_path::run(data));
