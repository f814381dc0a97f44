//! Why somebody sleeps at a deadlock: whether a notification came too early, went to another, never came, or would be of no use.

use super::execution::{Execution, Keeps, Pool};
use super::search::Bounds;
use crate::op::{ObjectId, Op, ThreadId};
use crate::trace::Span;
use crate::world::{Choice, Standing, Wake};

/// Through how many steps of its own a sleeper is followed that was woken.
const STEPS_MAX: usize = 50;

/// A thread that sleeps when nobody can take a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sleeper {
    /// Who.
    pub thread: ThreadId,
    /// On which condition.
    pub condvar: ObjectId,
    /// It was notified after the thread had looked for the last time, and before it slept: too early to wake it.
    pub missed: bool,
    /// It was notified since the thread sleeps, and another was woken.
    pub passed: bool,
    /// Woken now, and alone, it would go on, and not fall asleep on the same condition again.
    pub would_go_on: bool,
}

impl Sleeper {
    /// Whether it sleeps because of a lost wake-up: it missed the only one that it needed.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.missed && !self.passed && self.would_go_on
    }
}

/// Who sleeps after this schedule, on what, and whether it would go on if it were woken.
pub(super) fn wakeable(
    program: fn(),
    bounds: &Bounds,
    schedule: &[Choice],
) -> Vec<(ThreadId, ObjectId, bool)> {
    let pool = Pool::default();
    let there = || {
        let bounds = Bounds { spurious: u32::MAX, ..bounds.clone() };
        let mut execution = Execution::start(&pool, program, &bounds, Keeps::Spans);
        schedule.iter().for_each(|&choice| execution.take(choice));
        execution
    };
    let asleep = |(id, thread): (ThreadId, &crate::world::Thread)| match thread.standing {
        Standing::Asleep { condvar, .. } => Some((id, condvar)),
        _ => None,
    };
    let asleep: Vec<(ThreadId, ObjectId)> =
        there().world().threads.iter().enumerate().filter_map(asleep).collect();
    asleep.into_iter().map(|(id, on)| (id, on, goes_on(there(), id, on))).collect()
}

/// Wakes this one, and lets nobody else take a step.
fn goes_on(mut execution: Execution, thread: ThreadId, on: ObjectId) -> bool {
    let mut next = Some(Choice { thread, wake: Wake::Spurious });
    for _ in 0..STEPS_MAX {
        // It waits for something else.
        let Some(choice) = next else { return true };
        execution.take(choice);
        let world = execution.world();
        match world.threads[thread].standing {
            Standing::Asleep { condvar, .. } => return condvar != on,
            Standing::Asks(op @ Op::Relock { .. }) if !world.possible(op) => return false,
            _ => {}
        }
        next = world
            .choices()
            .into_iter()
            .find(|choice| choice.thread == thread && choice.wake != Wake::Spurious);
    }
    true
}

/// What the way there says of a sleeper: `(missed, passed)`.
pub(super) fn told(
    spans: &[Span],
    thread: ThreadId,
    condvar: ObjectId,
    looked: u64,
) -> (bool, bool) {
    let sleeps = |span: &&Span| span.thread == thread && matches!(span.op, Op::Wait { .. });
    let slept = spans.iter().rev().find(sleeps).and_then(|span| span.took).unwrap_or(0);
    let of_others = spans.iter().filter(|span| span.thread != thread);
    let (mut missed, mut passed) = (false, false);
    for span in of_others {
        let Some(took) = span.took else { continue };
        let woke_nobody = match span.op {
            Op::NotifyOne(id) if id == condvar => span.wakes.is_empty(),
            Op::NotifyAll(id) if id == condvar => true,
            _ => continue,
        };
        missed |= woke_nobody && looked < took && took < slept;
        passed |= slept < took;
    }
    (missed, passed)
}
