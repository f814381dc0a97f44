//! The lock that lets one process at a time at the files: the operating system's, on a file beside them.
//!
//! It ends with the process that holds it, however that dies. On a network file system it is as good as that system's
//! locks; results belong on a local disk.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::layout::{Access, unavailable};
use crate::clock::{self, Instant};
use crate::error::{Error, ErrorKind, Result};

/// How long one call waits for another process before it answers `Unavailable`.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// The first and the longest pause between two tries.
const PAUSE_MIN: Duration = Duration::from_micros(100);
const PAUSE_MAX: Duration = Duration::from_millis(1);
/// How long a process may hold the lock in sum before it stays away for `AWAY`. The lock knows no queue: a process that
/// takes it again at once would starve those that try. Longer than their longest pause, so that one of them gets in; short
/// enough to cost a busy process 6 % at most.
const TURN: Duration = Duration::from_millis(32);
const AWAY: Duration = Duration::from_millis(2);

/// The lock, not held.
#[derive(Debug)]
pub(super) struct Gate {
    file: Arc<File>,
    path: PathBuf,
    /// For how long it was held since the process last stayed away, in microseconds.
    held_us: Arc<AtomicU64>,
}

impl Gate {
    pub(super) fn open(path: PathBuf, access: Access) -> Result<Self> {
        let file =
            access.open(&path).map_err(|error| super::layout::refused("open", &path, error))?;
        Ok(Self { file: Arc::new(file), path, held_us: Arc::default() })
    }

    /// Where the lock is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until no other handle has the lock, in this process or another. Blocks the thread.
    pub(super) fn enter(&self) -> Result<Entered> {
        if Duration::from_micros(self.held_us.load(Ordering::Relaxed)) >= TURN {
            thread::park_timeout(AWAY);
            self.held_us.store(0, Ordering::Relaxed);
        }
        // A lock that blocks could not be given up when the process that holds it was stopped, so this one is tried. The
        // time waited is the sum of the pauses: it needs no clock and is short by the tries alone.
        let (mut waited, mut pause) = (Duration::ZERO, PAUSE_MIN);
        loop {
            match self.file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => {
                    return Err(unavailable("lock", &self.path, error));
                }
                Err(TryLockError::WouldBlock) if waited >= WAIT_MAX => {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        "another process has held the lock of the results for long; is it stopped, or its disk stuck?",
                    )
                    .fact("lock", self.path.display())
                    .fact("waited_s", waited.as_secs()));
                }
                Err(TryLockError::WouldBlock) => {
                    thread::park_timeout(pause);
                    waited += pause;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        Ok(Entered {
            file: Arc::clone(&self.file),
            since: clock::now(),
            held_us: Arc::clone(&self.held_us),
        })
    }
}

/// The lock, held until this is dropped.
#[derive(Debug)]
pub(super) struct Entered {
    file: Arc<File>,
    since: Instant,
    held_us: Arc<AtomicU64>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let held = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.held_us.fetch_add(held, Ordering::Relaxed);
        if let Err(error) = self.file.unlock() {
            // It stays locked for others until this handle is closed; they will say so. Nothing is lost.
            tracing::error!(%error, "the lock of the results cannot be released");
        }
    }
}
