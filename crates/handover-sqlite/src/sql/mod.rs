//! What happens inside one transaction of the writer: one file for each kind of work.
//!
//! In reading order: `statements.rs` (every statement), `queue.rs` (settings and counters), `send.rs`, `fresh.rs`
//! (many sends at once), `receive.rs`, `settle.rs`, `admit.rs` (whose turn it is), `sweep.rs` (what time moves), `steer.rs`, `results.rs`, `state.rs` (numbers in
//! the file). What does not live here: which operations share a transaction, and who waits; that is in `writer/`.
//!
//! Two results are told apart by type everywhere. The outer one, `rusqlite::Result`, says that the file failed: the
//! transaction is rolled back, and with it everybody's work. The inner one is the answer to one caller (`Full`,
//! `LeaseLost`); it is found before anything is written for that caller, so nothing has to be taken back.

pub(crate) mod admit;
mod fresh;
pub(crate) mod queue;
pub(crate) mod receive;
pub(crate) mod results;
pub(crate) mod send;
pub(crate) mod settle;
pub(crate) mod state;
pub(crate) mod statements;
pub(crate) mod steer;
pub(crate) mod sweep;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use handover::{Durability, JobId, QueueName};
use rusqlite::OptionalExtension;

use self::fresh::Fresh;
use self::queue::Row;
use self::statements::Statements;
use crate::file_time::FileTime;
use crate::schema;

/// A time far enough: no delay, lease or memory ends later than a hundred years from now.
const FAR_MS: i64 = 100 * 365 * 24 * 60 * 60 * 1000;

/// What the file failed with, or the answer to a caller.
pub(crate) type Outcome<T> = rusqlite::Result<handover::Result<T>>;

/// Who writes: what this process is called in leases, and its number in the file once it has one.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) label: String,
    pub(crate) number: Option<i64>,
    /// What `Ok` is worth in queues that say nothing.
    pub(crate) durability: Durability,
    /// The time that is written into the file.
    pub(crate) time: FileTime,
    /// How long results are kept.
    pub(crate) results_keep_ms: i64,
    /// The queues, by number, in which this process has given a lease.
    pub(crate) leasing: Arc<HashSet<i64>>,
}

#[cfg(test)]
impl Identity {
    /// A process that has done nothing yet.
    pub(crate) fn for_test() -> Self {
        Self {
            label: "test".to_owned(),
            number: None,
            durability: Durability::Buffered,
            time: FileTime::WALL,
            results_keep_ms: 0,
            leasing: Arc::default(),
        }
    }
}

/// A transaction of the writer that is under way. Dropped without [`Tx::commit`], it is rolled back by the caller.
pub(crate) struct Tx<'t, 'c> {
    pub(crate) sql: &'t mut Statements<'c>,
    /// Read once, after the lock was had: everything in one transaction happens at one moment.
    pub(crate) now: i64,
    pub(crate) who: Identity,
    rows: Vec<Row>,
    by_name: HashMap<QueueName, Option<usize>>,
    last_seq: Option<i64>,
    /// Jobs whose rows are still to be written.
    fresh: Vec<Fresh>,
    /// Those before it are leased.
    fresh_left: usize,
    /// The firmest level that anything stored here was promised.
    pub(crate) level: Durability,
    /// Something changed that another process could wait for.
    pub(crate) ring: bool,
    /// Some chore is not finished: come again soon.
    pub(crate) again: bool,
    /// Jobs whose outcome was stored.
    pub(crate) outcomes: Vec<JobId>,
    /// Ids that were due to be forgotten were forgotten.
    forgot: bool,
}

impl<'t, 'c> Tx<'t, 'c> {
    /// Begins: takes the write lock of the file, waiting for it as long as `patience` allows.
    pub(crate) fn begin(sql: &'t mut Statements<'c>, who: Identity) -> rusqlite::Result<Self> {
        sql.begin.execute([])?;
        who.time.follow(|| sql.time_ahead.query_row([], |row| row.get(0)))?;
        let now = who.time.now_ms();
        Ok(Self {
            sql,
            now,
            who,
            rows: Vec::new(),
            by_name: HashMap::new(),
            last_seq: None,
            fresh: Vec::new(),
            fresh_left: 0,
            level: Durability::Process,
            ring: false,
            again: false,
            outcomes: Vec::new(),
            forgot: false,
        })
    }

