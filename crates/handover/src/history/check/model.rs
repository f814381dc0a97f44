//! The model of a history: every job with its sends, leases and ends, each with the two moments between which it happened.
//!
//! **Certainty.** A call does what it does between its question and its answer; without an answer, at any time after the
//! question or never. So of two calls, one was certainly first only where its answer came before the other's question. Every
//! rule is built from that, and from `at_us` where a length of time matters; what is not certain is never a violation.

use std::collections::{BTreeMap, HashMap};

use super::super::event::{Event, How, Promises, SteerWhat, What, is_refusal};
use super::super::read::{History, Place};
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;

/// A moment of the history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Smaller means certainly earlier. Events of several recorders in one microsecond have the same.
    pub(super) rank: u64,
    pub(super) at_us: u64,
    pub(super) place: Place,
}

/// When a call was asked and answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) call: Mark,
    pub(super) answer: Option<Mark>,
}

impl Span {
    /// The rank of the answer; the end of all time where there is none.
    pub(super) fn end(&self) -> u64 {
        self.answer.map_or(u64::MAX, |answer| answer.rank)
    }

    /// True where this was certainly over before `other` was asked.
    pub(super) fn before(&self, other: &Self) -> bool {
        self.end() < other.call.rank
    }

    /// The line to show: the answer's where there is one.
    pub(super) fn place(&self) -> Place {
        self.answer.map_or(self.call.place, |answer| answer.place)
    }
}

/// What the caller knows of what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Yes,
    /// Nothing was done. `true` where the lease was called lost.
    No {
        lost: bool,
    },
    /// It may have been done.
    Unknown,
}

impl Said {
    fn of(word: Option<&str>) -> Self {
        match word {
            Some("ok") => Self::Yes,
            Some(kind) if is_refusal(kind) => {
                Self::No { lost: kind == ErrorKind::LeaseLost.as_str() }
            }
            _ => Self::Unknown,
        }
    }

    pub(super) fn maybe(self) -> bool {
        !matches!(self, Self::No { .. })
    }
}

/// What became of one message of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Stored,
    Parked,
    Duplicate,
    Refused,
    Unknown,
}

