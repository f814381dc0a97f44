//! The consumer's handle.
//!
//! What lives here: [`Receiver`] and the contract of each of its methods. What does not: how they
//! work (`channel.rs`), and its iterators (`iter.rs`).

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use crate::channel::Channel;
use crate::error::{Closed, RecvTimeoutError, TryRecvError};
use crate::future::{RecvFuture, RecvManyFuture};
use crate::iter::{Iter, TryIter};
use crate::sync::{self, Arc};

/// Takes values out of a bounded buffer, oldest first, and sleeps while it is empty.
///
/// Clones share the work: each item goes to one of them. Threads and tasks may use one handle at
/// the same time. When the last one is dropped, the buffer closes, senders get their values back,
/// and what is still inside is dropped.
///
/// ```
/// let (sender, receiver) = handover_buffer::bounded(8);
/// (1..=4).for_each(|number| sender.send(number).unwrap());
/// drop(sender);
/// let other = receiver.clone();
/// let (a, b) = std::thread::scope(|scope| {
///     let a = scope.spawn(move || receiver.iter().sum::<i32>());
///     let b = scope.spawn(move || other.iter().sum::<i32>());
///     (a.join().unwrap(), b.join().unwrap())
/// });
/// assert_eq!(a + b, 10); // each number went to one of the two
/// ```
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
}

impl<T> Receiver<T> {
    pub(crate) fn new(channel: Arc<Channel<T>>) -> Self {
        Self { channel }
    }

    /// Takes the oldest item, blocking the thread while there is none.
    ///
    /// Inside async code use [`recv_async`](Self::recv_async); this would block the runtime.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the buffer is closed and drained, also if that happens during the wait.
    ///
    /// ```
    /// use handover_buffer::{Closed, bounded};
    ///
    /// let (sender, receiver) = bounded(1);
    /// let thread = std::thread::spawn(move || sender.send("hello").unwrap());
    /// assert_eq!(receiver.recv(), Ok("hello"));
    /// thread.join().unwrap(); // the only sender is gone
    /// assert_eq!(receiver.recv(), Err(Closed));
    /// ```
    #[inline]
    pub fn recv(&self) -> Result<T, Closed> {
        self.channel.receive(None).map_err(|_| Closed)
    }

