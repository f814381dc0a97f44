//! P5, in order; and of P2, that a consumer does not sleep through work.
//!
//! - **Order within a key.** Job A was certainly accepted before job B of the same key (its answer, or somebody's having
//!   it, came before B's question, or both are new in one batch, A first), and B was certainly given before A can have ended.
//!   Between, A may be leased, delayed or waiting for its retry: B is held all the same. Missed: jobs whose sends overlap.
//! - **Order within a priority.** A job without a key was certainly ready while a job behind it was given: of a lower
//!   priority, or of the same and certainly accepted later. It is certainly ready from the answer that it was stored without
//!   a delay, or given back at once, until the question of the next receive that got it or of a settlement; and within one
//!   answer, by its place in it. Said only up to the first receive without an answer, because whoever asked that may hold
//!   any job. Missed: what comes back when a lease runs out; jobs that were parked; jobs of which nobody knows the send that
//!   was accepted, where those that may have been it disagree on priority and key.
//! - **Overslept.** A receive came back empty although a job of its queues was certainly ready from before the question
//!   until after the answer. Not said of queues that were ever paused, or are exclusive.

use std::collections::BTreeMap;

use super::super::event::How;
use super::super::read::Place;
use super::model::{Grant, Hold, Job, Said};
use super::{Checker, Kind};

/// How many jobs are looked at for one that was passed over: the best candidates come first.
const LOOK: usize = 16;

pub(super) fn judge(checker: &mut Checker<'_>) {
    for queue in 0..checker.model.queues.len() {
        if checker.promised(|p| p.keys) {
            keys(checker, queue);
        }
        if checker.promised(|p| p.fifo) {
            priorities(checker, queue);
        }
    }
}

fn keys(checker: &mut Checker<'_>, queue: usize) {
    let mut by_key: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for index in &checker.model.queues[queue].jobs {
        if let Some((_, Some(key))) = checker.model.jobs[*index].order() {
            by_key.entry(key).or_default().push(*index);
        }
    }
    for (key, jobs) in by_key {
        one_key(checker, key, jobs);
    }
}

/// Looks, for each job of a key, at the one that was certainly ahead of it and ended last.
fn one_key(checker: &mut Checker<'_>, key: &str, mut jobs: Vec<usize>) {
    let (model, facts) = (checker.model, checker.facts);
    jobs.retain(|job| facts.jobs[*job].accepted.is_some() && !facts.jobs[*job].two_lives);
    let came = |job: usize| facts.jobs[job].accepted.map(|one| (one.from, one.until));
    let mut later = jobs.clone();
    jobs.sort_by_key(|job| came(*job).map(|(_, until)| until));
    let mut ahead = jobs.iter().copied().peekable();
    let mut last: Option<usize> = None;
    // Of one batch, the one that ends last so far.
    let mut batch: BTreeMap<Place, usize> = BTreeMap::new();
    later.sort_by_key(|job| {
        let by = facts.jobs[*job].accepted.and_then(|one| one.by);
        (came(*job).map(|(from, _)| from), by.map(|(span, index)| (span.call.place, index)))
    });
    for job in later {
        let Some(accepted) = facts.jobs[job].accepted else { continue };
        while let Some(before) =
            ahead.next_if(|one| came(*one).is_some_and(|(_, until)| until < accepted.from))
        {
            last = later_end(checker, last, before);
        }
        let place = accepted.by.map(|(span, _)| span.call.place);
        let mate = place.and_then(|place| batch.get(&place).copied());
        for other in [last, mate].into_iter().flatten().filter(|other| *other != job) {
            if let Some(given) = first_given(&model.jobs[job])
                && given.span.end() < facts.jobs[other].end()
            {
                passed(checker, other, job, &given, &format!("of key {key:?}"));
                break;
            }
        }
        if let Some(place) = place
            && let Some(later) = later_end(checker, mate, job)
        {
            batch.insert(place, later);
        }
    }
}

/// Of two jobs the one whose end is later.
fn later_end(checker: &Checker<'_>, one: Option<usize>, other: usize) -> Option<usize> {
    let end = |job: usize| checker.facts.jobs[job].end();
    Some(one.filter(|one| end(*one) >= end(other)).unwrap_or(other))
}

fn first_given(job: &Job) -> Option<Grant> {
    let grants = job.holds.values().filter_map(Hold::grant);
    grants.min_by_key(|grant| grant.span.end()).copied()
}

