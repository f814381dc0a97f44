//! C11: `Unavailable` is temporary: the same value works again when the place is back, with no rebuild by the caller.

use std::sync::Arc;

use handover::{BrokerExt, ErrorKind, Room};

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{holds, refused, same};
use crate::harness::Outage;
use crate::support::{Bench, FAR, text_message, texts};

pub(crate) const CASES: &[Case] = &[
    case!(a_place_that_is_away_is_unavailable, Need::Outage),
    case!(the_same_value_works_when_the_place_is_back, Need::Outage),
    case!(what_was_acknowledged_before_is_there_after, Need::Outage),
    case!(a_receive_that_waits_through_an_outage_ends_well, Need::Outage),
];

fn outage(b: &Bench) -> Result<Arc<dyn Outage>, Stop> {
    b.place.outage.clone().ok_or_else(|| Stop::failed("no outage"))
}

async fn a_place_that_is_away_is_unavailable(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    outage(b)?.begin().await?;
    let sent = b.broker.send_one(&queue, text_message("a"), Room::now()).await;
    let received = b.broker.receive_one(&queue, b.ask(1)).await;
    outage(b)?.end().await?;
    refused("a send", sent, ErrorKind::Unavailable)?;
    refused("a receive", received, ErrorKind::Unavailable)
}

async fn the_same_value_works_when_the_place_is_back(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let message = text_message("a");
    outage(b)?.begin().await?;
    let away = b.broker.send_one(&queue, message.clone(), Room::now()).await;
    outage(b)?.end().await?;
    refused("a send", away, ErrorKind::Unavailable)?;
    b.broker.send_one(&queue, message.clone(), Room::now()).await?;
    let delivery = b.take(&queue).await?;
    same("the message", &delivery.message, &message)?;
    b.done(&delivery).await
}

async fn what_was_acknowledged_before_is_there_after(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 20).await?;
    b.send_many(&queue, 10).await?;
    for _ in 0..3 {
        outage(b)?.begin().await?;
        let away = b.broker.send_one(&queue, text_message("x"), Room::now()).await;
        outage(b)?.end().await?;
        refused("a send", away, ErrorKind::Unavailable)?;
    }
    let got = b.drain(&queue).await?;
    for n in 0..10 {
        let body = n.to_string();
        holds(
            format!("{body} is there once"),
            got.iter().filter(|text| **text == body).count() == 1,
        )?;
    }
    Ok(())
}

async fn a_receive_that_waits_through_an_outage_ends_well(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let mut waiting = b.receive_later(&[&queue], b.ask(1).wait(FAR)).await?;
    outage(b)?.begin().await?;
    outage(b)?.end().await?;
    b.send(&queue, &["a"]).await?;
    match waiting.answer().await? {
        Ok(some) => same("what came", texts(&some), ["a"]),
        Err(error) => {
            same("the refusal", error.kind(), ErrorKind::Unavailable)?;
            b.take_text(&queue, "a").await.map(drop)
        }
    }
}
