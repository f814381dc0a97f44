//! The choice of the next step: random, and such that it makes sense where the round stands. It keeps to what the broker
//! promises, and away from where the contract says nothing.

use std::collections::BTreeMap;

use handover::JobState;

use super::contract::{Model, Rules};
use super::sense::{SOON_MAX, makes_sense};
use super::step::{Claim, Draft, End, Forged, Label, Lease, Q, QUEUES, Step, When};
use super::worlds::Worlds;

/// Chooses the steps of one round.
pub(crate) struct Picker {
    random: fastrand::Rng,
    rules: Rules,
    drafts: BTreeMap<Label, Draft>,
    /// Every delivery so far.
    leases: Vec<Lease>,
}

impl Picker {
    pub(crate) fn new(seed: u64, rules: Rules) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { random, rules, drafts: BTreeMap::new(), leases: Vec::new() }
    }

    /// A delivery was seen.
    pub(crate) fn note(&mut self, lease: Lease) {
        self.leases.push(lease);
    }

    /// The steps every round begins with.
    pub(crate) fn first(&mut self) -> Vec<Step> {
        (0..QUEUES.len()).map(|queue| self.declare(queue, 1, queue == 1)).collect()
    }

    fn declare(&mut self, queue: Q, least: u64, exclusive: bool) -> Step {
        let bound = self.rules.bound;
        Step::Declare {
            queue,
            capacity: if bound { self.random.u64(least..=5) } else { 1000 },
            overdraft: if bound { self.random.u64(0..=3) } else { 1000 },
            exclusive: exclusive && self.rules.exclusive && self.random.bool(),
        }
    }

    /// The next step.
    pub(crate) fn next(&mut self, worlds: &Worlds) -> Step {
        let (world, open) = (worlds.one(), worlds.soon());
        loop {
            let waits = world.receiver.is_some();
            let soon = if waits { 0 } else { SOON_MAX - open.min(SOON_MAX) };
            let step = match self.random.u8(0..100) {
                0..20 => Some(self.send(world, soon)),
                20..27 => self.send_children(world),
                27..34 => self.send_later(world),
                34..36 => self.drop_send(world),
                36..58 => Some(self.receive(world, soon, open)),
                58..62 => Some(self.receive_later()),
                62..78 => self.settle(world, soon),
                78..83 => self.extend(world, soon),
                83..86 => (open > 0).then_some(Step::LetPass),
                86..94 => self.steer(world),
                94..96 => Some(self.declare_again(world)),
                _ => self.look(),
            };
            if let Some(step) = step.filter(|step| makes_sense(step, worlds)) {
                return step;
            }
        }
    }

    // -- in

    fn client(&mut self) -> usize {
        self.random.usize(0..self.rules.clients)
    }

    fn sender(&mut self, world: &Model, queue: Q) -> usize {
        if world.queues[queue].line.is_empty() { self.client() } else { 0 }
    }

    fn queue(&mut self) -> Q {
        self.random.usize(0..QUEUES.len())
    }

    fn when(&mut self, soon: usize) -> When {
        match self.random.u8(0..10) {
            0 if self.rules.delays && self.rules.steer => When::Far,
            1 | 2 if self.rules.delays && soon > 0 => When::Soon,
            _ => When::Now,
        }
    }

    fn draft(&mut self, soon: usize) -> Draft {
        let label = self.drafts.last_key_value().map_or(1, |(label, _)| label + 1);
        let priority = match self.rules.priorities {
            10.. if self.random.u8(0..3) == 0 => self.random.u8(0..10),
            2.. if self.random.u8(0..3) == 0 => [0, 9][self.random.usize(0..2)],
            _ => 5,
        };
        let key = (self.rules.keys && self.random.bool()).then(|| self.random.u8(0..2));
        let draft = Draft { label, priority, key, delay: self.when(soon) };
        self.drafts.insert(label, draft);
        draft
    }

    /// New messages, and some that were sent before.
    fn batch(&mut self, world: &Model, mut soon: usize, most: usize) -> Vec<Draft> {
        let count = self.random.usize(1..=most.min(self.rules.batch_max).max(1));
        let mut batch = Vec::with_capacity(count);
        for _ in 0..count {
            let draft = match self.known(world).filter(|_| self.random.u8(0..8) == 0) {
                Some(known) => known,
                None => self.draft(soon),
            };
            soon -= usize::from(draft.delay == When::Soon).min(soon);
            batch.push(draft);
        }
        batch
    }

    /// A message that was sent before, and does not stand in line.
    fn known(&mut self, world: &Model) -> Option<Draft> {
        let in_line = |label: Label| {
            world
                .queues
                .iter()
                .flat_map(|queue| &queue.line)
                .any(|waiting| waiting.batch.iter().any(|draft| draft.label == label))
        };
        let known: Vec<_> = self
            .drafts
            .values()
            .filter(|draft| self.rules.dedup && !in_line(draft.label))
            .filter(|draft| self.rules.forgets || world.jobs.contains_key(&draft.label))
            .copied()
            .collect();
        let draft = self.random.choice(known)?;
        Some(Draft { delay: When::Now, ..draft })
    }

    fn send(&mut self, world: &Model, soon: usize) -> Step {
        let queue = self.queue();
        let client = self.sender(world, queue);
        let briefly = self.rules.bound && self.random.u8(0..12) == 0;
        // Sometimes more than can ever fit.
        let most = if self.random.u8(0..20) == 0 { 8 } else { 3 };
        let soon = if briefly { 0 } else { soon };
        Step::Send { client, queue, batch: self.batch(world, soon, most), parent: None, briefly }
    }

    fn send_children(&mut self, world: &Model) -> Option<Step> {
        let running: Vec<_> =
            self.leases.iter().copied().filter(|lease| world.runs(*lease)).collect();
        let stale = self.rules.fenced && self.random.u8(0..8) == 0;
        let parent = self.random.choice(if stale { self.leases.clone() } else { running })?;
        let queue = self.queue();
        let client = self.sender(world, queue);
        // One message of which nothing else is wrong, where the parent may be.
        let batch = if stale { vec![self.draft(0)] } else { self.batch(world, 0, 4) };
        Some(Step::Send { client, queue, batch, parent: Some(parent), briefly: false })
    }

    fn send_later(&mut self, world: &Model) -> Option<Step> {
        if !self.rules.bound {
            return None;
        }
        let queue = self.queue();
        let most = usize::try_from(world.queues[queue].capacity).unwrap_or(1).min(3);
        let count = self.random.usize(1..=most.min(self.rules.batch_max).max(1));
        let batch = (0..count).map(|_| self.draft(0)).collect();
        Some(Step::SendLater { queue, batch })
    }

    fn drop_send(&mut self, world: &Model) -> Option<Step> {
        let line: Vec<_> =
            world.queues.iter().flat_map(|queue| &queue.line).map(|waiting| waiting.name).collect();
        Some(Step::DropSend(self.random.choice(line)?))
    }

    fn declare_again(&mut self, world: &Model) -> Step {
        let queue = self.queue();
        self.declare(queue, 1, world.queues[queue].exclusive)
    }

    // -- out

    fn queues(&mut self) -> Vec<Q> {
        match self.random.u8(0..4) {
            0 => vec![0, 1],
            1 => vec![1, 0],
            _ => vec![self.queue()],
        }
    }

    fn receive(&mut self, world: &Model, soon: usize, open: usize) -> Step {
        let (client, queues) = (self.client(), self.queues());
        let brief = self.rules.timed && soon > 0 && self.random.u8(0..6) == 0;
        let (lease, most) = if brief { (When::Soon, soon) } else { (When::Far, 4) };
        let max = self.random.usize(1..=most.min(self.rules.batch_max).max(1));
        let there = queues.iter().any(|queue| !world.next(*queue).is_empty());
        let patient = !brief && open > 0 && !there && self.random.bool();
        Step::Receive { client, queues, max, lease, patient }
    }

    fn receive_later(&mut self) -> Step {
        let max = self.random.usize(1..=3.min(self.rules.batch_max));
        Step::ReceiveLater { queues: self.queues(), max }
    }

    // -- ends

    /// A receipt: mostly of a lease that runs, sometimes of one that is over, or forged.
    fn claim(&mut self, world: &Model) -> Option<Claim> {
        let stale = self.rules.fenced && self.random.u8(0..6) == 0;
        let lease = if stale {
            self.random.choice(self.leases.clone())?
        } else {
            let leases = self.leases.iter().copied().filter(|lease| world.runs(*lease));
            self.random.choice(leases.collect::<Vec<_>>())?
        };
        let forged = match self.random.u8(0..30) {
            0 if self.rules.fenced => Forged::Token,
            1 if self.rules.fenced => Forged::Queue,
            _ => Forged::Nothing,
        };
        Some(Claim { lease, forged })
    }

    /// Receipts for one call.
    fn claims(&mut self, world: &Model) -> Option<Vec<Claim>> {
        let mut claims = vec![self.claim(world)?];
        for _ in 0..self.random.usize(0..3).min(self.rules.batch_max - 1) {
            let claim = self.claim(world)?;
            if self.rules.fenced || !claims.contains(&claim) {
                claims.push(claim);
            }
        }
        Some(claims)
    }

    fn settle(&mut self, world: &Model, mut soon: usize) -> Option<Step> {
        let claims = self.claims(world)?;
        let mut batch = Vec::with_capacity(claims.len());
        for claim in claims {
            let end = match self.random.u8(0..20) {
                0..9 => End::Done,
                9..13 => End::Retry(self.when(soon)),
                13..17 => End::Release(self.when(soon)),
                _ => End::Bury,
            };
            let takes = matches!(end, End::Retry(When::Soon) | End::Release(When::Soon));
            soon -= usize::from(takes).min(soon);
            batch.push((claim, end));
        }
        Some(Step::Settle { client: self.client(), batch })
    }

    fn extend(&mut self, world: &Model, soon: usize) -> Option<Step> {
        let mut batch = self.claims(world)?;
        let brief = self.rules.timed && soon > 0 && self.random.u8(0..3) == 0;
        batch.truncate(if brief { 1 } else { batch.len() });
        let lease = if brief { When::Soon } else { When::Far };
        Some(Step::Extend { client: self.client(), batch, lease })
    }

    // -- the operator

    fn label(&mut self) -> Option<Label> {
        let labels: Vec<_> = self.drafts.keys().copied().collect();
        self.random.choice(labels)
    }

    fn steer(&mut self, world: &Model) -> Option<Step> {
        let (queue, alone) = (self.queue(), world.receiver.is_none());
        let paused = world.queues[queue].paused;
        if !self.rules.steer {
            return None;
        }
        match self.random.u8(0..12) {
            0..3 => {
                let max = if alone { self.random.u64(1..=3) } else { 1 };
                Some(Step::Kick { client: self.client(), queue, max })
            }
            3..5 => Some(Step::KickJob(self.label()?)),
            5 | 6 => Some(Step::Cancel(self.label()?)),
            7 | 8 => Some(Step::Delete(self.label()?)),
            9 if alone => {
                Some(Step::Purge(queue, JobState::ALL[self.random.usize(0..JobState::ALL.len())]))
            }
            10.. if paused || self.random.u8(0..4) == 0 => Some(Step::Pause(queue, !paused)),
            _ => None,
        }
    }

    fn look(&mut self) -> Option<Step> {
        if !self.rules.inspect {
            return None;
        }
        if self.random.bool() {
            return Some(Step::Look(self.queue()));
        }
        Some(Step::LookAt(self.label()?))
    }
}
