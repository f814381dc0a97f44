//! The promises themselves: numbers that make sense together. What each is worth is tried by the clauses: durability by
//! `c01_send` and `c13_survive`, bound by `c14_*`, lease, fenced and attempts by `c03_lease`, `c04_attempts` and
//! `c06_settle`, dedup by `c01_dedup`, ordering, priorities and keys by `c15_*`, every limit by `c09_limits`.

use std::time::Duration;

use handover::{Attempts, Dedup, LeaseKind};

use crate::case::{Case, Need, Outcome, case};
use crate::check::{holds, same};
use crate::support::Bench;

pub(crate) const CASES: &[Case] = &[
    case!(the_broker_has_a_name),
    case!(the_limits_make_sense_together),
    case!(what_is_promised_does_not_change),
    case!(every_handle_promises_the_same, Need::Shared),
];

async fn the_broker_has_a_name(b: &Bench) -> Outcome {
    holds("the name is not empty", !b.caps().name.is_empty())
}

async fn the_limits_make_sense_together(b: &Bench) -> Outcome {
    let caps = b.caps();
    holds("a batch has at least one message", caps.batch_max >= 1)?;
    holds("a body has at least one byte", caps.body_bytes_max >= 1)?;
    holds("the largest body fits in a batch", caps.batch_bytes_max >= caps.body_bytes_max)?;
    holds("there are 1 to 10 priorities", (1..=10).contains(&caps.priorities))?;
    holds("a delay that is promised is longer than zero", caps.delay_max != Some(Duration::ZERO))?;
    holds("ids are known for longer than zero", caps.dedup != Dedup::For(Duration::ZERO))?;
    let timed_for_nothing = LeaseKind::Timed { lease_max: Duration::ZERO };
    holds("leases are longer than zero", caps.lease != timed_for_nothing)?;
    holds(
        "attempts are counted in one of the known ways",
        matches!(caps.attempts, Attempts::Exact | Attempts::EveryDelivery),
    )
}

async fn what_is_promised_does_not_change(b: &Bench) -> Outcome {
    let before = b.caps().clone();
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a"]).await?;
    b.done(&b.take(&queue).await?).await?;
    same("the promises after some work", b.caps(), &before)
}

async fn every_handle_promises_the_same(b: &Bench) -> Outcome {
    same("the promises of another handle", b.open_another().await?.caps(), b.caps())
}
