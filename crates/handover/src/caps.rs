//! What a broker promises, as facts: each field is one that a correct caller must act on and a conformance case reads.

use std::fmt;
use std::time::Duration;

/// What `Ok` from send is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// It is gone with this process.
    Process,
    /// It survives the death of any process, not that of the machine.
    Buffered,
    /// It survives the death of the machine: the disk said that it has it.
    Synced,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "process",
            Self::Buffered => "buffered",
            Self::Synced => "synced",
        })
    }
}

/// How well the bound of a queue is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bound {
    /// Never more than the capacity.
    Exact,
    /// The server counts late; the broker's page says by how much.
    Approximate,
    /// There is no bound.
    None,
}

/// What ends a lease that nobody extends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaseKind {
    /// Time, at most this long at once.
    Timed {
        /// The longest lease one `receive` or `extend` may ask for.
        lease_max: Duration,
    },
    /// The end of the connection.
    Connection,
}

/// What counts as an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attempts {
    /// Every delivery but those given back by `Release`.
    Exact,
    /// Every delivery.
    EveryDelivery,
}

/// How long an id that was sent is known, so that sending it again is no second job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dedup {
    /// Ids are not compared.
    No,
    /// For this long after the first send.
    For(Duration),
    /// As long as the job is stored: unsettled, buried, or remembered for `QueueSettings::remember` after it was done.
    WhileStored,
}

/// The order in which messages are taken while nothing fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ordering {
    /// No order.
    None,
    /// First in, first out, within a priority.
    Fifo,
}

/// What a broker, as it is configured, promises. Durations and sizes are in the unit of their type or name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caps {
    /// The broker's name, such as `memory`.
    pub name: &'static str,
    /// What `Ok` from send is worth where a queue's settings say nothing else.
    pub durability: Durability,
    /// How well the capacity is kept.
    pub bound: Bound,
    /// What ends a lease.
    pub lease: LeaseKind,
    /// What counts as an attempt.
    pub attempts: Attempts,
    /// True where a late owner is refused.
    pub fenced: bool,
    /// The longest delay; `None` where messages cannot be delayed.
    pub delay_max: Option<Duration>,
    /// How long an id is known.
    pub dedup: Dedup,
    /// In what order messages are taken.
    pub ordering: Ordering,
    /// How many priorities are told apart: 1 where there are none, 10 for all.
    pub priorities: u8,
    /// True where messages of one key are taken one at a time and in order.
    pub keys: bool,
    /// The largest body, in bytes.
    pub body_bytes_max: usize,
    /// The most messages in one send, deliveries in one receive, or receipts in one settle or extend.
    pub batch_max: usize,
    /// The largest sum of the bodies in one send, in bytes.
    pub batch_bytes_max: usize,
}

impl Caps {
    /// The weakest honest promises, for a broker to raise one by one as its conformance cases pass.
    ///
    /// ```
    /// use handover::{Caps, Durability};
    /// let mut caps = Caps::weakest("mine");
    /// caps.durability = Durability::Buffered;
    /// assert!(!caps.fenced);
    /// ```
    #[must_use]
    pub fn weakest(name: &'static str) -> Self {
        Self {
            name,
            durability: Durability::Process,
            bound: Bound::None,
            lease: LeaseKind::Connection,
            attempts: Attempts::EveryDelivery,
            fenced: false,
            delay_max: None,
            dedup: Dedup::No,
            ordering: Ordering::None,
            priorities: 1,
            keys: false,
            body_bytes_max: 64 * 1024,
            batch_max: 1,
            batch_bytes_max: 64 * 1024,
        }
    }
}
