//! What the checker says, and how long things took: as text, as JSON, and for the picture.

use std::collections::{BTreeMap, HashMap};

use handover::JobId;
use handover::history::{Event, History, Kind, Place, Report};
use serde_json::{Value, json};

use super::story::Story;
use super::times::{brief, date};
use super::window::Narrow;

/// The most violations that are told; `--json` has all that the checker lists.
const TOLD_MAX: usize = 10;

/// What came of it.
pub(super) struct Verdict<'a> {
    report: &'a Report,
    story: &'a Story,
    files: usize,
    /// The violations, as the checker lists them.
    pub(super) found: Vec<Found>,
}

/// A violation, and where it is seen.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) number: u64,
    pub(super) text: String,
    /// The moment of its last proof, and in whose history.
    pub(super) at: Option<u64>,
    pub(super) process: Option<usize>,
    pub(super) job: Option<JobId>,
}

impl<'a> Verdict<'a> {
    pub(super) fn new(
        history: &'a History,
        report: &'a Report,
        story: &'a Story,
        files: usize,
    ) -> Self {
        let proofs = report.violations.iter().filter_map(|one| one.places.last().copied());
        let mut events: HashMap<Place, (&Event, usize)> = HashMap::new();
        if report.is_clean() {
            return Self { report, story, files, found: Vec::new() };
        }
        let wanted: std::collections::HashSet<Place> = proofs.collect();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for (place, event) in history.events() {
            let next = numbers.len();
            let process = *numbers.entry(&event.process).or_insert(next);
            if wanted.contains(&place) {
                events.insert(place, (event, process));
            }
        }
        let found = |(number, one): (u64, &handover::history::Violation)| {
            let proof = one.places.last().and_then(|place| events.get(place));
            let at = proof.map(|(event, _)| event.at_us.saturating_sub(story.begin));
            let when = at.map(|at| format!(" at {}", brief(at))).unwrap_or_default();
            let (promise, kind, message) = (one.kind.promise(), one.kind, &one.message);
            let lines = one.lines.join(", ");
            Found {
                number,
                text: format!("{number}. {promise} {kind}{when}: {message} [{lines}]"),
                at,
                process: proof.map(|(_, process)| *process),
                job: named(message).filter(|job| story.jobs.contains_key(job)),
            }
        };
        let found = (1..).zip(&report.violations).map(found).collect();
        Self { report, story, files, found }
    }

    /// What the picture is of.
    pub(super) fn title(&self, narrow: &Narrow) -> String {
        let (events, length) = (self.report.counts.events, brief(self.story.length));
        let processes = self.story.processes.len();
        let processes = many(processes as u64, "process", "processes");
        let begin = date(self.story.begin);
        let mut title = format!("{events} events of {processes} in {length}, begun {begin}");
        if let Some(job) = narrow.job {
            title = format!("job {job}, counted from {begin}");
        }
        if !narrow.queues.is_empty() {
            title.push_str(&format!(", queue {}", narrow.queues.join(", ")));
        }
        if narrow.length() < self.story.length {
            title.push_str(&format!(", from {} to {}", brief(narrow.from), brief(narrow.to)));
        }
        title
    }

    /// The verdict in a line.
    pub(super) fn line(&self) -> String {
        let c = &self.report.counts;
        let unsettled = self.story.unsettled();
        let counts = format!(
            "{} accepted, {} done, {} buried, {unsettled} not settled",
            many(c.accepted, "job", "jobs"),
            c.done,
            c.buried
        );
        if self.report.is_clean() {
            return format!("no promise was broken: {counts}");
        }
        let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
        for one in &self.report.violations {
            *kinds.entry(one.kind).or_default() += 1;
        }
        let kinds = kinds.iter().map(|(kind, count)| format!("{} {kind} {count}", kind.promise()));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        let all = self.report.violations.len() as u64 + self.report.more;
        let times = if all == 1 { "once".to_owned() } else { format!("{all} times") };
        format!("promises were broken {times} ({kinds}): {counts}")
    }

