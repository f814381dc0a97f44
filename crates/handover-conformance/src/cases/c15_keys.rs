//! C15 for keys: of the messages with one key, one at a time and in the order they were sent. While one is leased, delayed
//! or waiting for its retry, those behind it are held.

use std::time::Duration;

use handover::{BrokerExt, JobState, Message, Priority, QueueName};

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{never_early, same};
use crate::support::{Bench, FAR, text, text_message, texts};

pub(crate) const CASES: &[Case] = &[
    case!(one_of_a_key_at_a_time_and_in_order, Need::Keys),
    case!(one_of_a_key_in_a_batch_of_deliveries, Need::Keys, Need::Batch(10)),
    case!(keys_do_not_hold_each_other_up, Need::Keys),
    case!(messages_without_a_key_are_not_held, Need::Keys),
    case!(the_same_key_in_another_queue_is_another_key, Need::Keys),
    case!(those_behind_a_retry_are_held, Need::Keys, Need::Delays),
    case!(those_behind_a_release_are_held, Need::Keys, Need::Delays),
    case!(those_behind_a_delayed_one_are_held, Need::Keys, Need::Delays),
    case!(those_behind_a_lease_that_ran_out_are_held, Need::Keys, Need::Timed),
    case!(a_burial_lets_the_next_one_go, Need::Keys),
    case!(a_kicked_message_is_again_before_those_behind_it, Need::Keys, Need::Steer),
    case!(a_kicked_message_goes_before_a_later_one_that_nobody_has, Need::Keys, Need::Steer),
    case!(a_kicked_message_goes_before_a_later_one_that_comes_back, Need::Keys, Need::Steer),
    case!(kicked_messages_are_again_in_the_order_they_were_sent, Need::Keys, Need::Steer),
    case!(a_deletion_lets_the_next_one_go, Need::Keys, Need::Steer),
    case!(priority_does_not_reorder_a_key, Need::Keys, Need::Priorities(2)),
    case!(done_wakes_a_receive_that_waits_for_the_key, Need::Keys),
    case!(held_messages_are_seen_as_held, Need::Keys, Need::Inspect),
    case!(a_key_is_served_one_at_a_time_by_many_workers, Need::Keys),
    case!(two_handles_keep_one_key_in_order, Need::Keys, Need::Shared),
];

fn keyed(body: &str) -> Message {
    // The first letter is the key.
    text_message(body).with_key(&body[..1])
}

async fn put(b: &Bench, queue: &QueueName, bodies: &[&str]) -> Result<Vec<handover::JobId>, Stop> {
    let batch: Vec<_> = bodies.iter().map(|body| keyed(body)).collect();
    b.put(queue, &batch).await
}

async fn one_of_a_key_at_a_time_and_in_order(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2", "a3"]).await?;
    for body in ["a1", "a2", "a3"] {
        let delivery = b.take_text(&queue, body).await?;
        b.nothing(&queue).await?;
        b.done(&delivery).await?;
    }
    b.nothing(&queue).await
}

async fn one_of_a_key_in_a_batch_of_deliveries(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2", "b1", "a3", "b2"]).await?;
    let some = b.broker.receive(std::slice::from_ref(&queue), b.ask(10)).await?;
    let mut got = texts(&some);
    got.sort();
    same("what came at once", got, ["a1", "b1"])
}

async fn keys_do_not_hold_each_other_up(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2", "b1", "b2", "c1"]).await?;
    let all = b.drain_deliveries(&queue).await?;
    let mut got = texts(&all);
    got.sort();
    same("one of each key", got, ["a1", "b1", "c1"])?;
    for delivery in all.iter().filter(|delivery| text(delivery) == "b1") {
        b.done(delivery).await?;
    }
    b.take_text(&queue, "b2").await?;
    b.nothing(&queue).await
}

async fn messages_without_a_key_are_not_held(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2"]).await?;
    b.send(&queue, &["x", "y"]).await?;
    let mut got = b.drain(&queue).await?;
    got.sort();
    same("what can be taken", got, ["a1", "x", "y"])
}

async fn the_same_key_in_another_queue_is_another_key(b: &Bench) -> Outcome {
    let (mail, print) = (b.queue("mail", 10).await?, b.queue("print", 10).await?);
    put(b, &mail, &["a1"]).await?;
    put(b, &print, &["a2"]).await?;
    b.take_text(&mail, "a1").await?;
    b.take_text(&print, "a2").await.map(drop)
}

/// Of `a1`, `a2` and `b1`, the first is away for `short`; the second comes after it all the same.
async fn held_behind(b: &Bench, queue: &QueueName, since: handover::clock::Instant) -> Outcome {
    b.take_text(queue, "b1").await?;
    b.nothing(queue).await?;
    let first = b.take_text(queue, "a1").await?;
    never_early("the first of the key", since.elapsed(), b.short)?;
    b.done(&first).await?;
    b.take_text(queue, "a2").await.map(drop)
}

async fn those_behind_a_retry_are_held(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2", "b1"]).await?;
    let first = b.take_text(&queue, "a1").await?;
    let since = handover::clock::now();
    b.retry(&first, b.short).await?;
    held_behind(b, &queue, since).await
}

async fn those_behind_a_release_are_held(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2", "b1"]).await?;
    let first = b.take_text(&queue, "a1").await?;
    let since = handover::clock::now();
    b.release(&first, b.short).await?;
    held_behind(b, &queue, since).await
}

async fn those_behind_a_delayed_one_are_held(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let since = handover::clock::now();
    b.put(&queue, &[keyed("a1").with_delay(b.short), keyed("a2"), keyed("b1")]).await?;
    held_behind(b, &queue, since).await
}

