//! Mutual exclusion, and sleeping until somebody notifies.

use super::{Number, perform, step, suspend};
use crate::effect::Effect;
use crate::here;
use crate::op::{Kind, Op};
use crate::real;
use crate::world::State;
use std::fmt::Debug;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::{PoisonError, TryLockError};

/// A value that one thread holds at a time.
#[derive(Debug)]
pub struct Mutex<T> {
    number: Number,
    value: std::sync::Mutex<T>,
}

/// The mutex, held; given back when dropped.
#[derive(Debug)]
pub struct Guard<'a, T: Debug> {
    mutex: &'a Mutex<T>,
    /// Absent only while the thread sleeps.
    held: Option<std::sync::MutexGuard<'a, T>>,
    place: &'static Location<'static>,
}

impl<T: Debug> Mutex<T> {
    /// A mutex around `value`, with this name in pictures. Explored, values that their `Debug` writes alike are
    /// taken for the same: derive it.
    pub fn new(name: &str, value: T) -> Self {
        let state = State::Mutex { owner: None, poisoned: false };
        let number = Number::new(Kind::Mutex, name, state, &value);
        Self { number, value: std::sync::Mutex::new(value) }
    }

    /// Waits until nobody holds the mutex, and holds it.
    #[track_caller]
    pub fn lock(&self) -> Guard<'_, T> {
        let held = perform(self.number, Op::Lock, || self.take(), |_| self.take_and_learn());
        Guard { mutex: self, held: Some(held), place: Location::caller() }
    }

    fn take(&self) -> std::sync::MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_and_learn(&self) -> std::sync::MutexGuard<'_, T> {
        let held = loop {
            match self.value.try_lock() {
                Ok(held) => break held,
                Err(TryLockError::Poisoned(held)) => break held.into_inner(),
                // Only when the execution is over, and threads are unwound one after the other: the holder's turn comes.
                Err(TryLockError::WouldBlock) => suspend(),
            }
        };
        self.number.learns(&(&*held, self.is_poisoned()));
        held
    }

    /// Whether a thread has panicked while it held the mutex, and may have left its work half done. Unlike std's, `lock` does
    /// not refuse because of it; ask while you hold the mutex, when the answer cannot change: it is no step of its own.
    pub fn is_poisoned(&self) -> bool {
        self.value.is_poisoned()
    }

    /// What was left half done is repaired. As the question, it belongs to the step of whoever holds the mutex.
    pub fn clear_poison(&self) {
        self.value.clear_poison();
        if let Some((id, world)) = self.number.get().zip(here::world()) {
            world.borrow_mut().does(Effect::ClearsPoison(id));
        }
    }
}

impl<T: Debug> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.mutex.number.looks();
        self.held.as_ref().expect("held while not asleep")
    }
}

impl<T: Debug> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.mutex.number.looks();
        self.held.as_mut().expect("held while not asleep")
    }
}

impl<T: Debug> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // A mutex of no run, or of another one, is only given back.
        let (Some(held), Some(id)) = (self.held.take(), self.mutex.number.get()) else { return };
        if let Some(world) = here::world() {
            let mut world = world.borrow_mut();
            if !world.abandoned {
                let poisoned = self.mutex.is_poisoned() || std::thread::panicking();
                let value = format!("{:?}", *held).into();
                world.does(Effect::Unlocks(id, value, poisoned, self.place));
            }
        }
        drop(held);
        here::pen(|pen| pen.note(Op::Unlock(id), self.place));
    }
}

/// A condition to sleep on until another thread notifies.
#[derive(Debug)]
pub struct Condvar {
    number: Number,
    real: std::sync::Condvar,
}

impl Condvar {
    /// A condition with this name in pictures.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let state = State::Condvar { asleep: Vec::new() };
        Self {
            number: Number::new(Kind::Condvar, name, state, &()),
            real: std::sync::Condvar::new(),
        }
    }

    /// Gives the mutex back and sleeps, both at once; holds it again after a notification, or, as std permits, without one.
    #[track_caller]
    pub fn wait<'a, T: Debug>(&self, mut guard: Guard<'a, T>) -> Guard<'a, T> {
        let place = Location::caller();
        let mutex = guard.mutex;
        let Some(held) = guard.held.take() else { return guard };
        let sleep = |held| self.real.wait(held).unwrap_or_else(PoisonError::into_inner);
        let held = match (self.number.demand().zip(mutex.number.demand()), here::world()) {
            (Some((condvar, id)), Some(_)) => {
                mutex.number.holds(&*held);
                drop(held);
                step(Op::Wait { condvar, mutex: id });
                mutex.take_and_learn()
            }
            (Some((condvar, id)), None) => {
                here::pen(|pen| pen.note(Op::Wait { condvar, mutex: id }, place));
                real::perform(Op::Relock { condvar, mutex: id }, place, || sleep(held))
            }
            (None, _) => sleep(held),
        };
        Guard { mutex, held: Some(held), place }
    }

    /// Wakes one of the sleepers, whichever; nobody, if nobody sleeps.
    #[track_caller]
    pub fn notify_one(&self) {
        perform(self.number, Op::NotifyOne, || self.real.notify_one(), |_| ());
    }

    /// Wakes all who sleep.
    #[track_caller]
    pub fn notify_all(&self) {
        perform(self.number, Op::NotifyAll, || self.real.notify_all(), |_| ());
    }
}
