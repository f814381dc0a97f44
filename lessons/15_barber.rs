//! Exercise 15: the sleeping barber. A waiting room with so many chairs, and a barber who sleeps when it is empty.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Atomic, Mutex, Semaphore};
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("15_barber.rs");

/// The exercise.
pub(crate) static LESSON: Lesson = Lesson {
    number: 15,
    name: "barber",
    line: "asleep when nobody waits, and woken by the one who comes",
    question: "\
A barber has a shop with one chair for waiting. When nobody waits, he sleeps. Who comes in and finds the waiting chair taken \
goes away again; otherwise he sits down, wakes the barber if he sleeps, and waits to be called. How do they find each other?

Four things are asked. Two never sit on one chair, neither on that for waiting nor on the barber's. The barber does not \
sleep while somebody waits. Who sat down gets his hair cut. And in the evening the barber goes home.

The problem is Dijkstra's (1965). It is that of every worker with a queue of bounded length: the chairs are its capacity, \
going away is the answer that the queue is full.",
    hint: Some(
        "A barber who looks for customers, and a customer who looks for the barber, each act on what they saw a moment ago. \
         Let none of them look: let the customer leave something behind that the barber finds, whenever he comes to it. What \
         counts, and keeps its count until somebody takes it? And before anybody waits for it, what must be given back?",
    ),
    challenge: "Let two customers sit down on one chair.",
    programs: &[
        Program::wrong(
            "looks_then_sits",
            looks_then_sits,
            FILE,
            "The barber has not come yet. Two customers see the chair empty, and both sit down. Lesson 02 once more, and the \
             first thing to go wrong wherever there is a bound.",
        ),
        Program::wrong(
            "looks_then_sleeps",
            looks_then_sleeps,
            FILE,
            "The barber looks whether somebody waits, and lies down to sleep; the customer sits down, and looks whether the \
             barber sleeps. Each looks before the other one acts. So the barber sleeps while a customer waits, and whoever \
             comes now finds the chair taken and goes away.",
        ),
        Program::wrong(
            "rings_too_soon",
            rings_too_soon,
            FILE,
            "A semaphore instead of looking: the customer rings, and the bell keeps count until the barber comes. A ring \
             with nobody on the chair tells him that it is evening, so he goes home. The customer rings, then sits down.",
        ),
        Program::wrong(
            "calls_too_soon",
            calls_too_soon,
            FILE,
            "First the chair, then the bell. But the barber calls the next one as soon as he has called this one: who tells \
             him that the hair is cut? The barber's own chair has no bound that anybody keeps.",
        ),
        Program::right(
            "signals",
            signals,
            FILE,
            "The customer takes a chair under the mutex, gives the mutex back, rings, and waits for the call. The barber \
             waits for a ring, calls, and waits until the hair is cut; it is the customer who frees a chair, by getting up. \
             In the evening main rings too: a ring with nobody on the chair for waiting means that it is time to go home. \
             All three signals are semaphores, which are from the same paper as the barber: Dijkstra's Cooperating Sequential \
             Processes.",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover/src/results/file/group.rs",
            symbol: "Looked at under the lock once more",
            says: "Who appends results goes home when nothing waits. It looks once more first, under the lock under which \
                   others leave their batches: so nobody relies on one who has just gone.",
        },
        Place {
            file: "crates/handover-sqlite/src/writer/waiters.rs",
            symbol: "process commits *first* and rings every bell *then*",
            says: "First the chair, then the bell: between two processes that share a file.",
        },
        Place {
            file: "crates/handover/src/memory/state.rs",
            symbol: "Admission::NoRoom(full(queue))",
            says: "Whether there is room is asked, and the room is taken, under one lock. Who finds none waits for it, or is \
                   told that the queue is full.",
        },
    ],
};

// begin: looks_then_sits
/// Wrong: the chair that was seen empty is taken meanwhile.
fn looks_then_sits() {
    const CHAIRS: u32 = 1;
    let waiting = Arc::new(Atomic::new("waiting", 0));
    let customers = ["ann", "bob"].map(|name| {
        let waiting = Arc::clone(&waiting);
        thread::spawn(name, move || {
            if waiting.load() < CHAIRS {
                waiting.update(|count| count + 1);
            }
        })
    });
    for customer in customers {
        customer.join();
    }
    assert!(waiting.load() <= CHAIRS, "two sit on one chair");
}
// end: looks_then_sits

