//! What a worker promises, each as a test on the memory broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use handover::{
    Backend, BrokerExt, CancelReason, Client, Context, ErrorKind, Failure, JobError, JobState,
    Outcome, QueueSettings, RetryPolicy, Settle, Status, Task, Worker,
};
use tokio::sync::{Semaphore, mpsc};

use crate::support::{AT_ONCE, DOUBLE, TREE, WAIT, place, sums};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_jobs_through_a_small_queue_are_each_done_once() {
    let (backend, client) = place(8).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let worker = Worker::new(&backend).concurrency(4).prefetch(4).handle(DOUBLE, move |_, n| {
        count.fetch_add(1, Ordering::SeqCst);
        async move { Ok(n * 2) }
    });
    let worker = worker.start().await.unwrap();
    let mut jobs = Vec::new();
    for n in 0..300_u64 {
        jobs.push(client.send(DOUBLE, &n).await.unwrap());
    }
    for (n, job) in (0..).zip(jobs) {
        assert_eq!(job.result().await.unwrap(), n * 2);
    }
    let stats = worker.stop().await.unwrap();
    assert_eq!((stats.done, stats.lost, stats.running), (300, 0, 0));
    assert_eq!(runs.load(Ordering::SeqCst), 300);
    let info = backend.broker.inspector().unwrap().queue(&sums()).await.unwrap().unwrap();
    assert!(info.depth_max <= 8, "{info:?}");
}

#[tokio::test]
async fn a_failing_job_is_tried_again_and_then_buried_with_its_reason() {
    let (backend, client) = place(8).await;
    let attempts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&attempts);
    let worker = Worker::new(&backend).handle(DOUBLE, move |context: Context, _| {
        count.fetch_max(context.attempt(), Ordering::SeqCst);
        async { Err(Failure::retry("no route to host")) }
    });
    let worker = worker.start().await.unwrap();
    let job = client.send(DOUBLE, &1).await.unwrap();
    let Err(JobError::Failed { reason, attempts: 3 }) = job.result().await else {
        panic!("not failed")
    };
    assert_eq!(reason, "gave up after attempt 3 of 3: no route to host");
    worker.stop().await.unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    let stored = backend.broker.inspector().unwrap().job(job.id()).await.unwrap().unwrap();
    assert_eq!(stored.state, JobState::Buried);
}

#[tokio::test]
async fn a_panic_is_an_outcome_and_the_worker_goes_on() {
    let (backend, client) = place(8).await;
    let worker = Worker::new(&backend).handle(DOUBLE, |context: Context, n| async move {
        assert!(context.attempt() > 1, "the first attempt of {n} panics");
        Ok(n * 2)
    });
    let worker = worker.start().await.unwrap();
    assert_eq!(client.send(DOUBLE, &21).await.unwrap().result().await.unwrap(), 42);
    assert_eq!(worker.stop().await.unwrap().retried, 1);
}

#[tokio::test]
async fn an_attempt_that_runs_too_long_is_cancelled_and_tried_again() {
    const SLOW: Task<(), u32> = DOUBLE_SLOW;
    let (backend, client) = place(8).await;
    let worker = Worker::new(&backend).grace(Duration::from_millis(10)).handle(
        SLOW,
        |context: Context, ()| async move {
            if context.attempt() == 1 {
                std::future::pending::<()>().await;
            }
            Ok(context.attempt())
        },
    );
    let worker = worker.start().await.unwrap();
    assert_eq!(client.send(SLOW, &()).await.unwrap().result().await.unwrap(), 2);
    worker.stop().await.unwrap();
}

const DOUBLE_SLOW: Task<(), u32> =
    Task::new("slow", "sums").timeout(Duration::from_millis(50)).retry(AT_ONCE);

