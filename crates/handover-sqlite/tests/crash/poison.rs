//! A job that kills its worker's process each time: after its last attempt it is put aside, and says what happened.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::Duration;

use handover::{
    Backend, BrokerExt, Context, Failure, JobState, QueueSettings, ResultStore, RetryPolicy, Room,
    Status, Task, Worker,
};

use crate::actor::{Actor, PATIENCE, say};
use crate::child::Role;
use crate::mortal::{Fate, die};
use crate::support::{QUEUE, Stage, queue};

const ATTEMPTS: u32 = 3;
const POISON: Task<bool, ()> = Task::new("poison", QUEUE)
    .retry(RetryPolicy { attempts_max: ATTEMPTS, ..RetryPolicy::DEFAULT });

/// A worker that works until its queue is empty.
pub(crate) async fn work(role: Role) {
    let results = Arc::new(role.file.results());
    let backend = Backend::new(role.broker, results);
    let worker = Worker::new(&backend).lease(Duration::from_millis(200)).until_empty().handle(
        POISON,
        |context: Context, deadly: bool| async move {
            say("began", context.attempt());
            if deadly {
                die();
            }
            Ok::<(), Failure>(())
        },
    );
    worker.start().await.unwrap().join().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_kills_its_worker_each_time_is_buried_with_the_reason() {
    let stage = Stage::new(&QueueSettings::with_capacity(20)).await;
    let poison = POISON.message(&true).unwrap();
    let id = poison.id;
    stage.broker.send_one(&queue(), poison, Room::now()).await.unwrap();
    for _ in 0..5 {
        let harmless = POISON.message(&false).unwrap();
        stage.broker.send_one(&queue(), harmless, Room::now()).await.unwrap();
    }
    let mut deaths = 0;
    loop {
        let fate = Fate::Open.to_string();
        let mut worker =
            Actor::start("poisoned worker", &stage.path(), &stage.next_history(), 0, &fate);
        let listen = async { while worker.hears("began").await.is_some() {} };
        tokio::time::timeout(PATIENCE, listen).await.expect("it dies, or its queue is empty");
        let status = worker.ended().await;
        if status.success() {
            break;
        }
        assert_eq!(status.signal(), Some(9), "{status}");
        deaths += 1;
        assert!(deaths <= ATTEMPTS, "it was not buried after {ATTEMPTS} attempts");
    }
    assert_eq!(deaths, ATTEMPTS, "each attempt killed a worker");
    let inspect = stage.plain.inspector().unwrap();
    let job = inspect.job(id).await.unwrap().expect("it is put aside, and not gone");
    assert_eq!(job.state, JobState::Buried);
    let reason = job.reason.unwrap();
    assert!(reason.contains("gave up after 3 attempts"), "{reason}");
    assert!(reason.contains("the lease of attempt 3 ran out before it was settled"), "{reason}");
    let explained = inspect.explain(id).await.unwrap().unwrap().because.join(" ");
    assert!(explained.contains("the lease of attempt 3 ran out"), "{explained}");
    let record = stage.results().get(id).await.unwrap().expect("its caller learns of it too");
    assert_eq!((record.status, record.reason), (Status::Failed, Some(reason)));
    // The others were done all the same, and a person can bring this one back.
    assert_eq!(stage.inventory().await.len(), 1);
    assert!(stage.broker.operator().unwrap().kick_job(id).await.unwrap());
    let back = inspect.job(id).await.unwrap().unwrap();
    assert_eq!((back.state, back.attempt), (JobState::Ready, 0));
    stage.judge().await;
}
