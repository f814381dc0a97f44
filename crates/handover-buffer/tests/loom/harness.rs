//! Runs one model through all its executions and prints what was explored.
//!
//! What lives here: [`Model`], its threads, a small executor. What does not: what the threads do
//! (the models), what is checked at the end (`ledger.rs`).

use loom::sync::{Condvar, Mutex};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::ledger;

/// A model that is not through by then fails; the whole run stands far below it.
const EXECUTIONS_MAX: u64 = 3_000_000;
/// Steps of one execution; more means that somebody waits for what never comes.
const BRANCHES_MAX: usize = 5_000;

/// A few threads and what they do, to be run in every order.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) capacity: usize,
    /// With the one that starts the others.
    pub(crate) threads: usize,
    /// How often at most a thread is stopped where it could have gone on, in one execution; in the
    /// short and in the long form.
    pub(crate) preemptions: [usize; 2],
    pub(crate) body: fn(capacity: usize),
}

/// A model's name, threads, bounds and body.
pub(crate) type Plan = (&'static str, usize, [usize; 2], fn(usize));

/// The models of one capacity.
pub(crate) fn models_of(capacity: usize, plans: &[Plan]) -> impl Iterator<Item = Model> {
    plans.iter().map(move |&(name, threads, preemptions, body)| Model {
        name,
        capacity,
        threads,
        preemptions,
        body,
    })
}

thread_local! {
    /// Threads of the running execution that are not done.
    static RUNNING: Cell<usize> = const { Cell::new(0) };
    static ENDED: Cell<u64> = const { Cell::new(0) };
}

/// Notes the end of a thread, and checks the promises at the end of the last.
struct Running;

impl Running {
    fn new() -> Self {
        RUNNING.set(RUNNING.get() + 1);
        Self
    }

    fn end(self) {
        RUNNING.set(RUNNING.get() - 1);
        if RUNNING.get() == 0 {
            ledger::close();
            ENDED.set(ENDED.get() + 1);
        }
    }
}

/// Starts a thread of the model. Nobody joins it: loom ends an execution when all threads are done,
/// and a join is one more thing to order (and prints to standard error each time).
pub(crate) fn spawn(work: impl FnOnce() + 'static) {
    let running = Running::new();
    drop(loom::thread::spawn(move || {
        work();
        running.end();
    }));
}

impl Model {
    /// Explores all executions within the bound, or panics in the first that breaks a promise.
    pub(crate) fn check(&self, long: bool) {
        let bound = self.preemptions[usize::from(long)];
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(bound);
        builder.max_branches = BRANCHES_MAX;
        builder.max_threads = self.threads;
        let started = Instant::now();
        let executions = Arc::new(AtomicU64::new(0));
        let (name, capacity, body) = (self.name, self.capacity, self.body);
        ENDED.set(0);
        builder.check({
            let executions = Arc::clone(&executions);
            move || {
                // Begun, so counted; loom repeats none, and returns when there is no other.
                let count = executions.fetch_add(1, Ordering::Relaxed) + 1;
                assert!(count <= EXECUTIONS_MAX, "{name}, capacity {capacity}: not complete");
                RUNNING.set(0);
                ledger::open(capacity);
                let running = Running::new();
                body(capacity);
                running.end();
            }
        });
        let count = executions.load(Ordering::Relaxed);
        assert_eq!(ENDED.get(), count, "every execution was judged at its end");
        row(name, capacity, self.threads, bound, count, started.elapsed());
    }
}

pub(crate) fn header() {
    println!(
        "{:58} {:>8} {:>7} {:>5} {:>10} {:>8} {:>7}",
        "model", "capacity", "threads", "bound", "executions", "complete", "seconds"
    );
}

fn row(name: &str, capacity: usize, threads: usize, bound: usize, count: u64, time: Duration) {
    println!(
        "{name:58} {capacity:>8} {threads:>7} {bound:>5} {count:>10} {:>8} {:>7.1}",
        "yes",
        time.as_secs_f64()
    );
}

/// Wakes the thread that runs a future.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

/// Runs a future to its end on this thread, which is then a task to the buffer.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let bell = Arc::new(Bell { rung: Mutex::new(false), changed: Condvar::new() });
    let waker = Waker::from(Arc::clone(&bell));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        bell.wait();
    }
}

/// Polls once, for nobody: the one who polls has looked, and does not come back when woken.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}
