//! C5: up to `max`, asleep while there is nothing, woken by a send; an empty answer is no error; a dropped receive loses
//! nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use handover::{Ask, BrokerExt, ErrorKind, QueueName, clock};

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{SOON, holds, median, never_early, refused, same, soon};
use crate::child::Child;
use crate::later::Later;
use crate::support::{Bench, FAR, text, texts};

pub(crate) const CASES: &[Case] = &[
    case!(an_empty_queue_answers_after_the_wait_and_not_before),
    case!(a_wait_of_zero_answers_at_once),
    case!(a_queue_that_was_never_declared_is_empty_and_no_error),
    case!(a_waiting_receive_is_woken_by_a_send),
    case!(waking_takes_no_poll),
    case!(a_wait_without_end_is_woken),
    case!(a_waiting_receive_is_woken_by_a_queue_that_is_declared_later),
    case!(a_receive_of_several_queues_is_woken_by_each),
    case!(the_queue_named_first_is_emptied_first),
    case!(what_is_there_is_handed_out_without_waiting_for_more, Need::Batch(10)),
    case!(never_more_than_max, Need::Batch(7)),
    case!(two_waiting_receives_get_one_message_once),
    case!(each_message_wakes_a_receive_of_its_own),
    case!(a_batch_wakes_as_many_as_it_can_serve, Need::Batch(4)),
    case!(a_receiver_of_another_queue_is_in_nobodys_way),
    case!(a_dropped_waiting_receive_passes_its_wake_up_on),
    case!(a_dropped_receive_loses_nothing_for_longer_than_a_lease, Need::Timed),
    case!(a_question_for_nothing_is_invalid),
    case!(a_send_through_another_handle_wakes_a_receive, Need::Shared),
    case!(a_send_of_another_process_wakes_a_receive, Need::Shared, Need::Process),
];

async fn an_empty_queue_answers_after_the_wait_and_not_before(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let asked = clock::now();
    b.nothing_for(&queue, b.short).await?;
    never_early("the empty answer", asked.elapsed(), b.short)?;
    soon("the empty answer", asked.elapsed())
}

async fn a_wait_of_zero_answers_at_once(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let asked = clock::now();
    b.nothing(&queue).await?;
    soon("the empty answer", asked.elapsed())
}

async fn a_queue_that_was_never_declared_is_empty_and_no_error(b: &Bench) -> Outcome {
    let nowhere = QueueName::new("nowhere")?;
    b.nothing(&nowhere).await?;
    let mail = b.queue("mail", 10).await?;
    b.send(&mail, &["a"]).await?;
    let some = b.broker.receive(&[nowhere, mail], b.ask(1).wait(SOON)).await?;
    same("what came beside it", texts(&some), ["a"])
}

async fn a_waiting_receive_is_woken_by_a_send(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    b.send(&queue, &["a"]).await?;
    same("what came", texts(&waiting.answer().await??), ["a"])
}

async fn waking_takes_no_poll(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 100).await?;
    let mut times = Vec::new();
    for _ in 0..9 {
        let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
        let sent = clock::now();
        b.send(&queue, &["a"]).await?;
        waiting.answer().await??;
        times.push(sent.elapsed());
    }
    let typical = median(times);
    holds(
        format!("send and wake-up typically take {typical:?}, below 200 ms"),
        typical.as_millis() < 200,
    )
}

async fn a_wait_without_end_is_woken(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(Duration::MAX)).await?;
    b.send(&queue, &["a"]).await?;
    same("what came", texts(&waiting.answer().await??), ["a"])
}

async fn a_waiting_receive_is_woken_by_a_queue_that_is_declared_later(b: &Bench) -> Outcome {
    let queue = QueueName::new("mail")?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    same("what came", texts(&waiting.answer().await??), ["a"])
}

async fn a_receive_of_several_queues_is_woken_by_each(b: &Bench) -> Outcome {
    let (first, second) = (b.queue("first", 10).await?, b.queue("second", 10).await?);
    for (queue, body) in [(&second, "b"), (&first, "a")] {
        let mut waiting = b.receive_later(&[&first, &second], b.ask(1).wait(FAR)).await?;
        b.send(queue, &[body]).await?;
        let got = waiting.answer().await??;
        same("what came", texts(&got), [body])?;
        same("its queue", &got[0].receipt.queue, queue)?;
    }
    Ok(())
}

async fn the_queue_named_first_is_emptied_first(b: &Bench) -> Outcome {
    let (first, second) = (b.queue("first", 10).await?, b.queue("second", 10).await?);
    b.send(&second, &["b1", "b2"]).await?;
    b.send(&first, &["a1", "a2"]).await?;
    let mut got = Vec::new();
    for _ in 0..4 {
        let some = b.broker.receive(&[first.clone(), second.clone()], b.ask(1).wait(SOON)).await?;
        got.extend(texts(&some).iter().map(|body| body[..1].to_owned()));
    }
    same("the queues in turn", got, ["a", "a", "b", "b"])
}

async fn what_is_there_is_handed_out_without_waiting_for_more(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 20).await?;
    b.send(&queue, &["a", "b"]).await?;
    let asked = clock::now();
    let some = b.broker.receive(std::slice::from_ref(&queue), b.ask(10).wait(FAR)).await?;
    holds("something came", !some.is_empty())?;
    soon("it came", asked.elapsed())
}

