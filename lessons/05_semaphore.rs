//! Lesson 05: the semaphore. Counting places and items makes a bounded buffer, with a mutex at the right place.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Mutex, Semaphore, Shared};
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("05_semaphore.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 5,
    name: "semaphore",
    line: "count places and items; hold nothing while you wait for one",
    question: "\
A shelf has room for so many loaves. A baker waits while it is full, an eater while it is empty. Can counting alone do that?

A semaphore is a count that is never below zero: acquire takes one, and waits while there is none; release adds one \
(Dijkstra's P and V). Two of \
them, one for the free places and one for the loaves, say who may go on. They do not say that only one goes on at a time.",
    hint: None,
    challenge: "Put two loaves into one place.",
    programs: &[
        Program::wrong(
            "no_mutex",
            no_mutex,
            FILE,
            "Two places are free, so both bakers may go on, as they should. But both look for the next free place on the shelf, \
             and find the same one. It is the race of lesson 02 again.",
        ),
        Program::wrong(
            "swapped",
            swapped,
            FILE,
            "So the shelf gets a mutex, and somebody who eats. A baker locks it, and then waits for a free place; the eater, who \
             would free one, waits for the mutex. Two lines in the wrong order.",
        ),
        Program::right(
            "in_order",
            in_order,
            FILE,
            "First the count, then the mutex: who waits for a place holds nothing that another one needs to free it. And the \
             mutex lets one baker at a time at the shelf, so no two find the same place: this repairs the first program too.",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover/src/worker/fetch.rs",
            symbol: "async fn free_slots",
            says: "A worker has a semaphore that counts its free slots, and takes one before it asks a broker for a job.",
        },
        Place {
            file: "crates/handover-modules/src/scraper/polite.rs",
            symbol: "OwnedSemaphorePermit",
            says: "The scraper counts the requests that run to one host at a time.",
        },
    ],
};

// begin: no_mutex
/// Wrong: as many as there are places may go on, all at once.
fn no_mutex() {
    let places = Arc::new(Semaphore::new("places", 2));
    let filled = Arc::new(Shared::new("filled", 0));
    let bakers = ["ann", "bob"].map(|name| {
        let (places, filled) = (Arc::clone(&places), Arc::clone(&filled));
        thread::spawn(name, move || {
            places.acquire();
            let next = filled.read();
            filled.write(next + 1);
        })
    });
    for thread in bakers {
        thread.join();
    }
    assert_eq!(filled.read(), 2, "two loaves in one place");
}
// end: no_mutex

// begin: swapped
/// Wrong: waits for a place with the mutex in its hand.
fn swapped() {
    let places = Arc::new(Semaphore::new("places", 2));
    let loaves = Arc::new(Semaphore::new("loaves", 0));
    let shelf = Arc::new(Mutex::new("shelf", Vec::new()));
    let bakers = ["ann", "bob"].map(|name| {
        let (places, loaves) = (Arc::clone(&places), Arc::clone(&loaves));
        let shelf = Arc::clone(&shelf);
        thread::spawn(name, move || {
            for loaf in 1..=2 {
                let mut shelf = shelf.lock();
                places.acquire();
                shelf.push(loaf);
                assert!(shelf.len() <= 2, "a loaf without a place");
                drop(shelf);
                loaves.release();
            }
        })
    });
    let eater = thread::spawn("eater", move || {
        for _ in 1..=4 {
            loaves.acquire();
            shelf.lock().remove(0);
            places.release();
        }
    });
    for thread in bakers {
        thread.join();
    }
    eater.join();
}
// end: swapped

// begin: in_order
/// Right: waits for a place with empty hands.
fn in_order() {
    let places = Arc::new(Semaphore::new("places", 2));
    let loaves = Arc::new(Semaphore::new("loaves", 0));
    let shelf = Arc::new(Mutex::new("shelf", Vec::new()));
    let bakers = ["ann", "bob"].map(|name| {
        let (places, loaves) = (Arc::clone(&places), Arc::clone(&loaves));
        let shelf = Arc::clone(&shelf);
        thread::spawn(name, move || {
            for loaf in 1..=2 {
                places.acquire();
                let mut shelf = shelf.lock();
                shelf.push(loaf);
                assert!(shelf.len() <= 2, "a loaf without a place");
                drop(shelf);
                loaves.release();
            }
        })
    });
    let eater = thread::spawn("eater", move || {
        for _ in 1..=4 {
            loaves.acquire();
            shelf.lock().remove(0);
            places.release();
        }
    });
    for thread in bakers {
        thread.join();
    }
    eater.join();
}
// end: in_order
