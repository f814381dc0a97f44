//! One queue of the memory broker: its jobs, where each stands, and the rules by which they move.
//!
//! Everything here is plain data under the broker's one lock: no waiting, no waking, and the time is an argument.
//! Each job is in exactly one state; `ready`, `due` and the turns of the keys are views of the states, kept by
//! [`Queue::enter`] and [`Queue::leave`]; only [`Queue::pass_turn`] takes a turn away.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::waiting::WaitingSend;
use crate::clock::Instant;
use crate::delivery::{Delivery, Receipt, Settle};
use crate::id::JobId;
use crate::inspect::{JobState, QueueInfo};
use crate::message::{Message, QueueName};
use crate::queue::QueueSettings;

/// The most ids of done jobs that a queue remembers, whatever its settings say: the broker lives in memory.
const REMEMBERED_MAX: usize = 1_000_000;

/// A stored job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) message: Message,
    pub(super) state: JobState,
    pub(super) attempt: u32,
    pub(super) token: u64,
    pub(super) sent: Instant,
    /// When it may be taken, or when its lease ends.
    pub(super) due: Instant,
    pub(super) reason: Option<String>,
}

/// Whose turn it is among the messages of one key.
#[derive(Debug, Default)]
struct Turn {
    /// The one that is ready, delayed or leased.
    active: Option<u64>,
    /// Those behind it, in the order they were sent.
    held: BTreeSet<u64>,
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: QueueName,
    pub(super) settings: QueueSettings,
    pub(super) paused: bool,
    /// By sequence number: the order in which they were accepted, never used twice.
    pub(super) jobs: BTreeMap<u64, Job>,
    /// What can be taken: the most urgent first, then the oldest.
    pub(super) ready: BTreeSet<(Reverse<u8>, u64)>,
    /// What time moves: delayed jobs and leases, the next first.
    due: BTreeSet<(Instant, u64)>,
    turns: HashMap<String, Turn>,
    pub(super) parked: BTreeSet<u64>,
    pub(super) buried: BTreeSet<u64>,
    /// Ids of jobs that are done, until they are forgotten.
    remembered: BTreeSet<(Instant, JobId)>,
    /// Senders that sleep until there is room, in the order they came.
    pub(super) senders: VecDeque<WaitingSend>,
    next_seq: u64,
    counts: [u64; JobState::ALL.len()],
    depth_max: u64,
    accepted: u64,
    done: u64,
}

impl Queue {
    pub(super) fn new(name: QueueName, settings: QueueSettings) -> Self {
        Self {
            name,
            settings,
            paused: false,
            jobs: BTreeMap::new(),
            ready: BTreeSet::new(),
            due: BTreeSet::new(),
            turns: HashMap::new(),
            parked: BTreeSet::new(),
            buried: BTreeSet::new(),
            remembered: BTreeSet::new(),
            senders: VecDeque::new(),
            next_seq: 1,
            counts: [0; JobState::ALL.len()],
            depth_max: 0,
            accepted: 0,
            done: 0,
        }
    }

    pub(super) fn count(&self, state: JobState) -> u64 {
        self.counts[index(state)]
    }

    /// The unsettled jobs that the bound counts.
    pub(super) fn depth(&self) -> u64 {
        [JobState::Ready, JobState::Delayed, JobState::Held, JobState::Leased]
            .into_iter()
            .map(|state| self.count(state))
            .sum()
    }

    /// How many more jobs fit.
    pub(super) fn room(&self) -> u64 {
        self.settings.capacity.saturating_sub(self.depth())
    }

