//! The suite that any broker of handover must pass: the contract's clauses C1 to C16, as cases with names.
//!
//! To hold a broker of your own to it, add this crate to your dev-dependencies, write a [`Harness`] of two methods, and call
//! [`main`] in a test with `harness = false`:
//!
//! ```toml
//! [[test]]
//! name = "conformance"
//! harness = false
//! ```
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::Arc;
//!
//! use handover::{BoxFuture, Broker, MemoryBroker, Result};
//! use handover_conformance::{Harness, Place};
//!
//! struct Mine;
//!
//! impl Harness for Mine {
//!     fn name(&self) -> &str {
//!         "mine"
//!     }
//!
//!     fn fresh(&self) -> BoxFuture<'_, Result<Place<dyn Broker>>> {
//!         // Here you would connect to your server, under a name that nobody has used before.
//!         Box::pin(async { Ok(Place::<dyn Broker>::alone(Arc::new(MemoryBroker::new()))) })
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     handover_conformance::main(Mine)
//! }
//! ```
//!
//! Begin with `Caps::weakest` and raise one field at a time: each one makes the suite owe you more cases. What `Caps` does not
//! promise, and what the harness cannot do, is shown as ignored with the reason; what is promised and broken is a failure, and
//! so is a place that cannot be opened. A place that others can open (`Place::shared`, or `Place::in_turn`) and
//! [`Harness::open`] add the cases of several handles, of processes that are killed, and of opening again; an [`Outage`] adds
//! those of C11, and [`Harness::results`] those of a result store.
//!
//! In reading order: `harness.rs` is what you write, `case.rs` what a case is, `cases/` the cases by clause, `support.rs` and
//! `check.rs` the words they are written in, `later.rs` calls that wait, `child.rs` processes that are killed, `run.rs` the
//! running of it all, `model/` random steps against a model of the contract, `watch.rs` and `calls.rs` the log that a failure shows. What does not live here: what a broker promises,
//! which is the contract in `handover::broker` and the broker's own `Caps`.

mod calls;
mod case;
mod cases;
mod check;
mod child;
mod harness;
mod later;
mod model;
mod run;
mod support;
mod watch;
mod watch_results;

pub use case::Verdict;
pub use harness::{Harness, Outage, Place};
pub use run::{main, names, verdicts};
