//! Lesson 09: workers and results. Two places to write to at the end of a job, a crash between them, and what to do when a job
//! runs twice.

use crate::{Lesson, Place, Program};
use handover_lab::chance;
use handover_lab::sync::Atomic;
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("09_workers.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 9,
    name: "workers",
    line: "first the result, then settle; what may run twice has a key",
    question: "\
When a job is done, its worker stores the result, in the result store, and settles the job, at the broker. These are two \
places, so they are two steps. Which comes first?

The worker may die between them, whatever the order. Then the first is done and the second is not. If the job was settled first, \
it is gone without a result. If the result was stored first, the job is not settled, so it comes back and runs again. While \
no transaction spans both places, there is no third way. (One that does, such as two-phase commit, makes them one place, and \
both then wait for whoever decides.) Most queues choose to run it again: at least once. Then it must do no harm to run twice; \
work of which this is true is called idempotent.

A result that is kept in the database of the queue, and written in the transaction that settles the job, would be in one place \
with it. Handover takes two steps there too (--results same): so any store of results can stand beside any broker.

The job goes to ann. It goes to bob when her lease has ended (lesson 08), whether she is dead or only late. \
Whether a worker dies is picked by chance, as a step: where crash is 1, it stops there for good.",
    hint: None,
    challenge: "Let the job be settled, and its result lost.",
    programs: &[
        Program::wrong(
            "settled_first",
            settled_first,
            FILE,
            "Each worker looks whether the job is still to be done. If so it settles it, and then stores the result. Look at what \
             a crash between the two leaves: whoever waits for this result waits for ever, and nothing is left that could be \
             tried again.",
        ),
        Program::right(
            "result_first",
            result_first,
            FILE,
            "The two steps in the other order. A job that is settled has its result, in every schedule and after every crash. It \
             may be done twice; the second result finds the first one there and is dropped, so that what somebody has read does \
             not change: each worker returns what it has read, and main compares.",
        ),
        Program::wrong(
            "paid_again",
            paid_again,
            FILE,
            "This job pays a bill of 10. Ann is dead or has done it when bob begins, so there is no race. But between paying and \
             settling there is the same gap, and no order of the two would close it.",
        ),
        Program::wrong(
            "asked_first",
            asked_first,
            FILE,
            "So the worker asks the bank whether the bill is paid before it pays. That helps against a crash. It does not help \
             against an owner who is late: ann was not dead, she was between asking and paying.",
        ),
        Program::right(
            "paid_once",
            paid_once,
            FILE,
            "Each payment carries a key, the id of the job, which is the same in every run of it. The bank keeps the key with the \
             account and pays nothing where it knows the key: looking and paying are one step, at the bank. (Here it knows the \
             last key only.) Both workers may be late, and both may die.",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover/src/worker/settle.rs",
            symbol: "async fn store_results(",
            says: "The worker stores the results of a batch of jobs, and then settles them.",
        },
        Place {
            file: "crates/handover/src/results/mod.rs",
            symbol: "pub fn replaces(&self, old: &Self)",
            says: "Which result replaces which. One that says done is final.",
        },
        Place {
            file: "crates/handover/src/worker/context.rs",
            symbol: "pub fn id(&self) -> JobId",
            says: "A handler gets the id of its job, the same in every attempt, for a key.",
        },
    ],
};

// begin: settled_first
/// Wrong: a crash leaves a job that is gone, and no result.
fn settled_first() {
    let settled = Arc::new(Atomic::new("settled", false));
    let result = Arc::new(Atomic::new("result", None));
    let workers = ["ann", "bob"].map(|name| {
        let (settled, result) = (Arc::clone(&settled), Arc::clone(&result));
        thread::spawn(name, move || {
            if settled.load() {
                return;
            }
            settled.store(true);
            if chance::pick("crash", 2) == 1 {
                return; // its machine stops
            }
            result.store(Some(name));
        })
    });
    for worker in workers {
        worker.join();
    }
    let lost = settled.load() && result.load().is_none();
    assert!(!lost, "the job is gone, and there is no result");
}
// end: settled_first

// begin: result_first
/// Right: what is settled has its result.
fn result_first() {
    let settled = Arc::new(Atomic::new("settled", false));
    let result = Arc::new(Atomic::new("result", None));
    let workers = ["ann", "bob"].map(|name| {
        let (settled, result) = (Arc::clone(&settled), Arc::clone(&result));
        thread::spawn(name, move || {
            if settled.load() {
                return result.load();
            }
            result.update(|first| first.or(Some(name)));
            let read = result.load();
            if chance::pick("crash", 2) == 1 {
                return read; // its machine stops
            }
            settled.store(true);
            read
        })
    });
    let read = workers.map(thread::JoinHandle::join);
    let lost = settled.load() && result.load().is_none();
    assert!(!lost, "the job is gone, and there is no result");
    let kept = result.load();
    assert!(read == [kept; 2], "a result that was read has changed");
}
// end: result_first

// begin: paid_again
/// Wrong: a job that runs again pays again.
fn paid_again() {
    let settled = Arc::new(Atomic::new("settled", false));
    let account = Arc::new(Atomic::new("account", ("", 0))); // key, sum
    for name in ["ann", "bob"] {
        let (settled, account) = (Arc::clone(&settled), Arc::clone(&account));
        let worker = thread::spawn(name, move || {
            if settled.load() {
                return;
            }
            account.update(|(_, sum)| ("job 7", sum + 10));
            if chance::pick("crash", 2) == 1 {
                return; // its machine stops
            }
            settled.store(true);
        });
        worker.join(); // done, or dead
    }
    assert!(account.load().1 == 10, "the bill of 10 is paid twice");
}
// end: paid_again

// begin: asked_first
/// Wrong: between the answer and the payment there is a gap, too.
fn asked_first() {
    let account = Arc::new(Atomic::new("account", ("", 0))); // key, sum
    let workers = ["ann", "bob"].map(|name| {
        let account = Arc::clone(&account);
        thread::spawn(name, move || {
            if account.load().0 != "job 7" {
                account.update(|(_, sum)| ("job 7", sum + 10));
            }
        })
    });
    for worker in workers {
        worker.join();
    }
    assert!(account.load().1 == 10, "the bill of 10 is paid twice");
}
// end: asked_first

// begin: paid_once
/// Right: the bank knows the key, and pays for it once.
fn paid_once() {
    let settled = Arc::new(Atomic::new("settled", false));
    let account = Arc::new(Atomic::new("account", ("", 0))); // key, sum
    let workers = ["ann", "bob"].map(|name| {
        let (settled, account) = (Arc::clone(&settled), Arc::clone(&account));
        thread::spawn(name, move || {
            if settled.load() {
                return;
            }
            account.update(|(key, sum)| match key {
                "job 7" => (key, sum),
                _ => ("job 7", sum + 10),
            });
            if chance::pick("crash", 2) == 1 {
                return; // its machine stops
            }
            settled.store(true);
        })
    });
    for worker in workers {
        worker.join();
    }
    let paid = account.load().1;
    assert!(paid == 10, "the bill of 10 is paid, and paid once");
}
// end: paid_once
