//! What the two handles share: the ring, a wait list on each side, and the count of handles.
//!
//! What lives here: every operation once, as a first attempt followed by a wait, and closing.
//! What does not: the public faces (`sender.rs`, `receiver.rs`), the algorithms (`ring.rs`,
//! `wait.rs`).
//!
//! ```text
//!            first close(), last Sender or last Receiver dropped
//!   open ----------------------------------------------------------> closed
//!   send: waits for room                 send: the value comes back
//!   recv: waits for an item              recv: drains, then the end
//!                                        last Receiver dropped: the rest is dropped
//! ```

use std::time::Instant;

use crate::error::{RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
use crate::ring::Ring;
use crate::sync::AtomicUsize;
use crate::sync::Ordering::{AcqRel, Relaxed};
use crate::wait::WaitList;

#[derive(Debug)]
pub(crate) struct Channel<T> {
    pub(crate) ring: Ring<T>,
    /// Those who wait for room; woken by receivers, one for each place.
    pub(crate) senders: WaitList,
    /// Those who wait for items; woken by senders, one for each item.
    pub(crate) receivers: WaitList,
    /// Living `Sender`s: written by their clone and drop.
    sender_count: AtomicUsize,
    /// Living `Receiver`s: written by their clone and drop.
    receiver_count: AtomicUsize,
}

impl<T> Channel<T> {
    /// An open channel with one sender and one receiver.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            ring: Ring::new(capacity),
            senders: WaitList::default(),
            receivers: WaitList::default(),
            sender_count: AtomicUsize::new(1),
            receiver_count: AtomicUsize::new(1),
        }
    }

    #[inline]
    pub(crate) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.ring.push(value)?;
        self.receivers.notify(1);
        Ok(())
    }

    #[inline]
    pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
        let value = self.ring.pop()?;
        self.senders.notify(1);
        Ok(value)
    }

    pub(crate) fn try_recv_many(
        &self,
        out: &mut Vec<T>,
        max: usize,
    ) -> Result<usize, TryRecvError> {
        let count = self.ring.pop_many(out, max)?;
        self.senders.notify(count);
        Ok(count)
    }

    /// Sends by the deadline; without one, `Timeout` does not happen.
    ///
    /// Whoever loses a race waits as if the buffer were full: the winner has the cache lines, and
    /// does more with them alone than two do in turns.
    #[inline]
    pub(crate) fn send(
        &self,
        value: T,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        match self.ring.push_at_once(value) {
            Ok(()) => {
                self.receivers.notify(1);
                Ok(())
            }
            Err(value) => self.send_slow(value, deadline),
        }
    }

    #[cold]
    fn send_slow(&self, value: T, deadline: Option<Instant>) -> Result<(), SendTimeoutError<T>> {
        let attempt = |value| self.attempt_send(value);
        match self.senders.block(&self.ring.room(), deadline, value, attempt) {
            Ok(sent) => sent.map_err(SendTimeoutError::from),
            Err(value) => Err(SendTimeoutError::Timeout(value)),
        }
    }

    /// One attempt of a waiting send: the outcome, or the value back if it must wait.
    #[inline]
    pub(crate) fn attempt_send(&self, value: T) -> Result<Result<(), SendError<T>>, T> {
        match self.try_send(value) {
            Ok(()) => Ok(Ok(())),
            Err(TrySendError::Closed(value)) => Ok(Err(SendError(value))),
            Err(TrySendError::Full(value)) => Err(value),
        }
    }

    /// Receives by the deadline; without one, `Timeout` does not happen.
    #[inline]
    pub(crate) fn receive(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        match self.ring.pop_at_once() {
            Some(value) => {
                self.senders.notify(1);
                Ok(value)
            }
            None => self.receive_slow(deadline, || self.try_recv()),
        }
    }

    /// As `receive`, for up to `max` items in one go.
    pub(crate) fn receive_many(
        &self,
        out: &mut Vec<T>,
        max: usize,
        deadline: Option<Instant>,
    ) -> Result<usize, RecvTimeoutError> {
        match self.try_recv_many(out, max) {
            Ok(count) => Ok(count),
            Err(TryRecvError::Closed) => Err(RecvTimeoutError::Closed),
            Err(TryRecvError::Empty) => {
                self.receive_slow(deadline, || self.try_recv_many(out, max))
            }
        }
    }

    #[cold]
    fn receive_slow<R>(
        &self,
        deadline: Option<Instant>,
        mut attempt: impl FnMut() -> Result<R, TryRecvError>,
    ) -> Result<R, RecvTimeoutError> {
        let attempt = |()| wait_if_empty(attempt());
        match self.receivers.block(&self.ring.items(), deadline, (), attempt) {
            Ok(Ok(received)) => Ok(received),
            Ok(Err(closed)) => Err(RecvTimeoutError::from(closed)),
            Err(()) => Err(RecvTimeoutError::Timeout),
        }
    }

    /// Closes, and wakes everybody to see it. Gives whether this call was the first.
    pub(crate) fn close(&self) -> bool {
        let first = self.ring.close();
        if first {
            // Also if a sender's waker, which is code of the caller, panics.
            let _receivers = Finally(|| self.receivers.notify_all());
            self.senders.notify_all();
        }
        first
    }

    pub(crate) fn add_sender(&self) {
        // Relaxed: the caller holds a handle, so the count cannot reach 0 meanwhile. It cannot
        // overflow: each handle holds an `Arc`, which counts the same and aborts before.
        self.sender_count.fetch_add(1, Relaxed);
    }

    pub(crate) fn drop_sender(&self) {
        // AcqRel: everything done through the other senders is before the close of the last.
        if self.sender_count.fetch_sub(1, AcqRel) == 1 {
            self.close();
        }
    }

    pub(crate) fn add_receiver(&self) {
        // Relaxed: as in `add_sender`.
        self.receiver_count.fetch_add(1, Relaxed);
    }

    pub(crate) fn drop_receiver(&self) {
        // AcqRel: everything done through the other receivers is before the last one's discard.
        if self.receiver_count.fetch_sub(1, AcqRel) == 1 {
            // Nobody can take what is left. Drop it now: it may hold a reply somebody waits for.
            let _rest = Finally(|| self.ring.discard());
            self.close();
        }
    }
}

/// Does its work when it is dropped, so also if what stands between panics.
struct Finally<F: Fn()>(F);

impl<F: Fn()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// One attempt of a waiting receive: the outcome, or `Err` if it must wait.
#[inline]
pub(crate) fn wait_if_empty<R>(
    outcome: Result<R, TryRecvError>,
) -> Result<Result<R, crate::error::Closed>, ()> {
    match outcome {
        Ok(received) => Ok(Ok(received)),
        Err(TryRecvError::Closed) => Ok(Err(crate::error::Closed)),
        Err(TryRecvError::Empty) => Err(()),
    }
}
