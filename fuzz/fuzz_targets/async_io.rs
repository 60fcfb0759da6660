//! See `fuzz/src/async_io.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::async_io::run(data));
