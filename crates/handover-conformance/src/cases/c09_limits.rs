//! C9: every number in `Caps` from both sides: what reaches it is taken, what is above it is refused at once and whole.

use std::time::Duration;

use handover::{
    Ask, BrokerExt, ErrorKind, JobId, LeaseKind, Message, Priority, QueueName, Receipt, Room,
    Settle,
};

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{holds, kinds, refused, same, soon};
use crate::support::{Bench, FAR, retry, text_message};

pub(crate) const CASES: &[Case] = &[
    case!(a_body_of_exactly_the_maximum_comes_back),
    case!(a_body_of_one_byte_more_is_refused),
    case!(a_send_of_exactly_batch_max_is_taken),
    case!(a_send_of_one_message_more_is_refused_whole),
    case!(a_batch_of_exactly_its_byte_limit_is_taken, Need::Batch(2)),
    case!(a_batch_of_one_byte_more_is_refused_whole, Need::Batch(2)),
    case!(a_receive_of_more_than_batch_max_is_refused),
    case!(a_settle_of_batch_max_is_taken_and_of_one_more_is_refused),
    case!(an_extend_of_batch_max_is_taken_and_of_one_more_is_refused),
    case!(the_longest_lease_is_taken_and_a_longer_one_refused),
    case!(the_longest_delay_is_taken_and_a_longer_one_refused, Need::Delays),
    case!(a_delay_too_long_in_a_settlement_changes_nothing, Need::Delays, Need::Batch(3)),
    case!(a_refusal_does_not_wait_for_room, Need::Bound),
    case!(a_refused_id_can_be_sent_again, Need::Dedup, Need::Batch(2)),
    case!(a_key_is_refused_where_none_are_kept, Need::NoKeys),
    case!(a_priority_is_refused_where_none_are_told_apart),
];

/// The largest thing the suite makes. A limit above it is taken on trust, and the case says so.
const BYTES_MAX: usize = 128 * 1024 * 1024;

fn testable(what: &str, bytes: usize) -> Result<usize, Stop> {
    if bytes <= BYTES_MAX {
        return Ok(bytes);
    }
    Err(Stop::Ignored(format!(
        "not possible here: {what} is {bytes}, the suite makes {BYTES_MAX} bytes at most"
    )))
}

/// A queue with room for two of the largest batches.
async fn roomy(b: &Bench) -> Result<QueueName, Stop> {
    let capacity = u64::try_from(b.caps().batch_max).unwrap_or(u64::MAX).saturating_mul(2);
    b.queue("mail", capacity.clamp(10, 1_000_000)).await
}

fn small_batch(count: usize) -> Vec<Message> {
    (0..count).map(|_| text_message("")).collect()
}

async fn a_body_of_exactly_the_maximum_comes_back(b: &Bench) -> Outcome {
    let bytes = testable("body_bytes_max", b.caps().body_bytes_max)?;
    let queue = b.queue("mail", 10).await?;
    let body: Vec<u8> = (0_u8..=250).cycle().take(bytes).collect();
    b.put(&queue, &[Message::new(body.clone())]).await?;
    let got = b.take(&queue).await?.message.body;
    same("its length", got.len(), bytes)?;
    holds("it is the same body", got == body)
}

async fn a_body_of_one_byte_more_is_refused(b: &Bench) -> Outcome {
    let bytes = testable("body_bytes_max", b.caps().body_bytes_max)?;
    let queue = b.queue("mail", 10).await?;
    let batch = [Message::new(vec![b'x'; bytes + 1])];
    let answer = b.broker.send(&queue, &batch, Room::now()).await;
    refused("one byte too many", answer, ErrorKind::Unsupported)?;
    b.nothing(&queue).await
}

async fn a_send_of_exactly_batch_max_is_taken(b: &Bench) -> Outcome {
    let count = testable("batch_max", b.caps().batch_max)?;
    let queue = roomy(b).await?;
    b.put(&queue, &small_batch(count)).await?;
    same("what is there", b.drain(&queue).await?.len(), count)
}

async fn a_send_of_one_message_more_is_refused_whole(b: &Bench) -> Outcome {
    let count = testable("batch_max", b.caps().batch_max)?;
    let queue = roomy(b).await?;
    let answer = b.broker.send(&queue, &small_batch(count + 1), Room::now()).await;
    refused("one message too many", answer, ErrorKind::Unsupported)?;
    b.nothing(&queue).await
}

