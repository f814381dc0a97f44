//! Lesson 02: the race. Two threads change one value, and one of the changes is lost; two look, and both act.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Atomic, Shared};
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("02_race.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 2,
    name: "race",
    line: "a read and a write are two steps; another thread fits between",
    question: "\
Two threads add one to a counter that holds 0. What does it hold when both are done?

Safe Rust has no data races: two threads touch the same memory, at least one writes, and nothing orders the two (no lock, no \
atomic). The cell of these programs has none. Each read is whole and each write is whole. And still the answer can be 1: a race \
is about what happens between two steps, and whole steps do not forbid it.",
    hint: None,
    challenge: "Make the counter end at 1.",
    programs: &[
        Program::wrong(
            "lost_update",
            lost_update,
            FILE,
            "Adding one is written as a read and a write. Look at what each thread has seen when it writes.",
        ),
        Program::right(
            "one_step",
            one_step,
            FILE,
            "Read, add and write as one step, between whose parts nobody else can do anything. Processors have such steps for \
             small values; in Rust they are the methods of the atomic types that do both: fetch_add, compare_exchange, \
             fetch_update. A load and then a store are two steps again. All threads here see all steps in one order, as with \
             Ordering::SeqCst. Weaker orderings permit more; the explorer does not look at that (loom does).",
        ),
        Program::wrong(
            "check_then_act",
            check_then_act,
            FILE,
            "The same race in other clothes (look it up as time of check, time of use). One loaf is left. Each eater looks \
             whether there is one, then takes it. Taking is one step here, looking is one step, and between the two the world \
             changes.",
        ),
        Program::right(
            "claim",
            claim,
            FILE,
            "Looking and taking are one step, and what it returns says whether there was something to take. Ask for the thing, \
             not whether you could have it.",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover-buffer/src/ring.rs",
            symbol: "self.head.compare_exchange_weak",
            says: "A consumer claims a place in the ring by a step that succeeds only if nobody else has claimed it since it \
                   looked.",
        },
        Place {
            file: "crates/handover/src/memory/mod.rs",
            symbol: "fn lock",
            says: "The memory broker looks for a job and gives the lease on it while it holds one lock.",
        },
    ],
};

// begin: lost_update
/// Wrong: what was read may be old when it is written back.
fn lost_update() {
    let counter = Arc::new(Shared::new("counter", 0));
    let threads = ["a", "b"].map(|name| {
        let counter = Arc::clone(&counter);
        thread::spawn(name, move || {
            let seen = counter.read();
            counter.write(seen + 1);
        })
    });
    for thread in threads {
        thread.join();
    }
    assert_eq!(counter.read(), 2, "an update is lost");
}
// end: lost_update

// begin: one_step
/// Right: nobody can come between the read and the write.
fn one_step() {
    let counter = Arc::new(Atomic::new("counter", 0));
    let threads = ["a", "b"].map(|name| {
        let counter = Arc::clone(&counter);
        thread::spawn(name, move || {
            counter.update(|seen| seen + 1);
        })
    });
    for thread in threads {
        thread.join();
    }
    assert_eq!(counter.load(), 2, "an update is lost");
}
// end: one_step

// begin: check_then_act
/// Wrong: what was true when it was checked need not be true any more.
fn check_then_act() {
    let loaves = Arc::new(Atomic::new("loaves", 1));
    let eaters = ["a", "b"].map(|name| {
        let loaves = Arc::clone(&loaves);
        thread::spawn(name, move || {
            if loaves.load() > 0 {
                loaves.update(|left| left - 1);
            }
        })
    });
    for thread in eaters {
        thread.join();
    }
    assert_eq!(loaves.load(), 0, "a loaf was taken twice");
}
// end: check_then_act

// begin: claim
/// Right: the answer to the check is the thing itself.
fn claim() {
    let loaves = Arc::new(Atomic::new("loaves", 1));
    let eaters = ["a", "b"].map(|name| {
        let loaves = Arc::clone(&loaves);
        thread::spawn(name, move || {
            let before = loaves.update(|left| (left - 1).max(0));
            before > 0 // this one eats
        })
    });
    let eaten = eaters.map(thread::JoinHandle::join);
    assert!(eaten[0] != eaten[1], "one loaf, one eater");
    assert_eq!(loaves.load(), 0, "a loaf was taken twice");
}
// end: claim
