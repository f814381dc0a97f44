//! The format of a history: JSON Lines, one event a line, version 1.
//!
//! Every line is an object with these members, and those of its event:
//!
//! | member | meaning |
//! |---|---|
//! | `v` | the version of the format, 1 |
//! | `process` | the recorder that wrote it: process id, a dot, and the microseconds since 1970 at which it began |
//! | `n` | 1, 2, 3 … for the lines of one recorder, without a gap |
//! | `at_us` | microseconds since 1970: on the clock on the wall, or on the clock of [`Times::Monotonic`](super::Times) |
//! | `event` | what happened, see [`What`] |
//!
//! A call is two lines: what is asked is written before the call (`send`, `receive`, `settle`, …), what was answered after it
//! (`sent`, `received`, `settled`, …; `call` is the `n` of the question). So whatever the call did, it did between the two
//! times; and where the second line is missing, because the process was killed or the caller dropped the call, it did all,
//! some or none of it, at any time after the first.
//!
//! **The next version.** A reader of version *n* reads all versions up to *n* and refuses a newer one. New members are added
//! with a default, without a new number; a member that goes or changes its meaning makes a new number, and `read.rs` turns
//! the old events into new ones. Unknown members are ignored, unknown events are an error: a checker that skips what it
//! does not know would find less than it says.

use serde::{Deserialize, Serialize};

use crate::caps::{Attempts, Bound, Caps, Dedup, LeaseKind, Ordering};
use crate::delivery::{Delivery, Receipt, Settle};
use crate::error::ErrorKind;
use crate::id::JobId;
use crate::inspect::JobState;
use crate::message::Message;
use crate::queue::QueueSettings;

/// The version that is written.
pub(super) const VERSION: u32 = 1;

