//! Lesson 01: threads that share nothing, and what nobody may expect of them: an order.

use crate::{Lesson, Place, Program};
use handover_lab::sync::Buffer;
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("01_threads.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 1,
    name: "threads",
    line: "no order between threads; what is not shared, none can hurt",
    question: "\
A program starts thread ann, then thread bob. Whose work is done first?

Nobody knows. The system may let either of them run at any moment, and stop it at any moment, for as long as it likes. \
An order in which the threads take their steps is called a schedule. A program is right if it is right under every \
schedule, and not only under those that happen on your machine. That is why these lessons run a program under all of \
them.

A step is something that another thread could notice: a value written, a lock taken. What a thread does with values of its own \
is no step: nobody can tell when it was done.",
    hint: None,
    challenge: "Let bob's bread be the first.",
    programs: &[
        Program::wrong(
            "started_first",
            started_first,
            FILE,
            "Two bakers put bread on a desk with two places. Ann is started first, so the program takes for granted that her \
             bread is there first.",
        ),
        Program::right(
            "handed_back",
            handed_back,
            FILE,
            "Here the bakers share nothing. Each returns what it has made, and who joins a thread gets it: the value moves from \
             one owner to the next, and the compiler sees to it that there is only one. The order comes from the program, which \
             asks for Ann's first. No step of a baker can be noticed by another thread while it runs, so all schedules look alike \
             and count as one.",
        ),
    ],
    measure: None,
    places: &[Place {
        file: "crates/handover-buffer/src/lib.rs",
        symbol: "pub fn bounded<T>",
        says: "A value that is sent through handover's buffer moves: the sender has it no longer, the receiver alone has it.",
    }],
};

// begin: started_first
/// Wrong: who is started first need not be done first.
fn started_first() {
    let desk = Arc::new(Buffer::new("desk", 2));
    let bakers = ["ann", "bob"].map(|name| {
        let desk = Arc::clone(&desk);
        thread::spawn(name, move || desk.send(name))
    });
    let first = desk.receive();
    assert_eq!(first, Some("ann"), "ann was started first");
    for baker in bakers {
        baker.join().expect("the desk is never closed");
    }
}
// end: started_first

// begin: handed_back
/// Right: nothing is shared, and each value has one owner at a time.
fn handed_back() {
    let ann = thread::spawn("ann", || vec!["rye", "wheat"]);
    let bob = thread::spawn("bob", || vec!["roll"]);
    let mut basket = ann.join();
    basket.extend(bob.join());
    let eater = thread::spawn("eater", move || basket[0]);
    assert_eq!(eater.join(), "rye");
}
// end: handed_back
