//! The clock: the one file that reads the time.
//!
//! Two clocks, told apart by name. [`now`] is monotonic: it measures waits and leases inside a process, and tests move it
//! with tokio's paused time. [`wall_ms`] and [`wall_us`] are the clock on the wall: it is only for what must outlive the
//! process (rows in a file, lines in a log) or be compared between processes, because it can be set. [`since_boot_ms`] is a
//! third where the system has it: like the first it cannot be set, and like the second all processes of the machine agree on
//! it, until the machine starts anew, which [`boot_id`] tells.

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
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    pretend::stepped(wall)
}

/// Milliseconds since the machine was started, sleep included, on a clock that nobody can set. `None` where there is no such
/// clock that all processes share: it is for Linux.
#[must_use]
pub fn since_boot_ms() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let since = Duration::try_from(since).unwrap_or_default();
        Some(pretend::since_reboot(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// What tells this start of the machine from every other one. `None` where [`since_boot_ms`] is, and where it cannot be read.
///
/// ```
/// assert_eq!(handover::clock::boot_id(), handover::clock::boot_id());
/// ```
#[must_use]
pub fn boot_id() -> Option<String> {
    since_boot_ms()?;
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(pretend::boot(id.trim()))
}

/// Without the feature `test-util` nothing is pretended.
#[cfg(not(feature = "test-util"))]
mod pretend {
    #[cfg(target_os = "linux")]
    pub(super) use std::convert::identity as since_reboot;
    pub(super) use std::convert::identity as stepped;

    pub(super) fn boot(id: &str) -> String {
        id.to_owned()
    }
}

/// For tests, behind the feature `test-util`: what happens to the clocks of a machine, pretended for this process. Nothing
/// in the library calls what is public here.
#[cfg(feature = "test-util")]
pub mod pretend {
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
    use std::time::Duration;

    static WALL_STEP_MS: AtomicI64 = AtomicI64::new(0);
    static REBOOTS: AtomicU64 = AtomicU64::new(0);
    static REBOOTED_AT_MS: AtomicU64 = AtomicU64::new(0);

    /// Ends all pretence.
    pub fn nothing() {
        WALL_STEP_MS.store(0, Relaxed);
        REBOOTS.store(0, Relaxed);
        REBOOTED_AT_MS.store(0, Relaxed);
    }

    /// Sets the clock on the wall by so much, forward or (negative) back. Steps add up.
    pub fn step_wall(by_ms: i64) {
        WALL_STEP_MS.fetch_add(by_ms, Relaxed);
    }

    /// Starts the machine anew: another boot, a few milliseconds old.
    pub fn reboot() {
        let running = super::since_boot_ms().unwrap_or(0);
        REBOOTED_AT_MS.fetch_add(running, Relaxed);
        REBOOTS.fetch_add(1, Relaxed);
    }

    pub(super) fn stepped(wall: Duration) -> Duration {
        let step = WALL_STEP_MS.load(Relaxed);
        let by = Duration::from_millis(step.unsigned_abs());
        if step < 0 { wall.saturating_sub(by) } else { wall.saturating_add(by) }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn since_reboot(since_ms: u64) -> u64 {
        since_ms.saturating_sub(REBOOTED_AT_MS.load(Relaxed))
    }

    pub(super) fn boot(id: &str) -> String {
        match REBOOTS.load(Relaxed) {
            0 => id.to_owned(),
            reboots => format!("{id} and {reboots} more"),
        }
    }
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
