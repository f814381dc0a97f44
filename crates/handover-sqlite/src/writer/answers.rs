//! Answers that wait for the commit, and the way back to the operations where the transaction is to be tried again.

use std::sync::Arc;

use handover::{Error, Result, Sent};

use super::GROUP_BYTES_MAX;
use super::op::{Inbox, Op, Parcelled, ROW_BYTES, ReceiveOp, Reply, SendOp};
use super::waiters::{Ticket, WaitingSend};
use crate::sql::receive::Handed;

/// How a transaction ended.
#[derive(Clone, Copy)]
pub(crate) enum End<'e> {
    Committed,
    /// It is in the file, but the disk did not confirm it.
    Unconfirmed(&'e Error),
    /// Nothing of it happened.
    RolledBack(&'e Error),
}

impl End<'_> {
    /// What a caller is told who would have been told this.
    fn tell<T>(self, answer: Result<T>) -> Result<T> {
        match self {
            Self::Committed => answer,
            Self::Unconfirmed(error) => answer.and_then(|_| Err(error.duplicate())),
            Self::RolledBack(error) => Err(error.duplicate()),
        }
    }
}

/// What was done in a transaction that was rolled back, as it came.
pub(crate) enum Undone {
    Op(Op),
    /// It had been waiting, and keeps its place in the line.
    Send(Ticket, WaitingSend),
    Receive(Ticket, Box<ReceiveOp>),
}

impl Undone {
    /// The operation it came as.
    pub(crate) fn into_op(self) -> Op {
        match self {
            Self::Op(op) => op,
            Self::Send(_, waiting) => Op::Send(waiting.op),
            Self::Receive(_, op) => Op::Receive(op),
        }
    }
}

/// What is kept until the transaction has ended.
#[derive(Default)]
pub(crate) struct Answers {
    all: Vec<Answer>,
    /// How much they hand out, in bytes.
    handed_bytes: usize,
    /// The file failed with the last one.
    file_failed: bool,
}

/// Tells the caller how it ended; or for `None` tells nothing, and gives back what was asked.
type Answer = Box<dyn FnOnce(Option<End<'_>>) -> Option<Undone>>;

// A caller that is gone needs no answer: what sending one comes to is ignored throughout.
impl Answers {
    /// The file failed while the last of this work was done.
    pub(crate) fn file_failed(&self) -> bool {
        self.file_failed
    }

    /// So much was handed out that the rest is left to the next transaction.
    pub(crate) fn is_full(&self) -> bool {
        self.handed_bytes >= GROUP_BYTES_MAX
    }

    /// Keeps the answer of a piece of work. Where the file failed, the transaction will fail, and this caller is told so
    /// with all others. `undo` makes the operation again.
    pub(crate) fn keep<T: 'static>(
        &mut self,
        reply: Reply<T>,
        outcome: rusqlite::Result<Result<T>>,
        undo: impl FnOnce(Reply<T>) -> Op + 'static,
    ) -> rusqlite::Result<()> {
        let (answer, failed) = self.split(outcome);
        self.all.push(Box::new(move |end| match end {
            Some(end) => {
                _ = reply.send(end.tell(answer));
                None
            }
            None => Some(Undone::Op(undo(reply))),
        }));
        failed
    }

    /// The same for a send, which may have stood in a line.
    pub(crate) fn keep_sent(
        &mut self,
        op: Box<SendOp>,
        outcome: rusqlite::Result<Result<Sent>>,
        place: Option<(Ticket, Error)>,
    ) -> rusqlite::Result<()> {
        let (answer, failed) = self.split(outcome);
        self.all.push(Box::new(move |end| match (end, place) {
            (Some(end), _) => {
                _ = op.reply.send(end.tell(answer));
                None
            }
            (None, None) => Some(Undone::Op(Op::Send(op))),
            (None, Some((ticket, full))) => Some(Undone::Send(ticket, WaitingSend { op, full })),
        }));
        failed
    }

    /// The same for what a receiver is handed. Only after the commit is it the receiver's, and goes back by itself where
    /// nobody takes it: leases that were rolled back may be another process's by now, with the same tokens.
    pub(crate) fn keep_handed(
        &mut self,
        op: Box<ReceiveOp>,
        handed: rusqlite::Result<Vec<Handed>>,
        place: Option<Ticket>,
        inbox: &Arc<Inbox>,
    ) -> rusqlite::Result<()> {
        let (handed, failed) = self.split(handed.map(Ok));
        let sizes = handed.iter().flatten().map(|one| ROW_BYTES.saturating_add(one.bytes()));
        self.handed_bytes = sizes.fold(self.handed_bytes, usize::saturating_add);
        let inbox = Arc::clone(inbox);
        self.all.push(Box::new(move |end| match (end, place) {
            (Some(End::RolledBack(error)), _) => {
                _ = op.reply.send(Err(error.duplicate()));
                None
            }
            (Some(end), _) => {
                _ = op.reply.send(end.tell(handed.map(|handed| Parcelled::new(handed, inbox))));
                None
            }
            (None, None) => Some(Undone::Op(Op::Receive(op))),
            (None, Some(ticket)) => Some(Undone::Receive(ticket, op)),
        }));
        failed
    }

    /// Answers everybody: with what was kept, or with why the transaction failed.
    pub(crate) fn deliver(self, end: End<'_>) {
        for answer in self.all {
            answer(Some(end));
        }
    }

    /// Answers nobody, and gives back what was asked.
    pub(crate) fn undo(self) -> impl Iterator<Item = Undone> {
        self.all.into_iter().filter_map(|answer| answer(None))
    }

    /// The answer, and whether the file failed: then the answer will never be seen.
    fn split<T>(
        &mut self,
        outcome: rusqlite::Result<Result<T>>,
    ) -> (Result<T>, rusqlite::Result<()>) {
        match outcome {
            Ok(answer) => (answer, Ok(())),
            Err(error) => {
                self.file_failed = true;
                (Err(crate::error::closed()), Err(error))
            }
        }
    }
}
