//! One execution of a program under steps that are granted one by one. Threads are coroutines: a switch costs some hundred
//! nanoseconds, and nothing runs that the search did not choose.

use super::search::Bounds;
use crate::here;
use crate::op::{ObjectId, Op, ThreadId};
use crate::trace::End;
use crate::world::{Body, Choice, Standing, State, Thread, World};
use generator::{Generator, Gn};
use std::cell::{Cell, Ref, RefCell, RefMut};
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;
use std::sync::Once;

/// In machine words. The programs are small; a thread that overruns it meets the guard page.
const STACK_WORDS: usize = 0x2000;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

type Coroutine = Generator<'static, (), ()>;

/// Coroutines that have ended their body and wait for another: making their stacks costs more than a whole execution.
#[derive(Default)]
pub(super) struct Pool {
    idle: Vec<Coroutine>,
}

pub(super) struct Execution<'p> {
    pool: &'p mut Pool,
    world: Rc<RefCell<World>>,
    /// By thread; none once it has ended.
    coroutines: Vec<Option<Coroutine>>,
}

impl<'p> Execution<'p> {
    /// Starts `program` and runs every thread to its first step. With `looked_at`, what happens is recorded.
    #[track_caller]
    pub(super) fn start(
        pool: &'p mut Pool,
        program: fn(),
        bounds: &Bounds,
        looked_at: bool,
    ) -> Self {
        keep_quiet();
        let world = Rc::new(RefCell::new(World {
            spurious_left: bounds.spurious,
            patience: bounds.patience,
            spans: looked_at.then(Vec::new),
            ..World::default()
        }));
        world.borrow_mut().spawn("main".to_owned(), Box::new(program), Location::caller());
        let mut execution = Self { pool, world, coroutines: Vec::new() };
        execution.settle();
        execution.world.borrow_mut().waits();
        execution
    }

    pub(super) fn choices(&self) -> Vec<Choice> {
        self.world.borrow().choices()
    }

    pub(super) fn key(&self) -> u128 {
        self.world.borrow().key()
    }

    pub(super) fn world(&self) -> Ref<'_, World> {
        self.world.borrow()
    }

    pub(super) fn world_mut(&mut self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    /// Grants a step and runs its thread to its next one.
    pub(super) fn take(&mut self, choice: Choice) {
        let goes_on = self.world.borrow_mut().take(choice);
        if goes_on {
            self.run(choice.thread);
            self.settle();
        }
        self.world.borrow_mut().waits();
    }

    /// Does all that is no choice: threads begin, and those go on who waited for the end of one that has ended.
    fn settle(&mut self) {
        loop {
            let births = std::mem::take(&mut self.world.borrow_mut().births);
            for (id, body) in births {
                let coroutine =
                    self.pool.idle.pop().unwrap_or_else(|| Gn::<()>::new_opt(STACK_WORDS, bodies));
                self.coroutines.push(Some(coroutine));
                self.world.borrow_mut().begins = Some(body);
                self.run(id);
            }
            let joiner = self.world.borrow_mut().join();
            match joiner {
                Some(id) => self.run(id),
                None if self.world.borrow().births.is_empty() => return,
                None => {}
            }
        }
    }

    fn run(&mut self, id: ThreadId) {
        self.world.borrow_mut().current = id;
        let Some(mut coroutine) = self.coroutines.get_mut(id).and_then(Option::take) else {
            return;
        };
        QUIET.set(true);
        here::within(&self.world, || coroutine.resume());
        QUIET.set(false);
        let mut world = self.world.borrow_mut();
        world.shows_value();
        if world.abandoned
            || matches!(world.threads[id].standing, Standing::Done | Standing::Panicked)
        {
            self.pool.idle.push(coroutine);
        } else {
            self.coroutines[id] = Some(coroutine);
        }
    }

    /// How the execution ended, if it did.
    pub(super) fn end(&self) -> Option<End> {
        let world = self.world.borrow();
        if let Some((thread, said)) = &world.panic {
            return Some(End::Panicked { thread: *thread, said: said.clone() });
        }
        if !world.choices().is_empty() {
            let starved = world.starved();
            return starved.map(|(thread, steps)| End::Starved { thread, steps });
        }
        if world.threads.iter().all(|thread| thread.standing == Standing::Done) {
            return Some(End::Well);
        }
        Some(End::Deadlock { circle: circle(&world), lost_wakeups: lost_wakeups(&world) })
    }
}

impl Drop for Execution<'_> {
    fn drop(&mut self) {
        // The next step that a thread asks for unwinds it.
        self.world.borrow_mut().abandoned = true;
        for id in 0..self.coroutines.len() {
            self.run(id);
        }
    }
}

/// What a coroutine runs: one body after the other, of one execution after the other.
fn bodies() {
    while let Some(body) = here::world().and_then(|world| world.borrow_mut().begins.take()) {
        shell(body);
        #[expect(deprecated, reason = "as in `step`")]
        generator::yield_with(());
    }
}

/// What a thread runs: its body, and the note of its end.
fn shell(body: Body) {
    let ended = panic::catch_unwind(AssertUnwindSafe(body));
    let Some(world) = here::world() else { return };
    let mut world = world.borrow_mut();
    if !world.abandoned {
        world.ends(ended.err().map(|payload| crate::said(&*payload)));
    }
}

/// A broken assertion is a finding here, and told as one: the default hook would print each of thousands.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
}

/// Whom this thread waits for, where that is one thread.
fn waits_for(world: &World, id: ThreadId) -> Option<ThreadId> {
    match world.threads[id].standing {
        Standing::Asks(Op::Lock(mutex) | Op::Relock { mutex, .. }) => {
            match world.things[mutex].state {
                State::Mutex { owner } => owner,
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

/// The conditions on which somebody sleeps in vain: a notification came when nobody slept.
fn lost_wakeups(world: &World) -> Vec<ObjectId> {
    let asleep = |thread: &Thread| match thread.standing {
        Standing::Asleep { condvar, .. } => Some(condvar),
        _ => None,
    };
    let mut lost: Vec<ObjectId> =
        world.threads.iter().filter_map(asleep).filter(|id| world.unheard.contains(id)).collect();
    lost.dedup();
    lost
}
