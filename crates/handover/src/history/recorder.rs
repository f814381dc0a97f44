//! The recorder: a broker around a broker, which notes every call and changes nothing.
//!
//! What is asked is on its way to the file before the broker is asked, what was answered before the caller has the answer.
//! So a caller that is killed has done nothing that the history does not know of.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::event::{
    JobSent, NotedDelivery, NotedReceipt, Promises, Queue, SettleItem, SteerWhat, What, answer,
    micros,
};
use super::log::{Log, Times};
use crate::broker::{BoxFuture, Broker};
use crate::caps::Caps;
use crate::delivery::{Ask, Delivery, Fate, Receipt, Room, Sent, Settle};
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::inspect::{
    Explanation, Inspect, JobFilter, JobInfo, JobPage, JobState, QueueInfo, Steer,
};
use crate::message::{Message, QueueName};
use crate::queue::QueueSettings;

/// A broker that writes a history of what it is asked.
///
/// Each call costs two lines, each one `write` to the file: 13 µs of the calling thread in a debug build (2026-11, memory
/// broker, 2 cores), and about 250 bytes and 120 more for each job of the batch. It keeps nothing: its memory does not grow. Nothing is synced: a history survives
/// the death of its process, not that of its machine. Looking at queues is not noted.
///
/// Where a line cannot be written, the call is refused with `Unavailable`, as is every later one: a history with a gap would
/// prove nothing.
#[derive(Debug)]
pub struct Recorder {
    broker: Arc<dyn Broker>,
    log: Log,
}

impl Recorder {
    /// A recorder that writes to a new file.
    ///
    /// A file for each recorder: a line that a kill has torn is then the last one of its file.
    ///
    /// # Errors
    /// `Invalid` where the file exists or cannot be made, `Unavailable` where it cannot be written.
    pub fn create(broker: Arc<dyn Broker>, path: impl AsRef<Path>, times: Times) -> Result<Self> {
        Self::begin(broker, Log::create(path.as_ref(), times)?)
    }

    /// A recorder that writes to anything: each line in one `write_all`, which must not keep it back.
    ///
    /// # Errors
    /// `Unavailable` where it cannot be written.
    pub fn to(
        broker: Arc<dyn Broker>,
        out: impl Write + Send + 'static,
        times: Times,
    ) -> Result<Self> {
        Self::begin(broker, Log::to(out, times))
    }

    fn begin(broker: Arc<dyn Broker>, log: Log) -> Result<Self> {
        log.write(&What::Open(Promises::of(broker.caps())))?;
        Ok(Self { broker, log })
    }

    /// Notes the question, asks it, notes the answer.
    fn note<'a, T: 'a>(
        &'a self,
        question: What,
        asked: BoxFuture<'a, Result<T>>,
        noted: impl Fn(u64, &Result<T>) -> What + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move {
            let call = self.log.write(&question)?;
            let answer = asked.await;
            // The answer is true even where it cannot be noted: then the history says that it does not know, and the next
            // call is refused.
            _ = self.log.write(&noted(call, &answer));
            answer
        })
    }

    fn note_steer<'a, T: 'a>(
        &'a self,
        what: SteerWhat,
        asked: BoxFuture<'a, Result<T>>,
        count: impl Fn(&T) -> u64 + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        self.note(What::Steer(what), asked, move |call, answer| What::Steered {
            call,
            jobs: answer.as_ref().map_or(0, &count),
            error: error_of(answer),
        })
    }

    fn inspector(&self) -> Result<&dyn Inspect> {
        self.broker.inspect().ok_or_else(gone)
    }

    fn operator(&self) -> Result<&dyn Steer> {
        self.broker.steer().ok_or_else(gone)
    }
}

/// The broker had this part when it was asked for it, and has it no more.
fn gone() -> Error {
    Error::new(ErrorKind::Internal, "the broker no longer has what it had; report it")
}

fn error_of<T>(answer: &Result<T>) -> Option<String> {
    answer.as_ref().err().map(|error| error.kind().as_str().to_owned())
}

fn answers(given: &Result<Vec<Result<()>>>) -> Vec<String> {
    given.as_ref().map_or_else(|_| Vec::new(), |given| given.iter().map(answer).collect())
}

fn fate(fate: &Fate) -> String {
    let word = match fate {
        Fate::Stored => "stored",
        Fate::Parked => "parked",
        Fate::Duplicate => "duplicate",
    };
    word.to_owned()
}

#[deny(clippy::missing_trait_methods)]
impl Broker for Recorder {
    fn caps(&self) -> &Caps {
        self.broker.caps()
    }

