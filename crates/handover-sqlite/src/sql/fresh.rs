//! Rows on their way into the file: plain sends of one group are stored together, many to a statement, and what is leased in the
//! transaction in which it was sent is written once, as leased.
//!
//! Plain is a message without key, delay and parent and with a small body, in a queue that has room for it and where nobody
//! waits for room: it is ready, whatever else is in the file. Its id is made known at once; its row waits in memory until
//! the commit, or until something asks the file for jobs ([`Tx::write_fresh`]).

use std::sync::Arc;

use handover::JobState;
use rusqlite::ToSql;

use super::Tx;
use super::receive::Handed;
use super::send::Batch;
use super::state::{code, to_sql};
use super::statements::ROWS;

/// A job that is known and counted, and whose row is not in the file yet.
#[derive(Debug)]
pub(super) struct Fresh {
    queue: usize,
    seq: i64,
    batch: Arc<Batch>,
    index: usize,
    token: i64,
    /// When its lease ends, if it was leased.
    leased: Option<i64>,
}

impl Fresh {
    fn is_ready(&self, queue: usize) -> bool {
        self.queue == queue && self.leased.is_none()
    }

    /// By how much the tokens of neighbours differ.
    fn step(&self) -> i64 {
        i64::from(self.leased.is_some())
    }

    /// The next row, which differs by its message alone.
    fn is_before(&self, next: &Self) -> bool {
        self.seq + 1 == next.seq
            && self.token + self.step() == next.token
            && self.queue == next.queue
            && self.leased == next.leased
    }
}

impl Tx<'_, '_> {
    /// Stores plain batches for one queue, which fit. False where an id is known already: then nothing was done.
    pub(crate) fn store_plain(
        &mut self,
        queue: usize,
        batches: &[&Arc<Batch>],
    ) -> rusqlite::Result<bool> {
        let before = self.fresh.len();
        let token = -self.rows[queue].first_token();
        for batch in batches {
            for index in 0..batch.parcels.len() {
                let seq = self.next_seq(queue)?;
                let batch = Arc::clone(batch);
                self.fresh.push(Fresh { queue, seq, batch, index, token, leased: None });
            }
        }
        if !self.claim_fresh(before)? {
            self.fresh.truncate(before);
            return Ok(false);
        }
        let count = to_sql(self.fresh.len() - before);
        let row = &mut self.rows[queue];
        row.accepted += count;
        row.enter_many(JobState::Ready, count);
        for one in &self.fresh[before..] {
            row.enter_fresh(one.priority());
        }
        self.ring = true;
        self.promise(queue);
        Ok(true)
    }

    /// Makes the ids of fresh jobs known. False where one is known already.
    fn claim_fresh(&mut self, first: usize) -> rusqlite::Result<bool> {
        let mut claimed = 0;
        for chunk in self.fresh[first..].chunks(ROWS) {
            let queue_id = self.rows[chunk[0].queue].id;
            claimed += if chunk.len() == ROWS {
                let mut values: Vec<&dyn ToSql> = vec![&queue_id, &chunk[0].seq];
                let ids: Vec<&[u8]> = chunk.iter().map(Fresh::id).collect();
                values.extend(ids.iter().map(|id| id as &dyn ToSql));
                self.sql.known_add_rows.execute(values.as_slice())?
            } else {
                let mut added = 0;
                for one in chunk {
                    added += self.sql.known_add.execute((one.id(), queue_id, one.seq))?;
                }
                added
            };
        }
        if claimed == self.fresh.len() - first {
            return Ok(true);
        }
        for one in &self.fresh[first..] {
            self.sql.known_unclaim.execute((one.id(), self.rows[one.queue].id, one.seq))?;
        }
        Ok(false)
    }

    /// Whether every fresh job of a queue has its turn after these, which are the last in the file.
    pub(super) fn fresh_follows(&self, queue: usize, handed: &[Handed]) -> bool {
        match self.rows[queue].fresh {
            (0, _) => true,
            (_, priority) => {
                handed.last().is_none_or(|last| Some(last.priority) >= priority)
                    && priority.is_some()
            }
        }
    }

    /// Takes up to `count` fresh jobs, oldest first. Answers how many bytes they have.
    pub(super) fn pick_fresh(
        &self,
        queue: usize,
        count: usize,
        bytes_max: usize,
        handed: &mut Vec<Handed>,
    ) -> usize {
        let mut bytes = 0;
        let name = &self.rows[queue].name;
        let waiting = self.fresh[self.fresh_left..].iter().filter(|one| one.is_ready(queue));
        for one in waiting.take(count) {
            let size = one.batch.parcels[one.index].body.len();
            if bytes > 0 && bytes + size > bytes_max {
                break;
            }
            bytes += size;
            handed.push(Handed::fresh(name.clone(), one.seq, Arc::clone(&one.batch), one.index));
        }
        bytes
    }

