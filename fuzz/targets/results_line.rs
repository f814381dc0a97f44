//! Any bytes as a line of results, in both formats.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover_fuzz::results_line(bytes));
