//! What happened, as people think of it: who sent which jobs and waited for room, who asked for jobs, who had which one from
//! when to when, and how that ended.
//!
//! A history says when something was asked and answered, not when it was done; what is drawn is the answer, or the question where
//! there is none. Where that matters for a promise, the checker judges, and not this.

use std::collections::{BTreeMap, HashMap};

use handover::JobId;
use handover::history::{History, How, NotedReceipt, SettleItem, SteerWhat, What};

use super::calls::{Call, Calls, Process};
use super::level::{Levels, Now, count};

/// Everything, times in microseconds since the beginning.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) processes: Vec<Process>,
    /// When the first line was written, in microseconds since 1970.
    pub(super) begin: u64,
    pub(super) length: u64,
    pub(super) sends: Vec<Send>,
    pub(super) receives: Vec<Receive>,
    pub(super) holds: Vec<Hold>,
    pub(super) jobs: HashMap<JobId, Job>,
    pub(super) queues: BTreeMap<String, Queue>,
    /// What operators did, in order.
    pub(super) operations: Vec<Operation>,
    /// By process: its sends, receives and leases, as some of those above.
    pub(super) of: Vec<Done>,
}

/// What one process did.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    pub(super) sends: Vec<usize>,
    pub(super) receives: Vec<usize>,
    pub(super) holds: Vec<usize>,
}

/// What an operator did.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) process: usize,
    pub(super) at: u64,
    pub(super) what: SteerWhat,
    pub(super) jobs: u64,
    /// Which jobs it touched is certain.
    pub(super) sure: bool,
}

/// A batch on its way.
#[derive(Debug)]
pub(super) struct Send {
    pub(super) process: usize,
    pub(super) queue: String,
    pub(super) jobs: Vec<(JobId, String)>,
    pub(super) from: u64,
    pub(super) to: u64,
    /// The job that sends, as one of `holds`.
    pub(super) parent: Option<usize>,
    /// There was not room enough when it was asked, or it was refused for that; `None` where nobody knows, since the capacity of
    /// its queue is not in the history.
    pub(super) full: Option<bool>,
    /// The kind of the error where it failed; `no answer` where there is none.
    pub(super) failed: Option<String>,
}

/// Somebody asks for jobs.
#[derive(Debug)]
pub(super) struct Receive {
    pub(super) process: usize,
    pub(super) queues: Vec<String>,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// A lease: one owner of a job, from when to when.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) process: usize,
    pub(super) queue: String,
    pub(super) job: JobId,
    pub(super) token: u64,
    pub(super) attempt: u32,
    pub(super) from: u64,
    /// When it was settled, or refused for that.
    pub(super) to: Option<u64>,
    /// Until when the lease runs, as far as the history says.
    pub(super) lease: u64,
    /// How it was settled, and the kind of the error where it was refused.
    pub(super) how: Option<How>,
    /// How long after that it is due again.
    pub(super) after: u64,
    pub(super) refused: Option<String>,
    /// What its owner sent for it, as some of `sends`.
    pub(super) sends: Vec<usize>,
    /// Each time that the lease was made longer, or was not.
    pub(super) extended: Vec<(u64, String)>,
}

/// A job, over all its owners.
#[derive(Debug, Default)]
pub(super) struct Job {
    pub(super) queue: String,
    /// The send that brought it, as one of `sends`.
    pub(super) sent: Option<usize>,
    /// Its owners, as some of `holds`, in order.
    pub(super) holds: Vec<usize>,
    pub(super) key: Option<String>,
    /// How long after it was accepted it is due.
    pub(super) delay: u64,
    pub(super) accepted: Option<u64>,
    /// What became of it, and when, in order.
    pub(super) turns: Vec<(u64, Now)>,
    /// What operators did to it, as some of `operations`.
    pub(super) operations: Vec<usize>,
}

impl Job {
    /// What had become of it by this moment; `None` before it was accepted.
    pub(super) fn now(&self, at: u64) -> Option<Now> {
        self.turns.iter().rev().find(|(when, _)| *when <= at).map(|(_, now)| *now)
    }
}

/// A queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) capacity: Option<u64>,
    /// From this moment on, so many jobs are not settled, parked ones with them.
    pub(super) counts: Vec<(u64, u64)>,
}

impl Story {
    pub(super) fn of(history: &History) -> Self {
        let Calls { mut processes, calls } = Calls::of(history);
        let begin = processes.iter().map(|process| process.first).min().unwrap_or(0);
        let end = processes.iter().map(|process| process.last).max().unwrap_or(begin);
        for process in &mut processes {
            (process.first, process.last) = (process.first - begin, process.last - begin);
        }
        let story = Self {
            processes,
            begin,
            length: (end - begin).saturating_add(1),
            sends: Vec::new(),
            receives: Vec::new(),
            holds: Vec::new(),
            jobs: HashMap::new(),
            queues: BTreeMap::new(),
            operations: Vec::new(),
            of: Vec::new(),
        };
        let mut teller = Teller { story, leases: HashMap::new(), levels: Levels::default() };
        for call in &calls {
            teller.call(call);
        }
        teller.ended()
    }