    fn declare<'a>(
        &'a self,
        queue: &'a QueueName,
        settings: &'a QueueSettings,
    ) -> BoxFuture<'a, Result<()>> {
        let question = What::Declare(Queue::of(queue.as_str(), settings));
        self.note(question, self.broker.declare(queue, settings), |call, answer| What::Declared {
            call,
            error: error_of(answer),
        })
    }

    fn send<'a>(
        &'a self,
        queue: &'a QueueName,
        batch: &'a [Message],
        room: Room,
    ) -> BoxFuture<'a, Result<Sent>> {
        let question = What::Send {
            queue: queue.to_string(),
            jobs: batch.iter().map(JobSent::of).collect(),
            wait_us: micros(room.wait),
            parent: room.parent.as_ref().map(NotedReceipt::of),
        };
        self.note(question, self.broker.send(queue, batch, room), |call, answer| What::Sent {
            call,
            fates: answer
                .as_ref()
                .map_or_else(|_| Vec::new(), |sent| sent.fates.iter().map(fate).collect()),
            error: error_of(answer),
        })
    }

    fn receive<'a>(
        &'a self,
        queues: &'a [QueueName],
        ask: Ask,
    ) -> BoxFuture<'a, Result<Vec<Delivery>>> {
        let question = What::Receive {
            queues: queues.iter().map(ToString::to_string).collect(),
            max: ask.max,
            wait_us: micros(ask.wait),
            lease_us: micros(ask.lease),
        };
        self.note(question, self.broker.receive(queues, ask), |call, answer| What::Received {
            call,
            jobs: answer
                .as_ref()
                .map_or_else(|_| Vec::new(), |taken| taken.iter().map(NotedDelivery::of).collect()),
            error: error_of(answer),
        })
    }

    fn settle<'a>(
        &'a self,
        batch: &'a [(Receipt, Settle)],
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        let question = What::Settle { items: batch.iter().map(SettleItem::of).collect() };
        self.note(question, self.broker.settle(batch), |call, answer| What::Settled {
            call,
            answers: answers(answer),
            error: error_of(answer),
        })
    }

    fn extend<'a>(
        &'a self,
        receipts: &'a [Receipt],
        lease: Duration,
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        let noted = receipts.iter().map(NotedReceipt::of).collect();
        let question = What::Extend { receipts: noted, lease_us: micros(lease) };
        self.note(question, self.broker.extend(receipts, lease), |call, answer| What::Extended {
            call,
            answers: answers(answer),
            error: error_of(answer),
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.note(What::Close {}, self.broker.close(), |call, answer| What::Closed {
            call,
            error: error_of(answer),
        })
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        self.broker.inspect().map(|_| self as &dyn Inspect)
    }

    fn steer(&self) -> Option<&dyn Steer> {
        self.broker.steer().map(|_| self as &dyn Steer)
    }
}

impl Inspect for Recorder {
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueInfo>>> {
        Box::pin(async move { self.inspector()?.queues().await })
    }

    fn queue<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<QueueInfo>>> {
        Box::pin(async move { self.inspector()?.queue(queue).await })
    }

    fn jobs<'a>(
        &'a self,
        queue: &'a QueueName,
        filter: JobFilter,
    ) -> BoxFuture<'a, Result<JobPage>> {
        Box::pin(async move { self.inspector()?.jobs(queue, filter).await })
    }

    fn job(&self, id: JobId) -> BoxFuture<'_, Result<Option<JobInfo>>> {
        Box::pin(async move { self.inspector()?.job(id).await })
    }

    fn explain(&self, id: JobId) -> BoxFuture<'_, Result<Option<Explanation>>> {
        Box::pin(async move { self.inspector()?.explain(id).await })
    }
}

impl Steer for Recorder {
    fn kick<'a>(&'a self, queue: &'a QueueName, max: u64) -> BoxFuture<'a, Result<u64>> {
        let what = SteerWhat::Kick { queue: queue.to_string(), max };
        let asked = Box::pin(async move { self.operator()?.kick(queue, max).await });
        self.note_steer(what, asked, |jobs| *jobs)
    }

    fn kick_job(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        let asked = Box::pin(async move { self.operator()?.kick_job(id).await });
        self.note_steer(SteerWhat::KickJob { id }, asked, |done| u64::from(*done))
    }

    fn cancel(&self, id: JobId, reason: String) -> BoxFuture<'_, Result<bool>> {
        let asked = Box::pin(async move { self.operator()?.cancel(id, reason).await });
        self.note_steer(SteerWhat::Cancel { id }, asked, |done| u64::from(*done))
    }

    fn delete(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        let asked = Box::pin(async move { self.operator()?.delete(id).await });
        self.note_steer(SteerWhat::Delete { id }, asked, |done| u64::from(*done))
    }

    fn purge<'a>(&'a self, queue: &'a QueueName, state: JobState) -> BoxFuture<'a, Result<u64>> {
        let what = SteerWhat::Purge { queue: queue.to_string(), state };
        let asked = Box::pin(async move { self.operator()?.purge(queue, state).await });
        self.note_steer(what, asked, |jobs| *jobs)
    }

    fn pause<'a>(&'a self, queue: &'a QueueName, paused: bool) -> BoxFuture<'a, Result<()>> {
        let what = SteerWhat::Pause { queue: queue.to_string(), paused };
        let asked = Box::pin(async move { self.operator()?.pause(queue, paused).await });
        self.note_steer(what, asked, |()| 0)
    }
}
