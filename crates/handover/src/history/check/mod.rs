//! The checker: looks through a history for promises that were certainly broken.
//!
//! It has no opinion on what is uncertain. A violation is a proof: given that the history is complete (every process that
//! touched the queues had a recorder, from their first job on) and the clock was not set, no broker that keeps the contract
//! can have written it. The other way round there is none: what happens between a question and its answer is not seen, so a
//! promise can be broken without a trace. Many short calls see more than few long ones.
//!
//! One rule a file: `lease.rs` (P3: overlap, late owners, leases lost early, tokens, exclusive queues), `life.rs` (P4: loss,
//! second effects, ids, attempts, delays), `bound.rs` (P1), `order.rs` (P5 and P2), over `model.rs` (what happened when) and
//! `facts.rs` (what is certain of one job). Each says why it is sound and what it can miss.

mod bound;
mod facts;
mod lease;
mod life;
mod model;
mod order;

use std::collections::BTreeMap;
use std::fmt;

use self::facts::Facts;
use self::model::{Fate, Model, Said};
use super::event::How;
use super::read::{History, Place};
use crate::error::Result;
use crate::id::JobId;
use crate::inspect::JobState;
use crate::message::QueueName;

/// What is known beside the history.
///
/// ```
/// use handover::history::Expect;
/// let at_work = Expect::running();
/// let at_the_end = Expect::drained();
/// assert!(at_work != at_the_end);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expect {
    /// How much earlier than asked for a lease or a delay may end, in microseconds: a broker may keep time in whole
    /// milliseconds, so 1000 where nothing is said.
    pub slack_us: u64,
    end: End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Running,
    Drained,
    Left(BTreeMap<JobId, (QueueName, JobState)>),
}

impl Expect {
    const fn with(end: End) -> Self {
        Self { slack_us: 1000, end }
    }

    /// The history goes on: nothing is said about jobs that are not settled yet.
    #[must_use]
    pub fn running() -> Self {
        Self::with(End::Running)
    }

    /// Nothing is left: every job that was accepted must have been done or buried. A job that was buried and then certainly
    /// kicked back must have ended again.
    #[must_use]
    pub fn drained() -> Self {
        Self::with(End::Drained)
    }

    /// These jobs, and no others, were still stored when all processes had ended, as `Inspect::jobs` lists them, buried
    /// ones too.
    #[must_use]
    pub fn left(jobs: impl IntoIterator<Item = (QueueName, JobId, JobState)>) -> Self {
        let left = jobs.into_iter().map(|(queue, id, state)| (id, (queue, state))).collect();
        Self::with(End::Left(left))
    }

    /// The same with this slack.
    #[must_use]
    pub fn slack_us(mut self, slack_us: u64) -> Self {
        self.slack_us = slack_us;
        self
    }
}

/// The ways in which a promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// P1: more unsettled jobs than the capacity, or more parked ones than the overdraft.
    Bound,
    /// P2: a receive came back empty although a job could be had all the time.
    Overslept,
    /// P3: two leases of one job at a time.
    Overlap,
    /// P3: two leases of an exclusive queue at a time.
    Exclusive,
    /// P3: an owner whose lease was over was believed.
    LateOwner,
    /// P3: an owner whose lease ran was refused.
    LostEarly,
    /// P3: a fencing token that is not larger than one before it, or was given to nobody.
    Token,
    /// P4: a job that was accepted is gone.
    Loss,
    /// P4: a job ended twice, or lived on after its end.
    SecondEffect,
    /// P4: one id was accepted as two jobs.
    AcceptedTwice,
    /// P4: a job that nobody sent, or not to this queue.
    Unsent,
    /// P4: the attempts of a job do not grow.
    Attempts,
    /// P5: a job was handed out before one that was ahead of it.
    Order,
    /// P5: a job was handed out before it was due.
    Early,
}

impl Kind {
    /// The promise that was broken, `P1` to `P5`.
    #[must_use]
    pub fn promise(self) -> &'static str {
        match self {
            Self::Bound => "P1",
            Self::Overslept => "P2",
            Self::Overlap | Self::Exclusive | Self::LateOwner | Self::LostEarly | Self::Token => {
                "P3"
            }
            Self::Loss
            | Self::SecondEffect
            | Self::AcceptedTwice
            | Self::Unsent
            | Self::Attempts => "P4",
            Self::Order | Self::Early => "P5",
        }
    }

    /// The kind as words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Overslept => "overslept",
            Self::Overlap => "overlap",
            Self::Exclusive => "exclusive",
            Self::LateOwner => "late owner",
            Self::LostEarly => "lost early",
            Self::Token => "token",
            Self::Loss => "loss",
            Self::SecondEffect => "second effect",
            Self::AcceptedTwice => "accepted twice",
            Self::Unsent => "unsent",
            Self::Attempts => "attempts",
            Self::Order => "order",
            Self::Early => "early",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A promise that was broken, and the lines that prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// How.
    pub kind: Kind,
    /// A sentence with the numbers.
    pub message: String,
    /// The lines that prove it, the first one first.
    pub places: Vec<Place>,
    /// The same as `file:line`.
    pub lines: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let promise = self.kind.promise();
        write!(f, "{promise} {}: {} [{}]", self.kind, self.message, self.lines.join(", "))
    }
}

