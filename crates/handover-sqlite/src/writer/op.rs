//! What the writer is asked to do, and how it answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use handover::clock::Instant;
use handover::{
    Delivery, Error, JobId, JobState, Put, QueueName, QueueSettings, Receipt, Record, Result, Sent,
    Settle,
};
use handover_buffer::Sender;
use tokio::sync::oneshot;

use crate::sql::receive::Handed;
use crate::sql::send::Batch;

pub(crate) type Reply<T> = oneshot::Sender<Result<T>>;

/// What changing one row writes beside its body, in bytes, in the table and its indexes.
pub(crate) const ROW_BYTES: usize = 256;
/// The rows that a piece of long work is taken for.
const PIECE_ROWS: usize = 1000;

/// A batch to be stored. It stays whole until it is answered: it may have to wait.
pub(crate) struct SendOp {
    /// Shared with the caller, so that its memory is given back on the caller's thread and not on the writer's.
    pub(crate) batch: Arc<Batch>,
    pub(crate) wait: Duration,
    pub(crate) deadline: Instant,
    pub(crate) reply: Reply<Sent>,
}

pub(crate) struct ReceiveOp {
    pub(crate) queues: Vec<QueueName>,
    pub(crate) max: usize,
    pub(crate) lease_ms: i64,
    pub(crate) wait: Duration,
    pub(crate) deadline: Instant,
    pub(crate) reply: Reply<Parcelled>,
}

/// A caller that waits for the outcome of a job.
pub(crate) struct AwaitOp {
    pub(crate) id: JobId,
    pub(crate) deadline: Instant,
    pub(crate) reply: Reply<Option<Record>>,
}

/// One thing to do. Small, because the buffer has a place for each of thousands.
pub(crate) enum Op {
    Send(Box<SendOp>),
    Receive(Box<ReceiveOp>),
    /// Shared with the caller as a send is.
    Settle(Arc<Vec<(Receipt, Settle)>>, Reply<Vec<Result<()>>>),
    Extend(Vec<Receipt>, i64, Reply<Vec<Result<()>>>),
    Declare(QueueName, Box<QueueSettings>, Reply<()>),
    Pause(QueueName, bool, Reply<()>),
    Kick(QueueName, u64, Reply<u64>),
    KickJob(JobId, Reply<bool>),
    Cancel(JobId, String, Reply<bool>),
    Delete(JobId, Reply<bool>),
    /// Removes those of the jobs in these places that are in this state.
    Purge(QueueName, JobState, Vec<i64>, Reply<u64>),
    /// Moves what time moves in these queues, so that a view shows it.
    Sweep(Vec<QueueName>, Reply<()>),
    Put(Vec<Record>, Reply<Vec<Put>>),
    Await(AwaitOp),
    Forget(JobId, Reply<bool>),
    /// Another process changed something.
    #[cfg_attr(not(unix), allow(dead_code, reason = "only a bell rings"))]
    Bell,
    /// A caller of this process gave up: look at [`Inbox`].
    Nudge,
    /// No more waiting for the broker (or else the results): answer its callers with `Closed`.
    Hush(Side, Reply<()>),
}

/// The two things that are closed apart from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Broker,
    Results,
}

/// What is done in one transaction: everything, or while the disk is full each part of it apart, so that what makes room
/// does not fail with what needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    /// What makes room, and all else that hardly needs any.
    Finish,
    Results,
    Sends,
}

impl Op {
    /// Whose operation it is; none where it is the writer's own.
    pub(crate) fn side(&self) -> Option<Side> {
        match self {
            Self::Put(..) | Self::Await(_) | Self::Forget(..) => Some(Side::Results),
            Self::Bell | Self::Nudge | Self::Hush(..) => None,
            _ => Some(Side::Broker),
        }
    }

    /// Its turn within a group. All of a group arrived before any of it was answered, so that any order is right: what makes
    /// room goes before what needs it, and what is sent before whoever takes it.
    pub(crate) fn turn(&self) -> u8 {
        match self {
            Self::Send(_) => 1,
            Self::Receive(_) => 2,
            _ => 0,
        }
    }

    /// With what it shares a transaction while the disk is full.
    pub(crate) fn part(&self) -> Part {
        match self {
            Self::Send(_) => Part::Sends,
            Self::Put(..) => Part::Results,
            _ => Part::Finish,
        }
    }

