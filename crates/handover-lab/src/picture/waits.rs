//! Who waits for whom, at the end of a schedule after which nobody can go on: from the last moment of it to a graph.

use super::Wait;
use super::from::{Holds, name, wanted};
use crate::explore::{self, Replay, Sleeper};
use crate::op::{ObjectId, Op, ThreadId};
use crate::trace::End;

/// Everybody who waits at a deadlock; nothing where it ended otherwise.
pub(super) fn of(replay: &Replay) -> Vec<Wait> {
    let (trace, last) = (&replay.trace, replay.moments.last());
    let (Some(End::Deadlock { .. }), Some(last)) = (&trace.end, last) else { return Vec::new() };
    let held: Vec<Vec<ObjectId>> =
        (0..trace.threads.len()).map(|thread| Holds::new(trace, thread).at(u64::MAX)).collect();
    let holder = |mutex: ObjectId| -> Option<ThreadId> {
        held.iter().position(|held| held.contains(&mutex))
    };
    let wait = |(lane, stands): (usize, &explore::Lane)| match *stands {
        explore::Lane::Waits(op) => {
            let on = match op {
                Op::Join(id) => Some(id),
                Op::Lock(mutex) | Op::Relock { mutex, .. } => holder(mutex),
                _ => None,
            };
            let about = match op {
                Op::Join(_) => "its end".to_owned(),
                op => wanted(trace, op),
            };
            let says = match (op, on) {
                (Op::Join(_), _) => format!("waits for the end of {}", wanted(trace, op)),
                (_, Some(holder)) if holder == lane => {
                    format!("waits for {about}, which it holds itself")
                }
                (_, Some(holder)) => {
                    let holder = trace.threads.get(holder).map_or("?", String::as_str);
                    format!("waits for {about}, which {holder} holds")
                }
                (_, None) => format!("waits for {about}"),
            };
            Some(Wait { lane, about, on, says })
        }
        explore::Lane::Asleep(condvar) => {
            let about = format!("a notification of {}", name(trace, condvar));
            let sleeper = replay.sleepers.iter().find(|one| one.thread == lane);
            let why = sleeper.map_or("", why);
            let says = format!("sleeps on {}{why}", name(trace, condvar));
            Some(Wait { lane, about, on: None, says })
        }
        _ => None,
    };
    last.lanes.iter().enumerate().filter_map(wait).collect()
}

/// Why it sleeps.
fn why(sleeper: &Sleeper) -> &'static str {
    match *sleeper {
        Sleeper { would_go_on: false, .. } => ", for what never comes",
        Sleeper { passed: true, .. } => {
            ", and would go on if woken: the notification went to another"
        }
        Sleeper { missed: true, .. } => ", and its notification came too early",
        _ => ", and nobody has notified since",
    }
}
