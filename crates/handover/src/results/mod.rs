//! Results: where the outcome of a job lives after the job itself is settled.
//!
//! The trait is smaller than the broker's on purpose: put, get, wait, list, forget. The worker puts a result *before* it
//! settles the job, so that a job which is gone always has its result; a crash between the two repeats the job, and the
//! repeat's result finds the first one there and changes nothing. That is why `put` keeps what is final.
//!
//! The stores: `memory.rs`, `file.rs` (JSON Lines), `both.rs` (several at once). A store in a database lives in that
//! database's crate. `waiters.rs` is the bell that the stores of this crate share.

mod both;
mod file;
mod memory;
mod waiters;

use std::fmt::Debug;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use both::BothResults;
#[cfg(any(test, fuzzing))]
pub use file::fuzz;
pub use file::{FileResults, FileResultsOptions};
pub use memory::MemoryResults;

use crate::broker::BoxFuture;
use crate::caps::Durability;
use crate::clock;
use crate::delivery::Receipt;
use crate::error::Result;
use crate::id::JobId;
use crate::message::QueueName;

/// What a record says of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// It runs, and this is its progress. Gives way to every later record.
    Running,
    /// It was given up: buried, with a reason. Gives way to the outcome of a later attempt, after a person kicked it back.
    Failed,
    /// It is done. Final: nothing replaces it.
    Done,
}

impl Status {
    /// The status as one lower-case word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }

    /// True for an outcome, false for progress.
    #[must_use]
    pub fn is_outcome(self) -> bool {
        !matches!(self, Self::Running)
    }
}

/// The outcome of a job, or its progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// The job.
    pub id: JobId,
    /// The queue it was in.
    pub queue: String,
    /// The task it called; empty where the message named none.
    pub task: String,
    /// Running, failed or done.
    pub status: Status,
    /// Which attempt this is of.
    pub attempt: u32,
    /// The fencing token of that attempt.
    pub token: u64,
    /// JSON text: the task's result where done, its progress where running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Milliseconds since 1970, when the record was made.
    pub at_ms: u64,
    /// How long the attempt ran, in milliseconds.
    pub took_ms: u64,
}

impl Record {
    /// A record of this job with nothing else said yet.
    #[must_use]
    pub fn new(id: JobId, queue: &QueueName, status: Status) -> Self {
        Self {
            id,
            queue: queue.as_str().to_owned(),
            task: String::new(),
            status,
            attempt: 0,
            token: 0,
            output: None,
            reason: None,
            at_ms: 0,
            took_ms: 0,
        }
    }

    /// The record of an attempt at a job that calls `task`, made now.
    pub(crate) fn of(receipt: &Receipt, task: &str, attempt: u32, status: Status) -> Self {
        let mut record = Self::new(receipt.id, &receipt.queue, status);
        task.clone_into(&mut record.task);
        record.attempt = attempt;
        record.token = receipt.token;
        record.at_ms = clock::wall_ms();
        record
    }

    /// Whether this record replaces `old` in a store: done is final, and otherwise the later attempt speaks.
    ///
    /// ```
    /// use handover::{JobId, QueueName, Record, Status};
    /// let (id, queue) = (JobId::new(), QueueName::new("mail").unwrap());
    /// let done = Record::new(id, &queue, Status::Done);
    /// let failed = Record::new(id, &queue, Status::Failed);
    /// assert!(done.replaces(&failed));
    /// assert!(!failed.replaces(&done));
    /// assert!(!done.replaces(&done));
    /// ```
    #[must_use]
    pub fn replaces(&self, old: &Self) -> bool {
        match (old.status, self.status) {
            (Status::Done, _) => false,
            (Status::Failed, Status::Done) | (Status::Running, Status::Done) => true,
            (Status::Running, _) => self.token >= old.token,
            (Status::Failed, _) => self.token > old.token,
        }
    }
}

/// What became of a record that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Put {
    /// It is stored.
    Stored,
    /// A record that it does not [replace](Record::replaces) was there: nothing changed.
    Kept,
}

/// What a result store promises.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResultCaps {
    /// The store's name, such as `file`.
    pub name: &'static str,
    /// What `Ok` from put is worth.
    pub durability: Durability,
    /// The largest output, in bytes of JSON text.
    pub output_bytes_max: usize,
    /// True where progress is kept; elsewhere a record of progress is accepted and dropped.
    pub progress: bool,
}

impl ResultCaps {
    /// The facts of a store.
    #[must_use]
    pub fn new(
        name: &'static str,
        durability: Durability,
        output_bytes_max: usize,
        progress: bool,
    ) -> Self {
        Self { name, durability, output_bytes_max, progress }
    }
}

/// Where outcomes live.
pub trait ResultStore: Debug + Send + Sync {
    /// What this store promises.
    fn caps(&self) -> &ResultCaps;

    /// Stores records, each unless one that it does not [replace](Record::replaces) is there. One answer for each, in order.
    ///
    /// # Errors
    /// `Unsupported` for an output above `output_bytes_max` (nothing of the batch is stored), `Unavailable`, `Closed`.
    fn put<'a>(&'a self, records: &'a [Record]) -> BoxFuture<'a, Result<Vec<Put>>>;

    /// The record of a job as it is now; `None` where there is none.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    fn get(&self, id: JobId) -> BoxFuture<'_, Result<Option<Record>>>;

    /// The outcome of a job, waiting up to `wait` for it; `None` where there was none by then. Progress is no outcome.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    fn wait(&self, id: JobId, wait: Duration) -> BoxFuture<'_, Result<Option<Record>>>;

    /// A page of the outcomes of a queue in the order they were stored: at most `limit` (never more than 1000), from the
    /// place `after` on (0 for the first). The answer's second half is where the next page begins.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    fn list<'a>(
        &'a self,
        queue: &'a QueueName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<(Vec<Record>, Option<u64>)>>;

    /// Removes the record of a job. False where there was none.
    ///
    /// # Errors
    /// `Unsupported` where the store only grows, `Unavailable`, `Closed`.
    fn forget(&self, id: JobId) -> BoxFuture<'_, Result<bool>>;

    /// Ends this handle's use of the store; waiting calls get `Closed`. Twice is fine.
    ///
    /// # Errors
    /// `Unavailable` where what was put could not be brought to rest.
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}
