//! Random runs of the memory broker: the checker never accuses a broker that keeps its promises.

use std::sync::Arc;
use std::time::Duration;

use super::super::{Expect, check};
use super::script::Paper;
use crate::broker::{Broker, BrokerExt};
use crate::delivery::{Ask, Delivery, Room, Settle};
use crate::inspect::{JobFilter, JobState};
use crate::memory::MemoryBroker;
use crate::message::{Message, Priority, QueueName};
use crate::queue::QueueSettings;

const CLIENTS: u64 = 4;
const STEPS: usize = 150;
const RUNS: u64 = 40;
const RUNS_LONG: u64 = 4000;

/// One client that does as the dice say: sends, takes, settles in every way, extends, gives up waiting, lets leases run out.
async fn client(broker: Arc<dyn Broker>, queue: QueueName, seed: u64) {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut held: Vec<Delivery> = Vec::new();
    let mut sent: Vec<Message> = Vec::new();
    let ms = Duration::from_millis;
    for _ in 0..STEPS {
        match dice.u8(0..12) {
            0..=3 => {
                let batch: Vec<Message> =
                    (0..dice.usize(1..4)).map(|_| message(&mut dice)).collect();
                let room = match held.last().filter(|_| dice.u8(0..4) == 0) {
                    Some(parent) => Room::now().child_of(parent.receipt.clone()),
                    None => Room::within(ms(dice.u64(0..20))),
                };
                sent.extend(batch.iter().cloned());
                let send = broker.send(&queue, &batch, room);
                _ = tokio::time::timeout(ms(dice.u64(0..30)), send).await;
            }
            4 if !sent.is_empty() => {
                let again = sent[dice.usize(0..sent.len())].clone();
                _ = broker.send_one(&queue, again, Room::now()).await;
            }
            5..=7 => {
                let ask = Ask::new(dice.usize(1..4)).lease(ms(dice.u64(1..80)));
                let ask = ask.wait(ms(dice.u64(0..20)));
                let queues = [queue.clone()];
                let receive = broker.receive(&queues, ask);
                if let Ok(Ok(taken)) = tokio::time::timeout(ms(dice.u64(1..30)), receive).await {
                    held.extend(taken);
                }
            }
            8 if !held.is_empty() => {
                let receipts: Vec<_> = held.iter().map(|one| one.receipt.clone()).collect();
                _ = broker.extend(&receipts, ms(dice.u64(1..80))).await;
            }
            9..=10 if !held.is_empty() => {
                let some: Vec<_> = held.drain(..dice.usize(1..=held.len())).collect();
                let batch: Vec<_> =
                    some.into_iter().map(|one| (one.receipt, how(&mut dice))).collect();
                _ = broker.settle(&batch).await;
            }
            11 => _ = broker.operator().unwrap().kick(&queue, 1).await,
            _ => tokio::time::sleep(ms(dice.u64(0..40))).await,
        }
    }
}

fn message(dice: &mut fastrand::Rng) -> Message {
    let mut message = Message::new("");
    if dice.bool() {
        message = message.with_key(["a", "b", "c"][dice.usize(0..3)]);
    }
    if dice.u8(0..4) == 0 {
        message = message.with_priority(Priority::new(dice.u8(4..7)).unwrap());
    }
    if dice.u8(0..4) == 0 {
        message = message.with_delay(Duration::from_millis(dice.u64(1..50)));
    }
    message
}

fn how(dice: &mut fastrand::Rng) -> Settle {
    let after = Duration::from_millis(if dice.bool() { 0 } else { dice.u64(1..40) });
    match dice.u8(0..6) {
        0 => Settle::Retry { after, reason: String::new() },
        1 => Settle::Release { after },
        2 => Settle::Bury { reason: String::new() },
        _ => Settle::Done,
    }
}

/// One run, and how much of it there was to judge.
async fn run(seed: u64) -> u64 {
    let paper = Paper::default();
    let memory = MemoryBroker::new();
    let broker: Arc<dyn Broker> = Arc::new(paper.recorder(memory.clone()));
    let queue = QueueName::new("q").unwrap();
    let mut settings = QueueSettings::with_capacity(8);
    settings.overdraft = 4;
    settings.exclusive = seed.is_multiple_of(5);
    broker.declare(&queue, &settings).await.unwrap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| tokio::spawn(client(Arc::clone(&broker), queue.clone(), seed * CLIENTS + n)))
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let page = memory.inspector().unwrap().jobs(&queue, JobFilter::default().limit(1000)).await;
    let left = page.unwrap().jobs.into_iter().map(|job| (job.queue, job.message.id, job.state));
    let left: Vec<(QueueName, crate::id::JobId, JobState)> = left.collect();
    let report = check(&paper.history(), &Expect::left(left)).unwrap();
    assert!(report.is_clean(), "seed {seed}: {report}");
    report.counts.deliveries
}

/// Whether the longer form is asked for.
fn is_long() -> bool {
    std::env::var("HANDOVER_LONG").is_ok_and(|long| !matches!(&*long, "" | "0"))
}

#[test]
fn the_checker_never_accuses_a_broker_that_keeps_its_promises() {
    let (first, runs) = match std::env::var("HANDOVER_SEED") {
        Ok(seed) => (seed.parse().unwrap(), 1),
        Err(_) if is_long() => (0, RUNS_LONG),
        Err(_) => (fastrand::u64(..1 << 40), RUNS),
    };
    let mut deliveries = 0;
    for seed in first..first + runs {
        println!("HANDOVER_SEED={seed}");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        deliveries += runtime.unwrap().block_on(run(seed));
    }
    assert!(deliveries >= runs * 20, "the clients did hardly anything: {deliveries}");
}
