//! C14 for children: what a running job sends into its own queue never waits. What has no room is parked, up to the
//! overdraft, and admitted in order before anybody who waits outside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use handover::{
    Broker, BrokerExt, Delivery, ErrorKind, Fate, Message, QueueName, QueueSettings, Receipt, Room,
    Sent, Settle,
};
use tokio::task::JoinSet;

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{SOON, holds, refused, same, soon};
use crate::support::{Bench, FAR, text, text_message};

pub(crate) const CASES: &[Case] = &[
    case!(children_without_room_are_parked, Need::Bound, Need::Batch(3)),
    case!(parked_children_are_not_delivered, Need::Bound, Need::Batch(2)),
    case!(parked_children_do_not_count, Need::Bound, Need::Inspect),
    case!(children_do_not_wait, Need::Bound),
    case!(children_are_admitted_in_order_as_room_appears, Need::Bound, Need::Batch(3)),
    case!(children_are_admitted_before_those_who_wait_outside, Need::Bound),
    case!(children_pass_those_who_wait_outside_already, Need::Bound),
    case!(more_children_than_the_overdraft_are_refused_whole, Need::Bound, Need::Batch(4)),
    case!(an_overdraft_of_zero_parks_nothing, Need::Bound, Need::Batch(2)),
    case!(a_repeated_child_is_one_job, Need::Bound, Need::DedupWhileStored, Need::Batch(2)),
    case!(
        a_child_of_a_lease_that_is_over_is_refused_and_not_stored,
        Need::Bound,
        Need::Fenced,
        Need::Timed
    ),
    case!(a_child_of_a_settled_job_is_refused_and_not_stored, Need::Bound, Need::Fenced),
    case!(a_child_into_another_queue_waits_like_anybody, Need::Bound),
    case!(a_child_into_another_queue_of_a_dead_lease_is_refused, Need::Bound, Need::Fenced),
    case!(a_parked_child_is_delivered_like_any_other, Need::Bound),
    case!(parked_children_outlive_a_smaller_overdraft, Need::Bound, Need::Batch(3)),
    case!(a_parked_child_can_be_deleted, Need::Bound, Need::Steer, Need::Inspect),
    case!(
        a_tree_a_hundred_times_the_capacity_is_drained_by_those_who_fill_it,
        Need::Bound,
        Need::Batch(10)
    ),
];

async fn send_children(
    b: &Bench,
    queue: &QueueName,
    parent: &Delivery,
    bodies: &[&str],
) -> handover::Result<Sent> {
    let batch: Vec<_> = bodies.iter().map(|body| text_message(body)).collect();
    b.broker.send(queue, &batch, Room::now().child_of(parent.receipt.clone())).await
}

/// A queue of this capacity with one job that runs, and nothing else.
async fn with_parent(b: &Bench, capacity: u64) -> Result<(QueueName, Delivery), Stop> {
    let queue = b.queue("crawl", capacity).await?;
    b.send(&queue, &["parent"]).await?;
    let parent = b.take_text(&queue, "parent").await?;
    Ok((queue, parent))
}

async fn children_without_room_are_parked(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 2).await?;
    let sent = send_children(b, &queue, &parent, &["a", "b"]).await?;
    same("the fates", sent.fates, [Fate::Stored, Fate::Parked])?;
    same("the durability", sent.durability, b.caps().durability)?;
    let more = send_children(b, &queue, &parent, &["c"]).await?;
    same("the fate of one more", more.fates, [Fate::Parked])?;
    let answer = b.broker.send_one(&queue, text_message("d"), Room::now()).await;
    refused("a send from outside", answer, ErrorKind::Full)
}

async fn parked_children_are_not_delivered(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 2).await?;
    send_children(b, &queue, &parent, &["a", "b"]).await?;
    same("what can be taken", b.drain(&queue).await?, ["a"])?;
    b.nothing_for(&queue, b.short / 4).await
}

async fn parked_children_do_not_count(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 1).await?;
    for body in ["a", "b", "c"] {
        send_children(b, &queue, &parent, &[body]).await?;
    }
    let info = b.info(&queue).await?;
    same("the parked", info.parked, 3)?;
    same("the unsettled", info.depth(), 1)?;
    same("the most there ever were", info.depth_max, 1)
}

async fn children_do_not_wait(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 1).await?;
    let asked = handover::clock::now();
    let room = Room::within(FAR).child_of(parent.receipt.clone());
    let sent = b.broker.send_one(&queue, text_message("a"), room).await?;
    same("the fate", sent.fates, [Fate::Parked])?;
    soon("the answer", asked.elapsed())
}

async fn children_are_admitted_in_order_as_room_appears(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 1).await?;
    send_children(b, &queue, &parent, &["a"]).await?;
    send_children(b, &queue, &parent, &["b"]).await?;
    send_children(b, &queue, &parent, &["c"]).await?;
    b.nothing(&queue).await?;
    b.done(&parent).await?;
    for body in ["a", "b", "c"] {
        let delivery = b.take_text(&queue, body).await?;
        b.nothing(&queue).await?;
        b.done(&delivery).await?;
    }
    b.nothing(&queue).await
}

