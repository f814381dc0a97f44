//! What a run came to: who did what, when, and how it ended. The same for an explored schedule, where time is counted in steps,
//! and for real threads, where it is counted in nanoseconds. How it is drawn is not here.

use crate::op::{Kind, ObjectId, Op, ThreadId};
use std::panic::Location;

/// What times are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Steps of a schedule: nobody did anything between two of them.
    Steps,
    /// Nanoseconds since the start, of real threads.
    Nanos,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Trace {
    /// What times are counted in.
    pub unit: Unit,
    /// The threads' names, by number.
    pub threads: Vec<String>,
    /// The objects' kinds and names, by number.
    pub objects: Vec<(Kind, String)>,
    /// Every operation, in the order in which they took place.
    pub spans: Vec<Span>,
    /// How it ended; `None` if it was left before its end.
    pub end: Option<End>,
    /// Operations that were not kept, because there were more than a recording holds.
    pub dropped: u64,
}

/// One operation: from asking for it to having it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Whose it is.
    pub thread: ThreadId,
    /// What it is.
    pub op: Op,
    /// When the thread asked.
    pub asked: u64,
    /// When it took place; `None` if the run ended with the thread still waiting.
    pub took: Option<u64>,
    /// Whom it woke. Empty for real threads: the system does not say.
    pub wakes: Vec<ThreadId>,
    /// What the object held afterwards, as its `Debug` writes it, or what chance picked. Empty for real threads.
    pub value: String,
    /// Where in the program.
    pub place: &'static Location<'static>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// Every thread ended, and nothing was found wrong.
    Well,
    /// A thread panicked: a broken assertion.
    Panicked {
        /// Who.
        thread: ThreadId,
        /// What it said.
        said: String,
    },
    /// Nobody can take a step, and not everybody has ended.
    Deadlock {
        /// Who waits for whom, the last for the first; empty if they do not wait in a circle.
        circle: Vec<ThreadId>,
        /// Conditions on which a thread sleeps whose notification came too early: after it had looked for the last time, and
        /// before it slept. That is a matter of the way to the end: a [`Graph`](crate::Graph) says none.
        lost_wakeups: Vec<ObjectId>,
    },
    /// A thread has waited for longer than [`Bounds::patience`](crate::Bounds::patience) while others went on.
    Starved {
        /// Who.
        thread: ThreadId,
        /// Through how many steps of others.
        steps: usize,
    },
    /// The bound on steps, or for real threads on time, was reached.
    Bound,
}

impl End {
    /// Whether this end breaks the program.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Panicked { .. } | Self::Deadlock { .. } | Self::Starved { .. })
    }
}
