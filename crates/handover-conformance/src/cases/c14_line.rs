//! C14 for those who wait: they stand in line in the order they came, and are woken when room appears.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use handover::{BrokerExt, ErrorKind, JobState, QueueSettings, Room, Settle, clock};
use tokio::task::JoinSet;

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{SOON, holds, median, never_early, refused, same};
use crate::support::{Bench, FAR, text_message, texts};

pub(crate) const CASES: &[Case] = &[
    case!(a_waiting_send_is_admitted_when_a_message_is_done, Need::Bound),
    case!(a_waiting_send_is_admitted_when_a_message_is_buried, Need::Bound),
    case!(admission_takes_no_poll, Need::Bound),
    case!(a_send_that_waits_for_ever_is_admitted, Need::Bound),
    case!(a_retry_admits_nobody, Need::Bound),
    case!(a_waiting_send_is_admitted_when_the_capacity_grows, Need::Bound),
    case!(a_waiting_send_is_admitted_when_a_job_is_deleted, Need::Bound, Need::Steer),
    case!(a_waiting_send_is_admitted_when_a_queue_is_purged, Need::Bound, Need::Steer),
    case!(a_waiting_send_is_admitted_when_a_job_is_cancelled, Need::Bound, Need::Steer),
    case!(one_place_admits_one, Need::Bound),
    case!(those_who_wait_are_admitted_in_the_order_they_came, Need::Bound),
    case!(a_large_batch_in_line_is_not_overtaken, Need::Bound, Need::Batch(3)),
    case!(who_does_not_wait_does_not_overtake_the_line, Need::Bound, Need::Batch(2)),
    case!(a_dropped_waiting_send_stores_nothing, Need::Bound),
    case!(a_dropped_waiting_send_is_in_nobodys_way, Need::Bound, Need::Batch(3)),
    case!(a_waiting_send_whose_time_is_up_is_in_nobodys_way, Need::Bound, Need::Batch(3)),
    case!(a_line_at_one_queue_does_not_hold_up_another, Need::Bound),
    case!(a_waiting_send_is_admitted_by_another_handle, Need::Bound, Need::Shared),
    Case {
        limit: Duration::from_secs(150), // thousands of synced commits, on a machine that is busy
        ..case!(two_thousand_who_wait_are_served_in_the_order_they_came, Need::Bound, Need::Fifo)
    },
];

async fn a_waiting_send_is_admitted_when_a_message_is_done(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut send = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    let delivery = b.take_text(&queue, "a").await?;
    // Leasing makes no room: the bound counts every unsettled message.
    send.waits().await?;
    b.done(&delivery).await?;
    send.answer().await??;
    b.take_text(&queue, "b").await.map(drop)
}

async fn a_waiting_send_is_admitted_when_a_message_is_buried(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut send = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    b.bury(&b.take_text(&queue, "a").await?).await?;
    send.answer().await??;
    b.take_text(&queue, "b").await.map(drop)
}

async fn admission_takes_no_poll(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut times = Vec::new();
    for _ in 0..9 {
        let delivery = b.take(&queue).await?;
        let mut send = b.send_later(&queue, &["a"], Room::within(FAR)).await?;
        let settled = clock::now();
        b.done(&delivery).await?;
        send.answer().await??;
        times.push(settled.elapsed());
    }
    let typical = median(times);
    holds(
        format!("settle and admission typically take {typical:?}, below 200 ms"),
        typical.as_millis() < 200,
    )
}

async fn a_send_that_waits_for_ever_is_admitted(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut send = b.send_later(&queue, &["b"], Room::within(Duration::MAX)).await?;
    b.done(&b.take(&queue).await?).await?;
    send.answer().await??;
    Ok(())
}

async fn a_retry_admits_nobody(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut send = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    b.retry(&b.take_text(&queue, "a").await?, Duration::ZERO).await?;
    send.waits().await?;
    b.release(&b.take_text(&queue, "a").await?, Duration::ZERO).await?;
    send.waits().await?;
    b.done(&b.take_text(&queue, "a").await?).await?;
    send.answer().await??;
    Ok(())
}

