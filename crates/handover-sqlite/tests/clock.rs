//! The clock on the wall is set, and the machine starts anew: what leases and delays make of it.
//!
//! The clocks are pretended for the whole process, so these tests take turns, and have a program of their own. Another process
//! is this program, started again. Only Linux has a clock for it that nobody can set.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails, helpers included")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use handover::clock::{self, pretend};
use handover::{
    Ask, Broker, BrokerExt, Delivery, ErrorKind, Inspect, JobInfo, JobState, Message, QueueName,
    QueueSettings, Room, Settle,
};
use handover_sqlite::{SqliteBroker, SqliteFile, SqliteOptions};
use tokio::sync::{Mutex, MutexGuard};

#[path = "support/actor.rs"]
mod actor;
use actor::{Actor, PATIENCE, player, say};

const HOUR_MS: i64 = 60 * 60 * 1000;
const SHORT: Duration = Duration::from_millis(20);
const MINUTES: Duration = Duration::from_secs(10 * 60);
const FILE: &str = "HANDOVER_TEST_CLOCK_FILE";
const STEP: &str = "HANDOVER_TEST_CLOCK_STEP";

static TURN: Mutex<()> = Mutex::const_new(());

struct Bench {
    folder: tempfile::TempDir,
    queue: QueueName,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    async fn new() -> Self {
        let _turn = TURN.lock().await;
        pretend::nothing();
        Self { folder: tempfile::tempdir().unwrap(), queue: "mail".parse().unwrap(), _turn }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("handover.db")
    }

    async fn open(&self) -> (SqliteFile, SqliteBroker) {
        let file = SqliteOptions::default().open(self.path()).unwrap();
        let broker = file.broker();
        broker.declare(&self.queue, &QueueSettings::with_capacity(10)).await.unwrap();
        (file, broker)
    }

    async fn send(&self, broker: &SqliteBroker, delay: Duration) {
        let message = Message::new("a").with_delay(delay);
        broker.send_one(&self.queue, message, Room::now()).await.unwrap();
    }

    async fn take(
        &self,
        broker: &SqliteBroker,
        wait: Duration,
        lease: Duration,
    ) -> Option<Delivery> {
        broker.receive_one(&self.queue, Ask::new(1).wait(wait).lease(lease)).await.unwrap()
    }

    /// The only job there is.
    async fn job(&self, broker: &SqliteBroker) -> JobInfo {
        let page = broker.jobs(&self.queue, handover::JobFilter::default()).await.unwrap();
        let [job] = <[JobInfo; 1]>::try_from(page.jobs).unwrap();
        job
    }
}

#[tokio::test]
async fn a_clock_set_an_hour_forth_or_back_ends_no_lease_early_and_keeps_none_alive() {
    for step in [HOUR_MS, -HOUR_MS] {
        let bench = Bench::new().await;
        let (_file, broker) = bench.open().await;
        bench.send(&broker, Duration::ZERO).await;
        let taken = bench.take(&broker, PATIENCE, MINUTES).await.unwrap();
        pretend::step_wall(step);
        assert!(bench.take(&broker, Duration::ZERO, MINUTES).await.is_none(), "step {step}");
        let left = bench.job(&broker).await.due_in.unwrap();
        let rounded_up = MINUTES + Duration::from_millis(1);
        assert!(left <= rounded_up && left > MINUTES / 2, "step {step}: {left:?}");
        let extended = broker.extend(std::slice::from_ref(&taken.receipt), SHORT).await.unwrap();
        assert!(extended[0].is_ok(), "step {step}");
        pretend::step_wall(-step);
        // It ends by itself, soon, and the late owner is refused.
        let again = bench.take(&broker, PATIENCE, MINUTES).await.expect("the lease ran out");
        assert_eq!(again.attempt, 2);
        pretend::step_wall(step);
        let late = broker.settle_one(taken.receipt, Settle::Done).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::LeaseLost);
        broker.settle_one(again.receipt, Settle::Done).await.unwrap();
    }
}

#[tokio::test]
async fn a_clock_set_an_hour_forth_or_back_makes_no_delay_shorter_or_longer() {
    for step in [HOUR_MS, -HOUR_MS] {
        let bench = Bench::new().await;
        let (_file, broker) = bench.open().await;
        bench.send(&broker, MINUTES).await;
        pretend::step_wall(step);
        assert!(bench.take(&broker, Duration::ZERO, MINUTES).await.is_none());
        let job = bench.job(&broker).await;
        assert_eq!(job.state, JobState::Delayed);
        assert!(job.due_in.unwrap() > MINUTES / 2 && job.age < MINUTES, "{job:?}");
        bench.send(&broker, SHORT).await;
        pretend::step_wall(-step);
        let taken = bench.take(&broker, PATIENCE, SHORT).await.expect("the short delay is over");
        let release = Settle::Release { after: SHORT };
        pretend::step_wall(step);
        match broker.settle_one(taken.receipt, release).await {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::LeaseLost), // a slow machine
        }
        assert!(bench.take(&broker, PATIENCE, MINUTES).await.is_some());
    }
}

