//! The cheap look of a tick: whether anybody may have committed since the last true look, by one question to the file system.
//!
//! Every commit, of whatever process, writes to the log, and a write changes the times of the file. So where length and times
//! are what they were before the last true look, nothing was committed since. Where that does not follow, the answer is "look":
//!
//! - The times are as coarse as the file system keeps them, up to two seconds. A commit right after a look could carry the time
//!   of one right before it. So a look is remembered only if the log had been left alone for longer than that.
//! - The clock on the wall may be set, back too, and a later commit could carry the time of an earlier one. So a look is
//!   forgotten when that clock and the monotonic one have not moved alike since, which a sleep of the machine shows as well.
//! - A file system may tell the times late, or not at all. And SQLite shows a commit to others a moment after it is in the log:
//!   who is held up for seconds just then, and killed before he rings, has committed without a trace here. So a look is
//!   forgotten after a minute.
//!
//! What lives elsewhere: when to look, and what a true look is (`mod.rs`); the file itself (`log.rs`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use handover::clock::{self, Instant};

use super::log::Log;

/// For how long the log must have been left alone: more than the coarsest times of file systems and [`SET`] together.
const SETTLED: Duration = Duration::from_secs(4);
/// By how much the two clocks may disagree before one of them counts as set.
const SET: Duration = Duration::from_secs(1);
/// How long a look is good for, whatever the file system says.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// What the file system says of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
    /// Of the last change to anything about the file, in seconds and nanoseconds.
    pub(super) changed: (i64, i64),
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    wall: Duration,
    steady: Instant,
}

impl Clocks {
    fn now() -> Self {
        Self { wall: Duration::from_millis(clock::wall_ms()), steady: clock::now() }
    }

    /// How long ago the other moment was, where the clocks agree on it.
    fn since(self, before: Self) -> Option<Duration> {
        let steady = self.steady - before.steady;
        let wall = self.wall.checked_sub(before.wall)?;
        (wall.abs_diff(steady) <= SET).then_some(steady)
    }
}

/// The log as it was before a true look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glance {
    stamp: Stamp,
    at: Clocks,
}

impl Glance {
    /// To be taken before the look. `None` where the log was written to a moment ago, or cannot be asked.
    pub(crate) fn before_look(log: &Log) -> Option<Self> {
        let at = Clocks::now(); // before the file is asked
        Self::of(log.stamp()?, at)
    }

    fn of(stamp: Stamp, at: Clocks) -> Option<Self> {
        let modified = stamp.modified.duration_since(UNIX_EPOCH).ok()?;
        (modified + SETTLED <= at.wall).then_some(Self { stamp, at })
    }

    /// True where nothing was committed since, as far as the log and the clocks can tell.
    pub(crate) fn still_holds(&self, log: &Log) -> bool {
        self.is_good(Clocks::now()) && log.stamp() == Some(self.stamp)
    }

    fn is_good(&self, now: Clocks) -> bool {
        now.since(self.at).is_some_and(|passed| passed < GOOD_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODIFIED: Duration = Duration::from_secs(1_000_000);

    fn stamp() -> Stamp {
        Stamp { bytes: 32, modified: UNIX_EPOCH + MODIFIED, changed: (0, 0) }
    }

    #[test]
    fn a_log_that_was_just_written_or_will_be_says_nothing() {
        let at = |wall| Clocks { wall, steady: clock::now() };
        assert!(Glance::of(stamp(), at(MODIFIED + SETTLED)).is_some());
        let tick = Duration::from_millis(1);
        assert!(Glance::of(stamp(), at(MODIFIED + SETTLED - tick)).is_none());
        assert!(Glance::of(stamp(), at(MODIFIED - SETTLED)).is_none(), "the clock was set back");
    }

    #[test]
    fn a_look_is_forgotten_when_a_clock_was_set_or_the_machine_slept_and_after_a_minute() {
        let steady = clock::now();
        let wall = MODIFIED + SETTLED;
        let glance = Glance::of(stamp(), Clocks { wall, steady }).unwrap();
        let second = Duration::from_secs(1);
        let good = |steady_s: u32, wall_s: u32| {
            let now = Clocks { wall: wall + second * wall_s, steady: steady + second * steady_s };
            glance.is_good(now)
        };
        assert!(good(0, 0) && good(10, 10) && good(59, 59));
        assert!(!good(60, 60), "after a minute");
        assert!(!good(10, 3600) && !good(10, 12), "set forth, or the machine slept");
        assert!(!good(10, 8), "set back a little");
        let back = Clocks { wall: wall - second, steady };
        assert!(!glance.is_good(back), "set back");
    }
}
