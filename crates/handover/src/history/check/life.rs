//! P4, nothing lost: what was accepted ends once, and nothing else lives. Also what a delay promises.
//!
//! - **Loss.** A job was answered `stored`, `parked` or `duplicate`; nobody may have settled it as done, nobody may have
//!   removed it; and it is not among what was left (or nothing was left, and it was not buried either). Needs an
//!   [`Expect`](super::Expect) that says what is left. Being buried is no end where a kick that certainly touched the job came
//!   after it: one of this job, or one of its queue that brought back as many as can have been buried there. Missed: a job
//!   whose settlement as done has no answer; where nothing is left, one that a kick of some of the buried jobs brought back.
//! - **Second effect.** Two final settlements of a job were accepted, or two settlements of one lease; or a job was given,
//!   or is still stored, after it was answered that it is done or buried. A kick excuses what was buried. Missed: two
//!   effects of handlers that did not settle; the contract allows those.
//! - **Accepted twice.** One id was answered `stored` or `parked` twice, before it can have been forgotten.
//! - **Unsent.** A job was given, or is still stored, that nobody had asked the broker to store in that queue.
//! - **Attempts.** Of two leases of a job, the later has no larger attempt; after a release that may have been accepted,
//!   a smaller one. A kick excuses it.
//! - **Early.** A job was certainly given before the delay of its send, its retry or its release can have passed.
//!
//! A job whose id may have been forgotten and accepted again is left out of all but the first and the fourth.

use super::super::event::How;
use super::super::read::Place;
use super::facts::{Fact, may_store};
use super::model::{Fate, Grant, Job, Said, Sending, Settling};
use super::{Checker, End, Kind};

pub(super) fn judge(checker: &mut Checker<'_>) {
    let (model, facts) = (checker.model, checker.facts);
    for (job, fact) in model.jobs.iter().zip(&facts.jobs) {
        loss(checker, job, fact);
        unsent(checker, job);
        if fact.two_lives {
            continue;
        }
        second_effect(checker, job, fact);
        if checker.promised(|p| p.dedup) {
            accepted_twice(checker, job);
        }
        if checker.promised(|p| p.attempts && p.fenced) {
            attempts(checker, job, fact);
        }
        early(checker, job, fact);
    }
    left(checker);
}

/// The first send that was certainly accepted.
fn acceptance(job: &Job) -> Option<&Sending> {
    job.sends.iter().find(|send| matches!(send.fate, Fate::Stored | Fate::Parked | Fate::Duplicate))
}

fn settlings(job: &Job) -> impl Iterator<Item = (u64, &Settling)> {
    job.holds.iter().flat_map(|(token, hold)| hold.settlings.iter().map(move |one| (*token, one)))
}

fn grants(job: &Job) -> impl Iterator<Item = &Grant> {
    job.holds.values().flat_map(|hold| &hold.grants)
}

fn loss(checker: &mut Checker<'_>, job: &Job, fact: &Fact) {
    let Some(accepted) = acceptance(job) else { return };
    let may_be_gone = |how: How| settlings(job).any(|(_, one)| one.how == how && one.said.maybe());
    let lost = match &checker.expect.end {
        End::Running => false,
        End::Drained if fact.came_back => !may_be_gone(How::Done) && !fact.gone,
        End::Drained => {
            !may_be_gone(How::Done) && !may_be_gone(How::Bury) && fact.removed.is_none()
        }
        End::Left(left) => {
            !left.contains_key(&job.id) && !may_be_gone(How::Done) && fact.removed.is_none()
        }
    };
    if lost {
        let mut places = vec![accepted.span.place()];
        places.extend(grants(job).last().map(|grant| grant.span.place()));
        let message =
            format!("job {} was accepted, nobody settled it, and it is not there any more", job.id);
        checker.found(Kind::Loss, message, &places);
    }
}

fn unsent(checker: &mut Checker<'_>, job: &Job) {
    let sent = |by: u64| {
        job.sends.iter().any(|send| {
            (may_store(send.fate) || send.fate == Fate::Duplicate) && send.span.call.rank <= by
        })
    };
    let Some(first) = grants(job).min_by_key(|grant| grant.span.end()) else { return };
    if !sent(first.span.end()) {
        let queue = &checker.model.queues[job.queue].name;
        let message =
            format!("job {} was given from queue {queue}, and nobody had sent it there", job.id);
        checker.found(Kind::Unsent, message, &[first.span.place()]);
    }
}

