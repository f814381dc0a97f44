//! Executing: runs the handler of one job in a task of its own, within its time, and turns whatever happens into an outcome.
//!
//! ```text
//! delivery ─▶ refused (attempts used up) ─────────────────────────────▶ bury
//!         └─▶ handler ─▶ returns ──▶ its outcome
//!                     ├─▶ panics ──▶ retry, with the panic's message
//!                     ├─▶ runs out of time ──▶ cancelled, then dropped ──▶ retry
//!                     ├─▶ the worker stops ──▶ cancelled, then dropped ──▶ release
//!                     └─▶ its lease is lost ─▶ cancelled, then dropped ──▶ nothing: another owner settles it
//! ```

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use handover_buffer::{Receiver, Sender};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::cancel::CancelReason;
use super::context::Context;
use super::fetch::Work;
use super::handler::Handler;
use super::{Phase, Shared};
use crate::clock;
use crate::delivery::{Delivery, Receipt, Settle};
use crate::outcome::Outcome;
use crate::results::{Record, Status};
use crate::retry::RetryPolicy;
use crate::task::Envelope;

/// A job whose attempt is over, on its way to be settled.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) receipt: Receipt,
    /// `None` where the lease is lost: then there is nothing to settle.
    pub(super) settle: Option<Settle>,
    /// What goes to the result store first.
    pub(super) record: Option<Record>,
    pub(super) slot: OwnedSemaphorePermit,
}

/// Runs jobs until there are no more: one of `concurrency` such loops.
pub(super) async fn run(shared: Arc<Shared>, work: Receiver<Work>, finished: Sender<Finished>) {
    while let Ok(item) = work.recv_async().await {
        let done = attempt(&shared, item).await;
        if finished.send_async(done).await.is_err() {
            return;
        }
    }
}

async fn attempt(shared: &Arc<Shared>, work: Work) -> Finished {
    let Work { delivery, cancel, canceller, slot } = work;
    let receipt = delivery.receipt.clone();
    let mut finished = Finished { receipt, settle: None, record: None, slot };
    if shared.phase() >= Phase::Draining {
        finished.settle = Some(Settle::Release { after: Duration::ZERO });
        return finished;
    }
    if cancel.reason() == Some(CancelReason::LeaseLost) {
        return finished;
    }
    let started = clock::now();
    let (task, handler) = find(shared, &delivery);
    let policy = handler.as_ref().map_or(RetryPolicy::DEFAULT, |handler| handler.retry);
    if let Some(settle) = policy.refuse(delivery.attempt, delivery.last_failure.as_deref()) {
        finished.record = record(&delivery, &settle, None, started);
        finished.settle = Some(settle);
        return finished;
    }
    shared.stats.begin();
    let outcome = match handler {
        Ok(handler) => {
            let context = Context::new(&shared.backend, &delivery, cancel);
            let running =
                tokio::spawn((handler.run)(context.clone(), delivery.message.body.clone()));
            watch(shared, &context, &canceller, running, &handler).await
        }
        // Another worker may know the task: it is tried again there, until its attempts are used up.
        Err(reason) => Some(Outcome::Retry { after: None, reason }),
    };
    shared.stats.end();
    let outcome = outcome.map(|outcome| fit(shared, outcome));
    let settle =
        outcome.as_ref().map(|outcome| policy.settle(outcome, delivery.attempt, fastrand::f64()));
    tracing::debug!(id = %finished.receipt.id, %task, attempt = delivery.attempt, settle = ?settle, "the attempt is over");
    let output = match outcome {
        Some(Outcome::Done { output }) => output,
        _ => None,
    };
    finished.record = settle.as_ref().and_then(|settle| record(&delivery, settle, output, started));
    finished.settle = settle;
    finished
}

