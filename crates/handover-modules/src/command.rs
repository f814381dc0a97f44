//! A command as a consumer: any program, in any language, run once for each attempt of a job.
//!
//! The arguments go to its stdin as they were sent, its stdout is the result, and its exit code is the outcome:
//!
//! | the command | the attempt |
//! |---|---|
//! | exits with 0 | done; the result is stdout, as it is where that is JSON, else as a JSON string |
//! | exits with 75 ([`RETRY`]) | failed; again, as the retry policy says |
//! | exits with any other code | failed for good; buried with the end of stderr as the reason |
//! | is killed by a signal (a shell then exits with 129 to 192), or cannot be started | failed; again, as the retry policy says |
//! | writes more to stdout than the result store takes | killed; buried |
//!
//! Trailing line ends of stdout are dropped, as `$(command)` does in a shell; a command that prints nothing has no result.
//!
//! # The process group
//!
//! A command runs as the leader of a process group of its own, and the group ends with it. To stop a command the whole
//! group gets SIGTERM, then SIGKILL after the grace. What is left of the group when the command has ended is killed too,
//! so a command that puts a process into the background must wait for it, or take it out of the group (`setsid`). A
//! worker that dies without a word takes its commands along: see `guard.rs`.
//!
//! What does not live here: receiving, leases, retries and timeouts, which are the worker's. In reading order: this file
//! (the outcome), `talk.rs` (one run of the command), `group.rs` (signals), `guard.rs`.

mod group;
mod guard;
mod talk;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use handover::{BoxFuture, Context, Outcome, Settle};

use self::guard::Guard;
use self::talk::{End, Talk};

/// The exit code of a command that wants to be tried again: `EX_TEMPFAIL` of sysexits.h.
pub const RETRY: i32 = 75;

/// What the reason of a failure may take beside the end of stderr: the exit status, and what the retry policy adds.
const REASON_RESERVE_BYTES: usize = 256;
/// The end of stderr that is kept, in bytes.
const STDERR_BYTES_MAX: usize = Settle::REASON_BYTES_MAX - REASON_RESERVE_BYTES;

/// A shell command that consumes jobs.
///
/// ```
/// use std::time::Duration;
/// use handover::{Backend, Client, Envelope, QueueName, QueueSettings, RetryPolicy, Worker};
/// use handover_modules::command::Command;
///
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// let backend = Backend::memory();
/// let client = Client::new(&backend);
/// client.declare("sums", &QueueSettings::with_capacity(10)).await?;
/// let job = Envelope::new("double", b"21".to_vec())?.into_message();
/// let id = job.id;
/// client.send_messages(&QueueName::new("sums")?, &[job]).await?;
///
/// let double = Command::new("read number; echo $((number * 2))").handler().unwrap();
/// let minute = Duration::from_secs(60);
/// let worker = Worker::new(&backend).queue("sums").handle_any(minute, RetryPolicy::DEFAULT, double);
/// worker.until_empty().start().await?.join().await?;
/// assert_eq!(client.find::<i64>(id).result().await.unwrap(), 42);
/// # handover::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Command {
    script: OsString,
    environment: Vec<(OsString, OsString)>,
    grace: Duration,
}

impl Command {
    /// The command that `sh -c script` runs, with a grace of five seconds.
    #[must_use]
    pub fn new(script: impl Into<OsString>) -> Self {
        Self { script: script.into(), environment: Vec::new(), grace: Duration::from_secs(5) }
    }

