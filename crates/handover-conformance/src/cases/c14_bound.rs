//! C14: never more than the capacity is unsettled, whatever is sent by whomever; a send without room is told `Full` and has
//! stored nothing. Those who wait for room are in `c14_line.rs`, children in `c14_children.rs`.

use std::sync::Arc;
use std::time::Duration;

use handover::{BrokerExt, ErrorKind, Fate, QueueName, QueueSettings, Room, clock};
use tokio::task::JoinSet;

use crate::case::{Case, Need, Outcome, case};
use crate::check::{holds, never_early, refused, same, soon};
use crate::support::{Bench, bury, text_message};

pub(crate) const CASES: &[Case] = &[
    case!(a_full_queue_says_so_at_once_to_who_does_not_wait, Need::Bound),
    case!(at_the_deadline_a_send_is_told_full_and_has_stored_nothing, Need::Bound),
    case!(a_batch_that_does_not_fit_is_refused_whole, Need::Bound, Need::Batch(3)),
    case!(a_batch_larger_than_the_capacity_is_invalid, Need::Bound, Need::Batch(3)),
    case!(many_senders_at_once_never_exceed_the_capacity, Need::Bound),
    case!(senders_of_two_handles_never_exceed_the_capacity, Need::Bound, Need::Shared),
    case!(ready_messages_count, Need::Bound),
    case!(leased_messages_count, Need::Bound),
    case!(delayed_messages_count, Need::Bound, Need::Delays),
    case!(held_messages_count, Need::Bound, Need::Keys),
    case!(what_waits_for_its_retry_counts, Need::Bound, Need::Delays),
    case!(a_retry_or_release_needs_no_room, Need::Bound),
    case!(a_lease_that_ran_out_needs_no_room, Need::Bound, Need::Timed),
    case!(buried_messages_do_not_count, Need::Bound),
    case!(a_kick_needs_room, Need::Bound, Need::Steer),
    case!(what_is_done_makes_room, Need::Bound),
    case!(a_repeat_needs_no_room, Need::Bound, Need::DedupWhileStored),
    case!(a_repeat_takes_no_room_in_its_batch, Need::Bound, Need::DedupWhileStored, Need::Batch(2)),
    case!(a_smaller_capacity_declared_later_keeps_what_is_there, Need::Bound),
];

/// There is no room for one more.
async fn full(b: &Bench, queue: &QueueName) -> Outcome {
    let answer = b.broker.send_one(queue, text_message("one too many"), Room::now()).await;
    refused("one too many", answer, ErrorKind::Full)
}

async fn a_full_queue_says_so_at_once_to_who_does_not_wait(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 2).await?;
    b.send(&queue, &["a", "b"]).await?;
    let asked = clock::now();
    full(b, &queue).await?;
    soon("the refusal", asked.elapsed())?;
    let mut got = b.drain(&queue).await?;
    got.sort();
    same("what is there", got, ["a", "b"])
}

async fn at_the_deadline_a_send_is_told_full_and_has_stored_nothing(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let asked = clock::now();
    let answer = b.broker.send_one(&queue, text_message("b"), Room::within(b.short)).await;
    never_early("the refusal", asked.elapsed(), b.short)?;
    soon("the refusal", asked.elapsed())?;
    refused("a send without room", answer, ErrorKind::Full)?;
    b.done(&b.take_text(&queue, "a").await?).await?;
    b.nothing_for(&queue, b.short / 4).await
}

async fn a_batch_that_does_not_fit_is_refused_whole(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 4).await?;
    b.send(&queue, &["a", "b"]).await?;
    let batch = ["c", "d", "e"].map(text_message);
    for room in [Room::now(), Room::within(b.short / 4)] {
        refused(
            "three for two places",
            b.broker.send(&queue, &batch, room).await,
            ErrorKind::Full,
        )?;
    }
    b.put(&queue, &batch[..2]).await?;
    same("what is there", b.drain(&queue).await?.len(), 4)
}

async fn a_batch_larger_than_the_capacity_is_invalid(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 2).await?;
    let batch = ["a", "b", "c"].map(text_message);
    let asked = clock::now();
    let answer = b.broker.send(&queue, &batch, Room::within(crate::support::FAR)).await;
    refused("a batch of three for a capacity of two", answer, ErrorKind::Invalid)?;
    soon("the refusal", asked.elapsed())?;
    b.nothing(&queue).await?;
    b.put(&queue, &batch[..2]).await.map(drop)
}

/// Sends one message from each of many tasks, and answers how many were stored.
async fn storm(
    handles: &[Arc<dyn handover::Broker>],
    queue: &QueueName,
    tasks: usize,
) -> Result<usize, crate::case::Stop> {
    let mut senders = JoinSet::new();
    for n in 0..tasks {
        let (broker, queue) = (Arc::clone(&handles[n % handles.len()]), queue.clone());
        senders.spawn(async move {
            broker.send_one(&queue, text_message(&n.to_string()), Room::now()).await
        });
    }
    let mut stored = 0;
    for answer in senders.join_all().await {
        match answer {
            Ok(_) => stored += 1,
            refusal => refused("a send without room", refusal, ErrorKind::Full)?,
        }
    }
    Ok(stored)
}

