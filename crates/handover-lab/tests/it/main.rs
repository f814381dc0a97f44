//! What the engine promises, in one binary.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests: by panicking")]

mod chance;
mod explore;
mod graph;
mod outside;
mod picture;
mod programs;
mod random;
mod real;
