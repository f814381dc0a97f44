//! What all handles of one opened file share: the way to the writer thread, and its end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use handover::{Caps, Error, ErrorKind, QueueName, Result, ResultCaps};
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use tokio::sync::{oneshot, watch};

use crate::connect;
use crate::error::{NAME, closed, from_sqlite};
use crate::file_time::FileTime;
use crate::open::SqliteOptions;
use crate::reader::Reader;
use crate::sql::Identity;
use crate::sql::send::ceil_ms;
use crate::writer::log::Log;
use crate::writer::op::{Inbox, Op, Reply, Side};
use crate::writer::{Post, Writer, mend, no_thread};
use crate::{bell, patience};

/// Operations that wait for the writer. They are taken in the order in which the calls were first polled. A caller that finds
/// no place waits asleep, and one that comes later can be faster: so there are more places than callers at once, as a rule.
const INBOX_OPS_MAX: usize = 16 * 1024;

/// What the writer counts. It writes, anybody reads.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) operations: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) rings: AtomicU64,
    /// Sends of this process that wait for room.
    pub(crate) senders: Mutex<HashMap<QueueName, u64>>,
}

/// Which handles were given out, and which of them were closed.
#[derive(Debug, Default)]
struct Sides {
    broker_open: AtomicBool,
    results_open: AtomicBool,
    broker_closed: AtomicBool,
    results_closed: AtomicBool,
}

pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) caps: Caps,
    pub(crate) result_caps: ResultCaps,
    pub(crate) counters: Arc<Counters>,
    pub(crate) time: FileTime,
    inbox: Arc<Inbox>,
    pub(crate) log: Arc<Log>,
    pub(crate) reader: Reader,
    sides: Sides,
    stopped: watch::Receiver<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Shared {
    /// Opens the file and starts its writer thread.
    pub(crate) fn open(path: &Path, options: &SqliteOptions) -> Result<Arc<Self>> {
        let (connection, time) = connect::writer(path, options)?;
        // The folder of the process may change, and two processes must find the same bell.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let log = Arc::new(Log::open(&path).map_err(|error| no_log(&path, error))?);
        let (sender, ops) = handover_buffer::bounded(INBOX_OPS_MAX);
        let inbox = Arc::new(Inbox::new(sender));
        let counters = Arc::new(Counters::default());
        let who = Identity {
            label: options.owner_label(),
            number: None,
            durability: options.durability,
            time: time.clone(),
            results_keep_ms: ceil_ms(options.results_keep),
            leasing: Arc::default(),
        };
        let post = Post {
            ops,
            inbox: Arc::clone(&inbox),
            counters: Arc::clone(&counters),
            who,
            bell: bell::Bell::new(&path),
            log: Arc::clone(&log),
        };
        let (stop, stopped) = watch::channel(false);
        let thread = start(connection, post, options.busy_wait_max, stop)?;
        Ok(Arc::new(Self {
            reader: Reader::new(&path, options.busy_wait_max),
            path,
            caps: options.caps(),
            result_caps: options.result_caps(),
            counters,
            time,
            inbox,
            log,
            sides: Sides::default(),
            stopped,
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// Marks that a handle of this kind was given out.
    pub(crate) fn give_out(&self, side: Side) {
        self.open_mark(side).store(true, Ordering::Release);
    }

    fn open_mark(&self, side: Side) -> &AtomicBool {
        match side {
            Side::Broker => &self.sides.broker_open,
            Side::Results => &self.sides.results_open,
        }
    }

    fn closed_mark(&self, side: Side) -> &AtomicBool {
        match side {
            Side::Broker => &self.sides.broker_closed,
            Side::Results => &self.sides.results_closed,
        }
    }

    /// Fails once this kind of handle was closed.
    pub(crate) fn check_open(&self, side: Side) -> Result<()> {
        if self.closed_mark(side).load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }

    /// Asks the writer and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        side: Side,
        operation: impl FnOnce(Reply<T>) -> Op,
    ) -> Result<T> {
        self.check_open(side)?;
        let (reply, answer) = oneshot::channel();
        self.inbox.ops.send_async(operation(reply)).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// The same for an operation that may wait in the writer: if the caller gives up, the writer is told.
    pub(crate) async fn ask_patiently<T>(
        &self,
        side: Side,
        operation: impl FnOnce(Reply<T>) -> Op,
    ) -> Result<T> {
        let mut asking = Asking { inbox: &self.inbox, answered: false };
        let answer = self.ask(side, operation).await;
        asking.answered = true;
        answer
    }

    /// Reads on the second connection, beside the writer.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        side: Side,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.check_open(side)?;
        self.reader.read(move |connection| work(connection).map_err(from_sqlite)?).await
    }

    /// Closes one kind of handle. When none is left open, the writer ends.
    pub(crate) async fn close(&self, side: Side) -> Result<()> {
        let first = !self.closed_mark(side).swap(true, Ordering::AcqRel);
        let other = match side {
            Side::Broker => Side::Results,
            Side::Results => Side::Broker,
        };
        let other_lives = self.open_mark(other).load(Ordering::Acquire)
            && !self.closed_mark(other).load(Ordering::Acquire);
        if !other_lives {
            return self.stop().await;
        }
        if first {
            let (reply, answer) = oneshot::channel();
            if self.inbox.ops.send_async(Op::Hush(side, reply)).await.is_ok() {
                _ = answer.await; // a writer that has ended has told its callers
            }
        }
        Ok(())
    }

    /// Ends the writer: what was accepted is done, who waits is told, the file is closed.
    pub(crate) async fn stop(&self) -> Result<()> {
        for side in [Side::Broker, Side::Results] {
            self.closed_mark(side).store(true, Ordering::Release);
        }
        self.reader.stop().await;
        self.inbox.ops.close();
        let mut stopped = self.stopped.clone();
        _ = stopped.wait_for(|stopped| *stopped).await; // an error means that the thread is gone
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the writer of the database file panicked");
        }
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The thread finds the buffer closed and ends by itself; whoever drops a handle does not wait for the disk.
        self.inbox.ops.close();
    }
}

/// A call that may wait. Dropped before its answer, it tells the writer to look who gave up.
struct Asking<'a> {
    inbox: &'a Inbox,
    answered: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.inbox.nudge();
        }
    }
}

