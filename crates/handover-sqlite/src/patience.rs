//! How long a connection waits for a lock that another process holds, and in what steps.
//!
//! SQLite's own timeout sleeps in steps that grow to 100 ms; of two processes at work on one file it let one starve for half
//! a second. Ours looks again after 100 µs, later every millisecond, and gives up after a limit. It is set before any other
//! statement runs: even `journal_mode` can meet a lock.

use std::cell::Cell;
use std::time::Duration;

use handover::clock::{self, Instant};
use rusqlite::Connection;

const STEP_MIN: Duration = Duration::from_micros(100);
const STEP_MAX: Duration = Duration::from_millis(1);

thread_local! {
    // SQLite takes a plain function without captures; a connection is used by one thread at a time.
    static LIMIT: Cell<Duration> = const { Cell::new(Duration::from_secs(10)) };
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Makes this connection wait for locks.
pub(crate) fn give(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait))
}

/// Sets how long connections wait that are used on this thread.
pub(crate) fn limit(wait_max: Duration) {
    LIMIT.set(wait_max);
}

/// Does this with another limit.
pub(crate) fn within<T>(wait_max: Duration, work: impl FnOnce() -> T) -> T {
    let before = LIMIT.replace(wait_max);
    let done = work();
    LIMIT.set(before);
    done
}

/// Sleeps one step; false when the wait took as long as it may. `round` counts from 0 in each wait.
pub(crate) fn wait(round: i32) -> bool {
    let now = clock::now();
    let since = match SINCE.get() {
        Some(since) if round > 0 => since,
        _ => {
            SINCE.set(Some(now));
            now
        }
    };
    if now - since >= LIMIT.get() {
        return false;
    }
    let step = STEP_MIN * u32::try_from(1 + round / 16).unwrap_or(1);
    #[allow(
        clippy::disallowed_methods,
        reason = "a lock of SQLite cannot wake us; this thread only serves SQLite"
    )]
    std::thread::sleep(std::cmp::min(step, STEP_MAX));
    true
}
