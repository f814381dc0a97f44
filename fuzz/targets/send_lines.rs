//! Any bytes on the stdin of `handover send`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover_fuzz::send_lines(bytes));
