//! Exercise 17: the barrier. All arrive before any goes on, and again at the next stage.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Atomic, Condvar, Mutex, Semaphore, Shared};
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("17_barrier.rs");

/// The exercise.
pub(crate) static LESSON: Lesson = Lesson {
    number: 17,
    name: "barrier",
    line: "all arrive before any goes on, and again at the next stage",
    question: "\
Friends walk from hut to hut. Whoever comes to a hut waits there for the others, and when all have come, they go on to the \
next one. How does each know that all are there?

Two things are asked, at every hut and not only at the first one. Nobody sets out before all have arrived. And when all have \
arrived, everybody sets out.

A barrier that is used once is soon made. The second use is the hard one: Downey's Little Book of Semaphores poses it as the \
reusable barrier.",
    hint: Some(
        "When the last one arrives, some of the others have not left yet; and one who is fast may come to the next hut \
         meanwhile. Whatever tells those at the first hut to go must not be taken by this one, and must not be gone before \
         the slow ones have looked.",
    ),
    challenge: "Let each of the two believe that the other one is still on the way.",
    programs: &[
        Program::wrong(
            "counts_in_two",
            counts_in_two,
            FILE,
            "Who arrives counts, and the last one opens the gate for the other. Counting is a read and a write, so it may be \
             that nobody is the last one.",
        ),
        Program::wrong(
            "stays_open",
            stays_open,
            FILE,
            "The count has a mutex, and who is early sleeps until all are there. At the first hut it does what it should. \
             But the count goes on, and at the second hut it is large enough at once. Every schedule breaks it, so any test \
             would find it. That cannot be said of the next one.",
        ),
        Program::wrong(
            "overtaken",
            overtaken,
            FILE,
            "The last one to arrive at a hut opens a gate for exactly as many as there are. But a gate does not ask who \
             comes through. Look at who arrives at the second hut while the other still has to leave the first one.",
        ),
        Program::right(
            "by_stage",
            by_stage,
            FILE,
            "The barrier counts the stages too, and who is early sleeps until the stage is another one than when they \
             arrived. The last one counts from the beginning for the next hut, and wakes all: a slow one still sees that the \
             stage has changed, and a fast one waits for the next change. Std's barrier does the same. One bit for odd and \
             even stages is enough, as in the barrier of Hensgen, Finkel and Manber (1988).",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover-buffer/src/ring.rs",
            symbol: "free, one lap later",
            says: "Threads go round the ring at their own speed, and a fast one may come to a slot again before a slow one \
                   has left it. Each slot has a stamp that says which lap it is ready for.",
        },
        Place {
            file: "crates/handover/src/results/file/tests/sharing.rs",
            symbol: "Barrier::new",
            says: "A test lets all its threads begin at once. Std has the repaired form.",
        },
    ],
};

// begin: counts_in_two
/// Wrong: nobody may be the last one.
fn counts_in_two() {
    let arrived = Arc::new(Shared::new("arrived", 0));
    let gate = Arc::new(Semaphore::new("gate", 0));
    let friends = ["ann", "bob"].map(|name| {
        let (arrived, gate) = (Arc::clone(&arrived), Arc::clone(&gate));
        thread::spawn(name, move || {
            let here = arrived.read() + 1;
            arrived.write(here);
            if here == 2 {
                gate.release();
            } else {
                gate.acquire();
            }
        })
    });
    for friend in friends {
        friend.join();
    }
}
// end: counts_in_two

// begin: stays_open
/// Wrong: what was enough at the first hut is enough for ever.
fn stays_open() {
    let arrived = Arc::new(Mutex::new("arrived", 0));
    let all_here = Arc::new(Condvar::new("all here"));
    let friends = ["ann", "bob"].map(|name| {
        let arrived = Arc::clone(&arrived);
        let all_here = Arc::clone(&all_here);
        thread::spawn(name, move || {
            for hut in thread::rounds(2) {
                let mut arrived = arrived.lock();
                *arrived += 1;
                all_here.notify_all();
                while *arrived < 2 {
                    arrived = all_here.wait(arrived);
                }
                let all = 2 * (hut + 1);
                assert!(*arrived >= all, "{name} does not wait");
            }
        })
    });
    for friend in friends {
        friend.join();
    }
}
// end: stays_open

// begin: overtaken
/// Wrong: a gate that is open for two is open for the same one twice.
fn overtaken() {
    let arrived = Arc::new(Atomic::new("arrived", 0));
    let gate = Arc::new(Semaphore::new("gate", 0));
    let friends = ["ann", "bob"].map(|name| {
        let (arrived, gate) = (Arc::clone(&arrived), Arc::clone(&gate));
        thread::spawn(name, move || {
            for hut in thread::rounds(2) {
                let before = arrived.update(|count| count + 1);
                if before % 2 == 1 {
                    gate.release(); // the last one, for both
                    gate.release();
                }
                gate.acquire();
                let all = 2 * (hut + 1);
                assert!(arrived.load() >= all, "{name} does not wait");
            }
        })
    });
    for friend in friends {
        friend.join();
    }
}
// end: overtaken

// begin: by_stage
/// How many have arrived, and at which stage.
struct Barrier {
    state: Mutex<(u32, u32)>,
    all_here: Condvar,
}

impl Barrier {
    fn wait(&self) {
        let mut state = self.state.lock();
        state.0 += 1;
        if state.0 == 3 {
            *state = (0, state.1 + 1);
            self.all_here.notify_all();
            return;
        }
        let stage = state.1;
        while state.1 == stage {
            state = self.all_here.wait(state);
        }
    }
}

/// Right: who sleeps is woken by a change that does not go away again.
fn by_stage() {
    let state = Mutex::new("state", (0, 0));
    let all_here = Condvar::new("all here");
    let barrier = Arc::new(Barrier { state, all_here });
    let arrived = Arc::new(Atomic::new("arrived", 0));
    let friends = ["ann", "bob", "eve"].map(|name| {
        let (barrier, arrived) = (Arc::clone(&barrier), Arc::clone(&arrived));
        thread::spawn(name, move || {
            for hut in thread::rounds(2) {
                arrived.update(|count| count + 1);
                barrier.wait();
                let all = 3 * (hut + 1);
                assert!(arrived.load() >= all, "{name} does not wait");
            }
        })
    });
    for friend in friends {
        friend.join();
    }
}
// end: by_stage
