//! What this broker promises beyond the contract's suite: one file, shared by processes, that survives them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails, helpers included")]

mod child;
mod deep;
mod full;
mod group;
mod lease;
mod open;
mod operate;
mod process;
mod support;
