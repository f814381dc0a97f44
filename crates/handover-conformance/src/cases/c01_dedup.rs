//! C1 for ids: an id that was sent is one job for as long as `Caps::dedup` says, however often it is sent.

use std::time::Duration;

use handover::{BrokerExt, ErrorKind, Fate, JobId, QueueName, QueueSettings, Room};

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{refused, same};
use crate::support::{Bench, text_message};

pub(crate) const CASES: &[Case] = &[
    case!(the_same_id_twice_is_one_message, Need::Dedup),
    case!(the_same_id_twice_in_a_batch_is_one_message, Need::Dedup, Need::Batch(2)),
    case!(fates_say_what_became_of_each_message_in_order, Need::Dedup, Need::Batch(3)),
    case!(a_batch_sent_again_after_an_unclear_end_is_one_job_each, Need::Dedup, Need::Batch(3)),
    case!(a_repeat_changes_nothing_of_the_first, Need::Dedup),
    case!(an_id_of_another_queue_is_invalid, Need::DedupWhileStored, Need::Batch(2)),
    case!(an_id_is_known_while_its_job_is_leased, Need::DedupWhileStored),
    case!(an_id_is_known_while_its_job_is_delayed, Need::DedupWhileStored, Need::Delays),
    case!(an_id_is_known_while_its_job_is_buried, Need::DedupWhileStored),
    case!(an_id_is_known_after_its_job_was_done, Need::DedupWhileStored),
    case!(an_id_is_forgotten_when_it_was_remembered_long_enough, Need::DedupWhileStored),
    case!(an_id_is_forgotten_when_its_job_is_deleted, Need::DedupWhileStored, Need::Steer),
];

/// Sends this id once more and answers its fate.
async fn again(b: &Bench, queue: &QueueName, id: JobId) -> Result<Fate, Stop> {
    let sent = b.broker.send_one(queue, text_message("again").with_id(id), Room::now()).await?;
    match sent.fates.as_slice() {
        [fate] => Ok(*fate),
        fates => Err(Stop::failed(format_args!("a batch of one has the fates {fates:?}"))),
    }
}

async fn the_same_id_twice_is_one_message(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    same("the fate of the repeat", again(b, &queue, ids[0]).await?, Fate::Duplicate)?;
    same("what is there", b.drain(&queue).await?, ["a"])
}

async fn the_same_id_twice_in_a_batch_is_one_message(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let first = text_message("a");
    let second = text_message("b").with_id(first.id);
    let sent = b.broker.send(&queue, &[first, second], Room::now()).await?;
    same("the fates", sent.fates, [Fate::Stored, Fate::Duplicate])?;
    same("what is there", b.drain(&queue).await?, ["a"])
}

async fn fates_say_what_became_of_each_message_in_order(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let known = b.send(&queue, &["b"]).await?[0];
    let batch = [text_message("a"), text_message("b").with_id(known), text_message("c")];
    let sent = b.broker.send(&queue, &batch, Room::now()).await?;
    same("the fates", sent.fates, [Fate::Stored, Fate::Duplicate, Fate::Stored])?;
    let mut got = b.drain(&queue).await?;
    got.sort();
    same("what is there", got, ["a", "b", "c"])
}

async fn a_batch_sent_again_after_an_unclear_end_is_one_job_each(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let batch = ["a", "b", "c"].map(text_message);
    for _ in 0..3 {
        b.broker.send(&queue, &batch, Room::now()).await?;
    }
    let mut got = b.drain(&queue).await?;
    got.sort();
    same("what is there", got, ["a", "b", "c"])
}

async fn a_repeat_changes_nothing_of_the_first(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let first = text_message("a").with_header("h", "first");
    b.put(&queue, std::slice::from_ref(&first)).await?;
    let other = text_message("other").with_id(first.id).with_header("h", "second");
    b.broker.send_one(&queue, other, Room::now()).await?;
    same("the message", b.take(&queue).await?.message, first)
}

async fn an_id_of_another_queue_is_invalid(b: &Bench) -> Outcome {
    let (mail, print) = (b.queue("mail", 10).await?, b.queue("print", 10).await?);
    let ids = b.send(&mail, &["a", "b"]).await?;
    b.done(&b.take(&mail).await?).await?;
    for id in ids {
        let batch = [text_message("c"), text_message("d").with_id(id)];
        let answer = b.broker.send(&print, &batch, Room::now()).await;
        refused("a batch with an id of another queue", answer, ErrorKind::Invalid)?;
    }
    b.nothing(&print).await?;
    same("what is still there", b.drain(&mail).await?.len(), 1)
}

async fn an_id_is_known_while_its_job_is_leased(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    same("the fate of the repeat", again(b, &queue, ids[0]).await?, Fate::Duplicate)?;
    b.done(&delivery).await?;
    b.nothing(&queue).await
}

async fn an_id_is_known_while_its_job_is_delayed(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let delayed = text_message("a").with_delay(b.short * 4);
    b.put(&queue, std::slice::from_ref(&delayed)).await?;
    same("the fate of the repeat", again(b, &queue, delayed.id).await?, Fate::Duplicate)?;
    b.nothing(&queue).await
}

async fn an_id_is_known_while_its_job_is_buried(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    b.bury(&b.take(&queue).await?).await?;
    same("the fate of the repeat", again(b, &queue, ids[0]).await?, Fate::Duplicate)?;
    b.nothing(&queue).await
}

async fn an_id_is_known_after_its_job_was_done(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    b.done(&b.take(&queue).await?).await?;
    same("the fate of the repeat", again(b, &queue, ids[0]).await?, Fate::Duplicate)?;
    b.nothing(&queue).await
}

async fn an_id_is_forgotten_when_it_was_remembered_long_enough(b: &Bench) -> Outcome {
    let mut settings = QueueSettings::with_capacity(10);
    settings.remember = b.short;
    let queue = b.declare("mail", &settings).await?;
    let ids = b.send(&queue, &["a"]).await?;
    b.done(&b.take(&queue).await?).await?;
    same("the fate at once", again(b, &queue, ids[0]).await?, Fate::Duplicate)?;
    b.let_pass(b.short + Duration::from_millis(100)).await;
    same("the fate later", again(b, &queue, ids[0]).await?, Fate::Stored)?;
    same("what is there", b.drain(&queue).await?, ["again"])
}

async fn an_id_is_forgotten_when_its_job_is_deleted(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    same("the delete", b.operator()?.delete(ids[0]).await?, true)?;
    same("the fate afterwards", again(b, &queue, ids[0]).await?, Fate::Stored)?;
    same("what is there", b.drain(&queue).await?, ["again"])
}
