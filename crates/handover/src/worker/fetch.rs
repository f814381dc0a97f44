//! Fetching: asks the broker for as much as there are free slots, and hands it to the executors over a bounded buffer.
//!
//! A slot is a permit that travels with the job and comes back when the job is settled, so the worker never holds more
//! than `concurrency + prefetch` leases.

use std::sync::Arc;
use std::time::Duration;

use handover_buffer::Sender;
use tokio::sync::OwnedSemaphorePermit;

use super::cancel::{CancelSignal, Canceller};
use super::{Phase, Shared};
use crate::broker::BrokerExt;
use crate::clock;
use crate::delivery::{Ask, Delivery};
use crate::error::{Error, ErrorKind, Result};

/// A delivery on its way to an executor.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) delivery: Delivery,
    pub(super) cancel: CancelSignal,
    pub(super) canceller: Canceller,
    pub(super) slot: OwnedSemaphorePermit,
}

/// How long one receive sleeps; then it is asked again, which shows that the broker still answers. Less than the minute after
/// which `Health::since_receive` means trouble, and long, because asking is most of what an idle worker does.
const WAIT: Duration = Duration::from_secs(45);
/// The same for a worker that ends when its queues are empty: how often it looks whether they are.
const WAIT_UNTIL_EMPTY: Duration = Duration::from_millis(200);
const REST_MAX: Duration = Duration::from_secs(5);

/// Fetches until the worker stops, or its queues are empty where it was asked to end then.
pub(super) async fn run(shared: Arc<Shared>, work: Sender<Work>) -> Result<()> {
    let mut rest = Duration::from_millis(50);
    loop {
        let Some(slots) = free_slots(&shared).await else { return Ok(()) };
        let until_empty = shared.config.until_empty;
        let wait = if until_empty { WAIT_UNTIL_EMPTY } else { WAIT };
        let ask = Ask::new(slots.num_permits()).wait(wait).lease(shared.config.lease);
        let received = tokio::select! {
            biased;
            () = shared.at_least(Phase::Draining) => return Ok(()),
            received = shared.backend.broker.receive(&shared.config.queues, ask) => received,
        };
        match received {
            Ok(deliveries) => {
                rest = Duration::from_millis(50);
                shared.note_receive();
                let none = deliveries.is_empty();
                hand_out(&shared, &work, deliveries, slots).await?;
                if none && until_empty && is_empty(&shared).await? {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                tracing::warn!(%error, ?rest, "the broker is away; asking again");
                shared.note_outage(Some(&error));
                tokio::select! {
                    () = shared.at_least(Phase::Draining) => return Ok(()),
                    () = tokio::time::sleep(rest) => {}
                }
                rest = (rest * 2).min(REST_MAX);
            }
            Err(error) => return Err(error),
        }
    }
}

/// At least one slot, and all that are free up to a batch; `None` when the worker stops.
async fn free_slots(shared: &Arc<Shared>) -> Option<OwnedSemaphorePermit> {
    let mut slots = tokio::select! {
        biased;
        () = shared.at_least(Phase::Draining) => return None,
        slot = Arc::clone(&shared.slots).acquire_owned() => slot.ok()?,
    };
    let batch_max = shared.backend.broker.caps().batch_max;
    let more = shared.slots.available_permits().min(batch_max.saturating_sub(1));
    if let Ok(more) =
        Arc::clone(&shared.slots).try_acquire_many_owned(u32::try_from(more).unwrap_or(u32::MAX))
    {
        slots.merge(more);
    }
    Some(slots)
}

async fn hand_out(
    shared: &Shared,
    work: &Sender<Work>,
    deliveries: Vec<Delivery>,
    mut slots: OwnedSemaphorePermit,
) -> Result<()> {
    // A receive may have slept for long, so the leases are counted from its answer. Where this task was kept from hearing it
    // at once, a lease ends earlier than is believed here; the broker then refuses what comes too late.
    let answered = clock::now();
    for delivery in deliveries {
        let Some(slot) = slots.split(1) else {
            return Err(Error::new(
                ErrorKind::Internal,
                "the broker delivered more than it was asked for",
            ));
        };
        let (canceller, cancel) = Canceller::new();
        let receipt = delivery.receipt.clone();
        shared.leases.hold(receipt.clone(), canceller.clone(), answered);
        let item = Work { delivery, cancel, canceller, slot };
        // There is a place in the buffer for every slot, so this never waits; it fails only when no executor is left.
        if work.send_async(item).await.is_err() {
            shared.leases.let_go(&receipt);
            return Err(Error::new(
                ErrorKind::Internal,
                "no executor of the worker is left; please report it",
            ));
        }
    }
    Ok(())
}

/// True where nothing is left in the worker's queues, not even with another worker.
///
/// Looked at twice: a job in a queue that is looked at later may send into one that was found empty, and be done by then.
async fn is_empty(shared: &Shared) -> Result<bool> {
    let Some(accepted) = accepted_if_empty(shared).await? else { return Ok(false) };
    Ok(accepted_if_empty(shared).await? == Some(accepted))
}

/// How many jobs the queues have ever accepted, where all of them are empty.
async fn accepted_if_empty(shared: &Shared) -> Result<Option<u64>> {
    let inspect = shared.backend.broker.inspector()?;
    let mut accepted = 0;
    for name in &shared.config.queues {
        let info = tokio::select! {
            biased;
            () = shared.at_least(Phase::Draining) => return Ok(None),
            info = inspect.queue(name) => info,
        };
        match info {
            Ok(Some(info)) if info.depth() + info.parked > 0 => return Ok(None),
            Ok(info) => accepted += info.map_or(0, |info| info.accepted),
            Err(error) if error.kind() == ErrorKind::Unavailable => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(accepted))
}

/// The error of a worker whose broker cannot say whether its queues are empty.
pub(super) fn cannot_end() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "this broker cannot tell when its queues are empty; stop the worker yourself",
    )
}
