//! From a story to lanes: for each process one for what it sends, and one for each job that it had at the same time.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use handover::history::How;
use handover_lab::picture::{Lane, Segment, State};

use super::story::{Hold, Send, Story};
use super::times::brief;
use super::window::Narrow;

/// Lanes, and where to find things in them.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) lanes: Vec<Lane>,
    /// The lane of a lease, by its number among the story's.
    pub(super) of_hold: HashMap<usize, usize>,
    /// The lane in which a process sends, if it does.
    pub(super) of_sender: HashMap<usize, usize>,
    /// The processes of the lanes.
    processes: Vec<usize>,
    /// How many lanes fewer there are since the jobs of each process are in one, and how many are left out.
    pub(super) folded: usize,
    pub(super) left_out: usize,
}

impl Lanes {
    /// Lanes for all of it, and at most so many.
    pub(super) fn of(story: &Story, narrow: &Narrow, most: usize) -> Self {
        let mut all = Self::default();
        for process in 0..story.processes.len() {
            all.add(story, narrow, process);
        }
        if all.lanes.len() > most {
            let before = all.lanes.len();
            all.fold_senders();
            if all.lanes.len() > most {
                all.fold(story);
            }
            all.folded = before - all.lanes.len();
        }
        if all.lanes.len() > most {
            all.left_out = all.lanes.len() - most;
            all.keep(most);
        }
        all
    }

    /// The first lane of a process.
    pub(super) fn first(&self, process: usize) -> Option<usize> {
        let own = self.processes.iter().position(|other| *other == process);
        own.or_else(|| self.of_sender.get(&process).copied())
    }

    fn add(&mut self, story: &Story, narrow: &Narrow, process: usize) {
        let name = &story.processes[process].name;
        let sends = sent(story, narrow, process);
        let (slots, asleep) = (slots(story, narrow, process), asleep(story, narrow, process));
        let taking = usize::from(slots.is_empty() && !asleep.is_empty());
        if !sends.is_empty() {
            self.of_sender.insert(process, self.lanes.len());
        }
        let apart = slots.is_empty() || is_much(&sends, narrow.length());
        let mut aside = if apart { Vec::new() } else { sends.clone() };
        let apart = apart && !sends.is_empty();
        if apart {
            let sends = sends.into_iter().filter_map(|segment| cut(narrow, segment));
            self.push(process, format!("{name} sends"), sends.collect());
        }
        let several = apart || slots.len() > 1;
        for (number, holds) in (1..).zip(slots.into_iter().chain(vec![Vec::new(); taking])) {
            let mut segments = Vec::new();
            for hold in &holds {
                self.of_hold.insert(*hold, self.lanes.len());
                let had = had(story, &story.holds[*hold]);
                segments.extend(waits(story, *hold, had));
            }
            segments.extend(gaps(&segments, &std::mem::take(&mut aside)));
            segments.sort_by_key(|segment| segment.from);
            segments.extend(gaps(&segments, &asleep));
            segments.sort_by_key(|segment| segment.from);
            let segments = segments.into_iter().filter_map(|segment| cut(narrow, segment));
            let name = if several { format!("{name} #{number}") } else { name.clone() };
            self.push(process, name, segments.collect());
        }
    }

    fn push(&mut self, process: usize, name: String, segments: Vec<Segment>) {
        self.lanes.push(Lane { name, segments, marks: Vec::new() });
        self.processes.push(process);
    }

    /// One lane for all processes that do nothing but send: short commands may be many, and the workers are behind them.
    fn fold_senders(&mut self) {
        let mut lanes: HashMap<usize, usize> = HashMap::new();
        for process in &self.processes {
            *lanes.entry(*process).or_default() += 1;
        }
        let holds: HashSet<usize> = self.of_hold.values().copied().collect();
        let alone = |(process, lane): (&usize, &usize)| {
            (lanes.get(process) == Some(&1) && !holds.contains(lane)).then_some(*lane)
        };
        let senders: HashSet<usize> = self.of_sender.iter().filter_map(alone).collect();
        if senders.len() < 2 {
            return;
        }
        let old = std::mem::take(self);
        let (mut to, mut folded) = (Vec::new(), None);
        for (number, (lane, process)) in old.lanes.into_iter().zip(old.processes).enumerate() {
            if !senders.contains(&number) {
                to.push(self.lanes.len());
                self.push(process, lane.name, lane.segments);
                continue;
            }
            let place = *folded.get_or_insert(self.lanes.len());
            to.push(place);
            match self.lanes.get_mut(place) {
                Some(all) => all.segments.extend(lane.segments),
                None => self.push(process, format!("senders ({})", senders.len()), lane.segments),
            }
        }
        if let Some(all) = folded.and_then(|place| self.lanes.get_mut(place)) {
            all.segments = together(std::mem::take(&mut all.segments));
        }
        self.of_hold = moved(old.of_hold, &to);
        self.of_sender = moved(old.of_sender, &to);
    }

