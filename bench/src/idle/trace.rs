//! Reading what strace wrote: which system calls began between two moments. How strace is started is the bench's.
//!
//! ```text
//! 4711 1795417200.123456 epoll_wait(5,  <unfinished ...>      begins
//! 4711 1795417205.123456 <... epoll_wait resumed>, …) = 0     the end of one that began
//! 4711 1795417205.123460 --- SIGCHLD {…} ---                  no call
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

/// Calls further apart than this, in seconds, are of two moments: a worker woke up twice.
const APART_S: f64 = 0.1;

/// How often each call began, and in how many moments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    each: BTreeMap<String, u64>,
    moments: u64,
}

impl Calls {
    /// Those that began from the first moment until before the second, in seconds since 1970.
    pub(super) fn read(log: &str, (from, until): (f64, f64)) -> Self {
        let mut calls = Self::default();
        let mut last = f64::NEG_INFINITY;
        for (at, name) in log.lines().filter_map(began) {
            if (from..until).contains(&at) {
                *calls.each.entry(name.to_owned()).or_default() += 1;
                calls.moments += u64::from(at - last > APART_S);
                last = at;
            }
        }
        calls
    }

    fn count(&self) -> u64 {
        self.each.values().sum()
    }

    /// How often the worker did anything at all, a second.
    pub(super) fn moments_per_s(&self, time: Duration) -> f64 {
        crate::measure::rate(self.moments, time)
    }

    pub(super) fn per_s(&self, time: Duration) -> f64 {
        crate::measure::rate(self.count(), time)
    }

    pub(super) fn json(&self) -> Value {
        self.each.iter().map(|(name, count)| (name.clone(), Value::from(*count))).collect()
    }

    pub(super) fn remark(&self, time: Duration) -> String {
        if self.each.is_empty() {
            return format!("No system call in {} s.", time.as_secs());
        }
        let mut each: Vec<_> = self.each.iter().collect();
        each.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let each: Vec<String> =
            each.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let (count, moments, seconds) = (self.count(), self.moments, time.as_secs());
        format!("{count} system calls in {seconds} s, at {moments} moments: {}.", each.join(", "))
    }
}

/// When a call began, and its name; `None` for a line that is no beginning.
fn began(line: &str) -> Option<(f64, &str)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let at = words.next()?.parse().ok()?;
    let (name, _) = words.next()?.split_once('(')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((at, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
7 99.9 read(3, \"x\", 1) = 1
7 100.000000 epoll_wait(5,  <unfinished ...>
8 101.5 futex(0x7f, FUTEX_WAIT, 2, NULL <unfinished ...>
7 104.9 <... epoll_wait resumed>[], 1024, 4999) = 0
7 104.91 epoll_wait(5, [], 1024, 10) = 0
7 105.0 --- SIGCHLD {si_signo=SIGCHLD} ---
7 110.0 read(3, \"x\", 1) = 1
7 110.1 +++ exited with 0 +++
";

    #[test]
    fn calls_count_once_where_they_begin_and_only_in_time() {
        let calls = Calls::read(LOG, (100.0, 110.0));
        let names: Vec<_> =
            calls.each.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(names, [("epoll_wait", 2), ("futex", 1)]);
        assert_eq!(calls.per_s(Duration::from_secs(10)), 0.3);
        assert_eq!(
            calls.remark(Duration::from_secs(10)),
            "3 system calls in 10 s, at 3 moments: epoll_wait 2, futex 1."
        );
    }

    #[test]
    fn calls_that_follow_each_other_are_one_moment() {
        let log = "7 1.00 a(1) = 1\n7 1.05 b(1) = 1\n8 1.10 a(2) = 1\n7 6.00 a(1) = 1\n";
        let calls = Calls::read(log, (0.0, 10.0));
        assert_eq!((calls.count(), calls.moments), (4, 2));
        assert_eq!(calls.moments_per_s(Duration::from_secs(10)), 0.2);
    }

    #[test]
    fn nothing_is_said_as_nothing() {
        let calls = Calls::read(LOG, (102.0, 103.0));
        assert_eq!(calls, Calls::default());
        assert_eq!(calls.remark(Duration::from_secs(1)), "No system call in 1 s.");
    }
}
