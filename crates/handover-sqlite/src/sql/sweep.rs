//! What time moves: delayed jobs that are due, leases that ran out, ids and results to forget.

use handover::JobState;
use rusqlite::{OptionalExtension, params};

use super::Tx;
use super::state::{state, to_sql};

/// The most jobs moved within one transaction; the next one goes on.
const SWEEP_MAX: i64 = 5000;
/// The most ids and results forgotten within one transaction.
pub(super) const FORGET_MAX: usize = 2000;
/// An id in a row of the table forget.
pub(super) const ID_BYTES: usize = 16;

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
        let next_ids = self.forget_ids()?;
        let next_result = self.forget_results()?;
        Ok([next_ids, next_result].into_iter().flatten().min())
    }

    /// Before a send calls an id of a done job known: forgets a piece of what is due, once in a transaction. What is due
    /// beyond that piece is remembered a little longer.
    pub(super) fn forget_first(&mut self) -> rusqlite::Result<()> {
        if !std::mem::replace(&mut self.forgot, true) {
            self.forget_ids()?;
        }
        Ok(())
    }

    /// Forgets ids that are due: a bounded piece. Answers when the next one is due.
    fn forget_ids(&mut self) -> rusqlite::Result<Option<i64>> {
        let mut forgotten = 0;
        loop {
            // The ids themselves are many pages, and are read only once they are due.
            let next: Option<[i64; 3]> = self
                .sql
                .forget_next
                .query_row([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))
                .optional()?;
            let Some(place @ [until, ..]) = next else { return Ok(None) };
            if until > self.now || forgotten >= FORGET_MAX {
                return Ok(Some(until));
            }
            let ids: Vec<u8> = self.sql.forget_ids.query_row(place, |row| row.get(0))?;
            for id in ids.chunks(ID_BYTES) {
                self.sql.known_drop.execute([id])?;
                forgotten += 1;
            }
            self.sql.forget_drop.execute(place)?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use handover::{Message, QueueName, QueueSettings, Settle};
    use rusqlite::Connection;

    use super::*;
    use crate::sql::Identity;
    use crate::sql::send::{Admission, Batch};
    use crate::sql::statements::Statements;

    const JOBS: usize = 2 * FORGET_MAX + 500;

    /// Sends these again. How many were taken for new.
    fn stored_again(tx: &mut Tx<'_, '_>, queue: &QueueName, messages: &[Message]) -> usize {
        let Admission::Answer(sent) = tx.send(&Batch::new(queue, messages, None), false).unwrap()
        else {
            panic!("there is room")
        };
        sent.unwrap().fates.iter().filter(|fate| **fate == handover::Fate::Stored).count()
    }

    #[test]
    fn a_send_of_remembered_ids_forgets_a_bounded_piece_and_only_what_is_due() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&mut connection).unwrap();
        let mut sql = Statements::prepare(&connection).unwrap();
        let queue: QueueName = "mail".parse().unwrap();
        let mut settings = QueueSettings::with_capacity(10_000);
        settings.remember = Duration::from_secs(60);
        let messages: Vec<Message> = (0..JOBS).map(|_| Message::new("")).collect();
        let mut tx = Tx::begin(&mut sql, Identity::for_test()).unwrap();
        tx.declare(&queue, &settings).unwrap().unwrap();
        assert_eq!(stored_again(&mut tx, &queue, &messages), JOBS);
        let handed = tx.receive(std::slice::from_ref(&queue), JOBS, 1000).unwrap();
        let done: Vec<_> = handed.iter().map(|one| (one.receipt(), Settle::Done)).collect();
        tx.settle_batch(&done).unwrap().into_iter().for_each(|answer| answer.unwrap());
        let done_at = tx.now;
        let who = tx.commit().unwrap().who;
        let rows = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, isize>(0)).unwrap();
        assert_eq!(rows("SELECT count(*) FROM forget"), 3);
        assert_eq!(rows("SELECT sum(length(ids)) FROM forget"), (JOBS * ID_BYTES).cast_signed());

        let mut tx = Tx::begin(&mut sql, who).unwrap();
        assert_eq!(stored_again(&mut tx, &queue, &messages), 0);
        tx.now = done_at + 60_000;
        assert_eq!(stored_again(&mut tx, &queue, &messages), 0, "it asked once, before");
        tx.forgot = false;
        let due = [messages[0].clone(), messages[JOBS - 1].clone()];
        let new = stored_again(&mut tx, &queue, &due);
        assert_eq!(new, 1, "as many as are forgotten at once");
        tx.commit().unwrap();
        assert_eq!(rows("SELECT count(*) FROM forget"), 1);
    }
}
