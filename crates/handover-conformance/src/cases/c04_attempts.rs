//! C4: the first delivery is attempt 1, and every lease that ran out counts.

use std::time::Duration;

use crate::case::{Case, Need, Outcome, case};
use crate::check::{holds, same};
use crate::child::Child;
use crate::support::Bench;

pub(crate) const CASES: &[Case] = &[
    case!(the_first_delivery_is_attempt_one),
    case!(a_retry_counts),
    case!(a_lease_that_ran_out_counts, Need::Timed),
    case!(a_release_does_not_count, Need::ExactAttempts),
    case!(a_release_counts_where_every_delivery_does, Need::CountedReleases),
    case!(releases_and_retries_are_told_apart, Need::ExactAttempts),
    case!(the_next_attempt_is_told_why_the_last_one_failed),
    case!(a_crash_counts, Need::Process, Need::Timed),
];

async fn the_first_delivery_is_attempt_one(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    same("the attempt", delivery.attempt, 1)?;
    same("the last failure", delivery.last_failure, None)
}

async fn a_retry_counts(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    for attempt in 1..=4 {
        let delivery = b.take(&queue).await?;
        same("the attempt", delivery.attempt, attempt)?;
        b.retry(&delivery, Duration::ZERO).await?;
    }
    Ok(())
}

async fn a_lease_that_ran_out_counts(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    for attempt in 1..=3 {
        let delivery = b.take_for(&queue, b.short).await?;
        same("the attempt", delivery.attempt, attempt)?;
    }
    Ok(())
}

async fn a_release_does_not_count(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    for _ in 0..4 {
        let delivery = b.take(&queue).await?;
        same("the attempt", delivery.attempt, 1)?;
        b.release(&delivery, Duration::ZERO).await?;
    }
    Ok(())
}

async fn a_release_counts_where_every_delivery_does(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    for attempt in 1..=3 {
        let delivery = b.take(&queue).await?;
        same("the attempt", delivery.attempt, attempt)?;
        b.release(&delivery, Duration::ZERO).await?;
    }
    Ok(())
}

async fn releases_and_retries_are_told_apart(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let mut attempt = 1;
    for round in 0..6 {
        let delivery = b.take(&queue).await?;
        same("the attempt", delivery.attempt, attempt)?;
        if round % 2 == 0 {
            b.release(&delivery, Duration::ZERO).await?;
        } else {
            b.retry(&delivery, Duration::ZERO).await?;
            attempt += 1;
        }
    }
    Ok(())
}

async fn the_next_attempt_is_told_why_the_last_one_failed(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    b.retry(&b.take(&queue).await?, Duration::ZERO).await?;
    let told = b.take(&queue).await?.last_failure;
    let known = told.as_deref().is_none_or(|reason| reason == "for the suite");
    holds(format!("the reason is the one that was given, or none: {told:?}"), known)
}

async fn a_crash_counts(b: &Bench) -> Outcome {
    let queue = b.queue("work", 10).await?;
    b.send(&queue, &["a"]).await?;
    for attempt in 1..=2 {
        let mut child = Child::start(b).await?;
        let lease = b.short.as_millis();
        let took = child.ask(b, &format!("take work {lease}")).await?;
        same("what the child took", took, format!("took a attempt {attempt}"))?;
        child.kill(b).await?;
    }
    same("the attempt", b.take(&queue).await?.attempt, 3)
}