fn passed(checker: &mut Checker<'_>, ahead: usize, job: usize, given: &Grant, what: &str) {
    let (model, facts) = (checker.model, checker.facts);
    let message = format!(
        "job {} was given with token {} while job {} was ahead of it, {what}",
        model.jobs[job].id, given.token, model.jobs[ahead].id
    );
    let sent = facts.jobs[ahead].accepted.and_then(|one| one.by);
    let mut places: Vec<Place> = sent.map(|(span, _)| span.place()).into_iter().collect();
    places.push(given.span.place());
    checker.found(Kind::Order, message, &places);
}

/// A time in which a job was certainly ready: after `from`, before `until`.
#[derive(Debug, Clone, Copy)]
struct Ready {
    job: usize,
    priority: u8,
    from: u64,
    until: u64,
    /// The receive that ended it, and the job's place in its answer.
    taken: Option<(Place, usize)>,
}

fn ready_times(
    checker: &Checker<'_>,
    queue: usize,
    taken: &BTreeMap<(usize, u64), (Place, usize)>,
) -> Vec<Ready> {
    let dark = checker.facts.dark_from[queue];
    let mut times = Vec::new();
    for index in &checker.model.queues[queue].jobs {
        let (job, fact) = (&checker.model.jobs[*index], &checker.facts.jobs[*index]);
        let Some((priority, None)) = job.order() else { continue };
        let Some(accepted) = fact.accepted.filter(|_| !fact.two_lives) else { continue };
        let at_once = job.sends.iter().all(|send| send.delay_us == 0);
        let mut starts = Vec::new();
        if let Some((span, _)) = accepted.by.filter(|_| accepted.placed && at_once) {
            starts.push((span.end(), 0));
        }
        for (token, hold) in &job.holds {
            let back = hold.settlings.iter().find(|one| {
                one.said == Said::Yes
                    && matches!(one.how, How::Retry | How::Release)
                    && one.after_us == 0
            });
            starts.extend(back.map(|back| (back.span.end(), token.saturating_add(1))));
        }
        for (from, token) in starts {
            let next = job.holds.range(token..).find_map(|(_, hold)| hold.grant());
            let settled = job.holds.range(token..).flat_map(|(_, hold)| &hold.settlings);
            let settled = settled.map(|one| one.span.call.rank).min().unwrap_or(u64::MAX);
            let removed = fact.removed.map_or(u64::MAX, |removed| removed.rank);
            let given = next.map_or(u64::MAX, |grant| grant.span.call.rank);
            let until = given.min(settled).min(removed).min(dark);
            let taken = next
                .filter(|_| until == given)
                .and_then(|grant| taken.get(&(*index, grant.token)).copied());
            // A receive that waited may have had it before its sender knew that it was stored.
            if from < until {
                times.push(Ready { job: *index, priority, from, until, taken });
            }
        }
    }
    times
}

/// What is asked while jobs are ready, at the moment of an answer.
enum Look {
    /// A job was given.
    Given { job: usize, grant: Grant },
    /// A receive came back empty.
    Empty { call: u64, place: Place },
}

fn priorities(checker: &mut Checker<'_>, queue: usize) {
    let model = checker.model;
    let mut taken = BTreeMap::new();
    let mut looks: Vec<(u64, Look)> = Vec::new();
    for receive in model.receives.iter().filter(|receive| receive.queues.contains(&queue)) {
        let Some(answer) = receive.span.answer.filter(|_| receive.answered) else { continue };
        if receive.taken.is_empty() {
            let look = Look::Empty { call: receive.span.call.rank, place: answer.place };
            looks.push((answer.rank, look));
        }
        for (index, (job, token)) in receive.taken.iter().enumerate() {
            let place = (receive.span.call.place, index);
            taken.insert((*job, *token), place);
            let grant = model.jobs[*job].holds.get(token).and_then(Hold::grant);
            if let Some(grant) = grant.filter(|_| model.jobs[*job].queue == queue) {
                looks.push((answer.rank, Look::Given { job: *job, grant: *grant }));
            }
        }
    }
    let times = ready_times(checker, queue, &taken);
    let mut steps: Vec<(u64, bool, usize)> = Vec::new();
    for (index, time) in times.iter().enumerate() {
        steps.push((time.from, true, index));
        // It leaves with the answer that has it, so that its place in that answer can be compared.
        steps.push((time.until, false, index));
    }
    steps.sort_by_key(|(rank, comes, _)| (*rank, *comes));
    looks.sort_by_key(|(rank, _)| *rank);
    let mut steps = steps.into_iter().peekable();
    let mut ready = ReadyNow::default();
    for (rank, look) in looks {
        while let Some((_, comes, index)) = steps.next_if(|(at, ..)| *at <= rank) {
            ready.step(checker, &times[index], comes);
        }
        match look {
            Look::Given { job, grant } => given(checker, &ready, job, &grant),
            Look::Empty { call, place } => empty(checker, queue, &ready, call, place),
        }
    }
    answers(checker, queue, &times);
}

