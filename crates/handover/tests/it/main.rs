//! The tests of the crate from outside: client and worker over the memory broker.

#![allow(clippy::unwrap_used, reason = "a test that unwraps shows where it failed")]

mod faults;
mod outages;
mod support;
mod worker;
