//! The clock: the one file that reads the time.
//!
//! Two clocks, told apart by name. [`now`] is monotonic: it measures waits and leases inside a process, and tests move it
//! with tokio's paused time. [`wall_ms`] and [`wall_us`] are the clock on the wall: it is only for what must outlive the
//! process (rows in a file, lines in a log) or be compared between processes, because it can be set.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use tokio::time::Instant;

/// Now, on the monotonic clock. Inside a tokio runtime with paused time it stands still until the test moves it.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the monotonic clock"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970 on the clock on the wall; 0 before 1970.
#[must_use]
pub fn wall_ms() -> u64 {
    u64::try_from(wall().as_millis()).unwrap_or(u64::MAX)
}

/// Microseconds since 1970 on the clock on the wall; 0 before 1970. The same for all processes of one machine.
#[must_use]
pub fn wall_us() -> u64 {
    u64::try_from(wall().as_micros()).unwrap_or(u64::MAX)
}

#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The moment `wait` from now, or one so far away (a hundred years) that nobody meets it.
///
/// ```
/// use std::time::Duration;
/// let never = handover::clock::after(Duration::MAX);
/// assert!(never > handover::clock::now());
/// ```
#[must_use]
pub fn after(wait: Duration) -> Instant {
    let far = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now() + wait.min(far)
}
