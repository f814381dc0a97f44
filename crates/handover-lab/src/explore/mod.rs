//! All schedules of a program, up to a stated bound: how many there are, how many break it, and the shortest that does.
//!
//! A schedule is the order in which the threads take their steps. The search walks the graph of states: two schedules that lead
//! to the same state have the same future, which is then walked once (a stateful search, as in Holzmann's SPIN; a state is known
//! by what each thread has learnt and what each object holds). The counts are of whole schedules all the same: paths through the
//! graph are counted without walking them.
//!
//! It needs programs that are deterministic but for the schedule: threads meet only in the primitives of this crate, and ask
//! neither the clock nor chance.

mod execution;
mod graph;
mod replay;
mod search;

pub use crate::world::{Choice, Wake};
pub use graph::{Graph, Node, graph};
pub use replay::{Lane, Misfit, Moment, Replay, replay};
pub use search::{Bounds, Exploration, explore};
