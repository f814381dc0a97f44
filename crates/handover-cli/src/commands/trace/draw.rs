//! The picture of a story: lanes, hand-overs, broken promises, and how full the queues were.

use std::collections::BTreeSet;

use handover_lab::picture::{Arrow, Level, Mark, Picture, Subject};

use super::lanes::{Lanes, short};
use super::report::Verdict;
use super::story::{Hold, Story};
use super::window::Narrow;

/// The most queues of which it is told that their capacity is unknown.
const UNKNOWN_MAX: usize = 3;

/// What the picture is for, and so how much of it can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// A terminal.
    Terminal,
    /// A page.
    Page,
    /// A program that zooms.
    All,
}

impl Detail {
    fn lanes_max(self) -> usize {
        match self {
            Self::Terminal => 40,
            Self::Page => 60,
            Self::All => 10_000,
        }
    }

    fn arrows_max(self) -> usize {
        match self {
            Self::Terminal => 0,
            Self::Page => 60,
            Self::All => 100_000,
        }
    }

    fn levels_max(self) -> usize {
        if self == Self::All { 1000 } else { 8 }
    }
}

/// Draws it.
pub(super) fn picture(
    story: &Story,
    verdict: &Verdict<'_>,
    narrow: &Narrow,
    detail: Detail,
) -> Picture {
    let mut lanes = Lanes::of(story, narrow, detail.lanes_max());
    let mut notes = verdict.notes();
    let (all, back) = arrows(story, narrow, &lanes);
    let most = detail.arrows_max();
    let hand_overs = all.len();
    let arrows = match (all.len() <= most, back.len() <= most) {
        (true, _) => all,
        (false, true) => back,
        (false, false) => Vec::new(),
    };
    if arrows.len() < hand_overs && detail != Detail::Terminal {
        let left = hand_overs - arrows.len();
        notes.push(format!(
            "{left} hand-overs are drawn without an arrow: --from, --to, --queue and --job show fewer"
        ));
    }
    mark(story, verdict, narrow, &mut lanes);
    if lanes.folded > 0 {
        notes.push(format!("{} lanes are saved: jobs or senders are in one", lanes.folded));
    }
    if lanes.left_out > 0 {
        notes.push(format!("{} lanes more are left out", lanes.left_out));
    }
    let (levels, more) = levels(story, narrow, detail.levels_max());
    if levels.iter().any(|level| !level.beside.is_empty()) {
        notes.push(
            "above the capacity: children of running jobs, parked until there is room".to_owned(),
        );
    }
    for queue in unknown(story, narrow) {
        notes.push(format!(
            "capacity of {queue} unknown: nobody declared it in this history; who sends to it may be waiting"
        ));
    }
    if more > 0 {
        notes.push(format!("{more} queues more are left out: name some with --queue"));
    }
    Picture {
        title: verdict.title(narrow),
        subject: Subject::Jobs,
        unit: "µs",
        length: narrow.length(),
        begin: narrow.from,
        lanes: lanes.lanes,
        arrows,
        levels,
        verdict: verdict.line(),
        notes,
        ..Picture::default()
    }
}

/// The hand-overs: from whoever sent a job to its first owner, and from each owner who lost it or gave it back to the next. All of
/// them, and those of the second kind.
fn arrows(story: &Story, narrow: &Narrow, lanes: &Lanes) -> (Vec<Arrow>, Vec<Arrow>) {
    let (mut all, mut back) = (Vec::new(), Vec::new());
    for (number, hold) in story.holds.iter().enumerate() {
        let (Some(to), Some(at)) = (lanes.of_hold.get(&number), narrow.place(hold.from)) else {
            continue;
        };
        let Some(job) = story.jobs.get(&hold.job) else { continue };
        let before = job.holds.iter().take_while(|other| **other != number).last();
        let (lane, left, text) = match before {
            Some(before) => {
                let Some(owner) = story.holds.get(*before) else { continue };
                (lanes.of_hold.get(before), ended(owner, hold), "comes back")
            }
            None => {
                let Some(send) = job.sent.and_then(|sent| story.sends.get(sent)) else { continue };
                let lane = match send.parent {
                    Some(parent) => lanes.of_hold.get(&parent),
                    None => lanes.of_sender.get(&send.process),
                };
                (lane, std::cmp::min(send.to, hold.from), "is handed over")
            }
        };
        let (Some(from), Some(since)) = (lane, narrow.place(left)) else { continue };
        let text = format!("{} {text}", short(hold.job));
        let arrow = Arrow { since, at, from: *from, to: *to, text };
        if before.is_some() {
            back.push(arrow.clone());
        }
        all.push(arrow);
    }
    (all, back)
}

