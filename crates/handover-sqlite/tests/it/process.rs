//! Several processes on one file: waking, and dying.

use std::time::Duration;

use handover::{Ask, Broker, BrokerExt, Message, QueueSettings, ResultStore, Room, Settle};
use handover_sqlite::SqliteOptions;

use crate::child::Actor;
use crate::support::{Bench, PATIENCE, text, until};

impl Bench {
    fn bells(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("handover.db-bell")).map_or(0, Iterator::count)
    }
}

#[tokio::test]
async fn a_send_wakes_a_receive_that_sleeps_in_another_process() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10).await;
    let mut sleeper = Actor::start("sleep", &bench.path());
    sleeper.says("asking").await;
    until("it has hung up its bell", || bench.bells() == 1).await;
    bench.send(&broker, "wake up").await;
    assert_eq!(sleeper.says("woke").await, "wake up");
    assert!(file.stats().rings >= 1);
}

#[tokio::test]
async fn a_settlement_wakes_a_send_that_sleeps_for_room_in_another_process() {
    let bench = Bench::new();
    let (_file, broker) = bench.broker(1).await;
    bench.send(&broker, "first").await;
    let first = bench.take(&broker).await;
    let mut sleeper = Actor::start("sleep for room", &bench.path());
    sleeper.says("asking").await;
    until("it has hung up its bell", || bench.bells() == 1).await;
    broker.settle_one(first.receipt, Settle::Done).await.unwrap();
    assert_eq!(sleeper.says("woke").await, "true");
    assert_eq!(bench.drain(&broker).await, ["late"]);
}

#[tokio::test]
async fn an_outcome_wakes_a_caller_that_waits_for_it_in_another_process() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(1).await;
    let message = Message::new("question");
    broker.send_one(&bench.queue, message.clone(), Room::now()).await.unwrap();
    let results = file.results();
    let mut worker = Actor::start("put", &bench.path());
    worker.says("ready").await;
    // Less than the tick: only the bell can wake it.
    let waiting =
        tokio::spawn(async move { results.wait(message.id, Duration::from_secs(4)).await });
    until("it has hung up its bell", || bench.bells() == 1).await;
    worker.go_on().await;
    worker.says("put").await;
    let record = waiting.await.unwrap().unwrap().expect("the outcome");
    assert_eq!(record.output.as_deref(), Some("42"));
}

#[tokio::test]
async fn what_was_answered_is_there_after_the_sender_was_killed() {
    let bench = Bench::new();
    let (_file, broker) = bench.broker(1_000_000).await;
    for round in 1..=5 {
        let mut sender = Actor::start("send", &bench.path());
        for _ in 0..round * 7 {
            sender.says("sent").await;
        }
        sender.kill().await;
        let answered = round * 7 + sender.said("sent").await.len();
        let stored = bench.drain(&broker).await;
        let expected: Vec<String> = (0..stored.len()).map(|n| n.to_string()).collect();
        assert_eq!(stored, expected, "in order and without a gap");
        let unheard = stored.len() - answered;
        assert!(unheard <= 1, "{unheard} more are stored than one send can be without its answer");
    }
}

#[tokio::test]
async fn the_lease_of_a_killed_worker_comes_back_with_a_new_token() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10).await;
    bench.send(&broker, "work").await;
    let mut worker = Actor::start("hold", &bench.path());
    let token: u64 = worker.says("took").await.parse().unwrap();
    worker.kill().await;
    let findings = file.doctor().unwrap();
    assert!(findings.to_string().contains("that process is gone"), "{findings}");
    let again = bench.take(&broker).await;
    assert_eq!((text(&again.message.body).as_str(), again.attempt), ("work", 2));
    assert!(again.receipt.token > token);
    assert!(again.last_failure.unwrap().contains("ran out"));
}

#[tokio::test]
async fn the_bell_of_a_killed_process_is_taken_down_by_the_next_ring() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10).await;
    let mut sleeper = Actor::start("sleep", &bench.path());
    until("it has hung up its bell", || bench.bells() == 1).await;
    sleeper.kill().await;
    let report = file.doctor().unwrap();
    assert!(report.to_string().contains("left over from a dead process"), "{report}");
    bench.send(&broker, "anybody there").await;
    until("the bell is gone", || bench.bells() == 0).await;
}

#[tokio::test]
async fn a_lease_that_another_process_holds_ends_while_we_sleep_and_wakes_us() {
    let bench = Bench::new();
    let (_file, broker) = bench.broker(10).await;
    let mut worker = Actor::start("hold", &bench.path());
    // We sleep before it dies, so that nobody is left to ring when its lease ends.
    let ask = Ask::new(1).wait(Duration::from_secs(4)).lease(Duration::from_secs(600));
    bench.send(&broker, "work").await;
    worker.says("took").await;
    let receive = broker.receive_one(&bench.queue, ask);
    let (received, ()) = tokio::join!(receive, worker.kill()); // the first is asked first
    assert_eq!(received.unwrap().expect("before the tick").attempt, 2);
}

#[tokio::test]
async fn a_queue_declared_in_one_process_can_be_sent_to_in_another() {
    let bench = Bench::new();
    let (_file, broker) = bench.broker(10).await;
    let mut other = Actor::start("send one", &bench.path());
    other.says("sent").await;
    let got = bench.take(&broker).await;
    assert_eq!(text(&got.message.body), "hello");
    let mut settings = QueueSettings::with_capacity(1);
    settings.exclusive = true;
    broker.declare(&bench.queue, &settings).await.unwrap();
    let mut full = Actor::start("sleep for room", &bench.path());
    full.says("asking").await;
    assert!(tokio::time::timeout(PATIENCE, full.says("woke")).await.unwrap() == "false");
}

#[tokio::test]
async fn no_token_is_given_twice_when_a_power_cut_takes_back_what_was_not_synced() {
    let bench = Bench::new();
    let (file, broker) = bench.broker(10).await;
    for _ in 0..3 {
        bench.send(&broker, "a").await;
    }
    let first = bench.take(&broker).await.receipt.token;
    // As the disk has it: the first lease was synced, later ones need not be.
    let disk = bench.folder.path().join("disk.db");
    file.backup(&disk, |_| {}).unwrap();
    let last = [bench.take(&broker).await, bench.take(&broker).await].map(|one| one.receipt.token);
    assert!(first < last[0] && last[0] < last[1]);
    let restored = SqliteOptions::default().open(&disk).unwrap().broker();
    let again = bench.take(&restored).await.receipt.token;
    assert!(again > last[1], "{again} after {last:?}");
    let reopened = bench.open().broker();
    bench.send(&reopened, "b").await;
    let next = bench.take(&reopened).await.receipt.token;
    assert!(next > last[1]);
    bench.send(&reopened, "c").await;
    assert!(bench.take(&broker).await.receipt.token > next, "two handles count on together");
}
