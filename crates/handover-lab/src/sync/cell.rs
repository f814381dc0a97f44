//! Cells: a plain one whose read and write are two steps, and an atomic one that can do both in one.

use super::{Number, perform, without_steps};
use crate::op::{Kind, Op};
use crate::world::State;
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A place that threads read and write without any agreement.
///
/// Safe Rust has no such thing: it would be a data race. Here each read and each write is whole, and between the two anything
/// may happen. What is left is the race condition.
#[derive(Debug)]
pub struct Shared<T>(Cell<T>);

/// A value that can be read, changed and written in one step.
#[derive(Debug)]
pub struct Atomic<T>(Cell<T>);

#[derive(Debug)]
struct Cell<T> {
    number: Number,
    value: Mutex<T>,
}

impl<T: Copy + Debug> Cell<T> {
    fn new(kind: Kind, name: &str, value: T) -> Self {
        Self { number: Number::new(kind, name, State::Cell, &value), value: Mutex::new(value) }
    }

    fn value(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[track_caller]
    fn read(&self) -> T {
        let explored = |_| {
            let value = *self.value();
            self.number.looks();
            self.number.learns(&value);
            value
        };
        perform(self.number, Op::Read, || *self.value(), explored)
    }

    #[track_caller]
    fn write(&self, value: T) {
        let explored = |_| {
            *self.value() = value;
            self.number.holds(&value);
        };
        perform(self.number, Op::Write, || *self.value() = value, explored);
    }

    #[track_caller]
    fn update(&self, change: impl Fn(T) -> T) -> T {
        let update = || {
            let mut value = self.value();
            let before = *value;
            *value = change(before);
            (before, *value)
        };
        let explored = |_| {
            let (before, after) = without_steps(update);
            self.number.looks();
            self.number.learns(&before);
            self.number.holds(&after);
            (before, after)
        };
        perform(self.number, Op::Update, update, explored).0
    }
}

impl<T: Copy + Debug> Shared<T> {
    /// A cell with this name in pictures. Explored, values that their `Debug` writes alike are
    /// taken for the same: derive it.
    pub fn new(name: &str, value: T) -> Self {
        Self(Cell::new(Kind::Shared, name, value))
    }

    /// What it holds: one step.
    #[track_caller]
    pub fn read(&self) -> T {
        self.0.read()
    }

    /// Replaces what it holds: one step.
    #[track_caller]
    pub fn write(&self, value: T) {
        self.0.write(value);
    }
}

impl<T: Copy + Debug> Atomic<T> {
    /// An atomic with this name in pictures. Explored, values that their `Debug` writes alike are
    /// taken for the same: derive it.
    pub fn new(name: &str, value: T) -> Self {
        Self(Cell::new(Kind::Atomic, name, value))
    }

    /// What it holds: one step.
    #[track_caller]
    pub fn load(&self) -> T {
        self.0.read()
    }

    /// Replaces what it holds: one step.
    #[track_caller]
    pub fn store(&self, value: T) {
        self.0.write(value);
    }

    /// Replaces what it holds by what `change` makes of it, in one step, and returns what it held before.
    ///
    /// # Panics
    ///
    /// In an exploration, if `change` uses another of this crate's objects: that would be a step within a step.
    #[track_caller]
    pub fn update(&self, change: impl Fn(T) -> T) -> T {
        self.0.update(change)
    }
}
