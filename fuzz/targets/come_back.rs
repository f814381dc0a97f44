//! Any bytes as Retry-After, Date and Content-Encoding.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover_fuzz::come_back(bytes));
