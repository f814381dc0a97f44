//! Any bytes as a field of `--field`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover_fuzz::field(bytes));