async fn a_waiting_send_is_admitted_when_the_capacity_grows(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut send = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    b.declare("mail", &QueueSettings::with_capacity(2)).await?;
    send.answer().await??;
    Ok(())
}

async fn a_waiting_send_is_admitted_when_a_job_is_deleted(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    let ids = b.send(&queue, &["a"]).await?;
    let mut send = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    same("the delete", b.operator()?.delete(ids[0]).await?, true)?;
    send.answer().await??;
    Ok(())
}

async fn a_waiting_send_is_admitted_when_a_queue_is_purged(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut send = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    same("the purged", b.operator()?.purge(&queue, JobState::Ready).await?, 1)?;
    send.answer().await??;
    Ok(())
}

async fn a_waiting_send_is_admitted_when_a_job_is_cancelled(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    let ids = b.send(&queue, &["a"]).await?;
    let mut send = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    same("the cancel", b.operator()?.cancel(ids[0], "not needed".to_owned()).await?, true)?;
    send.answer().await??;
    Ok(())
}

async fn one_place_admits_one(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut first = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    let mut second = b.send_later(&queue, &["c"], Room::within(FAR)).await?;
    b.done(&b.take_text(&queue, "a").await?).await?;
    first.answer().await??;
    second.waits().await?;
    b.done(&b.take_text(&queue, "b").await?).await?;
    second.answer().await??;
    Ok(())
}

async fn those_who_wait_are_admitted_in_the_order_they_came(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["0"]).await?;
    let bodies = ["1", "2", "3", "4", "5", "6", "7", "8"];
    let mut line = Vec::new();
    for body in &bodies {
        line.push(b.send_later(&queue, &[body], Room::within(FAR)).await?);
    }
    let mut admitted = Vec::new();
    for send in &mut line {
        b.done(&b.take(&queue).await?).await?;
        send.answer().await??;
        // Only one is in the queue: what is there now is what was admitted.
        let delivery = b.take(&queue).await?;
        admitted.push(crate::support::text(&delivery));
        b.release(&delivery, Duration::ZERO).await?;
    }
    same("the order of admission", admitted, bodies)
}

async fn a_large_batch_in_line_is_not_overtaken(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 3).await?;
    b.send(&queue, &["x", "y", "z"]).await?;
    let mut large = b.send_later(&queue, &["a", "b", "c"], Room::within(FAR)).await?;
    let mut small = b.send_later(&queue, &["d"], Room::within(FAR)).await?;
    let all = b.drain_deliveries(&queue).await?;
    for delivery in &all[..2] {
        b.done(delivery).await?;
        small.waits().await?;
        large.waits().await?;
    }
    b.done(&all[2]).await?;
    large.answer().await??;
    small.waits().await?;
    b.done(&b.take(&queue).await?).await?;
    small.answer().await??;
    Ok(())
}

async fn who_does_not_wait_does_not_overtake_the_line(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 2).await?;
    b.send(&queue, &["x", "y"]).await?;
    let mut large = b.send_later(&queue, &["a", "b"], Room::within(FAR)).await?;
    b.done(&b.take(&queue).await?).await?;
    large.waits().await?;
    let answer = b.broker.send_one(&queue, text_message("c"), Room::now()).await;
    refused("a send past the line", answer, ErrorKind::Full)?;
    b.done(&b.take(&queue).await?).await?;
    large.answer().await??;
    Ok(())
}

async fn a_dropped_waiting_send_stores_nothing(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let send = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    send.cancel().await;
    b.done(&b.take_text(&queue, "a").await?).await?;
    b.nothing_for(&queue, b.short / 4).await?;
    b.send(&queue, &["c"]).await?;
    b.take_text(&queue, "c").await.map(drop)
}