    /// Takes the oldest item if there is one at this moment.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] if the buffer is empty, or closed and drained.
    ///
    /// ```
    /// use handover_buffer::{TryRecvError, bounded};
    ///
    /// let (sender, receiver) = bounded(1);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.channel.try_recv()
    }

    /// Takes the oldest item, blocking the thread while there is none, but not beyond `deadline`.
    ///
    /// A deadline that has passed still makes one attempt, like [`try_recv`](Self::try_recv).
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`] if nothing was sent in time, or the buffer is closed and drained.
    ///
    /// ```
    /// # #![allow(clippy::disallowed_methods)]
    /// use handover_buffer::{RecvTimeoutError, bounded};
    /// use std::time::{Duration, Instant};
    ///
    /// let (sender, receiver) = bounded(1);
    /// let deadline = Instant::now() + Duration::from_millis(2);
    /// assert_eq!(receiver.recv_deadline(deadline), Err(RecvTimeoutError::Timeout));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.recv_deadline(deadline), Ok(1)); // late, but there
    /// ```
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.channel.receive(Some(deadline))
    }

    /// Takes the oldest item, blocking the thread while there is none, but not longer than
    /// `timeout`.
    ///
    /// A timeout too long for the clock to express waits without end.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`] if nothing was sent in time, or the buffer is closed and drained.
    ///
    /// ```
    /// use handover_buffer::{RecvTimeoutError, bounded};
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = bounded::<u8>(1);
    /// assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
    /// drop(sender);
    /// assert_eq!(receiver.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Closed));
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.channel.receive(sync::now().checked_add(timeout))
    }

    /// Takes the oldest item as soon as there is one; the task sleeps meanwhile.
    ///
    /// Cancel-safe: a future that is dropped before it is ready has taken nothing, and passes on a
    /// wake-up that it had received. A future that is kept but no longer polled may hold a wake-up
    /// that others need: drop it. While items keep coming the future is ready at once, every time;
    /// a task that shares its thread should yield now and then.
    ///
    /// # Errors
    ///
    /// The output is [`Closed`] if the buffer is closed and drained.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use handover_buffer::{Closed, bounded};
    ///
    /// let (sender, receiver) = bounded(1);
    /// let thread = std::thread::spawn(move || sender.send("hello").unwrap());
    /// assert_eq!(receiver.recv_async().await, Ok("hello")); // a thread sends, a task receives
    /// assert_eq!(receiver.recv_async().await, Err(Closed));
    /// # thread.join().unwrap();
    /// # }
    /// ```
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture::new(&self.channel)
    }

    /// Takes up to `max` of the oldest items in one go and puts them behind `out`, blocking the
    /// thread while there is none. Gives how many: at least 1, but 0 at once for a `max` of 0.
    ///
    /// It takes what is there and does not wait for more. The items are neighbours in the order:
    /// no other receiver gets one from between.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the buffer is closed and drained; `out` is unchanged.
    ///
    /// ```
    /// use handover_buffer::{Closed, bounded};
    ///
    /// let (sender, receiver) = bounded(8);
    /// (1..=5).for_each(|number| sender.send(number).unwrap());
    /// drop(sender);
    /// let mut batch = Vec::new();
    /// assert_eq!(receiver.recv_many(&mut batch, 3), Ok(3));
    /// assert_eq!(receiver.recv_many(&mut batch, 3), Ok(2));
    /// assert_eq!(batch, [1, 2, 3, 4, 5]);
    /// assert_eq!(receiver.recv_many(&mut batch, 3), Err(Closed));
    /// ```
    pub fn recv_many(&self, out: &mut Vec<T>, max: usize) -> Result<usize, Closed> {
        self.channel.receive_many(out, max, None).map_err(|_| Closed)
    }

    /// Takes up to `max` of the oldest items in one go, if there are any at this moment. Gives how
    /// many: at least 1, but 0 for a `max` of 0.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] if the buffer is empty, or closed and drained; `out` is unchanged.
    ///
    /// ```
    /// use handover_buffer::{TryRecvError, bounded};
    ///
    /// let (sender, receiver) = bounded(8);
    /// let mut batch = Vec::new();
    /// assert_eq!(receiver.try_recv_many(&mut batch, 3), Err(TryRecvError::Empty));
    /// sender.send('a').unwrap();
    /// assert_eq!(receiver.try_recv_many(&mut batch, 3), Ok(1));
    /// ```
    pub fn try_recv_many(&self, out: &mut Vec<T>, max: usize) -> Result<usize, TryRecvError> {
        self.channel.try_recv_many(out, max)
    }

    /// [`recv_many`](Self::recv_many), waiting for the first item not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`] if nothing was sent in time, or the buffer is closed and drained;
    /// `out` is unchanged.
    ///
    /// ```
    /// # #![allow(clippy::disallowed_methods)]
    /// use handover_buffer::{RecvTimeoutError, bounded};
    /// use std::time::{Duration, Instant};
    ///
    /// let (_sender, receiver) = bounded::<u8>(8);
    /// let deadline = Instant::now() + Duration::from_millis(2);
    /// let outcome = receiver.recv_many_deadline(&mut Vec::new(), 3, deadline);
    /// assert_eq!(outcome, Err(RecvTimeoutError::Timeout));
    /// ```
    pub fn recv_many_deadline(
        &self,
        out: &mut Vec<T>,
        max: usize,
        deadline: Instant,
    ) -> Result<usize, RecvTimeoutError> {
        self.channel.receive_many(out, max, Some(deadline))
    }

    /// [`recv_many`](Self::recv_many), waiting for the first item not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`] if nothing was sent in time, or the buffer is closed and drained;
    /// `out` is unchanged.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = handover_buffer::bounded(8);
    /// sender.send(1).unwrap();
    /// let mut batch = Vec::new();
    /// assert_eq!(receiver.recv_many_timeout(&mut batch, 3, Duration::ZERO), Ok(1));
    /// ```
    pub fn recv_many_timeout(
        &self,
        out: &mut Vec<T>,
        max: usize,
        timeout: Duration,
    ) -> Result<usize, RecvTimeoutError> {
        self.channel.receive_many(out, max, sync::now().checked_add(timeout))
    }

    /// [`recv_many`](Self::recv_many) for tasks, cancel-safe as [`recv_async`](Self::recv_async)
    /// is: dropped before it is ready, it has taken nothing and `out` is unchanged.
    ///
    /// # Errors
    ///
    /// The output is [`Closed`] if the buffer is closed and drained.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (sender, receiver) = handover_buffer::bounded(8);
    /// (1..=5).for_each(|number| sender.send(number).unwrap());
    /// let mut batch = Vec::new();
    /// assert_eq!(receiver.recv_many_async(&mut batch, 100).await, Ok(5));
    /// assert_eq!(batch, [1, 2, 3, 4, 5]);
    /// # }
    /// ```
    pub fn recv_many_async<'a>(&'a self, out: &'a mut Vec<T>, max: usize) -> RecvManyFuture<'a, T> {
        RecvManyFuture::new(&self.channel, out, max)
    }

    /// Items as [`recv`](Self::recv) gives them, until the end.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded(3);
    /// (1..=3).for_each(|number| sender.send(number).unwrap());
    /// drop(sender); // otherwise the iteration would wait for more
    /// assert_eq!(receiver.iter().collect::<Vec<_>>(), [1, 2, 3]);
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// Items as [`try_recv`](Self::try_recv) gives them, until there is none at the moment.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded(3);
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1]); // though more could follow
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter::new(self)
    }

    /// Closes the buffer for all; gives whether this call was the first to do so.
    ///
    /// Nothing is sent after it, those who wait for room get their values back, and receivers
    /// drain what is there.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded(2);
    /// sender.send(1).unwrap();
    /// assert!(receiver.close());
    /// assert!(sender.send(2).is_err());
    /// assert_eq!(receiver.iter().collect::<Vec<_>>(), [1]);
    /// ```
    pub fn close(&self) -> bool {
        self.channel.close()
    }

    /// How many items are inside at one moment; others may change it before you read it.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded(5);
    /// sender.send('x').unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.channel.ring.len()
    }

    /// How many items fit inside.
    ///
    /// ```
    /// assert_eq!(handover_buffer::bounded::<u8>(5).1.capacity(), 5);
    /// ```
    pub fn capacity(&self) -> usize {
        self.channel.ring.capacity()
    }

    /// Whether nothing is inside at one moment.
    ///
    /// ```
    /// assert!(handover_buffer::bounded::<u8>(5).1.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every place is taken at one moment.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded(1);
    /// sender.send(1).unwrap();
    /// assert!(receiver.is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Whether sends are refused from now on; items may still be inside.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded(1);
    /// sender.send(1).unwrap();
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// assert_eq!(receiver.recv(), Ok(1));
    /// ```
    pub fn is_closed(&self) -> bool {
        self.channel.ring.is_closed()
    }

    /// How many sends sleep at this moment because the buffer is full.
    ///
    /// ```
    /// assert_eq!(handover_buffer::bounded::<u8>(1).1.waiting_senders(), 0);
    /// ```
    pub fn waiting_senders(&self) -> usize {
        self.channel.senders.sleepers()
    }

    /// How many receives sleep at this moment because the buffer is empty: a gauge, and the signal
    /// tests wait for instead of time.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded(1);
    /// std::thread::scope(|scope| {
    ///     let taken = scope.spawn(|| receiver.recv());
    ///     while receiver.waiting_receivers() == 0 {
    ///         std::thread::yield_now();
    ///     }
    ///     sender.send(1).unwrap(); // wakes it
    ///     assert_eq!(taken.join().unwrap(), Ok(1));
    /// });
    /// assert_eq!(receiver.waiting_receivers(), 0);
    /// ```
    pub fn waiting_receivers(&self) -> usize {
        self.channel.receivers.sleepers()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.channel.add_receiver();
        Self { channel: Arc::clone(&self.channel) }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.channel.drop_receiver();
    }
}

// A panic cannot leave the buffer halfway: no code of a caller runs while it changes.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}