    /// Leases those that were just picked.
    pub(super) fn lease_fresh(&mut self, queue: usize, picked: &[Handed], due: i64) {
        let waiting = self.fresh[self.fresh_left..].iter_mut().filter(|one| one.is_ready(queue));
        for (one, handed) in waiting.zip(picked) {
            debug_assert_eq!(one.seq, handed.seq, "the oldest were picked");
            one.token = handed.token;
            one.leased = Some(due);
        }
        self.rows[queue].fresh.0 -= to_sql(picked.len());
        let leased = self.fresh[self.fresh_left..].iter().take_while(|one| one.leased.is_some());
        self.fresh_left += leased.count();
    }

    /// Writes the rows that wait. To be called before a statement that looks for jobs by anything but a lease.
    pub(super) fn write_fresh(&mut self) -> rusqlite::Result<()> {
        let fresh = std::mem::take(&mut self.fresh);
        self.fresh_left = 0;
        self.rows.iter_mut().for_each(|row| row.fresh = (0, None));
        fresh.chunk_by(Fresh::is_before).try_for_each(|run| self.write_run(run))
    }

    /// Writes neighbours. Where the first of them is the last row of the table, the others need not be told their places: to a
    /// row without one SQLite gives the next.
    fn write_run(&mut self, run: &[Fresh]) -> rusqlite::Result<()> {
        let [first, others @ ..] = run else { return Ok(()) };
        let last: i64 = self.sql.seq_last.query_row([], |row| row.get(0))?;
        let at_end = last < first.seq;
        self.write_row(first)?;
        for rows in others.chunks(ROWS) {
            if at_end && rows.len() == ROWS {
                self.write_rows(rows)?;
            } else {
                rows.iter().try_for_each(|one| self.write_row(one))?;
            }
        }
        Ok(())
    }

    /// Writes as many rows as one statement takes, behind the last row of the table.
    fn write_rows(&mut self, rows: &[Fresh]) -> rusqlite::Result<()> {
        let (shared, first) = (self.shared(&rows[0])?, &rows[0]);
        let mut values: Vec<&dyn ToSql> = Vec::with_capacity(8 + 4 * rows.len());
        values.extend(shared.iter().map(|value| value as &dyn ToSql));
        let step = first.step();
        values.extend([&first.token as &dyn ToSql, &step]);
        let columns: Vec<_> = rows.iter().map(Fresh::columns).collect();
        for (id, priority, headers, body) in &columns {
            values.extend([priority as &dyn ToSql, id, headers, body]);
        }
        self.sql.job_add_rows.execute(values.as_slice())?;
        debug_assert!(
            rows.iter().all(|row| self.sql.job_is.exists((row.seq, row.id())) == Ok(true)),
            "the rows are at their places"
        );
        Ok(())
    }

    fn write_row(&mut self, one: &Fresh) -> rusqlite::Result<()> {
        let [queue, state, due, attempt, owner, sent] = self.shared(one)?;
        let (id, priority, headers, body) = one.columns();
        let key: Option<&str> = None;
        self.sql.job_add.execute(rusqlite::params![
            one.seq, queue, state, priority, due, one.token, owner, sent, id, key, headers, body,
            attempt
        ])?;
        Ok(())
    }

    /// What rows that were sent and leased together have in common: queue, state, due, attempt, owner, sent.
    fn shared(&mut self, one: &Fresh) -> rusqlite::Result<[i64; 6]> {
        let queue = self.rows[one.queue].id;
        let owner = self.owner()?;
        Ok(match one.leased {
            Some(due) => [queue, code(JobState::Leased), due, 1, owner, self.now],
            None => [queue, code(JobState::Ready), self.now, 0, owner, self.now],
        })
    }
}

impl Fresh {
    fn id(&self) -> &[u8] {
        self.batch.parcels[self.index].id.as_bytes()
    }

    fn priority(&self) -> i64 {
        self.batch.parcels[self.index].priority
    }

    fn columns(&self) -> (&[u8], i64, Option<&str>, &[u8]) {
        let parcel = &self.batch.parcels[self.index];
        (self.id(), parcel.priority, parcel.headers.as_deref(), &parcel.body)
    }
}

#[cfg(test)]
mod tests {
    use handover::{Message, Priority, QueueName, QueueSettings, Settle};
    use rusqlite::Connection;

    use super::*;
    use crate::sql::Identity;
    use crate::sql::send::Admission;
    use crate::sql::statements::Statements;

    const LEASE_MS: i64 = 60_000;

    fn queue() -> QueueName {
        "mail".parse().unwrap()
    }

    fn message(text: &str, level: u8) -> Message {
        Message::new(text).with_priority(Priority::new(level).unwrap())
    }