async fn a_dropped_waiting_send_is_in_nobodys_way(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 3).await?;
    b.send(&queue, &["x", "y", "z"]).await?;
    let large = b.send_later(&queue, &["a", "b", "c"], Room::within(FAR)).await?;
    let mut small = b.send_later(&queue, &["d"], Room::within(FAR)).await?;
    b.done(&b.take(&queue).await?).await?;
    small.waits().await?;
    // There is room for the small one; only the large one before it was in its way.
    large.cancel().await;
    small.answer().await??;
    let mut got = b.drain(&queue).await?;
    got.sort();
    got.retain(|body| !["x", "y", "z"].contains(&body.as_str()));
    same("what came of both", got, ["d"])
}

async fn a_waiting_send_whose_time_is_up_is_in_nobodys_way(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 3).await?;
    b.send(&queue, &["x", "y", "z"]).await?;
    let asked = clock::now();
    let mut large = b.send_later(&queue, &["a", "b", "c"], Room::within(b.short * 2)).await?;
    let mut small = b.send_later(&queue, &["d"], Room::within(FAR)).await?;
    b.done(&b.take(&queue).await?).await?;
    refused("the large one", large.answer().await?, ErrorKind::Full)?;
    never_early("its refusal", asked.elapsed(), b.short * 2)?;
    small.answer().await??;
    Ok(())
}

async fn a_line_at_one_queue_does_not_hold_up_another(b: &Bench) -> Outcome {
    let (mail, print) = (b.queue("mail", 1).await?, b.queue("print", 1).await?);
    b.send(&mail, &["a"]).await?;
    let mut send = b.send_later(&mail, &["b"], Room::within(FAR)).await?;
    b.send(&print, &["p"]).await?;
    let mut other = b.send_later(&print, &["q"], Room::within(FAR)).await?;
    b.done(&b.take_text(&print, "p").await?).await?;
    other.answer().await??;
    send.waits().await
}

async fn a_waiting_send_is_admitted_by_another_handle(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let other = b.open_another().await?;
    let mut send = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    let delivery = crate::support::take_from(&other, &queue, b.long()).await?;
    send.waits().await?;
    other.settle_one(delivery.receipt, handover::Settle::Done).await?;
    send.answer().await??;
    Ok(())
}

async fn two_thousand_who_wait_are_served_in_the_order_they_came(b: &Bench) -> Outcome {
    const CAPACITY: u64 = 10;
    let queue = b.queue("mail", CAPACITY).await?;
    let mut senders = JoinSet::new();
    for n in 0..2000_u32 {
        let (broker, name) = (Arc::clone(&b.broker), queue.clone());
        let mut send = Box::pin(async move {
            let message = text_message(&n.to_string());
            broker.send_one(&name, message, Room::within(FAR)).await
        });
        // A call arrives when it is polled first; from then on a task of its own goes on with it.
        let answered = poll_fn(|context| Poll::Ready(send.as_mut().poll(context))).await;
        match answered {
            Poll::Ready(answer) => drop(answer?),
            Poll::Pending => _ = senders.spawn(send),
        }
    }
    let mut served = Vec::new();
    while served.len() < 2000 {
        let max = b.caps().batch_max.min(4);
        let some = b.broker.receive(std::slice::from_ref(&queue), b.ask(max).wait(SOON)).await?;
        holds("somebody was served", !some.is_empty())?;
        served.extend(texts(&some));
        let done: Vec<_> =
            some.into_iter().map(|delivery| (delivery.receipt, Settle::Done)).collect();
        for answer in b.broker.settle(&done).await? {
            answer?;
        }
    }
    while let Some(ended) = senders.join_next().await {
        ended.map_err(|crash| Stop::failed(format_args!("a sender crashed: {crash}")))??;
    }
    let early = served.iter().enumerate().find(|(place, body)| place.to_string() != **body);
    same("the first one that was not served in its turn: (place, who)", early, None)?;
    if b.broker.inspect().is_some() {
        let most = b.info(&queue).await?.depth_max;
        holds(format!("{most} unsettled at most, capacity {CAPACITY}"), most <= CAPACITY)?;
    }
    b.nothing(&queue).await
}
