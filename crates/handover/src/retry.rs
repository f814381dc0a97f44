//! What becomes of an attempt: a pure function from its outcome to the way the job is settled.
//!
//! Nothing here waits, reads a clock or draws a random number: both are arguments, so that every row of the table can be
//! tested. C10: this is the only place where handover decides to give up.

use std::time::Duration;

use crate::delivery::Settle;
use crate::error::{Error, Result};
use crate::outcome::Outcome;

/// How often a job is tried, and how long it rests in between.
///
/// The rest before attempt *n + 1* is a random share, evenly spread from nothing to all, of `delay_first * 2^(n-1)`, and of
/// `delay_max` at most: exponential backoff with full jitter, which spreads a crowd of failed jobs best (Marc Brooker,
/// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
///
/// ```
/// use std::time::Duration;
/// use handover::RetryPolicy;
/// let policy = RetryPolicy { attempts_max: 5, ..RetryPolicy::DEFAULT };
/// assert_eq!(policy.delay(3, 1.0), Duration::from_secs(4));
/// assert_eq!(policy.delay(3, 0.25), Duration::from_secs(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "made with the update syntax, in constants")]
pub struct RetryPolicy {
    /// After this many attempts the job is buried. At least 1.
    pub attempts_max: u32,
    /// The longest rest after the first attempt.
    pub delay_first: Duration,
    /// The longest rest of all.
    pub delay_max: Duration,
}

impl RetryPolicy {
    /// Ten attempts, a second at first, ten minutes at most.
    pub const DEFAULT: Self = Self {
        attempts_max: 10,
        delay_first: Duration::from_secs(1),
        delay_max: Duration::from_secs(600),
    };

    /// One attempt.
    pub const NEVER: Self = Self { attempts_max: 1, ..Self::DEFAULT };

    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for no attempt at all.
    pub fn check(&self) -> Result<()> {
        if self.attempts_max == 0 {
            return Err(Error::invalid("attempts_max is at least 1"));
        }
        Ok(())
    }

    /// The rest after attempt `attempt`, where `random` (0 to 1) is the share of it.
    #[must_use]
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let longest = self.delay_first.saturating_mul(1 << doublings).min(self.delay_max);
        let share = if random.is_nan() { 0.0 } else { random.clamp(0.0, 1.0) };
        Duration::try_from_secs_f64(longest.as_secs_f64() * share).unwrap_or(longest)
    }

    /// How a job is settled whose attempt ended like this. `random` (0 to 1) spreads the rest before the next attempt.
    #[must_use]
    pub fn settle(&self, outcome: &Outcome, attempt: u32, random: f64) -> Settle {
        match outcome {
            Outcome::Done { .. } => Settle::Done,
            Outcome::Release { after } => Settle::Release { after: *after },
            Outcome::Bury { reason } => Settle::Bury { reason: reason.clone() },
            Outcome::Retry { reason, .. } if attempt >= self.attempts_max => Settle::Bury {
                reason: format!(
                    "gave up after attempt {attempt} of {}: {reason}",
                    self.attempts_max
                ),
            },
            Outcome::Retry { after, reason } => Settle::Retry {
                after: after.unwrap_or_else(|| self.delay(attempt, random)),
                reason: reason.clone(),
            },
        }
    }

    /// How a delivery is settled before it is tried, where the attempts before it have used up all there are: each of
    /// them ended without a word, so the job kills its workers.
    #[must_use]
    pub fn refuse(&self, attempt: u32, last_failure: Option<&str>) -> Option<Settle> {
        (attempt > self.attempts_max).then(|| Settle::Bury {
            reason: format!(
                "gave up after {} attempts: {}",
                self.attempts_max,
                last_failure
                    .unwrap_or("each one ended without an outcome, as when its worker dies")
            ),
        })
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(after: Option<Duration>) -> Outcome {
        Outcome::Retry { after, reason: "no route".to_owned() }
    }

    #[test]
    fn the_rest_doubles_up_to_its_maximum_and_never_overflows() {
        let policy = RetryPolicy::DEFAULT;
        let longest: Vec<u64> =
            (1..=12).map(|attempt| policy.delay(attempt, 1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        assert_eq!(policy.delay(u32::MAX, 1.0), policy.delay_max);
        assert_eq!(policy.delay(5, 0.0), Duration::ZERO);
    }

    #[test]
    fn a_failed_attempt_is_tried_again_until_there_are_no_more() {
        let policy = RetryPolicy { attempts_max: 2, ..RetryPolicy::DEFAULT };
        assert_eq!(
            policy.settle(&failed(None), 1, 1.0),
            Settle::Retry { after: Duration::from_secs(1), reason: "no route".to_owned() }
        );
        assert_eq!(
            policy.settle(&failed(None), 2, 1.0),
            Settle::Bury { reason: "gave up after attempt 2 of 2: no route".to_owned() }
        );
    }

    #[test]
    fn the_handler_may_name_the_rest_itself() {
        let wait = Duration::from_secs(77);
        let settle = RetryPolicy::DEFAULT.settle(&failed(Some(wait)), 1, 0.0);
        assert_eq!(settle, Settle::Retry { after: wait, reason: "no route".to_owned() });
    }

    #[test]
    fn a_job_that_kills_its_workers_is_refused_once_its_attempts_are_used_up() {
        let policy = RetryPolicy { attempts_max: 3, ..RetryPolicy::DEFAULT };
        assert_eq!(policy.refuse(3, None), None);
        let Some(Settle::Bury { reason }) = policy.refuse(4, None) else { panic!("not refused") };
        assert!(reason.starts_with("gave up after 3 attempts"), "{reason}");
    }
}