#[derive(Debug, Clone)]
pub(super) struct Sending {
    pub(super) span: Span,
    /// Its place in the batch.
    pub(super) index: usize,
    pub(super) priority: u8,
    pub(super) key: Option<String>,
    pub(super) delay_us: u64,
    pub(super) fate: Fate,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Grant {
    pub(super) span: Span,
    pub(super) token: u64,
    pub(super) attempt: u32,
    pub(super) lease_us: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Extension {
    pub(super) span: Span,
    pub(super) lease_us: u64,
    pub(super) said: Said,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Settling {
    pub(super) span: Span,
    pub(super) how: How,
    pub(super) after_us: u64,
    pub(super) said: Said,
}

/// One lease: more than one grant is a violation.
#[derive(Debug, Default)]
pub(super) struct Hold {
    pub(super) grants: Vec<Grant>,
    pub(super) extensions: Vec<Extension>,
    pub(super) settlings: Vec<Settling>,
}

impl Hold {
    pub(super) fn grant(&self) -> Option<&Grant> {
        self.grants.first()
    }
}

/// A job of one queue.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) queue: usize,
    pub(super) sends: Vec<Sending>,
    /// By token.
    pub(super) holds: BTreeMap<u64, Hold>,
}

impl Job {
    /// The priority and key it has: those of the send that was accepted, or what all agree on that may have been. `None`
    /// where nobody knows: these disagree, or the send that was accepted is not in the history.
    pub(super) fn order(&self) -> Option<(u8, Option<&str>)> {
        let stored = |send: &&Sending| matches!(send.fate, Fate::Stored | Fate::Parked);
        let (priority, key) = match self.sends.iter().find(stored) {
            Some(send) => (send.priority, &send.key),
            None => {
                let mut possible = self.sends.iter().filter(|send| send.fate == Fate::Unknown);
                let first = possible.next()?;
                let agrees =
                    |send: &Sending| (send.priority, &send.key) == (first.priority, &first.key);
                possible.all(agrees).then_some((first.priority, &first.key))?
            }
        };
        Some((priority, key.as_deref()))
    }
}

/// Something an operator did, or may have done.
#[derive(Debug)]
pub(super) struct Steering {
    pub(super) span: Span,
    pub(super) what: SteerWhat,
    /// How many jobs it certainly touched.
    pub(super) touched: u64,
}

/// A receive, and what it was answered.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) span: Span,
    pub(super) queues: Vec<usize>,
    /// Jobs and tokens, in order.
    pub(super) taken: Vec<(usize, u64)>,
    pub(super) answered: bool,
}

#[derive(Debug, Default)]
pub(super) struct QueueOf {
    pub(super) name: String,
    /// The declarations that may have been done.
    pub(super) declared: Vec<Declared>,
    pub(super) jobs: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Declared {
    pub(super) span: Span,
    pub(super) capacity: u64,
    pub(super) overdraft: u64,
    pub(super) exclusive: bool,
    pub(super) remember_us: u64,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) promises: Option<Promises>,
    pub(super) queues: Vec<QueueOf>,
    pub(super) jobs: Vec<Job>,
    pub(super) receives: Vec<Receiving>,
    pub(super) steers: Vec<Steering>,
    queue_by_name: HashMap<String, usize>,
    job_by_id: HashMap<(usize, JobId), usize>,
}

/// The events by their recorder and number, with their ranks.
struct Ranked<'h> {
    calls: HashMap<(&'h str, u64), Mark>,
    answers: HashMap<(&'h str, u64), (Mark, &'h What)>,
}

impl Model {
    /// Builds the model.
    ///
    /// # Errors
    /// `Invalid` where a call was answered twice, an answer has another number of items than its question, or the clock was
    /// set back while the history was written.
    pub(super) fn of(history: &History) -> Result<Self> {
        let ranked = rank(history)?;
        let (mut model, mut answers) = (Self::default(), 0);
        for (place, event) in history.events() {
            let key = (event.process.as_str(), event.n);
            let Some(call) = ranked.calls.get(&key).copied() else { continue };
            let answer = ranked.answers.get(&key).copied();
            answers += usize::from(answer.is_some());
            // After an error that leaves open what was done, it may still be done.
            let known = answer.filter(|(_, what)| !is_open(what));
            let span = Span { call, answer: known.map(|(mark, _)| mark) };
            let answer = answer.map(|(_, what)| what);
            model.add(event, span, answer).ok_or_else(|| {
                Error::new(
                    ErrorKind::Invalid,
                    "a call of the history and its answer do not belong together",
                )
                .fact("at", history.show(place))
            })?;
        }
        if answers != ranked.answers.len() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "an answer of the history names a line that is no question",
            ));
        }
        Ok(model)
    }

    fn add(&mut self, event: &Event, span: Span, answer: Option<&What>) -> Option<()> {
        match (&event.what, answer) {
            (What::Open(promises), None) => match &mut self.promises {
                Some(all) => all.and(promises),
                None => self.promises = Some(promises.clone()),
            },
            (What::Declare(queue), None | Some(What::Declared { .. })) => {
                let error = match answer {
                    Some(What::Declared { error, .. }) => error.as_deref(),
                    _ => None,
                };
                if !error.is_some_and(is_refusal) {
                    let index = self.queue(&queue.queue);
                    self.queues[index].declared.push(Declared {
                        span,
                        capacity: queue.capacity,
                        overdraft: queue.overdraft,
                        exclusive: queue.exclusive,
                        remember_us: queue.remember_us,
                    });
                }
            }
            (What::Send { .. }, None | Some(What::Sent { .. })) => {
                return self.add_send(&event.what, span, answer);
            }
            (What::Receive { .. }, None | Some(What::Received { .. })) => {
                return self.add_receive(&event.what, span, answer);
            }
            (What::Extend { receipts, lease_us }, None | Some(What::Extended { .. })) => {
                let (answers, error) = match answer {
                    Some(What::Extended { answers, error, .. }) => (answers.as_slice(), error),
                    _ => (&[][..], &None),
                };
                let said = said(answers, error.as_deref(), answer.is_some(), receipts.len())?;
                for (receipt, said) in receipts.iter().zip(said) {
                    let extension = Extension { span, lease_us: *lease_us, said };
                    self.hold(&receipt.queue, receipt.id, receipt.token).extensions.push(extension);
                }
            }
            (What::Settle { items }, None | Some(What::Settled { .. })) => {
                let (answers, error) = match answer {
                    Some(What::Settled { answers, error, .. }) => (answers.as_slice(), error),
                    _ => (&[][..], &None),
                };
                let said = said(answers, error.as_deref(), answer.is_some(), items.len())?;
                for (item, said) in items.iter().zip(said) {
                    let settling = Settling { span, how: item.how, after_us: item.after_us, said };
                    let receipt = &item.receipt;
                    self.hold(&receipt.queue, receipt.id, receipt.token).settlings.push(settling);
                }
            }
            (What::Steer(what), None | Some(What::Steered { .. })) => {
                let (done, touched) = match answer {
                    Some(What::Steered { jobs, error: None, .. }) => {
                        (*jobs > 0 || matches!(what, SteerWhat::Pause { .. }), *jobs)
                    }
                    Some(What::Steered { error: Some(error), .. }) => (!is_refusal(error), 0),
                    _ => (true, 0),
                };
                if done {
                    self.steers.push(Steering { span, what: what.clone(), touched });
                }
            }
            (What::Close {}, None | Some(What::Closed { .. })) => {}
            _ => return None,
        }
        Some(())
    }

    fn add_send(&mut self, what: &What, span: Span, answer: Option<&What>) -> Option<()> {
        let What::Send { queue, jobs, .. } = what else { return None };
        let fates: Vec<Fate> = match answer {
            Some(What::Sent { fates, error: None, .. }) if fates.len() == jobs.len() => fates
                .iter()
                .map(|fate| match fate.as_str() {
                    "stored" => Some(Fate::Stored),
                    "parked" => Some(Fate::Parked),
                    "duplicate" => Some(Fate::Duplicate),
                    _ => None,
                })
                .collect::<Option<_>>()?,
            Some(What::Sent { error: None, .. }) => return None,
            Some(What::Sent { error: Some(error), .. }) if is_refusal(error) => {
                vec![Fate::Refused; jobs.len()]
            }
            _ => vec![Fate::Unknown; jobs.len()],
        };
        for ((index, sent), fate) in jobs.iter().enumerate().zip(fates) {
            let job = self.job(queue, sent.id);
            let (priority, key) = (sent.priority, sent.key.clone());
            let delay_us = sent.delay_us;
            self.jobs[job].sends.push(Sending { span, index, priority, key, delay_us, fate });
        }
        Some(())
    }

    fn add_receive(&mut self, what: &What, span: Span, answer: Option<&What>) -> Option<()> {
        let What::Receive { queues, lease_us, .. } = what else { return None };
        let (jobs, answered) = match answer {
            Some(What::Received { jobs, error: None, .. }) => (jobs.as_slice(), true),
            Some(What::Received { error: Some(error), .. }) => (&[][..], is_refusal(error)),
            _ => (&[][..], false),
        };
        let queues = queues.iter().map(|queue| self.queue(queue)).collect();
        let mut taken = Vec::with_capacity(jobs.len());
        for one in jobs {
            let receipt = &one.receipt;
            let grant =
                Grant { span, token: receipt.token, attempt: one.attempt, lease_us: *lease_us };
            self.hold(&receipt.queue, receipt.id, receipt.token).grants.push(grant);
            taken.push((self.job(&receipt.queue, receipt.id), receipt.token));
        }
        self.receives.push(Receiving { span, queues, taken, answered });
        Some(())
    }

    fn queue(&mut self, name: &str) -> usize {
        if let Some(index) = self.queue_by_name.get(name) {
            return *index;
        }
        self.queues.push(QueueOf { name: name.to_owned(), ..QueueOf::default() });
        self.queue_by_name.insert(name.to_owned(), self.queues.len() - 1);
        self.queues.len() - 1
    }

    fn job(&mut self, queue: &str, id: JobId) -> usize {
        let queue = self.queue(queue);
        let next = self.jobs.len();
        let index = *self.job_by_id.entry((queue, id)).or_insert(next);
        if index == next {
            let (sends, holds) = (Vec::new(), BTreeMap::new());
            self.jobs.push(Job { id, queue, sends, holds });
            self.queues[queue].jobs.push(index);
        }
        index
    }

    fn hold(&mut self, queue: &str, id: JobId, token: u64) -> &mut Hold {
        let job = self.job(queue, id);
        self.jobs[job].holds.entry(token).or_default()
    }

    pub(super) fn find(&self, queue: &str, id: JobId) -> Option<usize> {
        let queue = self.queue_by_name.get(queue)?;
        self.job_by_id.get(&(*queue, id)).copied()
    }
}

