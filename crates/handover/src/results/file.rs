//! The result store in files: JSON Lines, one file a queue, or one flat file. Several processes may share them.
//!
//! This file is what a user sees. Below it, from the outside in: `group.rs` (puts that wait together are one append),
//! `store.rs` (the files and what is known of them), `append.rs`, `read.rs`, `index.rs` (job to line), `layout.rs` (names),
//! `line.rs` (formats), `gate.rs` (the lock between processes), `hands.rs` (the calls that a disk can refuse).

mod append;
mod gate;
mod group;
mod hands;
mod index;
mod layout;
mod line;
mod read;
mod store;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
pub use self::line::fuzz;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use self::group::Shared;
use self::hands::{Hands, RealHands};
use self::layout::Layout;
use self::store::{Limits, Store};
use super::memory::refuse_large;
use super::waiters::Waiters;
use super::{Put, Record, ResultCaps, ResultStore};
use crate::broker::BoxFuture;
use crate::caps::Durability;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::message::QueueName;

/// How long a wait sleeps between two looks at what other processes appended. A flat file has no bell: nothing that a
/// plain append does wakes another process on every system, so it is looked at, soon at first and then four times a
/// second. What this process puts needs no look; it rings.
const LOOK_MIN: Duration = Duration::from_millis(25);
const LOOK_MAX: Duration = Duration::from_millis(250);

/// Where results are kept as files, and how. [`open`](Self::open) makes it a store.
#[derive(Debug, Clone)]
#[must_use]
pub struct FileResultsOptions {
    layout: Layout,
    durability: Durability,
    rotate_bytes: u64,
    output_bytes_max: usize,
    index_max: usize,
}

impl FileResultsOptions {
    /// The largest output that can be asked for, in bytes.
    pub const OUTPUT_BYTES_MAX: usize = 256 * 1024 * 1024;
    /// The largest size of a file before it is rotated that can be asked for, in bytes.
    pub const ROTATE_BYTES_MAX: u64 = 1 << 39;

    /// A folder with one file a queue: `QUEUE.jsonl`, and `QUEUE.1.jsonl`, `QUEUE.2.jsonl`, … which were full, the oldest
    /// is 1. Nothing is deleted. Each line is a complete [`Record`], its output as the JSON it is.
    ///
    /// On Unix, what is created in it is for its owner alone.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            layout: Layout::Folder(folder.into()),
            durability: Durability::Synced,
            rotate_bytes: 64 * 1024 * 1024,
            output_bytes_max: 16 * 1024 * 1024,
            index_max: 10_000_000,
        }
    }

    /// One file whose lines are the objects that tasks returned, with the job's id put first:
    /// `{"id":"0197…","url":"…","title":"…"}`. It is made to be handed on, and is not rotated.
    ///
    /// It holds outcomes that are done and whose output is a JSON object, of whatever queue; all others are accepted and
    /// dropped. A record read back has the id and the output alone. An object's own field `id` is written as `id_` (or
    /// `id__`, …, the first that is free). The lock is `PATH.lock`; the file is created with the user's usual permissions.
    pub fn flat_file(path: impl Into<PathBuf>) -> Self {
        Self { layout: Layout::Flat(path.into()), ..Self::new("") }
    }

    /// The size at which a file is full, in bytes: 64 MiB where nothing is said. Puts that were appended together are never
    /// in two files, so that one file may be longer by them.
    pub fn rotate_bytes(mut self, rotate_bytes: u64) -> Self {
        self.rotate_bytes = rotate_bytes;
        self
    }

    /// What `Ok` from put is worth: `Synced` (the disk has it; the default), or `Buffered` (the operating system has it).
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The largest output in bytes of JSON text: 16 MiB where nothing is said.
    pub fn output_bytes_max(mut self, output_bytes_max: usize) -> Self {
        self.output_bytes_max = output_bytes_max;
        self
    }

    /// How many jobs the index may hold: ten million where nothing is said. A job takes 49 bytes in a table that is between
    /// 44 % and 88 % full, which is 56 to 112 bytes; ten million take 0.8 GB. Above it every call is `Unavailable` until
    /// the oldest files were moved elsewhere.
    pub fn index_max(mut self, index_max: usize) -> Self {
        self.index_max = index_max;
        self
    }

    /// Opens the store, and creates the folder where there is none. Reads all lines once, and blocks meanwhile.
    ///
    /// ```
    /// use handover::{ErrorKind, FileResultsOptions, ResultStore};
    /// # let folder = std::env::temp_dir().join(handover::JobId::new().to_string());
    /// let results = FileResultsOptions::new(&folder).rotate_bytes(1 << 20).open().unwrap();
    /// assert_eq!(results.caps().name, "file");
    ///
    /// let error = FileResultsOptions::new(&folder).rotate_bytes(0).open().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Invalid);
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// ```
    ///
    /// # Errors
    /// `Invalid` for options out of range, and for a place that cannot be written. `Internal` for a damaged line, with the
    /// file and the line. `Unsupported` for lines of a newer handover. `Unavailable` where the disk fails, the index has
    /// no room, or another process holds the lock for 30 s.
    pub fn open(self) -> Result<FileResults> {
        self.open_with(Arc::new(RealHands))
    }

    fn open_with(self, hands: Arc<dyn Hands>) -> Result<FileResults> {
        self.check()?;
        let waiters = Arc::<Waiters>::default();
        let limits = Limits { rotate_bytes: self.rotate_bytes, index_max: self.index_max };
        let synced = self.durability == Durability::Synced;
        let store = Store::open(self.layout, limits, synced, hands, Arc::clone(&waiters))
            .map_err(|error| error.operation("open").broker("file"))?;
        Ok(FileResults {
            caps: ResultCaps::new("file", self.durability, self.output_bytes_max, false),
            shared: Arc::new(Shared::new(store)),
            waiters,
        })
    }

    fn check(&self) -> Result<()> {
        if self.durability == Durability::Process {
            return Err(Error::invalid(
                "results in files are at least buffered; choose Synced or Buffered",
            ));
        }
        if !(1..=Self::ROTATE_BYTES_MAX).contains(&self.rotate_bytes) {
            return Err(Error::invalid(
                "the size at which a file of results is rotated is out of range",
            )
            .fact("rotate_bytes", self.rotate_bytes)
            .fact("rotate_bytes_max", Self::ROTATE_BYTES_MAX));
        }
        if self.output_bytes_max > Self::OUTPUT_BYTES_MAX {
            return Err(Error::invalid("outputs cannot be allowed to be that large")
                .fact("output_bytes_max", self.output_bytes_max)
                .fact("at_most", Self::OUTPUT_BYTES_MAX));
        }
        Ok(())
    }
}

