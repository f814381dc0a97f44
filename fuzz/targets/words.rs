//! Any bytes as a URL, a duration or a number of the command line.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover_fuzz::words(bytes));
