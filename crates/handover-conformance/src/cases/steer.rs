//! The hands of an operator: kick, cancel, delete, purge, pause.

use std::time::Duration;

use handover::{BrokerExt, ErrorKind, JobId, JobState, QueueName};

use crate::case::{Case, Need, Outcome, case};
use crate::check::{refused, same, soon};
use crate::support::{Bench, FAR, text_message, texts};

pub(crate) const CASES: &[Case] = &[
    case!(a_kick_brings_the_oldest_back_first, Need::Steer, Need::Fifo),
    case!(a_kick_brings_back_no_more_than_asked, Need::Steer),
    case!(a_kick_does_not_touch_delayed_jobs, Need::Steer, Need::Delays),
    case!(a_kick_of_nothing_brings_nothing, Need::Steer),
    case!(one_buried_job_can_be_kicked, Need::Steer),
    case!(a_kicked_delayed_job_is_due_now, Need::Steer, Need::Delays),
    case!(a_job_that_is_not_there_cannot_be_steered, Need::Steer),
    case!(a_cancelled_ready_job_is_buried, Need::Steer, Need::Inspect),
    case!(a_cancelled_running_job_loses_its_lease, Need::Steer, Need::Fenced),
    case!(a_deleted_job_is_gone, Need::Steer),
    case!(a_buried_or_delayed_job_can_be_deleted, Need::Steer, Need::Delays),
    case!(a_running_job_cannot_be_deleted, Need::Steer),
    case!(a_purge_removes_only_its_state, Need::Steer, Need::Inspect, Need::Delays),
    case!(running_jobs_cannot_be_purged, Need::Steer),
    case!(a_paused_queue_hands_nothing_out_and_takes_what_is_sent, Need::Steer),
    case!(a_paused_queue_lets_running_jobs_end, Need::Steer),
    case!(a_queue_that_goes_on_wakes_a_waiting_receive, Need::Steer),
    case!(a_queue_that_is_not_there_cannot_be_paused, Need::Steer),
    case!(a_pause_holds_for_every_handle, Need::Steer, Need::Shared),
];

/// A queue with these bodies, all of them buried, in this order.
async fn buried(b: &Bench, bodies: &[&str]) -> Result<(QueueName, Vec<JobId>), crate::case::Stop> {
    let queue = b.queue("mail", 20).await?;
    let mut ids = Vec::new();
    for body in bodies {
        ids.extend(b.send(&queue, &[body]).await?);
        b.bury(&b.take_text(&queue, body).await?).await?;
    }
    Ok((queue, ids))
}

async fn a_kick_brings_the_oldest_back_first(b: &Bench) -> Outcome {
    let (queue, _) = buried(b, &["a", "b", "c"]).await?;
    for body in ["a", "b", "c"] {
        same("the kicked", b.operator()?.kick(&queue, 1).await?, 1)?;
        b.done(&b.take_text(&queue, body).await?).await?;
    }
    Ok(())
}

async fn a_kick_brings_back_no_more_than_asked(b: &Bench) -> Outcome {
    let (queue, _) = buried(b, &["a", "b", "c"]).await?;
    same("the kicked", b.operator()?.kick(&queue, 2).await?, 2)?;
    same("what is there", b.drain(&queue).await?.len(), 2)?;
    same("the kicked", b.operator()?.kick(&queue, 5).await?, 1)
}

async fn a_kick_does_not_touch_delayed_jobs(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.put(&queue, &[text_message("a").with_delay(b.short * 4)]).await?;
    same("the kicked", b.operator()?.kick(&queue, 5).await?, 0)?;
    b.nothing(&queue).await
}

async fn a_kick_of_nothing_brings_nothing(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    same("the kicked", b.operator()?.kick(&queue, 5).await?, 0)?;
    // Where nothing is buried there is nothing to find room for.
    b.send(&queue, &["a"]).await?;
    same("the kicked", b.operator()?.kick(&queue, 5).await?, 0)
}

async fn one_buried_job_can_be_kicked(b: &Bench) -> Outcome {
    let (queue, ids) = buried(b, &["a", "b", "c"]).await?;
    same("the kick", b.operator()?.kick_job(ids[1]).await?, true)?;
    same("what is there", b.drain(&queue).await?, ["b"])?;
    same("the kick of a leased job", b.operator()?.kick_job(ids[1]).await?, false)
}

async fn a_kicked_delayed_job_is_due_now(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    let message = text_message("a").with_delay(b.short * 4);
    b.put(&queue, std::slice::from_ref(&message)).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    let kicked = handover::clock::now();
    // The queue is full, but a delayed job has its place already.
    same("the kick", b.operator()?.kick_job(message.id).await?, true)?;
    same("what came", texts(&waiting.answer().await??), ["a"])?;
    soon("it came", kicked.elapsed())
}

async fn a_job_that_is_not_there_cannot_be_steered(b: &Bench) -> Outcome {
    let (operator, never) = (b.operator()?, JobId::new());
    same("the kick", operator.kick_job(never).await?, false)?;
    same("the cancel", operator.cancel(never, "why".to_owned()).await?, false)?;
    same("the delete", operator.delete(never).await?, false)?;
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    b.done(&b.take(&queue).await?).await?;
    same("the cancel of a job that is done", operator.cancel(ids[0], String::new()).await?, false)
}

