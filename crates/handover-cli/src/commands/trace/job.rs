//! The story of one job, line by line: who did what with it, and for what it waited.

use std::fmt::Write;

use handover::history::{How, SteerWhat};
use handover::{JobId, JobState};
use serde_json::{Value, json};

use super::lanes::short;
use super::level::Now;
use super::story::{Hold, Job, Operation, Send, Story};
use super::times::{clock, exact};

/// The most lines, printed and as JSON: a job that is tried for ever has no end.
const LINES_MAX: usize = 100;
const OBJECTS_MAX: usize = 10_000;

/// When, who (nobody: the job waits), and what.
type Line = (u64, Option<usize>, String);

/// The whole of it; an empty line behind it.
pub(super) fn lines(story: &Story, id: JobId) -> String {
    shown(story, told(story, id))
}

/// The same for a program: the first lines of it.
pub(super) fn objects(story: &Story, id: JobId) -> Vec<Value> {
    let object = |(at, process, said): Line| {
        let name = process.and_then(|process| story.processes.get(process));
        json!({ "at_us": at, "process": name.map(|process| process.name.as_str()), "text": said })
    };
    told(story, id).into_iter().take(OBJECTS_MAX).map(object).collect()
}

fn told(story: &Story, id: JobId) -> Vec<Line> {
    let Some(job) = story.jobs.get(&id) else { return Vec::new() };
    let mut lines: Vec<Line> = Vec::new();
    for send in &story.sends {
        let fates = send.jobs.iter().filter(|(job, _)| *job == id);
        lines.extend(fates.map(|(_, fate)| (send.from, Some(send.process), sent(send, job, fate))));
    }
    let holds: Vec<&Hold> = job.holds.iter().filter_map(|hold| story.holds.get(*hold)).collect();
    for hold in &holds {
        had(&mut lines, story, job, hold);
    }
    for (operation, sure) in operations(story, job) {
        lines.push((operation.at, Some(operation.process), operated(operation, job, sure)));
    }
    // It waits from its coming on until it is first taken, and from the end of each lease until it is taken again.
    let first = job.accepted.map(|at| (at, job.delay, holds.first()));
    let again = holds.iter().enumerate().filter_map(|(number, hold)| {
        let open = matches!(hold.how, Some(How::Retry | How::Release)) && hold.refused.is_none();
        Some((hold.to.filter(|_| open)?, hold.after, holds.get(number + 1)))
    });
    for (from, delay, next) in first.into_iter().chain(again) {
        let to = next.map_or(story.length, |next| next.from);
        if delay > 0 {
            let due = format!("waits: not due before {}", exact(from.saturating_add(delay)));
            lines.push((from, None, due));
        }
        behind(&mut lines, story, (id, job), from, to);
    }
    // What was done, then what is waited for since.
    lines.sort_by(|one, other| {
        (one.0, one.1.is_none(), one).cmp(&(other.0, other.1.is_none(), other))
    });
    lines
}

/// What operators did to this job, or may have done where only the number of jobs is known: then with `false`.
pub(super) fn operations<'s>(
    story: &'s Story,
    job: &'s Job,
) -> impl Iterator<Item = (&'s Operation, bool)> {
    let its = job.operations.iter().filter_map(|number| story.operations.get(*number));
    let perhaps = story.operations.iter().filter(|operation| !operation.sure);
    let perhaps = perhaps.filter(|operation| match &operation.what {
        SteerWhat::Kick { queue, .. } => {
            *queue == job.queue && job.now(operation.at) == Some(Now::Buried)
        }
        SteerWhat::Purge { queue, state } => {
            let now = if *state == JobState::Buried { Now::Buried } else { Now::Open };
            *queue == job.queue && job.now(operation.at) == Some(now)
        }
        _ => false,
    });
    its.map(|operation| (operation, true)).chain(perhaps.map(|operation| (operation, false)))
}