/// The task a delivery calls and its handler, or why there is none. A message without an envelope is for the handler of
/// everything.
fn find(shared: &Shared, delivery: &Delivery) -> (String, std::result::Result<Handler, String>) {
    let named = Envelope::task_of(&delivery.message);
    let task = named.as_deref().unwrap_or_default().to_owned();
    if let Some(handler) = shared.registry.find(&task) {
        return (task, Ok(handler.clone()));
    }
    let reason = match named {
        Ok(task) => format!("this worker has no handler for the task {task:?}"),
        Err(error) => error.to_string(),
    };
    (task, Err(reason))
}

/// Waits for a handler, or for the reason to stop it. `None` where its lease is lost.
async fn watch(
    shared: &Shared,
    context: &Context,
    canceller: &super::cancel::Canceller,
    mut running: JoinHandle<Outcome>,
    handler: &Handler,
) -> Option<Outcome> {
    let reason = tokio::select! {
        biased;
        joined = &mut running => return Some(joined.unwrap_or_else(died)),
        reason = context.cancel().cancelled() => reason,
        () = tokio::time::sleep_until(clock::after(handler.timeout)) => {
            canceller.cancel(CancelReason::TimedOut);
            CancelReason::TimedOut
        }
    };
    // It was told; now it has a moment to end by itself, then it is dropped at its next await.
    let ended = tokio::time::timeout(shared.config.grace, &mut running).await;
    if ended.is_err() {
        running.abort();
        if tokio::time::timeout(shared.config.grace, &mut running).await.is_err() {
            shared.stats.stuck();
            tracing::error!(id = %context.id(), task = context.task(), %reason,
                "the handler does not stop; it runs on without its lease, and its slot is used again");
        }
    }
    match (reason, ended) {
        (CancelReason::LeaseLost, _) => None,
        // It finished after all, within its grace.
        (_, Ok(Ok(outcome @ Outcome::Done { .. }))) => Some(outcome),
        (CancelReason::Stopping, _) => Some(Outcome::Release { after: Duration::ZERO }),
        (CancelReason::TimedOut, _) => Some(Outcome::Retry {
            after: None,
            reason: format!("it ran longer than {:?}", handler.timeout),
        }),
    }
}

/// The outcome of a handler that panicked.
fn died(error: tokio::task::JoinError) -> Outcome {
    match error.try_into_panic() {
        Ok(panic) => Outcome::Retry {
            after: None,
            reason: format!("the handler panicked: {}", message(&*panic)),
        },
        Err(_dropped) => Outcome::Release { after: Duration::ZERO },
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with something that is no text")
}

/// An outcome that the result store can keep.
fn fit(shared: &Shared, outcome: Outcome) -> Outcome {
    let output_bytes_max = shared.backend.results.caps().output_bytes_max;
    match outcome {
        Outcome::Done { output: Some(output) } if output.len() > output_bytes_max => {
            Outcome::Bury {
                reason: format!(
                    "the result is too large for the result store: {} bytes of at most {output_bytes_max}; store it \
                 elsewhere and return where it is",
                    output.len()
                ),
            }
        }
        other => other,
    }
}

/// What the result store gets of an attempt: nothing unless it was the last one.
fn record(
    delivery: &Delivery,
    settle: &Settle,
    output: Option<String>,
    started: clock::Instant,
) -> Option<Record> {
    let (status, reason) = match settle {
        Settle::Done => (Status::Done, None),
        Settle::Bury { reason } => (Status::Failed, Some(reason.clone())),
        Settle::Retry { .. } | Settle::Release { .. } => return None,
    };
    let mut record = Record::new(delivery.receipt.id, &delivery.receipt.queue, status);
    record.task = delivery.message.headers.get("task").cloned().unwrap_or_default();
    record.attempt = delivery.attempt;
    record.token = delivery.receipt.token;
    record.output = output;
    record.reason = reason;
    record.at_ms = clock::wall_ms();
    record.took_ms = u64::try_from((clock::now() - started).as_millis()).unwrap_or(u64::MAX);
    Some(record)
}
