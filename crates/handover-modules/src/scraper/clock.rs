//! The scraper's two looks at a clock, in one place. Nothing else here may read one.

use std::time::SystemTime;

use tokio::time::Instant;

/// Now, for spacing and expiry: never goes back, and stands still in tests with paused time.
#[allow(clippy::disallowed_methods, reason = "the one place of the scraper that reads it")]
pub(super) fn now() -> Instant {
    Instant::now()
}
/// The wall clock, only for comparing with a date that a server wrote.
#[allow(clippy::disallowed_methods, reason = "the one place of the scraper that reads it")]
pub(super) fn wall() -> SystemTime {
    SystemTime::now()
}