async fn children_are_admitted_before_those_who_wait_outside(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 1).await?;
    send_children(b, &queue, &parent, &["child"]).await?;
    let mut outside = b.send_later(&queue, &["outside"], Room::within(FAR)).await?;
    b.done(&parent).await?;
    outside.waits().await?;
    b.done(&b.take_text(&queue, "child").await?).await?;
    outside.answer().await??;
    b.take_text(&queue, "outside").await.map(drop)
}

async fn children_pass_those_who_wait_outside_already(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 1).await?;
    let mut outside = b.send_later(&queue, &["outside"], Room::within(FAR)).await?;
    let sent = send_children(b, &queue, &parent, &["child"]).await?;
    same("the fate", sent.fates, [Fate::Parked])?;
    b.done(&parent).await?;
    b.done(&b.take_text(&queue, "child").await?).await?;
    outside.answer().await??;
    Ok(())
}

async fn more_children_than_the_overdraft_are_refused_whole(b: &Bench) -> Outcome {
    let mut settings = QueueSettings::with_capacity(2);
    settings.overdraft = 2;
    let queue = b.declare("crawl", &settings).await?;
    b.send(&queue, &["parent"]).await?;
    let parent = b.take(&queue).await?;
    let asked = handover::clock::now();
    let four = send_children(b, &queue, &parent, &["a", "b", "c", "d"]).await;
    refused("four children for one place and two to park", four, ErrorKind::Full)?;
    soon("the refusal", asked.elapsed())?;
    let three = send_children(b, &queue, &parent, &["a", "b", "c"]).await?;
    same("the fates", three.fates, [Fate::Stored, Fate::Parked, Fate::Parked])?;
    let one = send_children(b, &queue, &parent, &["d"]).await;
    refused("one child more", one, ErrorKind::Full)?;
    b.done(&parent).await?;
    let mut got = Vec::new();
    for _ in 0..3 {
        let delivery = b.take(&queue).await?;
        got.push(text(&delivery));
        b.done(&delivery).await?;
    }
    got.sort();
    same("what came of all", got, ["a", "b", "c"])?;
    b.nothing(&queue).await
}

async fn an_overdraft_of_zero_parks_nothing(b: &Bench) -> Outcome {
    let mut settings = QueueSettings::with_capacity(2);
    settings.overdraft = 0;
    let queue = b.declare("crawl", &settings).await?;
    b.send(&queue, &["parent"]).await?;
    let parent = b.take(&queue).await?;
    let two = send_children(b, &queue, &parent, &["a", "b"]).await;
    refused("two children for one place", two, ErrorKind::Full)?;
    let one = send_children(b, &queue, &parent, &["a"]).await?;
    same("the fate", one.fates, [Fate::Stored])
}

async fn a_repeated_child_is_one_job(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 2).await?;
    let batch: Vec<Message> = ["a", "b"]
        .into_iter()
        .map(|body| text_message(body).with_id(parent.message.id.derive(body)))
        .collect();
    let room = Room::now().child_of(parent.receipt.clone());
    let first = b.broker.send(&queue, &batch, room.clone()).await?;
    same("the fates", first.fates, [Fate::Stored, Fate::Parked])?;
    let second = b.broker.send(&queue, &batch, room).await?;
    same("the fates of the repeat", second.fates, [Fate::Duplicate, Fate::Duplicate])?;
    b.done(&parent).await?;
    let mut got = b.drain(&queue).await?;
    got.sort();
    same("what is there", got, ["a", "b"])
}

async fn a_child_of_a_lease_that_is_over_is_refused_and_not_stored(b: &Bench) -> Outcome {
    let queue = b.queue("crawl", 10).await?;
    b.send(&queue, &["parent"]).await?;
    let late = b.take_for(&queue, b.short).await?;
    let owner = b.take(&queue).await?;
    let answer = send_children(b, &queue, &late, &["a"]).await;
    refused("a child of the late owner", answer, ErrorKind::LeaseLost)?;
    b.nothing(&queue).await?;
    send_children(b, &queue, &owner, &["b"]).await?;
    b.take_text(&queue, "b").await.map(drop)
}

async fn a_child_of_a_settled_job_is_refused_and_not_stored(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 10).await?;
    b.done(&parent).await?;
    let answer = send_children(b, &queue, &parent, &["a"]).await;
    refused("a child of a job that is done", answer, ErrorKind::LeaseLost)?;
    b.nothing(&queue).await
}

async fn a_child_into_another_queue_waits_like_anybody(b: &Bench) -> Outcome {
    let (_, parent) = with_parent(b, 10).await?;
    let other = b.queue("print", 1).await?;
    b.send(&other, &["x"]).await?;
    let answer = send_children(b, &other, &parent, &["a"]).await;
    refused("a child that does not wait", answer, ErrorKind::Full)?;
    let room = Room::within(FAR).child_of(parent.receipt.clone());
    let mut waiting = b.send_later(&other, &["b"], room).await?;
    b.done(&b.take_text(&other, "x").await?).await?;
    let sent = waiting.answer().await??;
    same("the fate", sent.fates, [Fate::Stored])
}