/// What is in a history, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Lines.
    pub events: u64,
    /// Recorders.
    pub processes: u64,
    /// Last lines that were torn.
    pub torn: u64,
    /// Messages that were sent, each time counted.
    pub attempted: u64,
    /// Of these stored or parked.
    pub accepted: u64,
    /// Of these known already.
    pub duplicates: u64,
    /// Of these refused.
    pub refused: u64,
    /// Of these without an answer to rely on.
    pub unknown: u64,
    /// Deliveries.
    pub deliveries: u64,
    /// Of these not the first of their job.
    pub redeliveries: u64,
    /// Leases made longer.
    pub extended: u64,
    /// Settlements accepted as done.
    pub done: u64,
    /// Settlements accepted as retry.
    pub retried: u64,
    /// Settlements accepted as release.
    pub released: u64,
    /// Settlements accepted as bury.
    pub buried: u64,
    /// Settlements refused because the lease was lost.
    pub lease_lost: u64,
    /// Settlements without an answer to rely on.
    pub settle_unknown: u64,
}

/// What the checker found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The first [`VIOLATIONS_MAX`](Self::VIOLATIONS_MAX) that were found, rule by rule.
    pub violations: Vec<Violation>,
    /// How many more there are.
    pub more: u64,
    /// What is in the history.
    pub counts: Counts,
}

impl Report {
    /// The most violations that are listed: one broken promise breaks many jobs.
    pub const VIOLATIONS_MAX: usize = 1000;

    /// True where no promise was broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = &self.counts;
        writeln!(f, "{} events of {} processes, {} torn", c.events, c.processes, c.torn)?;
        writeln!(
            f,
            "{} messages sent: {} accepted, {} known already, {} refused, {} without an answer",
            c.attempted, c.accepted, c.duplicates, c.refused, c.unknown
        )?;
        writeln!(
            f,
            "{} deliveries, {} of them again; {} leases made longer",
            c.deliveries, c.redeliveries, c.extended
        )?;
        writeln!(
            f,
            "{} done, {} retried, {} released, {} buried, {} refused to late owners, {} without an answer",
            c.done, c.retried, c.released, c.buried, c.lease_lost, c.settle_unknown
        )?;
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        match (self.violations.len(), self.more) {
            (0, _) => f.write_str("no promise was broken"),
            (found, 0) => write!(f, "{found} violations"),
            (found, more) => {
                write!(f, "{} violations, the first {found} above", found as u64 + more)
            }
        }
    }
}

/// Looks for broken promises.
///
/// # Errors
/// `Invalid` where the history cannot be true whatever the broker did: a call answered twice, an answer of another length
/// than its question, a clock that was set back.
pub fn check(history: &History, expect: &Expect) -> Result<Report> {
    let model = Model::of(history)?;
    let counts = count(history, &model);
    let facts = Facts::of(&model);
    let report = Report { counts, ..Report::default() };
    let mut checker = Checker { history, model: &model, facts: &facts, expect, report };
    lease::judge(&mut checker);
    life::judge(&mut checker);
    bound::judge(&mut checker);
    order::judge(&mut checker);
    Ok(checker.report)
}

/// What every rule looks at, and where it puts what it finds.
struct Checker<'a> {
    history: &'a History,
    model: &'a Model,
    facts: &'a Facts,
    expect: &'a Expect,
    report: Report,
}

impl Checker<'_> {
    fn found(&mut self, kind: Kind, message: String, places: &[Place]) {
        if self.report.violations.len() == Report::VIOLATIONS_MAX {
            self.report.more += 1;
            return;
        }
        let lines = places.iter().map(|place| self.history.show(*place)).collect();
        let places = places.to_vec();
        self.report.violations.push(Violation { kind, message, places, lines });
    }

    /// True where the broker promises this.
    fn promised(&self, what: impl Fn(&super::event::Promises) -> bool) -> bool {
        self.model.promises.as_ref().is_some_and(what)
    }
}

fn count(history: &History, model: &Model) -> Counts {
    let mut counts = Counts {
        events: history.events().count() as u64,
        processes: history.processes() as u64,
        torn: history.torn(),
        ..Counts::default()
    };
    for job in &model.jobs {
        for send in &job.sends {
            counts.attempted += 1;
            match send.fate {
                Fate::Stored | Fate::Parked => counts.accepted += 1,
                Fate::Duplicate => counts.duplicates += 1,
                Fate::Refused => counts.refused += 1,
                Fate::Unknown => counts.unknown += 1,
            }
        }
        for hold in job.holds.values() {
            let again = hold.grants.iter().filter(|grant| grant.attempt > 1).count();
            counts.deliveries += hold.grants.len() as u64;
            counts.redeliveries += again as u64;
            let extended = hold.extensions.iter().filter(|one| one.said == Said::Yes).count();
            counts.extended += extended as u64;
            for settling in &hold.settlings {
                match (settling.said, settling.how) {
                    (Said::Yes, How::Done) => counts.done += 1,
                    (Said::Yes, How::Retry) => counts.retried += 1,
                    (Said::Yes, How::Release) => counts.released += 1,
                    (Said::Yes, How::Bury) => counts.buried += 1,
                    (Said::No { lost: true }, _) => counts.lease_lost += 1,
                    (Said::No { lost: false }, _) => {}
                    (Said::Unknown, _) => counts.settle_unknown += 1,
                }
            }
        }
    }
    counts
}
