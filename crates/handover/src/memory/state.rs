//! The state of the memory broker behind its lock: all queues, where each id is, and who sleeps.
//!
//! This is the contract as code. Every method takes the time and does its work at once; the async shell in `mod.rs` then
//! serves the sleepers that the work could have woken.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::queue::Queue;
use super::waiting::{Ticket, WaitingReceive, WaitingSend};
use crate::caps::Durability;
use crate::clock::Instant;
use crate::delivery::{Ask, Delivery, Fate, Receipt, Sent, Settle};
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::inspect::JobState;
use crate::message::{Message, QueueName};
use crate::queue::QueueSettings;

/// Where an id that is known belongs.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) queue: QueueName,
    /// Its place while it is stored; `None` once it is done and only remembered.
    pub(super) seq: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) queues: BTreeMap<QueueName, Queue>,
    pub(super) ids: HashMap<JobId, Known>,
    /// Receivers that sleep until there is work, in the order they came.
    receivers: VecDeque<WaitingReceive>,
    pub(super) closed: bool,
    last_token: u64,
    last_ticket: Ticket,
}

/// What became of a send: an answer, or a place in the line of those who wait for room.
pub(super) enum Admission {
    Answer(Sent),
    NoRoom(Error),
}

impl State {
    pub(super) fn open(&self) -> Result<()> {
        if self.closed {
            Err(Error::new(ErrorKind::Closed, "the broker was closed by this process"))
        } else {
            Ok(())
        }
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// Lets the clock move what it moves.
    pub(super) fn tick(&mut self, now: Instant) {
        for queue in self.queues.values_mut() {
            for id in queue.tick(now) {
                self.ids.remove(&id);
            }
        }
    }

    pub(super) fn declare(&mut self, name: &QueueName, settings: &QueueSettings, now: Instant) {
        match self.queues.get_mut(name) {
            Some(queue) => queue.settings = settings.clone(),
            None => {
                _ = self.queues.insert(name.clone(), Queue::new(name.clone(), settings.clone()))
            }
        }
        self.admit(name, now);
    }

    /// The queue, declared.
    pub(super) fn queue(&mut self, name: &QueueName) -> Result<&mut Queue> {
        self.queues.get_mut(name).ok_or_else(|| {
            Error::invalid("there is no such queue; declare it first, with a capacity")
                .fact("queue", name)
        })
    }

    /// Stores the batch if there is room for it and nobody came before.
    pub(super) fn send(
        &mut self,
        name: &QueueName,
        batch: &[Message],
        parent: Option<&Receipt>,
        now: Instant,
    ) -> Result<Admission> {
        self.tick(now);
        if let Some(parent) = parent
            && self.leased(parent).is_none()
        {
            return Err(parent.lost());
        }
        let fates = self.fates(name, batch)?;
        let new = fates.iter().filter(|fate| **fate != Fate::Duplicate).count() as u64;
        let feeds_itself = parent.is_some_and(|parent| parent.queue == *name);
        let queue = self.queue(name)?;
        let settings = &queue.settings;
        let largest = settings.capacity + if feeds_itself { settings.overdraft } else { 0 };
        if batch.len() as u64 > largest {
            return Err(Error::invalid(
                "the batch is larger than the queue; send it in parts, or declare more capacity",
            )
            .fact("batch", batch.len())
            .fact("capacity", settings.capacity));
        }
        let parked = queue.count(JobState::Parked);
        let places = if parked > 0 { 0 } else { queue.room() };
        let fits = if feeds_itself {
            new <= places + settings.overdraft.saturating_sub(parked)
        } else {
            new == 0 || (new <= places && queue.senders.is_empty())
        };
        if !fits {
            return Ok(Admission::NoRoom(full(queue)));
        }
        Ok(Admission::Answer(self.store(name, batch, fates, places, now)?))
    }

    /// What each message of a batch would be if there were room: new, or known.
    fn fates(&self, name: &QueueName, batch: &[Message]) -> Result<Vec<Fate>> {
        let mut seen = HashSet::with_capacity(batch.len());
        batch
            .iter()
            .map(|message| match self.ids.get(&message.id) {
                Some(known) if known.queue != *name => Err(Error::invalid(
                    "the id belongs to a job in another queue; an id is sent to one queue",
                )
                .fact("id", message.id)
                .fact("queue", &known.queue)),
                Some(_) => Ok(Fate::Duplicate),
                None if !seen.insert(message.id) => Ok(Fate::Duplicate),
                None => Ok(Fate::Stored),
            })
            .collect()
    }

    /// Stores what is new; what is above `places` is parked.
    fn store(
        &mut self,
        name: &QueueName,
        batch: &[Message],
        mut fates: Vec<Fate>,
        mut places: u64,
        now: Instant,
    ) -> Result<Sent> {
        for (message, fate) in batch.iter().zip(&mut fates) {
            if *fate == Fate::Duplicate {
                continue;
            }
            if places == 0 {
                *fate = Fate::Parked;
            }
            places = places.saturating_sub(1);
            let seq = self.queue(name)?.store(message.clone(), *fate == Fate::Parked, now);
            self.ids.insert(message.id, Known { queue: name.clone(), seq: Some(seq) });
        }
        Ok(Sent::new(Durability::Process, fates))
    }

    pub(super) fn wait_for_room(&mut self, name: &QueueName, waiting: WaitingSend) -> Result<()> {
        self.queue(name)?.senders.push_back(waiting);
        Ok(())
    }

    /// A sender gave up. Those behind it may fit now.
    pub(super) fn forget_sender(&mut self, name: &QueueName, ticket: Ticket, now: Instant) {
        if let Some(queue) = self.queues.get_mut(name) {
            queue.senders.retain(|waiting| waiting.ticket != ticket);
        }
        self.admit(name, now);
    }

    /// Room may have appeared: parked children first, then waiting senders in the order they came.
    pub(super) fn admit(&mut self, name: &QueueName, now: Instant) {
        loop {
            let Some(queue) = self.queues.get_mut(name) else { return };
            queue.admit_parked(now);
            let Some(waiting) = queue.senders.pop_front() else { return };
            if waiting.reply.is_closed() {
                continue;
            }
            // Taken out of the line for the moment, so that it does not stand in its own way.
            let line = std::mem::take(&mut queue.senders);
            let answer = self.send(name, &waiting.batch, waiting.parent.as_ref(), now);
            if let Some(queue) = self.queues.get_mut(name) {
                queue.senders = line;
            }
            match answer {
                Ok(Admission::Answer(sent)) => _ = waiting.reply.send(Ok(sent)),
                Ok(Admission::NoRoom(_)) => {
                    if let Some(queue) = self.queues.get_mut(name) {
                        queue.senders.push_front(waiting);
                    }
                    return;
                }
                Err(error) => _ = waiting.reply.send(Err(error)),
            }
        }
    }

    /// Leases what can be taken now, from the queue named first on.
    pub(super) fn receive(
        &mut self,
        queues: &[QueueName],
        ask: Ask,
        now: Instant,
    ) -> Vec<Delivery> {
        self.tick(now);
        let mut taken = Vec::new();
        for name in queues {
            let Some(queue) = self.queues.get_mut(name) else { continue };
            while taken.len() < ask.max {
                let Some(delivery) = queue.take(self.last_token + 1, ask.lease, now) else { break };
                self.last_token += 1;
                taken.push(delivery);
            }
        }
        taken
    }

    pub(super) fn wait_for_work(&mut self, waiting: WaitingReceive) {
        self.receivers.push_back(waiting);
    }

    pub(super) fn forget_receiver(&mut self, ticket: Ticket) {
        self.receivers.retain(|waiting| waiting.ticket != ticket);
    }

    /// Hands work to the receivers that sleep, in the order they came.
    pub(super) fn serve(&mut self, now: Instant) {
        self.tick(now);
        for _ in 0..self.receivers.len() {
            let Some(waiting) = self.receivers.pop_front() else { return };
            if waiting.reply.is_closed() {
                continue;
            }
            let ask = Ask::new(waiting.max).lease(waiting.lease);
            let taken = self.receive(&waiting.queues, ask, now);
            if taken.is_empty() {
                self.receivers.push_back(waiting);
            } else if let Err(taken) = waiting.reply.send(taken) {
                self.give_back(&taken, now);
            }
        }
    }

    /// Undoes deliveries that never reached their receiver: no attempt counts.
    pub(super) fn give_back(&mut self, taken: &[Delivery], now: Instant) {
        for delivery in taken {
            let release = Settle::Release { after: Duration::ZERO };
            // A lease that ran out in between is given back already.
            _ = self.settle(&delivery.receipt, &release, now);
        }
    }

    /// When the clock next moves something in one of these queues.
    pub(super) fn next_due(&self, queues: &[QueueName]) -> Option<Instant> {
        queues.iter().filter_map(|name| self.queues.get(name)?.next_due()).min()
    }

    /// The same for all queues together.
    pub(super) fn next_due_of_all(&self) -> Option<Instant> {
        self.queues.values().filter_map(Queue::next_due).min()
    }

    /// The place of the job this receipt owns, if its lease still runs.
    pub(super) fn leased(&self, receipt: &Receipt) -> Option<u64> {
        let known = self.ids.get(&receipt.id).filter(|known| known.queue == receipt.queue)?;
        let seq = known.seq?;
        self.queues.get(&receipt.queue)?.owns(seq, receipt.token).then_some(seq)
    }

    pub(super) fn settle(&mut self, receipt: &Receipt, how: &Settle, now: Instant) -> Result<()> {
        let seq = self.leased(receipt).ok_or_else(|| receipt.lost())?;
        self.queue(&receipt.queue)?.settle(seq, how, now);
        if *how == Settle::Done
            && let Some(known) = self.ids.get_mut(&receipt.id)
        {
            known.seq = None;
        }
        self.admit(&receipt.queue, now);
        Ok(())
    }

    pub(super) fn extend(&mut self, receipt: &Receipt, due: Instant) -> Result<()> {
        let seq = self.leased(receipt).ok_or_else(|| receipt.lost())?;
        self.queue(&receipt.queue)?.extend(seq, due);
        Ok(())
    }

    /// Ends everything that waits: dropping the reply tells the sleeper.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.receivers.clear();
        for queue in self.queues.values_mut() {
            queue.senders.clear();
        }
    }
}

fn full(queue: &Queue) -> Error {
    Error::new(ErrorKind::Full, "the queue is full; wait for room, or send later")
        .fact("queue", &queue.name)
        .fact("capacity", queue.settings.capacity)
        .fact("unsettled", queue.depth())
        .fact("parked", queue.count(JobState::Parked))
        .fact("overdraft", queue.settings.overdraft)
}
