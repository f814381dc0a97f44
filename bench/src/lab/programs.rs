//! The programs that are recorded and explored. An exploration and a recording take a function without arguments, so what they are
//! told and what they tell is in statics.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use handover_lab::sync::{Atomic, Condvar, Mutex};
use handover_lab::thread;

use crate::measure::shared_ns;

pub(super) const THREADS: u64 = 2;
/// Operations in a round: a lock with its end, and an update.
pub(super) const OPERATIONS: u64 = 2;
/// Events in a round: the lock, its end, the update.
pub(super) const EVENTS: u64 = 3;
/// A recording keeps 100,000 operations of a thread.
pub(super) const ROUNDS_MAX: u32 = 30_000;

/// How many rounds each thread of [`operations`] makes. Written before it is run.
pub(super) static ROUNDS: AtomicU32 = AtomicU32::new(1);
/// What the threads' loops took together in the last run. Added to by each thread, read after their end.
static TOOK_NS: AtomicU64 = AtomicU64::new(0);

/// Two threads that lock and add, each at places of its own.
pub(super) fn operations() {
    TOOK_NS.store(0, Ordering::SeqCst);
    let rounds = ROUNDS.load(Ordering::SeqCst);
    let start = Arc::new(Barrier::new(2));
    let threads = ["a", "b"].map(|name| {
        let start = Arc::clone(&start);
        thread::spawn(name, move || {
            let (mutex, atomic) = (Mutex::new("mutex", 0_u32), Atomic::new("atomic", 0_u32));
            start.wait();
            let began = shared_ns();
            for _ in 0..rounds {
                *mutex.lock() += 1;
                atomic.update(|value| value + 1);
            }
            TOOK_NS.fetch_add(shared_ns() - began, Ordering::SeqCst);
        })
    });
    for thread in threads {
        thread.join();
    }
}

/// What an operation of the last run of [`operations`] took.
pub(super) fn operation_ns(operations: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a run are far below 2^52")]
    let (took, operations) = (TOOK_NS.load(Ordering::SeqCst) as f64, operations as f64);
    took / operations
}

/// Room for one item, as a monitor.
#[derive(Debug)]
struct Monitor {
    items: Mutex<Vec<u32>>,
    room: Condvar,
    some: Condvar,
}

impl Monitor {
    fn put(&self, item: u32) {
        let mut items = self.items.lock();
        while items.len() == 1 {
            items = self.room.wait(items);
        }
        items.push(item);
        self.some.notify_one();
    }

    fn take(&self) -> u32 {
        let mut items = self.items.lock();
        while items.is_empty() {
            items = self.some.wait(items);
        }
        let item = items.remove(0);
        self.room.notify_one();
        item
    }
}

/// Two producers and two consumers with two items each.
pub(super) fn buffer() {
    hand_over(2);
}

/// The same with one item each.
pub(super) fn buffer_short() {
    hand_over(1);
}

fn hand_over(items: u32) {
    let monitor = Arc::new(Monitor {
        items: Mutex::new("items", Vec::new()),
        room: Condvar::new("room"),
        some: Condvar::new("some"),
    });
    let producers = [("producer 1", 0), ("producer 2", items)].map(|(name, first)| {
        let monitor = Arc::clone(&monitor);
        thread::spawn(name, move || (first..first + items).for_each(|item| monitor.put(item)))
    });
    let consumers = ["consumer 1", "consumer 2"].map(|name| {
        let monitor = Arc::clone(&monitor);
        thread::spawn(name, move || (0..items).map(|_| monitor.take()).collect::<Vec<u32>>())
    });
    for thread in producers {
        thread.join();
    }
    let mut got = consumers.map(thread::JoinHandle::join).concat();
    got.sort_unstable();
    assert_eq!(got, (0..2 * items).collect::<Vec<u32>>(), "every item once");
}
