//! A running worker: the handle on it, how it is, and how it ends.
//!
//! Its parts are the fetcher, the executors, the settler and the heartbeat. Whichever part ends first ends the worker: the
//! fetcher because it was told to, or its queues are empty; any other only because it died, which must not go unnoticed,
//! for the fetcher would go on taking jobs that nobody runs. Without the heartbeat there is no time to drain: what runs is
//! cancelled and given back at once, before its leases run out.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle, JoinSet};

use super::cancel::CancelReason;
use super::lease::Heartbeat;
use super::stats::WorkerStats;
use super::{Phase, Shared};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};

/// The parts of a worker, as they run.
pub(super) struct Parts {
    pub(super) fetch: JoinHandle<Result<()>>,
    pub(super) executors: JoinSet<()>,
    pub(super) settle: JoinHandle<()>,
    pub(super) heartbeat: Heartbeat,
}

/// How long what is cancelled may take to be given back, beyond the handlers' grace. What is not given back by then comes
/// back when its lease ends.
const GIVE_BACK_MAX: Duration = Duration::from_secs(10);

/// Brings a worker to its end: waits until it fetches no more, drains, cancels, and stops the heartbeat last.
async fn end(shared: Arc<Shared>, parts: Parts) -> Result<WorkerStats> {
    let Parts { mut fetch, mut executors, mut settle, mut heartbeat } = parts;
    let mut settled = None;
    let fetched = loop {
        tokio::select! {
            biased;
            fetched = &mut fetch => break fetched.unwrap_or_else(|error| Err(died("fetching", error))),
            // One that has ended well has nothing more to run: then the fetcher ends too, or has just ended.
            Some(executed) = executors.join_next() => if let Err(error) = executed {
                break Err(died("executing", error));
            },
            () = heartbeat.ended() => break lost_its_heartbeat(&shared),
            done = &mut settle, if settled.is_none() => {
                if done.is_err() {
                    shared.advance(Phase::Draining); // nobody can settle what would be fetched
                }
                settled = Some(done);
            }
        }
    };
    if let Err(error) = &fetched {
        shared.note_end(error);
    }
    shared.advance(Phase::Draining);
    if settled.is_none() {
        settled = tokio::select! {
            done = &mut settle => Some(done),
            () = drain_is_over(&shared) => None,
            () = heartbeat.ended() => None,
        };
    }
    let settled = match settled {
        Some(done) => done,
        None => give_back(&shared, settle).await,
    };
    shared.leases.stop();
    // The thread sleeps on the condition that was just rung, or is in one call to the broker, which has an end.
    let beaten = tokio::task::spawn_blocking(move || heartbeat.join()).await;
    beaten.unwrap_or_else(|error| Err(died("ending", error)))?;
    let settled = settled.map_err(|error| died("settling", error));
    fetched.and(settled).map(|()| shared.stats.read())
}

/// The heartbeat ends by itself only when it dies: nothing is fetched any more, and what runs is to be given back at once.
fn lost_its_heartbeat(shared: &Shared) -> Result<()> {
    shared.advance(Phase::Cancelling);
    Err(Error::new(
        ErrorKind::Internal,
        "the heartbeat of the worker died; what runs is given back",
    ))
}

/// The second phase: cancels what still runs, and waits until it is given back.
async fn give_back(
    shared: &Shared,
    mut settle: JoinHandle<()>,
) -> std::result::Result<(), JoinError> {
    shared.advance(Phase::Cancelling);
    shared.leases.cancel_all(CancelReason::Stopping);
    let in_time = tokio::time::timeout(shared.config.grace * 2 + GIVE_BACK_MAX, &mut settle).await;
    in_time.unwrap_or_else(|_| {
        tracing::error!(
            "not everything could be given back; the rest comes back when its leases end"
        );
        settle.abort();
        Ok(())
    })
}

/// Ends when what runs has had its time, or nobody wants to wait for it any longer.
async fn drain_is_over(shared: &Shared) {
    shared.at_least(Phase::Draining).await;
    tokio::select! {
        () = tokio::time::sleep_until(clock::after(shared.config.drain)) => {}
        () = shared.at_least(Phase::Cancelling) => {}
    }
}

fn died(part: &str, error: JoinError) -> Error {
    Error::new(ErrorKind::Internal, format!("the {part} part of the worker died; please report it"))
        .source(error)
}

/// How a running worker is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// Time since the broker last answered a receive. More than a minute while slots are free means trouble.
    pub since_receive: Duration,
    /// Free slots of all.
    pub free_slots: usize,
    /// Why it does nothing, or is ending because a part of it died; for people.
    pub idle_because: Option<String>,
    /// The counts.
    pub stats: WorkerStats,
}

/// A worker that runs. Dropping it lets it run on; stop it to end it.
#[derive(Debug)]
pub struct RunningWorker {
    shared: Arc<Shared>,
    end: JoinHandle<Result<WorkerStats>>,
}

impl RunningWorker {
    pub(super) fn new(shared: Arc<Shared>, parts: Parts) -> Self {
        let end = tokio::spawn(end(Arc::clone(&shared), parts));
        Self { shared, end }
    }

    /// Stops it in two phases: fetches no more and lets what runs finish, for as long as `drain` says; then cancels what
    /// still runs and gives it back, without counting the attempt.
    ///
    /// # Errors
    /// The error that had ended it before, if one did.
    pub async fn stop(self) -> Result<WorkerStats> {
        self.handle().drain();
        self.join().await
    }

    /// Waits until it ends: because it was told to, because its queues are empty and it was asked to end then, or because
    /// of an error that no waiting mends.
    ///
    /// # Errors
    /// That error.
    pub async fn join(self) -> Result<WorkerStats> {
        self.end.await.unwrap_or_else(|error| Err(died("ending", error)))
    }

    /// A handle that watches and stops it from elsewhere, such as a signal handler.
    #[must_use]
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle(Arc::clone(&self.shared))
    }
}

/// Watches and stops a worker. Clones mean the same one; it may have ended.
#[derive(Debug, Clone)]
pub struct WorkerHandle(Arc<Shared>);

impl WorkerHandle {
    /// Begins the first phase of a stop: nothing new is begun, what runs may finish.
    pub fn drain(&self) {
        self.0.advance(Phase::Draining);
    }

    /// Begins the second phase at once: what runs is cancelled and given back.
    pub fn cancel(&self) {
        self.0.advance(Phase::Cancelling);
    }

    /// How the worker is.
    #[must_use]
    pub fn health(&self) -> Health {
        let pulse = self.0.pulse();
        let stats = self.0.stats.read();
        let idle_because = match (&pulse.outage, stats.running) {
            _ if pulse.end.is_some() => pulse.end.clone(),
            (Some(outage), _) => Some(format!("the broker or the result store is away: {outage}")),
            (None, 0) if self.0.phase() > Phase::Running => Some("it is stopping".to_owned()),
            (None, 0) => Some("nothing in its queues can be taken".to_owned()),
            (None, _) => None,
        };
        Health {
            since_receive: clock::now() - pulse.last_receive,
            free_slots: self.0.slots.available_permits(),
            idle_because,
            stats,
        }
    }
}