/// When an owner had the job no more, before the next one got it.
fn ended(owner: &Hold, next: &Hold) -> u64 {
    let over = owner.to.filter(|_| owner.refused.is_none()).unwrap_or(owner.lease);
    std::cmp::min(over, next.from)
}

/// Marks the violations where and when they were proved.
fn mark(story: &Story, verdict: &Verdict<'_>, narrow: &Narrow, lanes: &mut Lanes) {
    for found in &verdict.found {
        let (Some(process), Some(at)) = (found.process, found.at.and_then(|at| narrow.place(at)))
        else {
            continue;
        };
        let same = |hold: &Hold| hold.process == process && Some(hold.job) == found.job;
        let held = story.holds.iter().enumerate().filter(|(_, hold)| same(hold));
        let lane = held.filter_map(|(number, _)| lanes.of_hold.get(&number)).next_back().copied();
        let lane = lane.or_else(|| lanes.first(process));
        if let Some(lane) = lane.and_then(|lane| lanes.lanes.get_mut(lane)) {
            lane.marks.push(Mark { at, text: found.text.clone(), wrong: Some(found.number) });
        }
    }
    for lane in &mut lanes.lanes {
        lane.marks.sort_by_key(|mark| mark.at);
    }
}

/// The queues to which somebody sends, and nobody knows whether there was room: the first of them.
fn unknown<'s>(story: &'s Story, narrow: &Narrow) -> impl Iterator<Item = &'s str> {
    let drawn = |send: &&super::story::Send| send.full.is_none() && narrow.has_send(send);
    let queues: BTreeSet<&str> =
        story.sends.iter().filter(drawn).map(|send| send.queue.as_str()).collect();
    queues.into_iter().take(UNKNOWN_MAX)
}

/// How many jobs each queue held, and how many queues there is no room for.
fn levels(story: &Story, narrow: &Narrow, most: usize) -> (Vec<Level>, usize) {
    let its = narrow.job.and_then(|job| story.jobs.get(&job)).map(|job| job.queue.as_str());
    let drawn = |name: &str| narrow.has_queue(name) && its.is_none_or(|its| its == name);
    let all = story.queues.iter().filter(|(name, queue)| drawn(name) && !queue.counts.is_empty());
    let sends = story.sends.iter();
    let parks = sends.filter(|send| send.jobs.iter().any(|(_, fate)| fate == "parked"));
    let parks: BTreeSet<&str> = parks.map(|send| send.queue.as_str()).collect();
    let level = |(name, queue): (&String, &super::story::Queue)| {
        let before = queue.counts.partition_point(|(at, _)| *at <= narrow.from);
        let first = before.checked_sub(1).and_then(|last| queue.counts.get(last));
        let first = first.map(|(_, count)| (0, *count));
        let later = queue.counts.iter().skip(before);
        let later = later.filter_map(|(at, count)| Some((narrow.place(*at)?, *count)));
        Level {
            name: name.clone(),
            counts: first.into_iter().chain(later).collect(),
            capacity: queue.capacity,
            beside: if parks.contains(name.as_str()) { "with parked" } else { "" }.to_owned(),
            ..Level::default()
        }
    };
    let mut levels: Vec<Level> = all.map(level).collect();
    let more = levels.len().saturating_sub(most);
    levels.truncate(most);
    (levels, more)
}
