//! What is certain of one job: when it was accepted, when it can have ended, and what an operator can have done to it.

use super::super::event::{How, SteerWhat};
use super::model::{Fate, Job, Mark, Model, Said, Span, Steering};

/// When a job came in: not before `from`, certainly by `until` (ranks).
#[derive(Debug, Clone, Copy)]
pub(super) struct Accepted {
    pub(super) from: u64,
    pub(super) until: u64,
    /// The send that did it, where that is certain, with the job's place in its batch.
    pub(super) by: Option<(Span, usize)>,
    /// True where it certainly had a place at once, and was not parked.
    pub(super) placed: bool,
}

/// What is certain of one job.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) accepted: Option<Accepted>,
    /// The earliest moment at which it can have been done, buried or removed.
    pub(super) end: Option<Mark>,
    /// The first question by which an operator may have buried or removed it.
    pub(super) removed: Option<Mark>,
    /// When an operator may have brought it back, or made it due.
    pub(super) kicks: Vec<Span>,
    /// Every bury by an owner or an operator was certainly over before a kick that certainly touched the job: after that one
    /// nobody can have buried it. False where there was none.
    pub(super) came_back: bool,
    /// An operator may have removed it for good.
    pub(super) gone: bool,
    /// Its id may have been forgotten and accepted again: what holds for one job need not hold for two.
    pub(super) two_lives: bool,
}

impl Fact {
    /// The rank of the end; the end of all time where there can be none.
    pub(super) fn end(&self) -> u64 {
        self.end.map_or(u64::MAX, |end| end.rank)
    }

    /// True where an operator may have brought the job back by this moment.
    pub(super) fn kicked_by(&self, rank: u64) -> bool {
        self.kicks.iter().any(|kick| kick.call.rank <= rank)
    }

    pub(super) fn removed_by(&self, rank: u64) -> bool {
        self.removed.is_some_and(|removed| removed.rank <= rank)
    }
}

/// The facts of all jobs, and of all queues.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) jobs: Vec<Fact>,
    /// By queue: the first question of a receive that has no answer. From then on somebody unknown may hold any job.
    pub(super) dark_from: Vec<u64>,
    /// By queue: whether it was ever paused.
    pub(super) paused: Vec<bool>,
}

impl Facts {
    pub(super) fn of(model: &Model) -> Self {
        let mut dark_from = vec![u64::MAX; model.queues.len()];
        for receive in model.receives.iter().filter(|receive| !receive.answered) {
            for queue in &receive.queues {
                dark_from[*queue] = dark_from[*queue].min(receive.span.call.rank);
            }
        }
        let paused = model
            .queues
            .iter()
            .map(|queue| {
                model.steers.iter().any(|steering| match &steering.what {
                    SteerWhat::Pause { queue: name, .. } => *name == queue.name,
                    _ => false,
                })
            })
            .collect();
        let swept = swept(model);
        let jobs = model.jobs.iter().map(|job| fact(model, job, &swept)).collect();
        Self { jobs, dark_from, paused }
    }
}

/// By queue: the kicks that brought back as many jobs as can have been buried there at all, and so every one of them.
fn swept(model: &Model) -> Vec<Vec<Span>> {
    let mut swept = vec![Vec::new(); model.queues.len()];
    for (queue, kicks) in model.queues.iter().zip(&mut swept) {
        let is_sweep = |steering: &&Steering| {
            steering.touched > 0
                && matches!(&steering.what, SteerWhat::Kick { queue: name, .. } if *name == queue.name)
        };
        let mut its = model.steers.iter().filter(is_sweep).peekable();
        if its.peek().is_none() {
            continue;
        }
        let jobs = queue.jobs.iter().map(|job| &model.jobs[*job]);
        let first = |job: &Job| buries(model, job).map(|span| span.call.rank).min();
        let mut first: Vec<u64> = jobs.filter_map(first).collect();
        first.sort_unstable();
        for kick in its {
            let most = first.partition_point(|rank| *rank <= kick.span.end());
            if most as u64 <= kick.touched {
                kicks.push(kick.span);
            }
        }
    }
    swept
}

/// Whether no other queue has a job of this id, so that an operator who names it means this one.
fn is_alone(model: &Model, job: &Job) -> bool {
    let its = model.queues.iter().filter(|queue| model.find(&queue.name, job.id).is_some());
    its.count() == 1
}

/// When this job may have been buried, by an owner or an operator.
fn buries<'m>(model: &'m Model, job: &'m Job) -> impl Iterator<Item = Span> + 'm {
    let settlings = job.holds.values().flat_map(|hold| &hold.settlings);
    let owners = settlings.filter(|one| one.how == How::Bury && one.said.maybe());
    let cancels = model
        .steers
        .iter()
        .filter(|steering| matches!(&steering.what, SteerWhat::Cancel { id } if *id == job.id));
    owners.map(|one| one.span).chain(cancels.map(|steering| steering.span))
}

