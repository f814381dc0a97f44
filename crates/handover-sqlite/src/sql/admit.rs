//! Whose turn it is: where a job stands when it gets a place, who follows when one gives up its turn, and which parked
//! children come in when there is room.

use handover::JobState;
use rusqlite::{OptionalExtension, params};

use super::Tx;
use super::state::{code, state};

/// The most children that come in within one transaction; the next one goes on.
const ADMIT_MAX: i64 = 10_000;

impl Tx<'_, '_> {
    /// The state of a job that was just sent: held behind its key, delayed until it is due, or ready.
    pub(super) fn standing(
        &mut self,
        queue: usize,
        key: Option<&str>,
        due: i64,
    ) -> rusqlite::Result<JobState> {
        if let Some(key) = key
            && self.sql.key_active.exists(params![self.rows[queue].id, key])?
        {
            return Ok(JobState::Held);
        }
        Ok(self.timely(due))
    }

    fn timely(&self, due: i64) -> JobState {
        if due > self.now { JobState::Delayed } else { JobState::Ready }
    }

    /// The same for a job that comes back to an old place: one with its key that was sent later and that nobody has makes way.
    pub(super) fn standing_again(
        &mut self,
        queue: usize,
        seq: i64,
        key: Option<&str>,
        due: i64,
    ) -> rusqlite::Result<JobState> {
        let Some(key) = key else { return Ok(self.timely(due)) };
        let front: Option<(i64, i64, i64)> = self
            .sql
            .key_front
            .query_row(params![self.rows[queue].id, key], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((other, code, other_due)) = front else { return Ok(self.timely(due)) };
        match state(code) {
            Some(from @ (JobState::Ready | JobState::Delayed)) if other > seq => {
                self.place(queue, other, from, JobState::Held, other_due)?;
                Ok(self.timely(due))
            }
            _ => Ok(JobState::Held),
        }
    }

    /// After the owner of a job with a key gave it back, in `from`: one that was sent earlier, and was held because of that
    /// owner, has its turn now.
    pub(super) fn yield_turn(
        &mut self,
        queue: usize,
        (seq, from, due): (i64, JobState, i64),
        key: Option<&str>,
    ) -> rusqlite::Result<()> {
        let Some(key) = key else { return Ok(()) };
        let next: Option<i64> = self
            .sql
            .key_next
            .query_row(params![self.rows[queue].id, key], |row| row.get(0))
            .optional()?;
        if next.is_some_and(|next| next < seq) {
            self.place(queue, seq, from, JobState::Held, due)?;
            self.pass_turn(queue, Some(key))?;
        }
        Ok(())
    }

    /// Gives a job this state and due time.
    pub(super) fn place(
        &mut self,
        queue: usize,
        seq: i64,
        from: JobState,
        to: JobState,
        due: i64,
    ) -> rusqlite::Result<()> {
        self.sql.job_place.execute(params![seq, code(to), due])?;
        let row = &mut self.rows[queue];
        row.leave(from);
        row.enter(to);
        Ok(())
    }

    /// After the job in front of a key left for good: the next one with this key has its turn.
    pub(super) fn pass_turn(&mut self, queue: usize, key: Option<&str>) -> rusqlite::Result<()> {
        let Some(key) = key else { return Ok(()) };
        let next: Option<(i64, i64)> = self
            .sql
            .key_next
            .query_row(params![self.rows[queue].id, key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((seq, due)) = next else { return Ok(()) };
        self.place(queue, seq, JobState::Held, self.timely(due), due)
    }

    /// Lets parked children in while there is room.
    pub(crate) fn admit_parked(&mut self, queue: usize) -> rusqlite::Result<()> {
        let row = &self.rows[queue];
        let places = std::cmp::min(row.places(), row.count(JobState::Parked));
        if places == 0 {
            return Ok(());
        }
        let children: Vec<(i64, i64, Option<String>)> = self
            .sql
            .parked_list
            .query_map(params![row.id, std::cmp::min(places, ADMIT_MAX)], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        self.again |= places > ADMIT_MAX;
        for (seq, due, key) in children {
            let state = self.standing_again(queue, seq, key.as_deref(), due)?;
            self.place(queue, seq, JobState::Parked, state, due)?;
        }
        self.ring = true;
        Ok(())
    }
}
