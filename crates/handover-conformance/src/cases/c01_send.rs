//! C1: `Ok` from send means that every message is stored as firmly as the receipt says; an error means that none is.

use std::collections::HashMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use handover::{
    BrokerExt, Durability, ErrorKind, Message, Priority, QueueName, QueueSettings, Room,
};

use crate::case::{Case, Need, Outcome, case};
use crate::check::{holds, refused, same};
use crate::support::{Bench, text_message};

pub(crate) const CASES: &[Case] = &[
    case!(a_sent_message_is_received),
    case!(a_batch_arrives_whole, Need::Batch(5)),
    case!(the_receipt_says_how_firmly_it_is_stored),
    case!(a_queue_that_asks_for_more_durability_gets_it),
    case!(a_queue_that_was_never_declared_takes_nothing),
    case!(declaring_a_queue_again_keeps_what_is_in_it),
    case!(settings_out_of_range_are_invalid),
    case!(a_batch_of_nothing_is_invalid),
    case!(a_batch_with_one_invalid_message_stores_nothing, Need::Batch(3)),
    case!(a_dropped_send_stores_the_whole_batch_or_nothing, Need::Batch(3)),
];

async fn a_sent_message_is_received(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let message = Message::new("hello")
        .with_header("task", "greet")
        .with_header("lang", "de")
        .with_priority(Priority::default());
    b.put(&queue, std::slice::from_ref(&message)).await?;
    let delivery = b.take(&queue).await?;
    same("the message", &delivery.message, &message)?;
    same("the queue of the receipt", &delivery.receipt.queue, &queue)?;
    same("the id of the receipt", delivery.receipt.id, message.id)
}

async fn a_batch_arrives_whole(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let batch: Vec<_> = ["a", "b", "c", "d", "e"].map(text_message).into();
    let sent = b.broker.send(&queue, &batch, Room::now()).await?;
    same("one fate for each message", sent.fates.len(), 5)?;
    let mut got = b.drain(&queue).await?;
    got.sort();
    same("what arrived", got, ["a", "b", "c", "d", "e"])
}

async fn the_receipt_says_how_firmly_it_is_stored(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let sent = b.broker.send_one(&queue, text_message("a"), Room::now()).await?;
    same("the durability of the receipt", sent.durability, b.caps().durability)
}

async fn a_queue_that_asks_for_more_durability_gets_it(b: &Bench) -> Outcome {
    for wanted in [Durability::Process, Durability::Buffered, Durability::Synced] {
        let mut settings = QueueSettings::with_capacity(10);
        settings.durability = Some(wanted);
        let queue = QueueName::new(format!("mail-{wanted}"))?;
        match b.broker.declare(&queue, &settings).await {
            Ok(()) => {
                let sent = b.broker.send_one(&queue, text_message("a"), Room::now()).await?;
                holds(
                    format!("a queue declared {wanted} answers at least that: {}", sent.durability),
                    sent.durability >= wanted,
                )?;
            }
            // What the broker promises for every queue it must keep for this one.
            refusal if wanted <= b.caps().durability => refusal?,
            refusal => {
                refused("a queue above the broker's durability", refusal, ErrorKind::Unsupported)?
            }
        }
    }
    Ok(())
}

async fn a_queue_that_was_never_declared_takes_nothing(b: &Bench) -> Outcome {
    let queue = QueueName::new("nowhere")?;
    let answer = b.broker.send_one(&queue, text_message("a"), Room::now()).await;
    refused("a send to an undeclared queue", answer, ErrorKind::Invalid)?;
    b.queue("nowhere", 10).await?;
    b.nothing(&queue).await
}

async fn declaring_a_queue_again_keeps_what_is_in_it(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b"]).await?;
    b.queue("mail", 20).await?;
    let mut got = b.drain(&queue).await?;
    got.sort();
    same("what is still there", got, ["a", "b"])
}

async fn settings_out_of_range_are_invalid(b: &Bench) -> Outcome {
    let queue = QueueName::new("mail")?;
    let mut endless = QueueSettings::with_capacity(1);
    endless.overdraft = QueueSettings::CAPACITY_MAX + 1;
    let none = QueueSettings::with_capacity(0);
    let vast = QueueSettings::with_capacity(QueueSettings::CAPACITY_MAX + 1);
    let mut mindful = QueueSettings::with_capacity(1);
    mindful.remember = QueueSettings::REMEMBER_MAX + Duration::from_secs(1);
    for settings in [none, vast, endless, mindful] {
        let answer = b.broker.declare(&queue, &settings).await;
        refused(format!("declare with {settings:?}"), answer, ErrorKind::Invalid)?;
    }
    let answer = b.broker.send_one(&queue, text_message("a"), Room::now()).await;
    refused("a send to the queue that was not made", answer, ErrorKind::Invalid)
}

async fn a_batch_of_nothing_is_invalid(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    refused("a send", b.broker.send(&queue, &[], Room::now()).await, ErrorKind::Invalid)?;
    refused("a settle", b.broker.settle(&[]).await, ErrorKind::Invalid)?;
    refused("an extend", b.broker.extend(&[], b.short).await, ErrorKind::Invalid)
}

async fn a_batch_with_one_invalid_message_stores_nothing(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let mut crowded = text_message("b");
    for n in 0..=Message::HEADERS_MAX {
        crowded = crowded.with_header(format!("h{n}"), "");
    }
    let wide = text_message("b").with_header("h", "x".repeat(Message::HEADER_BYTES_MAX));
    let nameless = text_message("b").with_key("");
    let long = text_message("b").with_key("k".repeat(Message::KEY_BYTES_MAX + 1));
    for broken in [crowded, wide, nameless, long] {
        let batch = [text_message("a"), broken, text_message("c")];
        let answer = b.broker.send(&queue, &batch, Room::now()).await;
        refused("a batch with a broken message", answer, ErrorKind::Invalid)?;
    }
    b.nothing(&queue).await
}

async fn a_dropped_send_stores_the_whole_batch_or_nothing(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1000).await?;
    for round in 0..40 {
        let batch: Vec<_> = (0..3).map(|n| text_message(&format!("{round}/{n}"))).collect();
        let mut send = b.broker.send(&queue, &batch, Room::now());
        // Dropped after a number of looks that differs: before it began, in the middle, after it was stored.
        for _ in 0..round % 4 {
            let ended =
                poll_fn(|context| Poll::Ready(send.as_mut().poll(context).is_ready())).await;
            if ended {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(send);
    }
    // A send that comes after them is behind them in whatever the broker works through.
    b.send(&queue, &["last/0", "last/1", "last/2"]).await?;
    let mut rounds: HashMap<String, u32> = HashMap::new();
    for body in b.drain(&queue).await? {
        let round = body.split('/').next().unwrap_or_default().to_owned();
        *rounds.entry(round).or_default() += 1;
    }
    let torn: Vec<_> = rounds.iter().filter(|(_, count)| **count != 3).collect();
    same("batches of which only a part is stored", torn, Vec::<(&String, &u32)>::new())?;
    same("the batch that was not dropped", rounds.get("last"), Some(&3))
}
