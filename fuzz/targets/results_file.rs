//! Any bytes as a whole file of results, which is opened, appended to and read.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover_fuzz::results_file(bytes));
