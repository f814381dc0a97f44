//! The heartbeat: extends the leases of everything this worker holds, from an operating-system thread of its own.
//!
//! A thread and not a task, because a runtime that is busy with handlers starves its timers, and leases that run out
//! although the work goes on are the commonest way in which queues run a job twice. The thread sleeps on a condition
//! variable while there is nothing to extend.
//!
//! A lease that is refused, or that could not be extended until its end, cancels its handler: the job has another owner.
//!
//! The runtime judges how long an attempt may run. Where handlers block all of its threads it cannot, so this thread knows
//! the latest time too, and stops extending then: the job goes to a worker that can run it.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use super::cancel::{CancelReason, Canceller};
use crate::broker::Broker;
use crate::clock::{self, Instant};
use crate::delivery::Receipt;
use crate::error::{Error, ErrorKind, Result};

/// What this worker holds. The fetcher adds, the settler removes, the heartbeat extends.
#[derive(Debug)]
pub(super) struct Leases {
    table: Mutex<Table>,
    /// Rung when something is held that was not, and when the worker has stopped.
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
    /// When to extend it next.
    beat: Instant,
    /// When the lease ends, as far as this worker knows.
    ends: Instant,
    /// When its attempt is over at the latest, by whatever the runtime does; `None` before it begins and when it is over.
    latest: Option<Instant>,
    /// It is over: not extended any more, and let go when its handler has ended.
    lost: bool,
    /// Its settlement is on the way: the broker may refuse to extend it because it is settled, which is no loss.
    settling: bool,
}

impl Held {
    fn lose(&mut self) {
        self.lost = true;
        self.canceller.cancel(CancelReason::LeaseLost);
    }
}

impl Table {
    /// When the heartbeat has work next: a lease to extend, or one that ends.
    fn next(&self) -> Option<Instant> {
        let next = |held: &Held| {
            let first = held.beat.min(held.ends);
            held.latest.map_or(first, |latest| first.min(latest))
        };
        self.held.values().filter(|held| !held.lost).map(next).min()
    }

    /// Leaves to others what should have been over by now.
    fn lose_the_overdue(&mut self, now: Instant) {
        let overdue = |held: &Held| !held.lost && held.latest.is_some_and(|latest| latest <= now);
        for (receipt, held) in self.held.iter_mut().filter(|(_, held)| overdue(held)) {
            tracing::error!(id = %receipt.id, "the attempt is long out of time and the runtime does not end it: do handlers block all its threads? its lease is not extended any more");
            held.lose();
        }
    }

    /// Cancels what could not be extended in time.
    fn lose_the_ended(&mut self, now: Instant) {
        for (receipt, held) in
            self.held.iter_mut().filter(|(_, held)| !held.lost && held.ends <= now)
        {
            tracing::warn!(id = %receipt.id, "the lease ended before it could be extended; its handler is cancelled");
            held.lose();
        }
    }
}

