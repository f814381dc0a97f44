//! What a picture of a run shows, before it is drawn: a lane for each thread, arrows between them, and what the objects hold,
//! over one axis of time. [`text`], [`svg`] and [`chrome`] draw it; where it comes from is [`of_replay`] and [`of_trace`], or
//! anything else that has lanes: a history of a broker is drawn by the same code.
//!
//! In reading order: `from.rs` and `waits.rs` (from a run to its picture), `time.rs` (what the axis says), `text.rs`, `svg.rs`
//! with `chart.rs` and `graph.rs`, `chrome.rs`.

mod chart;
pub mod chrome;
mod from;
mod graph;
pub mod svg;
pub mod text;
mod time;
mod waits;

pub use from::{of_replay, of_trace};

/// A picture.
///
/// ```
/// use handover_lab::picture::{Lane, Level, Picture, Segment, State, Subject, text};
///
/// let has = |from, to| Segment { from, to, state: State::Holding, about: String::new(), holds: String::new() };
/// let lane = |name: &str, segments| Lane { name: name.to_owned(), segments, marks: Vec::new() };
/// let picture = Picture {
///     subject: Subject::Jobs,
///     unit: "µs",
///     length: 4,
///     lanes: vec![lane("ann", vec![has(0, 2)]), lane("bob", vec![has(1, 4)])],
///     levels: vec![Level {
///         name: "mail".to_owned(),
///         counts: vec![(0, 1), (1, 2), (2, 1)],
///         capacity: Some(2),
///         ..Level::default()
///     }],
///     verdict: "two jobs, two owners".to_owned(),
///     ..Picture::default()
/// };
/// assert_eq!(text::lanes(&picture, false), "\
/// ann  ████████
/// bob      ████████████
/// mail ▄▄▄▄▇▇▇▇▄▄▄▄▄▄▄▄
///      ╵0
/// █ has a job   0 to 3 µs
/// ▂▄▇ how many it holds  mail: highest seen 2, capacity 2
///    => two jobs, two owners
/// ");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Above it.
    pub title: String,
    /// What its lanes are.
    pub subject: Subject,
    /// What the axis counts: `step`, or `µs`.
    pub unit: &'static str,
    /// How long the axis is. All times in a picture are counted from its begin.
    pub length: u64,
    /// What the axis says at its begin: 0 where the picture is of the whole.
    pub begin: u64,
    /// From top to bottom.
    pub lanes: Vec<Lane>,
    /// From one lane to another.
    pub arrows: Vec<Arrow>,
    /// Below the lanes: what something held over time.
    pub levels: Vec<Level>,
    /// Who waits at a deadlock, and for what: a graph.
    pub waits: Vec<Wait>,
    /// Of those the circle, where there is one: each for the next and the last for the first, lanes by number.
    pub circle: Vec<usize>,
    /// Below it: how it ended.
    pub verdict: String,
    /// Below the verdict, a line each.
    pub notes: Vec<String>,
}

/// What the lanes of a picture are, and so what its states are called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// Threads, which hold locks.
    #[default]
    Threads,
    /// Owners of jobs, which hold leases.
    Jobs,
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
    /// What it holds while it waits or sleeps; empty where it holds nothing, or does neither.
    pub holds: String,
}

/// What a lane is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Runs, or could. Of jobs: sends.
    Running,
    /// Runs, or could, and holds a lock. Of jobs: has one under a lease.
    Holding,
    /// Waits for a lock, a place or a value. Of jobs: for room.
    Waiting,
    /// Sleeps until somebody notifies. Of jobs: until there is one.
    Asleep,
    /// Ended in a panic. Of jobs: a lease whose owner is gone, or an owner whose lease is over.
    Broken,
}

/// Something done at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: u64,
    /// What, as in "locks items".
    pub text: String,
    /// Its number among what is wrong, where it is: a broken promise.
    pub wrong: Option<u64>,
}

/// Something that goes from one lane to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrow {
    /// When it left; what takes no time leaves when it arrives.
    pub since: u64,
    /// When it arrived.
    pub at: u64,
    /// The lane it leaves.
    pub from: usize,
    /// The lane it reaches.
    pub to: usize,
    /// What it is, as in "wakes".
    pub text: String,
}

/// What something held over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Level {
    /// At its left.
    pub name: String,
    /// From this moment on, this.
    pub changes: Vec<(u64, String)>,
    /// From this moment on, so many, where it is a number of things that have places; drawn as steps.
    pub counts: Vec<(u64, u64)>,
    /// How many places there are, where that is known.
    pub capacity: Option<u64>,
    /// What is among them and needs no place, such as "with parked".
    pub beside: String,
}

/// Somebody who waits, at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The lane that waits.
    pub lane: usize,
    /// What for.
    pub about: String,
    /// The lane that has it, or that it waits for itself; `None` where nobody has it.
    pub on: Option<usize>,
    /// The same as words behind its name: "waits for items, which ann holds".
    pub says: String,
}

impl State {
    /// All of them, in the order of a legend.
    pub const ALL: [Self; 5] =
        [Self::Running, Self::Holding, Self::Waiting, Self::Asleep, Self::Broken];
}

impl Subject {
    /// The words in a legend.
    #[must_use]
    pub fn word(self, state: State, holding: bool) -> &'static str {
        match (self, state, holding) {
            (Self::Threads, State::Running, _) => "able to run",
            (Self::Threads, State::Holding, _) => "holding a lock",
            (Self::Threads, State::Waiting, true) => "waiting, holding a lock",
            (Self::Threads, State::Asleep, true) => "asleep, holding a lock",
            (Self::Threads, State::Waiting, false) => "waiting",
            (Self::Threads, State::Broken, _) => "panicked",
            (Self::Jobs, State::Running, _) => "sending",
            (Self::Jobs, State::Holding, _) => "has a job",
            (Self::Jobs, State::Waiting, true) => "has a job, waits for room",
            (Self::Jobs, State::Asleep, true) => "has a job, asleep",
            (Self::Jobs, State::Waiting, false) => "waits for room",
            (Self::Jobs, State::Broken, _) => "owner not heard of, or lease over",
            (_, State::Asleep, false) => "asleep",
        }
    }
}

impl Segment {
    /// Whether it holds something although its state does not say so.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        !self.holds.is_empty()
    }

    /// How long it is.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.to - self.from
    }
}

impl Picture {
    /// For what this lane waits at a deadlock.
    #[must_use]
    pub fn wait(&self, lane: usize) -> Option<&Wait> {
        self.waits.iter().find(|wait| wait.lane == lane)
    }

    /// The circle of a deadlock, a sentence for each in it: "ann waits for items, which bob holds".
    #[must_use]
    pub fn circle_told(&self) -> Vec<String> {
        let told = |&lane: &usize| {
            Some(format!("{} {}", self.lanes.get(lane)?.name, self.wait(lane)?.says))
        };
        self.circle.iter().filter_map(told).collect()
    }

    /// What occurs in it, in the order of a legend: a state, and whether something is held beside it.
    #[must_use]
    pub fn legend(&self) -> Vec<(State, bool)> {
        let all = State::ALL.into_iter().flat_map(|state| [(state, false), (state, true)]);
        let occurs = |&(state, holding): &(State, bool)| {
            let mut segments = self.lanes.iter().flat_map(|lane| &lane.segments);
            segments.any(|segment| segment.state == state && segment.is_holding() == holding)
        };
        all.filter(occurs).collect()
    }
}
