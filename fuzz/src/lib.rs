//! What the fuzz targets call: one function for each decoder. What must hold is said beside the decoder, in its `fuzz.rs`,
//! and the same checks are property tests there; here is only the way to the command line's decoders, which are in a program
//! and not in a library, and so are taken in by their paths.

#![allow(dead_code, reason = "of the command line's files only the decoders are called")]

#[path = "../../crates/handover-cli/src/duration.rs"]
mod duration;
#[path = "../../crates/handover-cli/src/exit.rs"]
mod exit;
#[path = "../../crates/handover-cli/src/failure.rs"]
mod failure;
#[path = "../../crates/handover-cli/src/commands/send/lines.rs"]
mod lines;
#[path = "../../crates/handover-cli/src/number.rs"]
mod number;
#[path = "../../crates/handover-cli/src/table.rs"]
mod table;
#[path = "../../crates/handover-cli/src/url.rs"]
mod url;

pub use handover::results::fuzz::{file as results_file, line as results_line};
pub use handover::task::fuzz::envelope;
pub use handover_modules::scraper::fuzz::{
    address, body, come_back, field, page, page_bytes, robots,
};

/// Lines on the stdin of `handover send`.
pub fn send_lines(bytes: &[u8]) {
    lines::fuzz::lines(bytes);
}

/// URLs, durations and numbers on the command line.
pub fn words(bytes: &[u8]) {
    url::fuzz::words(bytes);
}