fn fact(model: &Model, job: &Job, swept: &[Vec<Span>]) -> Fact {
    let queue = &model.queues[job.queue];
    let (mut removed, mut forgotten, mut kicks) = (None, false, Vec::new());
    let mut back = swept.get(job.queue).cloned().unwrap_or_default();
    for steering in &model.steers {
        let call = steering.span.call;
        match &steering.what {
            SteerWhat::KickJob { id } if *id == job.id => {
                kicks.push(steering.span);
                let is_it = steering.touched > 0 && is_alone(model, job);
                back.extend(is_it.then_some(steering.span));
            }
            SteerWhat::Kick { queue: name, .. } if *name == queue.name => kicks.push(steering.span),
            SteerWhat::Cancel { id } if *id == job.id => removed = earlier(removed, call),
            SteerWhat::Delete { id } if *id == job.id => {
                (removed, forgotten) = (earlier(removed, call), true);
            }
            SteerWhat::Purge { queue: name, .. } if *name == queue.name => {
                (removed, forgotten) = (earlier(removed, call), true);
            }
            _ => {}
        }
    }
    let ends = job.holds.values().flat_map(|hold| &hold.settlings);
    let ends = ends.filter(|one| one.how.is_final() && one.said.maybe());
    let end = ends.fold(removed, |end, one| earlier(end, one.span.call));
    let lives = job.sends.iter().filter(|send| may_store(send.fate)).count();
    let two_lives = lives > 1 && (forgotten || may_be_forgotten(model, job));
    let last = back.iter().max_by_key(|kick| kick.call.rank);
    let came_back = last.is_some_and(|kick| {
        let mut buries = buries(model, job).peekable();
        buries.peek().is_some() && buries.all(|bury| bury.before(kick))
    });
    let accepted = accepted(job);
    Fact { accepted, end, removed, kicks, came_back, gone: forgotten, two_lives }
}

fn earlier(one: Option<Mark>, other: Mark) -> Option<Mark> {
    Some(one.filter(|one| one.rank <= other.rank).unwrap_or(other))
}

pub(super) fn may_store(fate: Fate) -> bool {
    matches!(fate, Fate::Stored | Fate::Parked | Fate::Unknown)
}

/// Whether the time for which the id of a done job is known can have passed before the last send of it.
fn may_be_forgotten(model: &Model, job: &Job) -> bool {
    let declared = &model.queues[job.queue].declared;
    let remember_us = declared.iter().map(|one| one.remember_us).min().unwrap_or(0);
    let dones = job.holds.values().flat_map(|hold| &hold.settlings);
    let done = dones
        .filter(|one| one.how == How::Done && one.said.maybe())
        .map(|one| one.span.call.at_us)
        .min();
    let last = job
        .sends
        .iter()
        .filter(|send| may_store(send.fate))
        .map(|send| send.span.answer.map_or(u64::MAX, |answer| answer.at_us))
        .max();
    match (done, last) {
        (Some(done), Some(last)) => done.saturating_add(remember_us) <= last,
        _ => false,
    }
}

fn accepted(job: &Job) -> Option<Accepted> {
    let first_grant = job
        .holds
        .values()
        .flat_map(|hold| &hold.grants)
        .map(|grant| grant.span.end())
        .min()
        .unwrap_or(u64::MAX);
    let stored = job.sends.iter().find(|send| matches!(send.fate, Fate::Stored | Fate::Parked));
    if let Some(send) = stored {
        return Some(Accepted {
            from: send.span.call.rank,
            until: send.span.end().min(first_grant),
            by: Some((send.span, send.index)),
            placed: send.fate == Fate::Stored,
        });
    }
    let possible = job.sends.iter().filter(|send| send.fate != Fate::Refused);
    let from = possible.map(|send| send.span.call.rank).min()?;
    let known = job
        .sends
        .iter()
        .filter(|send| send.fate == Fate::Duplicate)
        .map(|send| send.span.end())
        .min()
        .unwrap_or(u64::MAX);
    Some(Accepted { from, until: known.min(first_grant), by: None, placed: false })
}

impl Accepted {
    /// True where this one was certainly in the queue before the other.
    pub(super) fn before(&self, other: &Self) -> bool {
        if self.until < other.from {
            return true;
        }
        match (self.by, other.by) {
            // Of one batch, both new: in the order of the batch.
            (Some((span, index)), Some((other, later))) => {
                span.call.place == other.call.place && index < later
            }
            _ => false,
        }
    }
}

impl super::model::Hold {
    /// True where its owner may have ended it by this moment.
    pub(super) fn may_be_settled_by(&self, rank: u64) -> bool {
        self.settlings.iter().any(|one| one.said.maybe() && one.span.call.rank <= rank)
    }

    /// True where its owner certainly, or perhaps, gave the job back untried.
    pub(super) fn may_be_released(&self) -> bool {
        self.settlings.iter().any(|one| one.how == How::Release && one.said.maybe())
    }

    /// The earliest time (µs) at which the lease can have ended by itself, for what happened within `span`.
    ///
    /// An extension sets a new end, earlier or later than the one before. The last one that was certainly made before
    /// `span` counts, and each that may have been made after it; of all these the earliest end.
    pub(super) fn runs_until(&self, span: &Span) -> Option<u64> {
        let grant = self.grant()?;
        let extensions = self.extensions.iter().filter(|one| one.said.maybe());
        let base = extensions
            .clone()
            .filter(|one| one.said == Said::Yes && one.span.before(span))
            .max_by_key(|one| one.span.call.rank)
            .map_or((grant.span, grant.lease_us), |one| (one.span, one.lease_us));
        let later = extensions
            .filter(|one| !one.span.before(&base.0) && one.span.call.rank <= span.end())
            .map(|one| (one.span, one.lease_us));
        later.chain([base]).map(|(span, lease_us)| span.call.at_us.saturating_add(lease_us)).min()
    }

    /// The latest time (µs) at which the lease can have ended by itself; `None` where nobody knows.
    pub(super) fn over_by(&self) -> Option<u64> {
        let grant = self.grant()?;
        let mut over = grant.span.answer?.at_us.saturating_add(grant.lease_us);
        for one in self.extensions.iter().filter(|one| one.said.maybe()) {
            over = over.max(one.span.answer?.at_us.saturating_add(one.lease_us));
        }
        Some(over)
    }
}
