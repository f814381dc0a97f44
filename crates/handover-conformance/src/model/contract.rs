//! The model: the contract as a state of queues and jobs and the rules by which it moves. Pure data, no waiting, no clock.
//!
//! It is written to be another program than any broker: what a broker keeps in indexes is asked of the plain list of jobs here.
//! Whether an answer is right is judged in `judge.rs`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use handover::{Attempts, Bound, Caps, Dedup, ErrorKind, Fate, JobState, LeaseKind, Ordering};

use super::step::{Claim, Draft, End, Forged, Label, Lease, Q, Seen, When};

/// What of the contract a broker promises, and what the place allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a promise of its own")]
pub(crate) struct Rules {
    pub(crate) bound: bool,
    pub(crate) fifo: bool,
    pub(crate) priorities: u8,
    pub(crate) keys: bool,
    pub(crate) delays: bool,
    pub(crate) timed: bool,
    pub(crate) attempts: bool,
    pub(crate) fenced: bool,
    pub(crate) dedup: bool,
    /// An id is forgotten with its job.
    pub(crate) forgets: bool,
    pub(crate) exclusive: bool,
    pub(crate) steer: bool,
    pub(crate) inspect: bool,
    pub(crate) batch_max: usize,
    pub(crate) clients: usize,
}

/// Nothing that is due later than this becomes due within a round.
pub(crate) const ROUND_MAX: std::time::Duration = std::time::Duration::from_secs(60);

impl Rules {
    pub(crate) fn new(caps: &Caps) -> Self {
        Self {
            bound: caps.bound == Bound::Exact,
            fifo: caps.ordering == Ordering::Fifo,
            priorities: caps.priorities,
            keys: caps.keys,
            delays: caps.delay_max.is_some_and(|max| max >= ROUND_MAX),
            timed: matches!(caps.lease, LeaseKind::Timed { lease_max } if lease_max >= ROUND_MAX),
            attempts: caps.attempts == Attempts::Exact,
            fenced: caps.fenced,
            dedup: match caps.dedup {
                Dedup::WhileStored => true,
                Dedup::For(time) => time >= ROUND_MAX,
                _ => false,
            },
            forgets: caps.dedup == Dedup::WhileStored,
            exclusive: false,
            steer: false,
            inspect: false,
            batch_max: caps.batch_max,
            clients: 1,
        }
    }
}

/// Where a job stands, but for what follows from the other jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// In the queue: ready, delayed or held.
    In,
    Leased {
        nth: usize,
        ends: When,
    },
    Parked,
    Buried,
    /// Done, and its id still known.
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) queue: Q,
    pub(crate) seq: u64,
    pub(crate) draft: Draft,
    pub(crate) due: When,
    pub(crate) stand: Stand,
    /// `None` where nobody can say.
    pub(crate) attempt: Option<u32>,
    pub(crate) token: u64,
    /// What the next attempt may be told, where the last one failed by a retry.
    pub(crate) failed: Option<String>,
}

/// A send in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) name: Label,
    pub(crate) batch: Vec<Draft>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) capacity: u64,
    pub(crate) overdraft: u64,
    pub(crate) exclusive: bool,
    pub(crate) paused: bool,
    pub(crate) line: VecDeque<Waiting>,
    token_max: u64,
    depth_max: u64,
    accepted: u64,
    done: u64,
}

/// What a waiting send is told.
pub(crate) type Told = (Label, Result<Vec<Fate>, ErrorKind>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) rules: Rules,
    pub(crate) queues: Vec<Queue>,
    pub(crate) jobs: BTreeMap<Label, Job>,
    /// The receive that waits, if one does: its queues and the most it takes.
    pub(crate) receiver: Option<(Vec<Q>, usize)>,
    /// Which waiting sends the last step answered.
    pub(crate) told: Vec<Told>,
    last_seq: u64,
}

impl Model {
    pub(crate) fn new(rules: Rules, queues: usize) -> Self {
        Self {
            rules,
            queues: vec![Queue::default(); queues],
            jobs: BTreeMap::new(),
            receiver: None,
            told: Vec::new(),
            last_seq: 0,
        }
    }

    // -- what can be asked

    fn of(&self, queue: Q) -> impl Iterator<Item = (Label, &Job)> {
        self.jobs
            .iter()
            .filter(move |(_, job)| job.queue == queue && job.stand != Stand::Done)
            .map(|(label, job)| (*label, job))
    }

    /// Of the messages with one key, the one whose turn it is: the one that is leased, or else the first one sent.
    fn has_turn(&self, label: Label, job: &Job) -> bool {
        let Some(key) = job.draft.key else { return true };
        let of_key = || self.of(job.queue).filter(|(_, other)| other.draft.key == Some(key));
        let leased = of_key().find(|(_, other)| matches!(other.stand, Stand::Leased { .. }));
        let first = || {
            of_key()
                .filter(|(_, other)| other.stand == Stand::In)
                .min_by_key(|(_, other)| other.seq)
        };
        leased.or_else(first).is_some_and(|(turn, _)| turn == label)
    }

