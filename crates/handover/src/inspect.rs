//! Looking into queues and steering them: for dashboards, the command line and people. No worker needs either.
//!
//! Two traits, so that a read-only view is a type.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::broker::BoxFuture;
use crate::error::{Error, Result};
use crate::id::JobId;
use crate::message::{Message, QueueName};
use crate::queue::QueueSettings;

/// Where a job stands between send and done.
///
/// ```text
///              send                  receive               settle
/// (child) parked ──room──▶ ready ──────────────▶ leased ──────────────▶ done
///                            ▲  ◀─due── delayed ◀──retry, release──┤
///                            │  ◀─turn─ held (behind its key)      └─bury──▶ buried ──kick──▶ ready
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum JobState {
    /// It can be taken now.
    Ready,
    /// It is not due yet.
    Delayed,
    /// It waits its turn behind another message with the same key.
    Held,
    /// One owner has it.
    Leased,
    /// It is a child that waits for room. Not counted by the bound.
    Parked,
    /// It is put aside for a person. Not counted by the bound.
    Buried,
}

impl JobState {
    /// Every state, in the order listings print them.
    pub const ALL: [Self; 6] =
        [Self::Ready, Self::Delayed, Self::Held, Self::Leased, Self::Parked, Self::Buried];

    /// The state as one lower-case word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Delayed => "delayed",
            Self::Held => "held",
            Self::Leased => "leased",
            Self::Parked => "parked",
            Self::Buried => "buried",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for JobState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
            Error::invalid("a job's state is one of ready, delayed, held, leased, parked, buried")
                .fact("state", text)
        })
    }
}

/// A queue as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueInfo {
    /// Its name.
    pub name: QueueName,
    /// What it was declared with.
    pub settings: QueueSettings,
    /// True while it hands nothing out.
    pub paused: bool,
    /// Jobs that can be taken now.
    pub ready: u64,
    /// Jobs that are not due yet.
    pub delayed: u64,
    /// Jobs behind another with the same key.
    pub held: u64,
    /// Jobs that have an owner.
    pub leased: u64,
    /// Children waiting for room.
    pub parked: u64,
    /// Jobs put aside.
    pub buried: u64,
    /// The most unsettled jobs it ever had at once.
    pub depth_max: u64,
    /// Jobs accepted since it was created, duplicates not counted.
    pub accepted: u64,
    /// Jobs done since it was created.
    pub done: u64,
    /// Sends of this process that wait for room.
    pub senders_waiting: u64,
}

impl QueueInfo {
    /// An empty queue of this name.
    #[must_use]
    pub fn new(name: QueueName, settings: QueueSettings) -> Self {
        Self {
            name,
            settings,
            paused: false,
            ready: 0,
            delayed: 0,
            held: 0,
            leased: 0,
            parked: 0,
            buried: 0,
            depth_max: 0,
            accepted: 0,
            done: 0,
            senders_waiting: 0,
        }
    }

    /// The unsettled jobs the bound counts: ready, delayed, held and leased.
    #[must_use]
    pub fn depth(&self) -> u64 {
        self.ready + self.delayed + self.held + self.leased
    }

    /// The number of jobs in one state.
    #[must_use]
    pub fn count(&self, state: JobState) -> u64 {
        match state {
            JobState::Ready => self.ready,
            JobState::Delayed => self.delayed,
            JobState::Held => self.held,
            JobState::Leased => self.leased,
            JobState::Parked => self.parked,
            JobState::Buried => self.buried,
        }
    }
}

/// A stored job as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobInfo {
    /// The message as it was sent, but for `delay`: that is in `due_in`.
    pub message: Message,
    /// Its queue.
    pub queue: QueueName,
    /// Where it stands.
    pub state: JobState,
    /// How often it was taken, releases not counted.
    pub attempt: u32,
    /// The token of the last lease; 0 before the first.
    pub token: u64,
    /// How long ago it was sent.
    pub age: Duration,
    /// How long until it may be taken (delayed) or its lease ends (leased).
    pub due_in: Option<Duration>,
    /// Who holds the lease, in the broker's words, such as `host:pid`.
    pub owner: Option<String>,
    /// Why the last attempt failed or the job was buried.
    pub reason: Option<String>,
}

impl JobInfo {
    /// A job in this state, just sent.
    #[must_use]
    pub fn new(message: Message, queue: QueueName, state: JobState) -> Self {
        Self {
            message,
            queue,
            state,
            attempt: 0,
            token: 0,
            age: Duration::ZERO,
            due_in: None,
            owner: None,
            reason: None,
        }
    }
}

