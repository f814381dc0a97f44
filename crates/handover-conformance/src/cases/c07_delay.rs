//! C7: never before it is due, whether the delay is of send, retry or release; and not much later.

use std::time::Duration;

use handover::{BrokerExt, ErrorKind, Room, Settle, clock};

use crate::case::{Case, Need, Outcome, case};
use crate::check::{never_early, refused, same, soon};
use crate::support::{Bench, FAR, retry, text_message, texts};

pub(crate) const CASES: &[Case] = &[
    case!(a_delayed_message_is_never_early, Need::Delays),
    case!(a_retry_is_never_early, Need::Delays),
    case!(a_release_is_never_early, Need::Delays),
    case!(a_waiting_receive_is_woken_when_a_message_becomes_due, Need::Delays),
    case!(a_shorter_delay_sent_later_comes_first, Need::Delays),
    case!(a_delayed_message_does_not_hold_up_others, Need::Delays),
    case!(a_retry_of_zero_comes_back_at_once),
    case!(a_delivered_message_has_no_delay_left, Need::Delays),
    case!(any_delay_is_refused_where_none_is_promised, Need::NoDelays),
];

async fn a_delayed_message_is_never_early(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 20).await?;
    let mut sent = std::collections::HashMap::new();
    for n in 0..8_u32 {
        // Sent at different parts of a millisecond: a clock read in whole ones must be rounded up.
        b.let_pass(Duration::from_micros(130 * u64::from(n))).await;
        let delay = b.short / 2 + Duration::from_micros(170) * n;
        let message = text_message("a").with_delay(delay);
        sent.insert(message.id, (clock::now(), delay));
        b.put(&queue, &[message]).await?;
    }
    for _ in 0..8 {
        let delivery = b.catch(&queue).await?;
        let (at, delay) = sent[&delivery.message.id];
        never_early("the delayed message", at.elapsed(), delay)?;
        soon("the delayed message", at.elapsed())?;
    }
    Ok(())
}

async fn a_retry_is_never_early(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    for n in 1..=4 {
        let delivery = b.take(&queue).await?;
        b.let_pass(Duration::from_micros(270 * n)).await;
        let settled = clock::now();
        b.settle(&delivery, retry(b.short / 2)).await?;
        let again = b.catch(&queue).await?;
        never_early("the retry", settled.elapsed(), b.short / 2)?;
        soon("the retry", settled.elapsed())?;
        b.release(&again, Duration::ZERO).await?;
    }
    Ok(())
}

async fn a_release_is_never_early(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    for n in 1..=4 {
        let delivery = b.take(&queue).await?;
        b.let_pass(Duration::from_micros(270 * n)).await;
        let settled = clock::now();
        b.settle(&delivery, Settle::Release { after: b.short / 2 }).await?;
        let again = b.catch(&queue).await?;
        never_early("the release", settled.elapsed(), b.short / 2)?;
        soon("the release", settled.elapsed())?;
        b.release(&again, Duration::ZERO).await?;
    }
    Ok(())
}

async fn a_waiting_receive_is_woken_when_a_message_becomes_due(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    // Long enough that the receive waits before the message is due, on a loaded machine too.
    b.put(&queue, &[text_message("a").with_delay(b.short * 5)]).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    same("what came", texts(&waiting.answer().await??), ["a"])
}

async fn a_shorter_delay_sent_later_comes_first(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.put(&queue, &[text_message("later").with_delay(b.short * 4)]).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    b.put(&queue, &[text_message("sooner").with_delay(b.short)]).await?;
    same("what came first", texts(&waiting.answer().await??), ["sooner"])?;
    b.take_text(&queue, "later").await.map(drop)
}

async fn a_delayed_message_does_not_hold_up_others(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.put(&queue, &[text_message("later").with_delay(b.short * 4)]).await?;
    b.send(&queue, &["now"]).await?;
    b.take_text(&queue, "now").await.map(drop)
}

async fn a_retry_of_zero_comes_back_at_once(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    b.retry(&delivery, Duration::ZERO).await?;
    same("what came", texts(&waiting.answer().await??), ["a"])
}

async fn a_delivered_message_has_no_delay_left(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.put(&queue, &[text_message("a").with_delay(b.short)]).await?;
    let delivery = b.take(&queue).await?;
    same("its delay", delivery.message.delay, Duration::ZERO)?;
    never_early("its age counts from the send", delivery.age + Duration::from_millis(1), b.short)
}

async fn any_delay_is_refused_where_none_is_promised(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let delayed = text_message("a").with_delay(b.short);
    let answer = b.broker.send_one(&queue, delayed, Room::now()).await;
    refused("a delayed send", answer, ErrorKind::Unsupported)?;
    b.nothing(&queue).await?;
    b.send(&queue, &["b"]).await?;
    let delivery = b.take(&queue).await?;
    let late = b.broker.settle_one(delivery.receipt.clone(), retry(b.short)).await;
    refused("a delayed retry", late, ErrorKind::Unsupported)?;
    let answer = Settle::Release { after: b.short };
    let late = b.broker.settle_one(delivery.receipt.clone(), answer).await;
    refused("a delayed release", late, ErrorKind::Unsupported)?;
    b.done(&delivery).await
}
