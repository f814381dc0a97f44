//! Backup and doctor.

use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use handover::{Broker, BrokerExt, ErrorKind, Message, QueueSettings, Room, Steer};
use handover_sqlite::{Report, Severity, SqliteOptions};
use rusqlite::Connection;

use crate::support::{Bench, PATIENCE};

/// The messages of the findings this bad.
fn findings(report: &Report, severity: Severity) -> Vec<&str> {
    let bad = report.findings.iter().filter(|finding| finding.severity == severity);
    bad.map(|finding| finding.message.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_while_others_write_is_whole_and_opens() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(1_000_000).await;
    let before: Vec<Message> = (0..1000).map(|_| Message::new(vec![b'x'; 500])).collect();
    broker.send(&bench.queue, &before, Room::now()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (broker, queue, stop) = (broker.clone(), bench.queue.clone(), Arc::clone(&stop));
        async move {
            while !stop.load(Ordering::Relaxed) {
                broker
                    .send_one(&queue, Message::new("more"), Room::within(PATIENCE))
                    .await
                    .unwrap();
            }
        }
    });
    let copy = bench.folder.path().join("copy.db");
    let (to, source) = (copy.clone(), file.clone());
    let steps = tokio::task::spawn_blocking(move || {
        let mut steps = Vec::new();
        source.backup(to, |progress| steps.push(progress)).unwrap();
        steps
    });
    let steps = steps.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    assert_eq!(steps.last().map(|step| step.remaining), Some(0));
    let restored = SqliteOptions::default().create(false).open(&copy).unwrap();
    let report = restored.doctor().unwrap();
    assert_eq!(report.worst(), Severity::Info, "{report}");
    let info = bench.info(&restored.broker()).await;
    assert!(info.ready >= 1000, "{}", info.ready);
    let names = std::fs::read_dir(bench.folder.path()).unwrap();
    let left = names
        .filter(|name| name.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part"));
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn a_backup_never_overwrites() {
    let bench = Bench::new();
    let (file, _broker) = bench.broker(10).await;
    let error = file.backup(bench.path(), |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    let nowhere = file.backup(bench.folder.path().join("no/copy.db"), |_| {}).unwrap_err();
    assert!(nowhere.to_string().contains("create it first"), "{nowhere}");
}

#[tokio::test]
async fn a_backup_that_fails_leaves_nothing_behind() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10).await;
    bench.send(&broker, "a").await;
    let copy = bench.folder.path().join("copy.db");
    // Somebody else takes the name while the copy is made.
    let error = file.backup(&copy, |_| std::fs::write(&copy, "theirs").unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "theirs");
    let names = std::fs::read_dir(bench.folder.path()).unwrap();
    let left: Vec<_> = names.map(|name| name.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".part")), "{left:?}");
}

#[tokio::test]
async fn the_doctor_finds_nothing_in_a_healthy_file_and_describes_it() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10).await;
    for n in 0..5 {
        let message = Message::new(vec![b'x'; n * 600]).with_key(format!("{}", n % 2));
        broker.send_one(&bench.queue, message, Room::now()).await.unwrap();
    }
    let taken = bench.take(&broker).await;
    let bury = handover::Settle::Bury { reason: "bad".to_owned() };
    broker.settle_one(taken.receipt, bury).await.unwrap();
    let report = file.doctor().unwrap();
    assert_eq!(report.worst(), Severity::Info, "{report}");
    let text = report.to_string();
    for says in
        ["format 1", "journal mode wal", "every page is sound", "4 of 10 places", "1 buried"]
    {
        assert!(text.contains(says), "{says} in\n{text}");
    }
    let back: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(back, report);
}

#[tokio::test]
async fn the_doctor_warns_of_a_paused_queue_and_one_above_its_capacity() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10).await;
    bench.send(&broker, "a").await;
    bench.send(&broker, "b").await;
    broker.declare(&bench.queue, &QueueSettings::with_capacity(1)).await.unwrap();
    let report = file.doctor().unwrap();
    assert!(findings(&report, Severity::Warning)[0].contains("above its capacity"), "{report}");
    broker.pause(&bench.queue, true).await.unwrap();
    let report = file.doctor().unwrap();
    assert!(findings(&report, Severity::Warning)[0].contains("paused"), "{report}");
}

#[tokio::test]
async fn the_doctor_finds_wrong_counters_lost_bodies_and_lost_ids() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10).await;
    broker.send_one(&bench.queue, Message::new(vec![0; 5000]), Room::now()).await.unwrap();
    let vandal = Connection::open(bench.path()).unwrap();
    vandal
        .execute_batch(
            "PRAGMA foreign_keys = OFF; UPDATE queue SET ready = 7; DELETE FROM body; DELETE FROM known;",
        )
        .unwrap();
    let report = file.doctor().unwrap();
    let errors = findings(&report, Severity::Error).join("\n");
    assert!(errors.contains("says 7 ready jobs and has 1"), "{report}");
    assert!(errors.contains("1 jobs have no known id, 1 have no body"), "{report}");
}

#[tokio::test]
async fn the_doctor_finds_a_damaged_page() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10_000).await;
    let batch: Vec<Message> = (0..500).map(|_| Message::new(vec![b'x'; 500])).collect();
    broker.send(&bench.queue, &batch, Room::now()).await.unwrap();
    file.close().await.unwrap();
    let mut raw = std::fs::File::options().write(true).open(bench.path()).unwrap();
    let length = raw.metadata().unwrap().len();
    raw.seek(SeekFrom::Start(length / 2 / 8192 * 8192)).unwrap();
    raw.write_all(&[0xA5; 8192]).unwrap();
    let report = bench.open().doctor().unwrap();
    assert_eq!(report.worst(), Severity::Error, "{report}");
    assert!(findings(&report, Severity::Error)[0].contains("restore a backup"), "{report}");
}
