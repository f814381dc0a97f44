//! Group commit, and what a caller that gives up leaves behind.

use std::task::Poll;
use std::time::Duration;

use handover::{
    Ask, BoxFuture, Broker, BrokerExt, Durability, ErrorKind, Fate, Inspect, JobId, Message, Put,
    QueueSettings, Record, ResultStore, Room, Settle, Status,
};
use handover_sqlite::SqliteOptions;

use crate::support::{Bench, PATIENCE, text, until};

#[tokio::test]
async fn a_thousand_concurrent_sends_share_few_commits() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(1000).await;
    let before = file.stats();
    let mut sends = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let (broker, queue) = (broker.clone(), bench.queue.clone());
        sends.spawn(async move {
            let message = Message::new(format!("{number}"));
            broker.send_one(&queue, message, Room::now()).await
        });
    }
    while let Some(sent) = sends.join_next().await {
        assert_eq!(sent.unwrap().unwrap().durability, Durability::Synced);
    }
    let commits = file.stats().commits - before.commits;
    assert!(commits <= 100, "1000 sends took {commits} commits");
    assert_eq!(bench.info(&broker).await.ready, 1000);
}

#[tokio::test]
async fn the_receipt_says_how_firmly_the_queue_is_kept() {
    let bench = Bench::new();
    let file =
        SqliteOptions::default().durability(Durability::Buffered).open(bench.path()).unwrap();
    let broker = file.broker();
    assert_eq!(broker.caps().durability, Durability::Buffered);
    for (wanted, given) in [
        (None, Durability::Buffered),
        (Some(Durability::Process), Durability::Buffered),
        (Some(Durability::Buffered), Durability::Buffered),
        (Some(Durability::Synced), Durability::Synced),
    ] {
        let mut settings = QueueSettings::with_capacity(10);
        settings.durability = wanted;
        broker.declare(&bench.queue, &settings).await.unwrap();
        let sent = broker.send_one(&bench.queue, Message::new(""), Room::now()).await.unwrap();
        assert_eq!(sent.durability, given, "{wanted:?}");
        assert_eq!(bench.info(&broker).await.settings, settings);
    }
}

#[tokio::test]
async fn a_dropped_send_that_waited_has_stored_nothing_and_is_in_nobodys_way() {
    let bench = Bench::new();
    let (_file, broker) = bench.broker(2).await;
    bench.send(&broker, "first").await;
    let big = [Message::new("big"), Message::new("big")];
    let mut waiting = broker.send(&bench.queue, &big, Room::within(PATIENCE));
    let mut small = broker.send_one(&bench.queue, Message::new("small"), Room::within(PATIENCE));
    assert!(poll_once(&mut waiting).await.is_none());
    while bench.info(&broker).await.senders_waiting == 0 {}
    assert!(poll_once(&mut small).await.is_none());
    while bench.info(&broker).await.senders_waiting == 1 {}
    drop(waiting); // the small one fits now
    small.await.unwrap();
    assert_eq!(bench.drain(&broker).await, ["first", "small"]);
}

/// Polls a call once.
pub(crate) async fn poll_once<T>(call: &mut BoxFuture<'_, T>) -> Option<T> {
    let polled = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
    match polled {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn messages_handed_to_a_receiver_that_left_come_back_at_once_and_uncounted() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10).await;
    for round in 1..=20 {
        let commits = file.stats().commits;
        let ask = Ask::new(1).wait(PATIENCE).lease(Duration::from_secs(600));
        let queues = [bench.queue.clone()];
        let mut receive = broker.receive(&queues, ask);
        assert!(poll_once(&mut receive).await.is_none());
        bench.send(&broker, "a").await;
        until("the send is committed", || file.stats().commits > commits).await;
        drop(receive); // it may have been answered already, and never looked
        let delivery = bench.take(&broker).await;
        assert_eq!(delivery.attempt, 1, "round {round}");
        broker.settle_one(delivery.receipt, Settle::Done).await.unwrap();
    }
}