    /// About how much it may write, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let (rows, bodies) = match self {
            Self::Send(op) => (op.batch.parcels.len(), op.batch.bytes),
            Self::Receive(op) => (op.max, 0),
            Self::Settle(batch, _) => (batch.len(), 0),
            Self::Extend(receipts, _, _) => (receipts.len(), 0),
            Self::Put(records, _) => {
                let output = |record: &Record| record.output.as_ref().map_or(0, String::len);
                (records.len(), records.iter().map(output).sum())
            }
            Self::Kick(..) | Self::Purge(..) => (PIECE_ROWS, 0),
            Self::Sweep(queues, _) => (queues.len().saturating_mul(PIECE_ROWS), 0),
            _ => (1, 0),
        };
        bodies.saturating_add(rows.saturating_mul(ROW_BYTES))
    }

    /// Tells the caller that it failed.
    pub(crate) fn fail(self, error: &Error) {
        fn tell<T>(reply: Reply<T>, error: &Error) {
            // A caller that is gone needs no answer.
            _ = reply.send(Err(error.duplicate()));
        }
        match self {
            Self::Send(op) => tell(op.reply, error),
            Self::Receive(op) => tell(op.reply, error),
            Self::Settle(_, reply) | Self::Extend(_, _, reply) => tell(reply, error),
            Self::Declare(_, _, reply)
            | Self::Pause(_, _, reply)
            | Self::Sweep(_, reply)
            | Self::Hush(_, reply) => tell(reply, error),
            Self::Kick(_, _, reply) | Self::Purge(_, _, _, reply) => tell(reply, error),
            Self::KickJob(_, reply)
            | Self::Cancel(_, _, reply)
            | Self::Delete(_, reply)
            | Self::Forget(_, reply) => tell(reply, error),
            Self::Put(_, reply) => tell(reply, error),
            Self::Await(op) => tell(op.reply, error),
            Self::Bell | Self::Nudge => {}
        }
    }
}

/// The writer's door: the buffer of operations, and what must not be lost even when that is full.
pub(crate) struct Inbox {
    pub(crate) ops: Sender<Op>,
    /// Set by whoever gives up, cleared by the writer before it looks.
    nudged: AtomicBool,
    /// Set by the listener, cleared by the writer before it looks: many rings are one.
    rung: AtomicBool,
    /// Leases whose receiver was gone before it could take them.
    returned: Mutex<Vec<Receipt>>,
}

impl Inbox {
    pub(crate) fn new(ops: Sender<Op>) -> Self {
        Self {
            ops,
            nudged: AtomicBool::new(false),
            rung: AtomicBool::new(false),
            returned: Mutex::default(),
        }
    }

    /// Asks the writer to look who gave up. Never waits: a full buffer means that the writer is awake and will see the mark.
    pub(crate) fn nudge(&self) {
        if !self.nudged.swap(true, Ordering::AcqRel) {
            _ = self.ops.try_send(Op::Nudge);
        }
    }

    /// Tells the writer that another process rang.
    #[cfg_attr(not(unix), allow(dead_code, reason = "only a bell rings"))]
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            _ = self.ops.try_send(Op::Bell);
        }
    }

    fn give_back(&self, receipts: impl Iterator<Item = Receipt>) {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).extend(receipts);
        self.nudge();
    }

    pub(crate) fn take_nudge(&self) -> bool {
        self.nudged.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn take_ring(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn take_returned(&self) -> Vec<Receipt> {
        std::mem::take(&mut *self.returned.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Messages on their way to a receiver. If the receiver is gone before it unpacks them, they go back at once and the attempt
/// does not count.
pub(crate) struct Parcelled {
    handed: Vec<Handed>,
    inbox: Arc<Inbox>,
}

impl Parcelled {
    pub(crate) fn new(handed: Vec<Handed>, inbox: Arc<Inbox>) -> Self {
        Self { handed, inbox }
    }

    /// Hands them over. A message that cannot be read fails the call, and the others go back.
    pub(crate) fn unpack(mut self) -> Result<Vec<Delivery>> {
        let mut deliveries = Vec::with_capacity(self.handed.len());
        let handed = std::mem::take(&mut self.handed);
        let mut failed = None;
        for one in handed {
            match one.delivery() {
                Ok(delivery) => deliveries.push(delivery),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            None => Ok(deliveries),
            Some(error) => {
                self.inbox.give_back(deliveries.into_iter().map(|delivery| delivery.receipt));
                Err(error)
            }
        }
    }
}

impl Drop for Parcelled {
    fn drop(&mut self) {
        if !self.handed.is_empty() {
            self.inbox.give_back(self.handed.iter().map(Handed::receipt));
        }
    }
}