/// Starts the writer thread, and waits until it has prepared its statements.
fn start(
    mut connection: rusqlite::Connection,
    post: Post,
    busy_wait_max: std::time::Duration,
    stop: watch::Sender<bool>,
) -> Result<JoinHandle<()>> {
    let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
    let (log, log_at_end) = (Arc::clone(&post.log), Arc::clone(&post.log));
    let count = move |_: &mut Wal, pages| {
        log.has_pages(pages);
        Ok(())
    };
    connection.wal_hook(Some(count)).map_err(from_sqlite)?;
    let work = move || {
        patience::limit(busy_wait_max);
        match Writer::new(&connection, post) {
            Ok(writer) => {
                _ = ready.send(Ok(())); // the opener waits for it
                writer.run();
            }
            Err(error) => _ = ready.send(Err(from_sqlite(error))),
        }
        close_file(connection, &log_at_end);
        _ = stop.send(true); // nobody waits for the end of a file whose handles were dropped
    };
    let thread = std::thread::Builder::new()
        .name("handover-sqlite".into())
        .spawn(work)
        .map_err(no_thread)?;
    is_ready.recv().unwrap_or_else(|_| Err(closed()))?;
    Ok(thread)
}

fn no_log(path: &Path, error: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the log of the database file cannot be opened; look at the cause",
    )
    .fact("path", path.display())
    .broker(NAME)
    .source(error)
}

/// Copies the log back as far as readers allow. The last connection of all processes removes it.
fn close_file(connection: rusqlite::Connection, log: &Log) {
    // Who only looked has not mended what was in the log at the start. Where that is little, it is done now.
    if log.is_distrusted() && !log.has_failed() && log.is_short() {
        _ = mend_log(&connection, log); // told below
    }
    let copied = !log.is_distrusted()
        && connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .inspect_err(|error| {
                tracing::warn!(%error, "the log could not be copied back");
                log.distrust();
            })
            .is_ok();
    if !copied {
        leave_log(&connection, log);
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database file could not be closed in order");
    }
}

/// Leaves a log that is distrusted. SQLite is not to copy it back by itself when the connection is closed: a log with a hole
/// must not be, and nobody would hear that the disk failed again. After the disk failed for us, the log is left as it should
/// be, for others may build on it; where we only looked, the next one to write does that.
fn leave_log(connection: &rusqlite::Connection, log: &Log) {
    let kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    if !log.has_failed() {
        return;
    }
    let mended = kept.map_err(|error| error.to_string()).and_then(|_| mend_log(connection, log));
    match mended {
        Ok(()) => tracing::info!("the next one to open the file copies the log back"),
        Err(error) => tracing::error!(
            error,
            "the disk failed, and what was not answered as synced may be missing after a power failure"
        ),
    }
}

fn mend_log(connection: &rusqlite::Connection, log: &Log) -> std::result::Result<(), String> {
    let written = mend::write_over(connection, log).map_err(|error| error.to_string())?;
    written.and_then(|()| log.sync_over()).map_err(|error| error.to_string())
}