/// Which jobs to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobFilter {
    /// Only those in this state.
    pub state: Option<JobState>,
    /// Only those after this place, as the page before said in `next`.
    pub after: u64,
    /// At most this many; 0 for a hundred, never more than a thousand.
    pub limit: usize,
}

impl JobFilter {
    /// The most jobs on a page.
    pub const LIMIT_MAX: usize = 1000;

    /// The filter with this state.
    #[must_use]
    pub fn state(mut self, state: Option<JobState>) -> Self {
        self.state = state;
        self
    }

    /// The filter from this place on.
    #[must_use]
    pub fn after(mut self, after: u64) -> Self {
        self.after = after;
        self
    }

    /// The filter with this limit.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The limit that holds.
    #[must_use]
    pub fn page_size(&self) -> usize {
        if self.limit == 0 { 100 } else { self.limit.min(Self::LIMIT_MAX) }
    }
}

/// A page of jobs, in the order they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<JobInfo>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<u64>,
}

impl JobPage {
    /// A page.
    #[must_use]
    pub fn new(jobs: Vec<JobInfo>, next: Option<u64>) -> Self {
        Self { jobs, next }
    }
}

/// Why a job does not run, and when it could.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The job's state.
    pub state: JobState,
    /// What keeps it from running, as sentences for a person, the strongest first. Empty where nothing does.
    pub because: Vec<String>,
    /// The earliest time from now at which it could be taken, where a time decides.
    pub earliest: Option<Duration>,
    /// The job it waits for, where another job decides.
    pub waits_for: Option<JobId>,
}

impl Explanation {
    /// An explanation with nothing in the way.
    #[must_use]
    pub fn new(state: JobState) -> Self {
        Self { state, because: Vec::new(), earliest: None, waits_for: None }
    }
}

/// A read-only view into the queues. It changes nothing.
pub trait Inspect: Send + Sync {
    /// All queues, by name.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueInfo>>>;

    /// One queue; `None` where there is no such queue.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    fn queue<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<QueueInfo>>>;

    /// A page of the jobs of a queue.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    fn jobs<'a>(
        &'a self,
        queue: &'a QueueName,
        filter: JobFilter,
    ) -> BoxFuture<'a, Result<JobPage>>;

    /// One job; `None` where it is not stored (done, or never sent).
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    fn job(&self, id: JobId) -> BoxFuture<'_, Result<Option<JobInfo>>>;

    /// Why a job does not run, and when it could; `None` where it is not stored.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    fn explain(&self, id: JobId) -> BoxFuture<'_, Result<Option<Explanation>>>;
}

/// The hands of an operator.
pub trait Steer: Send + Sync {
    /// Brings buried jobs of a queue back, oldest first, at most `max`, as far as there is room. Their attempts are counted
    /// anew, because whoever kicks a job wants it tried; their tokens go on growing. Delayed jobs are not touched. Answers
    /// how many came back.
    ///
    /// # Errors
    /// `Full` where there is no room for even one, `Unavailable`, `Closed`.
    fn kick<'a>(&'a self, queue: &'a QueueName, max: u64) -> BoxFuture<'a, Result<u64>>;

    /// Brings one buried job back, or makes a delayed one due now. False where there is no such job.
    ///
    /// # Errors
    /// `Full` where there is no room for a buried one, `Unavailable`, `Closed`.
    fn kick_job(&self, id: JobId) -> BoxFuture<'_, Result<bool>>;

    /// Buries one job. A running one loses its lease, by which its worker learns of it. False where there is no such job.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    fn cancel(&self, id: JobId, reason: String) -> BoxFuture<'_, Result<bool>>;

    /// Removes one job that has no owner, and forgets its id. False where there is no such job.
    ///
    /// # Errors
    /// `Invalid` for a leased job (cancel it first), `Unavailable`, `Closed`.
    fn delete(&self, id: JobId) -> BoxFuture<'_, Result<bool>>;

    /// Removes all jobs of a queue in this state; leased ones cannot be purged. Answers how many.
    ///
    /// # Errors
    /// `Invalid` for `Leased`, `Unavailable`, `Closed`.
    fn purge<'a>(&'a self, queue: &'a QueueName, state: JobState) -> BoxFuture<'a, Result<u64>>;

    /// Stops a queue from handing out jobs, or lets it go on. Senders are not affected.
    ///
    /// # Errors
    /// `Invalid` where there is no such queue, `Unavailable`, `Closed`.
    fn pause<'a>(&'a self, queue: &'a QueueName, paused: bool) -> BoxFuture<'a, Result<()>>;
}
