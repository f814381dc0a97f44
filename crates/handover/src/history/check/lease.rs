//! P3, exclusive: one owner at a time, and nobody believes another.
//!
//! - **Overlap.** Lease B of a job was certainly given while lease A of it certainly ran. A was given between its question
//!   and its answer, so it runs at least until its question plus its length, or until an extension, from its question on;
//!   B was given by its answer. The death of A's process ends nothing: a job that comes back early after a kill is an
//!   overlap. Any settlement of A that may have come first, and a cancel, excuse it. Missed: an overlap that is shorter than
//!   the two calls and the slack.
//! - **Exclusive.** The same for two neighbouring leases of one queue that was exclusive in every declaration. Missed: a
//!   lease that overlaps with one further back and not with the last.
//! - **Late owner.** A settlement or an extension was accepted although a later token had been answered before it was
//!   asked; or although the latest end its lease can have had was past. Missed: what came between two calls.
//! - **Lost early.** A settlement or an extension was refused with `LeaseLost` although the lease certainly ran, nobody had a
//!   later token, and it was not settled before.
//! - **Token.** A token that was given twice in a queue, is not larger than one that had been answered before it was asked
//!   for, or was believed and never given.

use std::collections::HashMap;

use super::model::{Grant, Hold, Job, Said, Span};
use super::{Checker, Kind};

pub(super) fn judge(checker: &mut Checker<'_>) {
    let model = checker.model;
    let (fenced, timed) = (checker.promised(|p| p.fenced), checker.promised(|p| p.timed));
    for (index, job) in model.jobs.iter().enumerate() {
        if timed {
            overlaps(checker, index, job);
        }
        if fenced {
            for (token, hold) in &job.holds {
                let later = later(job, *token);
                late(checker, job, *token, hold, later, timed);
                if timed {
                    lost_early(checker, index, *token, hold);
                }
                strangers(checker, job, *token, hold);
            }
        }
    }
    if fenced {
        for queue in 0..model.queues.len() {
            tokens(checker, queue);
        }
    }
    if timed {
        for queue in 0..model.queues.len() {
            exclusive(checker, queue);
        }
    }
}

/// The grant of a later token of the job that was answered first.
fn later(job: &Job, token: u64) -> Option<&Grant> {
    let later = job.holds.range(token.saturating_add(1)..).flat_map(|(_, hold)| &hold.grants);
    later.min_by_key(|grant| grant.span.end())
}

/// Whether `hold` certainly runs until `next` was certainly given, and by how much longer, in microseconds.
fn runs_beyond(checker: &Checker<'_>, job: usize, hold: &Hold, next: &Span) -> Option<u64> {
    let grant = hold.grant()?;
    let given = next.answer?;
    let excused = next.before(&grant.span)
        || hold.may_be_settled_by(given.rank)
        || checker.facts.jobs[job].removed_by(given.rank);
    let until = hold.runs_until(next)?.saturating_sub(checker.expect.slack_us);
    (!excused && given.at_us < until).then(|| until - given.at_us)
}

fn overlaps(checker: &mut Checker<'_>, index: usize, job: &Job) {
    let held: Vec<&Hold> = job.holds.values().filter(|hold| hold.grant().is_some()).collect();
    for pair in held.windows(2) {
        let [hold, next] = pair else { continue };
        let (Some(grant), Some(next)) = (hold.grant(), next.grant()) else { continue };
        if let Some(early_us) = runs_beyond(checker, index, hold, &next.span) {
            let message = format!(
                "job {} was given with token {} at least {early_us} µs before the lease with token {} could end",
                job.id, next.token, grant.token
            );
            checker.found(Kind::Overlap, message, &[grant.span.place(), next.span.place()]);
        }
    }
    for hold in held.iter().filter(|hold| hold.grants.len() > 1) {
        let message = format!(
            "job {} was given {} times with token {}",
            job.id,
            hold.grants.len(),
            hold.grants[0].token
        );
        let places: Vec<_> = hold.grants.iter().map(|grant| grant.span.place()).collect();
        checker.found(Kind::Token, message, &places);
    }
}

fn late(
    checker: &mut Checker<'_>,
    job: &Job,
    token: u64,
    hold: &Hold,
    later: Option<&Grant>,
    timed: bool,
) {
    let over = hold.over_by().filter(|_| timed);
    let settlings = hold.settlings.iter().map(|one| (one.span, one.said, "settlement"));
    let extensions = hold.extensions.iter().map(|one| (one.span, one.said, "extension"));
    for (span, said, what) in settlings.chain(extensions) {
        if said != Said::Yes {
            continue;
        }
        if let Some(next) = later.filter(|next| next.span.before(&span)) {
            let message = format!(
                "a {what} of job {} with token {token} was accepted after token {} had been given",
                job.id, next.token
            );
            checker.found(Kind::LateOwner, message, &[next.span.place(), span.place()]);
            continue;
        }
        // Its own answer is in `over_by`, so an extension that came late does not accuse itself.
        let Some(over) = over.filter(|_| what == "settlement") else { continue };
        let over = over.saturating_add(checker.expect.slack_us);
        if span.call.at_us > over {
            let message = format!(
                "a {what} of job {} with token {token} was accepted {} µs after the end of its lease",
                job.id,
                span.call.at_us - over
            );
            let given = hold.grant().map_or(span.call.place, |grant| grant.span.place());
            checker.found(Kind::LateOwner, message, &[given, span.place()]);
        }
    }
}