async fn those_behind_a_lease_that_ran_out_are_held(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2", "b1"]).await?;
    let since = handover::clock::now();
    b.take_for(&queue, b.short).await?;
    held_behind(b, &queue, since).await
}

async fn a_burial_lets_the_next_one_go(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2", "a3"]).await?;
    b.bury(&b.take_text(&queue, "a1").await?).await?;
    b.done(&b.take_text(&queue, "a2").await?).await?;
    b.take_text(&queue, "a3").await.map(drop)
}

async fn a_kicked_message_is_again_before_those_behind_it(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2", "a3"]).await?;
    b.bury(&b.take_text(&queue, "a1").await?).await?;
    let second = b.take_text(&queue, "a2").await?;
    b.operator()?.kick(&queue, 1).await?;
    // It must not run beside the one that is leased, and not after the one that was sent later.
    b.nothing(&queue).await?;
    b.done(&second).await?;
    b.done(&b.take_text(&queue, "a1").await?).await?;
    b.take_text(&queue, "a3").await.map(drop)
}

async fn a_kicked_message_goes_before_a_later_one_that_nobody_has(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2"]).await?;
    b.bury(&b.take_text(&queue, "a1").await?).await?;
    b.operator()?.kick(&queue, 1).await?;
    b.done(&b.take_text(&queue, "a1").await?).await?;
    b.take_text(&queue, "a2").await.map(drop)
}

async fn kicked_messages_are_again_in_the_order_they_were_sent(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = put(b, &queue, &["a1", "a2", "a3", "a4"]).await?;
    for body in ["a1", "a2", "a3"] {
        b.bury(&b.take_text(&queue, body).await?).await?;
    }
    // The later ones first, and the last one is nobody's yet.
    for id in [ids[2], ids[0], ids[1]] {
        same("the kick", b.operator()?.kick_job(id).await?, true)?;
    }
    for body in ["a1", "a2", "a3", "a4"] {
        let delivery = b.take_text(&queue, body).await?;
        b.nothing(&queue).await?;
        b.done(&delivery).await?;
    }
    Ok(())
}

async fn a_kicked_message_goes_before_a_later_one_that_comes_back(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2"]).await?;
    b.bury(&b.take_text(&queue, "a1").await?).await?;
    let second = b.take_text(&queue, "a2").await?;
    b.operator()?.kick(&queue, 1).await?;
    b.retry(&second, Duration::ZERO).await?;
    b.done(&b.take_text(&queue, "a1").await?).await?;
    b.take_text(&queue, "a2").await.map(drop)
}

async fn a_deletion_lets_the_next_one_go(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = put(b, &queue, &["a1", "a2", "a3"]).await?;
    same("delete of the second", b.operator()?.delete(ids[1]).await?, true)?;
    same("delete of the first", b.operator()?.delete(ids[0]).await?, true)?;
    b.take_text(&queue, "a3").await.map(drop)
}

async fn priority_does_not_reorder_a_key(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let late = keyed("a2").with_priority(Priority::MAX);
    b.put(&queue, &[keyed("a1").with_priority(Priority::MIN), late, text_message("x")]).await?;
    b.done(&b.take_text(&queue, "x").await?).await?;
    b.done(&b.take_text(&queue, "a1").await?).await?;
    b.take_text(&queue, "a2").await.map(drop)
}

async fn done_wakes_a_receive_that_waits_for_the_key(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2"]).await?;
    let first = b.take_text(&queue, "a1").await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    b.done(&first).await?;
    same("what came", texts(&waiting.answer().await??), ["a2"])
}

async fn held_messages_are_seen_as_held(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = put(b, &queue, &["a1", "a2"]).await?;
    b.take_text(&queue, "a1").await?;
    same("the state of the second", b.job(ids[1]).await?.state, JobState::Held)?;
    same("the held", b.info(&queue).await?.held, 1)?;
    let explained = b.inspector()?.explain(ids[1]).await?;
    same("what it waits for", explained.and_then(|why| why.waits_for), Some(ids[0]))
}

async fn a_key_is_served_one_at_a_time_by_many_workers(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 100).await?;
    let bodies: Vec<_> = (0..60).map(|n| format!("{}{n:02}", ["a", "b", "c"][n % 3])).collect();
    put(b, &queue, &bodies.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let done = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (broker, queue, done) =
            (std::sync::Arc::clone(&b.broker), queue.clone(), std::sync::Arc::clone(&done));
        let ask = b.ask(1).wait(Duration::from_millis(100));
        workers.spawn(async move {
            while let Some(delivery) = broker.receive_one(&queue, ask).await? {
                // Noted before it is settled: from then on the next one of its key may be anywhere.
                done.lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .push(text(&delivery));
                broker.settle_one(delivery.receipt, handover::Settle::Done).await?;
            }
            Outcome::Ok(())
        });
    }
    for ended in workers.join_all().await {
        ended?;
    }
    let done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    for key in ["a", "b", "c"] {
        let got: Vec<_> = done.iter().filter(|body| body.starts_with(key)).collect();
        let want: Vec<_> = bodies.iter().filter(|body| body.starts_with(key)).collect();
        same(format!("the order of key {key}"), got, want)?;
    }
    Ok(())
}

async fn two_handles_keep_one_key_in_order(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    put(b, &queue, &["a1", "a2"]).await?;
    let other = b.open_another().await?;
    let first = b.take_text(&queue, "a1").await?;
    let early = other.receive_one(&queue, b.ask(1)).await?;
    same("what the other handle can take", early.map(|delivery| text(&delivery)), None)?;
    b.done(&first).await?;
    let second = crate::support::take_from(&other, &queue, b.long()).await?;
    same("what it can take then", text(&second), "a2")
}