    /// One variable more in the command's environment, on top of the worker's own and of what each job brings:
    /// `HANDOVER_JOB_ID`, `HANDOVER_TASK`, `HANDOVER_QUEUE`, `HANDOVER_ATTEMPT` and `HANDOVER_TOKEN`.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The time between SIGTERM and SIGKILL, and the time a command's leftovers have to close its stdout.
    ///
    /// Give the worker a longer [`grace`](handover::Worker::grace) than the command, or it drops the attempt first: then
    /// the group is killed at once.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The command as a handler for [`Worker::handle_any`](handover::Worker::handle_any). Dropping the future of an
    /// attempt kills the command's whole group.
    ///
    /// # Errors
    /// Where the process that guards the commands cannot be started.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn handler(
        self,
    ) -> std::io::Result<
        impl Fn(Context, Vec<u8>) -> BoxFuture<'static, Outcome> + Send + Sync + 'static,
    > {
        let this = Arc::new(Ready { guard: Guard::start()?, command: self });
        Ok(move |context, body| {
            let this = Arc::clone(&this);
            Box::pin(async move { this.attempt(&context, body).await }) as BoxFuture<'static, _>
        })
    }
}

/// A command that can be run.
#[derive(Debug)]
struct Ready {
    command: Command,
    guard: Arc<Guard>,
}

impl Ready {
    async fn attempt(&self, context: &Context, body: Vec<u8>) -> Outcome {
        let mut talk = Talk::new(context.backend().results.caps().output_bytes_max);
        let end = match self.process(context).spawn() {
            Ok(child) => {
                talk.run(child, body, &self.guard, self.command.grace, context.cancel()).await
            }
            Err(error) => return retry(format!("the command could not be started: {error}")),
        };
        outcome(end, &talk)
    }

    fn process(&self, context: &Context) -> tokio::process::Command {
        let mut process = tokio::process::Command::new("sh");
        process
            .arg("-c")
            .arg(&self.command.script)
            .env("HANDOVER_JOB_ID", context.id().to_string())
            .env("HANDOVER_TASK", context.task())
            .env("HANDOVER_QUEUE", context.queue().as_str())
            .env("HANDOVER_ATTEMPT", context.attempt().to_string())
            .env("HANDOVER_TOKEN", context.token().to_string())
            .envs(self.command.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        process
    }
}

/// The outcome of an attempt whose command ended like this.
fn outcome(end: End, talk: &Talk) -> Outcome {
    match end {
        End::Exited(status) if status.success() => Outcome::Done { output: output(talk.stdout()) },
        End::Exited(status) if is_for_good(status) => {
            Outcome::Bury { reason: reason(&describe(status), talk) }
        }
        End::Exited(status) => retry(reason(&describe(status), talk)),
        End::TooMuch => Outcome::Bury {
            reason: format!(
                "the command was killed: it wrote more than the {} bytes to stdout that the result store takes; let it \
                 store its output elsewhere and print where it is",
                talk.stdout_bytes_max()
            ),
        },
        End::Cancelled(why, Some(status)) if status.success() => {
            tracing::debug!(%why, "the command finished although it was told to stop");
            Outcome::Done { output: output(talk.stdout()) }
        }
        End::Cancelled(why, _) => retry(reason(&format!("stopped, because {why}"), talk)),
        End::Lost(error) => retry(format!("the command was lost: {error}")),
    }
}

/// A shell whose command was killed by a signal ends with 128 and the signal's number.
const KILLED: std::ops::RangeInclusive<i32> = 129..=192;

fn is_for_good(status: ExitStatus) -> bool {
    status.code().is_some_and(|code| code != RETRY && !KILLED.contains(&code))
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) if KILLED.contains(&code) => {
            format!("exit code {code}, killed by signal {}", code - 128)
        }
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// What happened, and the end of stderr.
fn reason(what: &str, talk: &Talk) -> String {
    let stderr = talk.stderr();
    if stderr.is_empty() { what.to_owned() } else { format!("{what}: {stderr}") }
}

fn retry(reason: String) -> Outcome {
    Outcome::Retry { after: None, reason }
}

/// What was written to stdout, as JSON text.
fn output(stdout: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stdout);
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return None;
    }
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    Some(if is_json { text.trim().to_owned() } else { serde_json::Value::from(text).to_string() })
}
