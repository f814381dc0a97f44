//! C13: what send acknowledged is there after the death of the process, and so is every settlement that was acknowledged.
//! The death of the machine cannot be tried here; the broker's own tests try it on a disk that fails.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use handover::{Broker, BrokerExt, ErrorKind, QueueName, QueueSettings, Room, Settle, clock};

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{holds, never_early, refused, same};
use crate::child::Child;
use crate::support::{Bench, bury, retry, take_from, text, text_message};

pub(crate) const CASES: &[Case] = &[
    case!(what_was_sent_is_there_when_the_place_is_opened_again, Need::Durable, Need::Reopen),
    case!(what_was_settled_stays_settled, Need::Durable, Need::Reopen),
    case!(a_capacity_is_kept, Need::Durable, Need::Reopen, Need::Bound),
    case!(a_delay_goes_on_and_is_never_early, Need::Durable, Need::Reopen, Need::Delays),
    case!(a_lease_goes_on_and_its_owner_can_settle, Need::Durable, Need::Reopen, Need::Timed),
    case!(an_id_is_still_known, Need::Durable, Need::Reopen, Need::DedupWhileStored),
    case!(tokens_still_grow, Need::Durable, Need::Reopen, Need::Fenced),
    case!(what_a_killed_sender_was_told_is_stored, Need::Durable, Need::Process),
    case!(what_a_killed_worker_was_told_is_settled, Need::Durable, Need::Process, Need::Timed),
    case!(
        what_a_killed_worker_held_comes_back,
        Need::Durable,
        Need::Process,
        Need::Timed,
        Need::Fifo
    ),
    case!(
        a_killed_sender_that_waited_for_room_is_in_nobodys_way,
        Need::Durable,
        Need::Process,
        Need::Bound
    ),
    case!(a_place_outlives_many_kills, Need::Durable, Need::Process),
];

/// Takes and finishes everything through this handle: the bodies, in the order they came.
async fn finish_all(
    b: &Bench,
    broker: &Arc<dyn Broker>,
    queue: &QueueName,
    wait: Duration,
) -> Result<Vec<String>, Stop> {
    let mut all = Vec::new();
    while let Some(delivery) = broker.receive_one(queue, b.ask(1).wait(wait)).await? {
        all.push(text(&delivery));
        broker.settle_one(delivery.receipt, Settle::Done).await?;
    }
    Ok(all)
}

async fn what_was_sent_is_there_when_the_place_is_opened_again(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 50).await?;
    let message =
        text_message("whole").with_header("h", "v").with_priority(if b.caps().priorities > 1 {
            handover::Priority::MAX
        } else {
            handover::Priority::default()
        });
    b.put(&queue, std::slice::from_ref(&message)).await?;
    b.send_many(&queue, 20).await?;
    let again = b.reopen().await?;
    if b.caps().priorities > 1 {
        same("the message", take_from(&again, &queue, b.long()).await?.message, message)?;
    }
    let got: BTreeSet<_> =
        finish_all(b, &again, &queue, Duration::ZERO).await?.into_iter().collect();
    let missing: Vec<_> =
        (0..20).map(|n| n.to_string()).filter(|body| !got.contains(body)).collect();
    same("what is missing", missing, Vec::<String>::new())
}

async fn what_was_settled_stays_settled(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 50).await?;
    b.send(&queue, &["done", "bury", "retry", "release"]).await?;
    for delivery in b.drain_deliveries(&queue).await? {
        match text(&delivery).as_str() {
            "done" => b.done(&delivery).await?,
            "bury" => b.settle(&delivery, bury("kept")).await?,
            "retry" => b.settle(&delivery, retry(Duration::ZERO)).await?,
            _ => b.release(&delivery, Duration::ZERO).await?,
        }
    }
    let again = b.reopen().await?;
    let mut attempts = Vec::new();
    while let Some(delivery) = again.receive_one(&queue, b.ask(1)).await? {
        attempts.push((text(&delivery), delivery.attempt));
    }
    attempts.sort();
    let release = if b.caps().attempts == handover::Attempts::Exact { 1 } else { 2 };
    same("what is there", attempts, [("release".to_owned(), release), ("retry".to_owned(), 2)])?;
    if let Some(inspect) = again.inspect() {
        let info = inspect.queue(&queue).await?;
        same("the buried", info.map(|info| info.buried), Some(1))?;
    }
    Ok(())
}

async fn a_capacity_is_kept(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 2).await?;
    b.send(&queue, &["a"]).await?;
    let again = b.reopen().await?;
    again.send_one(&queue, text_message("b"), Room::now()).await?;
    let answer = again.send_one(&queue, text_message("c"), Room::now()).await;
    refused("one too many", answer, ErrorKind::Full)
}

async fn a_delay_goes_on_and_is_never_early(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let sent = clock::now();
    b.put(&queue, &[text_message("a").with_delay(b.short * 2)]).await?;
    let again = b.reopen().await?;
    let delivery = take_from(&again, &queue, b.long()).await?;
    never_early("the delayed message", sent.elapsed(), b.short * 2)?;
    same("it", text(&delivery), "a")
}

