//! A worker that tells when its handler starts, in this process or in another, and the sender that wakes it one job at a time.
//! The start of a handler is its first line, on a clock that both processes read; no program is started for a job, so none's
//! start is counted.

use std::path::Path;
use std::time::Duration;

use handover::{
    Backend, Client, Context, Failure as JobFailure, QueueName, QueueSettings, RunningWorker, Task,
    Worker,
};
use tokio::sync::mpsc;

use crate::Failure;
use crate::child::{self, Child};
use crate::measure::{shared_ns, us_between};

/// Between a job and the next, so that each meets a machine at rest.
const REST: Duration = Duration::from_millis(5);

/// With a payload of 200 bytes, as the other figures.
const WAKE: Task<String, ()> = Task::new("wake", "idle.0");
const PAYLOAD_BYTES: usize = 200;

/// The queue with this number.
pub(crate) fn queue(number: u32) -> String {
    format!("idle.{number}")
}

/// Makes the file with its queues.
pub(crate) async fn declare(file: &Path, queues: u32) -> Result<Backend, Failure> {
    let backend = handover_sqlite::open(file)?;
    for number in 0..queues {
        let name = QueueName::new(queue(number))?;
        backend.broker.declare(&name, &QueueSettings::with_capacity(1_000)).await?;
    }
    Ok(backend)
}

/// A worker of all the queues; each handler's start goes to the returned end.
async fn start(
    backend: &Backend,
    queues: u32,
) -> Result<(RunningWorker, mpsc::Receiver<u64>), Failure> {
    let (starts_in, starts) = mpsc::channel(1);
    let mut worker = Worker::new(backend).handle(WAKE, move |_: Context, _: String| {
        let (at, starts) = (shared_ns(), starts_in.clone());
        async move {
            // Whoever no longer asks has ended.
            _ = starts.send(at).await;
            Ok::<(), JobFailure>(())
        }
    });
    for number in 0..queues {
        worker = worker.queue(&queue(number));
    }
    Ok((worker.start().await?, starts))
}

/// A sender and the worker that it wakes.
pub(crate) struct Waker {
    backend: Backend,
    client: Client,
    queues: u32,
    place: Place,
}

enum Place {
    Here(RunningWorker, mpsc::Receiver<u64>),
    Across(Child),
}

impl Waker {
    /// Both in this process.
    pub(crate) async fn here(file: &Path, queues: u32) -> Result<Self, Failure> {
        let backend = declare(file, queues).await?;
        let (worker, starts) = start(&backend, queues).await?;
        Ok(Self {
            client: Client::new(&backend),
            backend,
            queues,
            place: Place::Here(worker, starts),
        })
    }

    /// The worker in a process of its own.
    pub(crate) async fn across(file: &Path, queues: u32) -> Result<Self, Failure> {
        let backend = declare(file, queues).await?;
        let child =
            Child::start(["work".into(), file.as_os_str().to_owned(), queues.to_string().into()])?;
        Ok(Self { client: Client::new(&backend), backend, queues, place: Place::Across(child) })
    }

    /// Sends to this queue: from the call to the handler's start in microseconds. Returns when the job is done.
    async fn once(&mut self, number: u32) -> Result<f64, Failure> {
        let name = QueueName::new(queue(number))?;
        let arguments = "x".repeat(PAYLOAD_BYTES);
        let sent = shared_ns();
        let job = self.client.job(WAKE, &arguments)?.queue(name).send().await?;
        let started = match &mut self.place {
            Place::Here(_, starts) => starts.recv().await.ok_or("the worker has ended")?,
            Place::Across(child) => child.number()?,
        };
        job.result().await?;
        Ok(us_between(sent, started))
    }

    async fn end(self) -> Result<(), Failure> {
        match self.place {
            Place::Here(worker, _) => _ = worker.stop().await?,
            Place::Across(child) => child.finish()?,
        }
        Ok(self.backend.close().await?)
    }
}

/// Wakes the worker this often, queue after queue, with a rest between: each time from send to start, in microseconds.
pub(crate) async fn wake(mut waker: Waker, times: u64) -> Result<Vec<f64>, Failure> {
    let mut all = Vec::new();
    let numbers = (0..waker.queues).cycle();
    for (_, number) in (0..times).zip(numbers) {
        all.push(waker.once(number).await?);
        tokio::time::sleep(REST).await;
    }
    waker.end().await?;
    Ok(all)
}

/// The process of the worker: it says each start, until its input ends.
pub(crate) fn child(file: &Path, queues: u32) -> Result<(), Failure> {
    let backend = handover_sqlite::open(file)?;
    let runtime = crate::runtime()?;
    let worker = runtime.block_on(async {
        let (worker, mut starts) = start(&backend, queues).await?;
        tokio::spawn(async move {
            while let Some(at) = starts.recv().await {
                if child::tell(&at.to_string()).is_err() {
                    break; // the bench has gone, and the input ends
                }
            }
        });
        Ok::<_, Failure>(worker)
    })?;
    child::tell("ready")?;
    while child::told()? {}
    runtime.block_on(async {
        worker.stop().await?;
        Ok(backend.close().await?)
    })
}