async fn many_senders_at_once_never_exceed_the_capacity(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 5).await?;
    same("stored", storm(&[Arc::clone(&b.broker)], &queue, 40).await?, 5)?;
    same("what is there", b.drain(&queue).await?.len(), 5)
}

async fn senders_of_two_handles_never_exceed_the_capacity(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 7).await?;
    let handles = [Arc::clone(&b.broker), b.open_another().await?];
    same("stored", storm(&handles, &queue, 40).await?, 7)?;
    same("what is there", b.drain(&queue).await?.len(), 7)
}

async fn ready_messages_count(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    full(b, &queue).await
}

async fn leased_messages_count(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    full(b, &queue).await?;
    b.done(&delivery).await
}

async fn delayed_messages_count(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.put(&queue, &[text_message("a").with_delay(b.short * 4)]).await?;
    full(b, &queue).await
}

async fn held_messages_count(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 2).await?;
    b.put(&queue, &[text_message("a").with_key("k"), text_message("b").with_key("k")]).await?;
    let delivery = b.take_text(&queue, "a").await?;
    full(b, &queue).await?;
    b.done(&delivery).await
}

async fn what_waits_for_its_retry_counts(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    b.retry(&b.take(&queue).await?, b.short * 4).await?;
    full(b, &queue).await
}

async fn a_retry_or_release_needs_no_room(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 2).await?;
    b.send(&queue, &["a", "b"]).await?;
    b.retry(&b.take(&queue).await?, Duration::ZERO).await?;
    b.release(&b.take(&queue).await?, Duration::ZERO).await?;
    full(b, &queue).await?;
    let mut got = b.drain(&queue).await?;
    got.sort();
    same("what came back", got, ["a", "b"])
}

async fn a_lease_that_ran_out_needs_no_room(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    b.take_for(&queue, b.short).await?;
    b.take(&queue).await?;
    full(b, &queue).await
}

async fn buried_messages_do_not_count(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    for body in ["a", "b", "c"] {
        b.send(&queue, &[body]).await?;
        b.settle(&b.take_text(&queue, body).await?, bury("aside")).await?;
    }
    b.send(&queue, &["d"]).await?;
    full(b, &queue).await
}

async fn a_kick_needs_room(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 3).await?;
    b.send(&queue, &["a", "b", "c"]).await?;
    for delivery in b.drain_deliveries(&queue).await? {
        b.bury(&delivery).await?;
    }
    let ids = b.send(&queue, &["d", "e", "f"]).await?;
    let operator = b.operator()?;
    refused("a kick without room", operator.kick(&queue, 3).await, ErrorKind::Full)?;
    let second = b.take(&queue).await?;
    b.done(&second).await?;
    let third = b.take(&queue).await?;
    b.done(&third).await?;
    same("kicked into two places", operator.kick(&queue, 3).await?, 2)?;
    full(b, &queue).await?;
    holds("three were sent", ids.len() == 3)?;
    same("what is there", b.drain(&queue).await?.len(), 3)
}

async fn what_is_done_makes_room(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    for body in ["a", "b", "c"] {
        b.send(&queue, &[body]).await?;
        full(b, &queue).await?;
        b.done(&b.take_text(&queue, body).await?).await?;
    }
    Ok(())
}

async fn a_repeat_needs_no_room(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    let message = text_message("a");
    b.put(&queue, std::slice::from_ref(&message)).await?;
    let sent = b.broker.send_one(&queue, message, Room::now()).await?;
    same("the fate of the repeat", sent.fates, [Fate::Duplicate])
}

async fn a_repeat_takes_no_room_in_its_batch(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 2).await?;
    let known = text_message("a");
    b.put(&queue, std::slice::from_ref(&known)).await?;
    let sent = b.broker.send(&queue, &[known, text_message("b")], Room::now()).await?;
    same("the fates", sent.fates, [Fate::Duplicate, Fate::Stored])?;
    full(b, &queue).await
}

async fn a_smaller_capacity_declared_later_keeps_what_is_there(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 4).await?;
    b.send(&queue, &["a", "b", "c", "d"]).await?;
    b.declare("mail", &QueueSettings::with_capacity(2)).await?;
    let all = b.drain_deliveries(&queue).await?;
    same("what is still there", all.len(), 4)?;
    for delivery in &all[..2] {
        full(b, &queue).await?;
        b.done(delivery).await?;
    }
    full(b, &queue).await?;
    b.done(&all[2]).await?;
    b.send(&queue, &["e"]).await?;
    full(b, &queue).await
}
