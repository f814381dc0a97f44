//! Which run the calling thread belongs to. Every primitive asks here, so that programs need not carry the run about.

use crate::quiet::quietly;
use crate::real::Pen;
use crate::world::World;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A run that wants to know what its threads do.
#[derive(Clone)]
pub(crate) enum Run {
    /// Explored: every step is granted by the world.
    World(Rc<RefCell<World>>),
    /// On real threads, and written down.
    Pen(Pen),
}

/// Tells a run from every other one of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunId(u64);

impl RunId {
    /// One that no run has had.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Run {
    pub(crate) fn id(&self) -> RunId {
        match self {
            Self::World(world) => world.borrow().run,
            Self::Pen(pen) => pen.run(),
        }
    }
}

thread_local! {
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// The run of the calling thread; none for a program that just runs.
pub(crate) fn run() -> Option<Run> {
    RUN.with_borrow(Clone::clone)
}

/// What tells the run of the calling thread from others.
pub(crate) fn run_id() -> Option<RunId> {
    RUN.with_borrow(|run| run.as_ref().map(Run::id))
}

/// The world that owns every step of the calling thread, if it is explored.
pub(crate) fn world() -> Option<Rc<RefCell<World>>> {
    RUN.with_borrow(|run| match run {
        Some(Run::World(world)) => Some(Rc::clone(world)),
        _ => None,
    })
}

/// Whether the calling thread is explored.
pub(crate) fn is_explored() -> bool {
    RUN.with_borrow(|run| matches!(run, Some(Run::World(_))))
}

/// Does `work` with the pen of the calling thread, if it is recorded.
pub(crate) fn pen<R>(work: impl FnOnce(&Pen) -> R) -> Option<R> {
    RUN.with_borrow(|run| match run {
        Some(Run::Pen(pen)) => Some(work(pen)),
        _ => None,
    })
}

/// Runs `work` with every primitive of this thread under the steps of `world`.
pub(crate) fn within<R>(world: &Rc<RefCell<World>>, work: impl FnOnce() -> R) -> R {
    with(Run::World(Rc::clone(world)), work)
}

/// Runs `work` with every primitive of this thread written down.
pub(crate) fn writing<R>(pen: Pen, work: impl FnOnce() -> R) -> R {
    with(Run::Pen(pen), work)
}

fn with<R>(run: Run, work: impl FnOnce() -> R) -> R {
    struct Leave(Option<Run>);
    impl Drop for Leave {
        fn drop(&mut self) {
            RUN.set(self.0.take());
        }
    }
    let _leave = Leave(RUN.replace(Some(run)));
    quietly(work)
}
