//! Many at once: each message once while nobody fails, at least once when they do, and nobody in another's way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use handover::{Broker, BrokerExt, JobId, QueueName, Room, Settle};
use tokio::task::JoinSet;

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{holds, same};
use crate::support::{Bench, FAR, text, text_message};

pub(crate) const CASES: &[Case] = &[
    case!(each_message_once_while_nobody_fails),
    case!(each_message_once_in_batches, Need::Batch(10)),
    case!(each_message_at_least_once_when_receivers_vanish, Need::Timed),
    case!(a_slow_receiver_is_in_nobodys_way),
    case!(many_senders_and_receivers_through_a_small_queue, Need::Bound),
    case!(two_handles_share_the_work, Need::Shared),
    case!(the_same_batch_sent_by_many_at_once_is_one_job_each, Need::Dedup, Need::Batch(5)),
];

/// How often each body was finished.
type Tally = Arc<Mutex<BTreeMap<String, u32>>>;

fn count(tally: &Tally, body: String) {
    *tally.lock().unwrap_or_else(PoisonError::into_inner).entry(body).or_default() += 1;
}

/// Every one of `total` was finished, and none of them twice.
fn each_once(tally: &Tally, total: usize) -> Outcome {
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let doubled: Vec<_> = tally.iter().filter(|(_, count)| **count > 1).collect();
    same("finished more than once", doubled, Vec::<(&String, &u32)>::new())?;
    same("finished", tally.len(), total)
}

/// Takes and finishes up to `max` at a time until nothing comes any more.
async fn work(
    broker: Arc<dyn Broker>,
    queue: QueueName,
    ask: handover::Ask,
    tally: Tally,
) -> Outcome {
    loop {
        let some = broker.receive(std::slice::from_ref(&queue), ask).await?;
        if some.is_empty() {
            return Ok(());
        }
        let bodies: Vec<_> = some.iter().map(text).collect();
        let batch: Vec<_> =
            some.into_iter().map(|delivery| (delivery.receipt, Settle::Done)).collect();
        for (answer, body) in broker.settle(&batch).await?.into_iter().zip(bodies) {
            answer?;
            count(&tally, body);
        }
    }
}

async fn all(mut workers: JoinSet<Outcome>) -> Outcome {
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|crash| Stop::failed(format_args!("a worker crashed: {crash}")))??;
    }
    Ok(())
}

async fn each_message_once_while_nobody_fails(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 300).await?;
    b.send_many(&queue, 200).await?;
    let (tally, mut workers) = (Tally::default(), JoinSet::new());
    for _ in 0..8 {
        let ask = b.ask(1).wait(Duration::from_millis(100));
        workers.spawn(work(Arc::clone(&b.broker), queue.clone(), ask, Arc::clone(&tally)));
    }
    all(workers).await?;
    each_once(&tally, 200)
}

async fn each_message_once_in_batches(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 600).await?;
    b.send_many(&queue, 500).await?;
    let (tally, mut workers) = (Tally::default(), JoinSet::new());
    for max in [1, 3, 7, 10] {
        let ask = b.ask(max).wait(Duration::from_millis(100));
        workers.spawn(work(Arc::clone(&b.broker), queue.clone(), ask, Arc::clone(&tally)));
    }
    all(workers).await?;
    each_once(&tally, 500)
}

async fn each_message_at_least_once_when_receivers_vanish(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 100).await?;
    b.send_many(&queue, 60).await?;
    // Printed with the failure, so that the same choices can be made again.
    let seed = fastrand::u64(..);
    let (tally, mut workers) = (Tally::default(), JoinSet::new());
    for n in 0..4 {
        let (broker, queue, tally) = (Arc::clone(&b.broker), queue.clone(), Arc::clone(&tally));
        let ask = b.ask(1).wait(b.short * 2).lease(b.short);
        workers.spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed ^ n);
            while let Some(delivery) = broker.receive_one(&queue, ask).await? {
                // A receiver that vanishes: it does nothing more about this one.
                if random.u8(..) < 50 {
                    continue;
                }
                match broker.settle_one(delivery.receipt.clone(), Settle::Done).await {
                    Ok(()) => count(&tally, text(&delivery)),
                    Err(error) if error.kind() == handover::ErrorKind::LeaseLost => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        });
    }
    all(workers).await?;
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    same(format!("finished, with seed {seed}"), tally.len(), 60)
}

async fn a_slow_receiver_is_in_nobodys_way(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 100).await?;
    b.send_many(&queue, 20).await?;
    let slow = b.take(&queue).await?;
    for _ in 0..19 {
        b.done(&b.take(&queue).await?).await?;
    }
    b.nothing(&queue).await?;
    b.done(&slow).await
}

async fn many_senders_and_receivers_through_a_small_queue(b: &Bench) -> Outcome {
    const CAPACITY: u64 = 8;
    let queue = b.queue("mail", CAPACITY).await?;
    let (tally, mut workers) = (Tally::default(), JoinSet::new());
    for sender in 0..4 {
        let (broker, queue) = (Arc::clone(&b.broker), queue.clone());
        workers.spawn(async move {
            for n in 0..50 {
                let message = text_message(&format!("{sender}/{n}"));
                broker.send_one(&queue, message, Room::within(FAR)).await?;
            }
            Ok(())
        });
    }
    for _ in 0..3 {
        let ask = b.ask(1).wait(Duration::from_millis(700));
        workers.spawn(work(Arc::clone(&b.broker), queue.clone(), ask, Arc::clone(&tally)));
    }
    all(workers).await?;
    each_once(&tally, 200)?;
    if b.broker.inspect().is_some() {
        let most = b.info(&queue).await?.depth_max;
        holds(format!("{most} unsettled at most, capacity {CAPACITY}"), most <= CAPACITY)?;
    }
    Ok(())
}

async fn two_handles_share_the_work(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 300).await?;
    let handles = [Arc::clone(&b.broker), b.open_another().await?];
    let (tally, mut workers) = (Tally::default(), JoinSet::new());
    for handle in &handles {
        let (broker, name) = (Arc::clone(handle), queue.clone());
        workers.spawn(async move {
            for _ in 0..60 {
                let id = JobId::new();
                let message = text_message(&id.to_string()).with_id(id);
                broker.send_one(&name, message, Room::within(FAR)).await?;
            }
            Ok(())
        });
        for _ in 0..2 {
            let ask = b.ask(1).wait(Duration::from_millis(700));
            workers.spawn(work(Arc::clone(handle), queue.clone(), ask, Arc::clone(&tally)));
        }
    }
    all(workers).await?;
    each_once(&tally, 120)
}

async fn the_same_batch_sent_by_many_at_once_is_one_job_each(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 100).await?;
    let batch = Arc::new(["a", "b", "c", "d", "e"].map(text_message));
    let mut senders = JoinSet::new();
    for _ in 0..8 {
        let (broker, queue, batch) = (Arc::clone(&b.broker), queue.clone(), Arc::clone(&batch));
        senders.spawn(async move { broker.send(&queue, &*batch, Room::now()).await.map(drop) });
    }
    for answer in senders.join_all().await {
        answer?;
    }
    let mut got = b.drain(&queue).await?;
    got.sort();
    same("what is there", got, ["a", "b", "c", "d", "e"])
}