    /// Keeps so many lanes: first those on which something is broken, then those on which somebody waits, then those with jobs.
    fn keep(&mut self, most: usize) {
        let mut order: Vec<usize> = (0..self.lanes.len()).collect();
        let best = |lane: &usize| {
            let lane = self.lanes.get(*lane).map(|lane| lane.segments.iter());
            Reverse(lane.into_iter().flatten().map(rank).max())
        };
        order.sort_by_cached_key(best);
        order.truncate(most);
        order.sort_unstable();
        let to: HashMap<usize, usize> = order.iter().copied().zip(0..).collect();
        let mut number = 0..;
        self.lanes.retain(|_| number.next().is_some_and(|lane| to.contains_key(&lane)));
        let mut number = 0..;
        self.processes.retain(|_| number.next().is_some_and(|lane| to.contains_key(&lane)));
        for places in [&mut self.of_hold, &mut self.of_sender] {
            places.retain(|_, lane| to.get(lane).map(|place| *lane = *place).is_some());
        }
    }

    /// One lane for all the jobs of a process.
    fn fold(&mut self, story: &Story) {
        let old = std::mem::take(self);
        let mut to = Vec::new();
        let holds: HashSet<usize> = old.of_hold.values().copied().collect();
        let senders: HashSet<usize> = old.of_sender.values().copied().collect();
        let sends = |lane: usize| senders.contains(&lane) && !holds.contains(&lane);
        let mut last = None;
        for (number, lane) in old.lanes.into_iter().enumerate() {
            let process = old.processes[number];
            if sends(number) {
                self.push(process, lane.name, lane.segments);
            } else if last == Some(process) {
                if let Some(folded) = self.lanes.last_mut() {
                    folded.segments.extend(lane.segments);
                }
            } else {
                self.push(
                    process,
                    format!("{} jobs", story.processes[process].name),
                    lane.segments,
                );
                last = Some(process);
            }
            to.push(self.lanes.len() - 1);
        }
        for lane in &mut self.lanes {
            lane.segments = together(std::mem::take(&mut lane.segments));
        }
        self.of_hold = moved(old.of_hold, &to);
        self.of_sender = moved(old.of_sender, &to);
    }
}

/// The same things, in the lanes that theirs have become.
fn moved(places: HashMap<usize, usize>, to: &[usize]) -> HashMap<usize, usize> {
    places.into_iter().filter_map(|(what, lane)| Some((what, *to.get(lane)?))).collect()
}

/// Whether a process sends so much, or waits so long for it, that it needs a lane for that. Else it is drawn among its jobs.
fn is_much(sends: &[Segment], length: u64) -> bool {
    let waits = sends.iter().any(|segment| segment.state == State::Waiting);
    waits || sends.iter().map(Segment::length).sum::<u64>() > length / 50
}

/// What is sent by nobody's job.
fn sent(story: &Story, narrow: &Narrow, process: usize) -> Vec<Segment> {
    let is_drawn = |send: &&Send| send.parent.is_none() && narrow.has_send(send);
    let its = story.of[process].sends.iter().filter_map(|send| story.sends.get(*send));
    let mut sends: Vec<&Send> = its.filter(is_drawn).collect();
    sends.sort_by_key(|send| send.from);
    let segments = sends.into_iter().map(|send| {
        let state = if send.full == Some(true) { State::Waiting } else { State::Running };
        let failed = send.failed.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        let unknown = if send.full.is_none() { ", sending or waiting" } else { "" };
        let about = format!("{} to {}{unknown}{failed}", many(send.jobs.len()), send.queue);
        stretch(send.from, std::cmp::max(send.to, send.from + 1), state, about)
    });
    together(segments.collect())
}

fn many(jobs: usize) -> String {
    if jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") }
}

