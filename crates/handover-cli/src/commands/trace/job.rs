//! The story of one job, line by line.

use std::fmt::Write;

use handover::JobId;
use handover::history::How;

use super::report::brief;
use super::story::Story;

/// The most lines: a job that is tried for ever has no end.
const LINES_MAX: usize = 100;

/// When, who, and what; an empty line behind it.
pub(super) fn lines(story: &Story, id: JobId) -> String {
    let mut lines: Vec<(u64, usize, String)> = Vec::new();
    for send in &story.sends {
        for (_, fate) in send.jobs.iter().filter(|(job, _)| *job == id) {
            let what = match &send.failed {
                None => fate.clone(),
                Some(why) => why.clone(),
            };
            let wait = send.to - send.from;
            let said = format!("sends it to {}: {what} after {}", send.queue, brief(wait));
            lines.push((send.from, send.process, said));
        }
    }
    let holds = story.jobs.get(&id).map(|job| job.holds.iter()).into_iter().flatten();
    for hold in holds.filter_map(|hold| story.holds.get(*hold)) {
        let lease = brief(hold.lease.saturating_sub(hold.from));
        let said = format!("has it: attempt {}, token {}", hold.attempt, hold.token);
        lines.push((hold.from, hold.process, said));
        for (at, answer) in &hold.extended {
            lines.push((*at, hold.process, format!("makes its lease longer: {answer}")));
        }
        let ended = match (hold.to, &hold.refused) {
            (Some(to), None) => (to, settled(hold.how)),
            (Some(to), Some(kind)) => (to, format!("{}: refused, {kind}", settled(hold.how))),
            (None, _) => {
                (hold.lease, format!("has settled nothing when its lease is over, {lease} later"))
            }
        };
        if hold.to.is_some() || hold.lease < story.length {
            lines.push((ended.0, hold.process, ended.1));
        }
    }
    lines.sort();
    let width = story.processes.iter().map(|process| process.name.len()).max().unwrap_or(0);
    let more = lines.len().saturating_sub(LINES_MAX);
    let mut text = String::new();
    for (at, process, said) in lines.into_iter().take(LINES_MAX) {
        let name = story.processes.get(process).map_or("?", |process| process.name.as_str());
        let _ = writeln!(text, "{:>10}  {name:<width$}  {said}", brief(at));
    }
    if more > 0 {
        let _ = writeln!(text, "{:>10}  {more} lines more", "…");
    }
    text.push('\n');
    text
}

fn settled(how: Option<How>) -> String {
    let word = match how {
        Some(How::Done) => "settles it: done",
        Some(How::Retry) => "settles it: to be tried again",
        Some(How::Release) => "gives it back",
        Some(How::Bury) => "settles it: buried",
        None => "settles it",
    };
    word.to_owned()
}
