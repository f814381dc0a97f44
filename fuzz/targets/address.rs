//! Any bytes as an address, and as a link on a page.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover_fuzz::address(bytes));
