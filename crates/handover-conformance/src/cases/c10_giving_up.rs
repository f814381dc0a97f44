//! C10: a broker never gives up on a message by itself.

use std::time::Duration;

use handover::JobState;

use crate::case::{Case, Need, Outcome, case};
use crate::check::same;
use crate::support::Bench;

pub(crate) const CASES: &[Case] = &[
    case!(a_message_that_failed_fifty_times_is_still_delivered),
    case!(a_message_that_was_released_fifty_times_is_still_delivered),
    case!(a_message_whose_lease_ran_out_many_times_is_still_delivered, Need::Timed),
    case!(what_failed_often_is_not_buried, Need::Inspect),
];

async fn a_message_that_failed_fifty_times_is_still_delivered(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    for attempt in 1..=50 {
        let delivery = b.take(&queue).await?;
        same("the attempt", delivery.attempt, attempt)?;
        b.retry(&delivery, Duration::ZERO).await?;
    }
    b.done(&b.take(&queue).await?).await
}

async fn a_message_that_was_released_fifty_times_is_still_delivered(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    for _ in 0..50 {
        b.release(&b.take(&queue).await?, Duration::ZERO).await?;
    }
    b.done(&b.take(&queue).await?).await
}

async fn a_message_whose_lease_ran_out_many_times_is_still_delivered(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    for attempt in 1..=12 {
        same("the attempt", b.take_for(&queue, b.short / 4).await?.attempt, attempt)?;
    }
    b.done(&b.take(&queue).await?).await
}

async fn what_failed_often_is_not_buried(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    for _ in 0..20 {
        b.retry(&b.take(&queue).await?, Duration::ZERO).await?;
    }
    same("its state", b.job(ids[0]).await?.state, JobState::Ready)
}
