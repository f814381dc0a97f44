//! What time moves: delayed jobs that are due, leases that ran out, ids and results to forget.

use handover::JobState;
use rusqlite::{OptionalExtension, params};

use super::Tx;
use super::state::{state, to_sql};

/// The most jobs moved within one transaction; the next one goes on.
const SWEEP_MAX: i64 = 5000;
/// The most ids and results forgotten within one transaction.
const FORGET_MAX: usize = 2000;

impl Tx<'_, '_> {
    /// Moves the jobs of a queue whose time has come. Once in a transaction is enough: its clock stands still.
    pub(crate) fn sweep(&mut self, queue: usize) -> rusqlite::Result<()> {
        let row = &mut self.rows[queue];
        if std::mem::replace(&mut row.swept, true) {
            return Ok(());
        }
        if !row.has_clockwork() {
            return Ok(());
        }
        let due: Vec<(i64, i64, i64, Option<String>)> = self
            .sql
            .due_list
            .query_map(params![row.id, self.now, SWEEP_MAX], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        self.again |= to_sql(due.len()) >= SWEEP_MAX;
        for (seq, code, due, key) in due {
            if state(code) == Some(JobState::Leased) {
                self.sql.job_ran_out.execute([seq])?;
                let row = &mut self.rows[queue];
                row.leave(JobState::Leased);
                row.enter(JobState::Ready);
                self.yield_turn(queue, (seq, JobState::Ready, due), key.as_deref())?;
            } else {
                self.place(queue, seq, JobState::Delayed, JobState::Ready, due)?;
            }
            self.ring = true;
        }
        Ok(())
    }

    /// Forgets what was remembered long enough: a bounded piece of work. Answers when there is more to do, if ever.
    pub(crate) fn forget(&mut self) -> rusqlite::Result<Option<i64>> {
        let next_ids = self.forget_ids(FORGET_MAX)?;
        let next_result = self.forget_results()?;
        Ok([next_ids, next_result].into_iter().flatten().min())
    }

    /// Forgets ids that are due, until `max` are forgotten. Answers when the next one is due.
    pub(super) fn forget_ids(&mut self, max: usize) -> rusqlite::Result<Option<i64>> {
        let mut forgotten = 0;
        loop {
            let next: Option<(i64, i64, i64, Vec<u8>)> = self
                .sql
                .forget_next
                .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                .optional()?;
            let Some((until, queue, n, ids)) = next else { return Ok(None) };
            if until > self.now || forgotten >= max {
                return Ok(Some(until));
            }
            for id in ids.chunks(16) {
                self.sql.known_drop.execute([id])?;
                forgotten += 1;
            }
            self.sql.forget_drop.execute([until, queue, n])?;
        }
    }

    fn forget_results(&mut self) -> rusqlite::Result<Option<i64>> {
        for forgotten in 0.. {
            let next: Option<(i64, i64)> = self
                .sql
                .result_next
                .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((n, until)) = next else { break };
            if until > self.now || forgotten >= FORGET_MAX {
                return Ok(Some(until));
            }
            self.sql.result_expire.execute([n])?;
        }
        Ok(None)
    }
}
