//! C16: of a queue declared exclusive at most one message is leased at a time, in the whole fleet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use handover::{BrokerExt, QueueName, QueueSettings, Settle};
use tokio::task::JoinSet;

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{never_early, same};
use crate::child::Child;
use crate::support::{Bench, FAR, owed, text, texts};

pub(crate) const CASES: &[Case] = &[
    case!(one_is_leased_at_a_time),
    case!(a_batch_of_deliveries_has_one, Need::Batch(5)),
    case!(every_end_of_a_lease_lets_the_next_one_go),
    case!(a_lease_that_ran_out_lets_the_next_one_go, Need::Timed),
    case!(a_delayed_retry_lets_others_go, Need::Delays),
    case!(a_settlement_wakes_a_waiting_receive),
    case!(other_queues_are_not_held_up),
    case!(many_workers_are_one_at_a_time),
    case!(a_queue_declared_again_is_no_longer_exclusive),
    case!(two_handles_are_one_at_a_time, Need::Shared),
    case!(two_processes_are_one_at_a_time, Need::Shared, Need::Process),
];

/// An exclusive queue, where the broker keeps such.
async fn exclusive(b: &Bench) -> Result<QueueName, Stop> {
    let mut settings = QueueSettings::with_capacity(100);
    settings.exclusive = true;
    let queue = QueueName::new("one")?;
    owed("an exclusive queue", b.broker.declare(&queue, &settings).await)?;
    Ok(queue)
}

async fn one_is_leased_at_a_time(b: &Bench) -> Outcome {
    let queue = exclusive(b).await?;
    b.send(&queue, &["a", "b", "c"]).await?;
    for _ in 0..3 {
        let delivery = b.take(&queue).await?;
        b.nothing(&queue).await?;
        b.done(&delivery).await?;
    }
    b.nothing(&queue).await
}

async fn a_batch_of_deliveries_has_one(b: &Bench) -> Outcome {
    let queue = exclusive(b).await?;
    b.send(&queue, &["a", "b", "c"]).await?;
    let some = b.broker.receive(std::slice::from_ref(&queue), b.ask(5)).await?;
    same("what came at once", some.len(), 1)
}

async fn every_end_of_a_lease_lets_the_next_one_go(b: &Bench) -> Outcome {
    let queue = exclusive(b).await?;
    b.send(&queue, &["a", "b", "c", "d"]).await?;
    b.done(&b.take(&queue).await?).await?;
    b.bury(&b.take(&queue).await?).await?;
    b.retry(&b.take(&queue).await?, Duration::ZERO).await?;
    b.release(&b.take(&queue).await?, Duration::ZERO).await?;
    b.take(&queue).await?;
    b.nothing(&queue).await
}

async fn a_lease_that_ran_out_lets_the_next_one_go(b: &Bench) -> Outcome {
    let queue = exclusive(b).await?;
    b.send(&queue, &["a", "b"]).await?;
    let asked = handover::clock::now();
    b.take_for(&queue, b.short).await?;
    b.take(&queue).await?;
    never_early("the next delivery", asked.elapsed(), b.short)?;
    b.nothing(&queue).await
}

async fn a_delayed_retry_lets_others_go(b: &Bench) -> Outcome {
    let queue = exclusive(b).await?;
    b.send(&queue, &["a", "b"]).await?;
    let first = b.take(&queue).await?;
    b.retry(&first, b.short * 4).await?;
    let second = b.take(&queue).await?;
    same("it is the other one", second.message.id == first.message.id, false)
}

async fn a_settlement_wakes_a_waiting_receive(b: &Bench) -> Outcome {
    let queue = exclusive(b).await?;
    b.send(&queue, &["a", "b"]).await?;
    let first = b.take(&queue).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    b.done(&first).await?;
    same("what came", texts(&waiting.answer().await??).len(), 1)
}

async fn other_queues_are_not_held_up(b: &Bench) -> Outcome {
    let (queue, other) = (exclusive(b).await?, b.queue("many", 10).await?);
    b.send(&queue, &["a", "b"]).await?;
    b.send(&other, &["x", "y"]).await?;
    b.take(&queue).await?;
    let mut got = b.drain(&other).await?;
    got.sort();
    same("what the other queue gives", got, ["x", "y"])
}

async fn many_workers_are_one_at_a_time(b: &Bench) -> Outcome {
    let queue = exclusive(b).await?;
    b.send_many(&queue, 30).await?;
    let (running, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let (broker, queue) = (Arc::clone(&b.broker), queue.clone());
        let (running, done) = (Arc::clone(&running), Arc::clone(&done));
        let ask = b.ask(1).wait(Duration::from_millis(200));
        workers.spawn(async move {
            while let Some(delivery) = broker.receive_one(&queue, ask).await? {
                let beside = running.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                same("leases beside this one", beside, 0)?;
                running.fetch_sub(1, Ordering::SeqCst);
                broker.settle_one(delivery.receipt, Settle::Done).await?;
                done.fetch_add(1, Ordering::SeqCst);
            }
            Outcome::Ok(())
        });
    }
    for ended in workers.join_all().await {
        ended?;
    }
    same("done", done.load(Ordering::SeqCst), 30)
}

async fn a_queue_declared_again_is_no_longer_exclusive(b: &Bench) -> Outcome {
    let queue = exclusive(b).await?;
    b.send(&queue, &["a", "b"]).await?;
    b.take(&queue).await?;
    b.nothing(&queue).await?;
    b.declare("one", &QueueSettings::with_capacity(100)).await?;
    b.take(&queue).await.map(drop)
}

async fn two_handles_are_one_at_a_time(b: &Bench) -> Outcome {
    let queue = exclusive(b).await?;
    let other = b.open_another().await?;
    b.send(&queue, &["a", "b"]).await?;
    let first = b.take(&queue).await?;
    let early = other.receive_one(&queue, b.ask(1)).await?;
    same("what the other handle can take", early.map(|delivery| text(&delivery)), None)?;
    b.done(&first).await?;
    crate::support::take_from(&other, &queue, b.long()).await?;
    b.nothing(&queue).await
}

async fn two_processes_are_one_at_a_time(b: &Bench) -> Outcome {
    let queue = exclusive(b).await?;
    b.send(&queue, &["a", "b"]).await?;
    let mut child = Child::start(b).await?;
    let took = child.ask(b, &format!("take one {}", b.long().as_millis())).await?;
    same("the child", took.starts_with("took"), true)?;
    b.nothing(&queue).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    let body = took.split(' ').nth(1).unwrap_or_default().to_owned();
    same("the child", child.ask(b, &format!("done {body}")).await?, "settled")?;
    same("what came then", texts(&waiting.answer().await??).len(), 1)
}