/// The leases of a process, in as few lanes as they fit into without overlaps.
fn slots(story: &Story, narrow: &Narrow, process: usize) -> Vec<Vec<usize>> {
    let is_drawn =
        |(_, hold): &(usize, &Hold)| narrow.has_queue(&hold.queue) && narrow.has_job(hold.job);
    let mut slots: Vec<(u64, Vec<usize>)> = Vec::new();
    let its = story.of[process].holds.iter();
    let its = its.filter_map(|number| Some((*number, story.holds.get(*number)?)));
    for (number, hold) in its.filter(is_drawn) {
        let end = had(story, hold).last().map_or(hold.from, |segment| segment.to);
        match slots.iter_mut().find(|(free, _)| *free <= hold.from) {
            Some((free, holds)) => {
                *free = end;
                holds.push(number);
            }
            None => slots.push((end, vec![number])),
        }
    }
    slots.into_iter().map(|(_, holds)| holds).collect()
}

/// One lease: as long as its owner has it, and as long as only one of the two is left.
fn had(story: &Story, hold: &Hold) -> Vec<Segment> {
    let over = story.over(hold);
    let seen = story.processes[hold.process].last;
    let (lost, to, why) = match hold.to {
        Some(to) if hold.refused.is_some() => (over, to, "its lease was over"),
        Some(to) => (to, to, ""),
        None if over >= story.length => (story.length, story.length, ""),
        None => (seen, over, "its owner was heard of no more"),
    };
    let lost = lost.clamp(hold.from, to);
    let mut segments = vec![stretch(hold.from, lost, State::Holding, told(hold))];
    segments.push(stretch(lost, to, State::Broken, format!("{}; {why}", told(hold))));
    segments.retain(|segment| segment.from < segment.to);
    segments
}

/// What a lease is: which job, and how it ended.
fn told(hold: &Hold) -> String {
    let how = match (&hold.refused, hold.how) {
        (Some(kind), _) => format!("refused: {kind}"),
        (None, Some(How::Done)) => "done".to_owned(),
        (None, Some(How::Retry)) => "to be tried again".to_owned(),
        (None, Some(How::Release)) => "given back".to_owned(),
        (None, Some(How::Bury)) => "buried".to_owned(),
        (None, None) => "not settled".to_owned(),
    };
    let after = hold.to.map(|to| format!(" after {}", brief(to - hold.from))).unwrap_or_default();
    let (id, attempt) = (short(hold.job), hold.attempt);
    format!("{id} of {}, attempt {attempt}, {how}{after}", hold.queue)
}

/// The end of an id, which tells jobs apart that were made at the same time.
pub(super) fn short(id: handover::JobId) -> String {
    let id = id.to_string();
    format!("…{}", id.get(id.len().saturating_sub(8)..).unwrap_or(&id))
}

/// The same, with the times marked in which this job waited for room for what it sent itself.
fn waits(story: &Story, hold: usize, had: Vec<Segment>) -> Vec<Segment> {
    let waited = |send: &&Send| {
        // Who may overdraw waits for nothing.
        let is = |what: &str| send.jobs.iter().any(|(_, fate)| fate == what);
        send.full == Some(true) && is("stored") && !is("parked") && send.from < send.to
    };
    let mut all = had;
    let sends = story.holds[hold].sends.iter().filter_map(|send| story.sends.get(*send));
    for send in sends.filter(waited) {
        let inside = |segment: &Segment| {
            segment.state == State::Holding && segment.from <= send.from && send.to <= segment.to
        };
        let Some(place) = all.iter().position(inside) else { continue };
        let whole = all.remove(place);
        let about = format!("room in {}", send.queue);
        let wait = stretch(send.from, send.to, State::Waiting, about);
        let parts = [
            Segment { to: send.from, ..whole.clone() },
            Segment { holds: whole.about.clone(), ..wait },
            Segment { from: send.to, ..whole },
        ];
        all.extend(parts.into_iter().filter(|part| part.from < part.to));
        all.sort_by_key(|segment| segment.from);
    }
    all
}

/// When a process asked for jobs, without overlaps.
fn asleep(story: &Story, narrow: &Narrow, process: usize) -> Vec<Segment> {
    if narrow.job.is_some() {
        return Vec::new();
    }
    let asks = story.of[process].receives.iter().filter_map(|ask| story.receives.get(*ask));
    let asks = asks.filter(|ask| ask.queues.iter().any(|queue| narrow.has_queue(queue)));
    let asks = asks.map(|receive| {
        stretch(
            receive.from,
            receive.to,
            State::Asleep,
            format!("a job of {}", receive.queues.join(", ")),
        )
    });
    together(asks.filter(|segment| segment.from < segment.to).collect())
}