/// Outcomes as lines of JSON in files, to be read by other programs while they are written.
///
/// - **One outcome a job.** Several handles in several processes may share the files: each put takes a lock beside them
///   (`.lock`; leave it there), reads what others appended, and appends what is new in one write. A record that replaces another (done
///   after failed) is a second line; the last line of a job speaks.
/// - **Progress** is accepted and dropped.
/// - **Durability.** `Synced` puts are on the disk when they are answered, and puts that wait together share the sync.
/// - **Crashes.** A line that was torn in the middle of an append is cut off when the files are next looked at, with a
///   warning in the log: its put was never answered. A failed append is cut off at once, and is `Unavailable`.
/// - **Damage.** Any other line that cannot be read is never skipped: it may be the outcome of any job, so that neither
///   "stored" nor "not there" could be said with certainty. Every call is `Internal` and names the file and the line, until
///   a person mends it.
/// - **Archiving.** Rotated files may be moved away at any time. The jobs in them are then unknown.
/// - **Waiting.** A put of this process wakes a wait at once; one of another process is seen within 250 ms.
///
/// Its futures must be polled inside a tokio runtime. The work at the files is done on its blocking pool.
#[derive(Debug)]
pub struct FileResults {
    caps: ResultCaps,
    shared: Arc<Shared>,
    waiters: Arc<Waiters>,
}

impl FileResults {
    /// Does a piece of work at the files on a thread that may block. Dropping the future does not end the work.
    async fn at_files<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.waiters.check_open()?;
        let shared = Arc::clone(&self.shared);
        let done = spawn_blocking(move || work(&mut shared.store())).await;
        done.unwrap_or_else(|error| {
            let kind = if error.is_panic() { ErrorKind::Internal } else { ErrorKind::Unavailable };
            Err(Error::new(kind, "work at the files of results was given up").source(error))
        })
        .map_err(|error| error.operation(operation).broker("file"))
    }

    /// A look for a waiter. Where it `may_skip` and somebody has just been at the files, it looks at what that one found:
    /// many that wait cost no more looks than one.
    async fn look(&self, id: JobId, may_skip: bool) -> Result<Option<Record>> {
        self.at_files("wait", move |store| {
            let fresh = store.read_at().is_some_and(|at| at.elapsed() < LOOK_MIN);
            if may_skip && fresh && store.index.get(id).is_none() {
                return Ok(None);
            }
            store.get(id)
        })
        .await
    }
}

impl ResultStore for FileResults {
    fn caps(&self) -> &ResultCaps {
        &self.caps
    }

    fn put<'a>(&'a self, records: &'a [Record]) -> BoxFuture<'a, Result<Vec<Put>>> {
        Box::pin(async move {
            self.waiters.check_open()?;
            refuse_large(&self.caps, records)?;
            if records.is_empty() {
                return Ok(Vec::new());
            }
            let put = self.shared.put(records.to_vec()).await;
            put.map_err(|error| error.operation("put").broker("file"))
        })
    }

    fn get(&self, id: JobId) -> BoxFuture<'_, Result<Option<Record>>> {
        Box::pin(self.at_files("get", move |store| store.get(id)))
    }

    fn wait(&self, id: JobId, wait: Duration) -> BoxFuture<'_, Result<Option<Record>>> {
        Box::pin(async move {
            let deadline = clock::after(wait);
            let waiting = self.waiters.enter(id);
            let (mut pause, mut first) = (LOOK_MIN, true);
            loop {
                let rung = waiting.rung();
                let late = clock::now() >= deadline;
                let outcome = self.look(id, !first && !late).await?;
                if outcome.is_some() || late {
                    return Ok(outcome);
                }
                first = false;
                // Whether it was the bell, the pause or the deadline: the next look says.
                drop(timeout_at(clock::after(pause).min(deadline), rung).await);
                pause = (pause * 2).min(LOOK_MAX);
            }
        })
    }

    fn list<'a>(
        &'a self,
        queue: &'a QueueName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<(Vec<Record>, Option<u64>)>> {
        let queue = queue.clone();
        let list = move |store: &mut Store| store.list(queue.as_str(), after, limit.min(1000));
        Box::pin(self.at_files("list", list))
    }

    fn forget(&self, _id: JobId) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            self.waiters.check_open()?;
            Err(Error::new(
                ErrorKind::Unsupported,
                "results in files only grow; move whole files elsewhere to be rid of them",
            )
            .operation("forget")
            .broker("file"))
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.waiters.close();
            // What was accepted is answered before: an append in progress holds the store.
            let shared = Arc::clone(&self.shared);
            drop(spawn_blocking(move || drop(shared.store())).await);
            Ok(())
        })
    }
}
