//! C9 for numbers and names that make no sense, or are the largest there are: refused with a sentence that says what is
//! allowed, or taken and kept. What stands in `Caps` is looked at from both sides in `c09_limits.rs`.

use std::time::Duration;

use handover::{
    Ask, BrokerExt, Error, ErrorKind, JobFilter, JobId, LeaseKind, Message, QueueName,
    QueueSettings, Receipt, Room, Settle,
};

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{holds, kinds, same};
use crate::support::{Bench, retry, text_message, texts, with_token};

pub(crate) const CASES: &[Case] = &[
    case!(a_name_with_other_characters_is_refused_and_says_which_are_allowed),
    case!(a_capacity_out_of_range_is_refused_and_says_the_range),
    case!(the_largest_settings_are_kept, Need::Bound),
    case!(a_delay_without_end_is_refused_and_says_the_longest),
    case!(a_lease_without_end_is_refused_and_says_the_longest, Need::Timed),
    case!(asking_for_everything_is_refused_and_says_the_most),
    case!(headers_out_of_range_are_refused_and_say_the_most),
    case!(a_refused_body_says_its_size_and_the_largest),
    case!(the_largest_token_is_no_lease, Need::Fenced, Need::Batch(2)),
    case!(a_kick_of_all_there_are_brings_all, Need::Steer),
    case!(a_page_from_the_end_of_numbers_is_empty, Need::Inspect),
    case!(a_body_of_nothing_goes_every_way, Need::Steer),
];

/// Refused in this way, with words in which each of `said` can be read.
#[track_caller]
fn says<T: std::fmt::Debug>(answer: Result<T, Error>, kind: ErrorKind, said: &[String]) -> Outcome {
    let error = match answer {
        Err(error) if error.kind() == kind => error,
        other => return Err(Stop::failed(format_args!("{other:?}, expected {kind}"))),
    };
    let text = error.to_string();
    match said.iter().find(|said| !text.contains(said.as_str())) {
        None => Ok(()),
        Some(missing) => Err(Stop::failed(format_args!("{text:?} does not say {missing:?}"))),
    }
}

async fn a_name_with_other_characters_is_refused_and_says_which_are_allowed(b: &Bench) -> Outcome {
    let long = "q".repeat(QueueName::LENGTH_MAX + 1);
    let vast = "q".repeat(100_000);
    let odd = ["", "-a", ".a", "_a", "a b", "a/b", "../a", "a\0", "a\n", "a'b", "a;b", "ä", "🦀"];
    for name in odd.into_iter().chain([long.as_str(), vast.as_str()]) {
        let answer = QueueName::new(name);
        says(answer, ErrorKind::Invalid, &["letters, digits".to_owned()])?;
    }
    let queue = b.queue("0.a-b_c", 10).await?;
    b.send(&queue, &["a"]).await?;
    same("what is there", b.drain(&queue).await?, ["a"])
}

async fn a_capacity_out_of_range_is_refused_and_says_the_range(b: &Bench) -> Outcome {
    let queue = QueueName::new("mail")?;
    let most = QueueSettings::CAPACITY_MAX.to_string();
    for capacity in [0, QueueSettings::CAPACITY_MAX + 1, u64::MAX] {
        let answer = b.broker.declare(&queue, &QueueSettings::with_capacity(capacity)).await;
        says(answer, ErrorKind::Invalid, std::slice::from_ref(&most))?;
    }
    let mut settings = QueueSettings::with_capacity(1);
    settings.overdraft = u64::MAX;
    says(b.broker.declare(&queue, &settings).await, ErrorKind::Invalid, &[most])?;
    let mut settings = QueueSettings::with_capacity(1);
    settings.remember = Duration::MAX;
    let most = QueueSettings::REMEMBER_MAX.as_secs().to_string();
    says(b.broker.declare(&queue, &settings).await, ErrorKind::Invalid, &[most])
}

async fn the_largest_settings_are_kept(b: &Bench) -> Outcome {
    let mut settings = QueueSettings::with_capacity(QueueSettings::CAPACITY_MAX);
    settings.overdraft = QueueSettings::CAPACITY_MAX;
    settings.remember = QueueSettings::REMEMBER_MAX;
    let queue = b.declare("mail", &settings).await?;
    b.send(&queue, &["a", "b"]).await?;
    b.done(&b.take(&queue).await?).await?;
    if b.broker.inspect().is_some() {
        same("the settings", b.info(&queue).await?.settings, settings)?;
    }
    same("what is there", b.drain(&queue).await?.len(), 1)
}

