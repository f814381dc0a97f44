//! Opening a file: the options, and the handle that gives out brokers and result stores.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use handover::{
    Attempts, Backend, Bound, Caps, Dedup, Durability, Error, ErrorKind, LeaseKind, Result,
    ResultCaps,
};

use crate::broker::SqliteBroker;
use crate::error::NAME;
use crate::results::SqliteResults;
use crate::shared::Shared;
use crate::writer::op::Side;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Opens the file at `path` with the default options, creating it where it is missing, as broker and result store.
///
/// It reads and may write the file before it returns: a few milliseconds; not for a hot path of async code.
///
/// # Errors
/// `Invalid` for a folder that is missing, a file that is no database or another application's, or one that may not be
/// written; `Unsupported` for a file of a newer handover; `Unavailable` where the disk fails or another process keeps the
/// file busy.
///
/// ```
/// let missing = handover_sqlite::open("/no/such/folder/handover.db").unwrap_err();
/// assert_eq!(missing.kind(), handover::ErrorKind::Invalid);
/// ```
pub fn open(path: impl AsRef<Path>) -> Result<Backend> {
    Ok(SqliteOptions::default().open(path)?.backend())
}

/// How to open a file.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// use handover::Durability;
/// use handover_sqlite::SqliteOptions;
/// let file = SqliteOptions::default()
///     .durability(Durability::Buffered)
///     .open(folder.path().join("fast.db"))?;
/// # handover::Result::Ok(())
/// ```
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    pub(crate) durability: Durability,
    pub(crate) results_keep: Duration,
    pub(crate) owner: Option<String>,
    pub(crate) create: bool,
    pub(crate) busy_wait_max: Duration,
    pub(crate) file_bytes_max: Option<u64>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Synced,
            results_keep: 7 * DAY,
            owner: None,
            create: true,
            busy_wait_max: Duration::from_secs(10),
            file_bytes_max: None,
        }
    }
}

impl SqliteOptions {
    /// What `Ok` is worth in queues that were declared without a durability, and for results: `Synced` where nothing is said.
    /// `Buffered` waits for the operating system and not for the disk; `Process` is kept as `Buffered`.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = crate::sql::state::kept(durability);
        self
    }

    /// How long the results that are stored through this are kept: a week where nothing is said. They are removed while the
    /// file is at work.
    #[must_use]
    pub fn results_keep(mut self, keep: Duration) -> Self {
        self.results_keep = keep;
        self
    }

    /// What this process is called in its leases: `host:pid` where nothing is said.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Whether to create a file that is missing: yes where nothing is said.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// How long an operation waits while other processes keep the file busy, before it is `Unavailable`: 10 seconds where
    /// nothing is said.
    #[must_use]
    pub fn busy_wait_max(mut self, wait: Duration) -> Self {
        self.busy_wait_max = wait;
        self
    }

    /// The size the file may grow to by this process, in bytes: no limit but the disk where nothing is said. Beyond it,
    /// what would make the file grow is `Unavailable`, as on a full disk; only what ends leases may use a sixteenth more, at
    /// most 2048 pages, so that a full file can be emptied. The log beside the file is not counted.
    #[must_use]
    pub fn file_bytes_max(mut self, bytes: u64) -> Self {
        self.file_bytes_max = Some(bytes);
        self
    }

    /// Opens the file and starts its writer thread.
    ///
    /// # Errors
    /// As [`open`], and `Invalid` for an owner that is empty or longer than 200 bytes.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<SqliteFile> {
        const OWNER_BYTES_MAX: usize = 200;
        let opened = match &self.owner {
            Some(owner) if owner.is_empty() || owner.len() > OWNER_BYTES_MAX => {
                Err(Error::new(ErrorKind::Invalid, "an owner's name has 1 to 200 bytes")
                    .fact("owner_bytes", owner.len())
                    .broker(NAME))
            }
            _ => Shared::open(path.as_ref(), self),
        };
        Ok(SqliteFile { shared: opened.map_err(|error| error.operation("open"))? })
    }

    pub(crate) fn owner_label(&self) -> String {
        self.owner.clone().unwrap_or_else(|| format!("{}:{}", host(), std::process::id()))
    }

    pub(crate) fn caps(&self) -> Caps {
        let mut caps = Caps::weakest(NAME);
        caps.durability = self.durability;
        caps.bound = Bound::Exact;
        caps.lease = LeaseKind::Timed { lease_max: DAY / 2 };
        caps.attempts = Attempts::Exact;
        caps.fenced = true;
        caps.delay_max = Some(DAY * 3650);
        caps.dedup = Dedup::WhileStored;
        caps.ordering = handover::Ordering::Fifo;
        caps.priorities = 10;
        caps.keys = true;
        caps.body_bytes_max = 16 * 1024 * 1024;
        caps.batch_max = 1000;
        caps.batch_bytes_max = 64 * 1024 * 1024;
        caps
    }

    pub(crate) fn result_caps(&self) -> ResultCaps {
        ResultCaps::new(NAME, self.durability, 64 * 1024 * 1024, true)
    }
}

/// This machine's name, as far as it can be had without a dependency.
pub(crate) fn host() -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .unwrap_or_default();
    let named = named.trim();
    if !named.is_empty() {
        return named.chars().take(100).collect();
    }
    let named = std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME"));
    named.unwrap_or_else(|_| "localhost".to_owned())
}

/// What the writer of an opened file has done in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Transactions committed.
    pub commits: u64,
    /// Operations done in them.
    pub operations: u64,
    /// Transactions that failed and were rolled back.
    pub failures: u64,
    /// Wake-ups sent to other processes.
    pub rings: u64,
    /// Syncs of the log, for what is promised as `Synced`.
    pub syncs: u64,
}

/// An opened file. Clones, and all brokers and result stores it gives out, share one writer thread, which ends with the
/// last of them.
#[derive(Debug, Clone)]
pub struct SqliteFile {
    pub(crate) shared: Arc<Shared>,
}

impl SqliteFile {
    /// The queues in it.
    #[must_use]
    pub fn broker(&self) -> SqliteBroker {
        self.shared.give_out(Side::Broker);
        SqliteBroker { shared: Arc::clone(&self.shared) }
    }

    /// The results in it.
    #[must_use]
    pub fn results(&self) -> SqliteResults {
        self.shared.give_out(Side::Results);
        SqliteResults { shared: Arc::clone(&self.shared) }
    }

    /// Both.
    #[must_use]
    pub fn backend(&self) -> Backend {
        Backend::new(Arc::new(self.broker()), Arc::new(self.results()))
    }

    /// Its full path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.shared.path.clone()
    }

    /// What its writer has done in this process so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counters = &self.shared.counters;
        Stats {
            commits: counters.commits.load(Ordering::Relaxed),
            operations: counters.operations.load(Ordering::Relaxed),
            failures: counters.failures.load(Ordering::Relaxed),
            rings: counters.rings.load(Ordering::Relaxed),
            syncs: self.shared.log.syncs(),
        }
    }

    /// Closes the file in this process: what was accepted is done, who waits gets `Closed`, the thread ends. Twice is fine.
    ///
    /// # Errors
    /// None today; `Unavailable` is reserved for what could not be brought to rest.
    pub async fn close(&self) -> Result<()> {
        self.shared.stop().await
    }
}
