//! Which steps make sense where a round stands: those whose answer the contract says, also when steps before them were left out
//! of a round that is being shortened.

use super::contract::{Model, Stand};
use super::step::{Claim, End, Step, When};
use super::worlds::Worlds;

/// More moments than this are never open at once: each doubles the worlds.
pub(crate) const SOON_MAX: usize = 3;

/// True where the model can judge this step.
pub(crate) fn makes_sense(step: &Step, worlds: &Worlds) -> bool {
    let (world, open) = (worlds.one(), worlds.soon());
    let waits = world.receiver.is_some();
    let opens = opens(step);
    // While a receive waits, nothing new is due soon: its answer would come at a moment nobody can name.
    if opens > 0 && (waits || open + opens > SOON_MAX) {
        return false;
    }
    match step {
        // A batch in line that could never fit any more: the contract does not say what it is told, and when.
        Step::Declare { queue, capacity, .. } => {
            let line = &world.queues[*queue].line;
            !waits && line.iter().all(|waiting| waiting.batch.len() as u64 <= *capacity)
        }
        // Who stands in line and who sends past it are of one process, or there is no order to keep.
        Step::Send { client, queue, .. } => *client == 0 || world.queues[*queue].line.is_empty(),
        Step::SendLater { .. } => !waits && open == 0,
        Step::Receive { queues, patient, .. } => {
            let mut later = world.clone();
            for label in world.soon() {
                later.learn(label);
            }
            !patient || (!waits && there(&later, queues))
        }
        Step::ReceiveLater { queues, .. } => {
            !waits
                && open == 0
                && world.queues.iter().all(|queue| queue.line.is_empty())
                && !there(world, queues)
        }
        // A waiting receive could be served between two items, and a lease could end there.
        Step::Settle { batch, .. } => alone(world, batch.iter().map(|(claim, _)| *claim)),
        Step::Extend { batch, .. } => alone(world, batch.iter().copied()),
        Step::Kick { max, .. } => !waits || *max == 1,
        Step::Purge(..) => !waits,
        _ => true,
    }
}

fn there(world: &Model, queues: &[usize]) -> bool {
    queues.iter().any(|queue| !world.next(*queue).is_empty())
}

fn alone(world: &Model, claims: impl ExactSizeIterator<Item = Claim>) -> bool {
    let ends_soon = |claim: Claim| {
        world
            .jobs
            .get(&claim.lease.of)
            .is_some_and(|job| matches!(job.stand, Stand::Leased { ends: When::Soon, .. }))
    };
    claims.len() == 1 || (world.receiver.is_none() && !claims.into_iter().any(ends_soon))
}

/// How many moments this step opens at most.
fn opens(step: &Step) -> usize {
    match step {
        Step::Send { batch, .. } | Step::SendLater { batch, .. } => {
            batch.iter().filter(|draft| draft.delay == When::Soon).count()
        }
        Step::Receive { max, lease: When::Soon, .. } => *max,
        Step::Settle { batch, .. } => batch
            .iter()
            .filter(|(_, end)| matches!(end, End::Retry(When::Soon) | End::Release(When::Soon)))
            .count(),
        Step::Extend { batch, lease: When::Soon, .. } => batch.len(),
        _ => 0,
    }
}
