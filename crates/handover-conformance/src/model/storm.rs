//! Many clients at once, each with random steps of its own: no answer can be foreseen, but what must hold for all of them
//! together can be looked at. The seed repeats each client's choices, not how they meet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handover::{
    Broker, BrokerExt, Delivery, ErrorKind, Fate, JobId, Message, QueueName, QueueSettings, Room,
    Settle, clock,
};
use tokio::task::JoinSet;

use crate::case::{Outcome, Stop};
use crate::check::{SOON, holds, same};
use crate::support::{Bench, FAR, bury, retry};

const CAPACITY: u64 = 7;
const OVERDRAFT: u64 = 20;
const SENDERS: u64 = 4;
const WORKERS: u64 = 4;
const KEYS: usize = 3;

/// What the clients saw. Each note is taken while its writer still has the right to: a lease, or the answer of its send.
#[derive(Debug, Default)]
struct Ledger {
    accepted: BTreeSet<JobId>,
    /// Those whose send was dropped: stored or not, nobody knows.
    unclear: BTreeSet<JobId>,
    /// The job of each, and the token.
    owned: BTreeMap<JobId, u64>,
    tokens: BTreeMap<JobId, u64>,
    done: BTreeSet<JobId>,
    /// By key: the numbers of what was finished.
    finished: BTreeMap<String, Vec<u64>>,
    wrong: Vec<String>,
}

impl Ledger {
    fn wrong(&mut self, what: String) {
        if self.wrong.len() < 10 {
            self.wrong.push(what);
        }
    }

    /// A delivery reached its owner.
    fn takes(&mut self, delivery: &Delivery, fenced: bool) {
        let (id, token) = (delivery.message.id, delivery.receipt.token);
        if let Some(other) = self.owned.insert(id, token) {
            self.wrong(format!("{id} has two owners, with the tokens {other} and {token}"));
        }
        if self.done.contains(&id) {
            self.wrong(format!("{id} came after it was done"));
        }
        let last = self.tokens.insert(id, token).unwrap_or(0);
        if fenced && last >= token {
            self.wrong(format!("{id} has the token {token} after {last}"));
        }
    }
}

struct Storm {
    broker: Arc<dyn Broker>,
    queue: QueueName,
    ledger: Arc<Mutex<Ledger>>,
    keys: bool,
    long: Duration,
}

impl Storm {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message whose number among those of its sender is in a header.
    fn message(&self, random: &mut fastrand::Rng, sender: u64, number: u64) -> Message {
        let message =
            Message::new(vec![b'x'; random.usize(0..64)]).with_header("number", number.to_string());
        // Each sender has keys of its own: within those its order of sending is the order of all.
        if self.keys && random.bool() {
            return message.with_key(format!("{sender}/{}", random.usize(0..KEYS)));
        }
        message
    }

