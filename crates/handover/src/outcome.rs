//! How an attempt of a job ended: a value, never a panic and never an exception.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "the four ways are those of Settle, and as final")]
pub enum Outcome {
    /// It is done.
    Done {
        /// The result as JSON text, for the result store.
        output: Option<String>,
    },
    /// It failed and may be tried again, as the task's retry policy says.
    Retry {
        /// How long to rest first; `None` leaves it to the policy.
        after: Option<Duration>,
        /// Why it failed.
        reason: String,
    },
    /// It was not tried after all; the attempt does not count.
    Release {
        /// How long to rest first.
        after: Duration,
    },
    /// It failed for good.
    Bury {
        /// Why.
        reason: String,
    },
}

/// Why a handler did not finish, and what it wants done about it.
///
/// `?` turns any error into a failure to be tried again, so that most handlers never name this type:
///
/// ```
/// use handover::{Context, Failure};
/// async fn parse(_context: Context, text: String) -> Result<i64, Failure> {
///     if text.is_empty() {
///         return Err(Failure::bury("there is nothing to parse"));
///     }
///     Ok(text.parse()?)
/// }
/// ```
///
/// An error of handover itself that is temporary (its own sends found no room, or nobody to talk to) gives the job back
/// instead, so that an outage uses up no attempts.
#[derive(Debug)]
pub struct Failure(Outcome);

impl Failure {
    /// Try again, as the task's policy says.
    #[must_use]
    pub fn retry(reason: impl Into<String>) -> Self {
        Self(Outcome::Retry { after: None, reason: reason.into() })
    }

    /// Try again after this long, if the policy has attempts left.
    #[must_use]
    pub fn retry_after(after: Duration, reason: impl Into<String>) -> Self {
        Self(Outcome::Retry { after: Some(after), reason: reason.into() })
    }

    /// It was not tried: give it back for this long. The attempt does not count.
    #[must_use]
    pub fn release(after: Duration) -> Self {
        Self(Outcome::Release { after })
    }

    /// It will never work: put it aside for a person.
    #[must_use]
    pub fn bury(reason: impl Into<String>) -> Self {
        Self(Outcome::Bury { reason: reason.into() })
    }

    /// The failure as an outcome.
    #[must_use]
    pub fn into_outcome(self) -> Outcome {
        self.0
    }
}

// Failure itself is no `std::error::Error`, which is what makes `?` work on every type that is one.
impl<E: StdError + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let own = (&error as &(dyn StdError + 'static)).downcast_ref::<Error>();
        match own.map(Error::kind) {
            Some(ErrorKind::Full | ErrorKind::Unavailable) => Self::release(Duration::from_secs(1)),
            _ => Self::retry(chain(&error)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Outcome::Done { .. } => f.write_str("done"),
            Outcome::Retry { reason, .. } => write!(f, "to be tried again: {reason}"),
            Outcome::Release { after } => write!(f, "given back for {after:?}"),
            Outcome::Bury { reason } => write!(f, "failed for good: {reason}"),
        }
    }
}

/// An error and what is under it, on one line.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_is_a_failure_to_be_tried_again() {
        let failure = Failure::from("x".parse::<u8>().unwrap_err());
        assert!(matches!(failure.into_outcome(), Outcome::Retry { after: None, .. }));
    }

    #[test]
    fn a_full_queue_uses_up_no_attempt() {
        let failure = Failure::from(Error::new(ErrorKind::Full, "no room"));
        assert!(matches!(failure.into_outcome(), Outcome::Release { .. }));
    }
}
