//! The heartbeat: extends the leases of everything this worker holds, from an operating-system thread of its own.
//!
//! A thread and not a task, because a runtime that is busy with handlers starves its timers, and leases that run out
//! although the work goes on are the commonest way in which queues run a job twice. The thread sleeps on a condition
//! variable while there is nothing to extend.
//!
//! A lease that is refused, or that could not be extended until its end, cancels its handler: the job has another owner.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::cancel::{CancelReason, Canceller};
use crate::broker::Broker;
use crate::clock::{self, Instant};
use crate::delivery::Receipt;
use crate::error::{Error, ErrorKind, Result};

/// What this worker holds. The fetcher adds, the settler removes, the heartbeat extends.
#[derive(Debug)]
pub(super) struct Leases {
    table: Mutex<Table>,
    /// Rung when the table is no longer empty, and when the worker has stopped.
    changed: Condvar,
    lease: Duration,
}

#[derive(Debug, Default)]
struct Table {
    held: HashMap<Receipt, Held>,
    stopped: bool,
}

#[derive(Debug)]
struct Held {
    canceller: Canceller,
    /// When the lease ends, by this worker's clock, counted from before the broker was asked: never too late.
    ends: Instant,
}

impl Leases {
    pub(super) fn new(lease: Duration) -> Self {
        Self { table: Mutex::default(), changed: Condvar::new(), lease }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a lease that was asked for at `asked`.
    pub(super) fn hold(&self, receipt: Receipt, canceller: Canceller, asked: Instant) {
        self.table().held.insert(receipt, Held { canceller, ends: asked + self.lease });
        self.changed.notify_one();
    }

    pub(super) fn let_go(&self, receipt: &Receipt) {
        self.table().held.remove(receipt);
    }

    /// When this lease ends; `None` where it is not held.
    pub(super) fn ends(&self, receipt: &Receipt) -> Option<Instant> {
        self.table().held.get(receipt).map(|held| held.ends)
    }

    /// Tells every handler why to stop.
    pub(super) fn cancel_all(&self, reason: CancelReason) {
        for held in self.table().held.values() {
            held.canceller.cancel(reason);
        }
    }

    /// Ends the heartbeat.
    pub(super) fn stop(&self) {
        self.table().stopped = true;
        self.changed.notify_one();
    }

    /// Sleeps until there is something to extend and a third of the lease has passed. `None` when the worker has stopped.
    fn next_beat(&self) -> Option<Vec<Receipt>> {
        let table = self.table();
        let table = self
            .changed
            .wait_while(table, |table| table.held.is_empty() && !table.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        let (table, _) = self
            .changed
            .wait_timeout_while(table, self.lease / 3, |table| !table.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        (!table.stopped).then(|| table.held.keys().cloned().collect())
    }

    /// Notes the answers to one extension that was asked for at `asked`.
    fn extended(&self, receipts: &[Receipt], answers: &[Result<()>], asked: Instant) {
        let mut table = self.table();
        for (receipt, answer) in receipts.iter().zip(answers) {
            let Some(held) = table.held.get_mut(receipt) else { continue };
            match answer {
                Ok(()) => held.ends = asked + self.lease,
                Err(error) if error.kind() == ErrorKind::LeaseLost => {
                    tracing::warn!(id = %receipt.id, "the lease was lost; its handler is cancelled");
                    held.canceller.cancel(CancelReason::LeaseLost);
                }
                Err(error) => {
                    tracing::warn!(id = %receipt.id, %error, "the lease was not extended")
                }
            }
        }
    }

    /// Cancels what could not be extended in time.
    fn give_up_the_ended(&self, now: Instant) {
        for (receipt, held) in &self.table().held {
            if held.ends <= now && held.canceller.cancel(CancelReason::LeaseLost) {
                tracing::warn!(id = %receipt.id, "the lease ended before it could be extended; its handler is cancelled");
            }
        }
    }
}

/// Starts the heartbeat's thread.
///
/// # Errors
/// `Internal` where the machine gives no thread or no runtime.
pub(super) fn start(leases: Arc<Leases>, broker: Arc<dyn Broker>) -> Result<JoinHandle<()>> {
    let refused = |error: std::io::Error| {
        Error::new(ErrorKind::Internal, "the heartbeat's thread could not be started").source(error)
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
    std::thread::Builder::new()
        .name("handover-heartbeat".to_owned())
        .spawn(move || {
            while let Some(receipts) = leases.next_beat() {
                runtime.block_on(beat(&leases, broker.as_ref(), &receipts));
            }
        })
        .map_err(refused)
}

async fn beat(leases: &Leases, broker: &dyn Broker, receipts: &[Receipt]) {
    for batch in receipts.chunks(broker.caps().batch_max.max(1)) {
        let asked = clock::now();
        match broker.extend(batch, leases.lease).await {
            Ok(answers) => leases.extended(batch, &answers, asked),
            Err(error) => {
                tracing::warn!(%error, held = batch.len(), "the leases could not be extended; trying again")
            }
        }
    }
    leases.give_up_the_ended(clock::now());
}
