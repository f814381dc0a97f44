//! The engine of the lessons: primitives that look like std's and run in two ways without a change of the program.
//!
//! Outside an exploration they are std's, and record what happens for [`record`]. Under [`explore`] every
//! operation is a step that the explorer grants: it runs a program under all schedules up to a stated bound, and says which
//! break it and what it did not look at. Pictures of both are drawn elsewhere.

pub mod chance;
mod explore;
mod here;
mod op;
pub mod picture;
mod real;
pub mod sync;
pub mod thread;
mod trace;
mod world;

pub use explore::{
    Bounds, Choice, Exploration, Graph, Lane, Misfit, Moment, Node, Replay, Wake, explore, graph,
    replay, replay_within,
};
pub use op::{Kind, ObjectId, Op, ThreadId};
pub use real::record;
pub use trace::{End, Span, Trace, Unit};

/// What a panic said.
fn said(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
