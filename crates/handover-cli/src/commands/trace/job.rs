//! The story of one job, line by line: who did what with it, and for what it waited.

use std::fmt::Write;

use handover::JobId;
use handover::history::How;

use super::lanes::short;
use super::report::brief;
use super::story::{Hold, Job, Send, Story};

/// The most lines: a job that is tried for ever has no end.
const LINES_MAX: usize = 100;

/// When, who (nobody: the job waits), and what.
type Line = (u64, Option<usize>, String);

/// The whole of it; an empty line behind it.
pub(super) fn lines(story: &Story, id: JobId) -> String {
    let Some(job) = story.jobs.get(&id) else { return String::new() };
    let mut lines: Vec<Line> = Vec::new();
    for send in &story.sends {
        let fates = send.jobs.iter().filter(|(job, _)| *job == id);
        lines.extend(fates.map(|(_, fate)| (send.from, Some(send.process), sent(send, job, fate))));
    }
    let holds: Vec<&Hold> = job.holds.iter().filter_map(|hold| story.holds.get(*hold)).collect();
    for hold in &holds {
        had(&mut lines, story, hold);
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
            let due = format!("waits: not due before {}", brief(from.saturating_add(delay)));
            lines.push((from, None, due));
        }
        behind(&mut lines, story, (id, job), from, to);
    }
    // What was done, then what is waited for since.
    lines.sort_by(|one, other| {
        (one.0, one.1.is_none(), one).cmp(&(other.0, other.1.is_none(), other))
    });
    shown(story, lines)
}

fn shown(story: &Story, lines: Vec<Line>) -> String {
    let width = story.processes.iter().map(|process| process.name.len()).max().unwrap_or(0);
    let more = lines.len().saturating_sub(LINES_MAX);
    let mut text = String::new();
    for (at, process, said) in lines.into_iter().take(LINES_MAX) {
        let name = process.and_then(|process| story.processes.get(process));
        let name = name.map_or("", |process| process.name.as_str());
        let _ = writeln!(text, "{:>10}  {name:<width$}  {said}", brief(at));
    }
    if more > 0 {
        let _ = writeln!(text, "{:>10}  {more} lines more", "…");
    }
    text.push('\n');
    text
}

fn sent(send: &Send, job: &Job, fate: &str) -> String {
    let what = send.failed.as_deref().unwrap_or(fate);
    let key = job.key.as_deref().map(|key| format!(" with key {key:?}")).unwrap_or_default();
    format!("sends it to {}{key}: {what} after {}", send.queue, brief(send.to - send.from))
}

/// What its owner did.
fn had(lines: &mut Vec<Line>, story: &Story, hold: &Hold) {
    let owner = Some(hold.process);
    lines.push((
        hold.from,
        owner,
        format!("has it: attempt {}, token {}", hold.attempt, hold.token),
    ));
    for (at, answer) in &hold.extended {
        lines.push((*at, owner, format!("makes its lease longer: {answer}")));
    }
    match (hold.to, &hold.refused) {
        (Some(to), None) => lines.push((to, owner, settled(hold.how).to_owned())),
        (Some(to), Some(kind)) => {
            lines.push((to, owner, format!("{}: refused, {kind}", settled(hold.how))));
        }
        (None, _) if hold.lease < story.length => {
            let lease = brief(hold.lease - hold.from);
            let said = format!("has settled nothing when its lease is over, {lease} later");
            lines.push((hold.lease, owner, said));
        }
        (None, _) => {}
    }
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
