//! Executing: runs the handler of one job in a task of its own, within its time, and turns whatever happens into an outcome.
//!
//! ```text
//! delivery ─▶ no handler for its task ────────────────────────────────▶ release, for another worker
//!         ├─▶ refused (attempts used up) ─────────────────────────────▶ bury
//!         └─▶ handler ─▶ returns ──▶ its outcome
//!                     ├─▶ panics ──▶ retry, with the panic's message
//!                     ├─▶ runs out of time ──▶ cancelled, then dropped ──▶ retry
//!                     ├─▶ the worker stops ──▶ cancelled, then dropped ──▶ release
//!                     └─▶ its lease is lost ─▶ cancelled, then dropped ──▶ nothing: another owner settles it
//! ```

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use handover_buffer::{Receiver, Sender};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::cancel::CancelReason;
use super::context::Context;
use super::fetch::Work;
use super::handler::{self, Handler};
use super::{Phase, Shared};
use crate::caps::Caps;
use crate::clock;
use crate::delivery::{Delivery, Receipt, Settle};
use crate::error::ErrorKind;
use crate::outcome::Outcome;
use crate::results::{Record, Status};
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
    let Work { mut delivery, cancel, canceller, slot } = work;
    let receipt = delivery.receipt.clone();
    let mut finished = Finished { receipt, settle: None, record: None, slot };
    if shared.phase() >= Phase::Draining {
        finished.settle = Some(Settle::Release { after: Duration::ZERO });
        return finished;
    }
    if cancel.reason() == Some(CancelReason::LeaseLost) {
        return finished;
    }
    let caps = shared.backend.broker.caps();
    let handler = match find(shared, &delivery) {
        Ok(handler) => handler.clone(),
        Err(reason) => {
            // Another worker may know it, so this one leaves it alone: no attempt counts.
            tracing::warn!(id = %finished.receipt.id, reason, "the job is given back");
            finished.settle = Some(within(caps, Settle::Release { after: NOT_MINE_REST }));
            return finished;
        }
    };
    let started = clock::now();
    if let Some(settle) = handler.retry.refuse(delivery.attempt, delivery.last_failure.as_deref()) {
        let settle = cut(settle);
        finished.record = record(&delivery, &settle, None, started);
        finished.settle = Some(settle);
        return finished;
    }
    shared.stats.begin();
    let context = Context::new(&shared.backend, &delivery, cancel);
    let (run, body) = (Arc::clone(&handler.run), std::mem::take(&mut delivery.message.body));
    let given = context.clone();
    // Called inside the task, so that a handler which panics before its first await is caught like any other.
    let running = tokio::spawn(async move { run(given, body).await });
    shared.leases.over_at(&finished.receipt, latest(shared, &handler));
    let outcome = watch(shared, &context, &canceller, running, &handler).await;
    shared.leases.attempted(&finished.receipt);
    shared.stats.end();
    let outcome = outcome.map(|outcome| fit(shared, outcome));
    let settle = outcome.as_ref().map(|outcome| {
        cut(within(caps, handler.retry.settle(outcome, delivery.attempt, fastrand::f64())))
    });
    tracing::debug!(id = %finished.receipt.id, task = context.task(), attempt = delivery.attempt, ?settle, "the attempt is over");
    let output = match outcome {
        Some(Outcome::Done { output }) => output,
        _ => None,
    };
    finished.record = settle.as_ref().and_then(|settle| record(&delivery, settle, output, started));
    finished.settle = settle;
    finished
}

/// When an attempt that begins now is over, if the runtime has a thread left to see to it: its time, the grace to end by
/// itself, the grace to be dropped, and a lease for good measure.
fn latest(shared: &Shared, handler: &Handler) -> clock::Instant {
    let config = &shared.config;
    let spare = config.grace.saturating_mul(2).saturating_add(config.lease);
    clock::after(handler.timeout.saturating_add(spare))
}

/// How long a job that this worker has no handler for is left to others.
const NOT_MINE_REST: Duration = Duration::from_secs(10);

/// The handler of a delivery, or why there is none. A message without an envelope is for the handler of everything.
fn find<'a>(shared: &'a Shared, delivery: &Delivery) -> std::result::Result<&'a Handler, String> {
    match Envelope::task_of(&delivery.message) {
        Ok(task) => shared
            .registry
            .find(task)
            .ok_or_else(|| format!("this worker has no handler for the task {task:?}")),
        Err(error) if error.kind() == ErrorKind::Invalid => {
            shared.registry.any().ok_or_else(|| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// A settlement that the broker can keep: no rest longer than its longest delay.
fn within(caps: &Caps, settle: Settle) -> Settle {
    let delay_max = caps.delay_max.unwrap_or_default();
    match settle {
        Settle::Retry { after, reason } => Settle::Retry { after: after.min(delay_max), reason },
        Settle::Release { after } => Settle::Release { after: after.min(delay_max) },
        other => other,
    }
}

/// The same with no more of a reason than brokers keep, so that a job's record says what its broker says.
fn cut(mut settle: Settle) -> Settle {
    if let Settle::Retry { reason, .. } | Settle::Bury { reason } = &mut settle {
        reason.truncate(Settle::cut_reason(reason).len());
        reason.shrink_to_fit();
    }
    settle
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
    let ended = ended.ok().map(|joined| joined.unwrap_or_else(died));
    if ended.is_none() {
        running.abort();
        let dropped = tokio::time::timeout(shared.config.grace, &mut running).await;
        let dropped = dropped.map(|joined| joined.unwrap_or_else(died)).is_ok();
        if !dropped || context.is_blocking() {
            shared.stats.stuck();
            tracing::error!(id = %context.id(), task = context.task(), %reason,
                "the handler does not stop; it runs on without its lease, and its slot is used again");
        }
    }
    match (reason, ended) {
        (CancelReason::LeaseLost, _) => None,
        // It finished after all, within its grace.
        (_, Some(outcome @ Outcome::Done { .. })) => Some(outcome),
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
        Ok(panic) => {
            let reason = format!("the handler panicked: {}", message(&*panic));
            discard(panic);
            Outcome::Retry { after: None, reason }
        }
        Err(_dropped) => Outcome::Release { after: Duration::ZERO },
    }
}

/// Drops what somebody else's code panicked with, which may be a value that panics when it is dropped.
#[allow(
    clippy::mem_forget,
    reason = "a panic out of the drop of a panic would never come to an end; what leaks is one value"
)]
pub(super) fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}

/// What a panic says.
pub(super) fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with something that is no text")
}

/// An outcome that the result store can keep.
fn fit(shared: &Shared, outcome: Outcome) -> Outcome {
    let bytes_max = shared.backend.results.caps().output_bytes_max;
    match outcome {
        Outcome::Done { output: Some(output) } if output.len() > bytes_max => {
            handler::too_large(&format!("{} bytes of at most {bytes_max}", output.len()))
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
    let task = delivery.message.task().unwrap_or_default();
    let mut record = Record::of(&delivery.receipt, task, delivery.attempt, status);
    record.output = output;
    record.reason = reason;
    record.took_ms = u64::try_from((clock::now() - started).as_millis()).unwrap_or(u64::MAX);
    Some(record)
}
