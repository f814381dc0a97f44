//! C2: queues do not see each other, and what was sent comes back byte for byte.

use handover::{Message, Priority, QueueName};

use crate::case::{Case, Need, Outcome, case};
use crate::check::same;
use crate::support::{Bench, text_message};

pub(crate) const CASES: &[Case] = &[
    case!(queues_do_not_leak_into_each_other),
    case!(a_full_queue_does_not_fill_another, Need::Bound),
    case!(names_that_differ_in_case_are_two_queues),
    case!(the_longest_name_with_every_mark_is_a_queue),
    case!(an_empty_body_comes_back),
    case!(a_body_of_every_byte_value_comes_back),
    case!(a_body_that_is_no_text_comes_back),
    case!(headers_come_back_as_they_were_sent),
    case!(the_most_and_longest_headers_come_back),
    case!(key_and_priority_come_back, Need::Keys, Need::Priorities(10)),
];

/// Sends a message and expects the same one back.
async fn round_trip(b: &Bench, message: Message) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.put(&queue, std::slice::from_ref(&message)).await?;
    same("what came back", b.take(&queue).await?.message, message)
}

async fn queues_do_not_leak_into_each_other(b: &Bench) -> Outcome {
    let (mail, print) = (b.queue("mail", 10).await?, b.queue("print", 10).await?);
    b.send(&mail, &["m1", "m2"]).await?;
    b.send(&print, &["p1"]).await?;
    same("what print holds", b.drain(&print).await?, ["p1"])?;
    let mut got = b.drain(&mail).await?;
    got.sort();
    same("what mail holds", got, ["m1", "m2"])
}

async fn a_full_queue_does_not_fill_another(b: &Bench) -> Outcome {
    let (mail, print) = (b.queue("mail", 1).await?, b.queue("print", 1).await?);
    b.send(&mail, &["m"]).await?;
    b.send(&print, &["p"]).await?;
    same("what print holds", b.drain(&print).await?, ["p"])
}

async fn names_that_differ_in_case_are_two_queues(b: &Bench) -> Outcome {
    let (small, large) = (b.queue("mail", 10).await?, b.queue("Mail", 10).await?);
    b.send(&small, &["a"]).await?;
    b.nothing(&large).await?;
    same("what mail holds", b.drain(&small).await?, ["a"])
}

async fn the_longest_name_with_every_mark_is_a_queue(b: &Bench) -> Outcome {
    let name = format!("0aZ-_.{}", "q".repeat(QueueName::LENGTH_MAX - 6));
    let queue = b.queue(&name, 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    same("the queue of the receipt", &delivery.receipt.queue, &queue)?;
    b.done(&delivery).await
}

async fn an_empty_body_comes_back(b: &Bench) -> Outcome {
    round_trip(b, Message::new("")).await
}

async fn a_body_of_every_byte_value_comes_back(b: &Bench) -> Outcome {
    round_trip(b, Message::new((0..=255).collect::<Vec<u8>>())).await
}

async fn a_body_that_is_no_text_comes_back(b: &Bench) -> Outcome {
    round_trip(b, Message::new(b"\xff\xfe\0\xc3\x28 \xed\xa0\x80".to_vec())).await
}

async fn headers_come_back_as_they_were_sent(b: &Bench) -> Outcome {
    let message = Message::new("a")
        .with_header("empty", "")
        .with_header("Case", "upper")
        .with_header("case", "lower")
        .with_header("quotes", "'single' \"double\" \\back\\")
        .with_header("lines", "one\ntwo\r\nthree\ttab")
        .with_header("Straße ☃", "日本語 and 🦀");
    round_trip(b, message).await
}

async fn the_most_and_longest_headers_come_back(b: &Bench) -> Outcome {
    let mut message = Message::new("a");
    let each = Message::HEADER_BYTES_MAX / Message::HEADERS_MAX;
    for n in 0..Message::HEADERS_MAX {
        let name = format!("header-{n:02}");
        let value = "x".repeat(each - name.len());
        message = message.with_header(name, value);
    }
    round_trip(b, message).await
}

async fn key_and_priority_come_back(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    for level in [0, 5, 9] {
        let key = "k".repeat(Message::KEY_BYTES_MAX - 2) + "ä";
        let message = text_message("a").with_key(key).with_priority(Priority::new(level)?);
        b.put(&queue, std::slice::from_ref(&message)).await?;
        let delivery = b.take(&queue).await?;
        same("what came back", &delivery.message, &message)?;
        b.done(&delivery).await?;
    }
    Ok(())
}