/// What of these stretches lies between those.
fn gaps(between: &[Segment], asleep: &[Segment]) -> Vec<Segment> {
    let mut taken = between.iter().peekable();
    let mut found = Vec::new();
    for segment in asleep {
        let mut from = segment.from;
        while let Some(next) = taken.peek().filter(|next| next.from < segment.to) {
            if from < next.from {
                found.push(Segment { from, to: next.from, ..segment.clone() });
            }
            from = std::cmp::max(from, next.to);
            // One that goes on may cover the next stretch too.
            if next.to > segment.to {
                break;
            }
            taken.next();
        }
        if from < segment.to {
            found.push(Segment { from, ..segment.clone() });
        }
    }
    found
}

/// Stretches that may overlap as one line: what matters most is seen.
fn together(mut segments: Vec<Segment>) -> Vec<Segment> {
    segments.sort_by_key(|segment| segment.from);
    if segments.windows(2).all(|pair| pair[0].to <= pair[1].from) {
        return segments;
    }
    let mut times: Vec<u64> =
        segments.iter().flat_map(|segment| [segment.from, segment.to]).collect();
    times.sort_unstable();
    times.dedup();
    let mut all: Vec<Segment> = Vec::new();
    let mut open: Vec<&Segment> = Vec::new();
    let mut coming = segments.iter().peekable();
    for pair in times.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        open.retain(|segment| segment.to > from);
        while let Some(next) = coming.next_if(|next| next.from <= from) {
            open.push(next);
        }
        let Some(seen) = open.iter().copied().max_by_key(|segment| rank(segment)) else { continue };
        let same = open.iter().filter(|other| other.state == seen.state).count();
        let about = if same > 1 { format!("{same} at a time") } else { seen.about.clone() };
        match all.last_mut() {
            Some(last) if last.to == from && last.state == seen.state && last.about == about => {
                last.to = to;
            }
            _ => all.push(Segment { from, to, about, ..(*seen).clone() }),
        }
    }
    all
}

/// What matters most has the highest.
fn rank(segment: &Segment) -> u8 {
    match segment.state {
        State::Broken => 4,
        State::Waiting => 3,
        State::Holding => 2,
        State::Running => 1,
        _ => 0,
    }
}

fn stretch(from: u64, to: u64, state: State, about: String) -> Segment {
    Segment { from, to, state, about, holds: String::new() }
}

fn cut(narrow: &Narrow, segment: Segment) -> Option<Segment> {
    let (from, to) = narrow.cut(segment.from, segment.to)?;
    Some(Segment { from, to, ..segment })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(from: u64, to: u64, state: State) -> Segment {
        stretch(from, to, state, String::new())
    }

    fn times(segments: &[Segment]) -> Vec<(u64, u64)> {
        segments.iter().map(|segment| (segment.from, segment.to)).collect()
    }

    #[test]
    fn what_lies_between_is_what_is_not_taken() {
        let asleep = [one(0, 10, State::Asleep), one(20, 30, State::Asleep)];
        let held = |times: &[(u64, u64)]| {
            times.iter().map(|(from, to)| one(*from, *to, State::Holding)).collect::<Vec<_>>()
        };
        let between = |taken: &[(u64, u64)]| times(&gaps(&held(taken), &asleep));
        assert_eq!(between(&[]), [(0, 10), (20, 30)]);
        assert_eq!(between(&[(2, 4), (4, 5), (9, 21)]), [(0, 2), (5, 9), (21, 30)]);
        assert_eq!(between(&[(0, 30)]), []);
        assert_eq!(between(&[(5, 25), (26, 40)]), [(0, 5), (25, 26)]);
    }

    #[test]
    fn of_what_overlaps_the_most_important_is_seen() {
        let all = together(vec![
            one(0, 10, State::Asleep),
            one(2, 6, State::Holding),
            one(4, 8, State::Holding),
            one(5, 6, State::Broken),
        ]);
        let seen: Vec<_> = all.iter().map(|one| (one.from, one.to, one.state)).collect();
        let (asleep, held, broken) = (State::Asleep, State::Holding, State::Broken);
        assert_eq!(
            seen,
            [
                (0, 2, asleep),
                (2, 4, held),
                (4, 5, held),
                (5, 6, broken),
                (6, 8, held),
                (8, 10, asleep)
            ]
        );
        assert_eq!(all[2].about, "2 at a time");
    }
}