#[tokio::test]
async fn large_and_small_bodies_come_back_byte_for_byte_after_every_kind_of_end() {
    let bench = Bench::new();
    let (_file, broker) = bench.broker(100).await;
    let sizes = [0, 1, 1023, 1024, 1025, 10_000, 3_000_000];
    for size in sizes {
        let body: Vec<u8> = (0..size).map(|n: usize| u8::try_from(n % 251).unwrap()).collect();
        let message = Message::new(body).with_header("size", size.to_string());
        broker.send_one(&bench.queue, message.clone(), Room::now()).await.unwrap();
        let retry = Settle::Retry { after: Duration::ZERO, reason: "again".to_owned() };
        for (attempt, how) in [(1, retry), (2, Settle::Release { after: Duration::ZERO })] {
            let delivery = bench.take(&broker).await;
            assert_eq!((&delivery.message, delivery.attempt), (&message, attempt));
            broker.settle_one(delivery.receipt, how).await.unwrap();
        }
        let delivery = bench.take(&broker).await;
        assert_eq!((&delivery.message, delivery.attempt), (&message, 2));
        broker.settle_one(delivery.receipt, Settle::Done).await.unwrap();
    }
}

#[tokio::test]
async fn a_batch_with_an_id_of_another_queue_stores_nothing_of_itself() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(100).await;
    let other = "other".parse().unwrap();
    broker.declare(&other, &QueueSettings::with_capacity(10)).await.unwrap();
    let taken = Message::new("there");
    broker.send_one(&other, taken.clone(), Room::now()).await.unwrap();
    let batch = [Message::new("a"), Message::new("b").with_key("k"), taken, Message::new("c")];
    let error = broker.send(&bench.queue, &batch, Room::now()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    let info = bench.info(&broker).await;
    assert_eq!((info.depth(), info.accepted, info.depth_max), (0, 0, 0));
    let report = file.doctor().unwrap();
    assert_eq!(report.worst(), handover_sqlite::Severity::Info, "{report}");
}

#[tokio::test]
async fn an_id_is_known_while_remembered_and_new_when_that_is_over() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10).await;
    let mut settings = QueueSettings::with_capacity(10);
    settings.remember = Duration::from_millis(200);
    broker.declare(&bench.queue, &settings).await.unwrap();
    let message = Message::new("once").with_id(JobId::new());
    let send = || broker.send_one(&bench.queue, message.clone(), Room::now());
    assert_eq!(send().await.unwrap().fates, [Fate::Stored]);
    assert_eq!(send().await.unwrap().fates, [Fate::Duplicate]);
    assert_eq!(bench.drain(&broker).await, ["once"]);
    // Known until the time is over; how many times we are quick enough to ask does not matter.
    while send().await.unwrap().fates == [Fate::Duplicate] {
        assert_eq!(bench.info(&broker).await.depth(), 0);
    }
    assert_eq!(bench.drain(&broker).await, ["once"]);
    let report = file.doctor().unwrap();
    assert_eq!(report.worst(), handover_sqlite::Severity::Info, "{report}");
}

#[tokio::test]
async fn what_ends_in_a_batch_is_answered_item_by_item_however_it_is_mixed() {
    let bench = Bench::new();
    let (_file, broker) = bench.broker(100).await;
    let batch: Vec<Message> = (0..20).map(|n| Message::new(n.to_string())).collect();
    broker.send(&bench.queue, &batch, Room::now()).await.unwrap();
    let ask = Ask::new(20).lease(Duration::from_secs(600));
    let got = broker.receive(std::slice::from_ref(&bench.queue), ask).await.unwrap();
    let receipt = |n: usize| got[n].receipt.clone();
    broker.settle_one(receipt(4), Settle::Done).await.unwrap();
    let mut forged = receipt(7);
    forged.token += 100;
    let bury = Settle::Bury { reason: "bad".to_owned() };
    let mut items: Vec<_> = (0..10).map(|n| (receipt(n), Settle::Done)).collect();
    items[7].0 = forged;
    items.push((receipt(3), bury.clone())); // named twice: the first one counts
    items.push((receipt(12), bury));
    items.extend((13..20).rev().map(|n| (receipt(n), Settle::Done)));
    let answers = broker.settle(&items).await.unwrap();
    let lost: Vec<usize> = answers
        .iter()
        .enumerate()
        .filter(|(_, answer)| answer.is_err())
        .map(|(index, _)| index)
        .collect();
    assert_eq!(lost, [4, 7, 10]);
    let info = bench.info(&broker).await;
    assert_eq!((info.done, info.leased, info.buried), (16, 3, 1));
}

