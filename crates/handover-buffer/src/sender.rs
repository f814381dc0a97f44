//! The producer's handle.
//!
//! What lives here: [`Sender`] and the contract of each of its methods. What does not: how they
//! work (`channel.rs`).

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use crate::channel::Channel;
use crate::error::{SendError, SendTimeoutError, TrySendError};
use crate::future::SendFuture;
use crate::sync::{self, Arc};

/// Puts values into a bounded buffer, and waits while it is full.
///
/// Clones feed the same buffer; threads and tasks may use one handle at the same time. When the
/// last one is dropped, the buffer closes: receivers drain it and then see the end.
///
/// ```
/// let (sender, receiver) = handover_buffer::bounded(2);
/// let second = sender.clone();
/// std::thread::scope(|scope| {
///     scope.spawn(move || sender.send(1).unwrap());
///     scope.spawn(move || second.send(2).unwrap());
/// });
/// assert_eq!(receiver.into_iter().sum::<i32>(), 3);
/// ```
pub struct Sender<T> {
    channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    pub(crate) fn new(channel: Arc<Channel<T>>) -> Self {
        Self { channel }
    }

    /// Sends `value`, blocking the thread while the buffer is full.
    ///
    /// `Ok` means that the value has its place in the order. It does not mean that it will be
    /// received: the last [`Receiver`](crate::Receiver) may be dropped with items still inside.
    /// Inside async code use [`send_async`](Self::send_async); this would block the runtime.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value if the buffer is closed, also if it closes during the wait.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded(1);
    /// assert!(sender.send(1).is_ok());
    /// receiver.close();
    /// assert_eq!(sender.send(2).unwrap_err().into_inner(), 2);
    /// assert_eq!(receiver.recv(), Ok(1)); // what was sent before the end is still there
    /// ```
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.channel.send(value, None).map_err(|error| SendError(error.into_inner()))
    }

    /// Sends `value` if there is room at this moment.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the value if the buffer is full or closed.
    ///
    /// ```
    /// let (sender, _receiver) = handover_buffer::bounded(1);
    /// assert!(sender.try_send(1).is_ok());
    /// let refused = sender.try_send(2).unwrap_err();
    /// assert!(refused.is_full());
    /// assert_eq!(refused.into_inner(), 2);
    /// ```
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.channel.try_send(value)
    }

    /// Sends `value`, blocking the thread while the buffer is full, but not beyond `deadline`.
    ///
    /// A deadline that has passed still makes one attempt, like [`try_send`](Self::try_send).
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`] with the value if no room appeared in time or the buffer is closed.
    ///
    /// ```
    /// # #![allow(clippy::disallowed_methods)]
    /// use handover_buffer::{SendTimeoutError, bounded};
    /// use std::time::{Duration, Instant};
    ///
    /// let (sender, _receiver) = bounded(1);
    /// let deadline = Instant::now() + Duration::from_millis(2);
    /// assert_eq!(sender.send_deadline(1, deadline), Ok(()));
    /// assert_eq!(sender.send_deadline(2, deadline), Err(SendTimeoutError::Timeout(2)));
    /// ```
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.channel.send(value, Some(deadline))
    }

    /// Sends `value`, blocking the thread while the buffer is full, but not longer than `timeout`.
    ///
    /// A timeout too long for the clock to express waits without end.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`] with the value if no room appeared in time or the buffer is closed.
    ///
    /// ```
    /// use handover_buffer::{SendTimeoutError, bounded};
    /// use std::time::Duration;
    ///
    /// let (sender, _receiver) = bounded(1);
    /// assert_eq!(sender.send_timeout(1, Duration::MAX), Ok(()));
    /// assert_eq!(sender.send_timeout(2, Duration::ZERO), Err(SendTimeoutError::Timeout(2)));
    /// sender.close();
    /// assert_eq!(sender.send_timeout(3, Duration::MAX), Err(SendTimeoutError::Closed(3)));
    /// ```
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.channel.send(value, sync::now().checked_add(timeout))
    }

    /// Sends `value` as soon as there is room; the task sleeps meanwhile.
    ///
    /// Cancel-safe: a future that is dropped before it is ready has sent nothing, and passes on a
    /// wake-up that it had received. The value is dropped with it; take it back with
    /// [`SendFuture::into_value`]. Nothing happens before the first poll. A future that is kept but
    /// no longer polled may hold a wake-up that others need: drop it.
    ///
    /// # Errors
    ///
    /// The output is [`SendError`] with the value if the buffer is closed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (sender, receiver) = handover_buffer::bounded(1);
    /// let thread = std::thread::spawn(move || receiver.iter().collect::<Vec<_>>());
    /// for number in 0..3 {
    ///     sender.send_async(number).await.unwrap(); // a task sends, a thread receives
    /// }
    /// drop(sender);
    /// assert_eq!(thread.join().unwrap(), [0, 1, 2]);
    /// # }
    /// ```
    pub fn send_async(&self, value: T) -> SendFuture<'_, T> {
        SendFuture::new(&self.channel, value)
    }

    /// Closes the buffer for all; gives whether this call was the first to do so.
    ///
    /// Nothing is sent after it, those who wait for room get their values back, and receivers
    /// drain what is there.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded(2);
    /// sender.send(1).unwrap();
    /// assert!(sender.close());
    /// assert!(!receiver.close()); // already closed
    /// assert!(sender.send(2).is_err());
    /// assert_eq!(receiver.iter().collect::<Vec<_>>(), [1]);
    /// ```
    pub fn close(&self) -> bool {
        self.channel.close()
    }

    /// How many items are inside at one moment; others may change it before you read it.
    ///
    /// ```
    /// let (sender, _receiver) = handover_buffer::bounded(5);
    /// sender.send('x').unwrap();
    /// assert_eq!(sender.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.channel.ring.len()
    }

    /// How many items fit inside.
    ///
    /// ```
    /// assert_eq!(handover_buffer::bounded::<u8>(5).0.capacity(), 5);
    /// ```
    pub fn capacity(&self) -> usize {
        self.channel.ring.capacity()
    }

    /// Whether nothing is inside at one moment.
    ///
    /// ```
    /// assert!(handover_buffer::bounded::<u8>(5).0.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every place is taken at one moment.
    ///
    /// ```
    /// let (sender, _receiver) = handover_buffer::bounded(1);
    /// assert!(!sender.is_full());
    /// sender.send(1).unwrap();
    /// assert!(sender.is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Whether sends are refused from now on.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded::<u8>(1);
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.channel.ring.is_closed()
    }

    /// How many sends sleep at this moment because the buffer is full: a gauge, and the signal
    /// tests wait for instead of time.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded(1);
    /// sender.send(1).unwrap();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| sender.send(2).unwrap());
    ///     while sender.waiting_senders() == 0 {
    ///         std::thread::yield_now();
    ///     }
    ///     assert_eq!(receiver.recv(), Ok(1)); // makes room and wakes it
    /// });
    /// assert_eq!(sender.waiting_senders(), 0);
    /// ```
    pub fn waiting_senders(&self) -> usize {
        self.channel.senders.sleepers()
    }

    /// How many receives sleep at this moment because the buffer is empty.
    ///
    /// ```
    /// assert_eq!(handover_buffer::bounded::<u8>(1).0.waiting_receivers(), 0);
    /// ```
    pub fn waiting_receivers(&self) -> usize {
        self.channel.receivers.sleepers()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.channel.add_sender();
        Self { channel: Arc::clone(&self.channel) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.channel.drop_sender();
    }
}

// A panic cannot leave the buffer halfway: no code of a caller runs while it changes.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}
