//! What a person does to jobs. Long work is done in pieces, each a transaction of its own: see `steer.rs` above.

use handover::{Error, ErrorKind, JobId, JobState, QueueName};
use rusqlite::{OptionalExtension, params};

use super::queue::Row;
use super::state::{code, state, to_sql};
use super::{Outcome, Tx, job_id};
use crate::error::NAME;

/// The most jobs that one transaction kicks or purges.
pub(crate) const PIECE_MAX: u16 = 1000;

/// A stored job, found by its id.
struct Found {
    queue: usize,
    seq: i64,
    state: JobState,
    key: Option<String>,
    apart: bool,
}

impl Tx<'_, '_> {
    fn find(&mut self, id: JobId) -> rusqlite::Result<Option<Found>> {
        let Some((queue_id, seq)) = self.place_of(&id)? else { return Ok(None) };
        self.write_fresh()?;
        if !self.sql.job_is.exists(params![seq, id.as_bytes()])? {
            return Ok(None); // done, and remembered
        }
        let Some(queue) = self.queue_numbered(queue_id)? else { return Ok(None) };
        self.sweep(queue)?;
        let found: Option<(i64, Option<String>, bool)> = self
            .sql
            .job_get
            .query_row([seq], |row| Ok((row.get(2)?, row.get(5)?, row.get(6)?)))
            .optional()?;
        Ok(found.and_then(|(code, key, apart)| {
            Some(Found { queue, seq, state: state(code)?, key, apart })
        }))
    }

    /// There is no such job. Another process may have removed it, and not synced that yet: it is not to come back after this.
    fn gone(&mut self) -> bool {
        self.level = std::cmp::max(self.level, self.who.durability);
        false
    }

    /// Brings up to `max` buried jobs back, oldest first.
    pub(crate) fn kick(&mut self, name: &QueueName, max: u64) -> Outcome<u64> {
        let Some(queue) = self.queue(name)? else { return Ok(Ok(0)) };
        self.promise(queue);
        let row = self.row(queue);
        let wanted = [to_sql(max), row.count(JobState::Buried), PIECE_MAX.into()];
        let wanted = wanted.into_iter().min().unwrap_or(0);
        let count = std::cmp::min(wanted, row.room());
        if wanted > 0 && count == 0 {
            return Ok(Err(no_room(row)));
        }
        let id = row.id;
        let jobs: Vec<(i64, Option<String>)> = self
            .sql
            .buried_list
            .query_map(params![id, count], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (seq, key) in &jobs {
            self.bring_back(queue, *seq, key.as_deref())?;
        }
        Ok(Ok(jobs.len() as u64))
    }

    /// Brings one buried job back, or makes a delayed one due.
    pub(crate) fn kick_job(&mut self, id: JobId) -> Outcome<bool> {
        let Some(found) = self.find(id)? else { return Ok(Ok(self.gone())) };
        self.promise(found.queue);
        match found.state {
            JobState::Buried => {
                if self.row(found.queue).room() == 0 {
                    return Ok(Err(no_room(self.row(found.queue))));
                }
                self.bring_back(found.queue, found.seq, found.key.as_deref())?;
            }
            // It is the first of its key already, or it would be held.
            JobState::Delayed => {
                self.place(found.queue, found.seq, found.state, JobState::Ready, self.now)?;
                self.ring = true;
            }
            _ => return Ok(Ok(false)),
        }
        Ok(Ok(true))
    }

    /// Brings a buried job back to its old place. Its attempts are counted anew, because whoever kicks it wants it tried.
    fn bring_back(&mut self, queue: usize, seq: i64, key: Option<&str>) -> rusqlite::Result<()> {
        let state = self.standing_again(queue, seq, key, self.now)?;
        self.sql.job_kick.execute(params![seq, code(state), self.now])?;
        let row = self.row_mut(queue);
        row.leave(JobState::Buried);
        row.enter(state);
        self.ring = true;
        Ok(())
    }

    /// Buries one job, whatever its state.
    pub(crate) fn cancel(&mut self, id: JobId, reason: &str) -> Outcome<bool> {
        let Some(found) = self.find(id)? else { return Ok(Ok(self.gone())) };
        self.promise(found.queue);
        self.ring = true;
        self.bury(found.queue, found.seq, found.state, reason)?;
        self.give_up_turn(&found)?;
        Ok(Ok(true))
    }

    /// Removes one job that has no owner.
    pub(crate) fn delete(&mut self, id: JobId) -> Outcome<bool> {
        let Some(found) = self.find(id)? else { return Ok(Ok(self.gone())) };
        if found.state == JobState::Leased {
            return Ok(Err(Error::new(
                ErrorKind::Invalid,
                "the job has an owner; cancel it first",
            )
            .fact("id", id)
            .broker(NAME)));
        }
        self.promise(found.queue);
        self.erase(&found, &id)?;
        Ok(Ok(true))
    }

    fn erase(&mut self, found: &Found, id: &JobId) -> rusqlite::Result<()> {
        self.ring = true;
        self.remove(found.seq, found.apart)?;
        self.sql.known_drop.execute([id.as_bytes()])?;
        self.rows[found.queue].leave(found.state);
        self.give_up_turn(found)
    }

    /// Those behind a key follow only when the one in front leaves.
    fn give_up_turn(&mut self, found: &Found) -> rusqlite::Result<()> {
        match found.state {
            JobState::Ready | JobState::Delayed | JobState::Leased => {
                self.pass_turn(found.queue, found.key.as_deref())
            }
            _ => Ok(()),
        }
    }

    /// Removes those of these jobs of a queue that are in this state. Answers how many.
    pub(crate) fn purge(
        &mut self,
        name: &QueueName,
        doomed: JobState,
        places: &[i64],
    ) -> Outcome<u64> {
        let Some(queue) = self.queue(name)? else { return Ok(Ok(0)) };
        self.sweep(queue)?;
        self.write_fresh()?;
        self.promise(queue);
        let mut purged = 0;
        for seq in places {
            purged += u64::from(self.purge_one(queue, *seq, doomed)?);
        }
        Ok(Ok(purged))
    }

    /// Since its place was noted, the job may have moved on, or left its place to a job of another queue.
    fn purge_one(&mut self, queue: usize, seq: i64, doomed: JobState) -> rusqlite::Result<bool> {
        let found: Option<(JobId, i64, i64, Option<String>, bool)> = self
            .sql
            .job_get
            .query_row([seq], |row| {
                Ok((job_id(row, 0)?, row.get(1)?, row.get(2)?, row.get(5)?, row.get(6)?))
            })
            .optional()?;
        let Some((id, queue_id, code, key, apart)) = found else { return Ok(false) };
        if self.row(queue).id != queue_id || state(code) != Some(doomed) {
            return Ok(false);
        }
        self.erase(&Found { queue, seq, state: doomed, key, apart }, &id)?;
        Ok(true)
    }
}

fn no_room(row: &Row) -> Error {
    Error::new(
        ErrorKind::Full,
        "the queue has no room for a job that comes back; try again when some are done",
    )
    .fact("queue", &row.name)
    .fact("capacity", row.capacity)
    .broker(NAME)
}