#[tokio::test]
async fn processes_with_different_clocks_on_the_wall_agree_on_every_lease() {
    for step in [HOUR_MS, -HOUR_MS] {
        let bench = Bench::new().await;
        let (_file, broker) = bench.open().await;
        bench.send(&broker, Duration::ZERO).await;
        let taken = bench.take(&broker, PATIENCE, MINUTES).await.unwrap();
        assert_eq!(other_process(&bench.path(), step).await, "none", "step {step}");
        let release = Settle::Release { after: Duration::ZERO };
        broker.settle_one(taken.receipt, release).await.unwrap();
        // It takes the job for a short while, and ends.
        assert_eq!(other_process(&bench.path(), step).await, "1", "step {step}");
        let again = bench.take(&broker, PATIENCE, MINUTES).await.expect("its lease ran out");
        assert_eq!(again.attempt, 2);
    }
}

/// What a process whose clock was set receives: the number of the attempt, or none.
async fn other_process(path: &Path, step: i64) -> String {
    let mut command = player("plays_the_other_process_when_asked");
    command.env(FILE, path).env(STEP, step.to_string());
    let mut actor = Actor::spawn(command);
    let took = actor.says("took").await;
    assert!(actor.ended().await.success());
    took
}

#[tokio::test]
async fn plays_the_other_process_when_asked() {
    let Some(path) = std::env::var_os(FILE) else { return };
    pretend::step_wall(std::env::var(STEP).unwrap().parse().unwrap());
    let file = SqliteOptions::default().open(path).unwrap();
    let mail: QueueName = "mail".parse().unwrap();
    let ask = Ask::new(1).lease(SHORT);
    let taken = file.broker().receive_one(&mail, ask).await.unwrap();
    say("took", taken.map_or_else(|| "none".to_owned(), |one| one.attempt.to_string()));
    file.close().await.unwrap();
}

/// Leases a job for minutes, sets the wall clock by `step` and starts the machine anew. The job as it is then.
async fn leased_and_rebooted(step: i64) -> (JobInfo, bool) {
    let bench = Bench::new().await;
    let (file, broker) = bench.open().await;
    bench.send(&broker, Duration::ZERO).await;
    bench.take(&broker, PATIENCE, MINUTES).await.unwrap();
    file.close().await.unwrap();
    pretend::step_wall(step);
    pretend::reboot();
    let (file, broker) = bench.open().await;
    let job = bench.job(&broker).await;
    let taken = bench.take(&broker, Duration::ZERO, MINUTES).await.is_some();
    file.close().await.unwrap();
    (job, taken)
}

#[tokio::test]
async fn after_a_reboot_time_has_passed_as_the_wall_says_and_never_goes_back() {
    // Half a minute for the reboot: the lease goes on.
    let (job, taken) = leased_and_rebooted(30_000).await;
    assert_eq!((job.state, taken), (JobState::Leased, false));
    assert!(job.due_in.unwrap() <= MINUTES - Duration::from_secs(30), "{job:?}");
    // An hour: it is over.
    let (job, taken) = leased_and_rebooted(HOUR_MS).await;
    assert_eq!((job.state, taken), (JobState::Ready, true));
    // A machine whose clock has lost an hour, or everything: it has what was left, and no more.
    for step in [-HOUR_MS, -i64::try_from(clock::wall_ms()).unwrap()] {
        let (job, taken) = leased_and_rebooted(step).await;
        assert_eq!((job.state, taken), (JobState::Leased, false));
        assert!(job.due_in.unwrap() <= MINUTES, "{job:?}");
    }
}

#[tokio::test]
async fn the_first_to_open_after_a_reboot_chooses_the_time_for_all() {
    let bench = Bench::new().await;
    let (file, _) = bench.open().await;
    file.close().await.unwrap();
    pretend::reboot();
    let (_first, first) = bench.open().await;
    pretend::step_wall(HOUR_MS);
    let (_second, second) = bench.open().await;
    bench.send(&first, Duration::ZERO).await;
    bench.take(&first, PATIENCE, MINUTES).await.unwrap();
    assert!(bench.take(&second, Duration::ZERO, MINUTES).await.is_none());
    assert_eq!(bench.job(&second).await.state, JobState::Leased);
}