/// The answers of a batch, item by item. `None` where there are more or fewer than there are items.
fn said(
    answers: &[String],
    error: Option<&str>,
    answered: bool,
    items: usize,
) -> Option<Vec<Said>> {
    if !answered || error.is_some() {
        return Some(vec![Said::of(error); items]);
    }
    (answers.len() == items).then(|| answers.iter().map(|word| Said::of(Some(word))).collect())
}

/// Gives every event its rank, and every answer its question.
fn rank(history: &History) -> Result<Ranked<'_>> {
    let mut order: Vec<(Place, &Event)> = history.events().collect();
    for pair in order.windows(2) {
        let [(_, a), (place, b)] = pair else { continue };
        if a.process == b.process && b.at_us < a.at_us {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the clock was set back while the history was written, so nothing can be said about it",
            )
            .fact("at", history.show(*place)));
        }
    }
    order.sort_by(|(_, a), (_, b)| (a.at_us, &a.process, a.n).cmp(&(b.at_us, &b.process, b.n)));
    let mut ranked = Ranked { calls: HashMap::new(), answers: HashMap::new() };
    let mut rank = 0;
    for tie in order.chunk_by(|(_, a), (_, b)| a.at_us == b.at_us) {
        // Within one recorder the numbers tell which was first, between two nothing does.
        let alone = tie.iter().all(|(_, event)| event.process == tie[0].1.process);
        for (index, (place, event)) in tie.iter().enumerate() {
            if index == 0 || alone {
                rank += 1;
            }
            let mark = Mark { rank, at_us: event.at_us, place: *place };
            let process = event.process.as_str();
            match event.what.call() {
                None => _ = ranked.calls.insert((process, event.n), mark),
                Some(call) => {
                    let twice = ranked.answers.insert((process, call), (mark, &event.what));
                    if twice.is_some() || call >= event.n {
                        return Err(Error::new(
                            ErrorKind::Invalid,
                            "a call of the history is answered twice, or before it was asked",
                        )
                        .fact("at", history.show(*place)));
                    }
                }
            }
        }
    }
    Ok(ranked)
}

/// True for an answer that says an error after which something may have been done.
fn is_open(answer: &What) -> bool {
    let (What::Declared { error, .. }
    | What::Sent { error, .. }
    | What::Received { error, .. }
    | What::Extended { error, .. }
    | What::Settled { error, .. }
    | What::Steered { error, .. }
    | What::Closed { error, .. }) = answer
    else {
        return false;
    };
    error.as_deref().is_some_and(|error| !is_refusal(error))
}