fn lost_early(checker: &mut Checker<'_>, index: usize, token: u64, hold: &Hold) {
    let Some(grant) = hold.grant() else { return };
    let job = &checker.model.jobs[index];
    let settlings = hold.settlings.iter().map(|one| (one.span, one.said));
    let refused: Vec<Span> = settlings
        .chain(hold.extensions.iter().map(|one| (one.span, one.said)))
        .filter(|(_, said)| *said == Said::No { lost: true })
        .map(|(span, _)| span)
        .collect();
    for span in refused {
        let Some(answer) = span.answer else { continue };
        // A second item of one batch for the same lease is refused after the first.
        let excused = hold.may_be_settled_by(answer.rank)
            || checker.facts.jobs[index].removed_by(answer.rank)
            || job.holds.range(token.saturating_add(1)..).any(|(_, later)| {
                later.grants.iter().any(|grant| grant.span.call.rank <= answer.rank)
            });
        let Some(until) = hold.runs_until(&span) else { continue };
        let until = until.saturating_sub(checker.expect.slack_us);
        if !excused && answer.at_us < until {
            let message = format!(
                "the owner of job {} with token {token} was refused although its lease ran {} µs longer",
                job.id,
                until - answer.at_us
            );
            checker.found(Kind::LostEarly, message, &[grant.span.place(), span.place()]);
        }
    }
}

fn strangers(checker: &mut Checker<'_>, job: &Job, token: u64, hold: &Hold) {
    if !hold.grants.is_empty() {
        return;
    }
    let settlings = hold.settlings.iter().map(|one| (one.span, one.said));
    let believed = settlings
        .chain(hold.extensions.iter().map(|one| (one.span, one.said)))
        .find(|(_, said)| *said == Said::Yes);
    if let Some((span, _)) = believed {
        let message = format!(
            "an owner of job {} was believed with token {token}, which was given to nobody",
            job.id
        );
        checker.found(Kind::Token, message, &[span.place()]);
    }
}

/// All grants of a queue, by their question.
fn grants(checker: &Checker<'_>, queue: usize) -> Vec<(usize, Grant)> {
    let model = checker.model;
    let mut grants: Vec<(usize, Grant)> = model.queues[queue]
        .jobs
        .iter()
        .flat_map(|job| {
            let holds = model.jobs[*job].holds.values();
            holds.filter_map(|hold| Some((*job, *hold.grant()?)))
        })
        .collect();
    grants.sort_by_key(|(_, grant)| grant.span.call.rank);
    grants
}

fn tokens(checker: &mut Checker<'_>, queue: usize) {
    let grants = grants(checker, queue);
    let mut answered: Vec<Grant> = grants.iter().map(|(_, grant)| *grant).collect();
    answered.sort_by_key(|grant| grant.span.end());
    let mut answered = answered.into_iter().peekable();
    let mut largest: Option<Grant> = None;
    let mut given: HashMap<u64, (usize, Grant)> = HashMap::new();
    for (job, grant) in grants {
        while let Some(before) = answered.next_if(|before| before.span.before(&grant.span)) {
            if largest.is_none_or(|largest| largest.token < before.token) {
                largest = Some(before);
            }
        }
        if let Some(before) = largest.filter(|before| before.token >= grant.token) {
            let message = format!(
                "token {} was given after token {} of the same queue",
                grant.token, before.token
            );
            checker.found(Kind::Token, message, &[before.span.place(), grant.span.place()]);
        } else if let Some((_, before)) =
            given.insert(grant.token, (job, grant)).filter(|(other, _)| *other != job)
        {
            let message = format!("token {} was given to two jobs of one queue", grant.token);
            checker.found(Kind::Token, message, &[before.span.place(), grant.span.place()]);
        }
    }
}

fn exclusive(checker: &mut Checker<'_>, queue: usize) {
    let declared = &checker.model.queues[queue].declared;
    if declared.is_empty() || !declared.iter().all(|one| one.exclusive) {
        return;
    }
    let mut grants = grants(checker, queue);
    grants.sort_by_key(|(_, grant)| grant.token);
    for pair in grants.windows(2) {
        let [(job, grant), (other, next)] = pair else { continue };
        let together = grant.span.call.place == next.span.call.place;
        let hold = &checker.model.jobs[*job].holds[&grant.token];
        if job != other && (together || runs_beyond(checker, *job, hold, &next.span).is_some()) {
            let message = format!(
                "token {} of the exclusive queue {} was given while token {} was held",
                next.token, checker.model.queues[queue].name, grant.token
            );
            checker.found(Kind::Exclusive, message, &[grant.span.place(), next.span.place()]);
        }
    }
}