    /// Whether another process brought the file to a newer format while we had it open.
    pub(crate) fn is_outdated(&mut self) -> rusqlite::Result<bool> {
        let version: i64 = self.sql.version.query_row([], |row| row.get(0))?;
        Ok(version > schema::VERSION)
    }

    /// Writes the counters and what is to be forgotten, and commits. Answers who we are by now.
    pub(crate) fn commit(mut self) -> rusqlite::Result<Committed> {
        self.write_fresh()?;
        self.save_rows()?;
        self.sql.commit.execute([])?;
        let queues = self
            .rows
            .iter()
            .map(|row| Seen { name: row.name.clone(), changed: row.dirty })
            .collect();
        let forget_at = self
            .rows
            .iter()
            .filter(|row| !row.done_ids.is_empty())
            .map(|row| row.remember_ms)
            .chain((!self.outcomes.is_empty()).then_some(self.who.results_keep_ms))
            .min()
            .map(|keep| self.now.saturating_add(keep));
        Ok(Committed {
            forget_at,
            who: self.who,
            queues,
            level: self.level,
            ring: self.ring,
            again: self.again,
            outcomes: self.outcomes,
        })
    }

    /// The moment `wait` from now, never early: the clock shows whole milliseconds that have passed.
    pub(crate) fn after(&self, wait_ms: i64) -> i64 {
        if wait_ms <= 0 { self.now } else { self.now + std::cmp::min(wait_ms, FAR_MS) + 1 }
    }

    /// The number of this process in the table of owners.
    pub(crate) fn owner(&mut self) -> rusqlite::Result<i64> {
        if let Some(number) = self.who.number {
            return Ok(number);
        }
        let label = &self.who.label;
        let found = self.sql.owner_find.query_row([label], |row| row.get(0)).optional()?;
        let number = match found {
            Some(number) => number,
            None => self.sql.owner_add.query_row([label], |row| row.get(0))?,
        };
        self.who.number = Some(number);
        Ok(number)
    }

    /// The place for one more job, above every place that is or was taken in this queue.
    fn next_seq(&mut self, queue: usize) -> rusqlite::Result<i64> {
        let last = match self.last_seq {
            Some(last) => last,
            None => self.sql.seq_last.query_row([], |row| row.get(0))?,
        };
        let row = &mut self.rows[queue];
        let next = std::cmp::max(last, row.last_seq) + 1;
        row.last_seq = next;
        self.last_seq = Some(next);
        Ok(next)
    }

    fn promise(&mut self, queue: usize) -> Durability {
        let level = self.level_of(&self.rows[queue]);
        self.level = std::cmp::max(self.level, level);
        level
    }

    /// How firmly this queue is kept.
    pub(crate) fn level_in(&mut self, name: &QueueName) -> rusqlite::Result<Durability> {
        let queue = self.queue(name)?;
        Ok(queue.map_or(self.who.durability, |queue| self.level_of(&self.rows[queue])))
    }

    fn level_of(&self, row: &Row) -> Durability {
        state::kept(row.durability.unwrap_or(self.who.durability))
    }
}

/// What a transaction left behind when it was committed.
pub(crate) struct Committed {
    /// When the first of what is remembered from here on is to be forgotten.
    pub(crate) forget_at: Option<i64>,
    pub(crate) who: Identity,
    pub(crate) queues: Vec<Seen>,
    pub(crate) level: Durability,
    pub(crate) ring: bool,
    pub(crate) again: bool,
    pub(crate) outcomes: Vec<JobId>,
}

/// A queue that a transaction looked at.
pub(crate) struct Seen {
    pub(crate) name: QueueName,
    pub(crate) changed: bool,
}

/// The id in a column.
pub(crate) fn job_id(columns: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<JobId> {
    columns.get(index).map(JobId::from_bytes)
}