async fn a_cancelled_ready_job_is_buried(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    same("the cancel", b.operator()?.cancel(ids[0], "not needed".to_owned()).await?, true)?;
    b.nothing(&queue).await?;
    let job = b.job(ids[0]).await?;
    same("the state", job.state, JobState::Buried)?;
    same("the reason", job.reason.as_deref(), Some("not needed"))
}

async fn a_cancelled_running_job_loses_its_lease(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    same("the cancel", b.operator()?.cancel(ids[0], "stop".to_owned()).await?, true)?;
    let answer = b.broker.extend_one(delivery.receipt.clone(), b.short).await;
    refused("extending it", answer, ErrorKind::LeaseLost)?;
    let answer = b.broker.settle_one(delivery.receipt, handover::Settle::Done).await;
    refused("settling it", answer, ErrorKind::LeaseLost)?;
    b.nothing(&queue).await?;
    same("the kick", b.operator()?.kick_job(ids[0]).await?, true)?;
    b.take_text(&queue, "a").await.map(drop)
}

async fn a_deleted_job_is_gone(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a", "b"]).await?;
    same("the delete", b.operator()?.delete(ids[0]).await?, true)?;
    same("the second delete", b.operator()?.delete(ids[0]).await?, false)?;
    same("what is there", b.drain(&queue).await?, ["b"])
}

async fn a_buried_or_delayed_job_can_be_deleted(b: &Bench) -> Outcome {
    let (queue, ids) = buried(b, &["a"]).await?;
    let delayed = text_message("b").with_delay(b.short);
    b.put(&queue, std::slice::from_ref(&delayed)).await?;
    same("the delete", b.operator()?.delete(ids[0]).await?, true)?;
    same("the delete", b.operator()?.delete(delayed.id).await?, true)?;
    same("the kicked", b.operator()?.kick(&queue, 5).await?, 0)?;
    b.nothing_for(&queue, b.short + b.short / 4).await
}

async fn a_running_job_cannot_be_deleted(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    let answer = b.operator()?.delete(ids[0]).await;
    refused("the delete", answer, ErrorKind::Invalid)?;
    b.done(&delivery).await
}

async fn a_purge_removes_only_its_state(b: &Bench) -> Outcome {
    let (queue, _) = buried(b, &["x", "y"]).await?;
    b.send(&queue, &["leased", "ready"]).await?;
    let delivery = b.take(&queue).await?;
    b.put(&queue, &[text_message("delayed").with_delay(b.short * 4)]).await?;
    let operator = b.operator()?;
    same("the purged", operator.purge(&queue, JobState::Buried).await?, 2)?;
    let counts = |info: handover::QueueInfo| JobState::ALL.map(|state| info.count(state));
    same("what is left", counts(b.info(&queue).await?), [1, 1, 0, 1, 0, 0])?;
    same("the purged", operator.purge(&queue, JobState::Ready).await?, 1)?;
    same("the purged", operator.purge(&queue, JobState::Delayed).await?, 1)?;
    same("what is left", counts(b.info(&queue).await?), [0, 0, 0, 1, 0, 0])?;
    same("the purged", operator.purge(&queue, JobState::Ready).await?, 0)?;
    b.done(&delivery).await
}

async fn running_jobs_cannot_be_purged(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    let answer = b.operator()?.purge(&queue, JobState::Leased).await;
    refused("the purge", answer, ErrorKind::Invalid)?;
    b.done(&delivery).await
}

async fn a_paused_queue_hands_nothing_out_and_takes_what_is_sent(b: &Bench) -> Outcome {
    let (mail, print) = (b.queue("mail", 10).await?, b.queue("print", 10).await?);
    b.send(&mail, &["a"]).await?;
    b.operator()?.pause(&mail, true).await?;
    b.send(&mail, &["b"]).await?;
    b.nothing_for(&mail, b.short / 4).await?;
    b.send(&print, &["p"]).await?;
    let some = b.broker.receive(&[mail.clone(), print], b.ask(1).wait(FAR)).await?;
    same("what came of another queue", texts(&some), ["p"])?;
    b.operator()?.pause(&mail, false).await?;
    let mut got = b.drain(&mail).await?;
    got.sort();
    same("what is there afterwards", got, ["a", "b"])
}

async fn a_paused_queue_lets_running_jobs_end(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b"]).await?;
    let (first, second) = (b.take(&queue).await?, b.take(&queue).await?);
    b.operator()?.pause(&queue, true).await?;
    b.done(&first).await?;
    b.retry(&second, Duration::ZERO).await?;
    b.nothing(&queue).await?;
    b.operator()?.pause(&queue, false).await?;
    same("what came back", b.take(&queue).await?.message.id, second.message.id)
}

async fn a_queue_that_goes_on_wakes_a_waiting_receive(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.operator()?.pause(&queue, true).await?;
    b.send(&queue, &["a"]).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    b.operator()?.pause(&queue, false).await?;
    same("what came", texts(&waiting.answer().await??), ["a"])
}

async fn a_queue_that_is_not_there_cannot_be_paused(b: &Bench) -> Outcome {
    let nowhere = QueueName::new("nowhere")?;
    refused("the pause", b.operator()?.pause(&nowhere, true).await, ErrorKind::Invalid)
}

async fn a_pause_holds_for_every_handle(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let other = b.open_another().await?;
    other.operator()?.pause(&queue, true).await?;
    b.nothing(&queue).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    other.operator()?.pause(&queue, false).await?;
    same("what came", texts(&waiting.answer().await??), ["a"])
}