    /// Stores a message under the next sequence number: in the queue, or parked.
    pub(super) fn store(&mut self, message: Message, parked: bool, now: Instant) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.accepted += 1;
        let due = now + message.delay;
        let message = Message { delay: Duration::ZERO, ..message };
        let state = if parked { JobState::Parked } else { JobState::Ready };
        self.jobs.insert(
            seq,
            Job { message, state, attempt: 0, token: 0, sent: now, due, reason: None },
        );
        if parked {
            self.enter(seq, JobState::Parked);
        } else {
            self.place(seq, now);
        }
        seq
    }

    /// Lets parked children in while there is room.
    pub(super) fn admit_parked(&mut self, now: Instant) {
        while self.room() > 0 {
            let Some(&seq) = self.parked.first() else { return };
            self.leave(seq);
            self.place(seq, now);
        }
    }

    /// Gives a job that has a place its state: held behind its key, delayed until it is due, or ready.
    ///
    /// A message can find a later one of its key before it: it was buried, and has been kicked back. As long as nobody has
    /// the later one, that one gives up its turn.
    pub(super) fn place(&mut self, seq: u64, now: Instant) {
        let Some(job) = self.jobs.get(&seq) else { return };
        let (due, key) = (job.due, job.message.key.clone());
        let turn = key.as_ref().and_then(|key| self.turns.get_mut(key));
        let (mut active, mut earlier) = (None, None);
        if let Some(turn) = turn {
            active = turn.active.filter(|active| *active != seq);
            earlier = turn.held.first().copied().filter(|held| *held < seq);
        }
        if let Some(later) = active.filter(|active| *active > seq && !self.is_leased(*active)) {
            self.leave(later);
            self.enter(later, JobState::Held);
            active = None;
        }
        if active.is_some() {
            return self.enter(seq, JobState::Held);
        }
        if let Some(earlier) = earlier {
            self.enter(seq, JobState::Held);
            self.leave(earlier);
            if let Some(turn) = key.as_ref().and_then(|key| self.turns.get_mut(key)) {
                turn.active = None;
            }
            return self.place(earlier, now);
        }
        self.enter(seq, if due > now { JobState::Delayed } else { JobState::Ready });
    }

    fn is_leased(&self, seq: u64) -> bool {
        self.jobs.get(&seq).is_some_and(|job| job.state == JobState::Leased)
    }

    /// Puts a job that is in no state into this one.
    pub(super) fn enter(&mut self, seq: u64, state: JobState) {
        let Some(job) = self.jobs.get_mut(&seq) else { return };
        job.state = state;
        self.counts[index(state)] += 1;
        match state {
            JobState::Ready => _ = self.ready.insert((Reverse(job.message.priority.level()), seq)),
            JobState::Delayed | JobState::Leased => _ = self.due.insert((job.due, seq)),
            JobState::Parked => _ = self.parked.insert(seq),
            JobState::Buried => _ = self.buried.insert(seq),
            JobState::Held => {}
        }
        if let Some(key) = &job.message.key {
            match state {
                JobState::Held => _ = self.turns.entry(key.clone()).or_default().held.insert(seq),
                JobState::Ready | JobState::Delayed | JobState::Leased => {
                    self.turns.entry(key.clone()).or_default().active = Some(seq);
                }
                JobState::Parked | JobState::Buried => {}
            }
        }
        self.depth_max = self.depth_max.max(self.depth());
    }

    /// Takes a job out of its state. Its key keeps its turn, until [`Queue::pass_turn`] says that it gave it up.
    pub(super) fn leave(&mut self, seq: u64) {
        let Some(job) = self.jobs.get(&seq) else { return };
        self.counts[index(job.state)] -= 1;
        match job.state {
            JobState::Ready => _ = self.ready.remove(&(Reverse(job.message.priority.level()), seq)),
            JobState::Delayed | JobState::Leased => _ = self.due.remove(&(job.due, seq)),
            JobState::Parked => _ = self.parked.remove(&seq),
            JobState::Buried => _ = self.buried.remove(&seq),
            JobState::Held => {
                if let Some(turn) = job.message.key.as_ref().and_then(|key| self.turns.get_mut(key))
                {
                    turn.held.remove(&seq);
                }
            }
        }
    }

    /// After a job left for good: the next message with its key has its turn.
    fn pass_turn(&mut self, seq: u64, key: Option<&str>, now: Instant) {
        let Some(key) = key else { return };
        let Some(turn) = self.turns.get_mut(key) else { return };
        if turn.active != Some(seq) {
            return;
        }
        turn.active = None;
        match turn.held.first().copied() {
            Some(next) => {
                self.leave(next);
                self.place(next, now);
            }
            None => _ = self.turns.remove(key),
        }
    }

    /// What the clock has moved by now: delayed jobs that are due, leases that ran out, ids to forget.
    /// The ids that were forgotten are returned.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<JobId> {
        while let Some(&(due, seq)) = self.due.first() {
            if due > now {
                break;
            }
            self.leave(seq);
            if let Some(job) = self.jobs.get_mut(&seq)
                && job.state == JobState::Leased
            {
                job.reason = Some(format!(
                    "the lease of attempt {} ran out before it was settled",
                    job.attempt
                ));
            }
            self.place(seq, now);
        }
        let mut forgotten = Vec::new();
        while self.remembered.len() > REMEMBERED_MAX
            || self.remembered.first().is_some_and(|&(until, _)| until <= now)
        {
            forgotten.extend(self.remembered.pop_first().map(|(_, id)| id));
        }
        forgotten
    }

    /// When the clock next moves something that a receiver could take.
    pub(super) fn next_due(&self) -> Option<Instant> {
        if self.paused { None } else { self.due.first().map(|&(due, _)| due) }
    }

    /// Leases the most urgent, oldest ready job.
    pub(super) fn take(&mut self, token: u64, lease: Duration, now: Instant) -> Option<Delivery> {
        if self.paused || (self.settings.exclusive && self.count(JobState::Leased) > 0) {
            return None;
        }
        let &(_, seq) = self.ready.first()?;
        self.leave(seq);
        let job = self.jobs.get_mut(&seq)?;
        job.attempt = job.attempt.saturating_add(1);
        job.token = token;
        job.due = now + lease;
        let mut delivery = Delivery::new(
            job.message.clone(),
            Receipt::new(self.name.clone(), job.message.id, token),
        );
        delivery.attempt = job.attempt;
        delivery.age = now - job.sent;
        delivery.last_failure.clone_from(&job.reason);
        self.enter(seq, JobState::Leased);
        Some(delivery)
    }

    /// True where this token is the one of a lease that runs.
    pub(super) fn owns(&self, seq: u64, token: u64) -> bool {
        self.jobs.get(&seq).is_some_and(|job| job.state == JobState::Leased && job.token == token)
    }

    /// Makes a lease end at `due`.
    pub(super) fn extend(&mut self, seq: u64, due: Instant) {
        self.leave(seq);
        if let Some(job) = self.jobs.get_mut(&seq) {
            job.due = due;
        }
        self.enter(seq, JobState::Leased);
    }

    /// Ends a lease.
    pub(super) fn settle(&mut self, seq: u64, how: &Settle, now: Instant) {
        match how {
            Settle::Done => {
                self.done += 1;
                if let Some(job) = self.remove(seq, now) {
                    self.remembered.insert((now + self.settings.remember, job.message.id));
                }
            }
            Settle::Retry { after, reason } => {
                self.come_back(seq, now, *after, |job| {
                    job.reason = Some(Settle::cut_reason(reason).to_owned())
                });
            }
            Settle::Release { after } => {
                self.come_back(seq, now, *after, |job| job.attempt = job.attempt.saturating_sub(1));
            }
            Settle::Bury { reason } => self.bury(seq, reason, now),
        }
    }

    fn come_back(
        &mut self,
        seq: u64,
        now: Instant,
        after: Duration,
        change: impl FnOnce(&mut Job),
    ) {
        self.leave(seq);
        if let Some(job) = self.jobs.get_mut(&seq) {
            job.due = now + after;
            change(job);
        }
        self.place(seq, now);
    }

    /// Puts a job aside, whatever its state. It gives up its turn.
    pub(super) fn bury(&mut self, seq: u64, reason: &str, now: Instant) {
        self.leave(seq);
        let key = self.jobs.get_mut(&seq).and_then(|job| {
            job.reason = Some(Settle::cut_reason(reason).to_owned());
            job.message.key.clone()
        });
        self.enter(seq, JobState::Buried);
        self.pass_turn(seq, key.as_deref(), now);
    }

    /// Brings a buried job back into the queue, or makes a delayed one due.
    pub(super) fn kick(&mut self, seq: u64, now: Instant) {
        self.leave(seq);
        if let Some(job) = self.jobs.get_mut(&seq) {
            job.due = now;
            if job.state == JobState::Buried {
                job.attempt = 0;
            }
        }
        self.place(seq, now);
    }

    /// Removes a job for good.
    pub(super) fn remove(&mut self, seq: u64, now: Instant) -> Option<Job> {
        self.leave(seq);
        let job = self.jobs.remove(&seq)?;
        self.pass_turn(seq, job.message.key.as_deref(), now);
        Some(job)
    }

    /// The message whose turn it is among those with this key.
    pub(super) fn active(&self, key: &str) -> Option<JobId> {
        let seq = self.turns.get(key)?.active?;
        Some(self.jobs.get(&seq)?.message.id)
    }

    pub(super) fn info(&self) -> QueueInfo {
        let mut info = QueueInfo::new(self.name.clone(), self.settings.clone());
        info.paused = self.paused;
        info.ready = self.count(JobState::Ready);
        info.delayed = self.count(JobState::Delayed);
        info.held = self.count(JobState::Held);
        info.leased = self.count(JobState::Leased);
        info.parked = self.count(JobState::Parked);
        info.buried = self.count(JobState::Buried);
        info.depth_max = self.depth_max;
        info.accepted = self.accepted;
        info.done = self.done;
        info.senders_waiting = self.senders.len() as u64;
        info
    }
}

/// The place of a state in an array by state.
fn index(state: JobState) -> usize {
    state as usize
}
