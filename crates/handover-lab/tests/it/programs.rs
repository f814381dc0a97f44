//! Small programs with a known answer. The lessons' own programs are elsewhere.

use handover_lab::sync::{Atomic, Buffer, Condvar, Disk, Mutex, Semaphore, Shared};
use handover_lab::{chance, thread};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// Two threads add one each, by a read and a write.
pub(crate) fn lost_update() {
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

/// The same in one step each.
pub(crate) fn atomic_update() {
    let counter = Arc::new(Atomic::new("counter", 0));
    let threads = ["a", "b"].map(|name| {
        let counter = Arc::clone(&counter);
        thread::spawn(name, move || counter.update(|value| value + 1))
    });
    let mut seen = threads.map(thread::JoinHandle::join);
    seen.sort_unstable();
    assert_eq!((seen, counter.load()), ([0, 1], 2));
}

/// Two locks, taken in two orders.
pub(crate) fn two_orders() {
    let locks = Arc::new((Mutex::new("left", 0), Mutex::new("right", 0)));
    let others = Arc::clone(&locks);
    let a = thread::spawn("a", move || {
        let mut left = locks.0.lock();
        *left += *locks.1.lock();
    });
    let b = thread::spawn("b", move || {
        let mut right = others.1.lock();
        *right += *others.0.lock();
    });
    a.join();
    b.join();
}

/// Looks, lets the mutex go, and sleeps: what is notified between the two is lost.
pub(crate) fn lost_wakeup() {
    let place = Arc::new((Mutex::new("ready", false), Condvar::new("told")));
    let other = Arc::clone(&place);
    let waiter = thread::spawn("waiter", move || {
        let ready = *place.0.lock();
        if !ready {
            drop(place.1.wait(place.0.lock()));
        }
    });
    *other.0.lock() = true;
    other.1.notify_one();
    waiter.join();
}

/// One loaf, for as many as have a name here, who all look again when they are woken.
pub(crate) fn one_loaf(eaters: &[&'static str]) {
    let shelf = Arc::new((Mutex::new("shelf", 0), Condvar::new("bread")));
    let eaters: Vec<_> = eaters
        .iter()
        .map(|&name| {
            let shelf = Arc::clone(&shelf);
            thread::spawn(name, move || {
                let mut loaves = shelf.0.lock();
                while *loaves == 0 {
                    loaves = shelf.1.wait(loaves);
                }
                *loaves -= 1;
            })
        })
        .collect();
    *shelf.0.lock() += 1;
    shelf.1.notify_one();
    for eater in eaters {
        eater.join();
    }
}

/// A gate that is opened for two with a notification of all, or of one; the second looks, lets the mutex go, and sleeps.
pub(crate) fn gate(careless: bool, all: bool) {
    let gate = Arc::new((Mutex::new("open", false), Condvar::new("opened")));
    let (first, second) = (Arc::clone(&gate), Arc::clone(&gate));
    let first = thread::spawn("first", move || {
        let mut open = first.0.lock();
        while !*open {
            open = first.1.wait(open);
        }
    });
    let second = thread::spawn("second", move || {
        if careless {
            let open = *second.0.lock();
            if !open {
                drop(second.1.wait(second.0.lock()));
            }
            return;
        }
        let mut open = second.0.lock();
        while !*open {
            open = second.1.wait(open);
        }
    });
    *gate.0.lock() = true;
    if all {
        gate.1.notify_all()
    } else {
        gate.1.notify_one()
    }
    first.join();
    second.join();
}

/// Sleeps once and takes for granted that it was notified.
pub(crate) fn trusts_a_wakeup() {
    let place = Arc::new((Mutex::new("ready", false), Condvar::new("told")));
    let other = Arc::clone(&place);
    let waiter = thread::spawn("waiter", move || {
        let mut ready = place.0.lock();
        if !*ready {
            ready = place.1.wait(ready);
        }
        assert!(*ready, "woken, and it is not ready");
    });
    *other.0.lock() = true;
    other.1.notify_one();
    waiter.join();
}

/// Panics with the mutex held; whoever comes later sees that it did.
pub(crate) fn poisoned() {
    let books = Arc::new(Mutex::new("books", 0));
    let other = Arc::clone(&books);
    let clerk = thread::spawn("clerk", move || {
        let work = AssertUnwindSafe(|| {
            *other.lock() = 1;
            let mut held = other.lock();
            *held = 2;
            resume_unwind(Box::new("halfway"));
        });
        assert!(catch_unwind(work).is_err());
    });
    let held = books.lock();
    assert_eq!(*held == 2, books.is_poisoned(), "poisoned by the panic and by nothing else");
    drop(held);
    clerk.join();
    let held = books.lock();
    assert!(books.is_poisoned());
    books.clear_poison();
    drop(held);
    assert!(!books.is_poisoned());
}

/// Panics with the mutex held, while another sleeps with it: whoever looks sees that it did, before the sleep and after it.
pub(crate) fn poisoned_asleep() {
    let place = Arc::new((Mutex::new("books", 0), Condvar::new("told")));
    let (panics, sleeps, looks) = (Arc::clone(&place), Arc::clone(&place), place);
    let clerk = thread::spawn("clerk", move || {
        let work = AssertUnwindSafe(|| {
            let _held = panics.0.lock();
            resume_unwind(Box::new("halfway"));
        });
        assert!(catch_unwind(work).is_err());
    });
    let sleeper = thread::spawn("sleeper", move || drop(sleeps.1.wait(sleeps.0.lock())));
    let auditor = thread::spawn("auditor", move || {
        let held = looks.0.lock();
        let poisoned = looks.0.is_poisoned();
        drop(held);
        assert!(!poisoned, "the books are poisoned");
        looks.1.notify_all();
    });
    for thread in [clerk, sleeper, auditor] {
        thread.join();
    }
}

/// Clears the mark of a panic, before it is there or after.
pub(crate) fn cleared() {
    let place = Arc::new((Mutex::new("books", 0), Atomic::new("hour", 0)));
    let (panics, clears) = (Arc::clone(&place), Arc::clone(&place));
    let auditor = thread::spawn("auditor", move || {
        clears.1.load();
        clears.0.clear_poison();
    });
    let clerk = thread::spawn("clerk", move || {
        let work = AssertUnwindSafe(|| {
            let _held = panics.0.lock();
            resume_unwind(Box::new("halfway"));
        });
        assert!(catch_unwind(work).is_err());
    });
    auditor.join();
    clerk.join();
    let held = place.0.lock();
    assert!(!place.0.is_poisoned(), "still poisoned");
    drop(held);
}

/// Writes in a loop of rounds what was learnt before it.
pub(crate) fn learnt_before_the_rounds() {
    let cells = Arc::new((Atomic::new("price", 0), Atomic::new("paid", 9)));
    let other = Arc::clone(&cells);
    let buyer = thread::spawn("buyer", move || {
        let price = other.0.load();
        for _ in thread::rounds(1) {
            other.1.store(price);
        }
    });
    cells.0.store(1);
    cells.0.store(2);
    buyer.join();
    assert_ne!(cells.1.load(), 1, "paid the price of a moment");
}

/// Rounds in rounds, and after them the same again.
pub(crate) fn rounds_in_rounds() {
    fn visit(cell: &Atomic<u32>, number: u32) {
        for round in thread::rounds(1) {
            cell.store(number + round);
        }
    }
    let cell = Arc::new(Atomic::new("cell", 9));
    let other = Arc::clone(&cell);
    let visitor = thread::spawn("visitor", move || {
        for number in thread::rounds(2) {
            visit(&other, number);
        }
        visit(&other, 5);
        visit(&other, 5);
    });
    assert_ne!(cell.load(), 1, "seen in the second round");
    visitor.join();
    assert_eq!(cell.load(), 5);
}

#[derive(Debug)]
struct Gives(Arc<Semaphore>);

impl Drop for Gives {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A panic that is caught gives a place back on its way; nobody else is seen to panic, and no mutex is poisoned.
pub(crate) fn gives_back_in_a_panic() {
    let place = Arc::new((Arc::new(Semaphore::new("places", 0)), Mutex::new("books", 0)));
    let (panics, adds) = (Arc::clone(&place), Arc::clone(&place));
    let panics = thread::spawn("panics", move || {
        let work = AssertUnwindSafe(|| {
            let _place = Gives(Arc::clone(&panics.0));
            resume_unwind(Box::new("halfway"));
        });
        assert!(catch_unwind(work).is_err());
    });
    let adds = thread::spawn("adds", move || {
        *adds.1.lock() += 1;
        assert!(!std::thread::panicking(), "it does not panic");
    });
    place.0.acquire();
    panics.join();
    adds.join();
    let held = place.1.lock();
    assert!(!place.1.is_poisoned(), "nobody panicked with it");
    drop(held);
}

#[derive(Debug)]
struct Counts(Arc<Mutex<u32>>);

impl Drop for Counts {
    fn drop(&mut self) {
        *self.0.lock() += 1;
    }
}

/// A panic whose clean-up wants a mutex, which another may hold.
pub(crate) fn locks_in_a_panic() {
    let count = Arc::new(Mutex::new("count", 0));
    let (other, cell) = (Arc::clone(&count), Arc::new(Shared::new("cell", 0)));
    let reads = Arc::clone(&cell);
    let holder = thread::spawn("holder", move || {
        let held = other.lock();
        reads.read();
        drop(held);
    });
    let _counts = Counts(count);
    assert_eq!(cell.read(), 1, "it is none");
    holder.join();
}

/// Asks for the other cell in the middle of changing this one.
pub(crate) fn steps_within_a_step() {
    let cells = Arc::new((Atomic::new("one", 0), Atomic::new("other", 1)));
    let other = Arc::clone(&cells);
    let adder = thread::spawn("adder", move || other.0.update(|value| value + other.1.load()));
    cells.0.load();
    cells.0.load();
    adder.join();
}

#[derive(Debug)]
struct Monitor {
    items: Mutex<Vec<u32>>,
    room: Condvar,
    some: Condvar,
}

/// A buffer for one item as a monitor; with `shared`, producers and consumers sleep on the same condition.
pub(crate) fn monitor(producers: u32, consumers: u32, items: u32, shared: bool) {
    let monitor = Arc::new(Monitor {
        items: Mutex::new("items", vec![]),
        room: Condvar::new("room"),
        some: Condvar::new("some"),
    });
    let mut threads = Vec::new();
    for id in 0..producers {
        let monitor = Arc::clone(&monitor);
        threads.push(thread::spawn(&format!("producer {id}"), move || {
            for round in thread::rounds(items) {
                let mut inside = monitor.items.lock();
                while inside.len() == 1 {
                    inside = monitor.room.wait(inside);
                }
                inside.push(round);
                drop(inside);
                if shared { &monitor.room } else { &monitor.some }.notify_one();
            }
        }));
    }
    for id in 0..consumers {
        let monitor = Arc::clone(&monitor);
        threads.push(thread::spawn(&format!("consumer {id}"), move || {
            for _ in thread::rounds(items) {
                let mut inside = monitor.items.lock();
                while inside.is_empty() {
                    inside = if shared { &monitor.room } else { &monitor.some }.wait(inside);
                }
                inside.remove(0);
                drop(inside);
                monitor.room.notify_one();
            }
        }));
    }
    for thread in threads {
        thread.join();
    }
}

/// The same buffer of two semaphores and a mutex; with `swapped`, the mutex is taken first.
pub(crate) fn semaphores(swapped: bool) {
    let place = Arc::new((
        Semaphore::new("room", 1),
        Semaphore::new("some", 0),
        Mutex::new("items", vec![]),
    ));
    let other = Arc::clone(&place);
    let producer = thread::spawn("producer", move || {
        for round in 0..2 {
            let (room, some, items) = &*place;
            let early = swapped.then(|| items.lock());
            room.acquire();
            early.unwrap_or_else(|| items.lock()).push(round);
            some.release();
        }
    });
    let consumer = thread::spawn("consumer", move || {
        for round in 0..2 {
            other.1.acquire();
            assert_eq!(other.2.lock().pop(), Some(round));
            other.0.release();
        }
    });
    producer.join();
    consumer.join();
}

/// Message passing, to the end of the buffer.
pub(crate) fn messages() {
    let buffer = Arc::new(Buffer::new("mail", 1));
    let other = Arc::clone(&buffer);
    let producer = thread::spawn("producer", move || {
        buffer.send(1).unwrap();
        buffer.send(2).unwrap();
        buffer.close();
        assert_eq!(buffer.send(3), Err(3));
    });
    let mut got = Vec::new();
    while let Some(value) = other.receive() {
        got.push(value);
    }
    assert_eq!(got, [1, 2]);
    producer.join();
}

/// Asks again and again, and lets the other go first.
pub(crate) fn busy_waiting() {
    let flag = Arc::new(Shared::new("flag", false));
    let other = Arc::clone(&flag);
    let waiter = thread::spawn("waiter", move || {
        while !flag.read() {
            thread::yield_now();
        }
    });
    other.write(true);
    waiter.join();
}

/// Two threads that are polite for ever.
pub(crate) fn never_ends() {
    let flag = Arc::new(Shared::new("flag", false));
    let other = Arc::clone(&flag);
    let a = thread::spawn("a", move || while !flag.read() {});
    let b = thread::spawn("b", move || while !other.read() {});
    a.join();
    b.join();
}

/// A request and an answer, each of which may be lost; asks twice at most.
pub(crate) fn lost_on_the_way() {
    let done = Arc::new(Shared::new("done", 0));
    let other = Arc::clone(&done);
    let client = thread::spawn("client", move || {
        for _ in 0..2 {
            if chance::pick("request", 2) == 1 {
                other.write(other.read() + 1);
                if chance::pick("answer", 2) == 1 {
                    return;
                }
            }
        }
    });
    client.join();
    assert!(done.read() < 2, "done twice");
}

/// A record in one block is replaced: it is there before or after; with `torn`, it has two blocks.
pub(crate) fn power_cut(torn: bool) {
    let disk = Arc::new(Disk::new("disk", 2, 0));
    let (other, power) = (Arc::clone(&disk), Arc::clone(&disk));
    let writer = thread::spawn("writer", move || {
        other.write(0, 1);
        if torn {
            other.write(1, 1);
        }
        other.sync()
    });
    let power = thread::spawn("power", move || power.cut());
    let durable = writer.join();
    power.join();
    let found = (disk.read(0), disk.read(1));
    assert!(!durable || found.0 == 1, "what was synced is lost");
    assert!(!torn || found.0 == found.1, "torn: {found:?}");
}

/// Readers and a writer, where the first reader keeps the writer out for all; each reader comes `rounds` times. With a turnstile,
/// a writer that waits lets no new reader in.
pub(crate) fn readers_and_writer(rounds: u32, turnstile: bool) {
    let room = Arc::new((
        Mutex::new("readers", 0),
        Semaphore::new("room", 1),
        Semaphore::new("turnstile", 1),
    ));
    let mut threads = Vec::new();
    for name in ["reader 1", "reader 2"] {
        let room = Arc::clone(&room);
        threads.push(thread::spawn(name, move || {
            for _ in thread::rounds(rounds) {
                let (readers, empty, gate) = &*room;
                if turnstile {
                    gate.acquire();
                    gate.release();
                }
                let mut inside = readers.lock();
                *inside += 1;
                if *inside == 1 {
                    empty.acquire();
                }
                drop(inside);
                let mut inside = readers.lock();
                *inside -= 1;
                if *inside == 0 {
                    empty.release();
                }
            }
        }));
    }
    threads.push(thread::spawn("writer", move || {
        let (_, empty, gate) = &*room;
        if turnstile {
            gate.acquire();
        }
        empty.acquire();
        empty.release();
        if turnstile {
            gate.release();
        }
    }));
    for thread in threads {
        thread.join();
    }
}

/// Each takes two steps with the mutex held, and then gives it back with a third.
pub(crate) fn two_at_a_mutex() {
    let place = Arc::new((Mutex::new("mutex", ()), Atomic::new("value", 0)));
    let threads = ["a", "b"].map(|name| {
        let place = Arc::clone(&place);
        thread::spawn(name, move || {
            let held = place.0.lock();
            for _ in 0..3 {
                place.1.load();
            }
            drop(held);
        })
    });
    for thread in threads {
        thread.join();
    }
}
