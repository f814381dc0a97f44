//! A bounded buffer as one object: message passing.

use super::{Number, perform};
use crate::op::{Kind, Op};
use crate::world::{Answer, State};
use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Room for so many values: sending waits while it is full, receiving while it is empty.
#[derive(Debug)]
pub struct Buffer<T> {
    number: Number,
    capacity: usize,
    inside: Mutex<Inside<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inside<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T: Debug> Buffer<T> {
    /// A buffer with this name in pictures, and room for `capacity` values. Explored, values that their `Debug` writes alike are
    /// taken for the same: derive it.
    #[must_use]
    pub fn new(name: &str, capacity: usize) -> Self {
        let inside = Inside { items: VecDeque::new(), closed: false };
        let state = State::Buffer { len: 0, capacity, closed: false };
        let number = Number::new(Kind::Buffer, name, state, &inside.items);
        Self { number, capacity, inside: Mutex::new(inside), changed: Condvar::new() }
    }

    fn inside(&self) -> MutexGuard<'_, Inside<T>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room, and puts the value in.
    ///
    /// # Errors
    ///
    /// The value, if the buffer is closed.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), T> {
        // One of the two takes it.
        let value = std::cell::Cell::new(Some(value));
        let put = |mut inside: MutexGuard<'_, Inside<T>>| match value.take() {
            Some(value) if inside.closed => Err(value),
            Some(value) => {
                inside.items.push_back(value);
                self.number.holds(&inside.items);
                Ok(())
            }
            None => Ok(()),
        };
        let real = || {
            let full =
                |inside: &mut Inside<T>| inside.items.len() >= self.capacity && !inside.closed;
            let sent = put(self
                .changed
                .wait_while(self.inside(), full)
                .unwrap_or_else(PoisonError::into_inner));
            self.changed.notify_all();
            sent
        };
        let explored = |answer| {
            self.number.learns(&answer);
            put(self.inside())
        };
        perform(self.number, Op::Send, real, explored)
    }

    /// Waits for a value, and takes it out. `None` when the buffer is closed and empty.
    #[track_caller]
    pub fn receive(&self) -> Option<T> {
        let real = || {
            let empty = |inside: &mut Inside<T>| inside.items.is_empty() && !inside.closed;
            let mut inside = self
                .changed
                .wait_while(self.inside(), empty)
                .unwrap_or_else(PoisonError::into_inner);
            let value = inside.items.pop_front();
            self.changed.notify_all();
            value
        };
        let explored = |_: Answer| {
            let mut inside = self.inside();
            let value = inside.items.pop_front();
            self.number.holds(&inside.items);
            self.number.learns(&value);
            value
        };
        perform(self.number, Op::Receive, real, explored)
    }

    /// No value goes in any more; those inside can still be received.
    #[track_caller]
    pub fn close(&self) {
        let close = || {
            self.inside().closed = true;
            self.changed.notify_all();
        };
        perform(self.number, Op::Close, close, |_| close());
    }
}
