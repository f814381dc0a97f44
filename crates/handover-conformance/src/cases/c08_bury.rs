//! C8: a buried message is out of circulation, can be seen, and comes back by the operator's hand.

use std::time::Duration;

use handover::{JobState, Settle};

use crate::case::{Case, Need, Outcome, case};
use crate::check::{holds, same};
use crate::support::{Bench, bury, texts};

pub(crate) const CASES: &[Case] = &[
    case!(a_buried_message_is_not_delivered),
    case!(a_buried_message_stays_buried_when_its_lease_would_have_ended, Need::Timed),
    case!(a_buried_message_can_be_seen_with_its_reason, Need::Inspect),
    case!(a_reason_that_is_too_long_is_cut_at_a_character, Need::Inspect),
    case!(
        a_kicked_message_is_delivered_again_with_its_attempts_counted_anew,
        Need::Steer,
        Need::ExactAttempts
    ),
    case!(tokens_go_on_growing_when_a_message_is_kicked, Need::Steer, Need::Fenced),
    case!(a_kick_wakes_a_waiting_receive, Need::Steer),
];

async fn a_buried_message_is_not_delivered(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b"]).await?;
    for delivery in b.drain_deliveries(&queue).await? {
        b.bury(&delivery).await?;
    }
    b.nothing(&queue).await
}

async fn a_buried_message_stays_buried_when_its_lease_would_have_ended(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    b.bury(&b.take_for(&queue, b.short).await?).await?;
    b.nothing_for(&queue, b.short * 2).await
}

async fn a_buried_message_can_be_seen_with_its_reason(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    b.settle(&delivery, bury("the address is no address")).await?;
    let job = b.job(ids[0]).await?;
    same("its state", job.state, JobState::Buried)?;
    same("its reason", job.reason.as_deref(), Some("the address is no address"))?;
    same("its message", job.message, delivery.message)?;
    let info = b.info(&queue).await?;
    same("the buried", info.buried, 1)?;
    same("the unsettled", info.depth(), 0)
}

async fn a_reason_that_is_too_long_is_cut_at_a_character(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    // Three bytes each, so that the limit falls inside a character.
    let long = "☃".repeat(Settle::REASON_BYTES_MAX);
    b.settle(&b.take(&queue).await?, bury(&long)).await?;
    let reason = b.job(ids[0]).await?.reason.unwrap_or_default();
    same("the reason", reason.as_str(), Settle::cut_reason(&long))
}

async fn a_kicked_message_is_delivered_again_with_its_attempts_counted_anew(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    b.retry(&b.take(&queue).await?, Duration::ZERO).await?;
    let second = b.take(&queue).await?;
    b.bury(&second).await?;
    same("the kicked", b.operator()?.kick(&queue, 10).await?, 1)?;
    let third = b.take(&queue).await?;
    same("the message", &third.message, &second.message)?;
    same("the attempt", third.attempt, 1)?;
    holds("the receipt is a new one", third.receipt != second.receipt)
}

async fn tokens_go_on_growing_when_a_message_is_kicked(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let first = b.take(&queue).await?;
    b.bury(&first).await?;
    b.operator()?.kick(&queue, 1).await?;
    let second = b.take(&queue).await?;
    let (before, after) = (first.receipt.token, second.receipt.token);
    holds(format!("token {after} is larger than {before}"), after > before)
}

async fn a_kick_wakes_a_waiting_receive(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    b.bury(&b.take(&queue).await?).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(crate::support::FAR)).await?;
    b.operator()?.kick(&queue, 1).await?;
    same("what came", texts(&waiting.answer().await??), ["a"])
}
