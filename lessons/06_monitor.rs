//! Lesson 06: the monitor. The buffer as one object that keeps its own rules, and what breaks when it keeps them badly.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Condvar, Mutex};
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("06_monitor.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 6,
    name: "monitor",
    line: "one object, its lock inside, a condition for each reason",
    question: "\
The buffer of lesson 05 is three things that everybody must use in the right order. Can one object keep the order itself?

A monitor is such an object: what is shared is inside, with one lock around it, and every method holds the lock from \
its beginning to its end. Who has to wait sleeps on a condition, which gives the lock back meanwhile. (Brinch Hansen and Hoare \
described it.)",
    hint: None,
    challenge: "Let somebody take from the empty shelf.",
    programs: &[
        Program::wrong(
            "two_calls",
            two_calls,
            FILE,
            "Each method is right by itself, and the eaters are wrong: between asking whether there is a loaf and taking it, the \
             lock is free. It is check-then-act of lesson 02, one floor up.",
        ),
        Program::wrong(
            "one_condition",
            one_condition,
            FILE,
            "One place, two bakers, two eaters, and one condition for all of them. Each wakes one other, as one item calls for. \
             But the one who is woken may be of the wrong kind: he looks, sleeps again, and the notification is used up.",
        ),
        Program::wrong(
            "woken_is_not_first",
            woken_is_not_first,
            FILE,
            "So each reason to wait gets a condition of its own, and who is woken is of the right kind. But to be woken is not to \
             have the lock: another eater may take it first, and the loaf with it. The woken one does not look again. With the \
             monitors of Hoare, who is woken goes on at once, and if would do; std's conditions, as those of the language Mesa, \
             only say that it is time to look.",
        ),
        Program::right(
            "two_conditions",
            two_conditions,
            FILE,
            "A condition for each reason to wait: bakers sleep until there is room, eaters until there is a loaf. A \
             notification can no longer wake the wrong kind; and who is woken looks again, for another may have come first. \
             Here each baker brings two loaves; the number of schedules is counted, not guessed.",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover-buffer/src/monitor.rs",
            symbol: "pub struct Monitor<T>",
            says: "The same monitor, complete: with a close, with deadlines, and with the tests that the fast buffer passes too.",
        },
        Place {
            file: "crates/handover/src/memory/mod.rs",
            symbol: "state: Mutex<State>",
            says: "The memory broker is a monitor: all its queues are inside one lock.",
        },
    ],
};

// begin: two_calls
/// A shelf whose methods hold the lock, each by itself.
#[derive(Debug)]
struct Shelf(Mutex<u32>);

impl Shelf {
    fn is_empty(&self) -> bool {
        *self.0.lock() == 0
    }
    fn take(&self) {
        let mut loaves = self.0.lock();
        assert!(*loaves > 0, "the shelf is empty");
        *loaves -= 1;
    }
}

/// Wrong: two calls are two times the lock.
fn two_calls() {
    let shelf = Arc::new(Shelf(Mutex::new("shelf", 1)));
    let eaters = ["ann", "bob"].map(|name| {
        let shelf = Arc::clone(&shelf);
        thread::spawn(name, move || {
            if !shelf.is_empty() {
                shelf.take();
            }
        })
    });
    for thread in eaters {
        thread.join();
    }
}
// end: two_calls

// begin: one_condition
/// A shelf for one loaf, with one condition for everybody.
#[derive(Debug)]
struct Crowded {
    shelf: Mutex<Vec<u32>>,
    changed: Condvar,
}

impl Crowded {
    fn put(&self, loaf: u32) {
        let mut shelf = self.shelf.lock();
        while shelf.len() == 1 {
            shelf = self.changed.wait(shelf);
        }
        shelf.push(loaf);
        self.changed.notify_one();
    }
    fn take(&self) {
        let mut shelf = self.shelf.lock();
        while shelf.is_empty() {
            shelf = self.changed.wait(shelf);
        }
        shelf.pop();
        self.changed.notify_one();
    }
}

/// Wrong: a baker may wake a baker.
fn one_condition() {
    let shelf = Mutex::new("shelf", Vec::new());
    let changed = Condvar::new("changed");
    let monitor = Arc::new(Crowded { shelf, changed });
    let bakers = ["ann", "bob"].map(|name| {
        let monitor = Arc::clone(&monitor);
        thread::spawn(name, move || monitor.put(1))
    });
    let eaters = ["eve", "joe"].map(|name| {
        let monitor = Arc::clone(&monitor);
        thread::spawn(name, move || monitor.take())
    });
    for thread in bakers {
        thread.join();
    }
    for thread in eaters {
        thread.join();
    }
}
// end: one_condition

// begin: woken_is_not_first
/// A shelf for one loaf. Who is woken does not look again.
#[derive(Debug)]
struct Hasty {
    shelf: Mutex<Vec<u32>>,
    room: Condvar,
    bread: Condvar,
}

impl Hasty {
    fn put(&self, loaf: u32) {
        let mut shelf = self.shelf.lock();
        if shelf.len() == 1 {
            shelf = self.room.wait(shelf);
        }
        shelf.push(loaf);
        self.bread.notify_one();
    }
    fn take(&self) {
        let mut shelf = self.shelf.lock();
        if shelf.is_empty() {
            shelf = self.bread.wait(shelf);
        }
        assert!(shelf.pop().is_some(), "the shelf is empty");
        self.room.notify_one();
    }
}

/// Wrong: another eater comes between the wake-up and the loaf.
fn woken_is_not_first() {
    let shelf = Mutex::new("shelf", Vec::new());
    let (room, bread) = (Condvar::new("room"), Condvar::new("bread"));
    let monitor = Arc::new(Hasty { shelf, room, bread });
    let eaters = ["eve", "joe"].map(|name| {
        let monitor = Arc::clone(&monitor);
        thread::spawn(name, move || monitor.take())
    });
    monitor.put(1);
    monitor.put(2);
    for thread in eaters {
        thread.join();
    }
}
// end: woken_is_not_first

// begin: two_conditions
/// A shelf for one loaf, with a condition for each reason to wait.
#[derive(Debug)]
struct Monitor {
    shelf: Mutex<Vec<u32>>,
    room: Condvar,
    bread: Condvar,
}

impl Monitor {
    fn put(&self, loaf: u32) {
        let mut shelf = self.shelf.lock();
        while shelf.len() == 1 {
            shelf = self.room.wait(shelf);
        }
        shelf.push(loaf);
        self.bread.notify_one();
    }
    fn take(&self) {
        let mut shelf = self.shelf.lock();
        while shelf.is_empty() {
            shelf = self.bread.wait(shelf);
        }
        shelf.pop();
        self.room.notify_one();
    }
}

/// Right: a baker wakes an eater, and an eater a baker.
fn two_conditions() {
    let shelf = Mutex::new("shelf", Vec::new());
    let (room, bread) = (Condvar::new("room"), Condvar::new("bread"));
    let monitor = Arc::new(Monitor { shelf, room, bread });
    let bakers = ["ann", "bob"].map(|name| {
        let monitor = Arc::clone(&monitor);
        thread::spawn(name, move || {
            thread::rounds(2).for_each(|_| monitor.put(1));
        })
    });
    let eaters = ["eve", "joe"].map(|name| {
        let monitor = Arc::clone(&monitor);
        thread::spawn(name, move || {
            thread::rounds(2).for_each(|_| monitor.take());
        })
    });
    for thread in bakers {
        thread.join();
    }
    for thread in eaters {
        thread.join();
    }
}
// end: two_conditions
