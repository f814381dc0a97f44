//! Lesson 04: the condition. Sleeping until somebody notifies, and three ways to get it wrong.

use crate::{Lesson, Measured, Place, Program, clock};
use handover_lab::sync::{Atomic, Condvar, Mutex};
use handover_lab::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const FILE: &str = include_str!("04_condition.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 4,
    name: "condition",
    line: "sleep in one step, look again in a loop, wake whom it concerns",
    question: "\
A runner may start when the gate is open. How does she wait?

She can look again and again, which keeps a processor busy with looking. Or she can sleep on a condition until somebody \
notifies her. A notification is no message: it wakes who sleeps at that moment, and if nobody sleeps, it is gone. And a sleeper \
may wake up unasked, without any notification (a spurious wake-up); the programs that are explored with that say so.",
    hint: None,
    challenge: "Let the runner sleep for ever.",
    programs: &[
        Program::right(
            "busy_waiting",
            busy_waiting,
            FILE,
            "It works: the runner looks, and lets others go first, until the gate is open. What it costs is measured below. (The \
             explorer takes a yield at its word: who has yielded goes on when another thread has taken a step.)",
        ),
        Program::wrong(
            "too_late",
            too_late,
            FILE,
            "The runner looks, and then falls asleep; main opens the gate and notifies between the two. This is the lost wake-up. \
             She sleeps beside an open gate, and nobody will notify her again.",
        ),
        Program::right(
            "in_one_step",
            in_one_step,
            FILE,
            "She holds the mutex from looking until she sleeps: wait() gives it back and falls asleep in one step. Who opens the \
             gate needs the mutex, so it is opened before she looks or after she sleeps, and never between.",
        ),
        Program::wrong(
            "woken_for_nothing",
            woken_for_nothing,
            FILE,
            "Std permits wait() to return although nobody notified, because some systems do. The explorer does it at most once \
             in a schedule, wherever it likes. Being woken does not mean that the gate is open.",
        )
        .spurious(1),
        Program::right(
            "looks_again",
            looks_again,
            FILE,
            "While instead of if: woken, she looks again. Explored with the same unasked wake-up. The loop is needed without such \
             wake-ups, too: who is woken must first take the mutex again, and another thread may come before (lesson 06).",
        )
        .spurious(1),
        Program::wrong(
            "one_of_two",
            one_of_two,
            FILE,
            "Two runners wait for the same gate, and one notification wakes one of them. The open gate concerns both.",
        ),
        Program::right(
            "all_of_them",
            all_of_them,
            FILE,
            "Wake one where one can go on, such as one item for one consumer; wake all where it concerns all, such as the end.",
        ),
    ],
    measure: Some(measure),
    places: &[
        Place {
            file: "crates/handover-buffer/src/monitor.rs",
            symbol: "state = wait(&self.room, state)",
            says: "Every wait of the monitor is a loop that looks again, with the lock held until it sleeps.",
        },
        Place {
            file: "crates/handover/src/worker/lease.rs",
            symbol: "self.changed.wait(table)",
            says: "The thread that extends leases sleeps on a condition while there is none.",
        },
    ],
};

// begin: busy_waiting
/// Right, and a waste: looks again and again.
fn busy_waiting() {
    let open = Arc::new(Atomic::new("open", false));
    let gate = Arc::clone(&open);
    let runner = thread::spawn("runner", move || {
        while !gate.load() {
            thread::yield_now();
        }
    });
    open.store(true);
    runner.join();
}
// end: busy_waiting

// begin: too_late
/// Wrong: between looking and sleeping the mutex is free.
fn too_late() {
    let gate = Arc::new((Mutex::new("open", false), Condvar::new("opened")));
    let shared = Arc::clone(&gate);
    let runner = thread::spawn("runner", move || {
        let (open, opened) = &*shared;
        let is_open = *open.lock();
        if !is_open {
            drop(opened.wait(open.lock()));
        }
    });
    let (open, opened) = &*gate;
    *open.lock() = true;
    opened.notify_one();
    runner.join();
}
// end: too_late

