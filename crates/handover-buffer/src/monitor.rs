//! The textbook's bounded buffer: one mutex, two condition variables, safe code only.
//!
//! What lives here: [`Monitor`], complete and short, for lessons to explain and for tests to hold
//! the fast buffer against. What does not: tasks, batches, speed. Use [`bounded`](crate::bounded)
//! for work.
//!
//! The rules of a monitor, all of them visible below:
//!
//! 1. Everything shared is inside the mutex, and every method holds it while it looks or changes.
//! 2. A thread waits in a loop that looks again: being woken means "look", not "it is so". Another
//!    thread may have been faster, and a wake-up may come without any reason.
//! 3. `wait` gives up the mutex and falls asleep in one step. Between looking and sleeping nobody
//!    can change anything, so no wake-up is missed.
//! 4. Who changes a condition notifies those who wait for it: one item, one waiter; the end, all.
//!    Two conditions have two variables; with one for both, `notify_one` could wake a producer when
//!    a consumer was meant, and all would sleep.

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use crate::error::{
    Closed, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use crate::sync::{self, Condvar, Mutex, MutexGuard, PoisonError, lock};

/// A bounded buffer made of one mutex and two condition variables.
///
/// Share it by reference or in an `Arc`; it has no handles, so it closes only by
/// [`close`](Self::close).
///
/// ```
/// use handover_buffer::monitor::Monitor;
///
/// let buffer = Monitor::new(1);
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         for number in 0..3 {
///             buffer.put(number).unwrap(); // waits while the one place is taken
///         }
///         buffer.close();
///     });
///     for expected in 0..3 {
///         assert_eq!(buffer.take(), Ok(expected));
///     }
///     assert!(buffer.take().is_err());
/// });
/// ```
pub struct Monitor<T> {
    capacity: usize,
    /// Everything that changes.
    state: Mutex<State<T>>,
    /// Producers wait here while the buffer is full.
    room: Condvar,
    /// Consumers wait here while it is empty.
    items: Condvar,
}

struct State<T> {
    /// Oldest first; never longer than the capacity.
    queue: VecDeque<T>,
    closed: bool,
}

impl<T> Monitor<T> {
    /// An open, empty buffer with `capacity` places.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0: a buffer without a place hands nothing over.
    ///
    /// ```
    /// assert_eq!(handover_buffer::monitor::Monitor::<u8>::new(3).capacity(), 3);
    /// ```
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "the capacity of a buffer must be at least 1");
        Self {
            capacity,
            state: Mutex::new(State { queue: VecDeque::with_capacity(capacity), closed: false }),
            room: Condvar::new(),
            items: Condvar::new(),
        }
    }

    /// Puts `value` behind all others; waits while the buffer is full.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value if the buffer is closed, also if it closes during the wait.
    ///
    /// ```
    /// let buffer = handover_buffer::monitor::Monitor::new(1);
    /// assert!(buffer.put(1).is_ok());
    /// buffer.close();
    /// assert_eq!(buffer.put(2).unwrap_err().into_inner(), 2);
    /// ```
    pub fn put(&self, value: T) -> Result<(), SendError<T>> {
        let mut state = lock(&self.state);
        while state.queue.len() == self.capacity && !state.closed {
            state = wait(&self.room, state);
        }
        self.put_now(state, value).map_err(|error| SendError(error.into_inner()))
    }

    /// Puts `value` behind all others if there is room at this moment.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the value if the buffer is full or closed.
    ///
    /// ```
    /// let buffer = handover_buffer::monitor::Monitor::new(1);
    /// assert!(buffer.try_put(1).is_ok());
    /// assert!(buffer.try_put(2).unwrap_err().is_full());
    /// ```
    pub fn try_put(&self, value: T) -> Result<(), TrySendError<T>> {
        self.put_now(lock(&self.state), value)
    }

    /// Puts `value` behind all others; waits while the buffer is full, but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`] with the value if no room appeared in time or the buffer is closed.
    ///
    /// ```
    /// # #![allow(clippy::disallowed_methods)]
    /// use std::time::{Duration, Instant};
    ///
    /// let buffer = handover_buffer::monitor::Monitor::new(1);
    /// let deadline = Instant::now() + Duration::from_millis(2);
    /// assert!(buffer.put_deadline(1, deadline).is_ok());
    /// assert!(buffer.put_deadline(2, deadline).unwrap_err().is_timeout());
    /// ```
    pub fn put_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        let mut state = lock(&self.state);
        while state.queue.len() == self.capacity && !state.closed {
            let in_time;
            (state, in_time) = wait_until(&self.room, state, deadline);
            if !in_time {
                break; // The last look is the one in `put_now`.
            }
        }
        self.put_now(state, value).map_err(|error| match error {
            TrySendError::Full(value) => SendTimeoutError::Timeout(value),
            TrySendError::Closed(value) => SendTimeoutError::Closed(value),
        })
    }

    /// Takes the oldest item; waits while there is none.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the buffer is closed and drained, also if that happens during the wait.
    ///
    /// ```
    /// use handover_buffer::{Closed, monitor::Monitor};
    ///
    /// let buffer = Monitor::new(1);
    /// buffer.put(1).unwrap();
    /// buffer.close();
    /// assert_eq!(buffer.take(), Ok(1));
    /// assert_eq!(buffer.take(), Err(Closed));
    /// ```
    pub fn take(&self) -> Result<T, Closed> {
        let mut state = lock(&self.state);
        while state.queue.is_empty() && !state.closed {
            state = wait(&self.items, state);
        }
        self.take_now(state).map_err(|_| Closed)
    }

    /// Takes the oldest item if there is one at this moment.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] if the buffer is empty, or closed and drained.
    ///
    /// ```
    /// use handover_buffer::{TryRecvError, monitor::Monitor};
    ///
    /// assert_eq!(Monitor::<u8>::new(1).try_take(), Err(TryRecvError::Empty));
    /// ```
    pub fn try_take(&self) -> Result<T, TryRecvError> {
        self.take_now(lock(&self.state))
    }

    /// Takes the oldest item; waits while there is none, but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`] if nothing was put in time, or the buffer is closed and drained.
    ///
    /// ```
    /// # #![allow(clippy::disallowed_methods)]
    /// use handover_buffer::{RecvTimeoutError, monitor::Monitor};
    /// use std::time::{Duration, Instant};
    ///
    /// let deadline = Instant::now() + Duration::from_millis(2);
    /// let outcome = Monitor::<u8>::new(1).take_deadline(deadline);
    /// assert_eq!(outcome, Err(RecvTimeoutError::Timeout));
    /// ```
    pub fn take_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        let mut state = lock(&self.state);
        while state.queue.is_empty() && !state.closed {
            let in_time;
            (state, in_time) = wait_until(&self.items, state, deadline);
            if !in_time {
                break; // The last look is the one in `take_now`.
            }
        }
        self.take_now(state).map_err(|error| match error {
            TryRecvError::Empty => RecvTimeoutError::Timeout,
            TryRecvError::Closed => RecvTimeoutError::Closed,
        })
    }

    /// Closes the buffer: nothing is put after it, everybody who waits is woken, consumers drain
    /// what is there. Gives whether this call was the first.
    ///
    /// ```
    /// let buffer = handover_buffer::monitor::Monitor::<u8>::new(1);
    /// assert!(buffer.close());
    /// assert!(!buffer.close());
    /// ```
    pub fn close(&self) -> bool {
        let first = !std::mem::replace(&mut lock(&self.state).closed, true);
        self.room.notify_all();
        self.items.notify_all();
        first
    }

    /// How many items are inside at one moment.
    ///
    /// ```
    /// let buffer = handover_buffer::monitor::Monitor::new(2);
    /// buffer.put('x').unwrap();
    /// assert_eq!(buffer.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        lock(&self.state).queue.len()
    }

    /// How many items fit inside.
    ///
    /// ```
    /// assert_eq!(handover_buffer::monitor::Monitor::<u8>::new(2).capacity(), 2);
    /// ```
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether nothing is inside at one moment.
    ///
    /// ```
    /// assert!(handover_buffer::monitor::Monitor::<u8>::new(2).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every place is taken at one moment.
    ///
    /// ```
    /// assert!(!handover_buffer::monitor::Monitor::<u8>::new(2).is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity
    }

    /// Whether nothing can be put from now on; items may still be inside.
    ///
    /// ```
    /// assert!(!handover_buffer::monitor::Monitor::<u8>::new(2).is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// The one place where items come in, with the mutex held.
    fn put_now(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        value: T,
    ) -> Result<(), TrySendError<T>> {
        if state.closed {
            return Err(TrySendError::Closed(value));
        }
        if state.queue.len() == self.capacity {
            return Err(TrySendError::Full(value));
        }
        state.queue.push_back(value);
        // After unlocking, so that the woken thread does not run into the mutex. It is safe: a
        // consumer that looks in between finds the item without being woken.
        drop(state);
        self.items.notify_one();
        Ok(())
    }

    /// The one place where items go out, with the mutex held.
    fn take_now(&self, mut state: MutexGuard<'_, State<T>>) -> Result<T, TryRecvError> {
        let Some(value) = state.queue.pop_front() else {
            return Err(if state.closed { TryRecvError::Closed } else { TryRecvError::Empty });
        };
        drop(state);
        self.room.notify_one();
        Ok(value)
    }
}

/// Gives up the mutex, sleeps until notified (or woken without reason), takes the mutex again.
fn wait<'a, S>(condition: &Condvar, state: MutexGuard<'a, S>) -> MutexGuard<'a, S> {
    condition.wait(state).unwrap_or_else(PoisonError::into_inner)
}

/// [`wait`], but not beyond `deadline`; also says whether the deadline is still to come.
fn wait_until<'a, S>(
    condition: &Condvar,
    state: MutexGuard<'a, S>,
    deadline: Instant,
) -> (MutexGuard<'a, S>, bool) {
    let left = deadline.saturating_duration_since(sync::now());
    if left.is_zero() {
        return (state, false);
    }
    let (state, _) = condition.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
    (state, true)
}

impl<T> fmt::Debug for Monitor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("len", &self.len())
            .field("capacity", &self.capacity)
            .field("closed", &self.is_closed())
            .finish()
    }
}
