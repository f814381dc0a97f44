//! Any bytes as a page with its title, links and fields.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| handover_fuzz::page(bytes));