    /// What stands below the verdict: the violations, and what to know about the history.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> =
            self.found.iter().take(TOLD_MAX).map(|found| found.text.clone()).collect();
        let more = self.report.more + (self.found.len() - notes.len()) as u64;
        if more > 0 {
            notes.push(format!("{more} more; --json lists {} at most", Report::VIOLATIONS_MAX));
        }
        let c = &self.report.counts;
        if c.redeliveries > 0 {
            notes.push(format!(
                "{} of {} deliveries were not the first",
                c.redeliveries, c.deliveries
            ));
        }
        let others = [
            (c.refused, "message was", "messages were", "refused"),
            (c.retried, "delivery is", "deliveries are", "to be tried again"),
            (c.lease_lost, "settlement came", "settlements came", "after the lease was lost"),
            (c.settle_unknown, "settlement has", "settlements have", "no answer to rely on"),
        ];
        for (count, one, several, what) in others.into_iter().filter(|(count, ..)| *count > 0) {
            notes.push(format!("{} {what}", many(count, one, several)));
        }
        if c.torn > 0 {
            let lines = many(c.torn, "last line was", "last lines were");
            notes.push(format!("{lines} torn, as a kill leaves it, and left out"));
        }
        notes
    }

    /// The verdict without lanes.
    pub(super) fn text(&self, picture: &handover_lab::picture::Picture) -> String {
        let lines = [picture.title.clone(), self.line()].into_iter().chain(self.notes());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// How long jobs were in the queue before somebody had them, and how long somebody had them.
    pub(super) fn times(&self, narrow: &Narrow) -> String {
        let (queued, held) = times(self.story, narrow);
        let line = |name: &str, times: &Times| {
            let [half, most, longest] = [times.half, times.most, times.longest].map(brief);
            format!("{name}  half within {half}, 99 of 100 within {most}, the longest {longest}")
        };
        match (queued, held) {
            (Some(queued), Some(held)) => {
                format!("\n{}\n{}", line("in the queue ", &queued), line("with an owner", &held))
            }
            _ => String::new(),
        }
    }

    /// What a violation presumes.
    pub(super) fn hint(&self) -> Option<&'static str> {
        (!self.report.is_clean()).then_some(
            "this presumes the histories of all processes that touched this database, from their first job on, and of one \
             database only",
        )
    }

    pub(super) fn object(&self) -> Value {
        let c = &self.report.counts;
        let violations = self.report.violations.iter().zip(&self.found).map(|(one, found)| {
            json!({
                "promise": one.kind.promise(), "kind": one.kind.as_str(), "message": one.message,
                "at_us": found.at, "job": found.job.map(|job| job.to_string()), "lines": one.lines,
            })
        });
        let queues = self.story.queues.iter().map(|(name, queue)| {
            let most = queue.counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
            json!({ "queue": name, "capacity": queue.capacity, "unsettled_max": most })
        });
        let all = Narrow::all(self.story);
        let (queued, held) = times(self.story, &all);
        json!({
            "clean": self.report.is_clean(),
            "violations": violations.collect::<Vec<_>>(),
            "violations_more": self.report.more,
            "begin_us": self.story.begin,
            "length_us": self.story.length,
            "files": self.files,
            "processes": self.story.processes.len(),
            "events": c.events,
            "torn": c.torn,
            "messages": c.attempted,
            "accepted": c.accepted,
            "duplicates": c.duplicates,
            "refused": c.refused,
            "unknown": c.unknown,
            "deliveries": c.deliveries,
            "redeliveries": c.redeliveries,
            "extended": c.extended,
            "done": c.done,
            "retried": c.retried,
            "released": c.released,
            "buried": c.buried,
            "lease_lost": c.lease_lost,
            "settle_unknown": c.settle_unknown,
            "unsettled": self.story.unsettled(),
            "queues": queues.collect::<Vec<_>>(),
            "queued_us": queued.map(Times::object),
            "held_us": held.map(Times::object),
        })
    }
}

/// The first job that a message names.
fn named(message: &str) -> Option<JobId> {
    message.split_whitespace().find_map(|word| word.trim_end_matches(',').parse().ok())
}

/// A number of things.
fn many(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// Some times, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    half: u64,
    most: u64,
    longest: u64,
}

impl Times {
    fn of(mut all: Vec<u64>) -> Option<Self> {
        all.sort_unstable();
        let longest = *all.last()?;
        let part = |hundredths: usize| {
            let rank = (all.len() * hundredths).div_ceil(100).saturating_sub(1);
            all.get(rank).copied().unwrap_or(longest)
        };
        Some(Self { half: part(50), most: part(99), longest })
    }

    fn object(self) -> Value {
        json!({ "half": self.half, "p99": self.most, "max": self.longest })
    }
}

/// From accepted to first taken, and from taken until it was settled or the lease was lost; of those that were settled.
fn times(story: &Story, narrow: &Narrow) -> (Option<Times>, Option<Times>) {
    let is_seen = |job: JobId, queue: &str| narrow.has_job(job) && narrow.has_queue(queue);
    let jobs = story.jobs.iter().filter(|(id, job)| is_seen(**id, &job.queue));
    let queued = jobs.filter_map(|(_, job)| {
        let first = story.holds.get(*job.holds.first()?)?.from;
        narrow.place(first)?;
        Some(first.saturating_sub(job.accepted?))
    });
    let holds = story.holds.iter().filter(|hold| is_seen(hold.job, &hold.queue));
    let held = holds.filter_map(|hold| {
        // Who settles late did not have it any more.
        let to = std::cmp::min(hold.to?, story.over(hold));
        narrow.place(to)?;
        Some(to.saturating_sub(hold.from))
    });
    (Times::of(queued.collect()), Times::of(held.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_times_are_within_the_middle_one() {
        let times = Times::of((1..=200).rev().collect()).unwrap();
        assert_eq!((times.half, times.most, times.longest), (100, 198, 200));
        let one = Times::of(vec![7]).unwrap();
        assert_eq!((one.half, one.most, one.longest), (7, 7, 7));
        assert!(Times::of(Vec::new()).is_none());
    }
}
