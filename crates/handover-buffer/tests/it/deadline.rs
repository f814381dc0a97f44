//! Waiting no longer than asked. What does not live here: waiting for tasks, whose runtime has the
//! timers.

#![allow(clippy::disallowed_methods, reason = "a deadline is measured against the real clock")]

use handover_buffer::{RecvTimeoutError, SendTimeoutError, bounded};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Hand, until};

const SHORT: Duration = Duration::from_millis(5);

#[test]
fn a_send_into_a_full_buffer_gives_up_at_its_deadline_and_not_before() {
    let (sender, receiver) = bounded(1);
    sender.send(1).unwrap();
    let deadline = Instant::now() + SHORT;
    assert_eq!(sender.send_deadline(2, deadline), Err(SendTimeoutError::Timeout(2)));
    assert!(Instant::now() >= deadline);
    assert_eq!(sender.waiting_senders(), 0);
    assert!(receiver.try_iter().eq([1]));
}

#[test]
fn a_receive_from_an_empty_buffer_gives_up_at_its_deadline_and_not_before() {
    let (_sender, receiver) = bounded::<u8>(1);
    let deadline = Instant::now() + SHORT;
    assert_eq!(receiver.recv_deadline(deadline), Err(RecvTimeoutError::Timeout));
    assert!(Instant::now() >= deadline);
    let deadline = Instant::now() + SHORT;
    let outcome = receiver.recv_many_deadline(&mut Vec::new(), 4, deadline);
    assert_eq!(outcome, Err(RecvTimeoutError::Timeout));
    assert!(Instant::now() >= deadline);
    assert_eq!(receiver.waiting_receivers(), 0);
}

#[test]
fn a_deadline_in_the_past_still_makes_one_attempt() {
    let (sender, receiver) = bounded(1);
    let past = Instant::now();
    assert_eq!(sender.send_deadline(1, past), Ok(()));
    assert_eq!(sender.send_deadline(2, past), Err(SendTimeoutError::Timeout(2)));
    assert_eq!(receiver.recv_deadline(past), Ok(1));
    assert_eq!(receiver.recv_deadline(past), Err(RecvTimeoutError::Timeout));
}

#[test]
fn a_waiting_send_with_a_far_deadline_is_admitted_when_room_appears() {
    let (sender, receiver) = bounded(1);
    sender.send(1).unwrap();
    thread::scope(|scope| {
        let sent = scope.spawn(|| sender.send_timeout(2, Duration::MAX));
        until(|| sender.waiting_senders() == 1);
        assert_eq!(receiver.recv_timeout(Duration::from_secs(3600)), Ok(1));
        assert_eq!(sent.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_waiting_receive_with_a_far_deadline_is_woken_by_an_item_and_by_the_end() {
    let (sender, receiver) = bounded(1);
    let far = Instant::now() + Duration::from_secs(3600);
    thread::scope(|scope| {
        let taken = scope.spawn(|| (receiver.recv_deadline(far), receiver.recv_deadline(far)));
        until(|| sender.waiting_receivers() == 1);
        sender.send(1).unwrap();
        until(|| sender.is_empty() && sender.waiting_receivers() == 1);
        drop(sender.clone());
        sender.close();
        assert_eq!(taken.join().unwrap(), (Ok(1), Err(RecvTimeoutError::Closed)));
    });
}

#[test]
fn a_receive_that_times_out_leaves_the_wake_ups_to_the_others() {
    let (sender, receiver) = bounded(1);
    let deadline = Instant::now() + SHORT;
    thread::scope(|scope| {
        let in_time = scope.spawn(|| receiver.recv_deadline(deadline));
        let patient = Hand::waiting(receiver.recv_async());
        assert_eq!(in_time.join().unwrap(), Err(RecvTimeoutError::Timeout));
        assert_eq!(receiver.waiting_receivers(), 1);
        sender.send(1).unwrap();
        assert_eq!(patient.rings(), 1);
    });
}

/// Deadlines that run out at about the moment the item comes, over and over: an item is either
/// received in time or still there, and nobody sleeps beside it.
#[test]
fn deadlines_that_race_with_items_lose_neither_items_nor_wake_ups() {
    const ITEMS: usize = 300;
    let (sender, receiver) = bounded(1);
    thread::scope(|scope| {
        for index in 0..2_u64 {
            let receiver = receiver.clone();
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(index);
                loop {
                    let timeout = Duration::from_micros(random.u64(0..200));
                    if receiver.recv_timeout(timeout) == Err(RecvTimeoutError::Closed) {
                        return;
                    }
                }
            });
        }
        let patient = scope.spawn(move || receiver.iter().count());
        for number in 0..ITEMS {
            let mut timeout = Duration::ZERO;
            let mut value = number;
            while let Err(error) = sender.send_timeout(value, timeout) {
                value = error.into_inner();
                timeout += Duration::from_micros(20);
            }
        }
        until(|| sender.is_empty());
        drop(sender);
        assert!(patient.join().unwrap() <= ITEMS);
    });
}
