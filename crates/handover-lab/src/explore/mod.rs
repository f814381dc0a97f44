//! All schedules of a program, up to a stated bound: how many there are, how many break it, and the shortest that does.
//!
//! A schedule is the order in which the threads take their steps. The search walks the graph of states: two schedules that lead
//! to the same state have the same future, which is then walked once (a stateful search, as in Holzmann's SPIN; a state is known
//! by what each thread has learnt and what each object holds). The counts are of whole schedules all the same: paths through the
//! graph are counted without walking them.
//!
//! A thread that has learnt the same and finds the same does the same, so its code is run once for that, and what it did is kept:
//! most steps of a search run no code at all.
//!
//! It needs programs that are deterministic but for the schedule: threads meet only in the primitives of this crate, ask no
//! clock, and ask chance only through [`crate::chance`].
//!
//! What it does not find, because it does not look there:
//!
//! - what weak memory permits: every step is seen by all threads at once, in one order (sequential consistency). For atomics with
//!   weaker orderings use loom;
//! - what depends on time or on input and output: a timeout, a signal, a file are not in the model, unless a program models them
//!   as steps;
//! - livelock and endless running: a schedule that reaches the bound on steps is left there and counts as not broken, and the
//!   search then says that it is not complete. Nothing is said then of longer schedules, nor of shorter ones that pass through a
//!   state where one was left: the search walks deep first, and comes to a state once;
//! - starvation, unless [`Bounds::patience`] asks for it, and then only a wait of that many steps in which the thread could not
//!   once have had what it asks for: one that is always overtaken in the last moment does not count. Where nobody starves, it is on
//!   the assumption that who can go on again and again does so at some time, which std's mutex does not promise;
//! - that a semaphore's place is owed by a certain thread: a deadlock is found, but its circle is told only of mutexes and joins;
//! - what others do while a thread panics: what its clean-up does in a `Drop` belongs to the step that panicked. Where that would
//!   wait, look at something, or choose whom to wake, the execution ends with the panic, also with one that the program would catch;
//! - what a yield does that returns at once, as std's may: here another thread takes a step first;
//! - what is told apart only by what its `Debug` leaves out: values are compared as they are written. Derive it.
//!
//! And it finds what a process would not show: a thread that nobody joins and that still waits at the end is in a deadlock here; a
//! process ends with its main thread.

mod asleep;
mod end;
mod execution;
mod graph;
mod replay;
mod search;

pub use crate::world::{Choice, Wake};
pub use asleep::Sleeper;
pub use graph::{Graph, Node, graph};
pub use replay::{Lane, Misfit, Moment, Replay, replay, replay_within};
pub use search::{Bounds, Exploration, explore};
