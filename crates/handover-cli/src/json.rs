//! The objects that `--json` prints. Durations are whole milliseconds, states lower-case words, and each is one line.

use handover::{Explanation, JobId, JobInfo, QueueInfo, Record};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::duration::ms;

/// A queue.
#[derive(Debug, Serialize)]
pub(crate) struct Queue {
    queue: String,
    capacity: u64,
    overdraft: u64,
    exclusive: bool,
    durability: Option<String>,
    remember_ms: u64,
    paused: bool,
    depth: u64,
    ready: u64,
    delayed: u64,
    held: u64,
    leased: u64,
    parked: u64,
    buried: u64,
    depth_max: u64,
    accepted: u64,
    done: u64,
}

impl From<&QueueInfo> for Queue {
    fn from(info: &QueueInfo) -> Self {
        Self {
            queue: info.name.to_string(),
            capacity: info.settings.capacity,
            overdraft: info.settings.overdraft,
            exclusive: info.settings.exclusive,
            durability: info.settings.durability.map(|durability| durability.to_string()),
            remember_ms: ms(info.settings.remember),
            paused: info.paused,
            depth: info.depth(),
            ready: info.ready,
            delayed: info.delayed,
            held: info.held,
            leased: info.leased,
            parked: info.parked,
            buried: info.buried,
            depth_max: info.depth_max,
            accepted: info.accepted,
            done: info.done,
        }
    }
}

/// A job, without its arguments.
#[derive(Debug, Serialize)]
pub(crate) struct Job {
    id: JobId,
    queue: String,
    task: Option<String>,
    state: String,
    attempt: u32,
    token: u64,
    priority: u8,
    key: Option<String>,
    age_ms: u64,
    due_in_ms: Option<u64>,
    owner: Option<String>,
    reason: Option<String>,
    body_bytes: usize,
}

impl From<&JobInfo> for Job {
    fn from(job: &JobInfo) -> Self {
        Self {
            id: job.message.id,
            queue: job.queue.to_string(),
            task: job.message.task().map(str::to_owned),
            state: job.state.to_string(),
            attempt: job.attempt,
            token: job.token,
            priority: job.message.priority.level(),
            key: job.message.key.clone(),
            age_ms: ms(job.age),
            due_in_ms: job.due_in.map(ms),
            owner: job.owner.clone(),
            reason: job.reason.clone(),
            body_bytes: job.message.body.len(),
        }
    }
}

/// A job with its arguments.
#[derive(Debug, Serialize)]
pub(crate) struct FullJob {
    #[serde(flatten)]
    job: Job,
    headers: handover::Headers,
    /// The body where it is JSON.
    args: Option<Box<RawValue>>,
    /// The body as text where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl From<&JobInfo> for FullJob {
    fn from(info: &JobInfo) -> Self {
        let text = String::from_utf8_lossy(&info.message.body);
        let args = one_line(&text);
        let body = args.is_none().then(|| text.into_owned());
        Self { job: info.into(), headers: info.message.headers.clone(), args, body }
    }
}

/// Why a job does not run.
#[derive(Debug, Serialize)]
pub(crate) struct Why {
    id: JobId,
    state: String,
    because: Vec<String>,
    earliest_ms: Option<u64>,
    waits_for: Option<JobId>,
}

impl Why {
    pub(crate) fn new(id: JobId, explanation: &Explanation) -> Self {
        Self {
            id,
            state: explanation.state.to_string(),
            because: explanation.because.clone(),
            earliest_ms: explanation.earliest.map(ms),
            waits_for: explanation.waits_for,
        }
    }
}

/// The outcome of a job.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome<'a> {
    id: JobId,
    queue: &'a str,
    task: &'a str,
    status: &'a str,
    attempt: u32,
    token: u64,
    output: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    at_ms: u64,
    took_ms: u64,
}

impl<'a> From<&'a Record> for Outcome<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            id: record.id,
            queue: &record.queue,
            task: &record.task,
            status: record.status.as_str(),
            attempt: record.attempt,
            token: record.token,
            output: record.output.as_deref().and_then(one_line),
            reason: record.reason.as_deref(),
            at_ms: record.at_ms,
            took_ms: record.took_ms,
        }
    }
}

/// JSON text as it is, but on one line; `None` where it is no JSON.
fn one_line(text: &str) -> Option<Box<RawValue>> {
    // JSON has line ends only between tokens: inside strings they are escaped.
    RawValue::from_string(text.trim().replace(['\n', '\r'], " ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_put_on_one_line_without_touching_a_number() {
        let text = "{\n \"n\": 12345678901234567890123,\r\n \"s\": \"a\\nb\"\n}\n";
        let line = one_line(text).unwrap();
        assert!(!line.get().contains('\n') && line.get().contains("12345678901234567890123"));
        let value: serde_json::Value = serde_json::from_str(line.get()).unwrap();
        assert_eq!(value["s"], "a\nb");
        assert!(one_line("not json").is_none());
    }
}
