//! A queue's row: loaded once in a transaction, counted in memory, written once.

use std::time::Duration;

use handover::{Durability, Error, ErrorKind, JobState, QueueName, QueueSettings};
use rusqlite::{OptionalExtension, params};

use super::receive::TOKENS_SKIPPED;
use super::state::{code, from_sql, level, level_code, to_sql};
use super::sweep::{FORGET_MAX, ID_BYTES};
use super::{FAR_MS, Outcome, Tx};
use crate::error::NAME;

/// A queue as it is in the transaction under way.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) name: QueueName,
    pub(crate) capacity: i64,
    pub(crate) overdraft: i64,
    pub(crate) exclusive: bool,
    pub(crate) durability: Option<Durability>,
    pub(crate) remember_ms: i64,
    pub(crate) paused: bool,
    /// By the number of the state.
    counts: [i64; 6],
    pub(crate) depth_max: i64,
    pub(crate) accepted: i64,
    pub(crate) done: i64,
    pub(crate) last_seq: i64,
    pub(crate) last_token: i64,
    /// What `last_token` was in the last commit that was to be synced. The sync comes after it and can fail.
    pub(crate) token_synced: i64,
    /// To be written at the end.
    pub(crate) dirty: bool,
    /// What time moves was moved in this transaction.
    pub(crate) swept: bool,
    /// Ids of jobs done in this transaction, 16 bytes each.
    pub(crate) done_ids: Vec<u8>,
    /// How many ready jobs have no row in the file yet, and their priority where it is the same for all.
    pub(super) fresh: (i64, Option<i64>),
}

impl Row {
    /// Reads a row of `QUEUE_COLUMNS`.
    pub(crate) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let name: String = row.get(1)?;
        let name = QueueName::new(&name).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, error.into())
        })?;
        let mut counts = [0; 6];
        for (index, count) in counts.iter_mut().enumerate() {
            *count = row.get(8 + index)?;
        }
        Ok(Self {
            id: row.get(0)?,
            name,
            capacity: row.get(2)?,
            overdraft: row.get(3)?,
            exclusive: row.get(4)?,
            durability: row.get::<_, Option<i64>>(5)?.map(level),
            remember_ms: row.get(6)?,
            paused: row.get(7)?,
            counts,
            depth_max: row.get(14)?,
            accepted: row.get(15)?,
            done: row.get(16)?,
            last_seq: row.get(17)?,
            last_token: row.get(18)?,
            token_synced: row.get(19)?,
            dirty: false,
            swept: false,
            done_ids: Vec::new(),
            fresh: (0, None),
        })
    }

    pub(crate) fn count(&self, state: JobState) -> i64 {
        self.counts[index(state)]
    }

    /// The unsettled jobs that the bound counts.
    pub(crate) fn depth(&self) -> i64 {
        [JobState::Ready, JobState::Delayed, JobState::Held, JobState::Leased]
            .into_iter()
            .map(|state| self.count(state))
            .sum()
    }

    /// How many more jobs fit. None while children wait: the next places are theirs.
    pub(crate) fn room(&self) -> i64 {
        if self.count(JobState::Parked) > 0 { 0 } else { self.places() }
    }

    /// How many places are free, whoever they are for.
    pub(crate) fn places(&self) -> i64 {
        std::cmp::max(self.capacity - self.depth(), 0)
    }

    /// Whether a receiver would get something, before time moves anything.
    pub(crate) fn hands_out(&self) -> bool {
        let taken = self.exclusive && self.count(JobState::Leased) > 0;
        !self.paused && !taken && self.count(JobState::Ready) > 0
    }

    /// Whether it has jobs that time moves.
    pub(crate) fn has_clockwork(&self) -> bool {
        self.count(JobState::Leased) + self.count(JobState::Delayed) > 0
    }

    /// Counts one job into a state.
    pub(crate) fn enter(&mut self, state: JobState) {
        self.enter_many(state, 1);
    }

    /// Counts jobs into a state.
    pub(super) fn enter_many(&mut self, state: JobState, count: i64) {
        self.counts[index(state)] += count;
        self.depth_max = std::cmp::max(self.depth_max, self.depth());
        self.dirty = true;
    }

    /// Counts one ready job that has no row yet.
    pub(super) fn enter_fresh(&mut self, priority: i64) {
        let (count, common) = &mut self.fresh;
        *common = if *count == 0 { Some(priority) } else { common.filter(|one| *one == priority) };
        *count += 1;
    }

    /// About what the first token of a job will be that is sent now, if a process that is new leases it.
    pub(super) fn first_token(&self) -> i64 {
        self.last_token + TOKENS_SKIPPED
    }

    /// Counts one job out of a state.
    pub(crate) fn leave(&mut self, state: JobState) {
        self.counts[index(state)] -= 1;
        debug_assert!(self.count(state) >= 0, "more jobs left {state} than were in it");
        self.dirty = true;
    }

    pub(crate) fn settings(&self) -> QueueSettings {
        let mut settings = QueueSettings::with_capacity(from_sql(self.capacity));
        settings.overdraft = from_sql(self.overdraft);
        settings.exclusive = self.exclusive;
        settings.durability = self.durability;
        settings.remember = Duration::from_millis(from_sql(self.remember_ms));
        settings
    }
}

