//! How long work took: by the clock, and of the processor. The second tells a thread that waits from one that is busy, which
//! the first does not, for it passes for both. Nothing here is the time of day.

use std::time::{Duration, Instant};

/// The time that passes while `work` is done.
#[expect(clippy::disallowed_methods, reason = "the lessons link nothing of the product")]
pub(crate) fn took(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// The CPU time that `work` takes on the calling thread; none where the system does not say.
#[cfg(unix)]
pub(crate) fn cpu_used_by(work: impl FnOnce()) -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok();
    let before = now()?;
    work();
    now()?.checked_sub(before)
}

/// The CPU time that `work` takes on the calling thread; none where the system does not say.
#[cfg(not(unix))]
pub(crate) fn cpu_used_by(work: impl FnOnce()) -> Option<Duration> {
    work();
    None
}

/// A time as people read it.
pub(crate) fn told(took: Duration) -> String {
    format!("{:.3} ms", took.as_secs_f64() * 1000.0)
}

/// A CPU time as people read it.
pub(crate) fn cpu_told(used: Option<Duration>) -> String {
    used.map_or("not told by this system".to_owned(), |used| format!("{} of CPU time", told(used)))
}
