//! C6: done is final; a late owner is refused and changes nothing; one bad item spoils no other.

use std::time::Duration;

use handover::{BrokerExt, Delivery, ErrorKind, JobId, QueueName, Receipt, Settle};

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{kinds, refused, same};
use crate::support::{Bench, bury, retry, text, with_token};

pub(crate) const CASES: &[Case] = &[
    case!(done_is_final),
    case!(done_is_final_after_its_lease_would_have_ended, Need::Timed),
    case!(a_retry_comes_back),
    case!(a_release_comes_back),
    case!(a_batch_gets_one_answer_each_in_order, Need::Fenced, Need::Batch(5)),
    case!(one_bad_receipt_spoils_no_other, Need::Fenced, Need::Batch(3)),
    case!(a_late_settlement_is_refused_and_changes_nothing, Need::Fenced, Need::Timed),
    case!(a_settlement_after_the_lease_is_late_though_nobody_took_it, Need::Fenced, Need::Timed),
    case!(settling_twice_has_no_second_effect),
    case!(the_same_receipt_twice_in_a_batch_has_one_effect, Need::Fenced, Need::Batch(2)),
    case!(a_receipt_that_names_another_queue_is_refused, Need::Fenced),
    case!(a_receipt_with_a_made_up_token_is_refused, Need::Fenced),
    case!(a_receipt_of_a_job_that_never_was_is_refused, Need::Fenced),
    case!(the_token_of_an_earlier_lease_is_refused_after_a_release, Need::Fenced),
];

async fn done_is_final(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    b.done(&b.take(&queue).await?).await?;
    b.nothing(&queue).await
}

async fn done_is_final_after_its_lease_would_have_ended(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    b.done(&b.take_for(&queue, b.short).await?).await?;
    b.nothing_for(&queue, b.short * 2).await
}

async fn a_retry_comes_back(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let first = b.take(&queue).await?;
    b.retry(&first, Duration::ZERO).await?;
    same("what came back", b.take(&queue).await?.message, first.message)
}

async fn a_release_comes_back(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let first = b.take(&queue).await?;
    b.release(&first, Duration::ZERO).await?;
    same("what came back", b.take(&queue).await?.message, first.message)
}

async fn a_batch_gets_one_answer_each_in_order(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["done", "retry", "lost", "release", "bury"]).await?;
    let mut batch = Vec::new();
    for delivery in b.drain_deliveries(&queue).await? {
        let how = match text(&delivery).as_str() {
            "retry" => retry(Duration::ZERO),
            "release" => Settle::Release { after: Duration::ZERO },
            "bury" => bury("for the suite"),
            "lost" => {
                b.done(&delivery).await?;
                Settle::Done
            }
            _ => Settle::Done,
        };
        batch.push((text(&delivery), (delivery.receipt, how)));
    }
    let items: Vec<_> = batch.iter().map(|(_, item)| item.clone()).collect();
    let answers = b.broker.settle(&items).await?;
    let lost: Vec<_> =
        batch.iter().map(|(body, _)| (body == "lost").then_some(ErrorKind::LeaseLost)).collect();
    same("the answers", kinds(&answers), lost)?;
    let mut back = b.drain(&queue).await?;
    back.sort();
    same("what came back", back, ["release", "retry"])
}

async fn one_bad_receipt_spoils_no_other(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b"]).await?;
    let both = b.drain_deliveries(&queue).await?;
    let never = Receipt::new(queue.clone(), JobId::new(), 1);
    let batch = [
        (both[0].receipt.clone(), Settle::Done),
        (never, Settle::Done),
        (both[1].receipt.clone(), Settle::Done),
    ];
    let answers = b.broker.settle(&batch).await?;
    same("the answers", kinds(&answers), [None, Some(ErrorKind::LeaseLost), None])?;
    b.nothing(&queue).await
}

/// Every way to settle.
fn ways() -> [Settle; 4] {
    [Settle::Done, retry(Duration::ZERO), Settle::Release { after: Duration::ZERO }, bury("late")]
}

