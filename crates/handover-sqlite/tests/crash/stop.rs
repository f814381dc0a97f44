//! SIGSTOP past the lease, then SIGCONT: the work has a new owner, and the old one learns that it is too late.

use std::sync::Arc;
use std::time::Duration;

use handover::{
    Ask, Backend, Broker, BrokerExt, CancelReason, Context, Delivery, ErrorKind, Failure,
    MemoryResults, Message, QueueSettings, Room, Settle, Task, Worker,
};
use rustix::process::Signal;

use crate::actor::{Actor, PATIENCE, say};
use crate::child::Role;
use crate::mortal::Fate;
use crate::seed::{is_long, random};
use crate::support::{QUEUE, Stage, queue};

const ROUNDS: u32 = 10;
const ROUNDS_LONG: u32 = 200;
const LEASE: Duration = Duration::from_millis(200);
const BATCH: usize = 3;

fn rounds() -> u32 {
    if is_long() { ROUNDS_LONG } else { ROUNDS }
}

fn actor(stage: &Stage, part: &str) -> Actor {
    let fate = Fate::Open.to_string();
    Actor::start(part, &stage.path(), &stage.next_history(), 0, &fate)
}

/// A hand: takes, extends and settles as it is told on its standard input.
pub(crate) async fn hand(role: Role) {
    let mut held: Vec<Delivery> = Vec::new();
    let broker = &role.broker;
    while let Some(line) = order() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["take", count, lease_ms] => {
                let (count, lease_ms) = (count.parse().unwrap(), lease_ms.parse().unwrap());
                held.clear();
                while held.len() < count {
                    let ask = Ask::new(count - held.len()).wait(PATIENCE);
                    let ask = ask.lease(Duration::from_millis(lease_ms));
                    held.extend(broker.receive(&[queue()], ask).await.unwrap());
                }
                let attempts: Vec<String> =
                    held.iter().map(|one| one.attempt.to_string()).collect();
                say("took", attempts.join(" "));
            }
            ["extend"] => {
                let receipts: Vec<_> = held.iter().map(|one| one.receipt.clone()).collect();
                let answers = broker.extend(&receipts, LEASE).await.unwrap();
                say("extended", words_of(&answers));
            }
            ["settle", how] => {
                let how = match how {
                    "done" => Settle::Done,
                    "retry" => Settle::Retry { after: Duration::ZERO, reason: String::new() },
                    "release" => Settle::Release { after: Duration::ZERO },
                    _ => Settle::Bury { reason: String::new() },
                };
                let batch: Vec<_> =
                    held.iter().map(|one| (one.receipt.clone(), how.clone())).collect();
                say("settled", words_of(&broker.settle(&batch).await.unwrap()));
            }
            _ => panic!("no such order: {line}"),
        }
    }
}

/// The next line of the parent; `None` when there are no more.
fn order() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).unwrap();
    (read > 0).then(|| line.trim_end().to_owned())
}

fn words_of(answers: &[handover::Result<()>]) -> String {
    let word = |answer: &handover::Result<()>| {
        answer.as_ref().map_or_else(|error| error.kind().as_str(), |()| "ok").to_owned()
    };
    answers.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn all(word: &str) -> String {
    [word; BATCH].join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_stood_still_past_its_lease_is_refused_and_changes_nothing() {
    let mut dice = random("stops");
    let stage = Stage::new(&QueueSettings::with_capacity(20)).await;
    let (mut first, mut second) = (actor(&stage, "hand"), actor(&stage, "hand"));
    let take = format!("take {BATCH} {}", LEASE.as_millis());
    let take_long = format!("take {BATCH} 600000");
    for _ in 0..rounds() {
        let keys = [None, Some("a"), Some("b")];
        let batch: Vec<Message> = keys
            .iter()
            .map(|key| match key {
                Some(key) => Message::new("work").with_key(*key),
                None => Message::new("work"),
            })
            .collect();
        stage.broker.send(&queue(), &batch, Room::within(PATIENCE)).await.unwrap();
        assert_eq!(first.asked(&take, "took").await, all("1"));
        if dice.bool() {
            // It may have come too late already, on a slow machine: then the rest holds all the more.
            first.asked("extend", "extended").await;
        }
        // It waits for an order now, so it holds no lock of the file.
        first.signal(Signal::STOP);
        assert_eq!(second.asked(&take_long, "took").await, all("2"));
        let settled_first = dice.bool();
        if settled_first {
            assert_eq!(second.asked("settle done", "settled").await, all("ok"));
        }
        first.signal(Signal::CONT);
        let how = ["done", "retry", "release", "bury"][dice.usize(0..4)];
        assert_eq!(first.asked("extend", "extended").await, all("lease_lost"));
        assert_eq!(first.asked(&format!("settle {how}"), "settled").await, all("lease_lost"));
        if !settled_first {
            assert_eq!(second.asked("settle done", "settled").await, all("ok"));
        }
        assert!(stage.inventory().await.is_empty(), "the late owner changed nothing");
    }
    drop((first, second));
    let report = stage.judge().await;
    let jobs = u64::from(rounds()) * BATCH as u64;
    assert_eq!((report.counts.done, report.counts.lease_lost), (jobs, jobs), "{report}");
}

const WAIT: Task<(), ()> = Task::new("wait", QUEUE);

/// A worker whose handler waits until it is cancelled, and says why it was.
pub(crate) async fn beating_worker(role: Role) {
    let backend = Backend::new(role.broker, Arc::new(MemoryResults::new()));
    let worker =
        Worker::new(&backend).lease(LEASE).handle(WAIT, |context: Context, ()| async move {
            say("began", context.attempt());
            let reason = context.cancel().cancelled().await;
            say("cancelled", reason == CancelReason::LeaseLost);
            Err::<(), _>(Failure::bury("a late owner's word"))
        });
    let running = worker.start().await.unwrap();
    // Until the parent closes our standard input.
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await.unwrap();
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stood_still_past_its_lease_cancels_its_handler() {
    let stage = Stage::new(&QueueSettings::with_capacity(20)).await;
    let mut other = actor(&stage, "hand");
    for _ in 0..rounds() / 2 {
        let mut worker = actor(&stage, "beating worker");
        let message = WAIT.message(&()).unwrap();
        stage.broker.send_one(&queue(), message, Room::within(PATIENCE)).await.unwrap();
        assert_eq!(worker.says("began").await, "1");
        stand_still(&stage, &worker).await;
        assert_eq!(other.asked("take 1 600000", "took").await, "2");
        worker.signal(Signal::CONT);
        assert_eq!(worker.says("cancelled").await, "true");
        assert_eq!(other.asked("settle done", "settled").await, "ok");
        assert!(stage.inventory().await.is_empty(), "the late owner buried nothing");
        worker.signal(Signal::KILL);
        worker.was_killed().await;
    }
    drop(other);
    stage.judge().await;
}

/// Stops a process whose heartbeat may be in a transaction: one that stood still there would lock everybody out, until it
/// goes on. So it goes on until it stands still elsewhere.
async fn stand_still(stage: &Stage, worker: &Actor) {
    loop {
        worker.signal(Signal::STOP);
        let settings = QueueSettings::with_capacity(20);
        let patience = Duration::from_secs(2);
        let queue = queue();
        let declared = stage.plain.declare(&queue, &settings);
        match tokio::time::timeout(patience, declared).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => assert_eq!(error.kind(), ErrorKind::Unavailable),
            Err(_) => {}
        }
        worker.signal(Signal::CONT);
    }
}
