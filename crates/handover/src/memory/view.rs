//! Looking into the memory broker's queues, and steering them.

use std::time::Duration;

use super::queue::{Job, Queue};
use super::state::State;
use super::{MemoryBroker, named};
use crate::broker::BoxFuture;
use crate::clock::Instant;
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::inspect::{
    Explanation, Inspect, JobFilter, JobInfo, JobPage, JobState, QueueInfo, Steer,
};
use crate::message::QueueName;

impl MemoryBroker {
    /// Answers without waiting, as every look and every hand on a queue does, once it is polled.
    fn at_once<'a, T: 'a>(
        &'a self,
        operation: &'static str,
        work: impl FnOnce(&mut State, Instant) -> Result<T> + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        named(operation, async move { self.with(work) })
    }
}

impl Inspect for MemoryBroker {
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueInfo>>> {
        self.at_once("queues", move |state, _| Ok(state.queues.values().map(Queue::info).collect()))
    }

    fn queue<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<QueueInfo>>> {
        self.at_once("queue", move |state, _| Ok(state.queues.get(queue).map(Queue::info)))
    }

    fn jobs<'a>(
        &'a self,
        queue: &'a QueueName,
        filter: JobFilter,
    ) -> BoxFuture<'a, Result<JobPage>> {
        self.at_once("jobs", move |state, now| {
            let Some(queue) = state.queues.get(queue) else {
                return Ok(JobPage::new(Vec::new(), None));
            };
            let mut page = queue
                .jobs
                .range(filter.after.saturating_add(1)..)
                .filter(|(_, job)| filter.state.is_none_or(|state| state == job.state));
            let taken: Vec<_> = page.by_ref().take(filter.page_size()).collect();
            let last = taken.last().map(|(seq, _)| **seq);
            let next = page.next().and(last);
            Ok(JobPage::new(
                taken.into_iter().map(|(_, job)| info(queue, job, now)).collect(),
                next,
            ))
        })
    }

    fn job(&self, id: JobId) -> BoxFuture<'_, Result<Option<JobInfo>>> {
        self.at_once("job", move |state, now| {
            Ok(find(state, id).map(|(queue, _, job)| info(queue, job, now)))
        })
    }

    fn explain(&self, id: JobId) -> BoxFuture<'_, Result<Option<Explanation>>> {
        self.at_once("explain", move |state, now| {
            Ok(find(state, id).map(|(queue, seq, job)| explain(queue, seq, job, now)))
        })
    }
}

impl Steer for MemoryBroker {
    fn kick<'a>(&'a self, queue: &'a QueueName, max: u64) -> BoxFuture<'a, Result<u64>> {
        self.at_once("kick", move |state, now| {
            let Some(queue) = state.queues.get_mut(queue) else { return Ok(0) };
            let mut kicked = 0;
            while kicked < max {
                let Some(&seq) = queue.buried.first() else { break };
                if queue.room() == 0 {
                    if kicked == 0 {
                        return Err(no_room(queue));
                    }
                    break;
                }
                queue.kick(seq, now);
                kicked += 1;
            }
            Ok(kicked)
        })
    }

    fn kick_job(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        self.at_once("kick_job", move |state, now| {
            let Some((name, seq)) = place(state, id) else { return Ok(false) };
            let queue = state.queue(&name)?;
            match queue.jobs.get(&seq).map(|job| job.state) {
                Some(JobState::Buried) if queue.room() == 0 => Err(no_room(queue)),
                Some(JobState::Buried | JobState::Delayed) => {
                    queue.kick(seq, now);
                    Ok(true)
                }
                _ => Ok(false),
            }
        })
    }

