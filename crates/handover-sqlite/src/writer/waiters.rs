//! Who waits, owned by the writer thread alone: sends for room, receives for work, callers for outcomes.
//!
//! # Why no wake-up is missed
//!
//! Within the process: only the writer thread looks into the file on behalf of a waiter, enters it here, and commits. A waiter
//! is entered in the same transaction in which it found nothing; every later change of this process passes through a later
//! transaction of the same thread, which serves the waiters of the queues it touched before it commits.
//!
//! From another process: the first waiter makes this process bind its bell *before* the look that lets it sleep. The other
//! process commits *first* and rings every bell *then*. Either our look began after its commit and saw the change, or our
//! bell was there when it rang. A datagram that cannot be delivered because the bell's buffer is full changes nothing: those
//! inside have not been read yet, and each of them means "look again".
//!
//! What time changes: before it sleeps, the thread asks the file for the next due time of every queue that is waited for,
//! and a commit that brings one nearer rings like any other.
//!
//! A tick, while somebody waits, covers a bell that cannot be rung (a killed process that committed and did not get to ring, a
//! socket that somebody deleted) and a clock that was set: five seconds after the last look, then every ten while nothing is
//! committed. It compares the due times with the clock, and asks the file system whether the log was written to; only if it
//! was, or that cannot be told, the file is looked at (`glance.rs`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use handover::clock::Instant;
use handover::{Error, JobId, QueueName};

use super::op::{AwaitOp, Op, ReceiveOp, SendOp};

/// The order of arrival.
pub(crate) type Ticket = u64;

/// A send that waits for room, and what it is told if none appears.
pub(crate) struct WaitingSend {
    pub(crate) op: Box<SendOp>,
    pub(crate) full: Error,
}

#[derive(Debug, Clone)]
enum Place {
    Send(QueueName),
    Receive,
    Outcome(JobId),
}

#[derive(Default)]
pub(crate) struct Waiters {
    last_ticket: Ticket,
    sends: HashMap<QueueName, BTreeMap<Ticket, WaitingSend>>,
    receives: HashMap<Ticket, Box<ReceiveOp>>,
    /// The receives that wait for each queue.
    lines: HashMap<QueueName, BTreeSet<Ticket>>,
    outcomes: HashMap<JobId, BTreeMap<Ticket, AwaitOp>>,
    deadlines: BTreeMap<(Instant, Ticket), Place>,
}

impl Waiters {
    pub(crate) fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// When the first of them stops waiting.
    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        self.deadlines.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    fn enter(&mut self, deadline: Instant, place: Place) -> Ticket {
        self.last_ticket += 1;
        self.deadlines.insert((deadline, self.last_ticket), place);
        self.last_ticket
    }

    pub(crate) fn enter_send(&mut self, op: Box<SendOp>, full: Error) {
        let queue = op.batch.queue.clone();
        let ticket = self.enter(op.deadline, Place::Send(queue.clone()));
        self.sends.entry(queue).or_default().insert(ticket, WaitingSend { op, full });
    }

    pub(crate) fn enter_receive(&mut self, op: Box<ReceiveOp>) {
        self.last_ticket += 1;
        self.restore_receive(self.last_ticket, op);
    }

    pub(crate) fn enter_await(&mut self, op: AwaitOp) {
        let ticket = self.enter(op.deadline, Place::Outcome(op.id));
        self.outcomes.entry(op.id).or_default().insert(ticket, op);
    }

    /// True where somebody waits for room in this queue.
    pub(crate) fn has_sends(&self, queue: &QueueName) -> bool {
        self.sends.contains_key(queue)
    }

    /// The send that came first, taken out of the line.
    pub(crate) fn pop_send(&mut self, queue: &QueueName) -> Option<(Ticket, WaitingSend)> {
        let (&ticket, _) = self.sends.get(queue)?.first_key_value()?;
        Some((ticket, self.take_send(queue, ticket)?))
    }

    /// Puts a send back to where it stood.
    pub(crate) fn restore_send(&mut self, ticket: Ticket, send: WaitingSend) {
        let queue = send.op.batch.queue.clone();
        self.deadlines.insert((send.op.deadline, ticket), Place::Send(queue.clone()));
        self.sends.entry(queue).or_default().insert(ticket, send);
    }

    fn take_send(&mut self, queue: &QueueName, ticket: Ticket) -> Option<WaitingSend> {
        let line = self.sends.get_mut(queue)?;
        let send = line.remove(&ticket)?;
        if line.is_empty() {
            self.sends.remove(queue);
        }
        self.deadlines.remove(&(send.op.deadline, ticket));
        Some(send)
    }

    /// The receive that came first among those that wait for this queue.
    pub(crate) fn first_receive(&self, queue: &QueueName) -> Option<(Ticket, &ReceiveOp)> {
        let ticket = *self.lines.get(queue)?.first()?;
        Some((ticket, self.receives.get(&ticket)?))
    }

