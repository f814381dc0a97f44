//! Handing messages out under leases.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use handover::{
    Delivery, Durability, Headers, JobId, JobState, Message, Priority, QueueName, Receipt, Settle,
};
use rusqlite::params;

use super::send::Batch;
use super::state::{from_sql, to_sql};
use super::{Tx, job_id};
use crate::error::damaged;

/// Once the bodies of one answer are this large together, in bytes, no further message is added to it.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A process that begins to lease leaves out this many tokens: more than a power cut can have taken back.
pub(super) const TOKENS_SKIPPED: i64 = 1_000_000;
/// The most tokens given between two commits that were to be synced, give or take one answer. The sync comes after the commit
/// that says so, and can fail: nothing more is given then before the log is mended, but twice as many can be lost. That is
/// half of what a new process leaves out.
const TOKENS_UNSYNCED_MAX: i64 = 250_000;

/// A message that was leased, as it came out of the file. It becomes a [`Delivery`] on the receiver's thread.
#[derive(Debug)]
pub(crate) struct Handed {
    queue: QueueName,
    pub(super) seq: i64,
    id: JobId,
    pub(super) priority: i64,
    attempt: i64,
    pub(super) token: i64,
    age_ms: i64,
    key: Option<String>,
    reason: Option<String>,
    content: Content,
}

/// Where headers and body of a message are. What they share is copied, and its memory given back, on the receiver's thread:
/// the writer's time is everybody's.
#[derive(Debug)]
enum Content {
    /// The place in a batch, of a job that was sent in the same transaction.
    Fresh(Arc<Batch>, usize),
    /// Small bodies of one answer lie in one piece of memory.
    Small {
        headers: Option<String>,
        bodies: Arc<Vec<u8>>,
        place: Range<usize>,
    },
    Large {
        headers: Option<String>,
        body: Vec<u8>,
    },
}

impl Content {
    fn into_parts(self) -> (Option<String>, Vec<u8>) {
        match self {
            Self::Fresh(batch, index) => {
                let parcel = &batch.parcels[index];
                (parcel.headers.clone(), parcel.body.clone())
            }
            Self::Small { headers, bodies, place } => (headers, bodies[place].to_vec()),
            Self::Large { headers, body } => (headers, body),
        }
    }

    fn body_bytes(&self) -> usize {
        match self {
            Self::Fresh(batch, index) => batch.parcels[*index].body.len(),
            Self::Small { place, .. } => place.len(),
            Self::Large { body, .. } => body.len(),
        }
    }
}

impl Handed {
    /// A job that has no row yet.
    pub(super) fn fresh(queue: QueueName, seq: i64, batch: Arc<Batch>, index: usize) -> Self {
        let parcel = &batch.parcels[index];
        Self {
            queue,
            seq,
            id: parcel.id,
            priority: parcel.priority,
            attempt: 0,
            token: 0,
            age_ms: 0,
            key: None,
            reason: None,
            content: Content::Fresh(batch, index),
        }
    }

    pub(crate) fn delivery(self) -> handover::Result<Delivery> {
        let receipt = receipt(self.queue, self.id, self.token, self.seq);
        let (headers, body) = self.content.into_parts();
        let message = message(self.id, self.priority, self.key, headers, body)?;
        let mut delivery = Delivery::new(message, receipt);
        delivery.attempt = u32::try_from(self.attempt).unwrap_or(u32::MAX);
        delivery.age = Duration::from_millis(from_sql(self.age_ms));
        delivery.last_failure = self.reason;
        Ok(delivery)
    }

    /// The size of the body.
    pub(crate) fn bytes(&self) -> usize {
        self.content.body_bytes()
    }

    /// The proof of this lease, to give it back.
    pub(crate) fn receipt(&self) -> Receipt {
        receipt(self.queue.clone(), self.id, self.token, self.seq)
    }
}

/// A receipt. Its handle is the job's place in the file: it saves the way over the id, and is checked against it.
fn receipt(queue: QueueName, id: JobId, token: i64, seq: i64) -> Receipt {
    let mut receipt = Receipt::new(queue, id, from_sql(token));
    receipt.handle = seq.to_string();
    receipt
}

/// A message from its columns.
pub(crate) fn message(
    id: JobId,
    priority: i64,
    key: Option<String>,
    headers: Option<String>,
    body: Vec<u8>,
) -> handover::Result<Message> {
    let headers: Headers = match headers {
        Some(text) => serde_json::from_str(&text)
            .map_err(|error| damaged("the headers of a job").fact("id", id).source(error))?,
        None => Headers::new(),
    };
    let mut message = Message::new(body).with_id(id);
    message.headers = headers;
    message.key = key;
    message.priority = Priority::new(u8::try_from(priority).unwrap_or(Priority::MAX.level()))?;
    Ok(message)
}

