//! Every value is received, given back or dropped, exactly once; odd types too. What does not live
//! here: which of the three (closing.rs, cancel.rs).

use handover_buffer::{TrySendError, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::Hand;

/// Counts its drops; panics in the drop if asked to.
struct Counted<'a> {
    drops: &'a AtomicUsize,
    panics: bool,
}

impl<'a> Counted<'a> {
    fn new(drops: &'a AtomicUsize) -> Self {
        Self { drops, panics: false }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "a value that panics when dropped");
    }
}

#[test]
fn what_is_left_inside_is_dropped_once_with_the_last_receiver() {
    for (capacity, sent, taken) in [(1, 1, 0), (4, 4, 1), (5, 3, 3), (3, 3, 2)] {
        let drops = AtomicUsize::new(0);
        let (sender, receiver) = bounded(capacity);
        (0..sent).for_each(|_| sender.send(Counted::new(&drops)).unwrap());
        drop(receiver.iter().take(taken).collect::<Vec<_>>());
        assert_eq!(drops.load(Ordering::SeqCst), taken);
        drop(receiver);
        assert_eq!(drops.load(Ordering::SeqCst), sent, "dropped before the sender goes");
        drop(sender);
        assert_eq!(drops.load(Ordering::SeqCst), sent);
    }
}

#[test]
fn a_refused_value_is_given_back_and_not_dropped_inside() {
    let drops = AtomicUsize::new(0);
    let (sender, receiver) = bounded(1);
    sender.send(Counted::new(&drops)).unwrap();
    let full = sender.try_send(Counted::new(&drops)).unwrap_err();
    receiver.close();
    let closed = sender.send(Counted::new(&drops)).unwrap_err();
    assert_eq!(drops.load(Ordering::SeqCst), 0);
    drop((full, closed));
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    drop((sender, receiver));
    assert_eq!(drops.load(Ordering::SeqCst), 3);
}

#[test]
fn a_cancelled_send_drops_its_value_once() {
    let drops = AtomicUsize::new(0);
    let (sender, receiver) = bounded(1);
    drop(Hand::new(sender.send_async(Counted::new(&drops)))); // never polled
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    sender.send(Counted::new(&drops)).unwrap();
    drop(Hand::waiting(sender.send_async(Counted::new(&drops))));
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    drop((sender, receiver));
    assert_eq!(drops.load(Ordering::SeqCst), 3);
}

#[test]
fn values_in_flight_between_many_threads_are_dropped_exactly_once() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..50 {
        let drops = AtomicUsize::new(0);
        let (capacity, leave_after) = (random.usize(1..6), random.usize(0..100));
        let (sender, receiver) = bounded(capacity);
        thread::scope(|scope| {
            for _ in 0..2 {
                let (sender, drops) = (sender.clone(), &drops);
                scope.spawn(move || {
                    (0..50).for_each(|_| drop(sender.send(Counted::new(drops))));
                });
            }
            drop(sender);
            scope.spawn(move || receiver.iter().take(leave_after).for_each(drop));
        });
        assert_eq!(drops.load(Ordering::SeqCst), 100);
    }
}

#[test]
fn one_panicking_drop_does_not_keep_the_other_values_from_being_dropped() {
    let drops = AtomicUsize::new(0);
    let (sender, receiver) = bounded(4);
    for index in 0..4 {
        sender.send(Counted { drops: &drops, panics: index == 1 }).unwrap();
    }
    catch_unwind(AssertUnwindSafe(|| drop(receiver))).unwrap_err();
    assert_eq!(drops.load(Ordering::SeqCst), 4);
    assert!(sender.is_closed() && sender.is_empty());
}

#[test]
fn a_panicking_drop_of_a_received_value_leaves_the_buffer_usable() {
    let drops = AtomicUsize::new(0);
    let (sender, receiver) = bounded(2);
    sender.send(Counted { drops: &drops, panics: true }).unwrap();
    sender.send(Counted::new(&drops)).unwrap();
    catch_unwind(|| drop(receiver.recv())).unwrap_err();
    assert!(receiver.recv().is_ok());
    assert!(sender.send(Counted::new(&drops)).is_ok());
    drop(receiver);
    assert_eq!(drops.load(Ordering::SeqCst), 3);
}

#[test]
fn zero_sized_values_are_counted_like_others() {
    let (sender, receiver) = bounded(3);
    (0..3).for_each(|_| sender.send(()).unwrap());
    assert_eq!(sender.try_send(()), Err(TrySendError::Full(())));
    let mut batch = Vec::new();
    assert_eq!(receiver.recv_many(&mut batch, 2), Ok(2));
    drop(sender);
    assert_eq!(receiver.iter().count(), 1);
}

#[test]
fn huge_values_pass_unharmed() {
    let (sender, receiver) = bounded(2);
    thread::scope(|scope| {
        scope.spawn(move || {
            (0..20_u8).for_each(|byte| sender.send([byte; 32 * 1024]).unwrap());
        });
        for (byte, value) in (0..).zip(&receiver) {
            assert!(value.iter().all(|&found| found == byte));
        }
    });
}

#[test]
fn boxed_and_uncloneable_values_pass_and_need_no_traits() {
    struct Plain(Box<dyn Fn() -> u8 + Send>);
    let (sender, receiver) = bounded(1);
    assert!(sender.send(Plain(Box::new(|| 7))).is_ok());
    assert_eq!((receiver.recv().unwrap().0)(), 7);
    assert_eq!(format!("{sender:?}"), "Sender { len: 0, capacity: 1, closed: false }");
}
