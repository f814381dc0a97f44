//! Every synchronisation primitive of the crate, and its one clock, imported through one door.
//!
//! What lives here: re-exports of std, two small cells, and [`now`]. What does not: any algorithm.
//! A model checker such as loom takes the place of std by swapping the imports of this file; no
//! other file names `std::sync`, `std::thread` or `std::cell::UnsafeCell`.

use std::ops::Deref;
use std::time::Instant;

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
pub(crate) use std::thread::{Thread, current, park, park_timeout, yield_now};

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
/// models the total order for fences only: there, this body must be `fence(SeqCst)`.
#[inline(always)]
pub(crate) fn total_order_point() {}

/// The time, for the deadlines of blocked threads.
#[allow(
    clippy::disallowed_methods,
    reason = "this crate has no dependencies, so it cannot ask handover::clock; a blocked thread's \
              deadline is the only use of time here, and this is the only place that reads it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
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

/// `std::cell::UnsafeCell`, reached in the way a model checker can watch: inside a closure.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Hands `access` a pointer to the content, valid for the time of the call.
    #[inline]
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}