async fn a_child_into_another_queue_of_a_dead_lease_is_refused(b: &Bench) -> Outcome {
    let (_, parent) = with_parent(b, 10).await?;
    let other = b.queue("print", 1).await?;
    b.done(&parent).await?;
    let answer = send_children(b, &other, &parent, &["a"]).await;
    refused("a child of a job that is done", answer, ErrorKind::LeaseLost)?;
    b.nothing(&other).await
}

async fn a_parked_child_is_delivered_like_any_other(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 1).await?;
    let child = text_message("child").with_header("h", "v");
    let room = Room::now().child_of(parent.receipt.clone());
    b.broker.send_one(&queue, child.clone(), room).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    b.done(&parent).await?;
    let got = waiting.answer().await??;
    same("what came", got.len(), 1)?;
    same("the message", &got[0].message, &child)?;
    same("the attempt", got[0].attempt, 1)?;
    b.done(&got[0]).await
}

async fn parked_children_outlive_a_smaller_overdraft(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 2).await?;
    send_children(b, &queue, &parent, &["a", "b", "c"]).await?;
    let mut settings = QueueSettings::with_capacity(2);
    settings.overdraft = 1;
    b.declare("crawl", &settings).await?;
    // None is taken in addition, and none of those that were taken is lost.
    let more = send_children(b, &queue, &parent, &["d"]).await;
    refused("a child above the new overdraft", more, ErrorKind::Full)?;
    b.done(&parent).await?;
    for body in ["a", "b", "c"] {
        b.done(&b.take_text(&queue, body).await?).await?;
    }
    b.nothing(&queue).await
}

async fn a_parked_child_can_be_deleted(b: &Bench) -> Outcome {
    let (queue, parent) = with_parent(b, 1).await?;
    let child = text_message("a");
    let room = Room::now().child_of(parent.receipt.clone());
    b.broker.send_one(&queue, child.clone(), room).await?;
    send_children(b, &queue, &parent, &["b"]).await?;
    same("the delete", b.operator()?.delete(child.id).await?, true)?;
    same("the parked", b.info(&queue).await?.parked, 1)?;
    b.done(&parent).await?;
    b.take_text(&queue, "b").await.map(drop)
}

/// The nodes of a tree of three levels below its root, ten children each: 1 + 10 + 100 + 1000.
const NODES: usize = 1111;
const CAPACITY: u64 = 11;

/// How often each node was finished.
type Visits = Arc<Mutex<BTreeMap<String, u32>>>;

async fn a_tree_a_hundred_times_the_capacity_is_drained_by_those_who_fill_it(b: &Bench) -> Outcome {
    let mut settings = QueueSettings::with_capacity(CAPACITY);
    settings.overdraft = 2000;
    let queue = b.declare("crawl", &settings).await?;
    b.send(&queue, &["r"]).await?;
    let visits = Visits::default();
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let (broker, queue, visits) = (Arc::clone(&b.broker), queue.clone(), Arc::clone(&visits));
        let ask = b.ask(5).wait(Duration::from_millis(200));
        workers.spawn(async move { walk(&*broker, &queue, ask, &visits).await });
    }
    for ended in workers.join_all().await {
        ended?;
    }
    let visits = visits.lock().unwrap_or_else(PoisonError::into_inner).clone();
    same("the nodes", visits.len(), NODES)?;
    same("visited more than once", visits.values().filter(|count| **count > 1).count(), 0)?;
    if b.broker.inspect().is_some() {
        let info = b.info(&queue).await?;
        holds(
            format!("{} unsettled at most, capacity {CAPACITY}", info.depth_max),
            info.depth_max <= CAPACITY,
        )?;
        same("what is left", info.depth() + info.parked, 0)?;
    }
    Ok(())
}

/// One of the workers: takes nodes, sends their children, finishes them, until nothing comes for a while.
async fn walk(
    broker: &dyn Broker,
    queue: &QueueName,
    ask: handover::Ask,
    visits: &Visits,
) -> Outcome {
    let begun = handover::clock::now();
    loop {
        let some = broker.receive(std::slice::from_ref(queue), ask).await?;
        let finished = visits.lock().unwrap_or_else(PoisonError::into_inner).len() >= NODES;
        if some.is_empty() && (finished || begun.elapsed() > SOON * 3) {
            return Ok(());
        }
        for delivery in some {
            let node = text(&delivery);
            expand(broker, queue, &delivery.receipt, &node).await?;
            broker.settle_one(delivery.receipt, Settle::Done).await?;
            *visits.lock().unwrap_or_else(PoisonError::into_inner).entry(node).or_default() += 1;
        }
    }
}

/// Sends the children of a node, where it has any.
async fn expand(broker: &dyn Broker, queue: &QueueName, parent: &Receipt, node: &str) -> Outcome {
    if node.len() < 4 {
        let children: Vec<_> = (0..10).map(|n| text_message(&format!("{node}{n}"))).collect();
        broker.send(queue, &children, Room::now().child_of(parent.clone())).await?;
    }
    Ok(())
}