    /// The state of a job that is stored.
    pub(crate) fn state(&self, label: Label) -> Option<JobState> {
        let job = self.jobs.get(&label)?;
        match job.stand {
            Stand::Done => None,
            Stand::Leased { .. } => Some(JobState::Leased),
            Stand::Parked => Some(JobState::Parked),
            Stand::Buried => Some(JobState::Buried),
            Stand::In if !self.has_turn(label, job) => Some(JobState::Held),
            Stand::In if job.due == When::Now => Some(JobState::Ready),
            Stand::In => Some(JobState::Delayed),
        }
    }

    pub(crate) fn count(&self, queue: Q, state: JobState) -> u64 {
        self.of(queue).filter(|(label, _)| self.state(*label) == Some(state)).count() as u64
    }

    /// The unsettled jobs the bound counts.
    pub(crate) fn depth(&self, queue: Q) -> u64 {
        let counts = |job: &Job| matches!(job.stand, Stand::In | Stand::Leased { .. });
        self.of(queue).filter(|(_, job)| counts(job)).count() as u64
    }

    pub(crate) fn room(&self, queue: Q) -> u64 {
        self.queues[queue].capacity.saturating_sub(self.depth(queue))
    }

    fn parked(&self, queue: Q) -> u64 {
        self.count(queue, JobState::Parked)
    }

    /// What can be taken next: one message where there is an order, or any of several.
    pub(crate) fn next(&self, queue: Q) -> Vec<Label> {
        let place = &self.queues[queue];
        if place.paused || (place.exclusive && self.count(queue, JobState::Leased) > 0) {
            return Vec::new();
        }
        let mut ready: Vec<_> = self
            .of(queue)
            .filter(|(label, _)| self.state(*label) == Some(JobState::Ready))
            .collect();
        ready.sort_by_key(|(_, job)| (Reverse(job.draft.priority), job.seq));
        if self.rules.fifo {
            ready.truncate(1);
        }
        ready.into_iter().map(|(label, _)| label).collect()
    }

    /// True where this receipt is the one of a lease that runs.
    pub(crate) fn owns(&self, claim: Claim) -> bool {
        claim.forged == Forged::Nothing && self.runs(claim.lease)
    }

    pub(crate) fn runs(&self, lease: Lease) -> bool {
        self.jobs
            .get(&lease.of)
            .is_some_and(|job| matches!(job.stand, Stand::Leased { nth, .. } if nth == lease.nth))
    }

    /// The queue as an inspector sees it.
    pub(crate) fn seen(&self, queue: Q) -> Seen {
        let place = &self.queues[queue];
        Seen {
            counts: JobState::ALL.map(|state| self.count(queue, state)),
            paused: place.paused,
            depth_max: place.depth_max,
            accepted: place.accepted,
            done: place.done,
            senders_waiting: place.line.len() as u64,
        }
    }

    /// The jobs for which a step may come before or after the moment.
    pub(crate) fn soon(&self) -> Vec<Label> {
        let soon = |job: &Job| match job.stand {
            Stand::Leased { ends, .. } => ends == When::Soon,
            Stand::In | Stand::Parked => job.due == When::Soon,
            Stand::Buried | Stand::Done => false,
        };
        self.jobs.iter().filter(|(_, job)| soon(job)).map(|(label, _)| *label).collect()
    }

    /// It is a fact now: this one is due, or its lease is over.
    pub(crate) fn learn(&mut self, label: Label) {
        let Some(job) = self.jobs.get_mut(&label) else { return };
        job.due = When::Now;
        if matches!(job.stand, Stand::Leased { .. }) {
            job.stand = Stand::In;
            job.failed = None;
        }
    }

    // -- what can happen

    /// What a batch would be told, if it were sent now or, `in_line`, were the first of those who wait.
    pub(crate) fn admission(
        &self,
        queue: Q,
        batch: &[Draft],
        parent: Option<Lease>,
        in_line: bool,
    ) -> Result<Vec<Fate>, ErrorKind> {
        if parent.is_some_and(|parent| !self.runs(parent)) {
            return Err(ErrorKind::LeaseLost);
        }
        let mut fates = Vec::new();
        for (index, draft) in batch.iter().enumerate() {
            let twice = batch[..index].iter().any(|earlier| earlier.label == draft.label);
            fates.push(match self.jobs.get(&draft.label) {
                Some(known) if known.queue != queue => return Err(ErrorKind::Invalid),
                Some(_) => Fate::Duplicate,
                None if twice => Fate::Duplicate,
                None => Fate::Stored,
            });
        }
        let own = parent
            .is_some_and(|parent| self.jobs.get(&parent.of).is_some_and(|job| job.queue == queue));
        let place = &self.queues[queue];
        let overdraft = if own { place.overdraft } else { 0 };
        if batch.len() as u64 > place.capacity + overdraft {
            return Err(ErrorKind::Invalid);
        }
        let parked = self.parked(queue);
        let mut places = if parked > 0 { 0 } else { self.room(queue) };
        let new = fates.iter().filter(|fate| **fate == Fate::Stored).count() as u64;
        let fits = if own {
            new <= places + overdraft.saturating_sub(parked)
        } else {
            new == 0 || (new <= places && (in_line || place.line.is_empty()))
        };
        if !fits {
            return Err(ErrorKind::Full);
        }
        for fate in fates.iter_mut().filter(|fate| **fate == Fate::Stored) {
            if places == 0 {
                *fate = Fate::Parked;
            }
            places = places.saturating_sub(1);
        }
        Ok(fates)
    }

