//! Lesson 03: the mutex. One owner at a time; what goes wrong with two of them; what a panic leaves behind; what it costs.

use crate::{Lesson, Measured, Place, Program, clock};
use handover_lab::sync::Mutex;
use handover_lab::thread;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Barrier, PoisonError};
use std::time::Duration;

const FILE: &str = include_str!("03_mutex.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 3,
    name: "mutex",
    line: "one thread at a time; two locks in two orders wait for ever",
    question: "\
A mutex lets one thread at a time at a value, for as many steps as it likes. So the race is gone, if whoever reads and then \
writes keeps the mutex from the one to the other: two lockings are two steps again. What can still go wrong?

Three things. A thread that holds one mutex and wants another may wait for a thread that holds that one and wants the first. A \
thread that panics in the middle leaves the value as it is, half changed. And who waits does not work. How much that is, is \
measured below: two threads that share some work take about half the time if each has a mutex of its own. If both need the \
same one, they gain nothing: they cannot work at the same time, and handing the lock over costs besides.",
    hint: None,
    challenge: "Bring the two transfers to where neither can go on.",
    programs: &[
        Program::wrong(
            "two_orders",
            two_orders,
            FILE,
            "Saver moves money from cash to savings, spender the other way. Each locks first what it pays into. Look at what each \
             one holds, and what it waits for (a circular wait, after Coffman).",
        ),
        Program::right(
            "one_order",
            one_order,
            FILE,
            "Everybody locks savings before cash, whichever way the money goes. A circle of waiting needs somebody who locks the \
             other way round, and there is nobody. Any order will do, as long as there is one.",
        ),
        Program::wrong(
            "half_done",
            half_done,
            FILE,
            "The clerk's pen breaks, which is a panic, between the two halves of a transfer. The mutex is given back, as it \
             must be, or all would wait for ever; and whoever locks it next finds books that do not add up.",
        ),
        Program::right(
            "repaired",
            repaired,
            FILE,
            "A mutex remembers that a thread panicked while it held it: it is poisoned. Who asks can repair the value before \
             using it. In std, lock() itself returns an error that says so, so that nobody forgets to ask.",
        ),
    ],
    measure: Some(measure),
    places: &[
        Place {
            file: "crates/handover/src/memory/mod.rs",
            symbol: "PoisonError::into_inner",
            says: "The memory broker has one mutex for all its queues, so there is no second one to lock in another order. It \
                   goes on with a poisoned one, and says in the comment there why it may.",
        },
        Place {
            file: "crates/handover/src/results/file/group.rs",
            symbol: "poisoned.into_inner()",
            says: "The store of results asks whether a writer has panicked, and repairs before it goes on.",
        },
    ],
};

// begin: two_orders
/// Wrong: two locks, taken in two orders.
fn two_orders() {
    let savings = Arc::new(Mutex::new("savings", 10));
    let cash = Arc::new(Mutex::new("cash", 10));
    let saver = thread::spawn("saver", {
        let (savings, cash) = (Arc::clone(&savings), Arc::clone(&cash));
        move || {
            let mut into = savings.lock();
            let mut from = cash.lock();
            *from -= 1;
            *into += 1;
        }
    });
    let spender = thread::spawn("spender", move || {
        let mut into = cash.lock();
        let mut from = savings.lock();
        *from -= 1;
        *into += 1;
    });
    saver.join();
    spender.join();
}
// end: two_orders

// begin: one_order
/// Right: two locks, taken in one order by everybody.
fn one_order() {
    let savings = Arc::new(Mutex::new("savings", 10));
    let cash = Arc::new(Mutex::new("cash", 10));
    let saver = thread::spawn("saver", {
        let (savings, cash) = (Arc::clone(&savings), Arc::clone(&cash));
        move || {
            let mut into = savings.lock();
            let mut from = cash.lock();
            *from -= 1;
            *into += 1;
        }
    });
    let spender = thread::spawn("spender", move || {
        let mut from = savings.lock();
        let mut into = cash.lock();
        *from -= 1;
        *into += 1;
    });
    saver.join();
    spender.join();
}
// end: one_order

// begin: half_done
/// A panic, as a bug or a missing file makes one.
fn pen_breaks() {
    resume_unwind(Box::new("the pen broke"))
}

/// Wrong: what a panic left half done is used as if it were whole.
fn half_done() {
    let books = Arc::new(Mutex::new("books", [10, 10]));
    let shared = Arc::clone(&books);
    let clerk = thread::spawn("clerk", move || {
        // The panic stays in here, as in a worker that survives its jobs.
        let transfer = AssertUnwindSafe(|| {
            let mut books = shared.lock();
            books[0] -= 1;
            pen_breaks();
            books[1] += 1;
        });
        assert!(catch_unwind(transfer).is_err());
    });
    let audited = books.lock();
    assert_eq!(audited[0] + audited[1], 20, "money is missing");
    drop(audited);
    clerk.join();
}
// end: half_done

// begin: repaired
/// Right: who finds the mutex poisoned repairs what it holds.
fn repaired() {
    let books = Arc::new(Mutex::new("books", [10, 10]));
    let shared = Arc::clone(&books);
    let clerk = thread::spawn("clerk", move || {
        let transfer = AssertUnwindSafe(|| {
            let mut books = shared.lock();
            books[0] -= 1;
            pen_breaks();
            books[1] += 1;
        });
        assert!(catch_unwind(transfer).is_err());
    });
    let mut audited = books.lock();
    if books.is_poisoned() {
        audited[0] = 20 - audited[1];
        books.clear_poison();
    }
    assert_eq!(audited[0] + audited[1], 20, "money is missing");
    drop(audited);
    clerk.join();
}
// end: repaired

/// So often each of two threads locks.
const ROUNDS: u32 = 1_000_000;

/// How long so many lockings take: by one thread, and by two, with a mutex each and with one for both.
fn measure() -> Vec<Measured> {
    let add = |mutex: &std::sync::Mutex<u64>, rounds| {
        for _ in 0..rounds {
            *mutex.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
    };
    let shared = std::sync::Mutex::new(0);
    let alone = clock::took(|| add(&shared, 2 * ROUNDS));
    let apart = by_two(|| add(&std::sync::Mutex::new(0), ROUNDS));
    let together = by_two(|| add(&shared, ROUNDS));
    vec![
        Measured {
            what: "one thread: 2 000 000 times lock, add one, unlock",
            value: clock::told(alone),
        },
        Measured {
            what: "two threads, half of them each, with a mutex each",
            value: clock::told(apart),
        },
        Measured {
            what: "two threads, half of them each, with one mutex",
            value: clock::told(together),
        },
    ]
}

/// How long two threads take that begin together and both do `work`: as long as the slower one.
fn by_two(work: impl Fn() + Sync) -> Duration {
    let start = Barrier::new(2);
    let timed = || {
        start.wait();
        clock::took(&work)
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(timed);
        timed().max(other.join().unwrap_or_default())
    })
}
