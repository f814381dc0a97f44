//! What a handler knows of its job and can do about it: who it is, whether to stop, its progress, its children.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::cancel::CancelSignal;
use super::json;
use crate::backend::Backend;
use crate::caps::Caps;
use crate::clock;
use crate::delivery::{Delivery, Receipt, Room, Sent};
use crate::error::Result;
use crate::id::JobId;
use crate::message::{Headers, Message, QueueName};
use crate::results::{Record, Status};
use crate::task::Task;

/// A thread that runs an attempt.
#[derive(Debug)]
pub(super) struct Blocking(Context);

impl Drop for Blocking {
    fn drop(&mut self) {
        self.0.0.blocking.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The job a handler runs. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    backend: Backend,
    receipt: Receipt,
    attempt: u32,
    age: Duration,
    headers: Headers,
    last_failure: Option<String>,
    cancel: CancelSignal,
    /// How many children without a name were sent: the next one's name.
    children: AtomicU64,
    /// Threads that run this attempt and cannot be dropped.
    blocking: AtomicUsize,
    /// When progress was last stored, in milliseconds; written by whoever reports progress.
    progress_ms: AtomicU64,
}

impl Context {
    /// The least time between two stored reports of progress.
    pub const PROGRESS_EVERY: Duration = Duration::from_secs(1);

    pub(super) fn new(backend: &Backend, delivery: &Delivery, cancel: CancelSignal) -> Self {
        Self(Arc::new(Inner {
            backend: backend.clone(),
            receipt: delivery.receipt.clone(),
            attempt: delivery.attempt,
            age: delivery.age,
            headers: delivery.message.headers.clone(),
            last_failure: delivery.last_failure.clone(),
            cancel,
            children: AtomicU64::new(0),
            blocking: AtomicUsize::new(0),
            progress_ms: AtomicU64::new(0),
        }))
    }

    /// Says that a thread runs this attempt, until what it answers is dropped.
    pub(super) fn blocking(&self) -> Blocking {
        self.0.blocking.fetch_add(1, Ordering::SeqCst);
        Blocking(self.clone())
    }

    /// True while a thread runs this attempt.
    pub(super) fn is_blocking(&self) -> bool {
        self.0.blocking.load(Ordering::SeqCst) > 0
    }

    /// The job's id: the same at every attempt, so the right idempotency key for a call to somebody else's service.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.0.receipt.id
    }

    /// The fencing token of this attempt: larger than that of every earlier one. A store that refuses smaller tokens
    /// refuses an owner who comes too late.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.0.receipt.token
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// The queue the job came from.
    #[must_use]
    pub fn queue(&self) -> &QueueName {
        &self.0.receipt.queue
    }

    /// How long after it was sent this attempt was taken.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.0.age
    }

    /// The headers of its message.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// The name of the task it calls; empty where the message has no envelope.
    #[must_use]
    pub fn task(&self) -> &str {
        self.0.headers.get("task").map_or("", String::as_str)
    }

    /// Why the attempt before failed.
    #[must_use]
    pub fn last_failure(&self) -> Option<&str> {
        self.0.last_failure.as_deref()
    }

    /// Told when the handler should stop. Handlers that take long should listen; all others are dropped at their next
    /// `await`, a little later.
    #[must_use]
    pub fn cancel(&self) -> &CancelSignal {
        &self.0.cancel
    }

    /// Where the job came from.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.0.backend
    }

    /// Reports how far the job is, for whoever looks at its record: any JSON. Stored at most once a second; reports in
    /// between are dropped, and one that is too large, or a store that fails, costs a warning and not the job.
    pub async fn progress<T: Serialize + Sync>(&self, progress: &T) {
        let now = clock::wall_ms();
        let every = u64::try_from(Self::PROGRESS_EVERY.as_millis()).unwrap_or(u64::MAX);
        let before = self.0.progress_ms.load(Ordering::Relaxed);
        if now.saturating_sub(before) < every
            || self
                .0
                .progress_ms
                .compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
        {
            return;
        }
        let results = &self.0.backend.results;
        let output = match json::within(progress, results.caps().output_bytes_max) {
            Ok(output) => output,
            Err(why) => {
                tracing::warn!(id = %self.id(), %why, "the progress was not stored");
                return;
            }
        };
        let mut record = Record::of(&self.0.receipt, self.task(), self.0.attempt, Status::Running);
        record.output = Some(output);
        if let Err(error) = results.put(&[record]).await {
            tracing::warn!(id = %self.id(), %error, "the progress was not stored");
        }
    }

    /// Sends a child: a job of `task`. Its id comes from this job's id and the number of children sent before, so a second
    /// attempt that sends the same children in the same order sends nothing new. A handler whose children differ from
    /// attempt to attempt names them: see [`send_named`](Self::send_named).
    ///
    /// # Errors
    /// `Full` where the child's queue has no room (its own queue: no room and no overdraft left), `LeaseLost` where this
    /// job has another owner by now, `Invalid`, `Unsupported`, `Unavailable`.
    pub async fn send<A: Serialize + Sync, R>(
        &self,
        task: Task<A, R>,
        arguments: &A,
    ) -> Result<JobId> {
        let number = self.0.children.fetch_add(1, Ordering::Relaxed);
        self.send_named(task, arguments, &format!("{}#{number}", task.name())).await
    }

    /// Sends a child that is called `name` among the children of this job: the same name is the same job.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_named<A: Serialize + Sync, R>(
        &self,
        task: Task<A, R>,
        arguments: &A,
        name: &str,
    ) -> Result<JobId> {
        let id = self.id().derive(name);
        let message = task.message(arguments)?.with_id(id);
        self.send_messages(&QueueName::new(task.queue_name())?, &[message]).await?;
        Ok(id)
    }

    /// Sends children as messages, in as many batches as the broker's limits need. Choose ids that are the same at every
    /// attempt.
    ///
    /// # Errors
    /// As [`send`](Self::send), and `Invalid` where a batch is larger than the whole queue. Batches before the one that
    /// failed are sent.
    pub async fn send_messages(
        &self,
        queue: &QueueName,
        children: &[Message],
    ) -> Result<Vec<Sent>> {
        let broker = &self.0.backend.broker;
        let room = Room::within(Duration::from_secs(60)).child_of(self.0.receipt.clone());
        let mut sent = Vec::new();
        let mut rest = children;
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(batch_length(broker.caps(), rest));
            sent.push(broker.send(queue, batch, room.clone()).await?);
            rest = after;
        }
        Ok(sent)
    }
}

/// How many of these messages fit into one batch; at least one, which the broker judges by itself.
fn batch_length(caps: &Caps, messages: &[Message]) -> usize {
    let mut bytes: usize = 0;
    let fit = messages.iter().take(caps.batch_max).take_while(|message| {
        bytes = bytes.saturating_add(message.body.len());
        bytes <= caps.batch_bytes_max
    });
    fit.count().clamp(1, messages.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_keeps_to_the_limits_in_number_and_bytes() {
        let mut caps = Caps::weakest("test");
        (caps.batch_max, caps.batch_bytes_max) = (3, 100);
        let messages = |bytes: usize| vec![Message::new(vec![0; bytes]); 5];
        let lengths = [1, 40, 100, 101].map(|bytes| batch_length(&caps, &messages(bytes)));
        assert_eq!(lengths, [3, 2, 1, 1]);
    }
}
