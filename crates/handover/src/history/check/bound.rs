//! P1, bounded: never more unsettled jobs in a queue than its capacity.
//!
//! A job is certainly inside from the answer that it was stored, or from the answer that somebody has it, until the first
//! question by which it can have been done, buried or removed. So many at one moment are more than the largest capacity
//! that was declared up to that moment: a violation. The same with the parked ones and the largest capacity plus the largest
//! overdraft, each of whichever declaration: a queue that was filled and then declared smaller still holds what it held,
//! and its children park beside it. A parked job counts for the capacity from when somebody has it.
//!
//! Missed: jobs in calls that are under way or never answered, and what a kick brought back.

use super::super::read::Place;
use super::facts::Accepted;
use super::model::{Grant, Job};
use super::{Checker, Kind};

/// Jobs that come in and go out, one after the other.
struct Flow {
    /// Rank, +1 or -1, and the line.
    steps: Vec<(u64, bool, Place)>,
}

impl Flow {
    fn add(&mut self, from: u64, until: u64, place: Place) {
        if from < until {
            self.steps.push((from, true, place));
            self.steps.push((until, false, place));
        }
    }

    /// Each step at which one more came in: the rank, how many there are then, and the line.
    fn rises(mut self) -> Vec<(u64, u64, Place)> {
        // Who goes at a moment goes before who comes: fewer is certain.
        self.steps.sort_by_key(|(rank, comes, _)| (*rank, *comes));
        let mut inside = 0_u64;
        let mut rises = Vec::new();
        for (rank, comes, place) in self.steps {
            if comes {
                inside += 1;
                rises.push((rank, inside, place));
            } else {
                inside = inside.saturating_sub(1);
            }
        }
        rises
    }
}

pub(super) fn judge(checker: &mut Checker<'_>) {
    if !checker.promised(|p| p.bounded) {
        return;
    }
    for queue in 0..checker.model.queues.len() {
        let (mut placed, mut all) = (Flow { steps: Vec::new() }, Flow { steps: Vec::new() });
        for index in &checker.model.queues[queue].jobs {
            let (job, fact) = (&checker.model.jobs[*index], &checker.facts.jobs[*index]);
            let Some(accepted) = fact.accepted.filter(|_| !fact.two_lives) else { continue };
            if let Some((from, place)) = inside_from(job, &accepted) {
                placed.add(from, fact.end(), place);
            }
            if let Some((from, place)) = stored_from(job, &accepted) {
                all.add(from, fact.end(), place);
            }
        }
        exceeded(checker, queue, placed, false);
        exceeded(checker, queue, all, true);
    }
}

fn first_grant(job: &Job) -> Option<&Grant> {
    let grants = job.holds.values().filter_map(|hold| hold.grant());
    grants.min_by_key(|grant| grant.span.end())
}

fn at_grant(job: &Job) -> Option<(u64, Place)> {
    first_grant(job).map(|grant| (grant.span.end(), grant.span.place()))
}

fn at_answer(accepted: &Accepted) -> Option<(u64, Place)> {
    accepted.by.map(|(span, _)| (span.end(), span.place()))
}

/// From when the job certainly had one of the places of the capacity.
fn inside_from(job: &Job, accepted: &Accepted) -> Option<(u64, Place)> {
    let answer = at_answer(accepted).filter(|_| accepted.placed);
    answer.into_iter().chain(at_grant(job)).min_by_key(|(rank, _)| *rank)
}

/// From when the job was certainly stored.
fn stored_from(job: &Job, accepted: &Accepted) -> Option<(u64, Place)> {
    at_answer(accepted).into_iter().chain(at_grant(job)).min_by_key(|(rank, _)| *rank)
}

/// One violation for each queue: the moment at which most were too many.
fn exceeded(checker: &mut Checker<'_>, queue: usize, flow: Flow, parked_too: bool) {
    let mut declared = checker.model.queues[queue].declared.clone();
    declared.sort_by_key(|one| one.span.call.rank);
    let mut declared = declared.into_iter().peekable();
    let (mut capacity, mut overdraft) = (0, 0);
    let mut bound: Option<(u64, Place)> = None;
    let mut worst: Option<(u64, u64, [Place; 2])> = None;
    for (rank, inside, place) in flow.rises() {
        while let Some(one) = declared.next_if(|one| one.span.call.rank <= rank) {
            capacity = one.capacity.max(capacity);
            overdraft = if parked_too { one.overdraft.max(overdraft) } else { 0 };
            let most = capacity.saturating_add(overdraft);
            if bound.is_none_or(|(bound, _)| bound < most) {
                bound = Some((most, one.span.place()));
            }
        }
        let Some((most, by)) = bound else { continue };
        if inside > most && worst.is_none_or(|(_, worst, _)| worst < inside) {
            worst = Some((most, inside, [by, place]));
        }
    }
    if let Some((most, inside, places)) = worst {
        let name = &checker.model.queues[queue].name;
        let with = if parked_too { " with the parked ones" } else { "" };
        let message =
            format!("queue {name} held at least {inside} unsettled jobs{with}, of {most} at most");
        checker.found(Kind::Bound, message, &places);
    }
}
