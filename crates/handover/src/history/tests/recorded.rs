//! A history recorded from the memory broker, and what is found when a little of it is changed.

use std::time::Duration;

use super::super::{Expect, Kind, check};
use super::script::{Paper, id, read};
use crate::broker::{Broker, BrokerExt};
use crate::delivery::{Ask, Room, Settle};
use crate::memory::MemoryBroker;
use crate::message::{Message, QueueName};
use crate::queue::QueueSettings;

/// Three jobs through a queue of three: the third is delayed, and a receive before its time comes back empty.
async fn record() -> String {
    let paper = Paper::default();
    let broker = paper.recorder(MemoryBroker::new());
    let queue = QueueName::new("q").unwrap();
    broker.declare(&queue, &QueueSettings::with_capacity(3)).await.unwrap();
    let delayed = Message::new("").with_id(id(3)).with_delay(Duration::from_millis(50));
    let batch = [Message::new("").with_id(id(1)), Message::new("").with_id(id(2)), delayed];
    broker.send(&queue, &batch, Room::now()).await.unwrap();
    let ask = Ask::new(9).lease(Duration::from_secs(1));
    for wait in [0, 10, 100] {
        tokio::time::advance(Duration::from_millis(1)).await;
        let ask = ask.wait(Duration::from_millis(wait));
        let taken = broker.receive(std::slice::from_ref(&queue), ask).await.unwrap();
        for one in taken {
            tokio::time::advance(Duration::from_millis(1)).await;
            broker.settle_one(one.receipt, Settle::Done).await.unwrap();
        }
    }
    paper.text()
}

#[tokio::test(start_paused = true)]
async fn each_promise_has_a_corruption_that_is_found_as_what_it_is() {
    let good = record().await;
    let judge = |text: &str| check(&read(text).unwrap(), &Expect::drained()).unwrap();
    let report = judge(&good);
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.counts.accepted, report.counts.done), (3, 3));
    let (one, two) = (id(1).to_string(), id(2).to_string());
    let lines = good.lines().count();
    let cut: String = good.lines().take(lines - 2).map(|line| format!("{line}\n")).collect();
    let swapped: String = good
        .lines()
        .map(|line| {
            let received = line.contains("\"received\"");
            let line = if received {
                line.replace(&one, "one").replace(&two, &one).replace("one", &two)
            } else {
                line.to_owned()
            };
            // The owners go with their tokens.
            let line =
                line.replace(&format!("{one}\",\"token\":1,\"how"), "one\",\"token\":2,\"how");
            let line =
                line.replace(&format!("{two}\",\"token\":2,\"how"), "two\",\"token\":1,\"how");
            line.replace("\"one\"", &format!("\"{one}\"")).replace("\"two\"", &format!("\"{two}\""))
                + "\n"
        })
        .collect();
    for (text, kind) in [
        (good.replace("\"capacity\":3", "\"capacity\":2"), Kind::Bound),
        (good.replace(",\"delay_us\":50000", ""), Kind::Overslept),
        (good.replace("\"lease_us\":1000000", "\"lease_us\":1"), Kind::LateOwner),
        (cut, Kind::Loss),
        (swapped, Kind::Order),
        (good.replace("\"delay_us\":50000", "\"delay_us\":90000"), Kind::Early),
    ] {
        assert_ne!(text, good, "{kind}: nothing was changed");
        let report = judge(&text);
        assert!(!report.is_clean(), "{kind} was not found in\n{text}");
        assert!(report.violations.iter().all(|one| one.kind == kind), "{kind}: {report}\n{text}");
    }
}
