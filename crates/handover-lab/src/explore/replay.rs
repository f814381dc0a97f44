//! One schedule, step by step: what it does, what everybody stands at after each step, and why it ends as it ends.

use super::asleep::{self, Sleeper};
use super::end::{end, goes_on};
use super::execution::{Execution, Keeps, Pool};
use super::search::Bounds;
use crate::op::{ObjectId, Op, ThreadId};
use crate::trace::{End, Span, Trace, Unit};
use crate::world::{Choice, Standing, State, Thing, World};
use std::fmt;

/// A schedule that was run, with a look at every moment.
#[derive(Debug, Clone)]
pub struct Replay {
    /// What was done, and how it ended.
    pub trace: Trace,
    /// The start, and the state after each step: one more than steps.
    pub moments: Vec<Moment>,
    /// At a deadlock, why each sleeper sleeps.
    pub sleepers: Vec<Sleeper>,
}

/// What everybody stands at between two steps.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The threads, by number.
    pub lanes: Vec<Lane>,
    /// What the objects hold, by number.
    pub values: Vec<String>,
    /// The steps that are possible next.
    pub choices: Vec<Choice>,
}

/// Where a thread stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lane {
    /// Can do this next.
    Ready(Op),
    /// Would do this next, and has to wait.
    Waits(Op),
    /// Sleeps on a condition.
    Asleep(ObjectId),
    /// Has ended.
    Done,
    /// Has ended by a panic.
    Panicked,
}

/// A schedule that does not fit its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The step, from 1, that the program cannot take.
    pub step: usize,
    /// What it could take there; nothing if it had ended.
    pub possible: Vec<Choice>,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step;
        match self.possible.len() {
            0 => {
                write!(f, "the schedule does not fit the program: it has ended before step {step}")
            }
            n => write!(
                f,
                "the schedule does not fit the program: step {step} is none of the {n} possible there"
            ),
        }
    }
}

impl std::error::Error for Misfit {}

/// Runs `program` under exactly this schedule, which need not go to the end.
///
/// # Errors
///
/// If a step of it is not possible where it stands: it was made for another program, or another version of it.
pub fn replay(program: fn(), schedule: &[Choice]) -> Result<Replay, Misfit> {
    replay_within(program, schedule, &Bounds::default())
}

/// As [`replay`], with the patience of these bounds: what starves in their exploration starves here. Their other bounds are the
/// schedule's own.
///
/// # Errors
///
/// If a step of it is not possible where it stands: it was made for another program, or another version of it.
pub fn replay_within(
    program: fn(),
    schedule: &[Choice],
    bounds: &Bounds,
) -> Result<Replay, Misfit> {
    let spurious = schedule.iter().filter(|choice| choice.wake == crate::Wake::Spurious).count();
    let spurious = u32::try_from(spurious).unwrap_or(u32::MAX);
    let bounds = Bounds { spurious, ..bounds.clone() };
    let mut execution = Execution::start(&Pool::default(), program, &bounds, Keeps::Spans);
    let mut moments = vec![moment(&execution.world())];
    for (step, &choice) in schedule.iter().enumerate() {
        let ended = !goes_on(end(&execution.world()).as_ref());
        let possible = if ended { Vec::new() } else { execution.world().choices() };
        if !possible.contains(&choice) {
            return Err(Misfit { step: step + 1, possible });
        }
        execution.take(choice);
        moments.push(moment(&execution.world()));
    }
    let mut end = end(&execution.world());
    let mut world = execution.world_mut();
    let mut spans = world.spans.take().unwrap_or_default();
    spans.extend(unfinished(&world));
    let mut sleepers = Vec::new();
    if let Some(End::Deadlock { lost_wakeups, .. }) = &mut end {
        for (thread, condvar, would_go_on) in asleep::wakeable(program, &bounds, schedule) {
            let looked = world.threads[thread].looked;
            let (missed, passed) = asleep::told(&spans, thread, condvar, looked);
            sleepers.push(Sleeper { thread, condvar, missed, passed, would_go_on });
        }
        lost_wakeups.extend(sleepers.iter().filter(|one| one.is_lost()).map(|one| one.condvar));
        lost_wakeups.dedup();
    }
    let trace = Trace {
        unit: Unit::Steps,
        threads: world.threads.iter().map(|thread| thread.name.to_string()).collect(),
        objects: world.objects(),
        spans,
        end,
        dropped: 0,
    };
    Ok(Replay { trace, moments, sleepers })
}

pub(super) fn moment(world: &World) -> Moment {
    let lane = |standing| match standing {
        Standing::Asks(op) if world.possible(op) => Lane::Ready(op),
        Standing::Asks(op) => Lane::Waits(op),
        Standing::Asleep { condvar, .. } => Lane::Asleep(condvar),
        Standing::Panicked => Lane::Panicked,
        // Between two steps nobody runs.
        Standing::Running | Standing::Done => Lane::Done,
    };
    Moment {
        lanes: world.threads.iter().map(|thread| lane(thread.standing)).collect(),
        values: world.things.iter().map(shown).collect(),
        choices: world.choices(),
    }
}

/// What an object holds, in a few characters.
fn shown(thing: &Thing) -> String {
    let value = &thing.value;
    match &thing.state {
        State::Cell | State::Disk { .. } | State::Mutex { owner: None, .. } => thing.told(),
        State::Mutex { owner: Some(_), .. } => "held".to_owned(),
        State::Condvar { asleep } => format!("{} asleep", asleep.len()),
        State::Semaphore { places } => places.to_string(),
        State::Buffer { closed: true, .. } => format!("{value} closed"),
        State::Buffer { .. } => thing.told(),
    }
}

/// The operations that were asked for and never came.
fn unfinished(world: &World) -> Vec<Span> {
    let span = |(thread, asks): (ThreadId, &crate::world::Thread)| {
        let Standing::Asks(op) = asks.standing else { return None };
        let (asked, place) = (asks.asked, asks.place);
        Some(Span { thread, op, asked, took: None, wakes: Vec::new(), value: String::new(), place })
    };
    world.threads.iter().enumerate().filter_map(span).collect()
}
