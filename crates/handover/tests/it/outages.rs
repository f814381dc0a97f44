//! What a worker does while the place of its results is away, and when a part of the worker itself dies.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use handover::{
    Backend, BrokerExt, ErrorKind, JobState, MemoryBroker, MemoryResults, Status, Worker,
};
use tokio::sync::mpsc;

use crate::support::{DOUBLE, FailingResults, Treacherous, WAIT, sums, with_queue};

async fn on(results: &Arc<FailingResults>) -> (Backend, handover::Client) {
    let results: Arc<FailingResults> = Arc::clone(results);
    with_queue(Backend::new(Arc::new(MemoryBroker::new()), results), 8).await
}

#[tokio::test(start_paused = true)]
async fn a_result_store_that_is_away_for_a_while_costs_no_second_run() {
    let results = FailingResults::new(ErrorKind::Unavailable, 5);
    let (backend, client) = on(&results).await;
    let worker = Worker::new(&backend).handle(DOUBLE, |_, n| async move { Ok(n * 2) });
    let worker = worker.start().await.unwrap();
    assert_eq!(client.send(DOUBLE, &21).await.unwrap().result().await.unwrap(), 42);
    assert!(results.puts.load(Ordering::SeqCst) >= 6);
    let stats = worker.stop().await.unwrap();
    assert_eq!((stats.done, stats.retried, stats.lost), (1, 0, 0));
}

/// In real time, because the heartbeat is a thread that no runtime's clock moves.
#[tokio::test]
async fn a_result_store_that_is_away_for_longer_than_an_attempt_may_take_costs_no_second_run() {
    // Away for 1.2 s. The attempt may take 50 ms, twice the grace and a lease; then the lease runs on for at most one more.
    let results = FailingResults::new(ErrorKind::Unavailable, 6);
    let (backend, client) = on(&results).await;
    let short = DOUBLE.timeout(Duration::from_millis(50));
    let worker = Worker::new(&backend)
        .lease(Duration::from_millis(500))
        .grace(Duration::from_millis(10))
        .handle(short, |_, n| async move { Ok(n * 2) });
    let worker = worker.start().await.unwrap();
    assert_eq!(client.send(DOUBLE, &21).await.unwrap().result().await.unwrap(), 42);
    let stats = worker.stop().await.unwrap();
    assert_eq!((stats.done, stats.retried, stats.lost), (1, 0, 0));
}

#[tokio::test]
async fn a_result_store_that_stays_away_is_shown_and_a_stop_gives_the_job_back() {
    let results = FailingResults::new(ErrorKind::Unavailable, usize::MAX);
    let (backend, client) = on(&results).await;
    let worker = Worker::new(&backend)
        .drain(Duration::ZERO)
        .grace(Duration::from_millis(10))
        .handle(DOUBLE, |_, n| async move { Ok(n) });
    let job = client.send(DOUBLE, &1).await.unwrap();
    let worker = worker.start().await.unwrap();
    let shown = || worker.handle().health().idle_because.unwrap_or_default();
    while !shown().contains("the disk of the results is gone") {
        tokio::task::yield_now().await;
    }
    let stats = worker.stop().await.unwrap();
    assert_eq!((stats.done, stats.retried, stats.lost), (0, 1, 0));
    let stored = backend.broker.inspector().unwrap().job(job.id()).await.unwrap().unwrap();
    assert_eq!(stored.state, JobState::Delayed);
    assert!(stored.reason.unwrap().contains("the result was not stored"));
}

#[tokio::test]
async fn a_result_store_that_refuses_for_good_buries_the_job_after_its_attempts() {
    let results = FailingResults::new(ErrorKind::Internal, usize::MAX);
    let (backend, client) = on(&results).await;
    let worker = Worker::new(&backend).handle(DOUBLE, |_, n| async move { Ok(n) });
    let job = client.send(DOUBLE, &1).await.unwrap();
    let worker = worker.start().await.unwrap();
    let (inspect, operate) =
        (backend.broker.inspector().unwrap(), backend.broker.operator().unwrap());
    let buried = loop {
        let stored = inspect.job(job.id()).await.unwrap().unwrap();
        match stored.state {
            JobState::Buried => break stored,
            // It rests for ten seconds, which nobody wants to wait for.
            JobState::Delayed => _ = operate.kick_job(job.id()).await.unwrap(),
            _ => tokio::task::yield_now().await,
        }
    };
    let reason = buried.reason.unwrap();
    assert!(reason.starts_with("gave up after 3 attempts: the result was not stored"), "{reason}");
    let stats = worker.stop().await.unwrap();
    assert_eq!((stats.done, stats.retried, stats.buried, stats.lost), (0, 3, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_heartbeat_dies_gives_everything_back_and_ends_with_an_error() {
    let broker = Arc::new(Treacherous::default());
    let backend = Backend::new(Arc::clone(&broker) as Arc<_>, Arc::new(MemoryResults::new()));
    let (backend, client) = with_queue(backend, 8).await;
    let (begun, mut began) = mpsc::unbounded_channel();
    let worker = Worker::new(&backend)
        .lease(Duration::from_millis(300))
        .grace(Duration::from_millis(10))
        .handle(DOUBLE, move |_, _| {
            begun.send(()).unwrap();
            std::future::pending()
        });
    let job = client.send(DOUBLE, &1).await.unwrap();
    let worker = worker.start().await.unwrap();
    began.recv().await.unwrap();
    broker.extend_panics.store(true, Ordering::SeqCst);
    let handle = worker.handle();
    let error = tokio::time::timeout(WAIT, worker.join()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("heartbeat of the worker died"), "{error}");
    assert!(error.to_string().contains("panic=a bug in a broker"), "{error}");
    assert!(handle.health().idle_because.unwrap().contains("heartbeat of the worker died"));
    let stats = handle.health().stats;
    assert_eq!((stats.released, stats.lost, stats.running), (1, 0, 0));
    let left = backend.broker.receive_one(&sums(), handover::Ask::new(1)).await.unwrap().unwrap();
    assert_eq!((left.message.id, left.attempt), (job.id(), 1));
    assert!(
        backend.results.get(job.id()).await.unwrap().is_none_or(|r| r.status == Status::Running)
    );
}
