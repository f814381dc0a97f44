//! C12: calls that wait and calls that come later get `Closed`; what is leased comes back when its lease ends.

use handover::{BrokerExt, ErrorKind, QueueSettings, Room, Settle};
use tokio::runtime::Handle;

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{SOON, refused, same};
use crate::support::{Bench, FAR, take_from, text_message};

pub(crate) const CASES: &[Case] = &[
    case!(a_closed_broker_refuses_every_call),
    case!(a_closed_broker_still_says_what_it_promises),
    case!(a_closed_inspector_and_operator_refuse, Need::Inspect, Need::Steer),
    case!(closing_twice_is_fine),
    case!(close_wakes_a_waiting_receive),
    case!(close_wakes_a_waiting_send, Need::Bound),
    case!(a_send_that_close_woke_stored_nothing, Need::Bound, Need::Reopen, Need::Durable),
    case!(close_leaves_no_task_behind),
    case!(what_was_leased_comes_back_when_its_lease_ends, Need::Reopen, Need::Durable, Need::Timed),
    case!(closing_one_handle_leaves_another_working, Need::Shared),
];

async fn a_closed_broker_refuses_every_call(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let receipt = b.take(&queue).await?.receipt;
    b.broker.close().await?;
    let closed = ErrorKind::Closed;
    let settings = QueueSettings::with_capacity(10);
    refused("declare", b.broker.declare(&queue, &settings).await, closed)?;
    refused("send", b.broker.send_one(&queue, text_message("b"), Room::now()).await, closed)?;
    refused("receive", b.broker.receive_one(&queue, b.ask(1)).await, closed)?;
    refused("settle", b.broker.settle(&[(receipt.clone(), Settle::Done)]).await, closed)?;
    refused("extend", b.broker.extend(&[receipt], b.short).await, closed)
}

async fn a_closed_broker_still_says_what_it_promises(b: &Bench) -> Outcome {
    let before = b.caps().clone();
    b.broker.close().await?;
    same("its promises", b.caps(), &before)
}

async fn a_closed_inspector_and_operator_refuse(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    b.broker.close().await?;
    let closed = ErrorKind::Closed;
    refused("queues", b.inspector()?.queues().await, closed)?;
    refused("queue", b.inspector()?.queue(&queue).await, closed)?;
    refused("job", b.inspector()?.job(ids[0]).await, closed)?;
    refused("kick", b.operator()?.kick(&queue, 1).await, closed)?;
    refused("delete", b.operator()?.delete(ids[0]).await, closed)?;
    refused("pause", b.operator()?.pause(&queue, true).await, closed)
}

async fn closing_twice_is_fine(b: &Bench) -> Outcome {
    b.broker.close().await?;
    b.broker.close().await?;
    let (one, two) = tokio::join!(b.broker.close(), b.broker.close());
    one?;
    two?;
    Ok(())
}

async fn close_wakes_a_waiting_receive(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    b.broker.close().await?;
    refused("the waiting receive", waiting.answer().await?, ErrorKind::Closed)
}

async fn close_wakes_a_waiting_send(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut waiting = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    b.broker.close().await?;
    refused("the waiting send", waiting.answer().await?, ErrorKind::Closed)
}

async fn a_send_that_close_woke_stored_nothing(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut waiting = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    let again = b.reopen().await?;
    refused("the waiting send", waiting.answer().await?, ErrorKind::Closed)?;
    let first = take_from(&again, &queue, b.long()).await?;
    same("what was stored", first.message.body.as_slice(), b"a")?;
    again.settle_one(first.receipt, Settle::Done).await?;
    let second = again.receive_one(&queue, b.ask(1).wait(b.short)).await?;
    same("what else was stored", second.map(|delivery| delivery.message.body), None)
}

async fn close_leaves_no_task_behind(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let mut send = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    let mut receive = b.receive_later(&[&b.queue("other", 1).await?], b.ask(1).wait(FAR)).await?;
    b.broker.close().await?;
    refused("the waiting send", send.answer().await?, ErrorKind::Closed)?;
    refused("the waiting receive", receive.answer().await?, ErrorKind::Closed)?;
    // The case itself and the task that judges it are alive; whatever else is has until soon to end.
    let ends = async {
        while Handle::current().metrics().num_alive_tasks() > 2 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(SOON, ends).await.map_err(|_| {
        let alive = Handle::current().metrics().num_alive_tasks() - 2;
        Stop::failed(format_args!("{alive} tasks of the broker are alive after close"))
    })
}

async fn what_was_leased_comes_back_when_its_lease_ends(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let leased = handover::clock::now();
    let first = b.take_for(&queue, b.short * 2).await?;
    let again = b.reopen().await?;
    let second = take_from(&again, &queue, b.long()).await?;
    same("the message", &second.message, &first.message)?;
    same("the attempt", second.attempt, 2)?;
    crate::check::never_early("the second delivery", leased.elapsed(), b.short * 2)
}

async fn closing_one_handle_leaves_another_working(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let other = b.open_another().await?;
    b.send(&queue, &["a"]).await?;
    other.close().await?;
    b.send(&queue, &["b"]).await?;
    let mut got = b.drain(&queue).await?;
    got.sort();
    same("what is there", got, ["a", "b"])
}
