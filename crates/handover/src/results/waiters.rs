//! Who waits for the outcome of which job, and the bell that wakes them. Shared by the stores that live in this process.
//!
//! What does not live here: the outcomes. A waiter that was woken looks for itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;

/// The waiters of one store, and whether the store is still open.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// One bell for each job that somebody waits for. Written by `enter`, and by a waiter that leaves last.
    bells: Mutex<HashMap<JobId, Arc<Notify>>>,
    /// Written once, by `close`.
    closed: AtomicBool,
}

impl Waiters {
    /// Begins to wait for a job. It ends when the answer is dropped.
    pub(super) fn enter(self: &Arc<Self>, id: JobId) -> Waiting {
        let bell = Arc::clone(self.lock().entry(id).or_default());
        Waiting { waiters: Arc::clone(self), id, bell }
    }

    /// Wakes those who wait for this job.
    pub(super) fn ring(&self, id: JobId) {
        if let Some(bell) = self.lock().get(&id) {
            bell.notify_waiters();
        }
    }

    /// Closes the store and wakes everybody. Twice is fine.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for bell in self.lock().values() {
            bell.notify_waiters();
        }
    }

    /// `Closed` where the store was closed.
    pub(super) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Closed, "the result store was closed"));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Notify>>> {
        // Nothing between lock and unlock can leave the map half changed.
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call that waits for a job.
#[derive(Debug)]
pub(super) struct Waiting {
    waiters: Arc<Waiters>,
    id: JobId,
    bell: Arc<Notify>,
}

impl Waiting {
    /// Ends at the first ring after this call, polled or not.
    ///
    /// No wake-up is missed by a waiter that calls this, then looks, and then awaits: an outcome stored before the look is
    /// seen by the look, and one stored after it rings after this call.
    pub(super) fn rung(&self) -> Notified<'_> {
        self.bell.notified()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut bells = self.waiters.lock();
        // Bells are cloned under this lock only, so two owners are the map and this waiter.
        if Arc::strong_count(&self.bell) == 2 {
            bells.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_between_the_look_and_the_wait_is_not_missed() {
        let waiters = Arc::new(Waiters::default());
        let waiting = waiters.enter(JobId::new());
        let rung = waiting.rung();
        waiters.ring(waiting.id);
        rung.await;
    }

    #[test]
    fn the_last_waiter_of_a_job_takes_its_bell_away() {
        let (waiters, id) = (Arc::new(Waiters::default()), JobId::new());
        let (first, second) = (waiters.enter(id), waiters.enter(id));
        drop(first);
        assert_eq!(waiters.lock().len(), 1);
        drop(second);
        assert_eq!(waiters.lock().len(), 0);
    }
}
