//! Writing events: numbered, with their time, one write call a line, nothing kept back.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::event::{VERSION, What};
use crate::clock::{self, Instant};
use crate::error::{Error, ErrorKind, Result};

/// The clock of a history: the one by which its broker ends leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Times {
    /// The clock on the wall. All processes of one machine read the same, so their histories can be put together; those of
    /// two machines cannot. A history is worth nothing across a moment at which the clock was set.
    Wall,
    /// The monotonic clock, counted from the clock on the wall at the moment the recorder began. It moves with tokio's
    /// paused time, as the memory broker does. For the history of one recorder.
    Monotonic,
}

/// Where a recorder writes.
pub(super) struct Log {
    process: String,
    begin_us: u64,
    begin: Instant,
    times: Times,
    pen: Mutex<Pen>,
}

struct Pen {
    out: Box<dyn Write + Send>,
    n: u64,
    /// Used again for each line.
    line: Vec<u8>,
    /// Why a line could not be written: then nothing is asked of the broker any more, for nobody would know.
    broken: Option<Error>,
}

/// An event on its way out. Borrowed, where [`super::Event`] owns.
#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    process: &'a str,
    n: u64,
    at_us: u64,
    #[serde(flatten)]
    what: &'a What,
}

impl Log {
    /// A log in a new file.
    ///
    /// # Errors
    /// `Invalid` where the file exists or cannot be made.
    pub(super) fn create(path: &Path, times: Times) -> Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path).map_err(|error| {
            Error::new(
                ErrorKind::Invalid,
                "the history's file cannot be made; each recorder needs a new one in a folder that exists",
            )
            .fact("path", path.display())
            .source(error)
        })?;
        Ok(Self::to(file, times))
    }

    pub(super) fn to(out: impl Write + Send + 'static, times: Times) -> Self {
        // Two recorders that one process makes in the same microsecond are told apart.
        static LAST: AtomicU64 = AtomicU64::new(0);
        let now = clock::wall_us();
        let last = LAST
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(now.max(last.saturating_add(1)))
            })
            .unwrap_or_default();
        let begin_us = now.max(last.saturating_add(1));
        Self {
            process: format!("{}.{begin_us}", std::process::id()),
            begin_us,
            begin: clock::now(),
            times,
            pen: Mutex::new(Pen { out: Box::new(out), n: 0, line: Vec::new(), broken: None }),
        }
    }

    /// Writes an event. Its number.
    ///
    /// # Errors
    /// `Unavailable` where it cannot be written, and ever after.
    pub(super) fn write(&self, what: &What) -> Result<u64> {
        let mut pen = self.pen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(broken) = &pen.broken {
            return Err(broken.duplicate());
        }
        // Under the lock, so that the times of one recorder grow with its numbers.
        let at_us = match self.times {
            Times::Wall => clock::wall_us(),
            Times::Monotonic => {
                self.begin_us + super::event::micros(clock::now().duration_since(self.begin))
            }
        };
        let Pen { out, n, line, broken } = &mut *pen;
        *n += 1;
        line.clear();
        let event = Line { v: VERSION, process: &self.process, n: *n, at_us, what };
        let written = serde_json::to_writer(&mut *line, &event)
            .map_err(std::io::Error::from)
            .and_then(|()| {
                line.push(b'\n');
                out.write_all(line)
            });
        match written {
            Ok(()) => Ok(*n),
            Err(error) => {
                let error = Error::new(
                    ErrorKind::Unavailable,
                    "the history cannot be written, so nothing more is asked of the broker",
                )
                .source(error);
                *broken = Some(error.duplicate());
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("process", &self.process).finish_non_exhaustive()
    }
}