async fn a_lease_goes_on_and_its_owner_can_settle(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    let again = b.reopen().await?;
    let early = again.receive_one(&queue, b.ask(1).wait(b.short)).await?;
    same("what is there for others", early.map(|delivery| text(&delivery)), None)?;
    again.settle_one(delivery.receipt, Settle::Done).await?;
    Ok(())
}

async fn an_id_is_still_known(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a", "b"]).await?;
    let first = b.take(&queue).await?;
    b.done(&first).await?;
    let again = b.reopen().await?;
    for id in ids {
        let sent = again.send_one(&queue, text_message("again").with_id(id), Room::now()).await?;
        same("the fate of the repeat", sent.fates, [handover::Fate::Duplicate])?;
    }
    Ok(())
}

async fn tokens_still_grow(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b"]).await?;
    let first = b.take(&queue).await?;
    b.done(&first).await?;
    let again = b.reopen().await?;
    let second = take_from(&again, &queue, b.long()).await?;
    holds(
        format!("token {} is larger than {}", second.receipt.token, first.receipt.token),
        second.receipt.token > first.receipt.token,
    )
}

async fn what_a_killed_sender_was_told_is_stored(b: &Bench) -> Outcome {
    let queue = b.declare("work", &QueueSettings::with_capacity(100_000)).await?;
    let mut child = Child::start(b).await?;
    child.tell("storm work").await?;
    let mut told = Vec::new();
    for _ in 0..60 {
        told.push(child.answer().await?);
    }
    // Killed in the middle of a send; what it said until then still counts.
    told.extend(child.kill(b).await?);
    let got: BTreeSet<_> =
        finish_all(b, &b.broker, &queue, Duration::ZERO).await?.into_iter().collect();
    let lost: Vec<_> = told.iter().filter(|body| !got.contains(*body)).collect();
    same("acknowledged and not there", lost, Vec::<&String>::new())?;
    holds("at most one was stored without an answer", got.len() <= told.len() + 1)
}

async fn what_a_killed_worker_was_told_is_settled(b: &Bench) -> Outcome {
    let queue = b.declare("work", &QueueSettings::with_capacity(100_000)).await?;
    b.send_many(&queue, 400).await?;
    let mut child = Child::start(b).await?;
    child.tell("settle work").await?;
    let mut told = Vec::new();
    for _ in 0..60 {
        told.push(child.answer().await?);
    }
    told.extend(child.kill(b).await?);
    // The child's leases are of one second.
    let left = finish_all(b, &b.broker, &queue, Duration::from_millis(1500)).await?;
    let unique: BTreeSet<_> = left.iter().collect();
    same("what came once came once only", unique.len(), left.len())?;
    let again: Vec<_> = told.iter().filter(|body| unique.contains(body)).collect();
    same("done and delivered again", again, Vec::<&String>::new())?;
    // One may have been done without an answer.
    holds(
        format!("{} of 400 are done or came back", told.len() + left.len()),
        (399..=400).contains(&(told.len() + left.len())),
    )
}

async fn what_a_killed_worker_held_comes_back(b: &Bench) -> Outcome {
    let queue = b.queue("work", 10).await?;
    let mut child = Child::start(b).await?;
    let lease = (b.short * 2).as_millis();
    for (body, end) in [("a", "done a"), ("b", "bury b"), ("c", "retry c 0"), ("d", "")] {
        same("the child", child.ask(b, &format!("send work {body}")).await?, "sent")?;
        let took = child.ask(b, &format!("take work {lease}")).await?;
        // What was retried is before what was sent after it.
        if body == "d" {
            same("what the child took again", took, "took c attempt 2")?;
            continue;
        }
        same("what the child took", took, format!("took {body} attempt 1"))?;
        same("the child", child.ask(b, end).await?, "settled")?;
    }
    child.kill(b).await?;
    let mut back = Vec::new();
    for _ in 0..2 {
        let delivery = b.take(&queue).await?;
        back.push((text(&delivery), delivery.attempt));
    }
    back.sort();
    same("what came back", back, [("c".to_owned(), 3), ("d".to_owned(), 1)])?;
    b.nothing_for(&queue, b.short).await
}

async fn a_killed_sender_that_waited_for_room_is_in_nobodys_way(b: &Bench) -> Outcome {
    let queue = b.queue("work", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut child = Child::start(b).await?;
    same("the child", child.ask(b, "wait work b").await?, "waiting")?;
    let mut mine = b.send_later(&queue, &["c"], Room::within(crate::support::FAR)).await?;
    child.kill(b).await?;
    mine.waits().await?;
    b.done(&b.take_text(&queue, "a").await?).await?;
    mine.answer().await??;
    b.done(&b.take_text(&queue, "c").await?).await?;
    b.nothing_for(&queue, b.short).await
}

async fn a_place_outlives_many_kills(b: &Bench) -> Outcome {
    let queue = b.declare("work", &QueueSettings::with_capacity(100_000)).await?;
    let mut told = 0;
    for round in 0..5 {
        let mut child = Child::start(b).await?;
        child.tell("storm work").await?;
        for _ in 0..=round * 3 {
            child.answer().await?;
            told += 1;
        }
        told += child.kill(b).await?.len();
        let got = finish_all(b, &b.broker, &queue, Duration::ZERO).await?.len();
        holds(
            format!("{told} were acknowledged and {got} were there"),
            got >= told && got <= told + 1,
        )?;
        told = 0;
    }
    Ok(())
}
