//! Threads, as in std: spawn, join, yield.

use crate::effect::{Effect, digest};
use crate::here::{self, Run};
use crate::op::{Op, ThreadId};
use crate::real;
use crate::sync::step;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

/// A thread that can be waited for.
#[derive(Debug)]
pub struct JoinHandle<T> {
    inner: Inner<T>,
}

#[derive(Debug)]
enum Inner<T> {
    Real { handle: std::thread::JoinHandle<Option<T>>, id: Option<ThreadId> },
    Explored { id: ThreadId, result: Arc<Mutex<Option<T>>> },
}

/// Starts a thread under a name, which pictures and schedules use.
///
/// # Panics
///
/// If the system cannot start a thread.
#[track_caller]
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let place = Location::caller();
    let real = |body: Box<dyn FnOnce() -> Option<T> + Send>, id| {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        Inner::Real { handle: thread.expect("the system starts a thread"), id }
    };
    let inner = match here::run() {
        Some(Run::World(world)) => {
            let result = Arc::new(Mutex::new(None));
            let slot = Arc::clone(&result);
            let body = move || *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(body());
            let id = world.borrow_mut().spawn(name, Box::new(body), place);
            Inner::Explored { id, result }
        }
        Some(Run::Pen(pen)) => {
            let pen = pen.for_thread(name, place);
            let id = pen.thread();
            real(Box::new(move || pen.write(body)), Some(id))
        }
        None => real(Box::new(move || Some(body())), None),
    };
    JoinHandle { inner }
}

impl<T> JoinHandle<T> {
    /// Waits for the thread's end, and returns what it returned.
    ///
    /// # Panics
    ///
    /// If the thread panicked.
    #[track_caller]
    pub fn join(self) -> T {
        let value = match self.inner {
            Inner::Explored { id, result } => {
                step(Op::Join(id));
                result.lock().unwrap_or_else(PoisonError::into_inner).take()
            }
            Inner::Real { handle, id } => {
                let join =
                    || handle.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload));
                match id {
                    Some(id) => real::perform(Op::Join(id), Location::caller(), join),
                    None => join(),
                }
            }
        };
        value.expect("the thread that was joined has panicked")
    }
}

/// Lets others go first: what busy waiting must do in every round, or no schedule of it ever ends.
///
/// Std's promises nothing, and may return at once. In an exploration it does not: another thread takes a step first, if one can.
/// What goes wrong because a yield returned at once is thus not found, so it belongs in loops that look again, and nowhere else.
#[track_caller]
pub fn yield_now() {
    if here::is_explored() {
        step(Op::Yield);
    } else {
        real::perform(Op::Yield, Location::caller(), std::thread::yield_now);
    }
}

/// The rounds of a loop, 0 to `count`, for a thread that carries nothing from one round to the next but its number.
///
/// An exploration sees far fewer states with it: what happened in the rounds before makes no difference any more. What was learnt
/// before the loop may be used in it. What is learnt in a round must not be carried into the next one, nor past the loop (a sum, a
/// value received, whether something was ever seen): use a plain range there, or schedules that differ are taken for the same.
#[track_caller]
pub fn rounds(count: u32) -> impl Iterator<Item = u32> {
    let place = Location::caller();
    let before = here::world().map(|world| world.borrow().history());
    let mut next = 0;
    std::iter::from_fn(move || {
        if let Some(world) = here::world() {
            let round = digest((before, place.file(), place.line(), place.column(), next));
            world.borrow_mut().does(Effect::ForgetsAllBut(round));
        }
        let round = (next < count).then_some(next)?;
        next += 1;
        Some(round)
    })
}