/// The fewest messages whose bodies sum up to `batch_bytes_max` plus `more`, where a batch can reach it.
fn heavy_batch(b: &Bench, more: usize) -> Result<Vec<Message>, Stop> {
    let caps = b.caps();
    let bytes = testable("batch_bytes_max", caps.batch_bytes_max)? + more;
    let count = bytes.div_ceil(caps.body_bytes_max.max(1));
    if count > caps.batch_max {
        return Err(Stop::Ignored(
            "not possible here: batch_max bodies are below batch_bytes_max".to_owned(),
        ));
    }
    let mut rest = bytes;
    Ok((0..count)
        .map(|_| {
            let part = rest.min(caps.body_bytes_max);
            rest -= part;
            Message::new(vec![b'x'; part])
        })
        .collect())
}

async fn a_batch_of_exactly_its_byte_limit_is_taken(b: &Bench) -> Outcome {
    let queue = roomy(b).await?;
    let batch = heavy_batch(b, 0)?;
    b.put(&queue, &batch).await?;
    for _ in &batch {
        b.done(&b.take(&queue).await?).await?;
    }
    b.nothing(&queue).await
}

async fn a_batch_of_one_byte_more_is_refused_whole(b: &Bench) -> Outcome {
    let queue = roomy(b).await?;
    let answer = b.broker.send(&queue, &heavy_batch(b, 1)?, Room::now()).await;
    refused("one byte too many in a batch", answer, ErrorKind::Unsupported)?;
    b.nothing(&queue).await
}

async fn a_receive_of_more_than_batch_max_is_refused(b: &Bench) -> Outcome {
    let queue = roomy(b).await?;
    b.send(&queue, &["a"]).await?;
    let queues = std::slice::from_ref(&queue);
    let answer = b.broker.receive(queues, b.ask(b.caps().batch_max.saturating_add(1))).await;
    refused("asking for one delivery too many", answer, ErrorKind::Unsupported)?;
    let some = b.broker.receive(queues, b.ask(b.caps().batch_max)).await?;
    same("what came for batch_max", some.len(), 1)
}

fn unknown_receipts(queue: &QueueName, count: usize) -> Vec<Receipt> {
    (0..count).map(|_| Receipt::new(queue.clone(), JobId::new(), 1)).collect()
}

async fn a_settle_of_batch_max_is_taken_and_of_one_more_is_refused(b: &Bench) -> Outcome {
    let count = testable("batch_max", b.caps().batch_max)?;
    let queue = roomy(b).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    let mut batch: Vec<_> = unknown_receipts(&queue, count)
        .into_iter()
        .map(|receipt| (receipt, Settle::Done))
        .collect();
    batch.insert(0, (delivery.receipt.clone(), Settle::Done));
    let answer = b.broker.settle(&batch).await;
    refused("settling one receipt too many", answer, ErrorKind::Unsupported)?;
    batch.pop();
    let answers = b.broker.settle(&batch).await?;
    same("one answer for each", answers.len(), count)?;
    same("the answer of the one that was leased", kinds(&answers[..1]), [None])
}

async fn an_extend_of_batch_max_is_taken_and_of_one_more_is_refused(b: &Bench) -> Outcome {
    let count = testable("batch_max", b.caps().batch_max)?;
    let queue = roomy(b).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    let mut receipts = unknown_receipts(&queue, count);
    receipts.insert(0, delivery.receipt);
    let answer = b.broker.extend(&receipts, b.long()).await;
    refused("extending one lease too many", answer, ErrorKind::Unsupported)?;
    receipts.pop();
    let answers = b.broker.extend(&receipts, b.long()).await?;
    same("one answer for each", answers.len(), count)?;
    same("the answer of the one that was leased", kinds(&answers[..1]), [None])
}

