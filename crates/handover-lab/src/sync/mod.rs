//! What threads share: cells, mutexes, conditions, semaphores, buffers, and a disk. Each is std's outside an exploration, but
//! for the disk, which is a model.

mod buffer;
mod cell;
mod disk;
mod mutex;
mod semaphore;

pub use buffer::Buffer;
pub use cell::{Atomic, Shared};
pub use disk::Disk;
pub use mutex::{Condvar, Guard, Mutex};
pub use semaphore::Semaphore;

use crate::effect::{Effect, digest};
use crate::here::{self, Run};
use crate::op::{Kind, ObjectId, Op};
use crate::world::{Answer, State};
use std::cell::Cell;
use std::fmt::Debug;
use std::panic::Location;

/// The number that a run knows an object by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number(Option<ObjectId>);

/// One operation: a step under an exploration, written down in a recording, and nothing but `real` otherwise. `explored` does
/// what the granted step changes in the object itself, and never waits.
#[track_caller]
pub(crate) fn perform<R>(
    number: Number,
    op: impl FnOnce(ObjectId) -> Op,
    real: impl FnOnce() -> R,
    explored: impl FnOnce(Answer) -> R,
) -> R {
    let Some(id) = number.0 else { return real() };
    if here::is_explored() {
        explored(step(op(id)))
    } else {
        crate::real::perform(op(id), Location::caller(), real)
    }
}

thread_local! {
    /// The code of the program that runs now is part of a step.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// Runs code of the program that is part of a step, and so can ask for none.
fn without_steps<R>(work: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            WITHIN.set(false);
        }
    }
    let _leave = Leave;
    WITHIN.set(true);
    work()
}

/// Asks for a step and waits until it is granted.
#[track_caller]
pub(crate) fn step(op: Op) -> Answer {
    let Some(world) = here::world() else { return Answer::Granted };
    assert!(
        !WITHIN.get(),
        "what changes an atomic may take no step itself, and here it {} something: do that before",
        op.verb()
    );
    if !world.borrow().abandoned {
        if std::thread::panicking() && does_at_once(op, Location::caller()) {
            return Answer::Granted;
        }
        if !std::thread::panicking() {
            world.borrow_mut().does(Effect::Asks(op, Location::caller()));
        }
        suspend();
    }
    let mut world = world.borrow_mut();
    if world.abandoned && !(world.current_unwinds() && std::thread::panicking()) {
        // The execution is over: the thread is unwound, silently.
        world.unwinds_current();
        drop(world);
        std::panic::resume_unwind(Box::new("the execution is over"));
    }
    world.answer()
}

/// Lets the run go on elsewhere, until it comes back to this thread.
pub(crate) fn suspend() {
    #[expect(
        deprecated,
        reason = "the scope that its successor wants would have to pass through the user's program"
    )]
    generator::yield_with(());
}

/// What a thread does while it panics, in a `Drop`: no other thread may run meanwhile, since std would take it for panicking too. So
/// it is part of the step, if it is of a kind that waits for nobody and tells the thread nothing; if not, the execution ends here,
/// with the panic, and this is false.
fn does_at_once(op: Op, place: &'static Location<'static>) -> bool {
    let Some(world) = here::world() else { return false };
    let waits_for_nobody =
        matches!(op, Op::Write(_) | Op::NotifyAll(_) | Op::Release(_) | Op::Close(_) | Op::Yield);
    let effect = if waits_for_nobody {
        Effect::AtOnce(op, place)
    } else {
        Effect::Leaves(here::said_last())
    };
    world.borrow_mut().does(effect);
    waits_for_nobody
}

impl Number {
    /// Tells the run of a new object.
    pub(crate) fn new(kind: Kind, name: &str, state: State, value: &dyn Debug) -> Self {
        Self(match here::run() {
            Some(Run::World(world)) => Some(world.borrow_mut().create(kind, state, value, name)),
            Some(Run::Pen(pen)) => Some(pen.create(kind, name)),
            None => None,
        })
    }

    /// What the run knows of the object's state, from now on.
    pub(crate) fn becomes(self, state: State) {
        if let Some((id, world)) = self.0.zip(here::world()) {
            world.borrow_mut().does(Effect::Becomes(id, state));
        }
    }

    /// The current thread looks at the object.
    pub(crate) fn looks(self) {
        if let Some((_, world)) = self.0.zip(here::world()) {
            let mut world = world.borrow_mut();
            if !world.abandoned {
                world.does(Effect::Looks);
            }
        }
    }

    pub(crate) fn get(self) -> Option<ObjectId> {
        self.0
    }

    /// The current thread has seen this value of the object, and may act on it.
    pub(crate) fn learns(self, value: &dyn Debug) {
        if let Some(world) = here::world() {
            let value = digest(format!("{value:?}"));
            world.borrow_mut().does(Effect::Learns(value));
        }
    }

    /// The object has this value from now on.
    pub(crate) fn holds(self, value: &dyn Debug) {
        if let Some((id, world)) = self.0.zip(here::world()) {
            let value = format!("{value:?}").into();
            world.borrow_mut().does(Effect::Holds(id, value));
        }
    }
}
