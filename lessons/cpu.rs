//! How much of the processor a thread has used: what tells a thread that waits from one that is busy. Not the time of day,
//! which passes for both.

use std::time::Duration;

/// The CPU time that `work` takes on the calling thread; none where the system does not say.
#[cfg(unix)]
pub(crate) fn used_by(work: impl FnOnce()) -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok();
    let before = now()?;
    work();
    now()?.checked_sub(before)
}

/// The CPU time that `work` takes on the calling thread; none where the system does not say.
#[cfg(not(unix))]
pub(crate) fn used_by(work: impl FnOnce()) -> Option<Duration> {
    work();
    None
}

/// A time as people read it.
pub(crate) fn told(used: Option<Duration>) -> String {
    used.map_or("not told by this system".to_owned(), |used| {
        format!("{:.3} ms of CPU time", used.as_secs_f64() * 1000.0)
    })
}
