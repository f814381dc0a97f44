//! A call that is expected to wait: started now, answered later.

use std::panic::Location;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::case::{Outcome, Stop};
use crate::check::SOON;

/// How long a call is watched to see that it does wait. Not a signal: a call that waits would also wait longer.
const GRACE: Duration = Duration::from_millis(40);

/// A call in a task of its own. Dropping it drops the call.
#[derive(Debug)]
pub(crate) struct Later<T> {
    task: JoinHandle<T>,
}

impl<T: Send + std::fmt::Debug + 'static> Later<T> {
    /// Starts the call.
    pub(crate) fn start(call: impl Future<Output = T> + Send + 'static) -> Self {
        Self { task: tokio::spawn(call) }
    }

    /// True once it was answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.task.is_finished()
    }

    /// The answer, which must come soon.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> impl Future<Output = Result<T, Stop>> + Send {
        let at = Location::caller();
        async move {
            match tokio::time::timeout(SOON, &mut self.task).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(crash)) => Err(Stop::Failed(format!("the call crashed: {crash}, at {at}"))),
                Err(_) => Err(Stop::Failed(format!("no answer within {SOON:?}, at {at}"))),
            }
        }
    }

    /// It has not been answered, and is not in the next moment.
    #[track_caller]
    pub(crate) fn waits(&mut self) -> impl Future<Output = Outcome> + Send {
        let at = Location::caller();
        async move {
            match tokio::time::timeout(GRACE, &mut self.task).await {
                Err(_) => Ok(()),
                Ok(Ok(answer)) => {
                    Err(Stop::Failed(format!("answered {answer:?} where it should wait, at {at}")))
                }
                Ok(Err(crash)) => Err(Stop::Failed(format!("the call crashed: {crash}, at {at}"))),
            }
        }
    }

    /// Drops the call and returns when it is gone.
    pub(crate) async fn cancel(mut self) {
        self.task.abort();
        // The answer does not matter: either it was cancelled or it had just been answered.
        let _ = (&mut self.task).await;
    }
}

impl<T> Drop for Later<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
