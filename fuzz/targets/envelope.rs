//! Any bytes as a message and its envelope.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover_fuzz::envelope(bytes));
