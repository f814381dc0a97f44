//! The client: sends jobs and waits for their results.
//!
//! What a worker's handler uses to send children is `worker/context.rs`.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::Backend;
use crate::broker::BrokerExt;
use crate::caps::Dedup;
use crate::clock;
use crate::delivery::{Receipt, Room, Sent, Settle};
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::message::{Message, Priority, QueueName};
use crate::queue::QueueSettings;
use crate::results::{Record, Status};
use crate::task::Task;

/// Sends jobs to a backend. Cloning it is cheap.
///
/// ```
/// use handover::{Backend, Client, QueueSettings, Task};
/// const GREET: Task<String, String> = Task::new("greet", "mail");
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let client = Client::new(&Backend::memory());
/// client.declare("mail", &QueueSettings::with_capacity(100)).await?;
/// let job = client.send(GREET, &"Ada".to_owned()).await?;
/// println!("sent {}", job.id());
/// # handover::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    backend: Backend,
    room_wait: Duration,
    parent: Option<Receipt>,
}

impl Client {
    /// A client that waits up to a minute for room.
    #[must_use]
    pub fn new(backend: &Backend) -> Self {
        Self { backend: backend.clone(), room_wait: Duration::from_secs(60), parent: None }
    }

    /// The same client, waiting this long for room: zero answers `Full` at once, `Duration::MAX` waits for ever.
    #[must_use]
    pub fn room_wait(mut self, room_wait: Duration) -> Self {
        self.room_wait = room_wait;
        self
    }

    /// The same client, sending for the running job that holds this lease: what it sends are that job's children, as
    /// [`Room::child_of`] says. Choose ids that are the same at every attempt, as [`JobId::derive`] makes them.
    #[must_use]
    pub fn child_of(mut self, parent: Receipt) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Where this client sends.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Creates a queue, or changes its settings.
    ///
    /// # Errors
    /// As [`Broker::declare`](crate::Broker::declare), and `Invalid` for a bad name.
    pub async fn declare(&self, queue: &str, settings: &QueueSettings) -> Result<()> {
        self.backend.broker.declare(&QueueName::new(queue)?, settings).await
    }

    /// Sends a job, waiting for room in its queue.
    ///
    /// Dropping the future sends the job or not; it never sends half of it, and sends it once.
    ///
    /// # Errors
    /// `Full` when there was no room in time, `Invalid` where the queue was not declared or the arguments cannot be
    /// encoded, `Unavailable` when the broker stayed away for as long as the wait for room.
    pub async fn send<A: Serialize + Sync, R>(
        &self,
        task: Task<A, R>,
        arguments: &A,
    ) -> Result<Job<R>> {
        self.job(task, arguments)?.send().await
    }

    /// A job to be sent, for those that need a delay, a key, a priority, an id or another queue.
    ///
    /// # Errors
    /// `Invalid` where the arguments cannot be encoded.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use handover::{Backend, Client, QueueSettings, Task};
    /// # const GREET: Task<String, String> = Task::new("greet", "mail");
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let client = Client::new(&Backend::memory());
    /// # client.declare("mail", &QueueSettings::with_capacity(100)).await?;
    /// let job = client.job(GREET, &"Ada".to_owned())?.delay(Duration::from_secs(60)).key("customer-7").send().await?;
    /// # handover::Result::Ok(()) }).unwrap();
    /// ```
    pub fn job<A: Serialize, R>(&self, task: Task<A, R>, arguments: &A) -> Result<NewJob<'_, R>> {
        Ok(NewJob {
            client: self,
            queue: QueueName::new(task.queue_name())?,
            message: task.message(arguments)?,
            result: PhantomData,
        })
    }

    /// Sends messages as they are: what a command line or a bridge has. Waits for room up to the client's wait; through an
    /// outage too where the broker knows ids (`Caps::dedup`), because then sending them again is one job each.
    ///
    /// # Errors
    /// As [`send`](Self::send), and `Unsupported` above a limit of the broker.
    pub async fn send_messages(&self, queue: &QueueName, batch: &[Message]) -> Result<Sent> {
        let deadline = clock::after(self.room_wait);
        let mut rest = Duration::from_millis(20);
        loop {
            let left = deadline.saturating_duration_since(clock::now());
            let room = Room { wait: left, parent: self.parent.clone() };
            let error = match self.backend.broker.send(queue, batch, room).await {
                Ok(sent) => return Ok(sent),
                Err(error) => error,
            };
            let again = clock::now() + rest;
            let knows_ids = self.backend.broker.caps().dedup != Dedup::No;
            if error.kind() != ErrorKind::Unavailable || !knows_ids || again >= deadline {
                return Err(error);
            }
            tracing::warn!(queue = queue.as_str(), %error, "the broker is away; the same jobs are sent again");
            tokio::time::sleep_until(again).await;
            rest = (rest * 2).min(Duration::from_secs(5));
        }
    }

    /// Gives a job up: it is buried with this reason, its handler is cancelled where it runs, and whoever waits for its result
    /// learns of it. Of the reason as much is kept as [`Settle::cut_reason`] leaves, here and there. False where there is no such job: it is done, or was never sent.
    ///
    /// # Errors
    /// `Unsupported` where the broker cannot be steered, `Unavailable`, `Closed`.
    pub async fn cancel(&self, id: JobId, reason: &str) -> Result<bool> {
        let broker = &self.backend.broker;
        let reason = Settle::cut_reason(reason);
        if !broker.operator()?.cancel(id, reason.to_owned()).await? {
            return Ok(false);
        }
        let Some(job) = broker.inspector()?.job(id).await? else { return Ok(true) };
        let last = Receipt::new(job.queue, id, job.token);
        let task = job.message.task().unwrap_or_default();
        let mut record = Record::of(&last, task, job.attempt, Status::Failed);
        record.reason = Some(reason.to_owned());
        // Where the worker was quicker and stored a result, that one stands.
        self.backend.results.put(&[record]).await?;
        Ok(true)
    }

    /// Brings a buried job back, or makes a delayed one due now, and forgets that it failed, so that whoever waits for its
    /// result waits for the new one. False where there is no such job. A store that only grows, such as a file, goes on
    /// showing the failure until there is a new outcome.
    ///
    /// # Errors
    /// `Full` where the queue has no room, `Unsupported` where the broker cannot be steered, `Unavailable`, `Closed`.
    pub async fn kick(&self, id: JobId) -> Result<bool> {
        let results = &self.backend.results;
        // Before the kick, while nobody can have the job: afterwards it could be the new outcome that is forgotten.
        let failed = results.get(id).await?.filter(|record| record.status == Status::Failed);
        if failed.is_some() {
            match results.forget(id).await {
                Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
                _ => {}
            }
        }
        let kicked = self.backend.broker.operator()?.kick_job(id).await;
        if let (Some(record), Ok(false) | Err(_)) = (failed, &kicked) {
            results.put(&[record]).await?;
        }
        kicked
    }

    /// A job that was sent before, by its id.
    #[must_use]
    pub fn find<R>(&self, id: JobId) -> Job<R> {
        Job { id, backend: self.backend.clone(), result: PhantomData }
    }
}

