//! One group of operations inside one transaction: each in the order it came, then those who wait and can go on now.

use std::collections::HashSet;
use std::sync::Arc;

use handover::{Error, QueueName, Receipt, Result};

use super::op::{Answers, Inbox, Op, ReceiveOp, Reply, SendOp};
use super::waiters::Waiters;
use crate::sql::Tx;
use crate::sql::send::Admission;

/// What the work of a group needs besides the transaction.
pub(crate) struct Desk<'a> {
    pub(crate) waiters: &'a mut Waiters,
    pub(crate) answers: &'a mut Answers,
    pub(crate) inbox: &'a Arc<Inbox>,
}

impl Desk<'_> {
    /// Does one operation.
    pub(crate) fn execute(&mut self, tx: &mut Tx<'_, '_>, op: Op) -> rusqlite::Result<()> {
        match op {
            Op::Send(op) => self.send(tx, op),
            Op::Receive(op) => self.receive(tx, op),
            Op::Settle(batch, reply) => {
                self.answers.keep_outcome(reply, tx.settle_batch(&batch).map(Ok))
            }
            Op::Extend(receipts, lease_ms, reply) => {
                self.each(reply, receipts.iter().map(|receipt| tx.extend(receipt, lease_ms)))
            }
            Op::Declare(queue, settings, reply) => {
                self.answers.keep_outcome(reply, tx.declare(&queue, &settings))
            }
            Op::Pause(queue, paused, reply) => {
                self.answers.keep_outcome(reply, tx.pause(&queue, paused))
            }
            Op::Kick(queue, max, reply) => self.answers.keep_outcome(reply, tx.kick(&queue, max)),
            Op::KickJob(id, reply) => self.answers.keep_outcome(reply, tx.kick_job(id)),
            Op::Cancel(id, reason, reply) => {
                self.answers.keep_outcome(reply, tx.cancel(id, &reason))
            }
            Op::Delete(id, reply) => self.answers.keep_outcome(reply, tx.delete(id)),
            Op::Purge(queue, state, places, reply) => {
                self.answers.keep_outcome(reply, tx.purge(&queue, state, &places))
            }
            Op::Sweep(queues, reply) => {
                let swept = queues.iter().try_for_each(|queue| match tx.queue(queue)? {
                    Some(queue) => tx.sweep(queue),
                    None => Ok(()),
                });
                self.answers.keep_outcome(reply, swept.map(Ok))
            }
            Op::Put(records, reply) => self.answers.keep_outcome(reply, tx.put(&records)),
            Op::Forget(id, reply) => self.answers.keep_outcome(reply, tx.forget_result(id)),
            Op::Await(_) | Op::Bell | Op::Nudge | Op::Hush(..) => Ok(()), // not in a transaction
        }
    }

    fn each(
        &mut self,
        reply: Reply<Vec<Result<()>>>,
        outcomes: impl Iterator<Item = rusqlite::Result<Result<()>>>,
    ) -> rusqlite::Result<()> {
        let outcomes: rusqlite::Result<Vec<Result<()>>> = outcomes.collect();
        self.answers.keep_outcome(reply, outcomes.map(Ok))
    }

    fn send(&mut self, tx: &mut Tx<'_, '_>, op: Box<SendOp>) -> rusqlite::Result<()> {
        if op.reply.is_closed() {
            return Ok(()); // a send whose future was dropped has sent nothing
        }
        let behind = self.waiters.has_sends(&op.batch.queue);
        match tx.send(&op.batch, behind) {
            Ok(Admission::Answer(answer)) => self.answers.keep(op.reply, answer),
            Ok(Admission::NoRoom(full)) if op.wait.is_zero() || op.batch.feeds_itself() => {
                self.answers.keep(op.reply, Err(full));
            }
            Ok(Admission::NoRoom(full)) => self.waiters.enter_send(op, full),
            Err(error) => return self.answers.keep_outcome(op.reply, Err(error)),
        }
        Ok(())
    }

    fn receive(&mut self, tx: &mut Tx<'_, '_>, op: Box<ReceiveOp>) -> rusqlite::Result<()> {
        if op.reply.is_closed() {
            return Ok(());
        }
        match tx.receive(&op.queues, op.max, op.lease_ms) {
            Ok(handed) if handed.is_empty() && !op.wait.is_zero() => {
                self.waiters.enter_receive(op);
                Ok(())
            }
            handed => self.answers.keep_handed(op.reply, handed, self.inbox),
        }
    }

    /// Takes back what its receivers never took.
    pub(crate) fn give_back(
        &mut self,
        tx: &mut Tx<'_, '_>,
        receipts: &[Receipt],
    ) -> rusqlite::Result<()> {
        tx.give_back(receipts)
    }

    /// Lets those go on who can: in these queues, and in every queue whose jobs moved in this transaction.
    pub(crate) fn serve_all(
        &mut self,
        tx: &mut Tx<'_, '_>,
        queues: &HashSet<QueueName>,
    ) -> rusqlite::Result<()> {
        let mut served = HashSet::new();
        let mut next: Vec<QueueName> = queues.iter().cloned().collect();
        loop {
            next.extend(tx.moved());
            next.retain(|queue| served.insert(queue.clone()));
            if next.is_empty() {
                return Ok(());
            }
            // Serving a receive that waits for several queues can move jobs in another one of them.
            self.serve(tx, &next)?;
            next.clear();
        }
    }

    /// In each queue: parked children, then senders, then receivers, each in order. One round is enough: children and
    /// senders only make work, and taking work makes no room.
    fn serve(&mut self, tx: &mut Tx<'_, '_>, queues: &[QueueName]) -> rusqlite::Result<()> {
        for name in queues {
            let Some(queue) = tx.queue(name)? else { continue };
            tx.admit_parked(queue)?;
            self.serve_sends(tx, name)?;
        }
        for name in queues {
            self.serve_receives(tx, name)?;
        }
        Ok(())
    }

    fn serve_sends(&mut self, tx: &mut Tx<'_, '_>, queue: &QueueName) -> rusqlite::Result<()> {
        while let Some((ticket, mut waiting)) = self.waiters.pop_send(queue) {
            if waiting.op.reply.is_closed() {
                continue;
            }
            match tx.send(&waiting.op.batch, false) {
                Ok(Admission::Answer(answer)) => self.answers.keep(waiting.op.reply, answer),
                Ok(Admission::NoRoom(full)) => {
                    waiting.full = full;
                    self.waiters.restore_send(ticket, waiting);
                    break;
                }
                Err(error) => return self.answers.keep_outcome(waiting.op.reply, Err(error)),
            }
        }
        Ok(())
    }

    fn serve_receives(&mut self, tx: &mut Tx<'_, '_>, queue: &QueueName) -> rusqlite::Result<()> {
        while let Some((ticket, op)) = self.waiters.first_receive(queue) {
            if op.reply.is_closed() {
                self.waiters.take_receive(ticket);
                continue;
            }
            if !tx.has_work(queue)? {
                break;
            }
            let handed = tx.receive(&op.queues, op.max, op.lease_ms);
            if handed.as_ref().is_ok_and(Vec::is_empty) {
                break;
            }
            if let Some(op) = self.waiters.take_receive(ticket) {
                self.answers.keep_handed(op.reply, handed, self.inbox)?;
            }
        }
        Ok(())
    }
}

/// The file has a newer format than this process knows.
pub(crate) fn outdated() -> Error {
    Error::new(
        handover::ErrorKind::Unsupported,
        "a newer handover changed the format of the file while this process had it open; restart with that version",
    )
    .broker(crate::error::NAME)
}
