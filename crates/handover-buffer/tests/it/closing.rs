//! The end, in each state a buffer can be in. What does not live here: what is dropped (drops.rs).

use handover_buffer::{
    Closed, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError, bounded,
};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use crate::{Hand, until};

#[test]
fn when_the_last_sender_goes_receivers_drain_and_then_see_the_end() {
    let (sender, receiver) = bounded(4);
    let second = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    assert!(!receiver.is_closed());
    second.send(2).unwrap();
    drop(second);
    assert!(receiver.is_closed());
    assert_eq!(receiver.recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(receiver.recv(), Err(Closed));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(receiver.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Closed));
    assert_eq!(receiver.recv_many(&mut Vec::new(), 5), Err(Closed));
    assert_eq!(Hand::new(receiver.recv_async()).poll(), Poll::Ready(Err(Closed)));
    assert_eq!(receiver.iter().next(), None);
}

#[test]
fn when_the_last_receiver_goes_senders_get_their_values_back() {
    let (sender, receiver) = bounded(4);
    let second = receiver.clone();
    drop(receiver);
    assert_eq!(sender.send(1), Ok(()));
    drop(second);
    assert_eq!(sender.send(2), Err(SendError(2)));
    assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    assert_eq!(sender.send_timeout(4, Duration::MAX), Err(SendTimeoutError::Closed(4)));
    assert_eq!(Hand::new(sender.send_async(5)).poll(), Poll::Ready(Err(SendError(5))));
    assert_eq!(sender.len(), 0); // what nobody can take is gone
}

#[test]
fn closing_a_full_buffer_gives_the_waiting_sender_its_value_back_and_keeps_the_items() {
    let (sender, receiver) = bounded(1);
    sender.send(1).unwrap();
    thread::scope(|scope| {
        let sent = scope.spawn(|| sender.send(2));
        until(|| sender.waiting_senders() == 1);
        assert!(receiver.close());
        assert_eq!(sent.join().unwrap(), Err(SendError(2)));
    });
    assert_eq!(receiver.recv(), Ok(1));
    assert_eq!(receiver.recv(), Err(Closed));
}

#[test]
fn closing_an_empty_buffer_wakes_every_sleeping_receiver() {
    let (sender, receiver) = bounded::<u8>(1);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| receiver.recv())).collect();
        let mut task = Hand::waiting(receiver.recv_async());
        until(|| sender.waiting_receivers() == 4);
        assert!(sender.close());
        assert!(threads.into_iter().all(|thread| thread.join().unwrap() == Err(Closed)));
        assert_eq!(task.rings(), 1);
        assert_eq!(task.poll(), Poll::Ready(Err(Closed)));
    });
    assert_eq!(sender.waiting_receivers(), 0);
}

#[test]
fn dropping_the_last_sender_wakes_a_sleeping_receiver() {
    let (sender, receiver) = bounded::<u8>(1);
    thread::scope(|scope| {
        let watch = receiver.clone();
        let taken = scope.spawn(move || receiver.recv());
        until(|| watch.waiting_receivers() == 1);
        drop(sender);
        assert_eq!(taken.join().unwrap(), Err(Closed));
    });
}

#[test]
fn dropping_the_last_receiver_wakes_a_waiting_sender() {
    let (sender, receiver) = bounded(1);
    sender.send(1).unwrap();
    thread::scope(|scope| {
        let watch = sender.clone();
        let sent = scope.spawn(move || sender.send(2));
        until(|| watch.waiting_senders() == 1);
        drop(receiver);
        assert_eq!(sent.join().unwrap(), Err(SendError(2)));
    });
}

#[test]
fn only_the_first_close_says_so() {
    let (sender, receiver) = bounded::<u8>(1);
    assert!(sender.close());
    assert!(!sender.close());
    assert!(!receiver.close());
}

#[test]
fn many_senders_dropped_at_once_close_once_and_lose_nothing() {
    for _ in 0..50 {
        let (sender, receiver) = bounded(2);
        thread::scope(|scope| {
            for number in 0..8 {
                let sender = sender.clone();
                scope.spawn(move || sender.send(number).unwrap());
            }
            drop(sender);
            let mut seen: Vec<_> = receiver.iter().collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..8));
        });
    }
}

#[test]
fn a_close_that_races_with_senders_splits_the_items_into_received_and_given_back() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..100 {
        let capacity = random.usize(1..4);
        let close_after = random.usize(0..60);
        let (sender, receiver) = bounded(capacity);
        thread::scope(|scope| {
            let producers: Vec<_> = (0..3)
                .map(|_| {
                    let sender = sender.clone();
                    scope.spawn(move || (0..20).filter(|_| sender.send(()).is_ok()).count())
                })
                .collect();
            let mut received = 0;
            while received < close_after {
                receiver.recv().unwrap();
                received += 1;
            }
            receiver.close();
            received += receiver.iter().count();
            let sent: usize = producers.into_iter().map(|thread| thread.join().unwrap()).sum();
            assert_eq!(sent, received);
        });
    }
}