#[tokio::test]
async fn arguments_that_do_not_fit_are_buried_at_the_first_attempt() {
    const WORDS: Task<String, u64> = Task::new("double", "sums");
    let (backend, client) = place(8).await;
    let worker =
        Worker::new(&backend).handle(DOUBLE, |_, n| async move { Ok(n) }).start().await.unwrap();
    let job = client.send(WORDS, &"two".to_owned()).await.unwrap();
    let record = job.outcome(WAIT).await.unwrap().unwrap();
    assert_eq!((record.status, record.attempt), (Status::Failed, 1));
    assert!(record.reason.unwrap().contains("do not fit"));
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_keeps_the_lease_of_a_handler_that_blocks_the_runtime() {
    let (backend, client) = place(8).await;
    let attempts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&attempts);
    let worker =
        Worker::new(&backend).lease(Duration::from_millis(300)).handle(DOUBLE, move |_, n| {
            count.fetch_add(1, Ordering::SeqCst);
            // Blocks its thread for three leases, as a handler should not and some do.
            let (_keep, never) = std::sync::mpsc::channel::<()>();
            _ = never.recv_timeout(Duration::from_millis(900));
            async move { Ok(n) }
        });
    let worker = worker.start().await.unwrap();
    assert_eq!(client.send(DOUBLE, &7).await.unwrap().result().await.unwrap(), 7);
    assert_eq!(worker.stop().await.unwrap().lost, 0);
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_job_cancels_its_handler_and_is_not_settled_by_it() {
    let (backend, client) = place(8).await;
    let (started, mut start) = mpsc::unbounded_channel();
    let (told, mut tell) = mpsc::unbounded_channel();
    let worker = Worker::new(&backend).lease(Duration::from_millis(200)).handle(
        DOUBLE,
        move |context: Context, _| {
            let (started, told) = (started.clone(), told.clone());
            async move {
                started.send(()).unwrap();
                told.send(context.cancel().cancelled().await).unwrap();
                Ok(0)
            }
        },
    );
    let worker = worker.start().await.unwrap();
    let job = client.send(DOUBLE, &7).await.unwrap();
    start.recv().await.unwrap();
    assert!(client.cancel(job.id(), "not wanted any more").await.unwrap());
    assert!(
        matches!(job.result().await, Err(JobError::Failed { reason, .. }) if reason == "not wanted any more")
    );
    assert_eq!(
        tokio::time::timeout(WAIT, tell.recv()).await.unwrap(),
        Some(CancelReason::LeaseLost)
    );
    let stats = worker.stop().await.unwrap();
    assert_eq!((stats.done, stats.lost), (0, 1));
    let stored = backend.broker.inspector().unwrap().job(job.id()).await.unwrap().unwrap();
    assert_eq!(
        (stored.state, stored.reason.as_deref()),
        (JobState::Buried, Some("not wanted any more"))
    );
}

#[tokio::test]
async fn a_long_reason_of_a_cancel_is_cut_alike_in_the_queue_and_in_the_result() {
    let (backend, client) = place(8).await;
    let job = client.send(DOUBLE, &7).await.unwrap();
    let reason = "ä".repeat(5 * 1024);
    assert!(client.cancel(job.id(), &reason).await.unwrap());
    let stored = backend.broker.inspector().unwrap().job(job.id()).await.unwrap().unwrap();
    let record = backend.results.get(job.id()).await.unwrap().unwrap();
    assert_eq!(stored.reason.as_deref(), Some(Settle::cut_reason(&reason)));
    assert_eq!(record.reason, stored.reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_what_runs_finish_and_gives_back_what_has_not_begun() {
    let (backend, client) = place(8).await;
    let gate = Arc::new(Semaphore::new(0));
    let (started, mut start) = mpsc::unbounded_channel();
    let opened = Arc::clone(&gate);
    let worker = Worker::new(&backend).prefetch(3).handle(DOUBLE, move |_, n| {
        let (gate, started) = (Arc::clone(&opened), started.clone());
        async move {
            started.send(n).unwrap();
            gate.acquire().await?.forget();
            Ok(n)
        }
    });
    for n in 0..4 {
        client.send(DOUBLE, &n).await.unwrap();
    }
    let worker = worker.start().await.unwrap();
    assert_eq!(start.recv().await, Some(0));
    worker.handle().drain();
    gate.add_permits(1);
    let stats = worker.join().await.unwrap();
    assert_eq!((stats.done, stats.lost), (1, 0));
    let info = backend.broker.inspector().unwrap().queue(&sums()).await.unwrap().unwrap();
    assert_eq!((info.ready, info.leased), (3, 0));
    let left = backend.broker.receive_one(&sums(), handover::Ask::new(1)).await.unwrap().unwrap();
    assert_eq!(left.attempt, 1, "giving back counts no attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_phase_of_a_stop_cancels_and_gives_back() {
    let (backend, client) = place(8).await;
    let (started, mut start) = mpsc::unbounded_channel();
    let worker = Worker::new(&backend)
        .drain(Duration::ZERO)
        .grace(Duration::from_millis(10))
        .handle(DOUBLE, move |_, n| {
            started.send(n).unwrap();
            std::future::pending()
        });
    client.send(DOUBLE, &1).await.unwrap();
    let worker = worker.start().await.unwrap();
    start.recv().await.unwrap();
    let stats = worker.stop().await.unwrap();
    assert_eq!((stats.released, stats.done, stats.lost), (1, 0, 0));
    let left = backend.broker.receive_one(&sums(), handover::Ask::new(1)).await.unwrap().unwrap();
    assert_eq!(left.attempt, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_fed_by_its_own_jobs_finishes_although_it_is_far_larger_than_its_capacity() {
    let backend = Backend::memory();
    let client = Client::new(&backend);
    let mut settings = QueueSettings::with_capacity(4);
    settings.overdraft = 10_000;
    client.declare("sums", &settings).await.unwrap();
    let worker = Worker::new(&backend).concurrency(4).until_empty().handle(
        TREE,
        |context: Context, depth| async move {
            for _ in 0..if depth < 5 { 3 } else { 0 } {
                context.send(TREE, &(depth + 1)).await?;
            }
            Ok(())
        },
    );
    client.send(TREE, &0).await.unwrap();
    let stats =
        tokio::time::timeout(WAIT, worker.start().await.unwrap().join()).await.unwrap().unwrap();
    assert_eq!(stats.done, 1 + 3 + 9 + 27 + 81 + 243);
    let info = backend.broker.inspector().unwrap().queue(&sums()).await.unwrap().unwrap();
    assert!(info.depth_max <= 4, "{info:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_is_tried_again_sends_no_second_children() {
    let (backend, client) = place(100).await;
    let worker =
        Worker::new(&backend).until_empty().handle(TREE, |context: Context, depth| async move {
            if depth == 0 {
                for _ in 0..5 {
                    context.send(TREE, &1).await?;
                }
                if context.attempt() == 1 {
                    return Err(Failure::retry_after(Duration::ZERO, "after it has sent"));
                }
            }
            Ok(())
        });
    client.send(TREE, &0).await.unwrap();
    let stats = worker.start().await.unwrap().join().await.unwrap();
    assert_eq!((stats.done, stats.retried), (6, 1));
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_buried_before_its_next_attempt() {
    let (backend, client) = place(8).await;
    let job = client.send(DOUBLE, &1).await.unwrap();
    for _ in 0..AT_ONCE.attempts_max {
        // A worker that dies: it takes the job and never settles it.
        let ask = handover::Ask::new(1).wait(WAIT).lease(Duration::from_millis(1));
        backend.broker.receive_one(&sums(), ask).await.unwrap().unwrap();
    }
    let worker =
        Worker::new(&backend).handle(DOUBLE, |_, _| async { panic!("it must not run again") });
    let worker = worker.start().await.unwrap();
    let record = job.outcome(WAIT).await.unwrap().unwrap();
    assert_eq!(record.status, Status::Failed);
    assert!(record.reason.unwrap().contains("gave up after 3 attempts"));
    assert_eq!(worker.stop().await.unwrap().buried, 1);
}

#[tokio::test]
async fn a_handler_that_panics_before_its_first_await_is_an_outcome_too() {
    let (backend, client) = place(8).await;
    let worker = Worker::new(&backend).queue("sums").handle_any(WAIT, AT_ONCE, |context, _| {
        assert!(context.attempt() > 1, "the first attempt panics");
        std::future::ready(Outcome::Done { output: Some("7".to_owned()) })
    });
    let worker = worker.start().await.unwrap();
    assert_eq!(client.send(DOUBLE, &1).await.unwrap().result().await.unwrap(), 7);
    worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_job_whose_task_a_worker_does_not_know_is_left_to_others() {
    const OTHER: Task<(), ()> = Task::new("other", "sums").retry(RetryPolicy::NEVER);
    let (backend, client) = place(8).await;
    let job = client.send(OTHER, &()).await.unwrap();
    let worker =
        Worker::new(&backend).handle(DOUBLE, |_, n| async move { Ok(n) }).start().await.unwrap();
    client.send(DOUBLE, &1).await.unwrap().result().await.unwrap();
    assert_eq!(worker.stop().await.unwrap().released, 1);
    assert!(backend.broker.operator().unwrap().kick_job(job.id()).await.unwrap());
    let knows =
        Worker::new(&backend).handle(OTHER, |_, ()| async { Ok(()) }).start().await.unwrap();
    job.result().await.unwrap();
    knows.stop().await.unwrap();
}

#[tokio::test]
async fn a_kicked_job_is_tried_again_although_its_attempts_were_used_up() {
    let (backend, client) = place(8).await;
    let mended = Arc::new(AtomicU32::new(0));
    let is_mended = Arc::clone(&mended);
    let worker = Worker::new(&backend).handle(DOUBLE.retry(RetryPolicy::NEVER), move |_, n| {
        let mended = is_mended.load(Ordering::SeqCst) > 0;
        async move { if mended { Ok(n) } else { Err(Failure::retry("not mended yet")) } }
    });
    let worker = worker.start().await.unwrap();
    let job = client.send(DOUBLE, &5).await.unwrap();
    assert!(job.result().await.is_err());
    mended.store(1, Ordering::SeqCst);
    // The failed outcome is stored before the job is buried.
    while !client.kick(job.id()).await.unwrap() {
        tokio::task::yield_now().await;
    }
    assert_eq!(job.result().await.unwrap(), 5);
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_that_does_not_stop_is_reported_as_stuck() {
    let (backend, client) = place(8).await;
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    let task = DOUBLE.timeout(Duration::from_millis(20)).retry(RetryPolicy::NEVER);
    let worker = Worker::new(&backend).grace(Duration::from_millis(10)).handle_blocking(
        task,
        move |_, n| {
            _ = gate.lock().unwrap().recv();
            Ok(n)
        },
    );
    let worker = worker.start().await.unwrap();
    assert!(client.send(DOUBLE, &1).await.unwrap().result().await.is_err());
    assert_eq!(worker.stop().await.unwrap().stuck, 1);
    drop(open);
}

#[tokio::test]
async fn a_worker_that_needs_more_than_the_broker_promises_does_not_start() {
    let (backend, _) = place(8).await;
    let day = Duration::from_secs(24 * 60 * 60);
    let error = Worker::new(&backend).queue("sums").lease(day).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("lease_max_ms=43200000"), "{error}");
    let rest = RetryPolicy { delay_max: day * 10_000, ..RetryPolicy::DEFAULT };
    let task = DOUBLE.retry(rest);
    let error =
        Worker::new(&backend).handle(task, |_, n| async move { Ok(n) }).start().await.unwrap_err();
    assert!(error.to_string().contains("broker_delay_max_ms"), "{error}");
    for nothing in [Worker::new(&backend), Worker::new(&backend).queue("sums").concurrency(0)] {
        assert_eq!(nothing.start().await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn progress_can_be_seen_while_a_job_runs() {
    let (backend, client) = place(8).await;
    let (started, mut start) = mpsc::unbounded_channel();
    let worker =
        Worker::new(&backend).drain(Duration::ZERO).handle(DOUBLE, move |context: Context, _| {
            let started = started.clone();
            async move {
                context.progress(&(1, 10)).await;
                started.send(()).unwrap();
                std::future::pending().await
            }
        });
    let worker = worker.start().await.unwrap();
    let job = client.send(DOUBLE, &1).await.unwrap();
    start.recv().await.unwrap();
    let record = backend.results.get(job.id()).await.unwrap().unwrap();
    assert_eq!((record.status, record.output.as_deref()), (Status::Running, Some("[1,10]")));
    assert!(worker.handle().health().idle_because.is_none());
    worker.stop().await.unwrap();
}