    /// Stores what is new.
    pub(crate) fn store(&mut self, queue: Q, batch: &[Draft], fates: &[Fate]) {
        for (draft, fate) in batch.iter().zip(fates) {
            if *fate == Fate::Duplicate {
                continue;
            }
            self.last_seq += 1;
            let stand = if *fate == Fate::Parked { Stand::Parked } else { Stand::In };
            let job = Job {
                queue,
                seq: self.last_seq,
                draft: *draft,
                due: draft.delay,
                stand,
                attempt: Some(0),
                token: 0,
                failed: None,
            };
            self.jobs.insert(draft.label, job);
            self.queues[queue].accepted += 1;
        }
        self.note_depth(queue);
    }

    fn note_depth(&mut self, queue: Q) {
        let depth = self.depth(queue);
        let place = &mut self.queues[queue];
        place.depth_max = place.depth_max.max(depth);
    }

    /// Room may have appeared: parked children first, then those who wait, in the order they came.
    pub(crate) fn admit(&mut self, queue: Q) {
        loop {
            while self.room(queue) > 0 {
                let parked = self.of(queue).filter(|(_, job)| job.stand == Stand::Parked);
                let Some(first) = parked.min_by_key(|(_, job)| job.seq).map(|(label, _)| label)
                else {
                    break;
                };
                if let Some(job) = self.jobs.get_mut(&first) {
                    job.stand = Stand::In;
                }
                self.note_depth(queue);
            }
            let Some(first) = self.queues[queue].line.front().cloned() else { return };
            let answer = self.admission(queue, &first.batch, None, true);
            match &answer {
                Err(ErrorKind::Full) => return,
                Err(_) => {}
                Ok(fates) => self.store(queue, &first.batch, fates),
            }
            self.queues[queue].line.pop_front();
            self.told.push((first.name, answer));
        }
    }

    /// It is handed out.
    pub(crate) fn take(&mut self, lease: Lease, token: u64, ends: When) {
        let Some(job) = self.jobs.get_mut(&lease.of) else { return };
        job.stand = Stand::Leased { nth: lease.nth, ends };
        job.attempt = job.attempt.map(|attempt| attempt + 1);
        job.token = token;
        let place = &mut self.queues[job.queue];
        place.token_max = place.token_max.max(token);
    }

    /// The largest token this queue has given.
    pub(crate) fn token_max(&self, queue: Q) -> u64 {
        self.queues[queue].token_max
    }

    /// A lease that runs is ended by its owner.
    pub(crate) fn settle(&mut self, lease: Lease, how: End) {
        let exact = self.rules.attempts;
        let Some(job) = self.jobs.get_mut(&lease.of) else { return };
        let queue = job.queue;
        match how {
            End::Done => {
                job.stand = Stand::Done;
                self.queues[queue].done += 1;
            }
            End::Retry(after) => {
                (job.stand, job.due) = (Stand::In, after);
                job.failed = Some(reason(lease));
            }
            End::Release(after) => {
                (job.stand, job.due) = (Stand::In, after);
                if exact {
                    job.attempt = job.attempt.map(|attempt| attempt.saturating_sub(1));
                }
            }
            End::Bury => (job.stand, job.due) = (Stand::Buried, When::Now),
        }
        self.admit(queue);
    }

    /// A buried job comes back.
    pub(crate) fn bring_back(&mut self, label: Label) {
        let exact = self.rules.attempts;
        let Some(job) = self.jobs.get_mut(&label) else { return };
        let queue = job.queue;
        (job.stand, job.due, job.failed) = (Stand::In, When::Now, None);
        job.attempt = exact.then_some(0);
        self.note_depth(queue);
    }

    /// The buried jobs of a queue, oldest first.
    pub(crate) fn buried(&self, queue: Q) -> Vec<Label> {
        let mut buried: Vec<_> =
            self.of(queue).filter(|(_, job)| job.stand == Stand::Buried).collect();
        buried.sort_by_key(|(_, job)| job.seq);
        buried.into_iter().map(|(label, _)| label).collect()
    }
}

/// What a retry of this lease says.
pub(crate) fn reason(lease: Lease) -> String {
    format!("{lease} failed")
}