    fn cancel(&self, id: JobId, reason: String) -> BoxFuture<'_, Result<bool>> {
        self.at_once("cancel", move |state, now| {
            let Some((name, seq)) = place(state, id) else { return Ok(false) };
            state.queue(&name)?.bury(seq, &reason, now);
            state.admit(&name, now);
            Ok(true)
        })
    }

    fn delete(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        self.at_once("delete", move |state, now| {
            let Some((name, seq)) = place(state, id) else { return Ok(false) };
            let queue = state.queue(&name)?;
            if queue.jobs.get(&seq).is_some_and(|job| job.state == JobState::Leased) {
                return Err(Error::invalid("the job has an owner; cancel it first").fact("id", id));
            }
            queue.remove(seq, now);
            state.ids.remove(&id);
            state.admit(&name, now);
            Ok(true)
        })
    }

    fn purge<'a>(
        &'a self,
        queue: &'a QueueName,
        job_state: JobState,
    ) -> BoxFuture<'a, Result<u64>> {
        self.at_once("purge", move |state, now| {
            if job_state == JobState::Leased {
                return Err(Error::invalid(
                    "leased jobs have an owner and cannot be purged; cancel them one by one",
                ));
            }
            let Some(found) = state.queues.get_mut(queue) else { return Ok(0) };
            let doomed: Vec<u64> = found
                .jobs
                .iter()
                .filter(|(_, job)| job.state == job_state)
                .map(|(seq, _)| *seq)
                .collect();
            let mut purged = 0;
            for seq in doomed {
                // Removing one may have given another its turn, and with it another state.
                if found.jobs.get(&seq).is_some_and(|job| job.state != job_state) {
                    continue;
                }
                if let Some(job) = found.remove(seq, now) {
                    state.ids.remove(&job.message.id);
                    purged += 1;
                }
            }
            state.admit(queue, now);
            Ok(purged)
        })
    }

    fn pause<'a>(&'a self, queue: &'a QueueName, paused: bool) -> BoxFuture<'a, Result<()>> {
        self.at_once("pause", move |state, _| {
            state.queue(queue)?.paused = paused;
            Ok(())
        })
    }
}

fn place(state: &State, id: JobId) -> Option<(QueueName, u64)> {
    let known = state.ids.get(&id)?;
    Some((known.queue.clone(), known.seq?))
}

fn find(state: &State, id: JobId) -> Option<(&Queue, u64, &Job)> {
    let known = state.ids.get(&id)?;
    let (queue, seq) = (state.queues.get(&known.queue)?, known.seq?);
    Some((queue, seq, queue.jobs.get(&seq)?))
}

fn info(queue: &Queue, job: &Job, now: Instant) -> JobInfo {
    let mut info = JobInfo::new(job.message.clone(), queue.name.clone(), job.state);
    info.attempt = job.attempt;
    info.token = job.token;
    info.age = now - job.sent;
    info.due_in = due_in(job, now);
    info.reason.clone_from(&job.reason);
    info
}

fn due_in(job: &Job, now: Instant) -> Option<Duration> {
    matches!(job.state, JobState::Delayed | JobState::Leased).then(|| job.due - now)
}

fn explain(queue: &Queue, seq: u64, job: &Job, now: Instant) -> Explanation {
    let mut answer = Explanation::new(job.state);
    answer.earliest = due_in(job, now);
    match job.state {
        JobState::Ready if queue.settings.exclusive && queue.count(JobState::Leased) > 0 => {
            answer
                .because
                .push("the queue is exclusive and another job of it is running".to_owned());
        }
        JobState::Ready => {
            let urgency = std::cmp::Reverse(job.message.priority.level());
            match queue.ready.range(..(urgency, seq)).count() {
                0 => {
                    answer.because.push("it is next, as soon as a worker asks for work".to_owned())
                }
                before => answer.because.push(format!("{before} ready jobs come before it")),
            }
        }
        JobState::Delayed => answer.because.push(match &job.reason {
            Some(reason) => {
                format!("it waits to be tried again after attempt {}: {reason}", job.attempt)
            }
            None if job.token > 0 => "it was given back for a while".to_owned(),
            None => "it was sent with a delay".to_owned(),
        }),
        JobState::Leased => {
            answer.because.push(format!("a worker has it, attempt {}", job.attempt))
        }
        JobState::Held => {
            let key = job.message.key.as_deref().unwrap_or_default();
            answer.waits_for = queue.active(key);
            answer.because.push(format!("another job with the key {key:?} is not settled"));
        }
        JobState::Parked => answer.because.push(format!(
            "the queue is full: {} of {} places are taken, and {} children wait before it",
            queue.depth(),
            queue.settings.capacity,
            queue.parked.range(..seq).count()
        )),
        JobState::Buried => answer.because.push(format!(
            "it was put aside: {}; kick it to bring it back",
            job.reason.as_deref().unwrap_or("no reason given")
        )),
    }
    if queue.paused {
        answer.because.insert(0, "the queue is paused".to_owned());
    }
    answer
}

fn no_room(queue: &Queue) -> Error {
    Error::new(
        ErrorKind::Full,
        "the queue has no room for a job that comes back; try again when some are done",
    )
    .fact("queue", &queue.name)
    .fact("capacity", queue.settings.capacity)
}
