//! How an execution ended, if it did, and why.

use crate::op::{Op, ThreadId};
use crate::trace::End;
use crate::world::{Standing, State, World};

/// How the program of this world ended, but for wake-ups that were lost, which are a matter of the way; `None` while somebody can take a step of its own.
pub(super) fn end(world: &World) -> Option<End> {
    if let Some((thread, said)) = &world.panic {
        return Some(End::Panicked { thread: *thread, said: said.clone() });
    }
    if world.can_go_on() {
        let starved = world.starved();
        return starved.map(|(thread, steps)| End::Starved { thread, steps });
    }
    if world.threads.iter().all(|thread| thread.standing == Standing::Done) {
        return Some(End::Well);
    }
    Some(End::Deadlock { circle: circle(world), lost_wakeups: Vec::new() })
}

/// Whether steps may follow on this end: after a deadlock somebody may still wake up unasked.
pub(super) fn goes_on(end: Option<&End>) -> bool {
    matches!(end, None | Some(End::Deadlock { .. }))
}

/// Whom this thread waits for, where that is one thread.
fn waits_for(world: &World, id: ThreadId) -> Option<ThreadId> {
    match world.threads[id].standing {
        Standing::Asks(Op::Lock(mutex) | Op::Relock { mutex, .. }) => {
            match world.things[mutex].state {
                State::Mutex { owner, .. } => owner,
                _ => None,
            }
        }
        Standing::Asks(Op::Join(other)) => Some(other),
        _ => None,
    }
}

fn circle(world: &World) -> Vec<ThreadId> {
    for start in 0..world.threads.len() {
        let mut way = vec![start];
        while let Some(next) = way.last().and_then(|&id| waits_for(world, id)) {
            if let Some(at) = way.iter().position(|&id| id == next) {
                return way.split_off(at);
            }
            way.push(next);
        }
    }
    Vec::new()
}
