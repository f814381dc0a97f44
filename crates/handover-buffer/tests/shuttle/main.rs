//! Larger cases of the buffer under shuttle: more threads than loom can go through, in schedules
//! drawn at random, from a seed that replays.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p handover-buffer --release --test shuttle
//! HANDOVER_SEED=123 RUSTFLAGS="--cfg shuttle" cargo test … --test shuttle -- "close in the middle"
//! ```
//!
//! What lives here: the run, one seed for all of it. What does not: the cases (`cases.rs`); small
//! models in all orders, and memory that is seen late (`tests/loom`: shuttle runs every access as
//! `SeqCst`). In its own target directory (`CARGO_TARGET_DIR=target/shuttle`) it does not rebuild
//! the others' dependencies. `HANDOVER_LONG=1` runs twenty times as many executions.
//!
//! Each case runs under two schedulers: one that draws the next thread at each step, and PCT
//! (Burckhardt et al., "A randomized scheduler with probabilistic guarantees of finding bugs",
//! ASPLOS 2010), which gives threads priorities and changes them at a few random steps.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests: by panicking")]
#![allow(clippy::print_stdout, reason = "what was explored is told in a table of its own")]
#![allow(clippy::disallowed_methods, reason = "seconds are shown; nothing is decided by them")]

#[cfg(shuttle)]
mod cases;
#[cfg(shuttle)]
#[path = "../models/ledger.rs"]
mod ledger;

#[cfg(not(shuttle))]
fn main() {} // Only with `--cfg shuttle` does the crate use shuttle's primitives.

#[cfg(shuttle)]
fn main() {
    let arguments = libtest_mimic::Arguments::from_args();
    let seed = match std::env::var("HANDOVER_SEED") {
        Ok(text) => text.parse().expect("HANDOVER_SEED is a whole number, as printed"),
        Err(_) => fastrand::u64(..),
    };
    let long = std::env::var("HANDOVER_LONG").is_ok_and(|long| !matches!(&*long, "" | "0"));
    println!("seed {seed}; to replay: HANDOVER_SEED={seed}");
    libtest_mimic::run(&arguments, cases::trials(seed, long)).exit();
}
