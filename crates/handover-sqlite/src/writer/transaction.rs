//! One transaction of the writer from BEGIN to the answers: what it has to wait for, and what is left when it fails.
//!
//! What is done inside it is in `group.rs`; when there is something to do is in `mod.rs`.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use handover::clock;
use handover::{Durability, Error, ErrorKind, QueueName, Receipt, Result};
use rusqlite::Connection;

use super::group::{Desk, outdated};
use super::op::{Answers, End, Op};
use super::{LOOK_AGAIN, Round, Writer};
use crate::error::{NAME, from_sqlite};
use crate::sql::{Committed, Tx};

/// A transaction that is in the file.
struct Done {
    committed: Committed,
    /// The disk did not confirm it.
    unconfirmed: Option<Error>,
}

impl Writer<'_> {
    /// Runs the round's work as one transaction and answers everybody.
    pub(super) fn transaction(&mut self, round: &mut Round) {
        let mut answers = Answers::default();
        let mut work = std::mem::take(&mut round.work).into_iter();
        let operations = work.len();
        match self.try_transaction(&mut work, &round.queues, &mut answers) {
            Ok(done) => {
                self.rest_until = None;
                self.returned.clear();
                self.post.counters.commits.fetch_add(1, Ordering::Relaxed);
                self.post.counters.operations.fetch_add(operations as u64, Ordering::Relaxed);
                // The bell before the answers: a process may end as soon as it has its answer.
                if done.committed.ring {
                    let rung = self.post.bell.ring();
                    self.post.counters.rings.fetch_add(rung, Ordering::Relaxed);
                }
                // The books before the answers: who is answered no longer counts as waiting.
                self.publish();
                answers.deliver(done.unconfirmed.as_ref().map_or(End::Committed, End::Unconfirmed));
                round.outcomes = done.committed.outcomes;
            }
            Err(error) => {
                self.post.counters.failures.fetch_add(1, Ordering::Relaxed);
                answers.deliver(End::RolledBack(&error));
                work.for_each(|op| op.fail(&error));
                self.rest();
            }
        }
    }

    /// Lets the file alone for a moment.
    pub(super) fn rest(&mut self) {
        self.dues.clear();
        self.look_at = Some(clock::now() + LOOK_AGAIN);
        self.rest_until = self.look_at;
    }

    fn try_transaction(
        &mut self,
        work: &mut std::vec::IntoIter<Op>,
        queues: &HashSet<QueueName>,
        answers: &mut Answers,
    ) -> Result<Done> {
        let synced = self.wants_sync(work.as_slice());
        self.synchronous(synced)?;
        let committed = self.commit(work, queues, answers).inspect_err(|_| {
            roll_back(self.connection); // whatever failed: the lock must not be kept
        })?;
        self.learn(&committed);
        let unconfirmed = if committed.level == Durability::Synced && !synced {
            self.sync_log().err().map(unconfirmed)
        } else {
            None
        };
        Ok(Done { committed, unconfirmed })
    }

    fn commit(
        &mut self,
        work: &mut std::vec::IntoIter<Op>,
        queues: &HashSet<QueueName>,
        answers: &mut Answers,
    ) -> Result<Committed> {
        let mut tx = Tx::begin(&mut self.sql, self.post.who.clone()).map_err(from_sqlite)?;
        if tx.is_outdated().map_err(from_sqlite)? {
            return Err(outdated());
        }
        let mut desk = Desk { waiters: &mut self.waiters, answers, inbox: &self.post.inbox };
        let mut forget_at = self.forget_at;
        let worked = (|| {
            desk.give_back(&mut tx, &self.returned)?;
            for op in work.by_ref() {
                desk.execute(&mut tx, op)?;
            }
            desk.serve_all(&mut tx, queues)?;
            if forget_at.is_some_and(|at| at <= tx.now) {
                forget_at = tx.forget()?;
            }
            Ok(())
        })();
        let committed = worked.and_then(|()| tx.commit()).map_err(from_sqlite)?;
        self.forget_at = forget_at;
        Ok(committed)
    }

    fn learn(&mut self, committed: &Committed) {
        self.post.who = committed.who.clone();
        self.again |= committed.again;
        for queue in &committed.queues {
            self.levels.insert(queue.name.clone(), queue.level);
            if queue.changed {
                self.dues.remove(&queue.name);
            }
        }
        if let Some(forget) = committed.forget_at {
            self.forget_at = Some(self.forget_at.map_or(forget, |at| std::cmp::min(at, forget)));
        }
    }

    /// Whether anything in this work may be in a queue that is kept `Synced`. What is only leased or extended is not: after
    /// the death of the machine its lease is over anyway.
    fn wants_sync(&self, work: &[Op]) -> bool {
        let firm = |queue: &QueueName| {
            self.levels.get(queue).is_none_or(|level| *level == Durability::Synced)
        };
        let default = self.post.who.durability == Durability::Synced;
        work.iter().any(|op| match op {
            Op::Send(op) => firm(&op.batch.queue),
            Op::Settle(batch, _) => batch.iter().any(|(receipt, _)| firm(&receipt.queue)),
            Op::Receive(_) | Op::Extend(..) | Op::Sweep(..) => false,
            Op::Kick(queue, ..) | Op::Purge(queue, ..) | Op::Pause(queue, ..) => firm(queue),
            Op::Put(..) | Op::Forget(..) | Op::Declare(..) => default,
            _ => true,
        }) || self.returned.iter().any(|receipt: &Receipt| firm(&receipt.queue))
            || self.waiters.send_queues().any(firm)
    }

    /// Sets what a commit waits for: the disk, or only the operating system.
    fn synchronous(&mut self, synced: bool) -> Result<()> {
        if self.synced != Some(synced) {
            let level = if synced { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level).map_err(from_sqlite)?;
            self.synced = Some(synced);
        }
        Ok(())
    }

    /// Makes the disk have what was committed before: for the rare group that turned out to hold a `Synced` send after it had
    /// begun as a `Buffered` one, because another process had just changed the queue. Any synced commit syncs the whole log.
    fn sync_log(&mut self) -> Result<()> {
        self.synchronous(true)?;
        let written = (|| {
            self.sql.begin.execute([])?;
            // Some write is needed, and this one changes nothing, whatever version the file has by now.
            let version: i64 = self.sql.version.query_row([], |row| row.get(0))?;
            self.connection.pragma_update(None, "user_version", version)?;
            self.sql.commit.execute([])
        })();
        written.map(|_| ()).map_err(|error: rusqlite::Error| {
            roll_back(self.connection);
            from_sqlite(error)
        })
    }
}

/// What those are told whose work is in the file and perhaps not on the disk.
fn unconfirmed(error: Error) -> Error {
    let message = "what was asked is in the file, but the disk did not confirm it: a power failure could lose it; \
                   look at the cause, and send again with the same ids";
    Error::new(ErrorKind::Unavailable, message).broker(NAME).source(error)
}

/// After an error SQLite may have rolled back by itself, so that there is nothing to roll back.
pub(super) fn roll_back(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}
