//! A full disk, a busy file: `Unavailable`, nothing half done, and the same value works again.

use std::time::Duration;

use handover::Broker;
use handover::{BrokerExt, ErrorKind, Message, QueueSettings, Room};
use handover_sqlite::{Severity, SqliteOptions};
use rusqlite::Connection;

use crate::support::{Bench, until};

#[tokio::test]
async fn a_full_disk_fails_the_send_whole_and_loses_nothing_that_was_answered() {
    let bench = Bench::new();
    let small = SqliteOptions::default().file_bytes_max(600 * 1024).open(bench.path()).unwrap();
    let broker = small.broker();
    broker.declare(&bench.queue, &QueueSettings::with_capacity(100_000)).await.unwrap();
    let mut answered = Vec::new();
    let error = loop {
        let number = answered.len();
        let batch: Vec<Message> =
            (0..3).map(|n| Message::new(format!("{:>900}", number + n))).collect();
        match broker.send(&bench.queue, &batch, Room::now()).await {
            Ok(_) => answered.extend(batch.iter().map(|one| one.body.clone())),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("make room"), "{error}");
    assert!(answered.len() > 100, "{}", answered.len());
    assert_eq!(bench.info(&broker).await.ready, answered.len() as u64);
    let report = small.doctor().unwrap();
    assert_eq!(report.worst(), Severity::Info, "{report}");
    // The full handle itself makes room, while others try to send what does not fit.
    let trying = tokio::spawn({
        let (broker, queue) = (broker.clone(), bench.queue.clone());
        async move {
            let huge = Message::new(vec![0; 1 << 20]);
            loop {
                let error = broker.send_one(&queue, huge.clone(), Room::now()).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            }
        }
    });
    until("they have tried", || small.stats().failures > 5).await;
    let drained = bench.drain(&broker).await;
    trying.abort();
    assert!(trying.await.unwrap_err().is_cancelled());
    assert_eq!(drained.len(), answered.len());
    assert!(drained.iter().zip(&answered).all(|(got, sent)| got.as_bytes() == sent));
    bench.send(&broker, "again").await;
    assert_eq!(bench.drain(&broker).await, ["again"]);
}

#[tokio::test]
async fn a_file_that_another_process_keeps_busy_is_unavailable_after_the_limit_and_works_again() {
    let bench = Bench::new();
    let options = SqliteOptions::default().busy_wait_max(Duration::from_millis(50));
    let file = options.open(bench.path()).unwrap();
    let broker = file.broker();
    broker.declare(&bench.queue, &QueueSettings::with_capacity(10)).await.unwrap();
    let hog = Connection::open(bench.path()).unwrap();
    hog.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = broker.send_one(&bench.queue, Message::new("a"), Room::now()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("busy"), "{error}");
    hog.execute_batch("ROLLBACK").unwrap();
    bench.send(&broker, "a").await;
    assert_eq!(bench.drain(&broker).await, ["a"]);
    assert!(file.stats().failures >= 1);
}
