//! The store against a failing disk: every write and every sync of a short life fails in turn, the process or the machine
//! dies there, and what was answered is there when the file is opened again.
//!
//! - `script`: the life, and the process that lives it. `model`: what may be in the file after it. `check`: whether it is.
//! - `strace`: how faults are made and writes are seen, from outside of the process. `disk`: what a disk may hold after a crash.
//! - `crash` and `fault`: the tests. `seed`: the seed, and how long it runs. `support`: many checks at once.
//!
//! Each test prints its seed, and `HANDOVER_SEED` plays it again; the normal form tries some of the faults and states, and
//! `HANDOVER_LONG=1` all of them. It needs `strace`, which is for Linux.
//!
//! What is *not* modelled: a disk that reports a sync that did not happen, or changes bytes that nobody wrote; a sector of 512
//! bytes that is half written; entries of the folder that arrive in another order than they were made; a crash while another
//! process has the file open; the file system's own errors after a failed sync (such as going read-only). Linux reports a
//! failed sync once to each open file; a pretended one is reported only where it is made, which is harder for the store. Nor
//! that the system reads back what the disk has after it dropped a page: `src/writer/tests/mend.rs` has that.
//!
//! Breaks that were tried, and what caught them, so that these tests are known to be able to fail:
//!
//! | break | caught by |
//! |---|---|
//! | no sync where `Synced` is promised | `…survives_a_machine_that_dies_at_any_write`: 269 of 996 states |
//! | no sync before the log is begun anew (`synchronous = OFF`) | the same, 121 of 904: the file is damaged |
//! | a log whose sync failed is synced again, and not written again | `…never_taken_for_done_later`: 306 of 508 |
//! | `journal_mode = WAL` failed and was not heard | the same, 8 of 763: there is no log, and a declaration is lost |
//!
//! The first two were tried while SQLite still synced the log within the commit (`synchronous = FULL`).

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails, helpers included")]

mod check;
mod crash;
mod disk;
mod fault;
mod model;
mod script;
#[path = "../support/seed.rs"]
mod seed;
mod strace;
mod support;
