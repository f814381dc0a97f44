//! The buffer's promises, tested from outside: one binary, one file for each kind of promise.
//!
//! What lives here: the list of files, and the few helpers they share. What does not: tests that
//! need to look inside (beside the code).

#![cfg(not(any(loom, shuttle)))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests: by panicking")]

mod cancel;
mod closing;
mod deadline;
mod drops;
mod ends;
mod exclusive;
mod mixed;
mod model;
mod order;
mod values;
mod wakers;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Yields until `signal`: waits for an event, never for time.
fn until(signal: impl Fn() -> bool) {
    while !signal() {
        std::thread::yield_now();
    }
}

/// A waker that counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Bell {
    fn rings(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future polled by hand, with its own bell.
struct Hand<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
}

impl<F: Future> Hand<F> {
    fn new(future: F) -> Self {
        Self { future: Box::pin(future), bell: Arc::default() }
    }

    /// A future that has been polled once, found nothing, and waits.
    fn waiting(future: F) -> Self {
        let mut hand = Self::new(future);
        assert!(hand.poll().is_pending());
        hand
    }

    fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.bell));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn rings(&self) -> usize {
        self.bell.rings()
    }
}