    /// How many jobs are not settled at the end: what the queues hold then.
    pub(super) fn unsettled(&self) -> u64 {
        let last = self.queues.values().filter_map(|queue| queue.counts.last());
        last.map(|(_, count)| *count).fold(0, u64::saturating_add)
    }

    /// When a lease was over at the latest: its time had passed, the next owner had the job, or it was out of circulation.
    pub(super) fn over(&self, hold: &Hold) -> u64 {
        let Some(job) = self.jobs.get(&hold.job) else { return hold.lease };
        let owners = job.holds.iter().filter_map(|other| self.holds.get(*other));
        let next = owners.map(|other| other.from);
        let ends = job.turns.iter().filter(|(_, now)| *now != Now::Open).map(|(at, _)| *at);
        let next = next.chain(ends).filter(|at| *at > hold.from);
        next.chain([hold.lease]).min().unwrap_or(hold.lease)
    }
}

struct Teller {
    story: Story,
    leases: HashMap<(JobId, u64), usize>,
    levels: Levels,
}

impl Teller {
    fn since(&self, at_us: u64) -> u64 {
        at_us.saturating_sub(self.story.begin)
    }

    fn call(&mut self, call: &Call<'_>) {
        let at = self.since(call.at());
        match (call.question, call.answer.map(|(_, answer)| answer)) {
            (What::Declare(queue), answer) => {
                if matches!(answer, Some(What::Declared { error: None, .. })) {
                    let known = self.story.queues.entry(queue.queue.clone()).or_default();
                    known.capacity = Some(queue.capacity);
                }
            }
            (What::Send { .. }, answer) => self.send(call, answer),
            (What::Receive { queues, lease_us, .. }, answer) => {
                let (process, from) = (call.process, self.since(call.asked));
                // Who has no answer waits until nothing more is heard of it.
                let to = if answer.is_some() { at } else { self.story.processes[process].last };
                self.story.receives.push(Receive { process, queues: queues.clone(), from, to });
                let Some(What::Received { jobs, .. }) = answer else { return };
                for given in jobs {
                    self.given(process, at, &given.receipt, given.attempt, *lease_us);
                }
            }
            (What::Extend { receipts, lease_us }, Some(What::Extended { answers, .. })) => {
                for (receipt, answer) in receipts.iter().zip(answers) {
                    let Some(hold) = self.hold(receipt) else { continue };
                    if answer == "ok" {
                        hold.lease = std::cmp::max(hold.from, at.saturating_add(*lease_us));
                    }
                    hold.extended.push((at, answer.clone()));
                }
            }
            (What::Settle { items }, Some(What::Settled { answers, error, .. })) => {
                if error.is_some() {
                    self.levels.unanswered();
                }
                for (item, answer) in items.iter().zip(answers) {
                    self.settled(item, answer, at, self.since(call.asked));
                }
            }
            (What::Steer(what), Some(What::Steered { jobs, error: None, .. })) => {
                self.steered(call.process, what, *jobs, at);
            }
            (What::Settle { .. } | What::Steer(_), _) => self.levels.unanswered(),
            _ => {}
        }
    }

    fn send(&mut self, call: &Call<'_>, answer: Option<&What>) {
        let What::Send { queue, jobs, parent, .. } = call.question else { return };
        let (from, to) = (self.since(call.asked), self.since(call.at()));
        let (fates, error) = match answer {
            Some(What::Sent { fates, error, .. }) => (fates.as_slice(), error.clone()),
            _ => (&[][..], Some("no answer".to_owned())),
        };
        if error.is_some() && error.as_deref() != Some("full") {
            self.levels.unanswered();
        }
        let index = self.story.sends.len();
        let fate = |place: usize| fates.get(place).map_or("unknown", String::as_str);
        for (place, sent) in jobs.iter().enumerate() {
            let job = self.story.jobs.entry(sent.id).or_default();
            // Of several sends of one job, the one that brought it.
            if job.sent.is_none() || matches!(fate(place), "stored" | "parked") {
                job.sent = Some(index);
            }
            if matches!(fate(place), "stored" | "parked") && job.accepted.is_none() {
                job.accepted = Some(to);
                job.turns.push((to, Now::Open));
                (job.key, job.delay) = (sent.key.clone(), sent.delay_us);
                job.queue.clone_from(queue);
                self.levels.more(queue, sent.id, to);
            }
        }
        let parent = parent
            .as_ref()
            .and_then(|receipt| self.leases.get(&(receipt.id, receipt.token)).copied());
        if let Some(parent) = parent.and_then(|parent| self.story.holds.get_mut(parent)) {
            parent.sends.push(index);
        }
        let jobs = jobs.iter().enumerate();
        let jobs = jobs.map(|(place, sent)| (sent.id, fate(place).to_owned())).collect();
        self.story.sends.push(Send {
            process: call.process,
            queue: queue.clone(),
            jobs,
            from,
            to,
            parent,
            full: Some(error.as_deref() == Some("full")),
            failed: error,
        });
    }