fn second_effect(checker: &mut Checker<'_>, job: &Job, fact: &Fact) {
    let finals: Vec<(u64, &Settling)> =
        settlings(job).filter(|(_, one)| one.said == Said::Yes && one.how.is_final()).collect();
    for pair in finals.windows(2) {
        let [(token, first), (other, second)] = pair else { continue };
        let buried = first.how == How::Bury || second.how == How::Bury;
        let by = std::cmp::max(first.span.end(), second.span.end());
        if !(buried && fact.kicked_by(by)) {
            let message = format!(
                "job {} was ended twice, with token {token} and with token {other}",
                job.id
            );
            checker.found(Kind::SecondEffect, message, &[first.span.place(), second.span.place()]);
        }
    }
    for (token, hold) in &job.holds {
        let accepted: Vec<Place> = hold
            .settlings
            .iter()
            .filter(|one| one.said == Said::Yes)
            .map(|one| one.span.place())
            .collect();
        let finals =
            hold.settlings.iter().filter(|one| one.said == Said::Yes && one.how.is_final());
        if accepted.len() > 1 && finals.count() < 2 {
            let message = format!("the lease of job {} with token {token} was ended twice", job.id);
            checker.found(Kind::SecondEffect, message, &accepted);
        }
    }
    let Some((_, end)) = finals.iter().min_by_key(|(_, one)| one.span.end()) else { return };
    let after = grants(job).find(|grant| {
        end.span.before(&grant.span) && !(end.how == How::Bury && fact.kicked_by(grant.span.end()))
    });
    if let Some(grant) = after {
        let message =
            format!("job {} was given with token {} after it had ended", job.id, grant.token);
        checker.found(Kind::SecondEffect, message, &[end.span.place(), grant.span.place()]);
    }
}

fn accepted_twice(checker: &mut Checker<'_>, job: &Job) {
    let stored: Vec<Place> = job
        .sends
        .iter()
        .filter(|send| matches!(send.fate, Fate::Stored | Fate::Parked))
        .map(|send| send.span.place())
        .collect();
    if stored.len() > 1 {
        let message = format!("job {} was stored {} times", job.id, stored.len());
        checker.found(Kind::AcceptedTwice, message, &stored);
    }
}

fn attempts(checker: &mut Checker<'_>, job: &Job, fact: &Fact) {
    let given: Vec<_> =
        job.holds.values().filter_map(|hold| Some((hold, *hold.grant()?))).collect();
    for pair in given.windows(2) {
        let [(hold, first), (_, second)] = pair else { continue };
        let least = first.attempt.saturating_add(u32::from(!hold.may_be_released()));
        if second.attempt < least && !fact.kicked_by(second.span.end()) {
            let message = format!(
                "attempt {} of job {} with token {} comes after attempt {} with token {}",
                second.attempt, job.id, second.token, first.attempt, first.token
            );
            checker.found(Kind::Attempts, message, &[first.span.place(), second.span.place()]);
        }
    }
}

fn early(checker: &mut Checker<'_>, job: &Job, fact: &Fact) {
    let possible = job.sends.iter().filter(|send| send.fate != Fate::Refused);
    let due = possible
        .map(|send| (send.span.call.at_us.saturating_add(send.delay_us), send.span.place()))
        .min();
    let mut waits: Vec<(u64, u64, u64, Place)> =
        due.map(|(due, place)| (0, 0, due, place)).into_iter().collect();
    for (token, one) in settlings(job) {
        if one.said == Said::Yes && matches!(one.how, How::Retry | How::Release) {
            let due = one.span.call.at_us.saturating_add(one.after_us);
            waits.push((token.saturating_add(1), one.span.call.rank, due, one.span.place()));
        }
    }
    for (from, asked, due, place) in waits {
        let Some(grant) = job.holds.range(from..).find_map(|(_, hold)| hold.grant()) else {
            continue;
        };
        // Given before that was asked for: then it is the settlement that is wrong, and `lease.rs` says so.
        let Some(given) = grant.span.answer.filter(|given| given.rank > asked) else { continue };
        if given.at_us.saturating_add(checker.expect.slack_us) < due && !fact.kicked_by(given.rank)
        {
            let message = format!(
                "job {} was given with token {} {} µs before it was due",
                job.id,
                grant.token,
                due - given.at_us
            );
            checker.found(Kind::Early, message, &[place, grant.span.place()]);
        }
    }
}

/// What is left must have been sent, and not have ended.
fn left(checker: &mut Checker<'_>) {
    let expect = checker.expect;
    let End::Left(left) = &expect.end else { return };
    for (id, (queue, state)) in left {
        let found = checker
            .model
            .find(queue.as_str(), *id)
            .map(|index| (&checker.model.jobs[index], checker.facts.jobs[index].two_lives));
        let was_sent = |job: &Job| job.sends.iter().any(|one| one.fate != Fate::Refused);
        let Some((job, two_lives)) = found.filter(|(job, _)| was_sent(job)) else {
            let message = format!("job {id} is in queue {queue}, and nobody sent it there");
            checker.found(Kind::Unsent, message, &[]);
            continue;
        };
        let done = settlings(job)
            .find(|(_, one)| one.said == Said::Yes && one.how == How::Done)
            .map(|(_, one)| one.span.place());
        if let Some(done) = done.filter(|_| !two_lives) {
            let message = format!("job {id} was done, and is still in queue {queue} as {state}");
            checker.found(Kind::SecondEffect, message, &[done]);
        }
    }
}