fn operated(operation: &Operation, job: &Job, sure: bool) -> String {
    let which =
        if sure { "this one with them" } else { "perhaps this one; the history does not say" };
    let jobs = operation.jobs;
    let jobs = |word: &str| format!("{jobs} {word} {}", if jobs == 1 { "job" } else { "jobs" });
    match &operation.what {
        SteerWhat::Cancel { .. } => "cancels it: buried".to_owned(),
        SteerWhat::Delete { .. } => "deletes it".to_owned(),
        SteerWhat::KickJob { .. } if job.turns.contains(&(operation.at, Now::Open)) => {
            "brings it back".to_owned()
        }
        SteerWhat::KickJob { .. } => "makes it due".to_owned(),
        SteerWhat::Kick { queue, .. } => {
            format!("brings {} of {queue} back: {which}", jobs("buried"))
        }
        SteerWhat::Purge { queue, state } => {
            format!("purges {} of {queue}: {which}", jobs(state.as_str()))
        }
        _ => String::new(),
    }
}

fn shown(story: &Story, lines: Vec<Line>) -> String {
    let width = story.processes.iter().map(|process| process.name.len()).max().unwrap_or(0);
    let more = lines.len().saturating_sub(LINES_MAX);
    let mut text = String::new();
    for (at, process, said) in lines.into_iter().take(LINES_MAX) {
        let name = process.and_then(|process| story.processes.get(process));
        let name = name.map_or("", |process| process.name.as_str());
        let when = clock(story.begin.saturating_add(at));
        let _ = writeln!(text, "{:>9}  {when}  {name:<width$}  {said}", exact(at));
    }
    if more > 0 {
        let _ = writeln!(text, "{:>9}  {more} lines more", "…");
    }
    text.push('\n');
    text
}

fn sent(send: &Send, job: &Job, fate: &str) -> String {
    let what = send.failed.as_deref().unwrap_or(fate);
    let key = job.key.as_deref().map(|key| format!(" with key {key:?}")).unwrap_or_default();
    format!("sends it to {}{key}: {what} after {}", send.queue, exact(send.to - send.from))
}

/// What its owner did.
fn had(lines: &mut Vec<Line>, story: &Story, job: &Job, hold: &Hold) {
    let owner = Some(hold.process);
    lines.push((
        hold.from,
        owner,
        format!("has it: attempt {}, token {}", hold.attempt, hold.token),
    ));
    for (at, answer) in &hold.extended {
        lines.push((*at, owner, format!("makes its lease longer: {answer}")));
    }
    // In whichever way it goes on: from here on another may have the job.
    let late = hold.to.filter(|to| hold.lease < *to);
    lines.extend(late.map(|_| (hold.lease, owner, "its lease is over".to_owned())));
    match (hold.to, &hold.refused) {
        (Some(to), None) => lines.push((to, owner, settled(hold.how).to_owned())),
        (Some(to), Some(kind)) => {
            lines.push((to, owner, format!("{}: refused, {kind}", settled(hold.how))));
        }
        (None, _) if hold.lease < story.length && !is_taken(story, job, hold) => {
            let lease = exact(hold.lease - hold.from);
            let said = format!("has settled nothing when its lease is over, {lease} later");
            lines.push((hold.lease, owner, said));
        }
        (None, _) => {}
    }
}

/// Whether an operator ended the lease before its time.
fn is_taken(story: &Story, job: &Job, hold: &Hold) -> bool {
    let its = job.operations.iter().filter_map(|number| story.operations.get(*number));
    let mut within = its.filter(|one| hold.from < one.at && one.at <= hold.lease);
    within.any(|one| !matches!(one.what, SteerWhat::KickJob { .. } | SteerWhat::Kick { .. }))
}

fn settled(how: Option<How>) -> &'static str {
    match how {
        Some(How::Done) => "settles it: done",
        Some(How::Retry) => "settles it: to be tried again",
        Some(How::Release) => "gives it back",
        Some(How::Bury) => "settles it: buried",
        None => "settles it",
    }
}

/// Who had a job of the same key while this one waited: of a key, one at a time is handed out.
fn behind(lines: &mut Vec<Line>, story: &Story, (id, job): (JobId, &Job), from: u64, to: u64) {
    if job.key.is_none() {
        return;
    }
    for (other, same) in &story.jobs {
        if *other == id || same.key != job.key || same.queue != job.queue {
            continue;
        }
        for hold in same.holds.iter().filter_map(|hold| story.holds.get(*hold)) {
            let end = hold.to.unwrap_or(hold.lease);
            if hold.from >= to || end <= from {
                continue;
            }
            let owner = story.processes.get(hold.process).map_or("?", |owner| owner.name.as_str());
            let said = format!("waits: {owner} has {} of the same key", short(*other));
            lines.push((std::cmp::max(hold.from, from), None, said));
        }
    }
}
