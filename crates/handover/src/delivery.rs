//! What crosses the seam around a message: how it was taken in, how it is handed out, and every way it can end.

use std::fmt;
use std::time::Duration;

use crate::caps::Durability;
use crate::error::{Error, ErrorKind};
use crate::id::JobId;
use crate::message::{Message, QueueName};

/// How a send behaves when the queue is full.
///
/// ```
/// use std::time::Duration;
/// use handover::Room;
/// let patient = Room::within(Duration::from_secs(30));
/// let at_once = Room::now();
/// assert!(at_once.wait.is_zero() && patient.parent.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// How long to wait for room. Zero answers `Full` at once; `Duration::MAX` waits for ever.
    pub wait: Duration,
    /// The lease of the running job that sends, where one does: the messages are its children.
    ///
    /// A parent whose lease is over is refused with `LeaseLost` and sends nothing. Children sent into the parent's own
    /// queue never wait: what does not fit is parked, up to the queue's overdraft, and `Full` beyond it.
    pub parent: Option<Receipt>,
}

impl Room {
    /// Do not wait.
    #[must_use]
    pub fn now() -> Self {
        Self::default()
    }

    /// Wait up to this long.
    #[must_use]
    pub fn within(wait: Duration) -> Self {
        Self { wait, parent: None }
    }

    /// The same, sent by the running job that holds this lease.
    #[must_use]
    pub fn child_of(mut self, parent: Receipt) -> Self {
        self.parent = Some(parent);
        self
    }
}

/// What became of one message of a batch that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// It has a place in the queue.
    Stored,
    /// It is a child that waits inside the queue for room.
    Parked,
    /// Its id was known already: nothing was stored.
    Duplicate,
}

/// The receipt of a send: how firmly the batch is stored, and what became of each message, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// How firmly.
    pub durability: Durability,
    /// One for each message, in the order of the batch.
    pub fates: Vec<Fate>,
}

impl Sent {
    /// The receipt with these facts.
    #[must_use]
    pub fn new(durability: Durability, fates: Vec<Fate>) -> Self {
        Self { durability, fates }
    }
}

/// The proof of a lease: which message, and the fencing token of this owner.
///
/// Only the broker that gave it can use it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Receipt {
    /// The queue the message was taken from.
    pub queue: QueueName,
    /// The message.
    pub id: JobId,
    /// The fencing token: larger than that of every earlier lease in the same queue where `Caps::fenced`.
    pub token: u64,
    /// What the broker's server wants to see again, where it has a handle of its own.
    pub handle: String,
}

impl Receipt {
    /// A receipt without a handle.
    #[must_use]
    pub fn new(queue: QueueName, id: JobId, token: u64) -> Self {
        Self { queue, id, token, handle: String::new() }
    }

    /// The error for this receipt when its lease is over.
    #[must_use]
    pub fn lost(&self) -> Error {
        Error::new(
            ErrorKind::LeaseLost,
            "the lease is over: another owner has the job, or it is settled; stop working on it",
        )
        .fact("queue", &self.queue)
        .fact("id", self.id)
        .fact("token", self.token)
    }
}

/// What a consumer asks of `receive`.
///
/// ```
/// use std::time::Duration;
/// use handover::Ask;
/// let ask = Ask::new(10).wait(Duration::from_secs(20)).lease(Duration::from_secs(30));
/// assert_eq!(ask.max, 10);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ask {
    /// The most deliveries.
    pub max: usize,
    /// How long to sleep while there is nothing. Zero answers at once.
    pub wait: Duration,
    /// How long each delivery is owned, unless extended.
    pub lease: Duration,
}

impl Ask {
    /// Up to `max` deliveries, at once, for a lease of 30 seconds.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, wait: Duration::ZERO, lease: Duration::from_secs(30) }
    }

    /// The same with this wait.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The same with this lease.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }
}

/// A message in the hands of its one owner.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Delivery {
    /// The message as it was sent, but for `delay`, which is zero.
    pub message: Message,
    /// The proof of the lease.
    pub receipt: Receipt,
    /// 1 for the first. A crash counts; a release does not where `Caps::attempts` is exact.
    pub attempt: u32,
    /// How long ago it was sent.
    pub age: Duration,
    /// Why the attempt before failed, where the broker knows.
    pub last_failure: Option<String>,
}

impl Delivery {
    /// A first delivery of this message, just sent.
    #[must_use]
    pub fn new(message: Message, receipt: Receipt) -> Self {
        Self { message, receipt, attempt: 1, age: Duration::ZERO, last_failure: None }
    }
}

/// Every way a lease can be ended by its owner. No other way for a job to end exists.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "the four ways are the contract; a fifth would break every broker, and should"
)]
pub enum Settle {
    /// It is done: gone for good.
    Done,
    /// It failed: again after `after`. The attempt counts.
    Retry {
        /// How long to wait before it may be taken again.
        after: Duration,
        /// Why it failed, for people; cut at [`REASON_BYTES_MAX`](Self::REASON_BYTES_MAX).
        reason: String,
    },
    /// It was not tried: again after `after`. The attempt does not count where `Caps::attempts` is exact.
    Release {
        /// How long to wait before it may be taken again.
        after: Duration,
    },
    /// It is put aside for a person, who can kick it back.
    Bury {
        /// Why, for that person; cut at [`REASON_BYTES_MAX`](Self::REASON_BYTES_MAX).
        reason: String,
    },
}

impl Settle {
    /// The longest reason a broker keeps, in bytes.
    pub const REASON_BYTES_MAX: usize = 4 * 1024;

    /// `reason` cut to what a broker keeps, at the end of a character.
    #[must_use]
    pub fn cut_reason(reason: &str) -> &str {
        &reason[..reason.floor_char_boundary(Self::REASON_BYTES_MAX)]
    }
}

impl fmt::Display for Settle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Retry { after, reason } => write!(f, "retry after {after:?}: {reason}"),
            Self::Release { after } => write!(f, "release after {after:?}"),
            Self::Bury { reason } => write!(f, "bury: {reason}"),
        }
    }
}
