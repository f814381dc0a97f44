//! The worker: receives jobs, runs their handlers, stores results, settles.
//!
//! ```text
//! broker ─receive─▶ fetch ─buffer─▶ execute × concurrency ─buffer─▶ settle ─▶ result store, then broker
//!                     └──────────▶ lease (an OS thread: extends, cancels) ◀──────────┘
//! ```
//!
//! In reading order: `handler.rs` (typed functions by task), `json.rs` (their results as text), `context.rs` (what a handler sees), `fetch.rs`, `execute.rs`,
//! `settle.rs`, `lease.rs`, `cancel.rs`, `stats.rs`, `running.rs` (the handle, and the stop in two phases); this file is the
//! builder and the checks at start. How an attempt's outcome becomes a settlement is a pure function in `retry.rs`, outside this folder.

mod cancel;
mod context;
mod execute;
mod fetch;
mod handler;
mod json;
mod lease;
mod running;
mod settle;
mod stats;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

pub use self::cancel::{CancelReason, CancelSignal};
pub use self::context::Context;
use self::handler::{Handler, Registry};
use self::lease::Leases;
use self::running::Parts;
pub use self::running::{Health, RunningWorker, WorkerHandle};
use self::stats::Counters;
pub use self::stats::WorkerStats;
use crate::backend::Backend;
use crate::caps::LeaseKind;
use crate::clock::{self, Instant};
use crate::error::{Error, ErrorKind, Result};
use crate::message::QueueName;
use crate::outcome::{Failure, Outcome};
use crate::retry::RetryPolicy;
use crate::task::Task;

/// A worker that is not started yet.
///
/// ```
/// use handover::{Backend, Client, Context, Failure, QueueSettings, Task, Worker};
/// const ADD: Task<(i64, i64), i64> = Task::new("add", "sums");
///
/// async fn add(_context: Context, (a, b): (i64, i64)) -> Result<i64, Failure> {
///     a.checked_add(b).ok_or_else(|| Failure::bury("the sum is too large"))
/// }
///
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// let backend = Backend::memory();
/// let client = Client::new(&backend);
/// client.declare("sums", &QueueSettings::with_capacity(10)).await?;
/// let worker = Worker::new(&backend).handle(ADD, add).start().await?;
/// assert_eq!(client.send(ADD, &(2, 3)).await?.result().await.unwrap(), 5);
/// let stats = worker.stop().await?;
/// assert_eq!(stats.done, 1);
/// # handover::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a worker does nothing until it is started"]
pub struct Worker {
    backend: Backend,
    registry: Registry,
    config: Config,
    /// The first mistake in the building, told at the start.
    mistake: Option<Error>,
}

#[derive(Debug)]
struct Config {
    queues: Vec<QueueName>,
    concurrency: usize,
    prefetch: usize,
    lease: Duration,
    drain: Duration,
    grace: Duration,
    until_empty: bool,
}

/// How far a worker is with stopping. The order is the order in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    /// Nothing new is begun; what runs may finish.
    Draining,
    /// What still runs is cancelled and given back.
    Cancelling,
}

/// What the parts of a running worker share.
#[derive(Debug)]
struct Shared {
    backend: Backend,
    registry: Registry,
    config: Config,
    /// Free slots: the fetcher takes, the settler gives back.
    slots: Arc<Semaphore>,
    leases: Arc<Leases>,
    stats: Counters,
    phase: watch::Sender<Phase>,
    /// Written by the fetcher, the settler and whoever ends the worker, read by `health`.
    pulse: Mutex<Pulse>,
}

#[derive(Debug)]
struct Pulse {
    last_receive: Instant,
    outage: Option<String>,
    /// Why it ends, where nobody told it to.
    end: Option<String>,
}