/// The jobs that are ready at a moment: the most urgent first, then by when they were certainly accepted.
#[derive(Default)]
struct ReadyNow(BTreeMap<(u8, u64, usize), Ready>);

impl ReadyNow {
    fn step(&mut self, checker: &Checker<'_>, time: &Ready, comes: bool) {
        let until = checker.facts.jobs[time.job].accepted.map_or(u64::MAX, |one| one.until);
        let key = (u8::MAX - time.priority, until, time.job);
        if comes {
            self.0.insert(key, *time);
        } else {
            self.0.remove(&key);
        }
    }
}

fn given(checker: &mut Checker<'_>, ready: &ReadyNow, index: usize, grant: &Grant) {
    let (model, facts) = (checker.model, checker.facts);
    let Some(accepted) = facts.jobs[index].accepted else { return };
    let Some((priority, _)) = model.jobs[index].order() else { return };
    let urgency = u8::MAX - priority;
    // Ready before the question; or before this job was accepted, which was before it was given.
    let by = grant.span.call.rank.max(accepted.from);
    let more_urgent = ready.0.range(..(urgency, 0, 0)).take(LOOK);
    let last = (urgency, accepted.until.saturating_add(1), 0);
    let as_urgent = ready.0.range((urgency, 0, 0)..last).take(LOOK);
    let ahead = more_urgent
        .chain(as_urgent)
        .map(|(_, time)| time)
        .find(|time| {
            let other = facts.jobs[time.job].accepted;
            time.job != index
                && time.from < by
                && (time.priority > priority || other.is_some_and(|other| other.before(&accepted)))
        })
        .map(|time| time.job);
    if let Some(ahead) = ahead {
        passed(checker, ahead, index, grant, "by priority and age");
    }
}

fn empty(checker: &mut Checker<'_>, queue: usize, ready: &ReadyNow, call: u64, place: Place) {
    let declared = &checker.model.queues[queue].declared;
    if checker.facts.paused[queue] || declared.iter().any(|one| one.exclusive) {
        return;
    }
    let slept = ready.0.values().take(LOOK).find(|time| time.from < call).map(|time| time.job);
    if let Some(job) = slept {
        let message = format!(
            "a receive came back empty while job {} was ready all the time",
            checker.model.jobs[job].id
        );
        checker.found(Kind::Overslept, message, &[place]);
    }
}

/// Within one answer: a job that was ready before the question stands before those behind it.
fn answers(checker: &mut Checker<'_>, queue: usize, times: &[Ready]) {
    let (model, facts) = (checker.model, checker.facts);
    let ready: BTreeMap<(Place, usize), &Ready> =
        times.iter().filter_map(|time| Some((time.taken?, time))).collect();
    for receive in model.receives.iter().filter(|receive| receive.queues.contains(&queue)) {
        let call = receive.span.call;
        for pair in 1..receive.taken.len() {
            let [(before, token), (job, _)] = [receive.taken[pair - 1], receive.taken[pair]];
            let Some(time) = ready.get(&(call.place, pair)) else { continue };
            let (Some(first), Some(second)) =
                (facts.jobs[before].accepted, facts.jobs[job].accepted)
            else {
                continue;
            };
            let one = &model.jobs[before];
            let Some((priority, _)) = one.order() else { continue };
            let ahead =
                time.priority > priority || (time.priority == priority && second.before(&first));
            let grant = one.holds.get(&token).and_then(Hold::grant);
            if let Some(grant) =
                grant.filter(|_| one.queue == queue && time.from < call.rank && ahead)
            {
                passed(checker, job, before, grant, "and behind it in one answer");
            }
        }
    }
}
