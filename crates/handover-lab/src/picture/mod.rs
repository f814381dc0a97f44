//! What a picture of a run shows, before it is drawn: a lane for each thread, arrows between them, and what the objects hold,
//! over one axis of time. [`text`], [`svg`] and [`chrome`] draw it; where it comes from is [`of_replay`] and [`of_trace`], or
//! anything else that has lanes: a history of a broker is drawn by the same code.

pub mod chrome;
mod from;
pub mod svg;
pub mod text;

pub use from::{of_replay, of_trace};

/// A picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Above it.
    pub title: String,
    /// What the axis counts: `step`, or `µs`.
    pub unit: &'static str,
    /// How long the axis is.
    pub length: u64,
    /// From top to bottom.
    pub lanes: Vec<Lane>,
    /// From one lane to another.
    pub arrows: Vec<Arrow>,
    /// Below the lanes: what something held over time.
    pub levels: Vec<Level>,
    /// Who waits for whom at the end, each for the next and the last for the first: lanes by number, and for what.
    pub circle: Vec<(usize, String)>,
    /// Below it: how it ended.
    pub verdict: String,
}

/// One thread, or whatever does one thing at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lane {
    /// At its left.
    pub name: String,
    /// One after the other, without overlaps; nothing is drawn between them.
    pub segments: Vec<Segment>,
    /// What it did.
    pub marks: Vec<Mark>,
}

/// A stretch of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its first moment.
    pub from: u64,
    /// The moment after its last.
    pub to: u64,
    /// How it is drawn.
    pub state: State,
    /// What it waits for or holds.
    pub about: String,
}

/// What a lane is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Runs, or could.
    Running,
    /// Runs, or could, and holds a lock.
    Holding,
    /// Waits for a lock, a place or a value.
    Waiting,
    /// Sleeps until somebody notifies.
    Asleep,
    /// Ended in a panic.
    Broken,
}

/// Something done at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: u64,
    /// What, as in "locks items".
    pub text: String,
}

/// Something that goes from one lane to another at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrow {
    /// When.
    pub at: u64,
    /// The lane it leaves.
    pub from: usize,
    /// The lane it reaches.
    pub to: usize,
    /// What it is, as in "wakes".
    pub text: &'static str,
}

/// What something held over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// At its left.
    pub name: String,
    /// From this moment on, this.
    pub changes: Vec<(u64, String)>,
}

impl State {
    /// All of them, in the order of a legend.
    pub const ALL: [Self; 5] =
        [Self::Running, Self::Holding, Self::Waiting, Self::Asleep, Self::Broken];

    /// The word in a legend.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Holding => "holding a lock",
            Self::Waiting => "waiting",
            Self::Asleep => "asleep",
            Self::Broken => "panicked",
        }
    }
}
