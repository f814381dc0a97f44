//! Counting places.

use super::{Number, perform};
use crate::op::{Kind, Op};
use crate::world::State;
use std::sync::{Condvar, Mutex, PoisonError};

/// So many places: taking one waits until there is one. Dijkstra's, whose P and V are `acquire` and `release` here.
#[derive(Debug)]
pub struct Semaphore {
    number: Number,
    places: Mutex<usize>,
    freed: Condvar,
}

impl Semaphore {
    /// A semaphore with this name in pictures, and so many places.
    #[must_use]
    pub fn new(name: &str, places: usize) -> Self {
        let number = Number::new(Kind::Semaphore, name, State::Semaphore { places }, &places);
        Self { number, places: Mutex::new(places), freed: Condvar::new() }
    }

    /// Takes a place; waits while there is none.
    #[track_caller]
    pub fn acquire(&self) {
        let real = || {
            let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            let mut places = self
                .freed
                .wait_while(places, |places| *places == 0)
                .unwrap_or_else(PoisonError::into_inner);
            *places -= 1;
        };
        perform(self.number, Op::Acquire, real, |_| ());
    }

    /// Gives a place, whether it was taken before or not.
    #[track_caller]
    pub fn release(&self) {
        let real = || {
            *self.places.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            self.freed.notify_one();
        };
        perform(self.number, Op::Release, real, |_| ());
    }
}
