//! Values that make trouble: when they are dropped, when they hold a handle of their own buffer,
//! when they take no space or much. What does not live here: plain counting of drops (`drops.rs`).

use handover_buffer::{Sender, TrySendError, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::{Hand, until};

/// Counts its drops, and panics in them if asked to.
struct Value<'a> {
    drops: &'a AtomicUsize,
    panics: bool,
}

fn calm(drops: &AtomicUsize) -> Value<'_> {
    Value { drops, panics: false }
}

fn touchy(drops: &AtomicUsize) -> Value<'_> {
    Value { drops, panics: true }
}

impl Drop for Value<'_> {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics || thread::panicking(), "a value that panics when dropped");
    }
}

fn panics<R>(action: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(action)).is_err()
}

#[test]
fn what_is_inside_is_dropped_once_whichever_side_goes_first() {
    for (sender_first, closed) in [(true, false), (true, true), (false, false), (false, true)] {
        let drops = AtomicUsize::new(0);
        let (sender, receiver) = bounded(3);
        (0..2).for_each(|_| assert!(sender.send(calm(&drops)).is_ok()));
        if closed {
            sender.close();
        }
        if sender_first {
            drop(sender);
            assert_eq!(drops.load(Ordering::SeqCst), 0, "still to be received");
            drop(receiver);
        } else {
            drop(receiver);
            assert_eq!(drops.load(Ordering::SeqCst), 2, "nobody can receive it");
            drop(sender);
        }
        assert_eq!(drops.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn a_value_in_a_blocked_send_comes_back_when_the_last_receiver_goes_and_is_dropped_once() {
    let drops = AtomicUsize::new(0);
    let (sender, receiver) = bounded(1);
    assert!(sender.send(calm(&drops)).is_ok());
    thread::scope(|scope| {
        let watch = sender.clone();
        let blocked = scope.spawn(|| sender.send(calm(&drops)));
        until(|| watch.waiting_senders() == 1);
        drop(receiver);
        let refused = blocked.join().unwrap();
        assert_eq!(drops.load(Ordering::SeqCst), 1, "the one inside, not the one given back");
        drop(refused);
    });
    assert_eq!(drops.load(Ordering::SeqCst), 2);
}

#[test]
fn a_batch_whose_reader_panics_half_way_drops_the_rest_once() {
    let drops = AtomicUsize::new(0);
    let (sender, receiver) = bounded(4);
    (0..4).for_each(|_| assert!(sender.send(calm(&drops)).is_ok()));
    assert!(panics(|| {
        let mut batch = Vec::new();
        receiver.recv_many(&mut batch, 3).unwrap();
        for (index, value) in batch.into_iter().enumerate() {
            assert!(index < 1, "half way");
            drop(value);
        }
    }));
    assert_eq!(drops.load(Ordering::SeqCst), 3);
    assert!(receiver.try_recv().is_ok());
}

#[test]
fn a_batch_that_does_not_fit_in_the_vector_takes_nothing() {
    let (sender, receiver) = bounded(2);
    sender.send([]).unwrap();
    let mut full = vec![[0_u8; 0]; usize::MAX]; // takes no memory, and has no room for one more
    assert!(panics(|| receiver.recv_many(&mut full, 1)));
    assert_eq!(receiver.len(), 1);
    assert_eq!(receiver.recv(), Ok([]));
}

#[test]
fn a_value_that_panics_in_the_last_receivers_drop_keeps_nobody_waiting() {
    let drops = AtomicUsize::new(0);
    let (sender, receiver) = bounded(2);
    assert!(sender.send(touchy(&drops)).is_ok());
    assert!(sender.send(calm(&drops)).is_ok());
    let mut waiting = Hand::waiting(sender.send_async(calm(&drops)));
    assert!(panics(|| drop(receiver)));
    assert_eq!(drops.load(Ordering::SeqCst), 2, "both that were inside");
    assert_eq!(waiting.rings(), 1);
    assert!(waiting.poll().is_ready());
    assert_eq!(drops.load(Ordering::SeqCst), 3, "and the one that came back");
}

#[test]
fn a_cancelled_send_passes_its_wake_up_on_even_if_its_value_panics_when_dropped() {
    let drops = AtomicUsize::new(0);
    let (sender, receiver) = bounded(1);
    assert!(sender.send(calm(&drops)).is_ok());
    let first = Hand::waiting(sender.send_async(touchy(&drops)));
    let mut second = Hand::waiting(sender.send_async(calm(&drops)));
    assert!(receiver.recv().is_ok());
    assert!(panics(|| drop(first)));
    assert_eq!(second.rings(), 1);
    assert!(second.poll().is_ready());
    assert!(receiver.recv().is_ok());
    assert_eq!(drops.load(Ordering::SeqCst), 3);
}

/// Sends a number into a buffer when dropped.
struct Echo(Sender<Result<Echo, u8>>, u8);

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.0.try_send(Err(self.1));
    }
}

#[test]
fn a_value_whose_drop_sends_into_its_own_buffer_finds_the_place_it_left() {
    let (sender, receiver) = bounded(1);
    assert!(sender.send(Ok(Echo(sender.clone(), 7))).is_ok());
    drop(receiver.recv());
    assert_eq!(receiver.try_recv().map(Result::err), Ok(Some(7)));
}

#[test]
fn a_value_whose_drop_sends_into_its_own_ended_buffer_is_refused() {
    let (sender, receiver) = bounded(2);
    assert!(sender.send(Ok(Echo(sender.clone(), 7))).is_ok());
    drop(receiver); // drops the echo, whose send comes after the end
    assert!(sender.is_empty());
    assert!(matches!(sender.try_send(Err(8)), Err(TrySendError::Closed(Err(8)))));
}

/// Holds the last sender of the buffer it is in, and a witness.
struct Own {
    _sender: Sender<Own>,
    _witness: Arc<()>,
}

#[test]
fn a_value_that_holds_the_last_sender_of_its_own_buffer_is_not_leaked() {
    let witness = Arc::new(());
    let (sender, receiver) = bounded(1);
    let value = Own { _sender: sender.clone(), _witness: Arc::clone(&witness) };
    assert!(sender.send(value).is_ok());
    drop(sender);
    assert!(!receiver.is_closed(), "one sender lives, inside");
    drop(receiver);
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[test]
fn values_without_size_are_dropped_once_each() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (sender, receiver) = bounded(4);
    (0..4).for_each(|_| assert!(sender.send(Nothing).is_ok()));
    drop(sender.try_send(Nothing)); // full: given back, dropped here
    drop(receiver.recv());
    let mut batch = Vec::new();
    assert_eq!(receiver.recv_many(&mut batch, 2), Ok(2));
    assert_eq!(DROPS.load(Ordering::SeqCst), 2);
    drop((batch, receiver));
    assert_eq!(DROPS.load(Ordering::SeqCst), 5);
}

#[test]
fn huge_values_wait_in_blocked_sends_and_futures_unharmed() {
    type Huge = [u8; 64 * 1024];

    /// A build without optimisation copies a value in each function it passes through.
    fn roomy<'scope>(
        scope: &'scope thread::Scope<'scope, '_>,
        work: impl FnOnce() + Send + 'scope,
    ) {
        thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, work).unwrap();
    }

    let (sender, receiver) = bounded::<Huge>(1);
    let (sender, receiver) = (&sender, &receiver);
    thread::scope(|scope| {
        roomy(scope, move || {
            sender.send([0; 64 * 1024]).unwrap();
            roomy(scope, move || sender.send([1; 64 * 1024]).unwrap());
            until(|| sender.waiting_senders() == 1);
            let mut task = Hand::waiting(sender.send_async([2; 64 * 1024]));
            for expected in 0..3 {
                assert!(receiver.recv().unwrap().iter().all(|&byte| byte == expected));
                match expected {
                    0 => until(|| receiver.is_full()),
                    1 => assert!(task.poll().is_ready()),
                    _ => {}
                }
            }
        });
    });
}
