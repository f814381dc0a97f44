//! Settling: stores results, then settles leases, both in batches.
//!
//! The result goes first: a job that is gone always has its result, and a crash between the two repeats the job, whose
//! second result finds the first one there. Whatever cannot be settled because the broker is away is tried again until
//! its lease is over, and then reported as lost; it is never dropped in silence.

use std::sync::Arc;
use std::time::Duration;

use handover_buffer::Receiver;

use super::Shared;
use super::execute::Finished;
use crate::clock;
use crate::delivery::{Receipt, Settle};
use crate::error::{Error, ErrorKind, Result};
use crate::results::Record;

const REST_MAX: Duration = Duration::from_secs(2);

/// Settles until no executor is left.
pub(super) async fn run(shared: Arc<Shared>, finished: Receiver<Finished>) {
    let batch_max = shared.backend.broker.caps().batch_max.clamp(1, 1000);
    let mut batch = Vec::new();
    while finished.recv_many_async(&mut batch, batch_max).await.is_ok() {
        store_results(&shared, &mut batch).await;
        settle(&shared, &batch).await;
        for item in batch.drain(..) {
            shared.leases.let_go(&item.receipt);
            drop(item.slot);
        }
    }
}

/// Stores the batch's results. A result that can never be stored turns its job into a failure.
async fn store_results(shared: &Shared, batch: &mut [Finished]) {
    let records: Vec<Record> = batch.iter().filter_map(|item| item.record.clone()).collect();
    if records.is_empty() {
        return;
    }
    let receipts: Vec<Receipt> = batch
        .iter()
        .filter(|item| item.record.is_some())
        .map(|item| item.receipt.clone())
        .collect();
    let Err(error) = insist(shared, &receipts, || shared.backend.results.put(&records)).await
    else {
        return;
    };
    if records.len() == 1 {
        refuse(batch, &receipts[0], &error);
        return;
    }
    // One of them spoils the batch: each by itself.
    for (record, receipt) in records.iter().zip(&receipts) {
        let alone = std::slice::from_ref(record);
        let receipt = std::slice::from_ref(receipt);
        if let Err(error) = insist(shared, receipt, || shared.backend.results.put(alone)).await {
            refuse(batch, &receipt[0], &error);
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

async fn settle(shared: &Shared, batch: &[Finished]) {
    let items: Vec<(Receipt, Settle)> = batch
        .iter()
        .filter_map(|item| Some((item.receipt.clone(), item.settle.clone()?)))
        .collect();
    shared.stats.lost(batch.len() - items.len());
    if items.is_empty() {
        return;
    }
    let receipts: Vec<Receipt> = items.iter().map(|(receipt, _)| receipt.clone()).collect();
    match insist(shared, &receipts, || shared.backend.broker.settle(&items)).await {
        Ok(answers) => {
            for ((receipt, how), answer) in items.iter().zip(answers) {
                match answer {
                    Ok(()) => shared.stats.settled(how),
                    Err(error) => {
                        shared.stats.lost(1);
                        tracing::warn!(id = %receipt.id, %how, %error, "the job was not settled: it has another owner");
                    }
                }
            }
        }
        Err(error) => {
            shared.stats.lost(items.len());
            tracing::error!(%error, jobs = items.len(), "jobs were not settled; they come back when their leases end");
        }
    }
}

/// Repeats a call while the place it goes to is away and one of these leases still runs.
async fn insist<'a, T>(
    shared: &Shared,
    receipts: &[Receipt],
    call: impl Fn() -> crate::broker::BoxFuture<'a, Result<T>>,
) -> Result<T> {
    let mut rest = Duration::from_millis(20);
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.kind() != ErrorKind::Unavailable => return Err(error),
            Err(error) => error,
        };
        let ends = receipts.iter().filter_map(|receipt| shared.leases.ends(receipt)).max();
        if ends.is_none_or(|ends| ends <= clock::now()) {
            return Err(error);
        }
        tracing::warn!(%error, ?rest, "a result or settlement did not arrive; trying again");
        tokio::time::sleep(rest).await;
        rest = (rest * 2).min(REST_MAX);
    }
}