impl Shared {
    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let later = phase > *now;
            *now = (*now).max(phase);
            later
        });
    }

    async fn at_least(&self, phase: Phase) {
        // The sender lives in this struct, so it cannot be gone.
        _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    fn note_receive(&self) {
        let mut pulse = self.pulse();
        pulse.last_receive = clock::now();
        pulse.outage = None;
    }

    /// Remembers what is away, for whoever asks why nothing happens; `None` when it is back.
    fn note_outage(&self, outage: Option<&Error>) {
        self.pulse().outage = outage.map(Error::to_string);
    }

    /// Remembers the error that ends the worker.
    fn note_end(&self, error: &Error) {
        self.pulse().end = Some(format!("it is ending: {error}"));
    }

    fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// A worker of this backend: one job at a time, leases of 30 seconds, nothing prefetched.
    pub fn new(backend: &Backend) -> Self {
        Self {
            backend: backend.clone(),
            registry: Registry::default(),
            config: Config {
                queues: Vec::new(),
                concurrency: 1,
                prefetch: 0,
                lease: Duration::from_secs(30),
                drain: Duration::from_secs(30),
                grace: Duration::from_secs(1),
                until_empty: false,
            },
            mistake: None,
        }
    }

    /// Runs `handler` for the jobs of `task`, and receives from the task's queue.
    pub fn handle<A, R, F, Fut>(self, task: Task<A, R>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        R: Serialize + 'static,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = std::result::Result<R, Failure>> + Send + 'static,
    {
        self.handle_in(task.queue_name(), task, handler)
    }

    /// Runs `handler` for the jobs of `task`, and receives from `queue` instead of the task's own.
    pub fn handle_in<A, R, F, Fut>(self, queue: &str, task: Task<A, R>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        R: Serialize + 'static,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = std::result::Result<R, Failure>> + Send + 'static,
    {
        self.add(task.name(), Handler::typed(&task, handler)).queue(queue)
    }

    /// Runs a handler that blocks its thread, on tokio's pool for such. It cannot be dropped: one that ignores
    /// [`Context::cancel`] runs on after its time and is reported as stuck.
    pub fn handle_blocking<A, R, F>(self, task: Task<A, R>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        F: Fn(Context, A) -> std::result::Result<R, Failure> + Send + Sync + 'static,
    {
        self.add(task.name(), Handler::blocking(&task, handler)).queue(task.queue_name())
    }

    /// Runs `handler` for every job that has no handler of its own, with its body as it is: for commands and bridges.
    pub fn handle_any<F, Fut>(mut self, timeout: Duration, retry: RetryPolicy, handler: F) -> Self
    where
        F: Fn(Context, Vec<u8>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        if let Err(error) = self.registry.add_any(Handler::raw(timeout, retry, handler)) {
            self.mistake.get_or_insert(error);
        }
        self
    }

    /// Receives from this queue too. The queue named first is served first.
    pub fn queue(mut self, queue: &str) -> Self {
        match QueueName::new(queue) {
            Ok(name) if !self.config.queues.contains(&name) => self.config.queues.push(name),
            Ok(_) => {}
            Err(error) => _ = self.mistake.get_or_insert(error),
        }
        self
    }

    /// Runs this many jobs at once.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.config.concurrency = concurrency;
        self
    }

    /// Holds up to this many jobs more than run, so that short jobs do not wait for the broker. They are leased: other
    /// workers cannot have them.
    pub fn prefetch(mut self, prefetch: usize) -> Self {
        self.config.prefetch = prefetch;
        self
    }

    /// Takes leases of this length. They are extended while the job runs; it is the time after which a dead worker's jobs
    /// come back.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.config.lease = lease;
        self
    }

    /// Waits this long for running jobs when it stops, before it cancels them.
    pub fn drain(mut self, drain: Duration) -> Self {
        self.config.drain = drain;
        self
    }

    /// Gives a cancelled handler this long to end by itself, before it is dropped.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace;
        self
    }

    /// Ends by itself when its queues are empty: nothing ready, delayed, held, parked, or leased by anybody.
    pub fn until_empty(mut self) -> Self {
        self.config.until_empty = true;
        self
    }

    fn add(mut self, task: &str, handler: Handler) -> Self {
        if let Err(error) = self.registry.add(task, handler) {
            self.mistake.get_or_insert(error);
        }
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// `Invalid` for a mistake in the building; `Unsupported` where the worker needs more than the broker's `Caps`
    /// promise, naming both numbers.
    pub async fn start(self) -> Result<RunningWorker> {
        self.check()?;
        let Self { backend, registry, config, .. } = self;
        let slots = config.concurrency + config.prefetch;
        let leases = Arc::new(Leases::new(config.lease));
        let heartbeat = lease::start(Arc::clone(&leases), Arc::clone(&backend.broker))?;
        let shared = Arc::new(Shared {
            backend,
            registry,
            config,
            slots: Arc::new(Semaphore::new(slots)),
            leases,
            stats: Counters::default(),
            phase: watch::Sender::new(Phase::Running),
            pulse: Mutex::new(Pulse { last_receive: clock::now(), outage: None, end: None }),
        });
        let (work_in, work_out) = handover_buffer::bounded(slots);
        let (finished_in, finished_out) = handover_buffer::bounded(slots);
        let fetch = tokio::spawn(fetch::run(Arc::clone(&shared), work_in));
        let mut executors = JoinSet::new();
        for _ in 0..shared.config.concurrency {
            executors.spawn(execute::run(
                Arc::clone(&shared),
                work_out.clone(),
                finished_in.clone(),
            ));
        }
        let settle = tokio::spawn(settle::run(Arc::clone(&shared), finished_out));
        Ok(RunningWorker::new(shared, Parts { fetch, executors, settle, heartbeat }))
    }

    fn check(&self) -> Result<()> {
        if let Some(mistake) = &self.mistake {
            return Err(mistake.duplicate());
        }
        let config = &self.config;
        if config.queues.is_empty() {
            return Err(Error::invalid(
                "the worker has no queue to receive from; give it a handler or a queue",
            ));
        }
        if config.concurrency == 0
            || config.concurrency.saturating_add(config.prefetch) > Self::SLOTS_MAX
        {
            return Err(Error::invalid(
                "a worker's concurrency is at least 1, and with its prefetch at most 100000",
            )
            .fact("concurrency", config.concurrency)
            .fact("prefetch", config.prefetch));
        }
        self.check_caps()
    }

    /// The most jobs a worker may hold at once, running and prefetched.
    pub const SLOTS_MAX: usize = 100_000;

    /// Compares what the worker needs with what the broker promises: better at deploy time than at night.
    fn check_caps(&self) -> Result<()> {
        let caps = self.backend.broker.caps();
        crate::limits::check_lease(caps, self.config.lease)?;
        if self.config.lease < Duration::from_millis(100)
            && matches!(caps.lease, LeaseKind::Timed { .. })
        {
            return Err(Error::invalid(
                "a worker's lease is at least 100 ms, so that it can be extended in time",
            )
            .fact("lease_ms", self.config.lease.as_millis()));
        }
        for handler in self.registry.all() {
            handler.retry.check()?;
            let rest = if handler.retry.attempts_max > 1 {
                handler.retry.delay_max
            } else {
                Duration::ZERO
            };
            if caps.delay_max.unwrap_or_default() < rest {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "the longest rest between attempts is longer than the broker can delay",
                )
                .fact("delay_max_ms", rest.as_millis())
                .fact("broker_delay_max_ms", caps.delay_max.unwrap_or_default().as_millis()));
            }
        }
        if self.config.until_empty && self.backend.broker.inspect().is_none() {
            return Err(fetch::cannot_end());
        }
        Ok(())
    }
}
