//! The last attempt of jobs whose workers died: alone, so that no job is buried for what another one did.

use std::sync::Arc;
use std::time::Duration;

use handover::{Ask, Backend, BrokerExt, Client, Context, RetryPolicy, Task, Worker};
use tokio::sync::{Barrier, mpsc};

use crate::support::{AT_ONCE, WAIT, place, sums};

const JOB: Task<u64, ()> =
    Task::new("job", "sums").retry(RetryPolicy { attempts_max: 3, ..AT_ONCE });
const LEASE: Duration = Duration::from_secs(1);

/// Two jobs, both of which lost this many attempts with a worker that died.
async fn two_that_came_back(backend: &Backend, client: &Client, deaths: u32) {
    for n in [1, 2] {
        client.send(JOB, &n).await.unwrap();
    }
    for attempt in 1..=deaths {
        let ask = Ask::new(2).lease(LEASE);
        let taken = backend.broker.receive(&[sums()], ask).await.unwrap();
        assert!(taken.len() == 2 && taken.iter().all(|one| one.attempt == attempt));
        tokio::time::advance(LEASE * 2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_of_a_job_whose_workers_died_runs_alone() {
    let (backend, client) = place(8).await;
    two_that_came_back(&backend, &client, 2).await;
    for fresh in 3..=5 {
        client.send(JOB, &fresh).await.unwrap();
    }
    let (told, mut tell) = mpsc::unbounded_channel();
    let worker = Worker::new(&backend).concurrency(3).prefetch(2).until_empty().handle(
        JOB,
        move |context: Context, n| {
            let told = told.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                let queue = context.backend().broker.inspector()?.queue(&sums()).await?;
                told.send((n, context.attempt(), queue.map(|queue| queue.leased))).unwrap();
                Ok(())
            }
        },
    );
    let stats = tokio::time::timeout(WAIT, worker.start().await.unwrap().join()).await;
    let stats = stats.unwrap().unwrap();
    assert_eq!((stats.done, stats.buried, stats.lost), (5, 0, 0));
    assert!(stats.released >= 2, "both were given back first: {stats:?}");
    let mut seen = Vec::new();
    while let Ok(one) = tell.try_recv() {
        seen.push(one);
    }
    for n in [1, 2] {
        let leased: Vec<_> = seen.iter().filter(|(job, ..)| *job == n).collect();
        assert_eq!(leased, [&(n, 3, Some(1))], "nothing else was leased then");
    }
}

#[tokio::test(start_paused = true)]
async fn an_earlier_attempt_after_a_death_runs_beside_others() {
    let (backend, client) = place(8).await;
    two_that_came_back(&backend, &client, 1).await;
    let both = Arc::new(Barrier::new(2));
    let worker = Worker::new(&backend).concurrency(2).until_empty().handle(
        JOB,
        move |context: Context, _| {
            let both = Arc::clone(&both);
            async move {
                assert_eq!(context.attempt(), 2);
                both.wait().await;
                Ok(())
            }
        },
    );
    let stats = tokio::time::timeout(WAIT, worker.start().await.unwrap().join()).await;
    assert_eq!(stats.unwrap().unwrap().done, 2);
}

#[tokio::test(start_paused = true)]
async fn jobs_that_run_one_at_a_time_are_alone_anyhow_and_never_given_back() {
    let (backend, client) = place(8).await;
    two_that_came_back(&backend, &client, 2).await;
    let worker = Worker::new(&backend).until_empty().handle(JOB, |_, _| async move { Ok(()) });
    let stats = worker.start().await.unwrap().join().await.unwrap();
    assert_eq!((stats.done, stats.released), (2, 0));
}
