//! Which part of a story is looked at: some queues, one job, some time.

use handover::JobId;

use super::Trace;
use super::story::{Send, Story};
use super::times::brief;
use crate::failure::Failure;

/// What is drawn.
#[derive(Debug, Clone)]
pub(super) struct Narrow {
    /// These queues; all where none is named.
    pub(super) queues: Vec<String>,
    pub(super) job: Option<JobId>,
    /// From this moment on, in microseconds since the beginning, and up to this one.
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Narrow {
    /// Nothing is left out.
    pub(super) fn all(story: &Story) -> Self {
        Self { queues: Vec::new(), job: None, from: 0, to: story.length }
    }

    /// # Errors
    /// Where there is no such queue or job in the story, or the time is none.
    pub(super) fn of(story: &Story, asked: &Trace) -> Result<Self, Failure> {
        for queue in &asked.queues {
            if !story.queues.contains_key(queue) {
                let known: Vec<&str> = story.queues.keys().map(String::as_str).collect();
                return Err(Failure::nothing_found(format!("no queue {queue:?} in the history"))
                    .hint(format!("there are: {}", crate::table::cut(&known.join(", "), 200))));
            }
        }
        let job = asked.job.as_deref().map(|text| find(story, text)).transpose()?;
        let (mut from, mut to) = (0, story.length);
        if let Some(life) = job.and_then(|job| life(story, job)) {
            (from, to) = life;
        }
        let micros =
            |time| u64::try_from(std::time::Duration::as_micros(&time)).unwrap_or(u64::MAX);
        from = asked.from.map_or(from, micros);
        to = asked.to.map_or(to, micros).min(story.length);
        if from >= to {
            let length = brief(story.length);
            return Err(Failure::usage("there is nothing between --from and --to")
                .hint(format!("the history is {length} long")));
        }
        Ok(Self { queues: asked.queues.clone(), job, from, to })
    }

    pub(super) fn has_queue(&self, queue: &str) -> bool {
        self.queues.is_empty() || self.queues.iter().any(|one| one == queue)
    }

    pub(super) fn has_job(&self, job: JobId) -> bool {
        self.job.is_none_or(|one| one == job)
    }

    /// Whether any of its jobs is asked for.
    pub(super) fn has_send(&self, send: &Send) -> bool {
        self.has_queue(&send.queue) && send.jobs.iter().any(|(job, _)| self.has_job(*job))
    }

    pub(super) fn length(&self) -> u64 {
        self.to - self.from
    }

    /// A stretch of time, as the picture counts it; `None` where it is outside.
    pub(super) fn cut(&self, from: u64, to: u64) -> Option<(u64, u64)> {
        let (from, to) = (std::cmp::max(from, self.from), std::cmp::min(to, self.to));
        (from < to).then(|| (from - self.from, to - self.from))
    }

    /// A moment, as the picture counts it; `None` where it is outside.
    pub(super) fn place(&self, at: u64) -> Option<u64> {
        (self.from <= at && at < self.to).then(|| at - self.from)
    }
}

/// The most jobs that are told where several are meant.
const CANDIDATES_MAX: usize = 5;

/// The job whose id this is, or begins or ends with it, as pictures print it.
fn find(story: &Story, asked: &str) -> Result<JobId, Failure> {
    let text = asked.trim().trim_start_matches(['…', '.']).to_lowercase();
    let text = text.as_str();
    if text.is_empty() {
        return Err(Failure::usage(format!("{asked:?} is no id"))
            .hint("give the id of a job, or the beginning or the end of it"));
    }
    let is = |id: &&JobId| {
        let id = id.to_string();
        id.starts_with(text) || id.ends_with(text)
    };
    let mut found: Vec<JobId> = story.jobs.keys().filter(is).copied().collect();
    found.sort_unstable();
    let few: Vec<String> = found.iter().take(CANDIDATES_MAX).map(JobId::to_string).collect();
    match (found.pop(), found.len()) {
        (Some(job), 0) => Ok(job),
        (None, _) => Err(Failure::nothing_found(format!("no job {text:?} in the history"))
            .hint("give its id, or the beginning or the end of it")),
        (Some(_), more) => Err(Failure::usage(format!("{} jobs have {text:?}", more + 1))
            .hint(format!("give more of the id, such as one of {}", few.join(", ")))),
    }
}

/// From the send of a job to its end, with a little on both sides.
fn life(story: &Story, job: JobId) -> Option<(u64, u64)> {
    let job = story.jobs.get(&job)?;
    let first = job.holds.iter().filter_map(|hold| story.holds.get(*hold));
    let sent = job.sent.and_then(|sent| story.sends.get(sent)).map(|sent| sent.from);
    let from = sent.into_iter().chain(first.clone().map(|hold| hold.from)).min()?;
    let turned = job.turns.last().map(|(at, _)| *at);
    let operated = super::job::operations(story, job).map(|(operation, _)| operation);
    let to = first.map(|hold| hold.to.unwrap_or(hold.lease));
    let to = to.chain(turned).chain(operated.map(|operation| operation.at)).max()?;
    let to = std::cmp::min(to, story.length);
    let space = to.saturating_sub(from) / 20 + 1;
    Some((from.saturating_sub(space), std::cmp::min(to + space, story.length)))
}