async fn a_delay_without_end_is_refused_and_says_the_longest(b: &Bench) -> Outcome {
    let Some(longest) = b.caps().delay_max else {
        return Err(Stop::Ignored("not promised: Caps says delay_max is None".to_owned()));
    };
    let longest = [longest.as_millis().to_string()];
    let queue = b.queue("mail", 10).await?;
    let message = text_message("a").with_delay(Duration::MAX);
    let answer = b.broker.send_one(&queue, message, Room::now()).await;
    says(answer, ErrorKind::Unsupported, &longest)?;
    b.nothing(&queue).await?;
    b.send(&queue, &["b"]).await?;
    let delivery = b.take(&queue).await?;
    for how in [retry(Duration::MAX), Settle::Release { after: Duration::MAX }] {
        let answer = b.broker.settle_one(delivery.receipt.clone(), how).await;
        says(answer, ErrorKind::Unsupported, &longest)?;
    }
    b.done(&delivery).await
}

async fn a_lease_without_end_is_refused_and_says_the_longest(b: &Bench) -> Outcome {
    let LeaseKind::Timed { lease_max } = b.caps().lease else {
        return Err(Stop::failed("the lease is not timed"));
    };
    let longest = [lease_max.as_millis().to_string()];
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let ask = Ask::new(1).lease(Duration::MAX);
    let answer = b.broker.receive(std::slice::from_ref(&queue), ask).await;
    says(answer, ErrorKind::Unsupported, &longest)?;
    let delivery = b.take(&queue).await?;
    let answer = b.broker.extend_one(delivery.receipt.clone(), Duration::MAX).await;
    says(answer, ErrorKind::Unsupported, &longest)?;
    b.done(&delivery).await
}

async fn asking_for_everything_is_refused_and_says_the_most(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let answer = b.broker.receive(std::slice::from_ref(&queue), b.ask(usize::MAX)).await;
    says(answer, ErrorKind::Unsupported, &[b.caps().batch_max.to_string()])?;
    same("what is still there", b.drain(&queue).await?, ["a"])
}

async fn headers_out_of_range_are_refused_and_say_the_most(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let mut crowded = text_message("a");
    for n in 0..=Message::HEADERS_MAX {
        crowded = crowded.with_header(n.to_string(), "");
    }
    let answer = b.broker.send_one(&queue, crowded, Room::now()).await;
    says(answer, ErrorKind::Invalid, &[Message::HEADERS_MAX.to_string()])?;
    let wide = text_message("a").with_header("h", "x".repeat(Message::HEADER_BYTES_MAX));
    let answer = b.broker.send_one(&queue, wide, Room::now()).await;
    says(answer, ErrorKind::Invalid, &[Message::HEADER_BYTES_MAX.to_string()])?;
    b.nothing(&queue).await
}

async fn a_refused_body_says_its_size_and_the_largest(b: &Bench) -> Outcome {
    let largest = b.caps().body_bytes_max;
    if largest > 128 * 1024 * 1024 {
        return Err(Stop::Ignored(format!("not possible here: body_bytes_max is {largest}")));
    }
    let queue = b.queue("mail", 10).await?;
    let message = Message::new(vec![0; largest + 1]);
    let answer = b.broker.send_one(&queue, message, Room::now()).await;
    says(answer, ErrorKind::Unsupported, &[(largest + 1).to_string(), largest.to_string()])
}

async fn the_largest_token_is_no_lease(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let delivery = b.take(&queue).await?;
    for token in [0, i64::MAX.unsigned_abs(), u64::MAX] {
        let forged = with_token(&delivery.receipt, token);
        let nobody = Receipt::new(queue.clone(), JobId::from_bytes([0xff; 16]), token);
        let lost = Some(ErrorKind::LeaseLost);
        let batch = [(forged.clone(), Settle::Done), (nobody.clone(), Settle::Done)];
        same("settling", kinds(&b.broker.settle(&batch).await?), [lost, lost])?;
        let answers = b.broker.extend(&[forged, nobody], b.short).await?;
        same("extending", kinds(&answers), [lost, lost])?;
    }
    b.done(&delivery).await
}

async fn a_kick_of_all_there_are_brings_all(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b", "c"]).await?;
    for delivery in b.drain_deliveries(&queue).await? {
        b.bury(&delivery).await?;
    }
    same("the kicked", b.operator()?.kick(&queue, u64::MAX).await?, 3)?;
    same("what is there", b.drain(&queue).await?.len(), 3)
}

async fn a_page_from_the_end_of_numbers_is_empty(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    let inspector = b.inspector()?;
    for after in [i64::MAX.unsigned_abs(), u64::MAX - 1, u64::MAX] {
        let filter = JobFilter::default().after(after).limit(usize::MAX);
        let page = inspector.jobs(&queue, filter).await?;
        holds(format!("after {after} comes {page:?}"), page.jobs.is_empty())?;
        same("what comes next", page.next, None)?;
    }
    Ok(())
}

async fn a_body_of_nothing_goes_every_way(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &[""]).await?;
    b.retry(&b.take(&queue).await?, Duration::ZERO).await?;
    b.release(&b.take(&queue).await?, Duration::ZERO).await?;
    b.bury(&b.take(&queue).await?).await?;
    b.operator()?.kick(&queue, 1).await?;
    let back = b.take(&queue).await?;
    same("what came back", texts(std::slice::from_ref(&back)), [""])?;
    b.done(&back).await?;
    b.nothing(&queue).await
}
