//! What a model checker puts in the place of std. Built only with `--cfg loom` or `--cfg shuttle`.
//!
//! What lives here: the checkers' primitives under std's names, and parking and sleeping as far as
//! the checkers lack them. What does not: the models (`tests/loom`, `tests/shuttle`).

use std::cell::Cell;
use std::time::Duration;

#[cfg(loom)]
pub(crate) use loom::{
    sync::atomic::{AtomicBool, AtomicUsize},
    sync::{Condvar, Mutex, MutexGuard},
    thread::yield_now,
    thread_local,
};
#[cfg(loom)]
pub(crate) use parking::{Thread, current, park};
#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::atomic::{AtomicBool, AtomicUsize},
    sync::{Condvar, Mutex, MutexGuard},
    thread::{Thread, current, park, yield_now},
    thread_local,
};

thread_local! {
    /// How long this thread has slept in sleeps that had an end.
    static SLEPT: Cell<Duration> = Cell::new(Duration::ZERO);
}

/// A pause in which others may run; time is nothing to a checker, so it is one pause, however long.
///
/// `turns` doubles while one operation waits. loom would explore every schedule in which two threads
/// wait in turns, for ever, while a third is not let on. So from the third fruitless round in a row
/// it explores no further: the execution is run to its end and judged, but no other is derived from
/// what follows. Nothing is lost by that, as a round that found nothing has only loaded: what can
/// follow it can follow without it, and is explored there.
pub(crate) fn spin(turns: u32) {
    #[cfg(loom)]
    if turns > 2 {
        loom::skip_branch();
    }
    let _ = turns;
    yield_now();
}

/// How far the clock of this thread is ahead of the model's beginning.
pub(crate) fn slept() -> Duration {
    SLEPT.with(Cell::get)
}

/// Sleeps for `time`: the others may run, and what they have done until then was in time.
pub(crate) fn park_timeout(time: Duration) {
    yield_now();
    SLEPT.with(|slept| slept.set(slept.get() + time));
}

/// Parking for loom. Its own `unpark` also ends a wait for a mutex (and then fails an assertion),
/// and a token given before such a wait is lost in it.
#[cfg(loom)]
mod parking {
    use super::{Condvar, Mutex};
    use std::sync::Arc;

    #[derive(Debug)]
    struct Token {
        given: Mutex<bool>,
        changed: Condvar,
    }

    #[derive(Clone, Debug)]
    pub(crate) struct Thread(Arc<Token>);

    loom::thread_local! {
        static CURRENT: Thread =
            Thread(Arc::new(Token { given: Mutex::new(false), changed: Condvar::new() }));
    }

    pub(crate) fn current() -> Thread {
        CURRENT.with(Thread::clone)
    }

    pub(crate) fn park() {
        let Thread(token) = current();
        let mut given = crate::sync::lock(&token.given);
        while !*given {
            given = token.changed.wait(given).unwrap_or_else(crate::sync::PoisonError::into_inner);
        }
        *given = false;
    }

    impl Thread {
        pub(crate) fn unpark(&self) {
            *crate::sync::lock(&self.0.given) = true;
            self.0.changed.notify_one();
        }
    }
}
