//! The futures of the async operations, and what dropping one means.
//!
//! What lives here: [`SendFuture`], [`RecvFuture`], [`RecvManyFuture`]; each borrows its handle,
//! needs no runtime, and is `Send` if `T` is. What does not: the wait itself (`wait.rs`).
//!
//! Dropping a future before it is ready undoes it: a send has sent nothing (its value is dropped
//! with it, unless taken out by [`SendFuture::into_value`]), a receive has taken nothing. If it had
//! been woken already, the wake-up goes to the next who waits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::channel::{Channel, wait_if_empty};
use crate::error::{Closed, SendError};
use crate::wait::Seat;

/// Sends a value as soon as there is room. Made by [`Sender::send_async`](crate::Sender::send_async).
///
/// # Panics
///
/// When polled again after it was ready.
#[must_use = "a send that is not awaited sends nothing"]
pub struct SendFuture<'a, T> {
    channel: &'a Channel<T>,
    /// `None` once sent, refused or taken out.
    value: Option<T>,
    seat: Seat,
}

// No field is ever pinned: the value is moved out when there is room.
impl<T> Unpin for SendFuture<'_, T> {}

impl<'a, T> SendFuture<'a, T> {
    pub(crate) fn new(channel: &'a Channel<T>, value: T) -> Self {
        Self { channel, value: Some(value), seat: Seat::default() }
    }

    /// Gives up waiting and gives the value back; `None` if the future was ready already.
    ///
    /// ```
    /// use std::future::Future;
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    ///
    /// let (sender, receiver) = handover_buffer::bounded(1);
    /// sender.send("first").unwrap();
    /// let mut send = sender.send_async("second");
    /// let mut context = Context::from_waker(Waker::noop());
    /// assert!(pin!(&mut send).poll(&mut context).is_pending());
    /// assert_eq!(send.into_value(), Some("second"));
    /// assert_eq!(receiver.len(), 1); // the second was never sent
    /// ```
    pub fn into_value(mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { channel, value, seat } = self.get_mut();
        let taken = value.take().expect("a SendFuture was polled after it was ready");
        let attempt = |value| channel.attempt_send(value);
        match channel.senders.poll(seat, context, &channel.ring.room(), taken, attempt) {
            Ok(sent) => Poll::Ready(sent),
            Err(kept) => {
                *value = Some(kept);
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for SendFuture<'_, T> {
    fn drop(&mut self) {
        self.channel.senders.abandon(&mut self.seat);
    }
}

impl<T> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFuture").field("ready", &self.value.is_none()).finish_non_exhaustive()
    }
}

/// Takes the oldest item as soon as there is one. Made by
/// [`Receiver::recv_async`](crate::Receiver::recv_async).
///
/// Polled again after it was ready, it begins a new receive.
#[must_use = "a receive that is not awaited takes nothing"]
pub struct RecvFuture<'a, T> {
    channel: &'a Channel<T>,
    seat: Seat,
}

impl<'a, T> RecvFuture<'a, T> {
    pub(crate) fn new(channel: &'a Channel<T>) -> Self {
        Self { channel, seat: Seat::default() }
    }
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<T, Closed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { channel, seat } = self.get_mut();
        let attempt = |()| wait_if_empty(channel.try_recv());
        match channel.receivers.poll(seat, context, &channel.ring.items(), (), attempt) {
            Ok(received) => Poll::Ready(received),
            Err(()) => Poll::Pending,
        }
    }
}

impl<T> Drop for RecvFuture<'_, T> {
    fn drop(&mut self) {
        self.channel.receivers.abandon(&mut self.seat);
    }
}

impl<T> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvFuture").finish_non_exhaustive()
    }
}

/// Takes what is there, as soon as there is something. Made by
/// [`Receiver::recv_many_async`](crate::Receiver::recv_many_async).
///
/// Polled again after it was ready, it begins a new receive.
#[must_use = "a receive that is not awaited takes nothing"]
pub struct RecvManyFuture<'a, T> {
    channel: &'a Channel<T>,
    out: &'a mut Vec<T>,
    max: usize,
    seat: Seat,
}

impl<'a, T> RecvManyFuture<'a, T> {
    pub(crate) fn new(channel: &'a Channel<T>, out: &'a mut Vec<T>, max: usize) -> Self {
        Self { channel, out, max, seat: Seat::default() }
    }
}

impl<T> Future for RecvManyFuture<'_, T> {
    type Output = Result<usize, Closed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { channel, out, max, seat } = self.get_mut();
        let attempt = |()| wait_if_empty(channel.try_recv_many(out, *max));
        match channel.receivers.poll(seat, context, &channel.ring.items(), (), attempt) {
            Ok(received) => Poll::Ready(received),
            Err(()) => Poll::Pending,
        }
    }
}

impl<T> Drop for RecvManyFuture<'_, T> {
    fn drop(&mut self) {
        self.channel.receivers.abandon(&mut self.seat);
    }
}

impl<T> fmt::Debug for RecvManyFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvManyFuture").field("max", &self.max).finish_non_exhaustive()
    }
}
