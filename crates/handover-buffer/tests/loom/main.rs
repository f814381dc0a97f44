//! Small models of the buffer, each run by loom through every order of its threads, and through
//! every value that a load may see under the orderings it was given.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p handover-buffer --release --test loom
//! RUSTFLAGS="--cfg loom" cargo test -p handover-buffer --release --test loom -- "capacity 2"
//! ```
//!
//! What lives here: the list of models. What does not: larger cases (`tests/shuttle`). In its own
//! target directory (`CARGO_TARGET_DIR=target/loom`) it does not rebuild the others' dependencies.
//! `HANDOVER_LONG=1` allows one preemption more in each model, and takes some ten times as long.
//!
//! Each model prints a line: its capacity and threads, the bound of preemptions (how often, in one
//! execution, a thread is stopped where it could have gone on; waiting is free), the executions
//! explored. A model that loom did not get through fails, so each line says "complete". After each
//! execution `tests/models/ledger.rs` judges: every value received once, given back, or kept, and
//! dropped once; each producer's items in order; never more inside than fits. loom itself finds
//! deadlocks, two threads in one slot, and leaks of its own objects.
//!
//! # What is not explored
//!
//! * More than the bound's preemptions, and what comes after a thread has waited three rounds for
//!   another one that was stopped (`src/sync/model.rs` says why that loses nothing).
//! * The looks that a thread takes before it goes to sleep; here it goes at once.
//! * An exchange that fails for no reason: loom's weak exchange is a strong one.
//! * loom gives the one order of `SeqCst` to fences only, so that models pass a fence at
//!   `sync::total_order_point()` where the program leans on the accesses themselves.
//!
//! # What these models have caught
//!
//! Each of these mistakes, put into a copy of the source, fails at least the model beside it:
//!
//! | mistake | caught by |
//! |---|---|
//! | no fence at `total_order_point` | two producers; two consumers; a thread sends, a task receives |
//! | no second look after enrolling | two producers; close against two receives |
//! | a stamp stored, or read, with `Relaxed` (four places) | two producers; three laps |
//! | a cancelled receive, batch or send keeps its wake-up | the cancelled one of that kind |
//! | a batch wakes one sender for many places | a batch makes room for two waiting producers |
//! | a new waker is not stored | a new waker against the wake-up of the old |
//! | closing is a load and a store | close against two sends |
//! | closing wakes no sender | close against a send into a full buffer |
//! | the last receiver does not close | last receiver dropped against two sends |

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests: by panicking")]
#![allow(clippy::print_stdout, reason = "what was explored is told in a table of its own")]
#![allow(clippy::disallowed_methods, reason = "seconds are shown; nothing is decided by them")]

#[cfg(loom)]
mod cancel;
#[cfg(loom)]
mod closing;
#[cfg(loom)]
mod harness;
#[cfg(loom)]
#[path = "../models/ledger.rs"]
mod ledger;
#[cfg(loom)]
mod monitor;
#[cfg(loom)]
mod tasks;
#[cfg(loom)]
mod threads;

#[cfg(not(loom))]
fn main() {} // Only with `--cfg loom` does the crate use loom's primitives.

#[cfg(loom)]
fn main() {
    let arguments = libtest_mimic::Arguments::from_args();
    let long = std::env::var("HANDOVER_LONG").is_ok_and(|long| !matches!(&*long, "" | "0"));
    let models = [threads::models, closing::models, tasks::models, cancel::models, monitor::models];
    let trials = models
        .into_iter()
        .flat_map(|models| models())
        .map(|model| {
            let name = format!("{}, capacity {}", model.name, model.capacity);
            libtest_mimic::Trial::test(name, move || {
                model.check(long);
                Ok(())
            })
        })
        .collect();
    harness::header();
    libtest_mimic::run(&arguments, trials).exit();
}
