//! A deep queue: everything works as in a shallow one.

use std::time::Duration;

use handover::{
    Ask, Broker, Inspect, JobFilter, JobState, Message, Priority, QueueSettings, Room, Steer,
};
use handover_sqlite::Severity;

use crate::support::{Bench, text};

const DEPTH: usize = 100_000;

#[tokio::test]
async fn a_hundred_thousand_jobs_are_listed_leased_and_purged_in_order() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(1_000_000).await;
    let beside = "beside".parse().unwrap();
    broker.declare(&beside, &QueueSettings::with_capacity(10)).await.unwrap();
    for start in (0..DEPTH).step_by(1000) {
        let batch: Vec<Message> =
            (start..start + 1000).map(|n| Message::new(n.to_string())).collect();
        broker.send(&bench.queue, &batch, Room::now()).await.unwrap();
    }
    broker.send(&beside, &[Message::new("small")], Room::now()).await.unwrap();
    let urgent = Message::new("urgent").with_priority(Priority::MAX);
    broker.send(&bench.queue, &[urgent], Room::now()).await.unwrap();
    let info = bench.info(&broker).await;
    assert_eq!((info.ready, info.depth_max), (DEPTH as u64 + 1, DEPTH as u64 + 1));

    // Pages of the large queue come by walking, of the small one by its indexes.
    let mut after = 0;
    for page in 0..3 {
        let filter = JobFilter::default().state(Some(JobState::Ready)).after(after).limit(50);
        let jobs = broker.jobs(&bench.queue, filter).await.unwrap();
        let bodies: Vec<String> = jobs.jobs.iter().map(|job| text(&job.message.body)).collect();
        let expected: Vec<String> = (page * 50..page * 50 + 50).map(|n| n.to_string()).collect();
        assert_eq!(bodies, expected);
        after = jobs.next.expect("there is more");
    }
    let small = broker.jobs(&beside, JobFilter::default()).await.unwrap();
    assert_eq!((small.jobs.len(), small.next), (1, None));

    let ask = Ask::new(3).lease(Duration::from_secs(600));
    let got = broker.receive(std::slice::from_ref(&bench.queue), ask).await.unwrap();
    let bodies: Vec<String> = got.iter().map(|one| text(&one.message.body)).collect();
    assert_eq!(bodies, ["urgent", "0", "1"]);
    let leased = JobFilter::default().state(Some(JobState::Leased));
    assert_eq!(broker.jobs(&bench.queue, leased).await.unwrap().jobs.len(), 3);

    let purged = broker.purge(&bench.queue, JobState::Ready).await.unwrap();
    assert_eq!(purged, DEPTH as u64 - 2);
    assert_eq!(bench.info(&broker).await.depth(), 3);
    let report = file.doctor().unwrap();
    assert_eq!(report.worst(), Severity::Info, "{report}");
}

#[tokio::test]
async fn many_buried_jobs_are_kicked_in_pieces_as_far_as_there_is_room() {
    let bench = Bench::new();
    let (_file, broker) = bench.broker(5000).await;
    let batch: Vec<Message> = (0..1000).map(|n| Message::new(n.to_string())).collect();
    for _ in 0..5 {
        let batch: Vec<Message> = batch.iter().map(|one| Message::new(one.body.clone())).collect();
        broker.send(&bench.queue, &batch, Room::now()).await.unwrap();
    }
    for _ in 0..5 {
        let ask = Ask::new(1000).lease(Duration::from_secs(600));
        let got = broker.receive(std::slice::from_ref(&bench.queue), ask).await.unwrap();
        let bury = handover::Settle::Bury { reason: "all of them".to_owned() };
        let items: Vec<_> = got.into_iter().map(|one| (one.receipt, bury.clone())).collect();
        broker.settle(&items).await.unwrap();
    }
    broker.declare(&bench.queue, &QueueSettings::with_capacity(3500)).await.unwrap();
    assert_eq!(broker.kick(&bench.queue, u64::MAX).await.unwrap(), 3500);
    assert_eq!(bench.info(&broker).await.buried, 1500);
    let full = broker.kick(&bench.queue, 1).await.unwrap_err();
    assert_eq!(full.kind(), handover::ErrorKind::Full);
}

#[tokio::test]
async fn a_purge_takes_those_that_were_in_the_state_and_not_those_whose_turn_comes_by_it() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10_000).await;
    const KEYS: usize = 1500;
    for round in 0..2 {
        for start in (0..KEYS).step_by(500) {
            let keyed = |n: usize| Message::new(round.to_string()).with_key(n.to_string());
            let batch: Vec<Message> = (start..start + 500).map(keyed).collect();
            broker.send(&bench.queue, &batch, Room::now()).await.unwrap();
        }
    }
    let info = bench.info(&broker).await;
    assert_eq!((info.ready, info.held), (KEYS as u64, KEYS as u64));
    assert_eq!(broker.purge(&bench.queue, JobState::Ready).await.unwrap(), KEYS as u64);
    let info = bench.info(&broker).await;
    assert_eq!((info.ready, info.held), (KEYS as u64, 0));
    assert!(bench.drain(&broker).await.iter().all(|round| round == "1"));
    assert_eq!(broker.purge(&"none".parse().unwrap(), JobState::Ready).await.unwrap(), 0);
    let report = file.doctor().unwrap();
    assert_eq!(report.worst(), Severity::Info, "{report}");
}