fn index(state: JobState) -> usize {
    usize::try_from(code(state)).unwrap_or(0)
}

/// There is no such queue.
pub(crate) fn undeclared(name: &QueueName) -> Error {
    Error::new(ErrorKind::Invalid, "there is no such queue; declare it first, with a capacity")
        .fact("queue", name)
        .broker(NAME)
}

impl Tx<'_, '_> {
    /// The place of a queue among the rows of this transaction; `None` where it was never declared.
    pub(crate) fn queue(&mut self, name: &QueueName) -> rusqlite::Result<Option<usize>> {
        if let Some(known) = self.by_name.get(name) {
            return Ok(*known);
        }
        let row = self.sql.queue_by_name.query_row([name.as_str()], Row::read).optional()?;
        let place = row.map(|row| {
            self.rows.push(row);
            self.rows.len() - 1
        });
        self.by_name.insert(name.clone(), place);
        Ok(place)
    }

    /// The same by the queue's number in the file.
    pub(crate) fn queue_numbered(&mut self, id: i64) -> rusqlite::Result<Option<usize>> {
        if let Some(place) = self.rows.iter().position(|row| row.id == id) {
            return Ok(Some(place));
        }
        let name: Option<String> =
            self.sql.queue_name.query_row([id], |row| row.get(0)).optional()?;
        match name.and_then(|name| QueueName::new(name).ok()) {
            Some(name) => self.queue(&name),
            None => Ok(None),
        }
    }

    pub(crate) fn row(&self, queue: usize) -> &Row {
        &self.rows[queue]
    }

    pub(crate) fn row_mut(&mut self, queue: usize) -> &mut Row {
        &mut self.rows[queue]
    }

    /// The queues whose jobs moved in this transaction.
    pub(crate) fn moved(&self) -> Vec<QueueName> {
        self.rows.iter().filter(|row| row.dirty).map(|row| row.name.clone()).collect()
    }

    /// Creates a queue or changes its settings.
    pub(crate) fn declare(&mut self, name: &QueueName, settings: &QueueSettings) -> Outcome<()> {
        let remember_ms = std::cmp::min(to_sql(settings.remember.as_millis()), FAR_MS);
        let (capacity, overdraft) = (to_sql(settings.capacity), to_sql(settings.overdraft));
        self.level = std::cmp::max(self.level, self.who.durability);
        let Some(queue) = self.queue(name)? else {
            let durability = settings.durability.map(level_code);
            self.sql.queue_add.execute(params![
                name.as_str(),
                capacity,
                overdraft,
                settings.exclusive,
                durability,
                remember_ms
            ])?;
            self.by_name.remove(name);
            self.ring = true;
            if let Some(queue) = self.queue(name)? {
                self.rows[queue].dirty = true;
            }
            return Ok(Ok(()));
        };
        let row = &mut self.rows[queue];
        let before = row.clone();
        row.capacity = capacity;
        row.overdraft = overdraft;
        row.exclusive = settings.exclusive;
        row.durability = settings.durability;
        row.remember_ms = remember_ms;
        if before.settings() != row.settings() {
            self.change(queue)?;
        }
        Ok(Ok(()))
    }

    /// Stops or goes on handing out.
    pub(crate) fn pause(&mut self, name: &QueueName, paused: bool) -> Outcome<()> {
        let Some(queue) = self.queue(name)? else { return Ok(Err(undeclared(name))) };
        self.promise(queue); // also where there is nothing to do: another process may have done it, and not synced it yet
        if self.rows[queue].paused != paused {
            self.rows[queue].paused = paused;
            self.change(queue)?;
        }
        Ok(Ok(()))
    }

    fn change(&mut self, queue: usize) -> rusqlite::Result<()> {
        let row = &mut self.rows[queue];
        row.dirty = true;
        self.ring = true;
        self.sql.queue_change.execute(params![
            row.id,
            row.capacity,
            row.overdraft,
            row.exclusive,
            row.durability.map(level_code),
            row.remember_ms,
            row.paused
        ])?;
        Ok(())
    }

    /// Writes what was counted.
    pub(super) fn save_rows(&mut self) -> rusqlite::Result<()> {
        let synced = self.level == Durability::Synced;
        for row in self.rows.iter_mut().filter(|row| row.dirty) {
            if synced {
                row.token_synced = row.last_token;
            }
            let [ready, leased, delayed, held, parked, buried] = row.counts;
            self.sql.queue_count.execute(params![
                row.id,
                ready,
                leased,
                delayed,
                held,
                parked,
                buried,
                row.depth_max,
                row.accepted,
                row.done,
                row.last_seq,
                row.last_token,
                row.token_synced,
                self.now
            ])?;
            // In pieces, each of which can be forgotten by itself. Each job done has a number, and a piece has one of its own.
            let until = self.now + row.remember_ms;
            for (n, ids) in (0..row.done).rev().zip(row.done_ids.chunks(FORGET_MAX * ID_BYTES)) {
                self.sql.forget_add.execute(params![until, row.id, n, ids])?;
            }
        }
        Ok(())
    }
}
