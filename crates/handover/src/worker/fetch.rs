//! Fetching: asks the broker for as much as there are free slots, and hands it to the executors over a bounded buffer.
//!
//! A slot is a permit that travels with the job and comes back when the job is settled, so the worker never holds more
//! than `concurrency + prefetch` leases.
//!
//! **The last attempt of a job that came back.** A job that kills its worker's process also costs an attempt to every job that
//! was leased beside it, and nobody can tell which one it was. So a job whose lease ran out at the attempt before runs its
//! last attempt alone: all slots are taken for it, and it is given back, which costs no attempt, until they are free. If it
//! was the killer it dies alone and is buried; if it was beside one it gets its chance. Earlier attempts are as any others,
//! so that after a crash with many jobs at work nothing is slower. Where releases count as attempts this is not done.

use std::sync::Arc;
use std::time::Duration;

use handover_buffer::Sender;
use tokio::sync::OwnedSemaphorePermit;

use super::cancel::{CancelSignal, Canceller};
use super::execute::{self, Finished};
use super::{Phase, Shared};
use crate::broker::BrokerExt;
use crate::caps::Attempts;
use crate::clock;
use crate::delivery::{Ask, Delivery, Settle};
use crate::error::{Error, ErrorKind, Result};

/// A delivery on its way to an executor.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) delivery: Delivery,
    pub(super) cancel: CancelSignal,
    pub(super) canceller: Canceller,
    /// One slot; all of them for a job that runs alone.
    pub(super) slot: OwnedSemaphorePermit,
}

/// How long one receive sleeps; then it is asked again, which shows that the broker still answers.
const WAIT: Duration = Duration::from_secs(20);
/// The same for a worker that ends when its queues are empty: how often it looks whether they are.
const WAIT_UNTIL_EMPTY: Duration = Duration::from_millis(200);
const REST_MAX: Duration = Duration::from_secs(5);

/// Fetches until the worker stops, or its queues are empty where it was asked to end then.
pub(super) async fn run(
    shared: Arc<Shared>,
    work: Sender<Work>,
    finished: Sender<Finished>,
) -> Result<()> {
    let mut rest = Duration::from_millis(50);
    // The next job is to find all slots free: one that is to run alone was given back for that.
    let mut alone = false;
    loop {
        let Some(slots) = free_slots(&shared, alone).await else { return Ok(()) };
        let until_empty = shared.config.until_empty;
        let wait = if until_empty { WAIT_UNTIL_EMPTY } else { WAIT };
        let max = if alone { 1 } else { slots.num_permits() };
        let ask = Ask::new(max).wait(wait).lease(shared.config.lease);
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
                let taken = Taken { deliveries, slots, answered: clock::now() };
                alone = hand_out(&shared, &work, &finished, taken).await?;
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

/// At least one slot, and all that are free up to a batch; every one there is where the next job is to be alone. `None` when
/// the worker stops.
async fn free_slots(shared: &Arc<Shared>, alone: bool) -> Option<OwnedSemaphorePermit> {
    let least = if alone { shared.config.slots() } else { 1 };
    let mut slots = tokio::select! {
        biased;
        () = shared.at_least(Phase::Draining) => return None,
        slots = Arc::clone(&shared.slots).acquire_many_owned(permits(least)) => slots.ok()?,
    };
    if !alone {
        let batch_max = shared.backend.broker.caps().batch_max;
        let more = shared.slots.available_permits().min(batch_max.saturating_sub(1));
        take_more(shared, &mut slots, more);
    }
    Some(slots)
}

/// Takes so many more slots where they are free; true where they were.
fn take_more(shared: &Shared, slots: &mut OwnedSemaphorePermit, more: usize) -> bool {
    let more = Arc::clone(&shared.slots).try_acquire_many_owned(permits(more));
    more.map(|more| slots.merge(more)).is_ok()
}

fn permits(slots: usize) -> u32 {
    u32::try_from(slots).unwrap_or(u32::MAX)
}

/// What one receive brought.
struct Taken {
    deliveries: Vec<Delivery>,
    slots: OwnedSemaphorePermit,
    /// A receive may have slept for long, so the leases are counted from its answer. Where this task was kept from hearing it
    /// at once, a lease ends earlier than is believed here; the broker then refuses what comes too late.
    answered: clock::Instant,
}

/// Hands them to the executors. True where one was given back because it is to run alone.
async fn hand_out(
    shared: &Shared,
    work: &Sender<Work>,
    finished: &Sender<Finished>,
    taken: Taken,
) -> Result<bool> {
    let Taken { deliveries, mut slots, answered } = taken;
    let only = deliveries.len() == 1;
    let mut given_back = false;
    for delivery in deliveries {
        let lonely = is_lonely(shared, &delivery);
        let others = shared.config.slots().saturating_sub(slots.num_permits());
        let fits = !lonely || (only && take_more(shared, &mut slots, others));
        let share = if lonely && fits { slots.num_permits() } else { 1 };
        let Some(slot) = slots.split(share) else {
            return Err(Error::new(
                ErrorKind::Internal,
                "the broker delivered more than it was asked for",
            ));
        };
        let (canceller, cancel) = Canceller::new();
        let receipt = delivery.receipt.clone();
        shared.leases.hold(receipt.clone(), canceller.clone(), answered);
        // There is a place in either buffer for every slot, so this never waits; it fails only when nobody takes from it.
        let sent = if fits {
            work.send_async(Work { delivery, cancel, canceller, slot }).await.is_ok()
        } else {
            // Past the executors: behind one that is busy its lease would be held for as long as that.
            given_back = true;
            tracing::info!(id = %receipt.id, attempt = delivery.attempt, "the worker of the attempt before died: this last one waits until it can run alone");
            let settle = Some(Settle::Release { after: Duration::ZERO });
            let back = Finished { receipt: receipt.clone(), settle, record: None, slot };
            finished.send_async(back).await.is_ok()
        };
        if !sent {
            shared.leases.let_go(&receipt);
            return Err(Error::new(
                ErrorKind::Internal,
                "no executor of the worker is left; please report it",
            ));
        }
    }
    Ok(given_back)
}

/// True for the last attempt of a job that may have killed its worker at the one before: it runs alone.
fn is_lonely(shared: &Shared, delivery: &Delivery) -> bool {
    shared.config.slots() > 1
        && delivery.came_back()
        && shared.backend.broker.caps().attempts == Attempts::Exact
        && execute::find(shared, delivery)
            .is_ok_and(|handler| delivery.attempt == handler.retry.attempts_max)
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