    /// Does this in a transaction on an empty queue, and commits. Answers rows of state, attempt and body.
    fn transact(work: impl FnOnce(&mut Tx<'_, '_>, usize)) -> Vec<(i64, i64, String)> {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&mut connection).unwrap();
        let mut sql = Statements::prepare(&connection).unwrap();
        let mut tx = Tx::begin(&mut sql, Identity::for_test()).unwrap();
        tx.declare(&queue(), &QueueSettings::with_capacity(1000)).unwrap().unwrap();
        let place = tx.queue(&queue()).unwrap().unwrap();
        work(&mut tx, place);
        tx.commit().unwrap();
        let mut rows = connection
            .prepare("SELECT state, attempt, CAST(body AS TEXT) FROM job ORDER BY seq")
            .unwrap();
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        rows.query_map([], read).unwrap().map(Result::unwrap).collect()
    }

    fn plain(messages: &[Message]) -> Arc<Batch> {
        let batch = Batch::new(&queue(), messages, None);
        assert!(batch.plain);
        Arc::new(batch)
    }

    fn bodies(tx: &mut Tx<'_, '_>, max: usize) -> Vec<String> {
        let handed = tx.receive(&[queue()], max, LEASE_MS).unwrap();
        let body = |one: Handed| String::from_utf8(one.delivery().unwrap().message.body).unwrap();
        handed.into_iter().map(body).collect()
    }

    #[test]
    fn what_is_sent_and_leased_in_one_transaction_is_written_once_and_can_be_settled() {
        let texts: Vec<Message> = (0..2 * ROWS + 3).map(|n| message(&n.to_string(), 5)).collect();
        let mut receipts = Vec::new();
        let rows = transact(|tx, place| {
            assert!(tx.store_plain(place, &[&plain(&texts[..20]), &plain(&texts[20..])]).unwrap());
            let handed = tx.receive(&[queue()], ROWS + 2, LEASE_MS).unwrap();
            receipts = handed.iter().map(Handed::receipt).collect();
            assert_eq!(tx.rows[place].count(JobState::Leased), 18);
            tx.write_fresh().unwrap();
            for receipt in receipts.drain(..2) {
                tx.settle(&receipt, &Settle::Done).unwrap().unwrap();
            }
        });
        let expected = (2..texts.len()).map(|n| {
            let leased = i64::from(n < ROWS + 2);
            (leased, leased, n.to_string())
        });
        assert_eq!(rows, expected.collect::<Vec<_>>());
    }

    #[test]
    fn rows_that_wait_keep_their_places_before_one_that_was_written_first() {
        let texts: Vec<Message> = (0..2 * ROWS).map(|n| message(&n.to_string(), 5)).collect();
        let rows = transact(|tx, place| {
            assert!(tx.store_plain(place, &[&plain(&texts)]).unwrap());
            let keyed = Batch::new(&queue(), &[message("last", 5).with_key("k")], None);
            assert!(matches!(tx.send(&keyed, false).unwrap(), Admission::Answer(Ok(_))));
            assert!(
                tx.sql.seq_last.query_row([], |row| row.get::<_, isize>(0)).unwrap()
                    > (2 * ROWS).cast_signed()
            );
        });
        let bodies: Vec<String> = rows.into_iter().map(|(_, _, body)| body).collect();
        let sent = (0..2 * ROWS).map(|n| n.to_string()).chain(["last".to_owned()]);
        assert_eq!(bodies, sent.collect::<Vec<_>>());
    }

    #[test]
    fn the_file_and_what_was_just_sent_are_handed_out_in_one_order() {
        for (stored, sent, expected) in [
            ([5, 5], [5, 5], ["a", "b", "c"]),
            ([9, 5], [5, 5], ["a", "b", "c"]),
            ([5, 5], [9, 9], ["c", "d", "a"]),
            ([5, 1], [3, 3], ["a", "c", "d"]),
            ([1, 1], [1, 9], ["d", "a", "b"]),
        ] {
            transact(|tx, place| {
                let first = [message("a", stored[0]), message("b", stored[1])];
                assert!(tx.store_plain(place, &[&plain(&first)]).unwrap());
                tx.write_fresh().unwrap();
                let then = [message("c", sent[0]), message("d", sent[1])];
                assert!(tx.store_plain(place, &[&plain(&then)]).unwrap());
                assert_eq!(bodies(tx, 3), expected, "{stored:?} {sent:?}");
                assert_eq!(bodies(tx, 3).len(), 1);
            });
        }
    }

    #[test]
    fn where_one_id_is_known_nothing_is_stored_and_each_send_finds_out_by_itself() {
        let rows = transact(|tx, place| {
            let (old, new) = (plain(&[message("old", 5)]), plain(&[message("new", 5)]));
            assert!(tx.store_plain(place, &[&old]).unwrap());
            assert!(!tx.store_plain(place, &[&new, &old]).unwrap());
            assert!(!tx.store_plain(place, &[&new, &new]).unwrap(), "the same one twice");
            let fates = [&new, &old, &new].map(|batch| match tx.send(batch, false).unwrap() {
                Admission::Answer(sent) => sent.unwrap().fates[0],
                Admission::NoRoom(full) => panic!("{full}"),
            });
            use handover::Fate::{Duplicate, Stored};
            assert_eq!(fates, [Stored, Duplicate, Duplicate]);
            assert_eq!(tx.rows[place].accepted, 2);
        });
        assert_eq!(rows, [(0, 0, "old".to_owned()), (0, 0, "new".to_owned())]);
    }
}
