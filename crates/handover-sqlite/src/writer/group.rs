//! One group of operations inside one transaction: each in the order it came, then those who wait and can go on now.

use std::collections::HashSet;
use std::sync::Arc;

use handover::{Error, Fate, QueueName, Receipt, Sent};

use super::answers::Answers;
use super::op::{Inbox, Op, Part, ReceiveOp, SendOp};
use super::waiters::Waiters;
use crate::sql::Tx;
use crate::sql::send::Admission;
use crate::sql::state::to_sql;

/// The most plain sends that are stored at once: where one of their ids is known, all are done again one by one.
const PLAIN_SENDS_MAX: usize = 256;

/// What the work of a group needs besides the transaction.
pub(crate) struct Desk<'a> {
    pub(crate) waiters: &'a mut Waiters,
    pub(crate) answers: &'a mut Answers,
    pub(crate) inbox: &'a Arc<Inbox>,
    pub(crate) part: Part,
}

impl Desk<'_> {
    /// Does one operation.
    pub(crate) fn execute(&mut self, tx: &mut Tx<'_, '_>, op: Op) -> rusqlite::Result<()> {
        let answers = &mut *self.answers;
        match op {
            Op::Send(op) => self.send(tx, op),
            Op::Receive(op) => self.receive(tx, op),
            Op::Settle(batch, reply) => {
                let settled = tx.settle_batch(&batch).map(Ok);
                answers.keep(reply, settled, |reply| Op::Settle(batch, reply))
            }
            Op::Extend(receipts, lease_ms, reply) => {
                let extend = |receipt| tx.extend(receipt, lease_ms);
                let extended: rusqlite::Result<_> = receipts.iter().map(extend).collect();
                let undo = move |reply| Op::Extend(receipts, lease_ms, reply);
                answers.keep(reply, extended.map(Ok), undo)
            }
            Op::Put(records, reply) => {
                let put = tx.put(&records);
                answers.keep(reply, put, |reply| Op::Put(records, reply))
            }
            Op::Forget(id, reply) => {
                answers.keep(reply, tx.forget_result(id), move |reply| Op::Forget(id, reply))
            }
            steer => self.steer(tx, steer),
        }
    }

    /// Stores the plain sends that come first among these operations, all at once. Answers how many there are, and whether
    /// that was done; if not, each is to be executed by itself.
    pub(crate) fn send_plain(
        &mut self,
        tx: &mut Tx<'_, '_>,
        ops: &[Op],
    ) -> rusqlite::Result<(usize, bool)> {
        let Some(Op::Send(first)) = ops.first() else { return Ok((0, false)) };
        let name = &first.batch.queue;
        if self.part != Part::All || self.waiters.has_sends(name) {
            return Ok((0, false));
        }
        let Some(queue) = tx.queue(name)? else { return Ok((0, false)) };
        let mut room = tx.row(queue).room();
        let mut batches = Vec::new();
        for op in ops {
            let Op::Send(op) = op else { break };
            let fits = room.checked_sub(to_sql(op.batch.parcels.len())).filter(|left| *left >= 0);
            let (Some(left), true) = (fits, op.batch.plain) else { break };
            if op.batch.queue != *name || op.reply.is_closed() || batches.len() >= PLAIN_SENDS_MAX {
                break;
            }
            room = left;
            batches.push(&op.batch);
        }
        if batches.is_empty() {
            return Ok((0, false));
        }
        let stored = tx.store_plain(queue, &batches)?;
        Ok((batches.len(), stored))
    }

    /// Keeps the answer of a plain send.
    pub(crate) fn sent_plain(&mut self, tx: &mut Tx<'_, '_>, op: Op) -> rusqlite::Result<()> {
        let Op::Send(op) = op else { return Ok(()) };
        let fates = vec![Fate::Stored; op.batch.parcels.len()];
        let sent = Sent::new(tx.level_in(&op.batch.queue)?, fates);
        self.answers.keep_sent(op, Ok(Ok(sent)), None)
    }

    /// Serves who has waited for what this operation would take.
    pub(crate) fn serve_before(&mut self, tx: &mut Tx<'_, '_>, next: &Op) -> rusqlite::Result<()> {
        let Op::Receive(next) = next else { return Ok(()) };
        next.queues.iter().try_for_each(|queue| self.serve_receives(tx, queue))
    }

    /// Does what a person asked for.
    fn steer(&mut self, tx: &mut Tx<'_, '_>, op: Op) -> rusqlite::Result<()> {
        let answers = &mut *self.answers;
        match op {
            Op::Declare(queue, settings, reply) => {
                let declared = tx.declare(&queue, &settings);
                answers.keep(reply, declared, |reply| Op::Declare(queue, settings, reply))
            }
            Op::Pause(queue, paused, reply) => {
                let done = tx.pause(&queue, paused);
                answers.keep(reply, done, move |reply| Op::Pause(queue, paused, reply))
            }
            Op::Kick(queue, max, reply) => {
                let kicked = tx.kick(&queue, max);
                answers.keep(reply, kicked, move |reply| Op::Kick(queue, max, reply))
            }
            Op::KickJob(id, reply) => {
                answers.keep(reply, tx.kick_job(id), move |reply| Op::KickJob(id, reply))
            }
            Op::Cancel(id, reason, reply) => {
                let cancelled = tx.cancel(id, &reason);
                answers.keep(reply, cancelled, move |reply| Op::Cancel(id, reason, reply))
            }
            Op::Delete(id, reply) => {
                answers.keep(reply, tx.delete(id), move |reply| Op::Delete(id, reply))
            }
            Op::Purge(queue, state, up_to, reply) => {
                let purged = tx.purge(&queue, state, &up_to);
                answers.keep(reply, purged, move |reply| Op::Purge(queue, state, up_to, reply))
            }
            Op::Sweep(queues, reply) => {
                let swept = sweep(tx, &queues).map(Ok);
                answers.keep(reply, swept, |reply| Op::Sweep(queues, reply))
            }
            _ => Ok(()), // not in a transaction, or done above
        }
    }

    fn send(&mut self, tx: &mut Tx<'_, '_>, op: Box<SendOp>) -> rusqlite::Result<()> {
        if op.reply.is_closed() {
            return Ok(()); // a send whose future was dropped has sent nothing
        }
        let behind = self.waiters.has_sends(&op.batch.queue);
        let outcome = match tx.send(&op.batch, behind) {
            Ok(Admission::Answer(answer)) => Ok(answer),
            Ok(Admission::NoRoom(full)) if op.wait.is_zero() || op.batch.feeds_itself() => {
                Ok(Err(full))
            }
            Ok(Admission::NoRoom(full)) => {
                self.waiters.enter_send(op, full);
                return Ok(());
            }
            Err(error) => Err(error),
        };
        self.answers.keep_sent(op, outcome, None)
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
            handed => self.answers.keep_handed(op, handed, None, self.inbox),
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

    /// Goes on in these queues with what was more than one transaction's work.
    pub(crate) fn go_on(
        &mut self,
        tx: &mut Tx<'_, '_>,
        queues: &HashSet<QueueName>,
    ) -> rusqlite::Result<()> {
        queues.iter().try_for_each(|queue| sweep(tx, std::slice::from_ref(queue)))?;
        self.serve_all(tx, queues)
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
            if self.part != Part::Finish {
                self.serve_sends(tx, name)?; // else in a transaction of their own
            }
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
            let outcome = match tx.send(&waiting.op.batch, false) {
                Ok(Admission::Answer(answer)) => Ok(answer),
                Ok(Admission::NoRoom(full)) => {
                    waiting.full = full;
                    self.waiters.restore_send(ticket, waiting);
                    break;
                }
                Err(error) => Err(error),
            };
            self.answers.keep_sent(waiting.op, outcome, Some((ticket, waiting.full)))?;
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
            if self.answers.is_full() {
                tx.again = true;
                break;
            }
            let handed = tx.receive(&op.queues, op.max, op.lease_ms);
            if handed.as_ref().is_ok_and(Vec::is_empty) {
                break;
            }
            if let Some(op) = self.waiters.take_receive(ticket) {
                self.answers.keep_handed(op, handed, Some(ticket), self.inbox)?;
            }
        }
        Ok(())
    }
}

fn sweep(tx: &mut Tx<'_, '_>, queues: &[QueueName]) -> rusqlite::Result<()> {
    queues.iter().try_for_each(|queue| match tx.queue(queue)? {
        Some(queue) => tx.sweep(queue),
        None => Ok(()),
    })
}

/// The file has a newer format than this process knows.
pub(crate) fn outdated() -> Error {
    Error::new(
        handover::ErrorKind::Unsupported,
        "a newer handover changed the format of the file while this process had it open; restart with that version",
    )
    .broker(crate::error::NAME)
}
