//! One execution of a program under steps that are granted one by one. Threads are coroutines: a switch costs some hundred
//! nanoseconds, and nothing runs that the search did not choose.

use super::search::Bounds;
use crate::effect::{Cue, Effect};
use crate::here;
use crate::op::ThreadId;
use crate::quiet::{keep_quiet, said};
use crate::world::{Body, Choice, World};
use generator::{Generator, Gn};
use std::cell::{Ref, RefCell, RefMut};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

/// In machine words. The programs are small; a thread that overruns it meets the guard page.
const STACK_WORDS: usize = 0x2000;

type Coroutine = Generator<'static, (), ()>;

/// Coroutines that have ended their body and wait for another: making their stacks costs more than a whole execution.
#[derive(Default, Clone)]
pub(super) struct Pool {
    idle: Rc<RefCell<Vec<Coroutine>>>,
}

pub(super) struct Execution {
    pool: Pool,
    world: Rc<RefCell<World>>,
    /// By thread; none once it has ended.
    coroutines: Vec<Option<Coroutine>>,
    /// What each run of a thread from one step to the next did, if that is kept.
    pub(super) runs: Vec<(Cue, Vec<Effect>)>,
}

/// What is kept of an execution for whoever looks at it afterwards.
pub(super) enum Keeps {
    /// What the threads did.
    Spans,
    /// What their code changed.
    Effects,
}

impl Execution {
    /// Starts `program` and runs every thread to its first step.
    #[track_caller]
    pub(super) fn start(pool: &Pool, program: fn(), bounds: &Bounds, keeps: Keeps) -> Self {
        keep_quiet();
        let mut world = World::new(bounds.spurious, bounds.patience);
        world.code.unborn.push((0, Box::new(program)));
        match keeps {
            Keeps::Spans => world.spans = Some(Vec::new()),
            Keeps::Effects => world.effects = Some(Vec::new()),
        }
        let world = Rc::new(RefCell::new(world));
        let mut execution =
            Self { pool: pool.clone(), world, coroutines: Vec::new(), runs: Vec::new() };
        execution.settle();
        execution
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
        }
        self.settle();
    }

    /// Does all that is no choice: threads begin, and those go on who waited for the end of one that has ended.
    fn settle(&mut self) {
        loop {
            let free = self.world.borrow_mut().free();
            let Some(id) = free else { break };
            self.run(id);
        }
        self.world.borrow_mut().waits();
    }

    fn run(&mut self, id: ThreadId) {
        let mut coroutine = {
            let mut world = self.world.borrow_mut();
            world.current = id;
            if id == self.coroutines.len() {
                let at = world.code.unborn.iter().position(|(unborn, _)| *unborn == id);
                world.code.begins = at.map(|at| world.code.unborn.swap_remove(at).1);
                let idle = self.pool.idle.borrow_mut().pop();
                let new = || Gn::<()>::new_opt(STACK_WORDS, bodies);
                self.coroutines.push(Some(idle.unwrap_or_else(new)));
            }
            let Some(coroutine) = self.coroutines.get_mut(id).and_then(Option::take) else {
                return;
            };
            coroutine
        };
        let cue = self.world.borrow().cue();
        here::within(&self.world, || coroutine.resume());
        let mut world = self.world.borrow_mut();
        world.shows_value();
        if let Some(effects) = &mut world.effects {
            self.runs.push((cue, std::mem::take(effects)));
        }
        if std::mem::take(&mut world.code.ended) {
            self.pool.idle.borrow_mut().push(coroutine);
        } else {
            self.coroutines[id] = Some(coroutine);
        }
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        // The next step that a thread asks for unwinds it. One that was left while it panicked goes first: until it is done, std
        // takes every thread for panicking.
        self.world.borrow_mut().abandoned = true;
        let mut left: Vec<ThreadId> = (0..self.coroutines.len()).collect();
        left.sort_by_key(|&id| !self.world.borrow().threads[id].unwinds);
        // What locks a mutex while it is unwound may have to wait until another has been.
        for _ in 0..self.coroutines.len() {
            left.iter().for_each(|&id| self.run(id));
            left.retain(|&id| self.coroutines[id].is_some());
        }
        // Those that wait for each other now, which only their clean-up does, cannot be ended.
        self.coroutines.drain(..).flatten().for_each(std::mem::forget);
    }
}

/// What a coroutine runs: one body after the other, of one execution after the other.
fn bodies() {
    while let Some(body) = here::world().and_then(|world| world.borrow_mut().code.begins.take()) {
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
    world.code.ended = true;
    if !world.abandoned {
        world.does(Effect::Ends(ended.err().map(|payload| said(&*payload))));
    }
}