/// A job that is not sent yet.
#[derive(Debug)]
#[must_use = "a job does nothing until it is sent"]
pub struct NewJob<'a, R> {
    client: &'a Client,
    queue: QueueName,
    message: Message,
    result: PhantomData<fn() -> R>,
}

impl<R> NewJob<'_, R> {
    /// Not before this long.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.message = self.message.with_delay(delay);
        self
    }

    /// In order with the other jobs that have this key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.message = self.message.with_key(key);
        self
    }

    /// With this priority.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.message = self.message.with_priority(priority);
        self
    }

    /// With this id, so that sending it again is the same job.
    pub fn id(mut self, id: JobId) -> Self {
        self.message = self.message.with_id(id);
        self
    }

    /// To this queue.
    pub fn queue(mut self, queue: QueueName) -> Self {
        self.queue = queue;
        self
    }

    /// Sends it, waiting for room.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send(self) -> Result<Job<R>> {
        self.client.send_messages(&self.queue, std::slice::from_ref(&self.message)).await?;
        Ok(self.client.find(self.message.id))
    }
}

/// A job that was sent.
#[derive(Debug, Clone)]
pub struct Job<R> {
    id: JobId,
    backend: Backend,
    result: PhantomData<fn() -> R>,
}

impl<R> Job<R> {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// The record of its outcome, waiting up to `wait`; `None` where there was none by then.
    ///
    /// # Errors
    /// As [`ResultStore::wait`](crate::ResultStore::wait).
    pub async fn outcome(&self, wait: Duration) -> Result<Option<Record>> {
        self.backend.results.wait(self.id, wait).await
    }
}

impl<R: DeserializeOwned> Job<R> {
    /// Its result, waiting for as long as it takes.
    ///
    /// # Errors
    /// [`JobError::Failed`] where the job was given up, [`JobError::Handover`] where the result store cannot be read or
    /// holds something that is no `R`.
    pub async fn result(&self) -> std::result::Result<R, JobError> {
        loop {
            let Some(record) = self.outcome(Duration::from_secs(60 * 60)).await? else { continue };
            if record.status == Status::Failed {
                return Err(JobError::Failed {
                    reason: record.reason.unwrap_or_default(),
                    attempts: record.attempt,
                });
            }
            let output = record.output.as_deref().unwrap_or("null");
            return Ok(serde_json::from_str(output).map_err(|error| {
                Error::invalid(format!("the stored result does not fit the task: {error}"))
                    .fact("id", self.id)
            })?);
        }
    }
}

/// Why a job has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// The job was given up.
    Failed {
        /// Why.
        reason: String,
        /// After how many attempts.
        attempts: u32,
    },
    /// The result could not be read.
    Handover(Error),
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { reason, attempts } => {
                write!(f, "the job failed at attempt {attempts}: {reason}")
            }
            Self::Handover(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for JobError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed { .. } => None,
            Self::Handover(error) => error.source(),
        }
    }
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        Self::Handover(error)
    }
}
