//! Handlers that go wrong in every way a handler can. Whatever one does, its job has an outcome, and the worker goes on
//! with the next.

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use handover::{
    Ask, Backend, BrokerExt, CancelReason, Client, Context, Failure, JobState, Outcome,
    RetryPolicy, Settle, Status, Task, Worker,
};
use tokio::sync::mpsc;

use crate::support::{AT_ONCE, DOUBLE, TREE, WAIT, place, sums};

/// Panics when it is dropped, wherever that is.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        // A second panic while the first one unwinds would end the process.
        if !std::thread::panicking() {
            panic_any(Bomb);
        }
    }
}

/// Sends one job whose every attempt fails, and one behind it; answers why the first one failed.
async fn fails(backend: &Backend, client: &Client, worker: Worker) -> String {
    let job = client.send(DOUBLE, &13).await.unwrap();
    let next = client.send(DOUBLE, &2).await.unwrap();
    let worker = worker.start().await.unwrap();
    let record = job.outcome(WAIT).await.unwrap().expect("an outcome");
    assert_eq!(record.status, Status::Failed);
    assert_eq!(next.outcome(WAIT).await.unwrap().expect("an outcome").status, Status::Done);
    let stats = worker.stop().await.unwrap();
    assert_eq!((stats.done, stats.buried, stats.lost, stats.stuck), (1, 1, 0, 0));
    let stored = backend.broker.inspector().unwrap().job(job.id()).await.unwrap().unwrap();
    assert_eq!(
        (stored.state, stored.reason.as_deref()),
        (JobState::Buried, record.reason.as_deref())
    );
    record.reason.expect("a reason")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_with_anything_at_all_is_a_failed_attempt() {
    let (backend, client) = place(8).await;
    let number = Worker::new(&backend).handle(DOUBLE, |_, n| async move {
        if n == 13 {
            panic_any(n);
        }
        Ok(n)
    });
    assert_eq!(
        fails(&backend, &client, number).await,
        "gave up after attempt 3 of 3: the handler panicked: with something that is no text"
    );
    let bomb = Worker::new(&backend).handle(DOUBLE, |_, n| async move {
        if n == 13 {
            panic_any(Bomb);
        }
        Ok(n)
    });
    let reason = fails(&backend, &client, bomb).await;
    assert!(reason.ends_with("with something that is no text"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_panics_when_it_is_dropped_is_a_failed_attempt() {
    let (backend, client) = place(8).await;
    let at_its_end = Worker::new(&backend).handle(DOUBLE, |_, n| async move {
        let _bomb = if n == 13 { Some(Bomb) } else { None };
        Ok(n)
    });
    let reason = fails(&backend, &client, at_its_end).await;
    assert!(reason.contains("the handler panicked"), "{reason}");

    let task = DOUBLE.timeout(Duration::from_millis(20));
    let when_cancelled =
        Worker::new(&backend).grace(Duration::from_millis(10)).handle(task, |_, n| async move {
            let _bomb = if n == 13 { Some(Bomb) } else { None };
            if n == 13 {
                std::future::pending::<()>().await;
            }
            Ok(n)
        });
    let reason = fails(&backend, &client, when_cancelled).await;
    assert!(reason.ends_with("it ran longer than 20ms"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_handler_that_panics_is_a_failed_attempt() {
    let (backend, client) = place(8).await;
    let worker = Worker::new(&backend).handle_blocking(DOUBLE, |_, n| {
        assert!(n != 13, "thirteen");
        Ok(n)
    });
    assert!(fails(&backend, &client, worker).await.ends_with("the handler panicked: thirteen"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_a_thread_of_the_runtime_is_out_of_time_like_any_other() {
    let (backend, client) = place(8).await;
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    let task = DOUBLE.timeout(Duration::from_millis(20)).retry(RetryPolicy::NEVER);
    let worker =
        Worker::new(&backend).grace(Duration::from_millis(10)).handle(task, move |_, n| {
            if n == 13 {
                _ = gate.lock().unwrap().recv();
            }
            async move { Ok(n) }
        });
    let (job, next) =
        (client.send(DOUBLE, &13).await.unwrap(), client.send(DOUBLE, &2).await.unwrap());
    let worker = worker.start().await.unwrap();
    let record =
        job.outcome(WAIT).await.unwrap().expect("an outcome although its thread is blocked");
    assert!(record.reason.unwrap().ends_with("it ran longer than 20ms"));
    assert_eq!(next.result().await.unwrap(), 2, "its slot is used again");
    assert_eq!(worker.handle().health().stats.stuck, 1);
    open.send(()).unwrap();
    worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_job_whose_handler_blocks_every_thread_of_the_runtime_goes_to_another_worker() {
    let (backend, client) = place(8).await;
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let (begun, mut began) = mpsc::unbounded_channel();
    let blocked = backend.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let task = DOUBLE.timeout(Duration::from_millis(20));
            let worker = Worker::new(&blocked)
                .lease(Duration::from_millis(100))
                .grace(Duration::from_millis(10))
                .handle(task, move |_, n| {
                    begun.send(()).unwrap();
                    _ = gate.lock().unwrap().recv();
                    async move { Ok(n) }
                });
            let worker = worker.start().await.unwrap();
            let handle = worker.handle();
            while handle.health().stats.lost == 0 {
                tokio::task::yield_now().await;
            }
            worker.stop().await.unwrap()
        })
    });
    client.send(DOUBLE, &7).await.unwrap();
    began.recv().await.unwrap();
    let ask = Ask::new(1).wait(WAIT);
    let taken = backend.broker.receive_one(&sums(), ask).await.unwrap().expect("it came back");
    assert_eq!(taken.attempt, 2);
    backend.broker.settle_one(taken.receipt, Settle::Done).await.unwrap();
    open.send(()).unwrap();
    let stats = tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
    assert_eq!((stats.done, stats.lost), (0, 1));
}

#[tokio::test]
async fn a_handler_that_ends_within_its_grace_is_done_although_it_was_told_to_stop() {
    let (backend, client) = place(8).await;
    let task = DOUBLE.timeout(Duration::from_millis(20)).retry(RetryPolicy::NEVER);
    let worker = Worker::new(&backend).grace(WAIT).handle(task, |context: Context, n| async move {
        assert_eq!(context.cancel().cancelled().await, CancelReason::TimedOut);
        Ok(n)
    });
    let worker = worker.start().await.unwrap();
    assert_eq!(client.send(DOUBLE, &7).await.unwrap().result().await.unwrap(), 7);
    assert_eq!(worker.stop().await.unwrap().done, 1);
}

#[tokio::test]
async fn a_reason_of_ten_megabytes_is_cut_in_the_record_as_in_the_broker() {
    let (backend, client) = place(8).await;
    for retried in [false, true] {
        let worker = Worker::new(&backend).handle(DOUBLE, move |_, n| async move {
            let reason = "é".repeat(5_000_000);
            match n {
                13 if retried => Err(Failure::retry(reason)),
                13 => Err(Failure::bury(reason)),
                n => Ok(n),
            }
        });
        let reason = fails(&backend, &client, worker).await;
        assert!((4095..=Settle::REASON_BYTES_MAX).contains(&reason.len()), "{}", reason.len());
        assert!(reason.ends_with('é') && reason.starts_with("gave up") == retried);
    }
}

#[tokio::test]
async fn a_result_of_fifty_megabytes_buries_its_job_and_the_worker_goes_on() {
    let (backend, client) = place(8).await;
    let typed = Task::<u64, String>::new("double", "sums").retry(AT_ONCE);
    let large = |n| if n == 13 { "x".repeat(50_000_000) } else { String::new() };
    let worker = Worker::new(&backend).handle(typed, move |_, n| async move { Ok(large(n)) });
    let reason = fails(&backend, &client, worker).await;
    let said = |how_much| {
        format!(
            "the result is too large for the result store: {how_much}; store it elsewhere and return where it is"
        )
    };
    assert_eq!(reason, said("more than 16777216 bytes of JSON"));

    let raw = Worker::new(&backend).queue("sums").handle_any(WAIT, AT_ONCE, move |_, body| {
        let n = if body == b"13" { 13 } else { 0 };
        async move { Outcome::Done { output: Some(format!("\"{}\"", large(n))) } }
    });
    let reason = fails(&backend, &client, raw).await;
    assert_eq!(reason, said("50000002 bytes of at most 16777216"));
}

#[tokio::test]
async fn a_result_that_is_no_json_buries_its_job() {
    let (backend, client) = place(8).await;
    let typed = Task::<u64, std::collections::BTreeMap<(u64, u64), u64>>::new("double", "sums");
    let worker = Worker::new(&backend).handle(typed, |_, n| async move {
        Ok((n == 13).then_some(((1, 2), 3)).into_iter().collect())
    });
    assert!(fails(&backend, &client, worker).await.contains("cannot be written as JSON"));
}

#[tokio::test]
async fn a_report_of_progress_that_is_too_large_costs_nothing_but_itself() {
    let (backend, client) = place(8).await;
    let worker = Worker::new(&backend).handle(DOUBLE, |context: Context, n| async move {
        context.progress(&"x".repeat(50_000_000)).await;
        let stored = context.backend().results.get(context.id()).await?;
        if stored.is_some() {
            return Err(Failure::bury("it was stored"));
        }
        Ok(n)
    });
    let worker = worker.start().await.unwrap();
    assert_eq!(client.send(DOUBLE, &7).await.unwrap().result().await.unwrap(), 7);
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_sends_ten_thousand_children_into_its_own_small_queue_finishes() {
    const CHILDREN: u64 = 10_000;
    let (backend, client) = place(1000).await;
    let attempts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&attempts);
    let worker = Worker::new(&backend).concurrency(4).prefetch(100).until_empty().handle(
        TREE,
        move |context: Context, depth| {
            count.fetch_max(context.attempt(), Ordering::SeqCst);
            async move {
                if depth == 0 {
                    let child = |n: u64| {
                        let id = context.id().derive(&n.to_string());
                        Ok::<_, handover::Error>(TREE.message(&1)?.with_id(id))
                    };
                    let children = (0..CHILDREN).map(child).collect::<Result<Vec<_>, _>>()?;
                    context.send_messages(context.queue(), &children).await?;
                }
                Ok(())
            }
        },
    );
    client.send(TREE, &0).await.unwrap();
    let stats = tokio::time::timeout(WAIT * 6, worker.start().await.unwrap().join())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((stats.done, stats.buried, stats.lost), (CHILDREN + 1, 0, 0));
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    let info = backend.broker.inspector().unwrap().queue(&sums()).await.unwrap().unwrap();
    assert!(info.depth_max <= 1000, "{info:?}");
}
