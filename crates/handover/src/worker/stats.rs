//! What a worker has done and is doing, in numbers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::delivery::Settle;

/// The counts of a worker since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WorkerStats {
    /// Jobs done.
    pub done: u64,
    /// Attempts that failed and will be repeated.
    pub retried: u64,
    /// Jobs put aside.
    pub buried: u64,
    /// Jobs given back without an attempt.
    pub released: u64,
    /// Jobs whose lease was lost before they were settled.
    pub lost: u64,
    /// Handlers that did not stop when they were told to.
    pub stuck: u64,
    /// Handlers that run now.
    pub running: u64,
}

impl fmt::Display for WorkerStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} done, {} to be retried, {} buried, {} given back, {} lost",
            self.done, self.retried, self.buried, self.released, self.lost
        )
    }
}

/// The counters behind [`WorkerStats`]. Relaxed, because each is read for people and none guards another.
#[derive(Debug, Default)]
pub(super) struct Counters {
    done: AtomicU64,
    retried: AtomicU64,
    buried: AtomicU64,
    released: AtomicU64,
    lost: AtomicU64,
    stuck: AtomicU64,
    running: AtomicU64,
}

impl Counters {
    pub(super) fn begin(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn settled(&self, how: &Settle) {
        let counter = match how {
            Settle::Done => &self.done,
            Settle::Retry { .. } => &self.retried,
            Settle::Bury { .. } => &self.buried,
            Settle::Release { .. } => &self.released,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lost(&self, jobs: usize) {
        self.lost.fetch_add(jobs as u64, Ordering::Relaxed);
    }

    pub(super) fn stuck(&self) {
        self.stuck.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> WorkerStats {
        WorkerStats {
            done: self.done.load(Ordering::Relaxed),
            retried: self.retried.load(Ordering::Relaxed),
            buried: self.buried.load(Ordering::Relaxed),
            released: self.released.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            stuck: self.stuck.load(Ordering::Relaxed),
            running: self.running.load(Ordering::Relaxed),
        }
    }
}
