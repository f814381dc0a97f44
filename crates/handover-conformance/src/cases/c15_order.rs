//! C15: first in, first out, within a priority; higher priorities first; a message that comes back keeps its old place.
//! Order per key is in `c15_keys.rs`.

use std::time::Duration;

use handover::{Message, Priority};

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::same;
use crate::support::{Bench, text_message};

pub(crate) const CASES: &[Case] = &[
    case!(first_in_first_out_one_by_one, Need::Fifo),
    case!(first_in_first_out_in_batches, Need::Fifo, Need::Batch(10)),
    case!(one_send_after_another_keeps_order, Need::Fifo),
    case!(a_released_message_keeps_its_place, Need::Fifo),
    case!(a_retried_message_keeps_its_place, Need::Fifo),
    case!(a_message_whose_lease_ran_out_keeps_its_place, Need::Fifo, Need::Timed),
    case!(higher_priorities_go_first, Need::Priorities(2)),
    case!(ten_priorities_are_told_apart, Need::Priorities(10)),
    case!(the_middle_priority_is_that_of_who_says_nothing, Need::Priorities(10)),
    case!(first_in_first_out_within_a_priority, Need::Fifo, Need::Priorities(2)),
    case!(an_urgent_message_that_comes_back_is_still_urgent, Need::Priorities(2)),
    case!(a_batch_of_deliveries_is_in_order, Need::Fifo, Need::Priorities(2), Need::Batch(4)),
];

fn with_level(body: &str, level: u8) -> Result<Message, Stop> {
    Ok(text_message(body).with_priority(Priority::new(level)?))
}

async fn first_in_first_out_one_by_one(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 30).await?;
    b.send_many(&queue, 25).await?;
    for n in 0..25 {
        b.take_text(&queue, &n.to_string()).await?;
    }
    Ok(())
}

async fn first_in_first_out_in_batches(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 30).await?;
    b.send_many(&queue, 25).await?;
    let mut got = Vec::new();
    for max in [10, 3, 10, 10] {
        let some = b.broker.receive(std::slice::from_ref(&queue), b.ask(max)).await?;
        got.extend(crate::support::texts(&some));
    }
    same("what came", got, (0..25).map(|n| n.to_string()).collect::<Vec<_>>())
}

async fn one_send_after_another_keeps_order(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 30).await?;
    for n in 0..12 {
        b.send(&queue, &[n.to_string()]).await?;
    }
    same("what came", b.drain(&queue).await?, (0..12).map(|n| n.to_string()).collect::<Vec<_>>())
}

async fn a_released_message_keeps_its_place(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b", "c"]).await?;
    b.release(&b.take_text(&queue, "a").await?, Duration::ZERO).await?;
    same("what came", b.drain(&queue).await?, ["a", "b", "c"])
}

async fn a_retried_message_keeps_its_place(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b", "c"]).await?;
    let first = b.take_text(&queue, "a").await?;
    let second = b.take_text(&queue, "b").await?;
    b.retry(&second, Duration::ZERO).await?;
    b.retry(&first, Duration::ZERO).await?;
    same("what came", b.drain(&queue).await?, ["a", "b", "c"])
}

async fn a_message_whose_lease_ran_out_keeps_its_place(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b", "c"]).await?;
    b.take_for(&queue, b.short).await?;
    b.let_pass(b.short + b.short / 4).await;
    same("what came", b.drain(&queue).await?, ["a", "b", "c"])
}

async fn higher_priorities_go_first(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.put(&queue, &[with_level("low", 0)?]).await?;
    b.put(&queue, &[with_level("high", 9)?]).await?;
    b.take_text(&queue, "high").await?;
    b.take_text(&queue, "low").await.map(drop)
}

async fn ten_priorities_are_told_apart(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    for level in [3, 9, 0, 5, 7, 1, 8, 2, 6, 4] {
        b.put(&queue, &[with_level(&level.to_string(), level)?]).await?;
    }
    let levels: Vec<_> = (0..10).rev().map(|level| level.to_string()).collect();
    same("what came", b.drain(&queue).await?, levels)
}

async fn the_middle_priority_is_that_of_who_says_nothing(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.put(&queue, &[with_level("4", 4)?, text_message("5"), with_level("6", 6)?]).await?;
    same("what came", b.drain(&queue).await?, ["6", "5", "4"])
}

async fn first_in_first_out_within_a_priority(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    for (body, level) in [("b1", 0), ("a1", 9), ("b2", 0), ("a2", 9), ("b3", 0), ("a3", 9)] {
        b.put(&queue, &[with_level(body, level)?]).await?;
    }
    same("what came", b.drain(&queue).await?, ["a1", "a2", "a3", "b1", "b2", "b3"])
}

async fn an_urgent_message_that_comes_back_is_still_urgent(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.put(&queue, &[with_level("low", 0)?, with_level("high", 9)?]).await?;
    b.retry(&b.take_text(&queue, "high").await?, Duration::ZERO).await?;
    b.release(&b.take_text(&queue, "high").await?, Duration::ZERO).await?;
    b.take_text(&queue, "high").await.map(drop)
}

async fn a_batch_of_deliveries_is_in_order(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let batch =
        [with_level("b1", 0)?, with_level("a1", 9)?, with_level("b2", 0)?, with_level("a2", 9)?];
    b.put(&queue, &batch).await?;
    let some = b.broker.receive(std::slice::from_ref(&queue), b.ask(4)).await?;
    same("what came at once", crate::support::texts(&some), ["a1", "a2", "b1", "b2"])
}
