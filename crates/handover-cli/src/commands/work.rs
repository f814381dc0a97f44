//! `handover work`: any program as a consumer. The program itself is run by `handover_modules::command`.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use handover::{Health, QueueName, RetryPolicy, RunningWorker, Worker, WorkerStats, clock};
use handover_modules::command::Command;

use super::create_hint;
use crate::app::App;
use crate::connect::{self, Missing, Place};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Live, Output};
use crate::{duration, number, stop};

/// What a worker's grace is longer than the command's, so that the command is stopped and not dropped.
const GRACE_BEYOND: Duration = Duration::from_secs(2);

/// Run a command for each job: arguments on stdin, result on stdout, exit code is the outcome
///
/// The command runs through sh -c, in a process group of its own. Exit code 0: done, and stdout is the result (as it is
/// where it is JSON, else as a JSON string). 75: failed, to be tried again. Any other: failed for good, buried with the
/// end of stderr as the reason. Killed by a signal (129 to 192 from a shell), or out of time: to be tried again.
///
/// In its environment: HANDOVER_JOB_ID, HANDOVER_TASK, HANDOVER_QUEUE, HANDOVER_ATTEMPT, HANDOVER_TOKEN, HANDOVER_BROKER,
/// HANDOVER_RESULTS.
///
/// The first SIGINT (Ctrl-C) or SIGTERM lets running commands finish; the second stops them and gives their jobs back.
#[derive(Debug, Args)]
pub(crate) struct Work {
    /// The queues; the first one is served first
    #[arg(required = true, value_name = "QUEUE")]
    queues: Vec<QueueName>,
    /// The command
    #[arg(long, value_name = "COMMAND")]
    exec: OsString,
    /// How many commands run at once
    #[arg(
        long,
        short = 'c',
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = number::within(1..=Worker::SLOTS_MAX),
        env = "HANDOVER_CONCURRENCY",
        hide_env_values = true,
        default_value_t = 1
    )]
    concurrency: usize,
    /// How many jobs more to hold, so that short commands do not wait for the broker
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = number::within(0..=Worker::SLOTS_MAX - 1),
        env = "HANDOVER_PREFETCH",
        hide_env_values = true,
        default_value_t = 0
    )]
    prefetch: usize,
    /// The time after which the jobs of a dead worker come back
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, env = "HANDOVER_LEASE", hide_env_values = true, default_value = "30s")]
    lease: Duration,
    /// How long one attempt may run
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, env = "HANDOVER_TIMEOUT", hide_env_values = true, default_value = "1h")]
    timeout: Duration,
    /// How often a job is tried before it is buried
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number::within(1..=u32::MAX), env = "HANDOVER_ATTEMPTS", hide_env_values = true, default_value_t = RetryPolicy::DEFAULT.attempts_max)]
    attempts: u32,
    /// The longest rest after the first attempt; it doubles with each
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, env = "HANDOVER_RETRY_DELAY", hide_env_values = true, default_value = "1s")]
    retry_delay: Duration,
    /// The longest rest of all
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, env = "HANDOVER_RETRY_DELAY_MAX", hide_env_values = true, default_value = "10m")]
    retry_delay_max: Duration,
    /// How long running commands may go on when the worker stops
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, env = "HANDOVER_DRAIN", hide_env_values = true, default_value = "30s")]
    drain: Duration,
    /// The time between SIGTERM and SIGKILL for a command that is stopped
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, env = "HANDOVER_GRACE", hide_env_values = true, default_value = "5s")]
    grace: Duration,
    /// End when the queues are empty: nothing ready, delayed, held, parked, or leased by anybody
    #[arg(long)]
    until_empty: bool,
}

impl Work {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let missing = if self.until_empty { Missing::Refuse } else { Missing::Create };
        let stats = app
            .at(missing, async |place| {
                self.look_for_queues(app, place).await?;
                let worker = self.worker(app, place)?.start().await?;
                let stopping = stop::on_signals(worker.handle(), app.out);
                let stats = watch(app.out, worker).await;
                drop(stopping);
                Ok(stats?)
            })
            .await?;
        app.out.note(&stats.to_string());
        if app.out.is_json() {
            app.out.object(&stats)?;
        }
        Ok(Exit::Done)
    }

    /// A queue that is not there may come; but who waits for its end must not be told at once that it is empty.
    async fn look_for_queues(&self, app: &App, place: &Place) -> Result<(), Failure> {
        let Some(inspect) = place.backend.broker.inspect() else { return Ok(()) };
        for queue in &self.queues {
            if inspect.queue(queue).await?.is_some() {
                continue;
            }
            if self.until_empty {
                return Err(Failure::nothing_found(format!("there is no queue {queue:?}"))
                    .hint(create_hint(queue)));
            }
            app.out.note(&format!("there is no queue {queue:?} yet; waiting for it"));
        }
        Ok(())
    }

    fn worker(&self, app: &App, place: &Place) -> Result<Worker, Failure> {
        let mut command = Command::new(&self.exec)
            .grace(self.grace)
            .env("HANDOVER_BROKER", connect::absolute(&app.global.broker))
            .env("HANDOVER_RESULTS", connect::absolute_all(&app.global.results));
        if let Some(folder) = &app.global.history {
            let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
            command = command.env("HANDOVER_HISTORY", folder);
        }
        let command = command
            .handler()
            .map_err(|error| Failure::io("the commands' guard cannot be started", &error))?;
        let retry = RetryPolicy {
            attempts_max: self.attempts,
            delay_first: self.retry_delay,
            delay_max: self.retry_delay_max,
        };
        let mut worker = Worker::new(&place.backend)
            .handle_any(self.timeout, retry, command)
            .concurrency(self.concurrency)
            .prefetch(self.prefetch)
            .lease(self.lease)
            .drain(self.drain)
            .grace(self.grace.saturating_add(GRACE_BEYOND));
        for queue in &self.queues {
            worker = worker.queue(queue.as_str());
        }
        Ok(if self.until_empty { worker.until_empty() } else { worker })
    }
}

/// Draws the live line until the worker ends.
async fn watch(out: Output, worker: RunningWorker) -> handover::Result<WorkerStats> {
    let mut rate = Rate::new();
    let handle = worker.handle();
    let draw = async |live: &Live| {
        let health = handle.health();
        let settled = health.stats.done + health.stats.buried;
        live.set(settled, &line(&health, rate.of(settled)));
    };
    out.live(0).during(worker.join(), draw).await
}

/// How a worker is, in a line.
fn line(health: &Health, rate: f64) -> String {
    let WorkerStats { done, buried, retried, running, .. } = health.stats;
    let idle = match &health.idle_because {
        Some(because) => format!("; idle: {because}"),
        None => String::new(),
    };
    format!(
        "{done} done, {buried} failed, {retried} to be retried, {running} in flight, {rate:.1} jobs/s{idle}"
    )
}

/// Jobs per second over the last few seconds.
pub(super) struct Rate {
    from: clock::Instant,
    count: u64,
    shown: f64,
}

impl Rate {
    const WINDOW: Duration = Duration::from_secs(3);

    pub(super) fn new() -> Self {
        Self { from: clock::now(), count: 0, shown: 0.0 }
    }

    pub(super) fn of(&mut self, count: u64) -> f64 {
        let now = clock::now();
        let passed = now - self.from;
        if passed >= Self::WINDOW {
            let jobs = u32::try_from(count - self.count).unwrap_or(u32::MAX);
            self.shown = f64::from(jobs) / passed.as_secs_f64();
            (self.from, self.count) = (now, count);
        }
        self.shown
    }
}
