//! C3: a delivery belongs to one receiver until its lease ends; then it is delivered again with a new token.

use std::time::Duration;

use handover::{Ask, BrokerExt, ErrorKind, clock};

use crate::case::{Case, Need, Outcome, case};
use crate::check::{SOON, holds, kinds, never_early, refused, same, soon};
use crate::support::{Bench, FAR, take_from, text, texts};

pub(crate) const CASES: &[Case] = &[
    case!(a_leased_message_belongs_to_one_receiver),
    case!(an_expired_lease_is_delivered_again_with_a_new_token, Need::Timed),
    case!(a_lease_is_never_ended_early, Need::Timed),
    case!(extend_keeps_a_message_away, Need::Timed),
    case!(extend_counts_from_now_and_can_shorten, Need::Timed),
    case!(extend_can_be_repeated, Need::Timed),
    case!(each_delivery_of_a_batch_has_a_lease_of_its_own, Need::Timed, Need::Batch(2)),
    case!(extending_what_has_expired_is_lease_lost, Need::Timed, Need::Fenced),
    case!(extending_what_is_settled_is_lease_lost, Need::Timed, Need::Fenced),
    case!(
        extend_gives_one_answer_for_each_receipt_in_order,
        Need::Timed,
        Need::Fenced,
        Need::Batch(3)
    ),
    case!(extending_by_nothing_is_invalid),
    case!(tokens_grow_from_lease_to_lease, Need::Fenced),
    case!(another_handle_can_extend_and_settle, Need::Shared, Need::Timed),
    case!(a_closed_connection_gives_its_leases_back, Need::Connection, Need::Shared),
];

async fn a_leased_message_belongs_to_one_receiver(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    b.nothing_for(&queue, b.short).await?;
    b.done(&delivery).await
}

async fn an_expired_lease_is_delivered_again_with_a_new_token(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let first = b.take_for(&queue, b.short).await?;
    let second = b.take(&queue).await?;
    same("the message", &second.message, &first.message)?;
    holds("the receipt is a new one", second.receipt != first.receipt)?;
    if b.caps().fenced {
        holds("the new token is larger", second.receipt.token > first.receipt.token)?;
    }
    b.done(&second).await
}

async fn a_lease_is_never_ended_early(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    for n in 1..=5 {
        // Leases that begin at different parts of a millisecond: one read in whole ones must be rounded up.
        b.let_pass(Duration::from_micros(230 * n)).await;
        let asked = clock::now();
        b.take_for(&queue, b.short / 2).await?;
        let again = b.catch(&queue).await?;
        never_early("the second delivery", asked.elapsed(), b.short / 2)?;
        soon("the second delivery", asked.elapsed())?;
        b.release(&again, Duration::ZERO).await?;
    }
    Ok(())
}

async fn extend_keeps_a_message_away(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let first = b.take_for(&queue, b.short).await?;
    let extended = clock::now();
    b.broker.extend_one(first.receipt.clone(), b.short * 3).await?;
    let second = b.take(&queue).await?;
    never_early("the second delivery", extended.elapsed(), b.short * 3)?;
    b.done(&second).await
}

async fn extend_counts_from_now_and_can_shorten(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let first = b.take(&queue).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    let shortened = clock::now();
    b.broker.extend_one(first.receipt.clone(), b.short).await?;
    let second = waiting.answer().await??;
    same("what came", texts(&second), ["a"])?;
    never_early("the second delivery", shortened.elapsed(), b.short)
}

async fn extend_can_be_repeated(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take_for(&queue, b.short * 2).await?;
    for _ in 0..5 {
        // Well before the end, each time.
        b.nothing_for(&queue, b.short / 2).await?;
        b.broker.extend_one(delivery.receipt.clone(), b.short * 2).await?;
    }
    b.done(&delivery).await?;
    b.nothing(&queue).await
}

async fn each_delivery_of_a_batch_has_a_lease_of_its_own(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b"]).await?;
    let ask = Ask::new(2).lease(b.short).wait(SOON);
    let both = b.broker.receive(std::slice::from_ref(&queue), ask).await?;
    same("a batch of", both.len(), 2)?;
    holds("the receipts differ", both[0].receipt != both[1].receipt)?;
    b.broker.extend_one(both[0].receipt.clone(), b.long()).await?;
    let back = b.take(&queue).await?;
    same("what came back", text(&back), text(&both[1]))?;
    b.nothing_for(&queue, b.short).await?;
    b.done(&both[0]).await
}

async fn extending_what_has_expired_is_lease_lost(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let first = b.take_for(&queue, b.short).await?;
    let second = b.take_for(&queue, b.short * 4).await?;
    let taken = clock::now();
    let answer = b.broker.extend_one(first.receipt, b.long()).await;
    refused("extending the first lease", answer, ErrorKind::LeaseLost)?;
    let third = b.take(&queue).await?;
    same("the message", third.message, second.message)?;
    soon("the second lease was not lengthened by it", taken.elapsed())
}

async fn extending_what_is_settled_is_lease_lost(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    b.done(&delivery).await?;
    let answer = b.broker.extend_one(delivery.receipt, b.short).await;
    refused("extending what is done", answer, ErrorKind::LeaseLost)?;
    b.nothing_for(&queue, b.short).await
}

async fn extend_gives_one_answer_for_each_receipt_in_order(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b", "c"]).await?;
    let all = b.drain_deliveries(&queue).await?;
    b.done(&all[1]).await?;
    let receipts: Vec<_> = all.iter().map(|delivery| delivery.receipt.clone()).collect();
    let answers = b.broker.extend(&receipts, b.long()).await?;
    same("the answers", kinds(&answers), [None, Some(ErrorKind::LeaseLost), None])
}

async fn extending_by_nothing_is_invalid(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    let answer = b.broker.extend_one(delivery.receipt.clone(), Duration::ZERO).await;
    refused("a lease of zero", answer, ErrorKind::Invalid)?;
    b.done(&delivery).await
}

async fn tokens_grow_from_lease_to_lease(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 20).await?;
    b.send_many(&queue, 6).await?;
    let mut last = 0;
    for round in 0..6 {
        let delivery = b.take(&queue).await?;
        holds(
            format!("token {} is larger than {last}, of the lease before", delivery.receipt.token),
            delivery.receipt.token > last,
        )?;
        last = delivery.receipt.token;
        match round % 3 {
            0 => b.release(&delivery, Duration::ZERO).await?,
            1 => b.retry(&delivery, Duration::ZERO).await?,
            _ => b.done(&delivery).await?,
        }
    }
    Ok(())
}

async fn another_handle_can_extend_and_settle(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take_for(&queue, b.short).await?;
    let other = b.open_another().await?;
    other.extend_one(delivery.receipt.clone(), b.long()).await?;
    b.nothing_for(&queue, b.short * 2).await?;
    other.settle_one(delivery.receipt, handover::Settle::Done).await?;
    b.nothing(&queue).await
}

async fn a_closed_connection_gives_its_leases_back(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let other = b.open_another().await?;
    let first = take_from(&other, &queue, b.short).await?;
    b.nothing(&queue).await?;
    other.close().await?;
    let second = b.take(&queue).await?;
    same("the message", second.message, first.message)
}
