//! Exercise 13: the dining philosophers. Three who need two things each, and the circle in which they can wait.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Atomic, Mutex, Semaphore};
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("13_philosophers.rs");

/// The exercise.
pub(crate) static LESSON: Lesson = Lesson {
    number: 13,
    name: "philosophers",
    line: "everybody holds one thing and waits for the next one's",
    question: "\
Ann, Bob and Eve sit at a round table and think. Between each two of them lies one fork. Who gets hungry needs both forks, \
the one on the left and the one on the right, eats, and puts them back. By which rule do they take the forks?

Two things are asked of it. A fork is in one hand at a time. And the three are never stuck, each waiting for another, in \
whatever order they take their steps.

Dijkstra set this in an exam in 1965, about five computers that need two tape drives each; the table and the philosophers \
are Hoare's. Three are enough for a circle. Lesson 03 has the same with two locks.",
    hint: Some(
        "A circle of waiting needs everybody at the table: each holds a fork, and waits for that of the next one. What is \
         enough to break a circle? Prefer a rule for which nobody has to look at what the others do: looking is a step, and \
         what was seen is old when it is acted upon.",
    ),
    challenge: "Give each of the three one fork, so that nobody gets a second one.",
    programs: &[
        Program::wrong(
            "left_first",
            left_first,
            FILE,
            "Everybody takes the left fork, then the right one: one order for all, or so it seems. Three steps are enough. \
             Follow who waits for whom until you are back where you began.",
        ),
        Program::wrong(
            "puts_back",
            puts_back,
            FILE,
            "So nobody shall wait with a fork in the hand: who finds the second one taken puts the first one back, and tries \
             again. Two sit at this table, and each tries twice. Nobody waits for anybody here, all are busy, and nobody \
             eats. That is a livelock. More tries make it rarer; no number of them makes it impossible.",
        ),
        Program::wrong(
            "butler_looks",
            butler_looks,
            FILE,
            "A butler lets two of them sit down at a time, because two cannot make a circle of three. But he looks how many \
             sit, and lets the next one in, in two steps. It is check-then-act of lesson 02, and the circle is closed again.",
        ),
        Program::right(
            "butler_counts",
            butler_counts,
            FILE,
            "The butler's count is a semaphore: looking and letting in are one step. Of three philosophers two sit, so one \
             of the two finds both forks. Each eats three times here, since a rule must also hold for who comes again. And \
             nobody waits for long: who cannot go on can do so after 6 steps of others at the latest, which is proven with \
             the rest. The butler is the footman of Hoare's Communicating Sequential Processes.",
        )
        .patience(6),
        Program::right(
            "one_order",
            one_order,
            FILE,
            "Without a butler: the forks have numbers, and everybody takes the lower one first. Only Eve has to do something \
             else for it, and that breaks the circle: who holds the highest fork waits for nobody. The three are never \
             stuck. But Eve can be kept waiting: Ann waits for fork 2 with fork 1 in her hand, while Bob takes it again and \
             again before her. The more meals, the longer; of three meals --patience 6 is enough to see it. Exercise 14 \
             asks for a rule under which nobody waits like that.",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover/src/memory/state.rs",
            symbol: "let fits = if feeds_itself",
            says: "A batch gets all its places in a queue at once, or none: no sender waits with half of them in the hand. \
                   And a job that sends into the queue it came from never waits for room that only its own end could make.",
        },
        Place {
            file: "crates/handover/src/worker/fetch.rs",
            symbol: "async fn free_slots",
            says: "A worker's butler: a job is fetched when a slot has been counted for it, and not before.",
        },
    ],
};