// begin: in_one_step
/// Right: the mutex is held from looking until she sleeps.
fn in_one_step() {
    let gate = Arc::new((Mutex::new("open", false), Condvar::new("opened")));
    let shared = Arc::clone(&gate);
    let runner = thread::spawn("runner", move || {
        let (open, opened) = &*shared;
        let mut is_open = open.lock();
        while !*is_open {
            is_open = opened.wait(is_open);
        }
    });
    let (open, opened) = &*gate;
    *open.lock() = true;
    opened.notify_one();
    runner.join();
}
// end: in_one_step

// begin: woken_for_nothing
/// Wrong: takes for granted that who is woken was notified.
fn woken_for_nothing() {
    let gate = Arc::new((Mutex::new("open", false), Condvar::new("opened")));
    let shared = Arc::clone(&gate);
    let runner = thread::spawn("runner", move || {
        let (open, opened) = &*shared;
        let mut is_open = open.lock();
        if !*is_open {
            is_open = opened.wait(is_open);
        }
        assert!(*is_open, "she runs into a closed gate");
    });
    let (open, opened) = &*gate;
    *open.lock() = true;
    opened.notify_one();
    runner.join();
}
// end: woken_for_nothing

// begin: looks_again
/// Right: woken, she looks again.
fn looks_again() {
    let gate = Arc::new((Mutex::new("open", false), Condvar::new("opened")));
    let shared = Arc::clone(&gate);
    let runner = thread::spawn("runner", move || {
        let (open, opened) = &*shared;
        let mut is_open = open.lock();
        while !*is_open {
            is_open = opened.wait(is_open);
        }
        assert!(*is_open, "she runs into a closed gate");
    });
    let (open, opened) = &*gate;
    *open.lock() = true;
    opened.notify_one();
    runner.join();
}
// end: looks_again

// begin: one_of_two
/// Wrong: two wait for the gate, one is woken.
fn one_of_two() {
    let gate = Arc::new((Mutex::new("open", false), Condvar::new("opened")));
    let runners = ["ann", "bob"].map(|name| {
        let gate = Arc::clone(&gate);
        thread::spawn(name, move || {
            let (open, opened) = &*gate;
            let mut is_open = open.lock();
            while !*is_open {
                is_open = opened.wait(is_open);
            }
        })
    });
    let (open, opened) = &*gate;
    *open.lock() = true;
    opened.notify_one();
    for thread in runners {
        thread.join();
    }
}
// end: one_of_two

// begin: all_of_them
/// Right: what concerns all wakes all.
fn all_of_them() {
    let gate = Arc::new((Mutex::new("open", false), Condvar::new("opened")));
    let runners = ["ann", "bob"].map(|name| {
        let gate = Arc::clone(&gate);
        thread::spawn(name, move || {
            let (open, opened) = &*gate;
            let mut is_open = open.lock();
            while !*is_open {
                is_open = opened.wait(is_open);
            }
        })
    });
    let (open, opened) = &*gate;
    *open.lock() = true;
    opened.notify_all();
    for thread in runners {
        thread.join();
    }
}
// end: all_of_them

/// How long the gate stays closed for the measurement.
const CLOSED: Duration = Duration::from_millis(50);

/// What waiting costs a runner while the gate stays closed.
fn measure() -> Vec<Measured> {
    let flag = AtomicBool::new(false);
    let busy = std::thread::scope(|scope| {
        let runner = scope.spawn(|| {
            clock::cpu_used_by(|| {
                while !flag.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
            })
        });
        std::thread::park_timeout(CLOSED);
        flag.store(true, Ordering::Release);
        runner.join().ok().flatten()
    });
    let (open, opened) = (std::sync::Mutex::new(false), std::sync::Condvar::new());
    let lock = || open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let asleep = std::thread::scope(|scope| {
        let runner = scope
            .spawn(|| clock::cpu_used_by(|| drop(opened.wait_while(lock(), |is_open| !*is_open))));
        std::thread::park_timeout(CLOSED);
        *lock() = true;
        opened.notify_one();
        runner.join().ok().flatten()
    });
    vec![
        Measured {
            what: "busy waiting for a gate that opens after about 50 ms",
            value: clock::cpu_told(busy),
        },
        Measured { what: "sleeping on a condition until the same", value: clock::cpu_told(asleep) },
    ]
}
