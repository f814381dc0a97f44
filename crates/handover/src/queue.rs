//! The settings of a queue: its capacity first.

use std::time::Duration;

use crate::caps::Durability;
use crate::error::{Error, Result};

/// What a queue is declared with.
///
/// ```
/// use handover::QueueSettings;
/// let settings = QueueSettings::with_capacity(1000);
/// assert_eq!(settings.overdraft, 10_000);
/// assert!(settings.check().is_ok());
/// assert!(QueueSettings::with_capacity(0).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueSettings {
    /// The bound: the most unsettled messages (ready, delayed, held and leased) the queue ever has. 1 to a billion.
    pub capacity: u64,
    /// How many children of the queue's own running jobs may be parked, waiting inside the queue for room.
    ///
    /// A job that sends into the queue it is itself draining must not wait for room: everybody could be waiting. Its
    /// children wait in its place, stored but not yet admitted, and come in as room appears, before any other sender.
    /// Ten times the capacity where nothing is said.
    pub overdraft: u64,
    /// At most one message leased at a time, in the whole fleet.
    pub exclusive: bool,
    /// What `Ok` from send is worth in this queue; `None` for the broker's own.
    pub durability: Option<Durability>,
    /// How long the id of a job is known after it was done. An hour where nothing is said.
    pub remember: Duration,
}

impl QueueSettings {
    /// The largest capacity and the largest overdraft.
    pub const CAPACITY_MAX: u64 = 1_000_000_000;
    /// The longest time for which an id is known after its job was done: ten years.
    pub const REMEMBER_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

    /// Settings with this capacity and every other one as it is where nothing is said.
    #[must_use]
    pub fn with_capacity(capacity: u64) -> Self {
        Self {
            capacity,
            overdraft: capacity.saturating_mul(10).min(Self::CAPACITY_MAX),
            exclusive: false,
            durability: None,
            remember: Duration::from_secs(60 * 60),
        }
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) where a number is out of its range.
    pub fn check(&self) -> Result<()> {
        if self.capacity == 0 || self.capacity > Self::CAPACITY_MAX {
            return Err(Error::invalid("a queue's capacity is a number from 1 to 1000000000")
                .fact("capacity", self.capacity));
        }
        if self.overdraft > Self::CAPACITY_MAX {
            return Err(Error::invalid("a queue's overdraft is a number from 0 to 1000000000")
                .fact("overdraft", self.overdraft));
        }
        if self.remember > Self::REMEMBER_MAX {
            return Err(Error::invalid(
                "the id of a job that is done is remembered for ten years at most",
            )
            .fact("remember_s", self.remember.as_secs())
            .fact("remember_max_s", Self::REMEMBER_MAX.as_secs()));
        }
        Ok(())
    }
}
