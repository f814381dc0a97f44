//! A receiver as a sequence.
//!
//! What lives here: the three iterators and `IntoIterator`. What does not: receiving.

use std::iter::FusedIterator;

use crate::receiver::Receiver;

/// Items of a borrowed receiver, waiting for each, until the end. Made by [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// Items that are there at the moment. Made by [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// Items of an owned receiver, waiting for each, until the end. Made by `IntoIterator`.
///
/// Dropping it drops the receiver, with all that means.
///
/// ```
/// let (sender, receiver) = handover_buffer::bounded(3);
/// let thread = std::thread::spawn(move || {
///     for number in 1..=3 {
///         sender.send(number).unwrap();
///     }
/// });
/// let mut seen = Vec::new();
/// for number in receiver {
///     seen.push(number);
/// }
/// assert_eq!(seen, [1, 2, 3]);
/// # thread.join().unwrap();
/// ```
#[derive(Debug)]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<'a, T> Iter<'a, T> {
    pub(crate) fn new(receiver: &'a Receiver<T>) -> Self {
        Self { receiver }
    }
}

impl<'a, T> TryIter<'a, T> {
    pub(crate) fn new(receiver: &'a Receiver<T>) -> Self {
        Self { receiver }
    }
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

// The end is final. `TryIter` is not fused: more may come after "none at the moment".
impl<T> FusedIterator for Iter<'_, T> {}
impl<T> FusedIterator for IntoIter<T> {}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}