// begin: looks_then_sleeps
/// Wrong: each looks at the other before the other has acted.
fn looks_then_sleeps() {
    let waiting = Arc::new(Atomic::new("waiting", 0));
    let sleeps = Arc::new(Atomic::new("sleeps", false));
    let bell = Arc::new(Semaphore::new("bell", 0));
    let call = Arc::new(Semaphore::new("call", 0));
    let barber = thread::spawn("barber", {
        let (bell, call) = (Arc::clone(&bell), Arc::clone(&call));
        let waiting = Arc::clone(&waiting);
        let sleeps = Arc::clone(&sleeps);
        move || {
            if waiting.load() == 0 {
                sleeps.store(true);
                bell.acquire(); // sleeps until it rings
            }
            call.release();
        }
    });
    let customer = thread::spawn("ann", move || {
        waiting.update(|count| count + 1);
        if sleeps.load() {
            bell.release();
        }
        call.acquire();
        waiting.update(|count| count - 1); // gets up
    });
    barber.join();
    customer.join();
}
// end: looks_then_sleeps

// begin: rings_too_soon
/// Wrong: the bell rings before there is somebody on the chair.
fn rings_too_soon() {
    let waiting = Arc::new(Mutex::new("waiting", 0));
    let bell = Arc::new(Semaphore::new("bell", 0));
    let call = Arc::new(Semaphore::new("call", 0));
    let barber = thread::spawn("barber", {
        let (bell, call) = (Arc::clone(&bell), Arc::clone(&call));
        let waiting = Arc::clone(&waiting);
        move || {
            bell.acquire();
            if *waiting.lock() > 0 {
                call.release();
            }
        }
    });
    let customer = thread::spawn("ann", move || {
        bell.release();
        *waiting.lock() += 1; // sits down
        call.acquire();
        *waiting.lock() -= 1; // gets up
    });
    barber.join();
    customer.join();
}
// end: rings_too_soon

// begin: calls_too_soon
/// Wrong: nobody tells the barber that his chair is free again.
fn calls_too_soon() {
    let bell = Arc::new(Semaphore::new("bell", 0));
    let call = Arc::new(Semaphore::new("call", 0));
    let barber = thread::spawn("barber", {
        let (bell, call) = (Arc::clone(&bell), Arc::clone(&call));
        move || {
            for _ in thread::rounds(2) {
                bell.acquire();
                call.release(); // and cuts hair
            }
        }
    });
    let chair = Arc::new(Atomic::new("chair", "empty"));
    let customers = ["ann", "bob"].map(|name| {
        let (bell, call) = (Arc::clone(&bell), Arc::clone(&call));
        let chair = Arc::clone(&chair);
        thread::spawn(name, move || {
            bell.release();
            call.acquire();
            let before = chair.update(|_| name);
            assert!(before == "empty", "{name} sits down on {before}");
            chair.store("empty");
        })
    });
    barber.join();
    for customer in customers {
        customer.join();
    }
}
// end: calls_too_soon

// begin: signals
/// A shop: who sits where, and three signals that keep their count.
struct Shop {
    waiting: Mutex<u32>,
    chair: Atomic<u32>,
    bell: Semaphore,
    call: Semaphore,
    done: Semaphore,
}
impl Shop {
    /// False where the chair for waiting is taken.
    fn visit(&self) -> bool {
        let mut waiting = self.waiting.lock();
        if *waiting == 1 {
            return false;
        }
        *waiting += 1;
        drop(waiting); // and only then waits
        self.bell.release();
        self.call.acquire();
        let mut waiting = self.waiting.lock();
        assert!(*waiting == 1, "two sit on the chair for waiting");
        *waiting -= 1; // gets up
        drop(waiting);
        let others = self.chair.update(|sit| sit + 1);
        assert!(others == 0, "two sit on the barber's chair");
        self.chair.update(|sit| sit - 1);
        self.done.release();
        true
    }
    /// False in the evening.
    fn serve(&self) -> bool {
        self.bell.acquire();
        let comes = *self.waiting.lock() > 0;
        if comes {
            self.call.release();
            self.done.acquire();
        }
        comes
    }
}

/// Right: who sits rings, who rang is called, and who is done says so.
fn signals() {
    let waiting = Mutex::new("waiting", 0);
    let chair = Atomic::new("chair", 0);
    let signal = |name| Semaphore::new(name, 0);
    let (bell, call, done) = (signal("bell"), signal("call"), signal("done"));
    let shop = Arc::new(Shop { waiting, chair, bell, call, done });
    let inside = Arc::clone(&shop);
    let barber = thread::spawn("barber", move || while inside.serve() {});
    let customers = ["ann", "bob", "eve"].map(|name| {
        let shop = Arc::clone(&shop);
        thread::spawn(name, move || shop.visit())
    });
    let served = customers.map(thread::JoinHandle::join);
    assert!(served.contains(&true), "the first one finds a chair");
    shop.bell.release(); // in the evening
    barber.join();
}
// end: signals
