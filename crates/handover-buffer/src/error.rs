//! What can go wrong, one small type per operation.
//!
//! What lives here: the error types and their messages. Every error of a send carries the value
//! back. What does not: any decision to fail.

use std::error::Error;
use std::fmt;

/// A blocking or async send found the buffer closed. The value comes back.
///
/// What to do: keep the value or give it elsewhere; this buffer will accept nothing again.
///
/// ```
/// let (sender, receiver) = handover_buffer::bounded(1);
/// drop(receiver);
/// let error = sender.send("letter").unwrap_err();
/// assert_eq!(error.into_inner(), "letter");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> SendError<T> {
    /// The value that was not sent.
    ///
    /// ```
    /// assert_eq!(handover_buffer::SendError(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// A send that does not wait found no room, or a closed buffer. The value comes back.
///
/// ```
/// use handover_buffer::{TrySendError, bounded};
///
/// let (sender, _receiver) = bounded(1);
/// sender.try_send(1).unwrap();
/// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
/// sender.close();
/// assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "there is no third way; callers match both")]
pub enum TrySendError<T> {
    /// Every place is taken: wait, try later, or shed the load.
    Full(T),
    /// The buffer will accept nothing again.
    Closed(T),
}

impl<T> TrySendError<T> {
    /// Whether a later attempt may succeed.
    ///
    /// ```
    /// let (sender, _receiver) = handover_buffer::bounded(1);
    /// sender.try_send(1).unwrap();
    /// assert!(sender.try_send(2).unwrap_err().is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether no later attempt can succeed.
    ///
    /// ```
    /// let (sender, receiver) = handover_buffer::bounded(1);
    /// drop(receiver);
    /// assert!(sender.try_send(1).unwrap_err().is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// The value that was not sent.
    ///
    /// ```
    /// assert_eq!(handover_buffer::TrySendError::Full(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) => value,
        }
    }
}

/// A send with a deadline found no room in time, or a closed buffer. The value comes back.
///
/// ```
/// use handover_buffer::{SendTimeoutError, bounded};
/// use std::time::Duration;
///
/// let (sender, _receiver) = bounded(1);
/// sender.send(1).unwrap();
/// let error = sender.send_timeout(2, Duration::from_millis(1)).unwrap_err();
/// assert_eq!(error, SendTimeoutError::Timeout(2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "there is no third way; callers match both")]
pub enum SendTimeoutError<T> {
    /// No room appeared before the deadline: try later or shed the load.
    Timeout(T),
    /// The buffer will accept nothing again.
    Closed(T),
}

impl<T> SendTimeoutError<T> {
    /// Whether a later attempt may succeed.
    ///
    /// ```
    /// assert!(handover_buffer::SendTimeoutError::Timeout(7).is_timeout());
    /// ```
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// Whether no later attempt can succeed.
    ///
    /// ```
    /// assert!(handover_buffer::SendTimeoutError::Closed(7).is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// The value that was not sent.
    ///
    /// ```
    /// assert_eq!(handover_buffer::SendTimeoutError::Timeout(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(value) | Self::Closed(value) => value,
        }
    }
}

/// A waiting receive found the end: the buffer is closed, and everything sent has been taken.
///
/// What to do: stop receiving; nothing can follow.
///
/// ```
/// use handover_buffer::{Closed, bounded};
///
/// let (sender, receiver) = bounded(2);
/// sender.send(1).unwrap();
/// drop(sender);
/// assert_eq!(receiver.recv(), Ok(1)); // drained first
/// assert_eq!(receiver.recv(), Err(Closed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a unit: there is nothing to add to the end")]
pub struct Closed;

/// A receive that does not wait found nothing, or the end.
///
/// ```
/// use handover_buffer::{TryRecvError, bounded};
///
/// let (sender, receiver) = bounded::<u8>(1);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "there is no third way; callers match both")]
pub enum TryRecvError {
    /// Nothing is there now: wait or try later.
    Empty,
    /// The buffer is closed and drained: nothing can follow.
    Closed,
}

/// A receive with a deadline found nothing in time, or the end.
///
/// ```
/// use handover_buffer::{RecvTimeoutError, bounded};
/// use std::time::Duration;
///
/// let (_sender, receiver) = bounded::<u8>(1);
/// let error = receiver.recv_timeout(Duration::from_millis(1)).unwrap_err();
/// assert_eq!(error, RecvTimeoutError::Timeout);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "there is no third way; callers match both")]
pub enum RecvTimeoutError {
    /// Nothing was sent before the deadline.
    Timeout,
    /// The buffer is closed and drained: nothing can follow.
    Closed,
}

// Debug by hand: values need not be Debug for `unwrap` on a send to compile.

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() { "Full(..)" } else { "Closed(..)" })
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_timeout() { "Timeout(..)" } else { "Closed(..)" })
    }
}

const SEND_CLOSED: &str = "the buffer is closed and accepts nothing again";
const RECV_CLOSED: &str = "the buffer is closed and drained";

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SEND_CLOSED)
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the buffer is full; wait for room or shed the load",
            Self::Closed(_) => SEND_CLOSED,
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "the buffer stayed full until the deadline",
            Self::Closed(_) => SEND_CLOSED,
        })
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(RECV_CLOSED)
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the buffer is empty; wait for an item or try later",
            Self::Closed => RECV_CLOSED,
        })
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "the buffer stayed empty until the deadline",
            Self::Closed => RECV_CLOSED,
        })
    }
}

impl<T> Error for SendError<T> {}
impl<T> Error for TrySendError<T> {}
impl<T> Error for SendTimeoutError<T> {}
impl Error for Closed {}
impl Error for TryRecvError {}
impl Error for RecvTimeoutError {}

impl<T> From<SendError<T>> for TrySendError<T> {
    fn from(error: SendError<T>) -> Self {
        Self::Closed(error.0)
    }
}

impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(error: SendError<T>) -> Self {
        Self::Closed(error.0)
    }
}

impl From<Closed> for TryRecvError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<Closed> for RecvTimeoutError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No Debug, no Display, no Clone: errors must not ask for any of them.
    #[derive(PartialEq)]
    struct Opaque(u8);

    #[test]
    fn a_send_error_is_an_error_for_any_value_and_gives_it_back() {
        let boxed: Box<dyn Error> = Box::new(TrySendError::Full(Opaque(1)));
        assert_eq!(boxed.to_string(), "the buffer is full; wait for room or shed the load");
        assert!(SendError(Opaque(1)).into_inner() == Opaque(1));
        assert!(TrySendError::from(SendError(Opaque(2))).into_inner() == Opaque(2));
        assert!(SendTimeoutError::from(SendError(Opaque(3))).into_inner() == Opaque(3));
    }

    #[test]
    fn debug_names_the_kind_and_never_prints_the_value() {
        assert_eq!(format!("{:?}", SendError("secret")), "SendError(..)");
        assert_eq!(format!("{:?}", TrySendError::Full("secret")), "Full(..)");
        assert_eq!(format!("{:?}", SendTimeoutError::Closed("secret")), "Closed(..)");
    }

    #[test]
    fn the_end_converts_into_the_wider_errors() {
        assert_eq!(TryRecvError::from(Closed), TryRecvError::Closed);
        assert_eq!(RecvTimeoutError::from(Closed), RecvTimeoutError::Closed);
    }
}
