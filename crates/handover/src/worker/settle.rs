//! Settling: stores results, then settles leases, both in batches.
//!
//! The result goes first: a job that is gone always has its result, and a crash between the two repeats the job, whose
//! second result finds the first one there. Whatever cannot be settled because the broker is away is tried again until
//! its lease is over or the worker is stopped for good, and then reported as lost; it is never dropped in silence.

use std::sync::Arc;
use std::time::Duration;

use handover_buffer::Receiver;

use super::execute::Finished;
use super::{Phase, Shared};
use crate::broker::BoxFuture;
use crate::clock;
use crate::delivery::{Receipt, Settle};
use crate::error::{Error, ErrorKind, Result};
use crate::results::{Record, Status};

const REST_MAX: Duration = Duration::from_secs(2);

/// Settles until no executor is left.
pub(super) async fn run(shared: Arc<Shared>, finished: Receiver<Finished>) {
    let batch_max = shared.backend.broker.caps().batch_max.clamp(1, 1000);
    let mut batch = Vec::new();
    while finished.recv_many_async(&mut batch, batch_max).await.is_ok() {
        // What has no result does not wait for the result store.
        let (mut with_result, without): (Vec<_>, Vec<_>) =
            batch.drain(..).partition(|item| item.record.is_some());
        settle(&shared, without).await;
        store_results(&shared, &mut with_result).await;
        settle(&shared, with_result).await;
    }
}

/// Stores the batch's results. A result that can never be stored turns its job into a failure.
async fn store_results(shared: &Shared, batch: &mut [Finished]) {
    let (records, receipts): (Vec<Record>, Vec<Receipt>) = batch
        .iter_mut()
        .filter_map(|item| {
            let record = item.record.take()?;
            // An owner that comes too late must not tell the world that the job has failed: another one may be doing it.
            let late = shared.leases.ends(&item.receipt).is_none_or(|ends| ends <= clock::now());
            (record.status == Status::Done || !late).then(|| (record, item.receipt.clone()))
        })
        .unzip();
    if records.is_empty() {
        return;
    }
    let Err(error) = insist(shared, &receipts, || shared.backend.results.put(&records)).await
    else {
        return;
    };
    if records.len() == 1 || error.kind() == ErrorKind::Unavailable {
        receipts.iter().for_each(|receipt| refuse(batch, receipt, &error));
        return;
    }
    // One of them spoils the batch: each by itself.
    for (record, receipt) in records.iter().zip(&receipts) {
        let alone = std::slice::from_ref(record);
        let only = std::slice::from_ref(receipt);
        if let Err(error) = insist(shared, only, || shared.backend.results.put(alone)).await {
            refuse(batch, receipt, &error);
        }
    }
}

/// A job without its result is not done: it is tried again, or buried as it was to be.
fn refuse(batch: &mut [Finished], receipt: &Receipt, error: &Error) {
    tracing::error!(id = %receipt.id, %error, "the result was not stored");
    for item in batch.iter_mut().filter(|item| item.receipt == *receipt) {
        if item.settle == Some(Settle::Done) {
            let reason = format!("the result was not stored: {error}");
            item.settle = Some(Settle::Retry { after: Duration::from_secs(10), reason });
        }
    }
}

/// Settles the leases of these jobs and lets go of them.
async fn settle(shared: &Shared, batch: Vec<Finished>) {
    let items: Vec<(Receipt, Settle)> = batch
        .iter()
        .filter_map(|item| Some((item.receipt.clone(), item.settle.clone()?)))
        .collect();
    shared.stats.lost(batch.len() - items.len());
    if !items.is_empty() {
        let receipts: Vec<Receipt> = items.iter().map(|(receipt, _)| receipt.clone()).collect();
        receipts.iter().for_each(|receipt| shared.leases.settling(receipt));
        match insist(shared, &receipts, || shared.backend.broker.settle(&items)).await {
            Ok(answers) => {
                items.iter().zip(answers).for_each(|(item, answer)| note(shared, item, answer))
            }
            Err(error) => {
                shared.stats.lost(items.len());
                tracing::error!(%error, jobs = items.len(), "jobs were not settled; they come back when their leases end");
            }
        }
    }
    for item in batch {
        shared.leases.let_go(&item.receipt);
        drop(item.slot);
    }
}

fn note(shared: &Shared, (receipt, how): &(Receipt, Settle), answer: Result<()>) {
    match answer {
        Ok(()) => shared.stats.settled(how),
        Err(error) if error.kind() == ErrorKind::LeaseLost => {
            shared.stats.lost(1);
            tracing::warn!(id = %receipt.id, %how, %error, "the job was not settled: it has another owner");
        }
        Err(error) => {
            shared.stats.lost(1);
            tracing::error!(id = %receipt.id, %how, %error, "the job was not settled; it comes back when its lease ends");
        }
    }
}

/// Repeats a call while the place it goes to is away, one of these leases still runs, and nobody has asked for a quick end.
async fn insist<'a, T>(
    shared: &Shared,
    receipts: &[Receipt],
    call: impl Fn() -> BoxFuture<'a, Result<T>>,
) -> Result<T> {
    let mut rest = Duration::from_millis(20);
    let mut away = false;
    loop {
        let error = match call().await {
            Err(error) if error.kind() == ErrorKind::Unavailable => error,
            answer => {
                if away {
                    shared.note_outage(None);
                }
                return answer;
            }
        };
        let ends = receipts.iter().filter_map(|receipt| shared.leases.ends(receipt)).max();
        if ends.is_none_or(|ends| ends <= clock::now()) || shared.phase() >= Phase::Cancelling {
            return Err(error);
        }
        away = true;
        shared.note_outage(Some(&error));
        tracing::warn!(%error, ?rest, "a result or settlement did not arrive; trying again");
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = shared.at_least(Phase::Cancelling) => {}
        }
        rest = (rest * 2).min(REST_MAX);
    }
}