/// A line of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// The version of the format.
    pub v: u32,
    /// The recorder that wrote it.
    pub process: String,
    /// Its number among the lines of that recorder, from 1.
    pub n: u64,
    /// When it was written, in microseconds since 1970.
    pub at_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened. The member `event` is the variant's name in lower case; the others are its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields that are in several variants are explained at the first"
)]
pub enum What {
    /// The first line of a recorder: what the broker promises.
    Open(Promises),
    /// A queue is declared.
    Declare(Queue),
    /// The answer to `call`.
    Declared {
        /// The `n` of the question.
        call: u64,
        /// The kind of the error, where it failed, such as `full`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A batch is sent.
    Send {
        queue: String,
        jobs: Vec<JobSent>,
        /// How long it may wait for room, in microseconds.
        wait_us: u64,
        /// The receipt of the job that sends, where one does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<NotedReceipt>,
    },
    /// What became of the batch: one word for each job, `stored`, `parked` or `duplicate`.
    Sent {
        call: u64,
        #[serde(default)]
        fates: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Deliveries are asked for.
    Receive { queues: Vec<String>, max: usize, wait_us: u64, lease_us: u64 },
    /// What was handed out, in order.
    Received {
        call: u64,
        #[serde(default)]
        jobs: Vec<NotedDelivery>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Leases are to end `lease_us` from now.
    Extend {
        #[serde(rename = "leases")]
        receipts: Vec<NotedReceipt>,
        lease_us: u64,
    },
    /// One answer for each: `ok`, or the kind of the error, such as `lease_lost`.
    Extended {
        call: u64,
        #[serde(default)]
        answers: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Leases are ended.
    Settle { items: Vec<SettleItem> },
    /// One answer for each.
    Settled {
        call: u64,
        #[serde(default)]
        answers: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// An operator does something.
    Steer(SteerWhat),
    /// How many jobs it touched; for `pause` 0.
    Steered {
        call: u64,
        #[serde(default)]
        jobs: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// The broker is closed in this process.
    Close {},
    /// The answer to `call`.
    Closed {
        call: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

impl What {
    /// The `n` of the question, where this is an answer.
    ///
    /// ```
    /// use handover::history::What;
    /// assert_eq!(What::Closed { call: 7, error: None }.call(), Some(7));
    /// assert_eq!(What::Close {}.call(), None);
    /// ```
    #[must_use]
    pub fn call(&self) -> Option<u64> {
        match self {
            Self::Declared { call, .. }
            | Self::Sent { call, .. }
            | Self::Received { call, .. }
            | Self::Extended { call, .. }
            | Self::Settled { call, .. }
            | Self::Steered { call, .. }
            | Self::Closed { call, .. } => Some(*call),
            Self::Open(_)
            | Self::Declare(_)
            | Self::Send { .. }
            | Self::Receive { .. }
            | Self::Extend { .. }
            | Self::Settle { .. }
            | Self::Steer(_)
            | Self::Close {} => None,
        }
    }
}

/// What a broker promises, of [`Caps`]: the rules that a checker may apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools, reason = "these are facts, each read by a rule of its own")]
pub struct Promises {
    /// Its name.
    pub broker: String,
    /// The capacity is kept exactly.
    pub bounded: bool,
    /// Leases end by time alone.
    pub timed: bool,
    /// Every delivery but a release counts as an attempt.
    pub attempts: bool,
    /// Late owners are refused and tokens grow.
    pub fenced: bool,
    /// An id that is stored or remembered is not stored again.
    pub dedup: bool,
    /// First in, first out within a priority.
    pub fifo: bool,
    /// One at a time and in order within a key.
    pub keys: bool,
}

impl Promises {
    pub(super) fn of(caps: &Caps) -> Self {
        Self {
            broker: caps.name.to_owned(),
            bounded: caps.bound == Bound::Exact,
            timed: matches!(caps.lease, LeaseKind::Timed { .. }),
            attempts: caps.attempts == Attempts::Exact,
            fenced: caps.fenced,
            dedup: caps.dedup == Dedup::WhileStored,
            fifo: caps.ordering == Ordering::Fifo,
            keys: caps.keys,
        }
    }

    /// What both promise.
    pub(super) fn and(&mut self, other: &Self) {
        self.bounded &= other.bounded;
        self.timed &= other.timed;
        self.attempts &= other.attempts;
        self.fenced &= other.fenced;
        self.dedup &= other.dedup;
        self.fifo &= other.fifo;
        self.keys &= other.keys;
    }
}

/// A queue as it is declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Queue {
    /// Its name.
    pub queue: String,
    /// The most unsettled jobs.
    pub capacity: u64,
    /// The most parked children.
    pub overdraft: u64,
    /// At most one leased at a time.
    pub exclusive: bool,
    /// How long the id of a job is known after it was done, in microseconds.
    pub remember_us: u64,
}

impl Queue {
    pub(super) fn of(name: &str, settings: &QueueSettings) -> Self {
        Self {
            queue: name.to_owned(),
            capacity: settings.capacity,
            overdraft: settings.overdraft,
            exclusive: settings.exclusive,
            remember_us: micros(settings.remember),
        }
    }
}

/// A job that is sent. Bodies and headers are left out: a history is about whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobSent {
    /// Its id.
    pub id: JobId,
    /// 0 to 9.
    pub priority: u8,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How long it is not to be handed out, in microseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay_us: u64,
}

impl JobSent {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            id: message.id,
            priority: message.priority.level(),
            key: message.key.clone(),
            delay_us: micros(message.delay),
        }
    }
}

/// A [`Receipt`], as it is noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotedReceipt {
    /// The queue of its job.
    pub queue: String,
    /// Its job.
    pub id: JobId,
    /// Its fencing token.
    pub token: u64,
}

impl NotedReceipt {
    pub(super) fn of(receipt: &Receipt) -> Self {
        Self { queue: receipt.queue.to_string(), id: receipt.id, token: receipt.token }
    }
}

/// A [`Delivery`], as it is noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotedDelivery {
    /// Its receipt, whose members stand beside the attempt.
    #[serde(flatten)]
    pub receipt: NotedReceipt,
    /// 1 for the first.
    pub attempt: u32,
}

impl NotedDelivery {
    pub(super) fn of(delivery: &Delivery) -> Self {
        Self { receipt: NotedReceipt::of(&delivery.receipt), attempt: delivery.attempt }
    }
}

/// A lease to be ended, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SettleItem {
    /// The receipt of the lease, whose members stand beside the others.
    #[serde(flatten)]
    pub receipt: NotedReceipt,
    /// How.
    pub how: How,
    /// Of a retry or a release: how long the job is not to be handed out, in microseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after_us: u64,
}

impl SettleItem {
    pub(super) fn of((receipt, settle): &(Receipt, Settle)) -> Self {
        let (how, after) = match settle {
            Settle::Done => (How::Done, None),
            Settle::Retry { after, .. } => (How::Retry, Some(after)),
            Settle::Release { after } => (How::Release, Some(after)),
            Settle::Bury { .. } => (How::Bury, None),
        };
        let after_us = after.map_or(0, |after| micros(*after));
        Self { receipt: NotedReceipt::of(receipt), how, after_us }
    }
}

/// The four ways in which an owner ends a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::exhaustive_enums, reason = "as many as `Settle` has, and for the same reason")]
pub enum How {
    /// It is done.
    Done,
    /// It is to be tried again, and the attempt counts.
    Retry,
    /// It was not tried.
    Release,
    /// It is put aside.
    Bury,
}

impl How {
    /// True where the job is out of circulation then.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Bury)
    }
}

/// What an operator does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is a method of `Steer`, with its arguments")]
pub enum SteerWhat {
    /// Buried jobs of a queue come back.
    Kick { queue: String, max: u64 },
    /// One buried job comes back, or a delayed one is due.
    KickJob { id: JobId },
    /// One job is buried, whoever has it.
    Cancel { id: JobId },
    /// One job is removed.
    Delete { id: JobId },
    /// All jobs of a queue in this state are removed.
    Purge { queue: String, state: JobState },
    /// A queue hands nothing out, or goes on.
    Pause { queue: String, paused: bool },
}

/// How an answer is written.
pub(super) fn answer(answer: &crate::error::Result<()>) -> String {
    answer.as_ref().map_or_else(|error| error.kind().as_str(), |()| "ok").to_owned()
}

/// Whether the caller can rely on this error: nothing was done. After the others, something may have been.
pub(super) fn is_refusal(kind: &str) -> bool {
    [ErrorKind::Full, ErrorKind::LeaseLost, ErrorKind::Unsupported, ErrorKind::Invalid]
        .iter()
        .any(|refusal| refusal.as_str() == kind)
}

/// Whole microseconds; a time without an end is one.
pub(super) fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
