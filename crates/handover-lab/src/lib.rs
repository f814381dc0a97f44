//! The engine of the lessons: primitives that look like std's and run in two ways without a change of the program.
//!
//! Outside an exploration they are std's, and record what happens for [`record`]. Under [`explore()`] every
//! operation is a step that the explorer grants: it runs a program under all schedules up to a stated bound, and says which
//! break it and what it did not look at. Pictures of both are in [`picture`].
//!
//! # A model of one's own
//!
//! A program is a function without arguments. It makes its threads and what they share, and says as an assertion what it promises.
//! Threads and objects have names, which schedules and pictures use.
//!
//! ```
//! use handover_lab::picture::{self, text};
//! use handover_lab::{Bounds, explore, replay, sync::Shared, thread};
//! use std::sync::Arc;
//!
//! fn one_seat() {
//!     let free = Arc::new(Shared::new("free", 1));
//!     let booked = ["ann", "bob"].map(|name| {
//!         let free = Arc::clone(&free);
//!         thread::spawn(name, move || {
//!             let is_free = free.read() > 0;
//!             if is_free {
//!                 free.write(0);
//!             }
//!             is_free
//!         })
//!     });
//!     let booked = booked.map(thread::JoinHandle::join);
//!     assert!(booked[0] != booked[1], "one seat, one booking");
//! }
//!
//! let found = explore(one_seat, Bounds::default());
//! assert!(found.complete, "every schedule was looked at");
//! assert_eq!((found.schedules, found.broken), (6, 4));
//! let (schedule, _) = found.shortest.expect("there are schedules that break it");
//! let run = replay(one_seat, &schedule)?;
//! assert!(text::steps(&picture::of_replay("one seat", &run), false).contains("ann"));
//! # Ok::<(), handover_lab::Misfit>(())
//! ```
//!
//! `examples/own.rs` is a longer one with its repair, which `handover learn --file` prints; the book's chapter `Write your own`
//! says what a model may contain.

// A map, in reading order; the blank lines keep it.

// What programs are written with. Every operation asks `here` which run it is part of.
pub mod thread;

// Cells, mutexes, conditions, semaphores, buffers, disks.
pub mod sync;

// What the program cannot know, as a step.
pub mod chance;

// The words: threads, objects, operations.
mod op;

// Which run the calling thread belongs to: explored, recorded, or none.
mod here;

// A run on real threads, written down.
mod real;

// One explored execution: its threads, its objects, and which steps are possible.
mod world;

// What a thread's code changes in that world between two steps.
mod effect;

// The search through all schedules, and the replay of one.
mod explore;

// What a panic of a run says, kept from being printed.
mod quiet;

// What a run did and how it ended, explored or recorded.
mod trace;

// A trace as text, as a drawing, and for a trace viewer.
pub mod picture;

pub use explore::{
    Bounds, Choice, Exploration, Graph, Lane, Misfit, Moment, Node, Replay, Sleeper, Wake, explore,
    graph, replay, replay_within,
};
pub use op::{Kind, ObjectId, Op, ThreadId};
pub use real::record;
pub use trace::{End, Span, Trace, Unit};