async fn never_more_than_max(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 50).await?;
    b.send_many(&queue, 20).await?;
    for max in [1, 2, 7] {
        let some = b.broker.receive(std::slice::from_ref(&queue), b.ask(max)).await?;
        holds(format!("asked for {max}, got {}", some.len()), some.len() <= max)?;
    }
    Ok(())
}

async fn two_waiting_receives_get_one_message_once(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ask = b.ask(1).wait(b.short * 2);
    let mut one = b.receive_later(&[&queue], ask).await?;
    let mut two = b.receive_later(&[&queue], ask).await?;
    b.send(&queue, &["a"]).await?;
    let mut got = one.answer().await??;
    got.extend(two.answer().await??);
    same("what both got", texts(&got), ["a"])
}

async fn each_message_wakes_a_receive_of_its_own(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let mut waiting = Vec::new();
    for _ in 0..6 {
        waiting.push(b.receive_later(&[&queue], b.ask(1).wait(b.short * 4)).await?);
    }
    for body in ["a", "b", "c"] {
        b.send(&queue, &[body]).await?;
    }
    let mut got = Vec::new();
    for receive in &mut waiting {
        let some = receive.answer().await??;
        holds("one each", some.len() <= 1)?;
        got.extend(texts(&some));
    }
    got.sort();
    same("what all got", got, ["a", "b", "c"])
}

async fn a_batch_wakes_as_many_as_it_can_serve(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?);
    }
    b.send(&queue, &["a", "b", "c", "d"]).await?;
    let mut got = Vec::new();
    for receive in &mut waiting {
        got.extend(texts(&receive.answer().await??));
    }
    got.sort();
    same("what all got", got, ["a", "b", "c", "d"])
}

async fn a_receiver_of_another_queue_is_in_nobodys_way(b: &Bench) -> Outcome {
    let (idle, busy) = (b.queue("idle", 10).await?, b.queue("busy", 10).await?);
    let mut first = b.receive_later(&[&idle], b.ask(1).wait(FAR)).await?;
    let mut second = b.receive_later(&[&busy], b.ask(1).wait(FAR)).await?;
    b.send(&busy, &["a"]).await?;
    same("what came for the second", texts(&second.answer().await??), ["a"])?;
    first.waits().await?;
    b.send(&idle, &["b"]).await?;
    same("what came for the first", texts(&first.answer().await??), ["b"])
}

async fn a_dropped_waiting_receive_passes_its_wake_up_on(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 100).await?;
    let lease = if matches!(b.caps().lease, handover::LeaseKind::Timed { .. }) {
        b.short
    } else {
        b.long()
    };
    for round in 0..5 {
        let ask = b.ask(1).wait(FAR).lease(lease);
        let dropped = b.receive_later(&[&queue], ask).await?;
        let mut waiting = b.receive_later(&[&queue], ask).await?;
        // The first in line is dropped at the moment a message comes for it.
        let body = round.to_string();
        let bodies = [body.as_str()];
        let (sent, ()) = tokio::join!(b.send(&queue, &bodies), dropped.cancel());
        sent?;
        let got = waiting.answer().await??;
        same("what the other one got", texts(&got), bodies)?;
        b.done(&got[0]).await?;
    }
    Ok(())
}

async fn a_dropped_receive_loses_nothing_for_longer_than_a_lease(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 100).await?;
    b.send_many(&queue, 30).await?;
    for round in 0..60 {
        let (broker, name, lease) = (Arc::clone(&b.broker), queue.clone(), b.short);
        let receive = Later::start(async move {
            broker.receive(&[name], Ask::new(1).wait(FAR).lease(lease)).await
        });
        for _ in 0..round % 5 {
            tokio::task::yield_now().await;
        }
        receive.cancel().await;
    }
    let mut seen = BTreeSet::new();
    while seen.len() < 30 {
        let delivery = b.take(&queue).await?;
        if !seen.insert(text(&delivery)) {
            return Err(Stop::failed(format_args!("{} came twice", text(&delivery))));
        }
        b.done(&delivery).await?;
    }
    b.nothing_for(&queue, b.short).await
}

async fn a_question_for_nothing_is_invalid(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let queues = std::slice::from_ref(&queue);
    let none = b.broker.receive(queues, b.ask(0)).await;
    refused("a max of zero", none, ErrorKind::Invalid)?;
    let brief = b.broker.receive(queues, Ask::new(1).lease(Duration::ZERO)).await;
    refused("a lease of zero", brief, ErrorKind::Invalid)?;
    let nowhere = b.broker.receive(&[], b.ask(1)).await;
    refused("no queue at all", nowhere, ErrorKind::Invalid)?;
    same("what is still there", b.drain(&queue).await?, ["a"])
}

async fn a_send_through_another_handle_wakes_a_receive(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let other = b.open_another().await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    other.send_one(&queue, crate::support::text_message("a"), handover::Room::now()).await?;
    same("what came", texts(&waiting.answer().await??), ["a"])
}

async fn a_send_of_another_process_wakes_a_receive(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let mut child = Child::start(b).await?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
        let asked = clock::now();
        same("the child", child.ask(b, "send mail a").await?, "sent")?;
        same("what came", texts(&waiting.answer().await??), ["a"])?;
        times.push(asked.elapsed());
    }
    let typical = median(times);
    holds(
        format!("send and wake-up typically take {typical:?}, below 300 ms"),
        typical.as_millis() < 300,
    )
}
