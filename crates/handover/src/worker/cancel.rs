//! The cancel signal: why a handler should stop, told once to everybody who listens.

use std::fmt;

use tokio::sync::watch;

/// Why a handler should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// Its lease is over: another owner may have the job. Whatever it does now must not count.
    LeaseLost,
    /// Its attempt ran for as long as its task allows.
    TimedOut,
    /// The worker stops. The job goes back and the attempt does not count.
    Stopping,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeaseLost => "the lease was lost",
            Self::TimedOut => "the attempt ran out of time",
            Self::Stopping => "the worker stops",
        })
    }
}

/// The side that listens. Clones hear the same.
#[derive(Debug, Clone)]
pub struct CancelSignal(watch::Receiver<Option<CancelReason>>);

impl CancelSignal {
    /// Why to stop, if it was said yet.
    #[must_use]
    pub fn reason(&self) -> Option<CancelReason> {
        *self.0.borrow()
    }

    /// Waits until it is said. Waits for ever where the attempt ended without it.
    pub async fn cancelled(&self) -> CancelReason {
        let mut receiver = self.0.clone();
        match receiver.wait_for(Option::is_some).await.map(|reason| *reason) {
            Ok(Some(reason)) => reason,
            _ => std::future::pending().await,
        }
    }
}

/// The side that tells.
#[derive(Debug, Clone)]
pub(super) struct Canceller(watch::Sender<Option<CancelReason>>);

impl Canceller {
    pub(super) fn new() -> (Self, CancelSignal) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), CancelSignal(receiver))
    }

    /// Says why to stop; what was said first stands. True where this was the first.
    pub(super) fn cancel(&self, reason: CancelReason) -> bool {
        self.0.send_if_modified(|said| {
            let first = said.is_none();
            said.get_or_insert(reason);
            first
        })
    }
}