impl Leases {
    pub(super) fn new(lease: Duration) -> Self {
        Self { table: Mutex::default(), changed: Condvar::new(), lease }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a lease that the broker gave at `given`.
    pub(super) fn hold(&self, receipt: Receipt, canceller: Canceller, given: Instant) {
        let (beat, ends) = (given + self.lease / 3, given + self.lease);
        let mut table = self.table();
        // What is held already has its beat before this one, so the heartbeat need not be woken for more.
        let asleep = table.next().is_none();
        table.held.insert(
            receipt,
            Held { canceller, beat, ends, latest: None, lost: false, settling: false },
        );
        drop(table);
        if asleep {
            self.changed.notify_one();
        }
    }

    /// Says that this lease is about to be settled.
    pub(super) fn settling(&self, receipt: &Receipt) {
        if let Some(held) = self.table().held.get_mut(receipt) {
            held.settling = true;
        }
    }

    /// Says when the attempt on this job is over at the latest.
    pub(super) fn over_at(&self, receipt: &Receipt, latest: Instant) {
        let mut table = self.table();
        if let Some(held) = table.held.get_mut(receipt) {
            held.latest = Some(latest);
            // The heartbeat sleeps until the next beat, which may be later than this.
            let sooner = latest < held.beat;
            drop(table);
            if sooner {
                self.changed.notify_one();
            }
        }
    }

    /// Says that the attempt on this job is over. What is left, storing its result and settling it, may take longer than
    /// the attempt was allowed to: its lease is extended for as long as that is tried.
    pub(super) fn attempted(&self, receipt: &Receipt) {
        if let Some(held) = self.table().held.get_mut(receipt) {
            held.latest = None;
        }
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

    /// Sleeps until there is something to extend. `None` when the worker has stopped.
    fn next_beat(&self) -> Option<Vec<Receipt>> {
        let mut table = self.table();
        loop {
            if table.stopped {
                return None;
            }
            let now = clock::now();
            table = match table.next() {
                None => self.changed.wait(table).unwrap_or_else(PoisonError::into_inner),
                Some(next) if next > now => {
                    let (table, _) = self
                        .changed
                        .wait_timeout(table, next - now)
                        .unwrap_or_else(PoisonError::into_inner);
                    table
                }
                Some(_) => {
                    table.lose_the_ended(now);
                    table.lose_the_overdue(now);
                    // A little early where that saves a call: leases taken one soon after the other share a beat.
                    let soon = now + self.lease / 12;
                    let due = table.held.iter().filter(|(_, held)| !held.lost && held.beat <= soon);
                    return Some(due.map(|(receipt, _)| receipt.clone()).collect());
                }
            }
        }
    }

    /// Notes the answers to an extension that was asked for at `asked`; none where the broker gave none.
    fn extended(&self, receipts: &[Receipt], answers: &[Result<()>], asked: Instant) {
        let mut table = self.table();
        for (index, receipt) in receipts.iter().enumerate() {
            let Some(held) = table.held.get_mut(receipt) else { continue };
            held.beat = asked + self.lease / 12;
            match answers.get(index) {
                Some(Ok(())) => {
                    (held.beat, held.ends) = (asked + self.lease / 3, asked + self.lease)
                }
                Some(Err(error)) if error.kind() == ErrorKind::LeaseLost && held.settling => {}
                Some(Err(error)) if error.kind() == ErrorKind::LeaseLost => {
                    tracing::warn!(id = %receipt.id, "the lease was lost; its handler is cancelled");
                    held.ends = asked;
                    held.lose();
                }
                Some(Err(error)) => {
                    tracing::warn!(id = %receipt.id, %error, "the lease was not extended; trying again");
                }
                None => {}
            }
        }
        table.lose_the_ended(clock::now());
    }
}

/// The heartbeat's thread.
#[derive(Debug)]
pub(super) struct Heartbeat {
    thread: JoinHandle<()>,
    /// The thread has the other half, and says nothing but that it is gone.
    gone: watch::Receiver<()>,
}

impl Heartbeat {
    /// Waits until the thread has ended: because it was told to, or because it died.
    pub(super) async fn ended(&mut self) {
        while self.gone.changed().await.is_ok() {}
    }

    /// Waits until the thread has ended. Blocks.
    ///
    /// # Errors
    /// `Internal` where it died.
    pub(super) fn join(self) -> Result<()> {
        self.thread.join().map_err(|panic| {
            let why = super::execute::message(&*panic).to_owned();
            super::execute::discard(panic);
            Error::new(
                ErrorKind::Internal,
                "the heartbeat of the worker died, and without it leases run out; please report it",
            )
            .fact("panic", why)
        })
    }
}

/// Starts the heartbeat's thread.
///
/// # Errors
/// `Internal` where the machine gives no thread or no runtime.
pub(super) fn start(leases: Arc<Leases>, broker: Arc<dyn Broker>) -> Result<Heartbeat> {
    let refused = |error: std::io::Error| {
        Error::new(ErrorKind::Internal, "the heartbeat's thread could not be started").source(error)
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
    let (here, gone) = watch::channel(());
    let thread = std::thread::Builder::new()
        .name("handover-heartbeat".to_owned())
        .spawn(move || {
            let _here = here;
            while let Some(receipts) = leases.next_beat() {
                runtime.block_on(beat(&leases, broker.as_ref(), &receipts));
            }
        })
        .map_err(refused)?;
    Ok(Heartbeat { thread, gone })
}

async fn beat(leases: &Leases, broker: &dyn Broker, receipts: &[Receipt]) {
    // A broker that hangs must not keep the heartbeat from seeing that leases end, nor the worker from ending.
    let patience = leases.lease / 6;
    for batch in receipts.chunks(broker.caps().batch_max.max(1)) {
        let asked = clock::now();
        let answers = match tokio::time::timeout(patience, broker.extend(batch, leases.lease)).await
        {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => {
                tracing::warn!(%error, held = batch.len(), "the leases could not be extended; trying again");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!(
                    ?patience,
                    held = batch.len(),
                    "the broker does not answer; trying again"
                );
                Vec::new()
            }
        };
        leases.extended(batch, &answers, asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::JobId;
    use crate::message::QueueName;
    use crate::worker::cancel::CancelSignal;

    const LEASE: Duration = Duration::from_secs(30);

    fn held(leases: &Leases, given: Instant) -> (Receipt, CancelSignal) {
        let receipt = Receipt::new(QueueName::new("q").unwrap(), JobId::new(), 1);
        let (canceller, cancel) = Canceller::new();
        leases.hold(receipt.clone(), canceller, given);
        (receipt, cancel)
    }

    #[test]
    fn a_lease_is_extended_when_a_third_of_it_has_passed() {
        let leases = Leases::new(LEASE);
        let given = clock::now();
        held(&leases, given);
        assert_eq!(leases.table().next(), Some(given + LEASE / 3));
    }

    #[test]
    fn a_lease_that_was_refused_cancels_its_handler_and_is_not_extended_again() {
        let leases = Leases::new(LEASE);
        let (receipt, cancel) = held(&leases, clock::now());
        let refused = [Err(receipt.lost())];
        leases.extended(std::slice::from_ref(&receipt), &refused, clock::now());
        assert_eq!(cancel.reason(), Some(CancelReason::LeaseLost));
        assert_eq!(leases.table().next(), None);
        assert!(leases.ends(&receipt).unwrap() <= clock::now());
    }

    #[test]
    fn a_lease_that_was_just_settled_is_not_called_lost() {
        let leases = Leases::new(LEASE);
        let (receipt, cancel) = held(&leases, clock::now());
        leases.settling(&receipt);
        leases.extended(std::slice::from_ref(&receipt), &[Err(receipt.lost())], clock::now());
        assert_eq!(cancel.reason(), None);
    }

    #[test]
    fn a_lease_whose_attempt_is_long_over_is_left_to_others() {
        let leases = Leases::new(LEASE);
        let now = clock::now();
        let (receipt, cancel) = held(&leases, now);
        leases.over_at(&receipt, now + Duration::from_secs(5));
        assert_eq!(leases.table().next(), Some(now + Duration::from_secs(5)), "before its beat");
        leases.table().lose_the_overdue(now + Duration::from_secs(4));
        assert_eq!(cancel.reason(), None);
        leases.table().lose_the_overdue(now + Duration::from_secs(5));
        assert_eq!(cancel.reason(), Some(CancelReason::LeaseLost));
        assert_eq!(leases.table().next(), None);
    }

    #[test]
    fn a_lease_whose_attempt_is_over_is_never_overdue_however_long_it_waits_to_be_settled() {
        let leases = Leases::new(LEASE);
        let now = clock::now();
        let (receipt, cancel) = held(&leases, now);
        leases.over_at(&receipt, now);
        leases.attempted(&receipt);
        leases.table().lose_the_overdue(now + LEASE);
        assert_eq!(cancel.reason(), None);
    }

    #[test]
    fn a_lease_whose_broker_is_away_is_tried_again_soon_and_given_up_at_its_end() {
        let leases = Leases::new(LEASE);
        let given = clock::now() - LEASE + Duration::from_secs(3);
        let (receipt, cancel) = held(&leases, given);
        leases.extended(std::slice::from_ref(&receipt), &[], clock::now());
        assert_eq!(cancel.reason(), None);
        assert!(leases.table().next().unwrap() <= clock::now() + Duration::from_secs(3));
        leases.table().lose_the_ended(given + LEASE);
        assert_eq!(cancel.reason(), Some(CancelReason::LeaseLost));
    }
}
