//! The command line as its users have it: the real binary, in a folder of its own, one test for each promise.
//!
//! `support.rs` runs it. What the library promises is tested in the library.

#![allow(clippy::unwrap_used, reason = "a test that unwraps shows where it failed")]

mod bad_files;
#[cfg(unix)]
mod bad_pipes;
mod bad_words;
#[cfg(unix)]
mod book;
mod examples;
mod exercises;
mod jobs;
mod learn;
mod progress;
mod queues;
mod send;
mod snapshots;
mod support;
mod trace;
mod usage;
#[cfg(unix)]
mod web;
#[cfg(unix)]
mod work;