    async fn send(&self, mut random: fastrand::Rng, sender: u64, total: u64) -> Outcome {
        let mut number = 0;
        while number < total {
            let most = self.broker.caps().batch_max.min(3);
            let count = random.usize(1..=most);
            let batch: Vec<_> = (0..count)
                .map(|more| self.message(&mut random, sender, number + more as u64))
                .collect();
            number += count as u64;
            let ids = batch.iter().map(|message| message.id);
            if random.u8(0..12) == 0 {
                self.ledger().unclear.extend(ids);
                let send = self.broker.send(&self.queue, &batch, Room::within(FAR));
                // Dropped in its middle; whether it was stored by then is a matter of chance.
                let _ =
                    tokio::time::timeout(Duration::from_micros(random.u64(0..2000)), send).await;
                continue;
            }
            let patient = random.u8(0..4) != 0;
            let room = Room::within(if patient { FAR } else { Duration::ZERO });
            match self.broker.send(&self.queue, &batch, room).await {
                Ok(_) => self.ledger().accepted.extend(ids),
                Err(error) if error.kind() == ErrorKind::Full && !patient => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Works until the queue has been empty for a while after the last sender ended.
    async fn work(
        &self,
        mut random: fastrand::Rng,
        ended: &tokio::sync::watch::Receiver<bool>,
    ) -> Outcome {
        loop {
            let last = *ended.borrow();
            let max = random.usize(1..=self.broker.caps().batch_max.min(3));
            let ask = handover::Ask::new(max).lease(self.long).wait(Duration::from_millis(60));
            let some = self.broker.receive(std::slice::from_ref(&self.queue), ask).await?;
            if some.is_empty() && last {
                return Ok(());
            }
            for delivery in &some {
                self.ledger().takes(delivery, self.broker.caps().fenced);
            }
            for delivery in some {
                self.end(&mut random, delivery).await?;
            }
        }
    }

    /// Ends a lease in one way or another.
    async fn end(&self, random: &mut fastrand::Rng, delivery: Delivery) -> Outcome {
        let id = delivery.message.id;
        if random.u8(0..8) == 0 {
            tokio::task::yield_now().await;
        }
        if random.u8(0..10) == 0 {
            let room = Room::now().child_of(delivery.receipt.clone());
            let child = Message::new("child").with_id(id.derive("child"));
            let child_id = child.id;
            match self.broker.send_one(&self.queue, child, room).await {
                Ok(sent) if sent.fates == [Fate::Duplicate] => {}
                Ok(_) => _ = self.ledger().accepted.insert(child_id),
                Err(error) if error.kind() == ErrorKind::Full => {}
                Err(error) => return Err(error.into()),
            }
        }
        let how = match random.u8(0..10) {
            0 => retry(Duration::ZERO),
            1 => Settle::Release { after: Duration::ZERO },
            // Whoever is buried gives up the turn of its key, and the order with it.
            2 if self.broker.steer().is_some() && delivery.message.key.is_none() => {
                bury("for the suite")
            }
            _ => Settle::Done,
        };
        {
            // Noted before the call: from the moment it is settled the next owner may be anywhere.
            let mut ledger = self.ledger();
            ledger.owned.remove(&id);
            if how == Settle::Done {
                if !ledger.done.insert(id) {
                    ledger.wrong(format!("{id} was done twice"));
                }
                note_order(&mut ledger, &delivery.message);
            }
        }
        self.broker.settle_one(delivery.receipt, how).await?;
        Ok(())
    }
}

fn note_order(ledger: &mut Ledger, message: &Message) {
    let number = |name: &str| message.headers.get(name)?.parse::<u64>().ok();
    // A send that was dropped may have been stored after one that came later.
    if ledger.unclear.contains(&message.id) {
        return;
    }
    if let (Some(key), Some(number)) = (&message.key, number("number")) {
        ledger.finished.entry(key.clone()).or_default().push(number);
    }
}

/// Brings what was buried back until nothing is buried any more and everybody has ended.
async fn operate(
    storm: &Storm,
    mut random: fastrand::Rng,
    until: Arc<tokio::sync::Notify>,
) -> Outcome {
    let Some(operator) = storm.broker.steer() else { return Ok(()) };
    loop {
        let nap = Duration::from_millis(random.u64(1..6));
        let over = tokio::time::timeout(nap, until.notified()).await.is_ok();
        match operator.kick(&storm.queue, random.u64(1..4)).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Full => {}
            Err(error) => return Err(error.into()),
        }
        if random.u8(0..4) == 0 {
            operator.pause(&storm.queue, true).await?;
            tokio::task::yield_now().await;
            operator.pause(&storm.queue, false).await?;
        }
        if over {
            return Ok(());
        }
    }
}

/// Everybody at once, then what must hold. Whatever fails says the seed.
pub(crate) async fn storm(b: &Bench, seed: u64, total: u64) -> Outcome {
    blow(b, seed, total).await.map_err(|stop| match stop {
        Stop::Failed(what) => Stop::Failed(format!("with HANDOVER_SEED={seed}: {what}")),
        ignored @ Stop::Ignored(_) => ignored,
    })
}

async fn blow(b: &Bench, seed: u64, total: u64) -> Outcome {
    let mut settings = QueueSettings::with_capacity(CAPACITY);
    settings.overdraft = OVERDRAFT;
    let queue = b.declare("storm", &settings).await?;
    let storm = Arc::new(Storm {
        broker: Arc::clone(&b.broker),
        queue: queue.clone(),
        ledger: Arc::default(),
        keys: b.caps().keys,
        long: b.long(),
    });
    let (last, ended) = tokio::sync::watch::channel(false);
    let over = Arc::new(tokio::sync::Notify::new());
    let random = |who: u64| fastrand::Rng::with_seed(seed.wrapping_add(who));
    let (mut senders, mut workers) = (JoinSet::new(), JoinSet::new());
    for sender in 0..SENDERS {
        let (storm, random) = (Arc::clone(&storm), random(sender));
        senders.spawn(async move { storm.send(random, sender, total).await });
    }
    for worker in 0..WORKERS {
        let (storm, random, ended) = (Arc::clone(&storm), random(100 + worker), ended.clone());
        workers.spawn(async move { storm.work(random, &ended).await });
    }
    let (hands, until, chance) = (Arc::clone(&storm), Arc::clone(&over), random(200));
    let operator = tokio::spawn(async move { operate(&hands, chance, until).await });
    all(senders).await?;
    last.send_replace(true);
    all(workers).await?;
    over.notify_one();
    operator.await.map_err(|crash| Stop::failed(format_args!("a client crashed: {crash}")))??;
    finish(b, &storm).await?;
    judge(b, &storm).await
}

async fn all(mut clients: JoinSet<Outcome>) -> Outcome {
    while let Some(ended) = clients.join_next().await {
        ended.map_err(|crash| Stop::failed(format_args!("a client crashed: {crash}")))??;
    }
    Ok(())
}

/// What is left is brought to its end by one client alone.
async fn finish(b: &Bench, storm: &Storm) -> Outcome {
    let begun = clock::now();
    while begun.elapsed() < SOON {
        let kicked = match b.broker.steer() {
            Some(operator) => operator.kick(&storm.queue, CAPACITY).await?,
            None => 0,
        };
        let some = b.drain_deliveries(&storm.queue).await?;
        if kicked == 0 && some.is_empty() {
            return Ok(());
        }
        for delivery in some {
            storm.ledger().takes(&delivery, b.caps().fenced);
            storm.ledger().owned.remove(&delivery.message.id);
            if !storm.ledger().done.insert(delivery.message.id) {
                storm.ledger().wrong(format!("{} was done twice", delivery.message.id));
            }
            b.done(&delivery).await?;
        }
    }
    Err(Stop::failed("the queue does not become empty"))
}

async fn judge(b: &Bench, storm: &Storm) -> Outcome {
    {
        let ledger = storm.ledger();
        same("what went wrong", &ledger.wrong, &Vec::<String>::new())?;
        let lost: Vec<_> = ledger.accepted.difference(&ledger.done).collect();
        same("accepted and never done", lost, Vec::<&JobId>::new())?;
        let foreign: Vec<_> = ledger
            .done
            .iter()
            .filter(|id| !ledger.accepted.contains(id) && !ledger.unclear.contains(id))
            .collect();
        same("done and never accepted", foreign, Vec::<&JobId>::new())?;
        for (key, done) in &ledger.finished {
            holds(format!("key {key} in order: {done:?}"), done.is_sorted())?;
        }
    }
    if b.broker.inspect().is_some() {
        let info = b.info(&storm.queue).await?;
        let most = info.depth_max;
        holds(format!("{most} unsettled at most, capacity {CAPACITY}"), most <= CAPACITY)?;
        same("what is left", (info.depth(), info.parked, info.buried), (0, 0, 0))?;
        same("in line", info.senders_waiting, 0)?;
        same("done", info.done, info.accepted)?;
    }
    Ok(())
}
