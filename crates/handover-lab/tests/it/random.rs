//! Programs that nobody thought of: a few threads with a few operations each, drawn from a seed. What the explorer says of one, an
//! enumeration of every schedule says too. A failing test prints the seed, with which it fails again.

use crate::explore::same;
use handover_lab::sync::{Atomic, Buffer, Condvar, Mutex, Semaphore, Shared};
use handover_lab::{Bounds, explore, thread};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

const PROGRAMS: u64 = 60;
/// A program of more schedules is left out: a debug build enumerates a thousand in half a second.
const SCHEDULES_MAX: u128 = 300;

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// The next number below `of`.
fn draw(seed: &mut u64, of: u64) -> u64 {
    // Marsaglia's xorshift: the seed is never 0.
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed % of
}

#[derive(Debug)]
struct Place {
    cell: Shared<u64>,
    atomic: Atomic<u64>,
    mutex: Mutex<u64>,
    told: Condvar,
    semaphore: Semaphore,
    buffer: Buffer<u64>,
}

#[derive(Debug)]
struct Gives<'a>(&'a Semaphore);

impl Drop for Gives<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// The program of the seed: every value that a thread sees makes a difference to what it does later.
fn drawn() {
    let mut seed = SEED.get();
    let place = Arc::new(Place {
        cell: Shared::new("cell", 0),
        atomic: Atomic::new("atomic", 0),
        mutex: Mutex::new("mutex", 0),
        told: Condvar::new("told"),
        semaphore: Semaphore::new("semaphore", 1),
        buffer: Buffer::new("buffer", 1),
    });
    let threads = 2 + draw(&mut seed, 2);
    let most = if threads == 2 { 4 } else { 2 };
    let threads: Vec<_> = (0..threads)
        .map(|number| {
            let count = 1 + draw(&mut seed, most);
            let operations: Vec<u64> = (0..count).map(|_| draw(&mut seed, 15)).collect();
            let place = Arc::clone(&place);
            let body = move || {
                operations.iter().fold(number + 1, |seen, &operation| act(&place, operation, seen))
            };
            thread::spawn(&format!("thread {number}"), body)
        })
        .collect();
    let seen: u64 = threads.into_iter().map(thread::JoinHandle::join).sum();
    assert!(!std::thread::panicking(), "main does not panic");
    assert_ne!((seen + place.cell.read() * 3 + place.atomic.load() * 7) % 3, 0, "a third breaks");
}

/// Does one operation, and returns what the thread has seen since.
fn act(place: &Place, operation: u64, seen: u64) -> u64 {
    let Place { cell, atomic, mutex, told, semaphore, buffer } = place;
    match operation {
        0 => return cell.read(),
        1 => cell.write(seen),
        2 => return atomic.update(|value| value + 1),
        3 => {
            let mut held = mutex.lock();
            let before = std::mem::replace(&mut *held, seen % 5);
            return seen + before;
        }
        4 => {
            let held = mutex.lock();
            return if *held == 0 { *told.wait(held) } else { seen };
        }
        5 => {
            let mut held = mutex.lock();
            while *held == 0 {
                held = told.wait(held);
            }
            return *held;
        }
        6 => told.notify_one(),
        7 => told.notify_all(),
        8 => {
            semaphore.acquire();
            semaphore.release();
        }
        9 => {
            thread::rounds(2).for_each(|round| atomic.store(seen + u64::from(round)));
            return 0;
        }
        10 => {
            let work = AssertUnwindSafe(|| {
                let _gives = Gives(semaphore);
                let _held = mutex.lock();
                resume_unwind(Box::new("halfway"));
            });
            assert!(catch_unwind(work).is_err());
        }
        11 => {
            let _held = mutex.lock();
            if mutex.is_poisoned() {
                mutex.clear_poison();
                return seen + 100;
            }
        }
        12 => return buffer.send(seen).map_or(77, |()| seen),
        13 => return buffer.receive().unwrap_or(78),
        _ => buffer.close(),
    }
    seen
}

#[test]
fn programs_that_are_drawn_have_as_many_schedules_as_an_enumeration_finds() {
    let mut compared = 0;
    for number in 1..=PROGRAMS {
        SEED.set(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for spurious in [0, 1] {
            let bounds = Bounds { spurious, ..Bounds::default() };
            if explore(drawn, bounds.clone()).schedules <= SCHEDULES_MAX {
                let compare = || same(drawn, &bounds);
                let told = catch_unwind(AssertUnwindSafe(compare));
                assert!(told.is_ok(), "program {number}, with {spurious} unasked wake-ups");
                compared += 1;
            }
        }
    }
    assert!(compared > PROGRAMS, "{compared}");
}
