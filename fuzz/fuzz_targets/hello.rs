//! See `fuzz/src/hello.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duologue_fuzz::hello::run(data));
