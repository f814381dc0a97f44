//! Medians, percentiles, rates, a clock that processes share, and the longest pause between events. Plain arithmetic: what is
//! measured is for the benches.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The middle one; 0 of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// The smallest value that at least this share of all do not exceed (nearest rank); 0 of nothing.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a length is between 0 and the length"
    )]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(0.0)
}

/// How many a second.
pub(crate) fn rate(count: u64, took: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    let count = count as f64;
    count / took.as_secs_f64().max(1e-9)
}

/// Nanoseconds on the machine's monotonic clock, which all its processes read alike. `handover::clock` has none such: its
/// moments mean nothing to another process.
pub(crate) fn shared_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    part(now.tv_sec) * 1_000_000_000 + part(now.tv_nsec)
}

/// From one moment of the shared clock to a later one, in microseconds; 0 where it is earlier.
pub(crate) fn us_between(from_ns: u64, to_ns: u64) -> f64 {
    Duration::from_nanos(to_ns.saturating_sub(from_ns)).as_secs_f64() * 1e6
}

/// The longest time between two beats.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// When the last beat was, on the shared clock; 0 before the first. Written and read by everyone who beats.
    last_ns: AtomicU64,
    longest_ns: AtomicU64,
}

impl Pulse {
    pub(crate) fn beat(&self) {
        let now = shared_ns();
        let last = self.last_ns.swap(now, Ordering::Relaxed);
        if last != 0 {
            // Two who beat at once may swap in the wrong order; the pause is then nothing, and not an age.
            self.longest_ns.fetch_max(now.saturating_sub(last), Ordering::Relaxed);
        }
    }

    pub(crate) fn longest_ms(&self) -> f64 {
        Duration::from_nanos(self.longest_ns.load(Ordering::Relaxed)).as_secs_f64() * 1e3
    }
}

/// The most memory a process had resident so far, in megabytes (10^6), as Linux counts it; `None` elsewhere, and for one that has
/// ended.
pub(crate) fn peak_mb(process: u32) -> Option<f64> {
    peak_of(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn peak_of(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(median(&values), 3.0);
        assert_eq!(percentile(&values, 0.0), 1.0);
        assert_eq!(percentile(&values, 0.2), 1.0);
        assert_eq!(percentile(&values, 0.21), 2.0);
        assert_eq!(percentile(&values, 0.99), 5.0);
        assert_eq!(percentile(&values, 1.0), 5.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn a_pulse_without_two_beats_has_no_pause() {
        let pulse = Pulse::default();
        assert_eq!(pulse.longest_ms(), 0.0);
        pulse.beat();
        assert_eq!(pulse.longest_ms(), 0.0);
        let since = shared_ns();
        pulse.beat();
        let spent = us_between(pulse.last_ns.load(Ordering::Relaxed), since);
        assert!(spent == 0.0, "the second beat is later than what was read before it");
    }

    #[test]
    fn a_rate_is_a_count_by_seconds() {
        assert_eq!(rate(10, Duration::from_millis(500)), 20.0);
        assert!(rate(1, Duration::ZERO).is_finite());
    }

    #[test]
    fn the_peak_is_read_from_the_kernels_line() {
        assert_eq!(peak_of("VmPeak:\t 1 kB\nVmHWM:\t    2000 kB\nVmRSS: 3 kB\n"), Some(2.048));
        assert_eq!(peak_of("State: Z (zombie)\n"), None);
    }
}
