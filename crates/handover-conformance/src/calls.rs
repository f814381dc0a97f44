//! The log of a case: which calls are under way and which were answered, so that a hang names its step and a failure comes
//! with what led to it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handover::clock::{self, Instant};

/// How many answered calls a failure shows.
const PAST_MAX: usize = 24;

/// The calls of one case.
#[derive(Debug)]
pub(crate) struct Calls {
    start: Instant,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    next: u64,
    under_way: BTreeMap<u64, (Instant, String)>,
    past: VecDeque<Answered>,
}

/// A call that was answered, and how often in a row.
#[derive(Debug)]
struct Answered {
    at: Duration,
    what: String,
    answer: String,
    took: Duration,
    times: usize,
}

impl Calls {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: clock::now(), log: Mutex::default() })
    }

    // The log is whole between any two statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a call begins; the answer notes its end, and a drop without one that it was dropped.
    pub(crate) fn begin(self: &Arc<Self>, what: String) -> Call {
        let mut log = self.lock();
        let number = log.next;
        log.next += 1;
        log.under_way.insert(number, (clock::now(), what));
        Call { calls: Arc::clone(self), number }
    }

    /// Awaits this future as a step of its own.
    pub(crate) async fn step<T>(
        self: &Arc<Self>,
        what: impl Into<String>,
        future: impl Future<Output = T>,
    ) -> T {
        let call = self.begin(what.into());
        let answer = future.await;
        call.answered("ok");
        answer
    }

    fn end(&self, number: u64, answer: &str) {
        let mut log = self.lock();
        let Some((begun, what)) = log.under_way.remove(&number) else { return };
        let took = begun.elapsed();
        match log.past.back_mut() {
            // A case that asks again and again would push everything else out of the log.
            Some(last) if last.what == what && last.answer == answer => {
                last.times += 1;
                last.took += took;
            }
            _ => {
                if log.past.len() == PAST_MAX {
                    log.past.pop_front();
                }
                let at = begun.duration_since(self.start);
                log.past.push_back(Answered {
                    at,
                    what,
                    answer: answer.to_owned(),
                    took,
                    times: 1,
                });
            }
        }
    }

    /// The last calls that were answered, and those that were not.
    pub(crate) fn story(&self) -> String {
        let log = self.lock();
        let mut story = String::new();
        for Answered { at, what, answer, took, times } in &log.past {
            let times = if *times > 1 { format!(", {times} times") } else { String::new() };
            let _ = writeln!(story, "  {at:>9.1?} {what} -> {answer} ({took:.1?}{times})");
        }
        for (begun, what) in log.under_way.values() {
            let at = begun.duration_since(self.start);
            let _ = writeln!(story, "  {at:>9.1?} {what} -> no answer for {:.1?}", begun.elapsed());
        }
        story
    }
}

/// A call that is under way.
#[derive(Debug)]
pub(crate) struct Call {
    calls: Arc<Calls>,
    number: u64,
}

impl Call {
    /// It was answered with this.
    pub(crate) fn answered(self, answer: &str) {
        self.calls.end(self.number, answer);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Nothing is left to end where the call was answered.
        self.calls.end(self.number, "dropped");
    }
}
