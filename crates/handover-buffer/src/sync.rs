//! Every synchronisation primitive of the crate, and its one clock, imported through one door.
//!
//! What lives here: re-exports of std, two small cells, pauses and [`now`]. What does not: any
//! algorithm. No other file names `std::sync`, `std::thread` or `std::cell::UnsafeCell`, so a model
//! checker takes the place of std by swapping the imports of this file: built with `--cfg loom` or
//! `--cfg shuttle`, they come from `sync/model.rs`, and `tests/loom` or `tests/shuttle` can run.

use std::ops::Deref;
use std::time::Instant;

#[cfg(not(any(loom, shuttle)))]
use std::hint::spin_loop;

#[cfg(any(loom, shuttle))]
mod model;
#[cfg(any(loom, shuttle))]
pub(crate) use model::{
    AtomicBool, AtomicUsize, Condvar, Mutex, MutexGuard, Thread, current, park, park_timeout,
    yield_now,
};

#[cfg(loom)]
use loom::cell as raw;
#[cfg(not(loom))]
use std::cell as raw;

pub(crate) use std::sync::atomic::Ordering;
// Also under a checker: a `Waker` is made of std's `Arc` and no other. All that is lost is that the
// checker does not see the order which the count of an `Arc` makes; nothing here leans on it.
pub(crate) use std::sync::{Arc, PoisonError};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicUsize},
    sync::{Condvar, Mutex, MutexGuard},
    thread::{Thread, current, park, park_timeout, yield_now},
};

/// Locks, and goes on where std would report poison.
///
/// No code of the caller runs under a lock of this crate (wakers are woken, cloned and dropped
/// outside, values are only moved), so a lock is never left in the middle of a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A point that all threads pass in one order, for checkers that give `SeqCst` to fences alone.
///
/// The argument in `wait.rs` leans on the single total order of `SeqCst` *accesses*, which the
/// language grants and hardware keeps (on x86 the compare-exchange before this point is already a
/// full barrier, so a fence would be paid twice). loom treats such accesses as acquire/release and
/// models the total order for fences only, so for loom this is one.
#[inline(always)]
pub(crate) fn total_order_point() {
    #[cfg(loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}

/// Keeps the processor busy for `turns` pauses.
#[inline]
pub(crate) fn spin(turns: u32) {
    #[cfg(any(loom, shuttle))]
    model::spin(turns);
    #[cfg(not(any(loom, shuttle)))]
    for _ in 0..turns {
        spin_loop();
    }
}

/// How many of `rounds` rounds to wait awake before sleeping. None under a checker: they would only
/// multiply the executions, and all that can go wrong is in going to sleep.
#[inline]
pub(crate) fn patience(rounds: u32) -> u32 {
    if cfg!(any(loom, shuttle)) { 0 } else { rounds }
}

/// The time, for the deadlines of blocked threads.
#[allow(
    clippy::disallowed_methods,
    reason = "this crate has no dependencies, so it cannot ask handover::clock; a blocked thread's \
              deadline is the only use of time here, and this is the only place that reads it"
)]
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time of a model: it stands still, except that a thread's sleep with an end passes at once.
#[allow(clippy::disallowed_methods, reason = "a moment to count from; it is read once")]
#[cfg(any(loom, shuttle))]
pub(crate) fn now() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now) + model::slept()
}

/// A value alone on its cache lines, so that writing it does not slow the readers of a neighbour.
///
/// 128 bytes: recent x86 processors prefetch lines in pairs, and some ARM lines are that long.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// `UnsafeCell`, reached in the way a model checker can watch: inside a closure.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(raw::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(raw::UnsafeCell::new(value))
    }

    /// Hands `access` a pointer to the content, valid for the time of the call.
    #[inline]
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        #[cfg(not(loom))]
        return access(self.0.get());
        #[cfg(loom)]
        return self.0.with_mut(access);
    }
}