async fn the_longest_lease_is_taken_and_a_longer_one_refused(b: &Bench) -> Outcome {
    let LeaseKind::Timed { lease_max } = b.caps().lease else {
        return Err(Stop::Ignored("not promised: Caps says lease is Connection".to_owned()));
    };
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let queues = std::slice::from_ref(&queue);
    if let Some(longer) = lease_max.checked_add(Duration::from_millis(1)) {
        let answer = b.broker.receive(queues, Ask::new(1).lease(longer)).await;
        refused("a receive with a longer lease", answer, ErrorKind::Unsupported)?;
    }
    let some = b.broker.receive(queues, Ask::new(1).lease(lease_max)).await?;
    same("what came for the longest lease", some.len(), 1)?;
    let receipt = &some[0].receipt;
    if let Some(longer) = lease_max.checked_add(Duration::from_millis(1)) {
        let answer = b.broker.extend(std::slice::from_ref(receipt), longer).await;
        refused("an extension by a longer lease", answer, ErrorKind::Unsupported)?;
    }
    b.broker.extend_one(receipt.clone(), lease_max).await?;
    b.done(&some[0]).await
}

async fn the_longest_delay_is_taken_and_a_longer_one_refused(b: &Bench) -> Outcome {
    let delay_max = b.caps().delay_max.unwrap_or_default();
    let queue = b.queue("mail", 10).await?;
    b.put(&queue, &[text_message("a").with_delay(delay_max)]).await?;
    b.nothing(&queue).await?;
    if let Some(longer) = delay_max.checked_add(Duration::from_millis(1)) {
        let message = text_message("b").with_delay(longer);
        let answer = b.broker.send_one(&queue, message, Room::now()).await;
        refused("a send with a longer delay", answer, ErrorKind::Unsupported)?;
    }
    b.send(&queue, &["c"]).await?;
    b.retry(&b.take_text(&queue, "c").await?, delay_max).await?;
    b.nothing(&queue).await
}

async fn a_delay_too_long_in_a_settlement_changes_nothing(b: &Bench) -> Outcome {
    let delay_max = b.caps().delay_max.unwrap_or_default();
    let Some(after) = delay_max.checked_add(Duration::from_millis(1)) else {
        return Err(Stop::Ignored(
            "not possible here: delay_max is the largest duration".to_owned(),
        ));
    };
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b", "c"]).await?;
    let all = b.drain_deliveries(&queue).await?;
    let batch = [
        (all[0].receipt.clone(), retry(after)),
        (all[1].receipt.clone(), Settle::Done),
        (all[2].receipt.clone(), Settle::Release { after }),
    ];
    let answers = b.broker.settle(&batch).await?;
    let too_long = Some(ErrorKind::Unsupported);
    same("the answers", kinds(&answers), [too_long, None, too_long])?;
    // Their leases still run.
    b.nothing(&queue).await?;
    b.done(&all[0]).await?;
    b.done(&all[2]).await
}

async fn a_refusal_does_not_wait_for_room(b: &Bench) -> Outcome {
    let bytes = testable("body_bytes_max", b.caps().body_bytes_max)?;
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    let asked = handover::clock::now();
    let batch = [Message::new(vec![b'x'; bytes + 1])];
    let answer = b.broker.send(&queue, &batch, Room::within(FAR)).await;
    refused("a body too large for a full queue", answer, ErrorKind::Unsupported)?;
    soon("the refusal", asked.elapsed())
}

async fn a_refused_id_can_be_sent_again(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let good = text_message("a");
    let batch = [good.clone(), text_message("b").with_key("")];
    let answer = b.broker.send(&queue, &batch, Room::now()).await;
    refused("a batch with a broken message", answer, ErrorKind::Invalid)?;
    b.put(&queue, &[good]).await?;
    same("what is there", b.drain(&queue).await?, ["a"])
}

async fn a_key_is_refused_where_none_are_kept(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let answer = b.broker.send_one(&queue, text_message("a").with_key("k"), Room::now()).await;
    refused("a message with a key", answer, ErrorKind::Unsupported)?;
    b.nothing(&queue).await
}

async fn a_priority_is_refused_where_none_are_told_apart(b: &Bench) -> Outcome {
    if b.caps().priorities > 1 {
        return Err(Stop::Ignored(format!("priorities are promised: {}", b.caps().priorities)));
    }
    let queue = b.queue("mail", 10).await?;
    let urgent = text_message("a").with_priority(Priority::MAX);
    let answer = b.broker.send_one(&queue, urgent, Room::now()).await;
    refused("an urgent message", answer, ErrorKind::Unsupported)?;
    b.nothing(&queue).await
}
