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
use crate::here::{self, Run, RunId};
use crate::op::{Kind, ObjectId, Op};
use crate::quiet::said_last;
use crate::world::{Answer, State};
use std::cell::Cell;
use std::fmt::{self, Debug};
use std::panic::Location;

/// The number that a run knows an object by.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    kind: Kind,
    /// None if the object was made outside of every run.
    made: Option<(RunId, ObjectId)>,
}

/// As a value may contain it, and values are told apart by this: without the run, which is another one in each execution.
impl Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Number").field(&self.made.map(|(_, id)| id)).finish()
    }
}

/// One operation: a step under an exploration, written down in a recording, and nothing but `real` otherwise. `explored` does
/// what the granted step changes in the object itself, and never waits.
#[track_caller]
pub(crate) fn perform<R>(
    number: Number,
    op: impl FnOnce(ObjectId) -> Op,
    real: impl FnOnce() -> R,
    explored: impl FnOnce(Answer) -> R,
) -> R {
    let Some(id) = number.demand() else { return real() };
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
    let effect =
        if waits_for_nobody { Effect::AtOnce(op, place) } else { Effect::Leaves(said_last()) };
    world.borrow_mut().does(effect);
    waits_for_nobody
}

impl Number {
    /// Tells the run of a new object.
    pub(crate) fn new(kind: Kind, name: &str, state: State, value: &dyn Debug) -> Self {
        let made = here::run().map(|run| {
            let id = match &run {
                Run::World(world) => world.borrow_mut().create(kind, state, value, name),
                Run::Pen(pen) => pen.create(kind, name),
            };
            (run.id(), id)
        });
        Self { kind, made }
    }

    /// The number, if the object was made in the run that the calling thread belongs to.
    pub(crate) fn get(self) -> Option<ObjectId> {
        let (made_in, id) = self.made?;
        (here::run_id() == Some(made_in)).then_some(id)
    }

    /// As `get`; and an explored thread may have no other object. What it did with one would be no step, so schedules would be
    /// missed without a word, and where it had to wait the search would never come back.
    ///
    /// While the thread panics it may: a second panic would end the process.
    pub(crate) fn demand(self) -> Option<ObjectId> {
        let id = self.get();
        assert!(
            id.is_some() || !here::is_explored() || std::thread::panicking(),
            "this {} was made outside of the program that is explored: make everything shared inside it",
            self.kind.word()
        );
        id
    }

    /// What the run knows of the object's state, from now on.
    pub(crate) fn becomes(self, state: State) {
        if let Some((id, world)) = self.get().zip(here::world()) {
            world.borrow_mut().does(Effect::Becomes(id, state));
        }
    }

    /// The current thread looks at the object.
    pub(crate) fn looks(self) {
        if let Some((_, world)) = self.get().zip(here::world()) {
            let mut world = world.borrow_mut();
            if !world.abandoned {
                world.does(Effect::Looks);
            }
        }
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
        if let Some((id, world)) = self.get().zip(here::world()) {
            let value = format!("{value:?}").into();
            world.borrow_mut().does(Effect::Holds(id, value));
        }
    }
}
