//! Processes that die or stand still, at any point, many times over: nothing is lost and nobody has what another has.
//!
//! `kill.rs` kills, `stop.rs` stops past the lease, `poison.rs` has a job that kills its workers, `soak.rs` runs for long.
//! Every process writes a history, and the checker of `handover::history` judges all of them together. `HANDOVER_SEED` draws
//! a run again (as far as the machine lets it), `HANDOVER_LONG` makes the runs long.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails, helpers included")]

#[path = "../support/actor.rs"]
mod actor;
mod child;
mod kill;
mod mortal;
mod parts;
mod poison;
#[path = "../support/seed.rs"]
mod seed;
mod soak;
mod start;
mod stop;
mod support;
