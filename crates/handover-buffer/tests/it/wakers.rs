//! Wakers that make trouble: they panic, or use the buffer they are woken by. What does not live
//! here: which waker is woken (`cancel.rs`, `order.rs`).

use handover_buffer::{Closed, Receiver, bounded};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::Hand;

/// A waker that panics when woken.
struct Broken;

impl Wake for Broken {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

fn panics<R>(action: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(action)).is_err()
}

/// Polls, to be woken by a waker that panics.
fn wait_broken<F: Future>(future: std::pin::Pin<&mut F>) {
    assert!(future.poll(&mut Context::from_waker(&Waker::from(Arc::new(Broken)))).is_pending());
}

#[test]
fn a_waker_that_panics_when_the_buffer_is_closed_keeps_nobody_else_asleep() {
    let (sender, receiver) = bounded(1);
    sender.send(0).unwrap();
    let mut broken = pin!(sender.send_async(1));
    wait_broken(broken.as_mut());
    let mut others: Vec<_> = (2..5).map(|n| Hand::waiting(sender.send_async(n))).collect();
    assert!(panics(|| receiver.close()));
    assert!(receiver.is_closed());
    for other in &mut others {
        assert_eq!(other.rings(), 1);
        assert!(matches!(other.poll(), Poll::Ready(Err(_))));
    }
}

#[test]
fn a_waker_that_panics_when_a_batch_makes_room_keeps_nobody_else_asleep() {
    let (sender, receiver) = bounded(2);
    (0..2).for_each(|number| sender.send(number).unwrap());
    let mut broken = pin!(sender.send_async(2));
    wait_broken(broken.as_mut());
    let other = Hand::waiting(sender.send_async(3));
    let mut batch = Vec::new();
    assert!(panics(|| receiver.recv_many(&mut batch, 2)));
    assert_eq!(batch, [0, 1], "what was taken is not lost");
    assert_eq!(other.rings(), 1);
}

#[test]
fn what_a_panicking_waker_was_woken_for_goes_to_the_next_when_its_future_is_dropped() {
    let (sender, receiver) = bounded(1);
    let mut next = {
        let mut broken = Box::pin(receiver.recv_async());
        wait_broken(broken.as_mut());
        let next = Hand::waiting(receiver.recv_async());
        assert!(panics(|| sender.send(1)));
        assert_eq!((receiver.len(), next.rings()), (1, 0));
        next // `broken` is dropped here
    };
    assert_eq!(next.rings(), 1);
    assert_eq!(next.poll(), Poll::Ready(Ok(1)));
}

#[test]
fn a_waker_that_panics_when_the_last_receiver_goes_does_not_keep_the_items() {
    let (sender, receiver) = bounded(1);
    let witness = Arc::new(());
    sender.send(Arc::clone(&witness)).unwrap();
    let mut broken = pin!(sender.send_async(Arc::clone(&witness)));
    wait_broken(broken.as_mut());
    assert!(panics(|| drop(receiver)));
    assert!(sender.is_closed() && sender.is_empty());
    assert_eq!(Arc::strong_count(&witness), 2, "mine and the broken future's");
}

/// A waker that takes from the buffer at once, inside the call that woke it.
struct Eager {
    receiver: Receiver<u8>,
    taken: Mutex<Vec<u8>>,
}

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        self.taken.lock().unwrap().extend(self.receiver.try_iter());
    }
}

#[test]
fn a_waker_may_use_the_buffer_it_is_woken_by() {
    let (sender, receiver) = bounded(1);
    let eager = Arc::new(Eager { receiver: receiver.clone(), taken: Mutex::default() });
    let waker = Waker::from(Arc::clone(&eager));
    let mut future = pin!(receiver.recv_async());
    for number in 0..3 {
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        sender.send(number).unwrap();
    }
    assert_eq!(*eager.taken.lock().unwrap(), [0, 1, 2]);
    drop(sender);
    assert_eq!(future.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Err(Closed)));
}