    fn given(&mut self, process: usize, at: u64, receipt: &NotedReceipt, attempt: u32, lease: u64) {
        let index = self.story.holds.len();
        let job = self.story.jobs.entry(receipt.id).or_default();
        if job.accepted.is_none() {
            job.accepted = Some(at);
            job.turns.push((at, Now::Open));
            job.queue.clone_from(&receipt.queue);
            self.levels.more(&receipt.queue, receipt.id, at);
        } else if job.turns.last().is_some_and(|(_, now)| *now == Now::Buried) {
            job.turns.push((at, Now::Open));
            self.levels.seen(&receipt.queue, receipt.id, at);
        }
        job.holds.push(index);
        self.leases.insert((receipt.id, receipt.token), index);
        self.story.holds.push(Hold {
            process,
            queue: receipt.queue.clone(),
            job: receipt.id,
            token: receipt.token,
            attempt,
            from: at,
            to: None,
            lease: at.saturating_add(lease),
            how: None,
            after: 0,
            refused: None,
            sends: Vec::new(),
            extended: Vec::new(),
        });
    }

    fn hold(&mut self, receipt: &NotedReceipt) -> Option<&mut Hold> {
        let index = *self.leases.get(&(receipt.id, receipt.token))?;
        self.story.holds.get_mut(index)
    }

    fn settled(&mut self, item: &SettleItem, answer: &str, at: u64, asked: u64) {
        let (receipt, how, done) = (&item.receipt, item.how, answer == "ok");
        if let Some(hold) = self.hold(receipt) {
            // By another process's clock it may have been settled before it was given.
            (hold.to, hold.how) = (Some(std::cmp::max(hold.from, at)), Some(how));
            hold.after = item.after_us;
            hold.refused = (!done).then(|| answer.to_owned());
        }
        if done && how.is_final() {
            self.levels.less(&receipt.queue, receipt.id, asked, how == How::Bury);
            let now = if how == How::Bury { Now::Buried } else { Now::Gone };
            self.story.jobs.entry(receipt.id).or_default().turns.push((at, now));
        } else if !done && answer != "lease_lost" {
            self.levels.unanswered();
        }
    }

    fn steered(&mut self, process: usize, what: &SteerWhat, jobs: u64, at: u64) {
        let index = self.story.operations.len();
        let touched = self.levels.steer(what, jobs, at);
        let named = match what {
            SteerWhat::KickJob { id } | SteerWhat::Cancel { id } | SteerWhat::Delete { id } => {
                (jobs > 0).then_some(*id)
            }
            _ => None,
        };
        if let Some(job) = named {
            self.story.jobs.entry(job).or_default().operations.push(index);
        }
        let sure = touched.is_some();
        for (id, now) in touched.into_iter().flatten() {
            let job = self.story.jobs.entry(id).or_default();
            job.turns.push((at, now));
            if named.is_none() {
                job.operations.push(index);
            }
        }
        let what = what.clone();
        self.story.operations.push(Operation { process, at, what, jobs, sure });
    }

    fn ended(self) -> Story {
        let Self { mut story, levels, .. } = self;
        for (name, counts) in levels.counts() {
            story.queues.entry(name).or_default().counts = counts;
        }
        for send in &mut story.sends {
            let queue = story.queues.get(&send.queue);
            let capacity = queue.and_then(|queue| queue.capacity);
            send.full = match (send.full, queue.zip(capacity)) {
                (Some(true), _) => Some(true),
                (_, Some((queue, capacity))) => {
                    let then = count(&queue.counts, send.from) + send.jobs.len() as u64;
                    Some(then > capacity)
                }
                (_, None) => None,
            };
        }
        story.of = vec![Done::default(); story.processes.len()];
        for (number, send) in story.sends.iter().enumerate() {
            story.of[send.process].sends.push(number);
        }
        for (number, receive) in story.receives.iter().enumerate() {
            story.of[receive.process].receives.push(number);
        }
        for (number, hold) in story.holds.iter().enumerate() {
            story.of[hold.process].holds.push(number);
        }
        story
    }
}