impl Tx<'_, '_> {
    /// Whether the queue would hand something out.
    pub(crate) fn has_work(&mut self, name: &QueueName) -> rusqlite::Result<bool> {
        let Some(queue) = self.queue(name)? else { return Ok(false) };
        self.sweep(queue)?;
        Ok(self.row(queue).hands_out())
    }

    /// Leases what can be taken now, from the queue named first on.
    pub(crate) fn receive(
        &mut self,
        queues: &[QueueName],
        max: usize,
        lease_ms: i64,
    ) -> rusqlite::Result<Vec<Handed>> {
        let mut handed = Vec::new();
        let mut bytes = 0;
        for name in queues {
            if handed.len() >= max || bytes >= ANSWER_BYTES_MAX {
                break;
            }
            let Some(queue) = self.queue(name)? else { continue };
            if self.row(queue).paused {
                continue;
            }
            self.sweep(queue)?;
            let row = self.row(queue);
            let mut count = std::cmp::min(to_sql(max - handed.len()), row.count(JobState::Ready));
            if row.exclusive {
                count = if row.count(JobState::Leased) > 0 { 0 } else { std::cmp::min(count, 1) };
            }
            if count > 0 {
                bytes +=
                    self.take(queue, count, lease_ms, ANSWER_BYTES_MAX - bytes, &mut handed)?;
            }
        }
        self.ring |= !handed.is_empty();
        Ok(handed)
    }

    /// Leases up to `count` of the most urgent, oldest ready jobs of a queue. Answers how many bytes they have.
    fn take(
        &mut self,
        queue: usize,
        count: i64,
        lease_ms: i64,
        bytes_max: usize,
        handed: &mut Vec<Handed>,
    ) -> rusqlite::Result<usize> {
        let first = handed.len();
        handed.reserve(usize::try_from(count).unwrap_or(0));
        let (bytes, in_file) = self.choose(queue, count, bytes_max, handed)?;
        self.guard_tokens(queue);
        let (owner, due) = (self.owner()?, self.after(lease_ms));
        let handed = &mut handed[first..];
        let row = &mut self.rows[queue];
        for one in handed.iter_mut() {
            row.last_token += 1;
            row.leave(JobState::Ready);
            row.enter(JobState::Leased);
            one.token = row.last_token;
            one.attempt += 1;
        }
        let (in_file, fresh) = handed.split_at(in_file);
        self.lease_fresh(queue, fresh, due);
        // Neighbours in the table, which is what a queue without priorities hands out, are leased by one statement.
        for run in in_file.chunk_by(|one, next| next.seq == one.seq + 1) {
            if let [one] = run {
                self.sql.job_lease.execute(params![one.seq, due, one.token, owner])?;
            } else if let [one, .., last] = run {
                let offset = one.token - one.seq;
                self.sql.run_lease.execute(params![one.seq, last.seq, due, offset, owner])?;
            }
        }
        Ok(bytes)
    }

    /// Picks what is most urgent and oldest: first from the file, then what was just sent. Answers the bytes, and how many
    /// are in the file.
    fn choose(
        &mut self,
        queue: usize,
        count: i64,
        bytes_max: usize,
        handed: &mut Vec<Handed>,
    ) -> rusqlite::Result<(usize, usize)> {
        let first = handed.len();
        let row = &self.rows[queue];
        let stored = row.count(JobState::Ready) - row.fresh.0;
        let mut bytes = 0;
        if stored > 0 {
            bytes = self.pick(queue, std::cmp::min(count, stored), bytes_max, handed)?;
        }
        if !self.fresh_follows(queue, &handed[first..]) {
            self.write_fresh()?;
            handed.truncate(first);
            bytes = self.pick(queue, count, bytes_max, handed)?;
        }
        let in_file = handed.len() - first;
        if to_sql(in_file) == stored && bytes < bytes_max {
            let left = usize::try_from(count).unwrap_or(usize::MAX) - in_file;
            bytes += self.pick_fresh(queue, left, bytes_max - bytes, handed);
        }
        Ok((bytes, in_file))
    }

    /// Keeps a token from being given twice, without a sync for each lease. After a power cut the file may show an older
    /// `last_token`; but every process is new then, so its first lease leaves out all that can have been lost.
    fn guard_tokens(&mut self, queue: usize) {
        let row = &mut self.rows[queue];
        if !self.who.leasing.contains(&row.id) {
            Arc::make_mut(&mut self.who.leasing).insert(row.id);
            row.last_token += TOKENS_SKIPPED;
        } else if row.last_token - row.token_synced <= TOKENS_UNSYNCED_MAX {
            return;
        }
        self.level = Durability::Synced;
    }