/// This receipt is refused whatever it asks for, and the owner keeps the job and can finish it.
async fn refused_in_every_way(
    b: &Bench,
    queue: &QueueName,
    late: &Receipt,
    owner: &Delivery,
) -> Outcome {
    for how in ways() {
        let answer = b.broker.settle_one(late.clone(), how.clone()).await;
        refused(format!("{how}"), answer, ErrorKind::LeaseLost)?;
        b.nothing(queue).await?;
    }
    b.done(owner).await?;
    b.nothing(queue).await
}

async fn a_late_settlement_is_refused_and_changes_nothing(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let first = b.take_for(&queue, b.short).await?;
    let second = b.take(&queue).await?;
    refused_in_every_way(b, &queue, &first.receipt, &second).await
}

async fn a_settlement_after_the_lease_is_late_though_nobody_took_it(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let first = b.take_for(&queue, b.short).await?;
    b.let_pass(b.short + b.short / 4).await;
    for how in ways() {
        let answer = b.broker.settle_one(first.receipt.clone(), how.clone()).await;
        refused(format!("{how}"), answer, ErrorKind::LeaseLost)?;
    }
    let answer = b.broker.extend_one(first.receipt, b.long()).await;
    refused("extend", answer, ErrorKind::LeaseLost)?;
    let second = b.take(&queue).await?;
    same("the attempt", second.attempt, 2)
}

async fn settling_twice_has_no_second_effect(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    b.done(&delivery).await?;
    for how in ways() {
        match b.broker.settle_one(delivery.receipt.clone(), how).await {
            Err(error) if error.kind() == ErrorKind::LeaseLost => {}
            // Without fencing a broker may not know that it is the second time, but it must not matter.
            Ok(()) if !b.caps().fenced => {}
            answer => return Err(Stop::failed(format_args!("settled twice: {answer:?}"))),
        }
        b.nothing(&queue).await?;
    }
    Ok(())
}

async fn the_same_receipt_twice_in_a_batch_has_one_effect(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    let batch =
        [(delivery.receipt.clone(), Settle::Done), (delivery.receipt, retry(Duration::ZERO))];
    let answers = b.broker.settle(&batch).await?;
    same("the answers", kinds(&answers), [None, Some(ErrorKind::LeaseLost)])?;
    b.nothing(&queue).await
}

async fn a_receipt_that_names_another_queue_is_refused(b: &Bench) -> Outcome {
    let (mail, print) = (b.queue("mail", 10).await?, b.queue("print", 10).await?);
    b.send(&mail, &["a"]).await?;
    b.send(&print, &["b"]).await?;
    let (owner, other) = (b.take(&mail).await?, b.take(&print).await?);
    for token in [owner.receipt.token, other.receipt.token] {
        let mut wrong = with_token(&owner.receipt, token);
        wrong.queue = print.clone();
        for how in ways() {
            let answer = b.broker.settle_one(wrong.clone(), how.clone()).await;
            refused(format!("{how}, token {token}"), answer, ErrorKind::LeaseLost)?;
        }
    }
    // Both leases still run.
    b.nothing(&mail).await?;
    b.nothing(&print).await?;
    b.done(&owner).await?;
    b.done(&other).await
}

async fn a_receipt_with_a_made_up_token_is_refused(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let owner = b.take(&queue).await?;
    for token in [0, owner.receipt.token + 1, u64::MAX] {
        let answer = b.broker.settle_one(with_token(&owner.receipt, token), Settle::Done).await;
        refused(format!("token {token}"), answer, ErrorKind::LeaseLost)?;
    }
    b.done(&owner).await
}

async fn a_receipt_of_a_job_that_never_was_is_refused(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let receipt = Receipt::new(queue, JobId::new(), 1);
    let answer = b.broker.settle_one(receipt.clone(), Settle::Done).await;
    refused("settling a job that never was", answer, ErrorKind::LeaseLost)?;
    let answer = b.broker.extend_one(receipt, b.short).await;
    refused("extending a job that never was", answer, ErrorKind::LeaseLost)
}

async fn the_token_of_an_earlier_lease_is_refused_after_a_release(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let first = b.take(&queue).await?;
    b.release(&first, Duration::ZERO).await?;
    let second = b.take(&queue).await?;
    refused_in_every_way(b, &queue, &first.receipt, &second).await
}
