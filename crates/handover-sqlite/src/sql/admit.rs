//! Whose turn it is: where a job stands when it gets a place, who follows when one gives up its turn, and which parked
//! children come in when there is room.

use handover::JobState;
use rusqlite::{OptionalExtension, params};

use super::Tx;
use super::state::code;

/// The most children that come in within one transaction; the next one goes on.
const ADMIT_MAX: i64 = 10_000;

impl Tx<'_, '_> {
    /// The state of a job that has a place and no owner: held behind its key, delayed until it is due, or ready.
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
        Ok(if due > self.now { JobState::Delayed } else { JobState::Ready })
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
        let state = if due > self.now { JobState::Delayed } else { JobState::Ready };
        self.place(queue, seq, JobState::Held, state, due)
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
            let state = self.standing(queue, key.as_deref(), due)?;
            self.place(queue, seq, JobState::Parked, state, due)?;
        }
        self.ring = true;
        Ok(())
    }
}