#[tokio::test]
async fn two_handles_in_one_process_see_the_same_queues() {
    let bench = Bench::new();
    let (_one, first) = bench.broker(10).await;
    let second = bench.open().broker();
    let asleep = tokio::spawn({
        let (second, queue) = (second.clone(), bench.queue.clone());
        async move {
            let ask = Ask::new(1).wait(Duration::from_secs(4)); // less than the tick
            second.receive_one(&queue, ask).await.unwrap()
        }
    });
    until("the second sleeps", || bench.folder.path().join("handover.db-bell").exists()).await;
    bench.send(&first, "hello").await;
    let got = asleep.await.unwrap().expect("the bell woke it");
    assert_eq!(text(&got.message.body), "hello");
    assert_eq!(first.queues().await.unwrap(), second.queues().await.unwrap());
}

#[tokio::test]
async fn dropping_every_handle_ends_the_file_in_this_process() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10).await;
    bench.send(&broker, "a").await;
    drop((file, broker));
    let log = bench.folder.path().join("handover.db-wal");
    until("the last connection has removed its log", || !log.exists()).await;
}

#[tokio::test]
async fn closing_the_broker_leaves_the_results_open_and_closing_both_ends_the_writer() {
    let bench = Bench::new();
    let backend = handover_sqlite::open(bench.path()).unwrap();
    backend.broker.close().await.unwrap();
    backend.broker.close().await.unwrap();
    assert_eq!(backend.results.get(JobId::new()).await.unwrap(), None);
    let waiting = backend.results.wait(JobId::new(), PATIENCE);
    let closed = async { backend.results.close().await.unwrap() };
    let (waited, ()) = tokio::join!(waiting, closed);
    assert_eq!(waited.unwrap_err().kind(), ErrorKind::Closed);
    assert!(!bench.folder.path().join("handover.db-wal").exists());
    assert!(!bench.folder.path().join("handover.db-bell").exists());
}

#[tokio::test]
async fn where_no_bell_can_be_hung_up_a_sleeper_still_wakes_before_the_tick() {
    let bench = Bench::new();
    let (_one, first) = bench.broker(10).await;
    // A plain file is in the way of the folder for bells.
    std::fs::write(bench.folder.path().join("handover.db-bell"), "").unwrap();
    let second = bench.open();
    let sleeper = second.broker();
    let queues = [bench.queue.clone()];
    let mut asleep = sleeper.receive(&queues, Ask::new(1).wait(Duration::from_secs(4)));
    assert!(poll_once(&mut asleep).await.is_none());
    let commits = second.stats().commits;
    until("the second has looked", || second.stats().commits > 0 || commits > 0).await;
    bench.send(&first, "hello").await;
    assert_eq!(asleep.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_lease_shows_its_owner_and_results_are_removed_when_they_are_old() {
    let bench = Bench::new();
    let options = SqliteOptions::default().owner("crane 7").results_keep(Duration::from_millis(1));
    let file = options.open(bench.path()).unwrap();
    let (broker, results) = (file.broker(), file.results());
    broker.declare(&bench.queue, &QueueSettings::with_capacity(10)).await.unwrap();
    bench.send(&broker, "a").await;
    let taken = bench.take(&broker).await;
    let job = broker.job(taken.message.id).await.unwrap().unwrap();
    assert_eq!(job.owner.as_deref(), Some("crane 7"));
    let record = Record::new(taken.message.id, &bench.queue, Status::Done);
    assert_eq!(results.put(std::slice::from_ref(&record)).await.unwrap(), [Put::Stored]);
    while results.get(record.id).await.unwrap().is_some() {
        bench.send(&broker, "work goes on").await;
        bench.drain(&broker).await;
    }
}

#[tokio::test]
async fn a_result_is_kept_as_long_as_its_own_storer_says_whoever_else_has_the_file_open() {
    let bench = Bench::new();
    let long = bench.open().results();
    let hasty = SqliteOptions::default().results_keep(Duration::from_millis(1));
    let short = hasty.open(bench.path()).unwrap().results();
    let [kept, first, second] =
        [(); 3].map(|()| Record::new(JobId::new(), &bench.queue, Status::Done));
    short.put(std::slice::from_ref(&first)).await.unwrap();
    long.put(std::slice::from_ref(&kept)).await.unwrap();
    short.put(std::slice::from_ref(&second)).await.unwrap();
    for gone in [first.id, second.id] {
        while long.get(gone).await.unwrap().is_some() {
            let more = Record::new(JobId::new(), &bench.queue, Status::Done);
            short.put(&[more]).await.unwrap();
        }
    }
    assert_eq!(long.get(kept.id).await.unwrap(), Some(kept));
}
