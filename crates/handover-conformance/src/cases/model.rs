//! Random steps of several clients against a model of the contract. `HANDOVER_SEED` repeats a round, `HANDOVER_LONG=1` makes
//! many more. The model itself is in `src/model/`.

use std::time::Duration;

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::model::{Plan, rounds, storm};
use crate::support::Bench;

/// The steps have ends of their own; this one is for a broker that blocks every thread.
const LIMIT: Duration = Duration::from_secs(300);

pub(crate) const CASES: &[Case] = &[
    Case { limit: LIMIT, ..case!(random_steps_are_answered_as_the_model_says) },
    Case {
        limit: LIMIT,
        ..case!(
            what_many_clients_do_at_once_loses_doubles_and_reorders_nothing,
            Need::Bound,
            Need::DedupWhileStored
        )
    },
];

/// The seed to begin with, and whether this is the long form.
fn seed() -> Result<(Option<u64>, bool), Stop> {
    let seed = match std::env::var("HANDOVER_SEED") {
        Ok(seed) => Some(seed.parse().map_err(|error| {
            Stop::failed(format_args!("HANDOVER_SEED={seed} is not a number: {error}"))
        })?),
        Err(_) => None,
    };
    Ok((seed, std::env::var("HANDOVER_LONG").is_ok_and(|long| !matches!(&*long, "" | "0"))))
}

async fn random_steps_are_answered_as_the_model_says(b: &Bench) -> Outcome {
    let (seed, long) = seed()?;
    let plan = Plan {
        seed: seed.unwrap_or_else(|| fastrand::u64(..)),
        rounds: if long { 5000 } else { 40 },
        steps: if long { 200 } else { 80 },
        time_max: Duration::from_secs(if long { 120 } else { 8 }),
    };
    rounds(&*b.harness, plan).await
}

async fn what_many_clients_do_at_once_loses_doubles_and_reorders_nothing(b: &Bench) -> Outcome {
    let (seed, long) = seed()?;
    storm(b, seed.unwrap_or_else(|| fastrand::u64(..)), if long { 3000 } else { 60 }).await
}
