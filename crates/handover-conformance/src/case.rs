//! What a case is: a sentence, what it needs to be owed, and how it ends. Not here: running it, which is in `run.rs`.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use handover::{Attempts, Bound, BoxFuture, Caps, Dedup, Durability, Error, LeaseKind, Ordering};

use crate::harness::Reach;
use crate::support::Bench;

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The promise was kept.
    Passed,
    /// The promise is not made, for this reason.
    Ignored(String),
    /// The promise is made and was broken, in these words.
    Failed(String),
}

/// Why a case stopped before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// What was expected did not happen.
    Failed(String),
    /// It turned out on the way that the broker does not make this promise.
    Ignored(String),
}

impl Stop {
    /// A failure in these words, at the caller's line.
    #[track_caller]
    pub(crate) fn failed(what: impl fmt::Display) -> Self {
        Self::Failed(format!("{what}, at {}", Location::caller()))
    }
}

impl From<Error> for Stop {
    // `?` on a broker's answer: the caller is the line of the case.
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::failed(format_args!("unexpected error {error:?}"))
    }
}

/// What a case body answers.
pub(crate) type Outcome = Result<(), Stop>;

/// One promise and the code that looks whether it is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// The path of the module it is in.
    pub(crate) module: &'static str,
    /// The promise, as a sentence.
    pub(crate) sentence: &'static str,
    /// What must be promised for the case to be owed.
    pub(crate) needs: &'static [Need],
    /// Longer than this, and it hangs.
    pub(crate) limit: Duration,
    /// The body.
    pub(crate) body: for<'a> fn(&'a Bench) -> BoxFuture<'a, Outcome>,
}

impl Case {
    /// The name in listings: the last part of the module's path, and the sentence.
    pub(crate) fn name(&self) -> String {
        let module = self.module.rsplit("::").next().unwrap_or(self.module);
        format!("{module}::{}", self.sentence)
    }
}

/// How long a case may take where nothing else is said.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A case of this module: the name of its function, and what it needs.
macro_rules! case {
    ($body:ident $(, $need:expr)* $(,)?) => {
        $crate::case::Case {
            module: module_path!(),
            sentence: stringify!($body),
            needs: &[$($need),*],
            limit: $crate::case::LIMIT,
            body: |bench| Box::pin($body(bench)),
        }
    };
}
pub(crate) use case;

/// A promise that a case rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// `Caps::bound` is exact.
    Bound,
    /// `Caps::lease` is timed, at least as long as the suite's short leases.
    Timed,
    /// `Caps::lease` is the connection.
    Connection,
    /// `Caps::attempts` is exact.
    ExactAttempts,
    /// `Caps::attempts` is every delivery.
    CountedReleases,
    /// `Caps::fenced`.
    Fenced,
    /// `Caps::delay_max` is at least the suite's short delays.
    Delays,
    /// `Caps::delay_max` is none.
    NoDelays,
    /// `Caps::dedup` is not `No`.
    Dedup,
    /// `Caps::dedup` is `WhileStored`.
    DedupWhileStored,
    /// `Caps::ordering` is first in, first out.
    Fifo,
    /// `Caps::priorities` is at least this.
    Priorities(u8),
    /// `Caps::keys`.
    Keys,
    /// `Caps::keys` is false.
    NoKeys,
    /// `Caps::batch_max` is at least this.
    Batch(usize),
    /// There is an inspector.
    Inspect,
    /// There is an operator.
    Steer,
    /// What is stored outlives its process.
    Durable,
    /// The place can be opened again.
    Reopen,
    /// The place can be opened twice at the same time.
    Shared,
    /// The suite can start a process of its own on the place, and kill it.
    Process,
    /// The place can be taken away and brought back.
    Outage,
    /// There is a result store.
    Results,
    /// The result store keeps progress.
    Progress,
    /// The result store can be opened again and outlives its process.
    ResultsReopen,
}

/// What a need is weighed against.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) caps: &'a Caps,
    pub(crate) reach: Reach,
    pub(crate) inspect: bool,
    pub(crate) steer: bool,
    pub(crate) outage: bool,
    pub(crate) processes: bool,
    pub(crate) short_lease: Duration,
}

impl Need {
    /// Why the case is not owed, where it is not. What concerns results is weighed by `Bench::open`.
    pub(crate) fn unmet(self, facts: &Facts<'_>) -> Option<String> {
        let caps = facts.caps;
        let (met, fact) = match self {
            Self::Bound => (caps.bound == Bound::Exact, format!("bound is {:?}", caps.bound)),
            Self::Timed => (timed(caps, facts.short_lease), format!("lease is {:?}", caps.lease)),
            Self::Connection => {
                (caps.lease == LeaseKind::Connection, format!("lease is {:?}", caps.lease))
            }
            Self::ExactAttempts => {
                (caps.attempts == Attempts::Exact, format!("attempts is {:?}", caps.attempts))
            }
            Self::CountedReleases => (
                caps.attempts == Attempts::EveryDelivery,
                format!("attempts is {:?}", caps.attempts),
            ),
            Self::Fenced => (caps.fenced, "fenced is false".to_owned()),
            Self::Delays => (
                caps.delay_max.is_some_and(|max| max >= facts.short_lease * 4),
                format!("delay_max is {:?}", caps.delay_max),
            ),
            Self::NoDelays => {
                (caps.delay_max.is_none(), format!("delay_max is {:?}", caps.delay_max))
            }
            Self::Dedup => (caps.dedup != Dedup::No, "dedup is No".to_owned()),
            Self::DedupWhileStored => {
                (caps.dedup == Dedup::WhileStored, format!("dedup is {:?}", caps.dedup))
            }
            Self::Fifo => {
                (caps.ordering == Ordering::Fifo, format!("ordering is {:?}", caps.ordering))
            }
            Self::Priorities(n) => {
                (caps.priorities >= n, format!("priorities is {}, not {n}", caps.priorities))
            }
            Self::Keys => (caps.keys, "keys is false".to_owned()),
            Self::NoKeys => (!caps.keys, "keys is true".to_owned()),
            Self::Batch(n) => {
                (caps.batch_max >= n, format!("batch_max is {}, below {n}", caps.batch_max))
            }
            Self::Durable => (
                caps.durability >= Durability::Buffered,
                format!("durability is {}", caps.durability),
            ),
            _ => return self.unmet_by_harness(facts),
        };
        (!met).then(|| format!("not promised: Caps says {fact}"))
    }

    fn unmet_by_harness(self, facts: &Facts<'_>) -> Option<String> {
        let (met, reason) = match self {
            Self::Inspect => (facts.inspect, "the broker has no inspector"),
            Self::Steer => (facts.steer, "the broker has no operator"),
            Self::Reopen => (facts.reach != Reach::Alone, "the place is gone with its handle"),
            Self::Shared => (facts.reach == Reach::Shared, "the place has one handle at a time"),
            Self::Process => (
                facts.reach != Reach::Alone && facts.processes,
                "no other process can open the place, or the suite was not started by its main",
            ),
            Self::Outage => (facts.outage, "the harness cannot take the place away"),
            _ => (true, ""),
        };
        (!met).then(|| format!("not possible here: {reason}"))
    }
}

fn timed(caps: &Caps, short_lease: Duration) -> bool {
    matches!(caps.lease, LeaseKind::Timed { lease_max } if lease_max >= short_lease * 4)
}