    fn pick(
        &mut self,
        queue: usize,
        count: i64,
        bytes_max: usize,
        handed: &mut Vec<Handed>,
    ) -> rusqlite::Result<usize> {
        let first = handed.len();
        let row = &self.rows[queue];
        let (mut bytes, mut bodies) = (0, Vec::new());
        let unfilled = Arc::default();
        let mut found = self.sql.job_take.query(params![row.id, count])?;
        while let Some(columns) = found.next()? {
            let seq = columns.get(0)?;
            let headers = columns.get(7)?;
            let content = match columns.get_ref(8)?.as_blob_or_null()? {
                Some(body) => {
                    let start = bodies.len();
                    bodies.extend_from_slice(body);
                    let place = start..bodies.len();
                    Content::Small { headers, bodies: Arc::clone(&unfilled), place }
                }
                None => {
                    let body = self.sql.body_get.query_row([seq], |columns| columns.get(0))?;
                    Content::Large { headers, body }
                }
            };
            let size = content.body_bytes();
            if bytes > 0 && bytes + size > bytes_max {
                break;
            }
            bytes += size;
            handed.push(Handed {
                queue: row.name.clone(),
                seq,
                id: job_id(columns, 1)?,
                priority: columns.get(2)?,
                attempt: columns.get(3)?,
                token: 0,
                age_ms: self.now - columns.get::<_, i64>(4)?,
                key: columns.get(5)?,
                reason: columns.get(6)?,
                content,
            });
        }
        let filled = Arc::new(bodies);
        for one in &mut handed[first..] {
            if let Content::Small { bodies, .. } = &mut one.content {
                *bodies = Arc::clone(&filled);
            }
        }
        Ok(bytes)
    }

    /// Undoes deliveries that never reached their receiver: no attempt counts.
    pub(crate) fn give_back(&mut self, receipts: &[Receipt]) -> rusqlite::Result<()> {
        for receipt in receipts {
            // A lease that ran out in between came back already.
            _ = self.settle(receipt, &Settle::Release { after: Duration::ZERO })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use handover::QueueSettings;
    use rusqlite::Connection;

    use super::*;
    use crate::sql::send::Batch;
    use crate::sql::statements::Statements;
    use crate::sql::{Committed, Identity};

    /// Sends and leases one job. The token, and what the commit was.
    fn lease(sql: &mut Statements<'_>, who: Identity) -> (i64, Committed) {
        let queue: QueueName = "mail".parse().unwrap();
        let mut tx = Tx::begin(sql, who).unwrap();
        tx.declare(&queue, &QueueSettings::with_capacity(100)).unwrap().unwrap();
        tx.send(&Batch::new(&queue, &[Message::new("")], None), false).unwrap();
        assert_eq!(tx.level, Durability::Buffered);
        let handed = tx.receive(&[queue], 1, 1000).unwrap();
        (handed[0].token, tx.commit().unwrap())
    }

    #[test]
    fn the_first_lease_of_a_process_and_one_after_a_long_unsynced_run_are_synced_and_no_other() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&mut connection).unwrap();
        let mut sql = Statements::prepare(&connection).unwrap();
        let (first, committed) = lease(&mut sql, Identity::for_test());
        assert_eq!((first, committed.level), (TOKENS_SKIPPED + 1, Durability::Synced));
        let (second, committed) = lease(&mut sql, committed.who);
        assert_eq!((second, committed.level), (first + 1, Durability::Buffered));
        let run = [TOKENS_UNSYNCED_MAX];
        connection.execute("UPDATE queue SET last_token = last_token + ?1", run).unwrap();
        let (third, committed) = lease(&mut sql, committed.who);
        assert_eq!(
            (third, committed.level),
            (second + TOKENS_UNSYNCED_MAX + 1, Durability::Synced)
        );
        let (fourth, committed) = lease(&mut sql, committed.who);
        assert_eq!((fourth, committed.level), (third + 1, Durability::Buffered));
        let (other, committed) = lease(&mut sql, Identity::for_test());
        assert_eq!((other, committed.level), (fourth + TOKENS_SKIPPED + 1, Durability::Synced));
    }

    #[test]
    fn the_first_lease_of_a_job_does_not_widen_its_row() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&mut connection).unwrap();
        let mut sql = Statements::prepare(&connection).unwrap();
        let queue: QueueName = "mail".parse().unwrap();
        let mut tx = Tx::begin(&mut sql, Identity::for_test()).unwrap();
        tx.declare(&queue, &QueueSettings::with_capacity(100)).unwrap().unwrap();
        tx.send(&Batch::new(&queue, &[Message::new("")], None), false).unwrap();
        tx.save_rows().unwrap();
        let width =
            |token: i64| [7, 15, 23, 31, 47, 63].iter().position(|bits| token.abs() >> bits == 0);
        let token = |sql: &mut Statements<'_>| {
            sql.job_get.query_row([1], |row| row.get::<_, i64>(3)).unwrap()
        };
        let before = token(tx.sql);
        tx.receive(&[queue], 1, 1000).unwrap();
        assert!(before < 0);
        assert_eq!(width(before), width(token(tx.sql)));
    }
}
