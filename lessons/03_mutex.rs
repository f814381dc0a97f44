//! Lesson 03: the mutex. One owner at a time; what goes wrong with two of them; what a panic leaves behind; what it costs.

use crate::{Lesson, Measured, Place, Program, cpu};
use handover_lab::sync::Mutex;
use handover_lab::thread;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

const FILE: &str = include_str!("03_mutex.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 3,
    name: "mutex",
    line: "one thread at a time; two locks in two orders wait for ever",
    question: "\
A mutex lets one thread at a time at a value, for as many steps as it likes. So the race is gone. What can still go wrong?

Three things. A thread that holds one mutex and wants another may wait for a thread that holds that one and wants the first. \
A thread that panics in the middle leaves the value as it is, half changed. And who waits does not work.",
    hint: None,
    challenge: "Bring the two transfers to where neither can go on.",
    programs: &[
        Program::wrong(
            "two_orders",
            two_orders,
            FILE,
            "Saver moves money from cash to savings, spender the other way. Each locks first what it pays into. Look at what each \
             one holds, and what it waits for.",
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
            "The clerk panics between two halves of a transfer. The mutex is given back, as it must be, or all would wait for \
             ever; and whoever locks it next finds books that do not add up.",
        ),
        Program::right(
            "repaired",
            repaired,
            FILE,
            "A mutex remembers that a thread panicked while it held it: it is poisoned. Who asks can repair the value before using \
             it. In std, lock() itself returns an error that says so, so that nobody forgets to ask.",
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
    let (s, c) = (Arc::clone(&savings), Arc::clone(&cash));
    let saver = thread::spawn("saver", move || {
        let mut into = s.lock();
        let mut from = c.lock();
        *from -= 1;
        *into += 1;
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
    let (s, c) = (Arc::clone(&savings), Arc::clone(&cash));
    let saver = thread::spawn("saver", move || {
        let mut into = s.lock();
        let mut from = c.lock();
        *from -= 1;
        *into += 1;
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
/// Wrong: what a panic left half done is used as if it were whole.
fn half_done() {
    let books = Arc::new(Mutex::new("books", [10, 10]));
    let shared = Arc::clone(&books);
    let clerk = thread::spawn("clerk", move || {
        // The panic stays in here, as in a worker that survives its jobs.
        let transfer = AssertUnwindSafe(|| {
            let mut books = shared.lock();
            books[0] -= 1;
            resume_unwind(Box::new("the pen broke")); // a panic
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
            resume_unwind(Box::new("the pen broke"));
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

const ROUNDS: u32 = 100_000;

/// What locking costs: alone, and with another thread that wants the same mutex.
fn measure() -> Vec<Measured> {
    let mutex = std::sync::Mutex::new(0_u64);
    let count = || {
        cpu::used_by(|| {
            for _ in 0..ROUNDS {
                *mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
            }
        })
    };
    let alone = count();
    let both = std::thread::scope(|scope| {
        let other = scope.spawn(count);
        (count(), other.join().ok().flatten())
    });
    vec![
        Measured {
            what: "100 000 times lock, add one, unlock: a thread alone",
            value: cpu::told(alone),
        },
        Measured { what: "the same, while another does it too: one", value: cpu::told(both.0) },
        Measured { what: "and the other", value: cpu::told(both.1) },
    ]
}