// begin: left_first
/// Wrong: everybody takes the left fork first.
fn left_first() {
    let forks = ["fork 1", "fork 2", "fork 3"].map(|it| Mutex::new(it, ()));
    let forks = Arc::new(forks);
    let table = [("ann", 0, 1), ("bob", 1, 2), ("eve", 2, 0)];
    let philosophers = table.map(|(name, left, right)| {
        let forks = Arc::clone(&forks);
        thread::spawn(name, move || {
            let left = forks[left].lock();
            let right = forks[right].lock();
            drop((left, right)); // after having eaten
        })
    });
    for philosopher in philosophers {
        philosopher.join();
    }
}
// end: left_first

// begin: puts_back
/// Wrong: nobody waits, and nobody eats.
fn puts_back() {
    let forks = ["fork 1", "fork 2"].map(|name| Atomic::new(name, "free"));
    let forks = Arc::new(forks);
    let table = [("ann", 0, 1), ("bob", 1, 0)];
    let philosophers = table.map(|(name, left, right)| {
        let forks = Arc::clone(&forks);
        let take = move |by| if by == "free" { name } else { by };
        thread::spawn(name, move || {
            thread::rounds(2).any(|_| {
                if forks[left].update(take) != "free" {
                    return false; // tries again
                }
                let eats = forks[right].update(take) == "free";
                if eats {
                    forks[right].store("free");
                }
                forks[left].store("free");
                eats
            })
        })
    });
    let eaten = philosophers.map(thread::JoinHandle::join);
    assert!(eaten.contains(&true), "nobody has eaten");
}
// end: puts_back

// begin: butler_looks
/// Wrong: who is let in is counted after the look.
fn butler_looks() {
    let seated = Arc::new(Atomic::new("seated", 0));
    let forks = ["fork 1", "fork 2", "fork 3"].map(|it| Mutex::new(it, ()));
    let forks = Arc::new(forks);
    let table = [("ann", 0, 1), ("bob", 1, 2), ("eve", 2, 0)];
    let philosophers = table.map(|(name, left, right)| {
        let (seated, forks) = (Arc::clone(&seated), Arc::clone(&forks));
        thread::spawn(name, move || {
            while seated.load() >= 2 {
                thread::yield_now();
            }
            seated.update(|count| count + 1);
            let left = forks[left].lock();
            let right = forks[right].lock();
            drop((left, right));
            seated.update(|count| count - 1);
        })
    });
    for philosopher in philosophers {
        philosopher.join();
    }
}
// end: butler_looks

// begin: butler_counts
/// Right: two of three may sit, and who sits is counted by the same step.
fn butler_counts() {
    let chairs = Arc::new(Semaphore::new("chairs", 2));
    let forks = ["fork 1", "fork 2", "fork 3"].map(|it| Mutex::new(it, ()));
    let forks = Arc::new(forks);
    let table = [("ann", 0, 1), ("bob", 1, 2), ("eve", 2, 0)];
    let philosophers = table.map(|(name, left, right)| {
        let (chairs, forks) = (Arc::clone(&chairs), Arc::clone(&forks));
        thread::spawn(name, move || {
            for _meal in thread::rounds(3) {
                chairs.acquire();
                let left = forks[left].lock();
                let right = forks[right].lock();
                drop((left, right));
                chairs.release();
            }
        })
    });
    for philosopher in philosophers {
        philosopher.join();
    }
}
// end: butler_counts

// begin: one_order
/// Right: everybody takes the fork with the lower number first, as
/// Havender (1968) orders resources.
fn one_order() {
    let forks = ["fork 1", "fork 2", "fork 3"].map(|it| Mutex::new(it, ()));
    let forks = Arc::new(forks);
    let table = [("ann", 0, 1), ("bob", 1, 2), ("eve", 0, 2)];
    let philosophers = table.map(|(name, low, high)| {
        let forks = Arc::clone(&forks);
        thread::spawn(name, move || {
            for _meal in thread::rounds(3) {
                let low = forks[low].lock();
                let high = forks[high].lock();
                drop((low, high));
            }
        })
    });
    for philosopher in philosophers {
        philosopher.join();
    }
}
// end: one_order