    pub(crate) fn take_receive(&mut self, ticket: Ticket) -> Option<Box<ReceiveOp>> {
        let op = self.receives.remove(&ticket)?;
        for queue in &op.queues {
            if let Some(line) = self.lines.get_mut(queue) {
                line.remove(&ticket);
                if line.is_empty() {
                    self.lines.remove(queue);
                }
            }
        }
        self.deadlines.remove(&(op.deadline, ticket));
        Some(op)
    }

    /// Puts a receive back to where it stood.
    pub(crate) fn restore_receive(&mut self, ticket: Ticket, op: Box<ReceiveOp>) {
        self.deadlines.insert((op.deadline, ticket), Place::Receive);
        for queue in &op.queues {
            self.lines.entry(queue.clone()).or_default().insert(ticket);
        }
        self.receives.insert(ticket, op);
    }

    /// Everybody who waits for the outcome of this job, taken out.
    pub(crate) fn take_awaits(&mut self, id: JobId) -> Vec<AwaitOp> {
        let line = self.outcomes.remove(&id).unwrap_or_default();
        for (ticket, op) in &line {
            self.deadlines.remove(&(op.deadline, *ticket));
        }
        line.into_values().collect()
    }

    /// The queues in which somebody waits for room.
    pub(crate) fn send_queues(&self) -> impl Iterator<Item = &QueueName> {
        self.sends.keys()
    }

    /// How many wait for room in each queue.
    pub(crate) fn send_counts(&self) -> HashMap<QueueName, u64> {
        self.sends.iter().map(|(queue, line)| (queue.clone(), line.len() as u64)).collect()
    }

    /// The queues from which somebody waits for work.
    pub(crate) fn receive_queues(&self) -> impl Iterator<Item = &QueueName> {
        self.lines.keys()
    }

    pub(crate) fn waits_for(&self, queue: &QueueName) -> bool {
        self.lines.contains_key(queue)
    }

    pub(crate) fn await_outcomes(&self) -> bool {
        !self.outcomes.is_empty()
    }

    /// The jobs whose outcome somebody waits for.
    pub(crate) fn awaited(&self) -> Vec<JobId> {
        self.outcomes.keys().copied().collect()
    }

    /// Takes out those whose deadline has passed, as operations to be answered.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Gone> {
        let mut gone = Vec::new();
        while let Some((&(deadline, ticket), place)) = self.deadlines.first_key_value() {
            if deadline > now {
                break;
            }
            let place = place.clone();
            gone.extend(self.take(ticket, &place));
            self.deadlines.remove(&(deadline, ticket));
        }
        gone
    }

    /// Takes out those whose caller is gone.
    pub(crate) fn drop_abandoned(&mut self) -> Vec<Gone> {
        let abandoned = |place: &Place, ticket: &Ticket| match place {
            Place::Send(queue) => self
                .sends
                .get(queue)
                .and_then(|line| line.get(ticket))
                .is_none_or(|send| send.op.reply.is_closed()),
            Place::Receive => self.receives.get(ticket).is_none_or(|op| op.reply.is_closed()),
            Place::Outcome(id) => self
                .outcomes
                .get(id)
                .and_then(|line| line.get(ticket))
                .is_none_or(|op| op.reply.is_closed()),
        };
        let found: Vec<((Instant, Ticket), Place)> = self
            .deadlines
            .iter()
            .filter(|((_, ticket), place)| abandoned(place, ticket))
            .map(|(key, place)| (*key, place.clone()))
            .collect();
        self.take_all(found)
    }

    /// Takes out everybody who waits for room and work, or else everybody who waits for outcomes.
    pub(crate) fn drop_side(&mut self, outcomes: bool) -> Vec<Gone> {
        let found = self
            .deadlines
            .iter()
            .filter(|(_, place)| matches!(place, Place::Outcome(_)) == outcomes)
            .map(|(key, place)| (*key, place.clone()))
            .collect();
        self.take_all(found)
    }

    fn take_all(&mut self, found: Vec<((Instant, Ticket), Place)>) -> Vec<Gone> {
        let mut gone = Vec::new();
        for (key, place) in found {
            gone.extend(self.take(key.1, &place));
            self.deadlines.remove(&key);
        }
        gone
    }

    fn take(&mut self, ticket: Ticket, place: &Place) -> Option<Gone> {
        match place {
            Place::Send(queue) => self.take_send(queue, ticket).map(Gone::Send),
            Place::Receive => self.take_receive(ticket).map(Gone::Receive),
            Place::Outcome(id) => {
                let line = self.outcomes.get_mut(id)?;
                let op = line.remove(&ticket)?;
                if line.is_empty() {
                    self.outcomes.remove(id);
                }
                self.deadlines.remove(&(op.deadline, ticket));
                Some(Gone::Await(op))
            }
        }
    }
}

/// A waiter that waits no more.
pub(crate) enum Gone {
    Send(WaitingSend),
    Receive(Box<ReceiveOp>),
    Await(AwaitOp),
}

impl Gone {
    /// The operation it came as.
    pub(crate) fn into_op(self) -> Op {
        match self {
            Self::Send(send) => Op::Send(send.op),
            Self::Receive(op) => Op::Receive(op),
            Self::Await(op) => Op::Await(op),
        }
    }
}
