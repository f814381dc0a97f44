//! The four ways to end, in each state a buffer can be in, with threads and with tasks waiting; and
//! iterating to the end. What does not live here: single stories of the end (`closing.rs`).

use handover_buffer::{Closed, Receiver, SendError, Sender, TryRecvError, TrySendError, bounded};
use std::task::Poll;
use std::thread;

use crate::{Hand, until};

const CAPACITY: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    SenderCloses,
    ReceiverCloses,
    LastSenderGoes,
    LastReceiverGoes,
}

const WAYS: [Way; 4] =
    [Way::SenderCloses, Way::ReceiverCloses, Way::LastSenderGoes, Way::LastReceiverGoes];

/// A buffer with `inside` items, the numbers from 0.
fn holding(inside: usize) -> (Sender<usize>, Receiver<usize>) {
    let (sender, receiver) = bounded(CAPACITY);
    (0..inside).for_each(|number| sender.send(number).unwrap());
    (sender, receiver)
}

/// Ends the buffer, and gives what is left of the handles.
fn end(
    way: Way,
    sender: Sender<usize>,
    receiver: Receiver<usize>,
) -> (Option<Sender<usize>>, Option<Receiver<usize>>) {
    match way {
        Way::SenderCloses => assert!(sender.close()),
        Way::ReceiverCloses => assert!(receiver.close()),
        Way::LastSenderGoes => {
            drop(sender);
            return (None, Some(receiver));
        }
        Way::LastReceiverGoes => {
            drop(receiver);
            return (Some(sender), None);
        }
    }
    (Some(sender), Some(receiver))
}

#[test]
fn each_end_of_an_idle_buffer_refuses_senders_and_lets_receivers_drain() {
    for (way, inside) in WAYS.into_iter().flat_map(|way| (0..=CAPACITY).map(move |n| (way, n))) {
        let (sender, receiver) = holding(inside);
        let (sender, receiver) = end(way, sender, receiver);
        if let Some(sender) = sender {
            assert!(sender.is_closed(), "{way:?}");
            assert_eq!(sender.try_send(9), Err(TrySendError::Closed(9)), "{way:?}, {inside}");
            assert_eq!(sender.send(9), Err(SendError(9)), "{way:?}, {inside}");
            let mut late = Hand::new(sender.send_async(9));
            assert_eq!(late.poll(), Poll::Ready(Err(SendError(9))), "{way:?}, {inside}");
        }
        if let Some(receiver) = receiver {
            assert!(receiver.is_closed(), "{way:?}");
            let mut batch = Vec::new();
            if inside > 0 {
                assert_eq!(receiver.recv_many(&mut batch, 1), Ok(1), "{way:?}, {inside}");
            }
            batch.extend(&receiver);
            assert!(batch.into_iter().eq(0..inside), "{way:?}, {inside}");
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed), "{way:?}, {inside}");
            assert_eq!(receiver.recv(), Err(Closed), "{way:?}, {inside}");
        }
    }
}

#[test]
fn each_end_gives_waiting_threads_and_tasks_their_values_back() {
    for way in [Way::SenderCloses, Way::ReceiverCloses, Way::LastReceiverGoes] {
        let (sender, receiver) = holding(CAPACITY);
        let other = sender.clone();
        let mut tasks: Vec<_> = (0..2).map(|n| Hand::waiting(other.send_async(n))).collect();
        let left = thread::scope(|scope| {
            let threads: Vec<_> = (2..4)
                .map(|number| {
                    let sender = &other;
                    scope.spawn(move || sender.send(number))
                })
                .collect();
            until(|| other.waiting_senders() == 4);
            let left = end(way, sender, receiver);
            for (number, thread) in (2..).zip(threads) {
                assert_eq!(thread.join().unwrap(), Err(SendError(number)), "{way:?}");
            }
            left
        });
        for (number, task) in tasks.iter_mut().enumerate() {
            assert_eq!(task.rings(), 1, "{way:?}");
            assert_eq!(task.poll(), Poll::Ready(Err(SendError(number))), "{way:?}");
        }
        assert_eq!(other.waiting_senders(), 0, "{way:?}");
        let kept = if way == Way::LastReceiverGoes { 0 } else { CAPACITY };
        assert_eq!(other.len(), kept, "{way:?}");
        drop(left);
    }
}

#[test]
fn each_end_shows_waiting_threads_and_tasks_the_end() {
    for way in [Way::SenderCloses, Way::ReceiverCloses, Way::LastSenderGoes] {
        let (sender, receiver) = holding(0);
        let other = receiver.clone();
        let mut batch = Vec::new();
        let mut single = Hand::waiting(other.recv_async());
        let mut many = Hand::waiting(other.recv_many_async(&mut batch, 2));
        let left = thread::scope(|scope| {
            let single = scope.spawn(|| other.recv());
            let many = scope.spawn(|| other.recv_many(&mut Vec::new(), 2));
            until(|| other.waiting_receivers() == 4);
            let left = end(way, sender, receiver);
            assert_eq!(single.join().unwrap(), Err(Closed), "{way:?}");
            assert_eq!(many.join().unwrap(), Err(Closed), "{way:?}");
            left
        });
        assert_eq!((single.rings(), many.rings()), (1, 1), "{way:?}");
        assert_eq!(single.poll(), Poll::Ready(Err(Closed)), "{way:?}");
        assert_eq!(many.poll(), Poll::Ready(Err(Closed)), "{way:?}");
        assert_eq!(other.waiting_receivers(), 0, "{way:?}");
        drop(left);
    }
}

#[test]
fn a_buffer_ends_with_the_last_of_many_clones_and_not_before() {
    let (sender, receiver) = bounded::<u8>(1);
    let mut senders = vec![sender; 100];
    let mut receivers = vec![receiver; 100];
    fastrand::shuffle(&mut senders);
    let last = senders.pop().unwrap();
    thread::scope(|scope| {
        while !senders.is_empty() {
            let some = senders.split_off(senders.len().saturating_sub(25));
            scope.spawn(move || drop(some));
        }
    });
    assert!(!last.is_closed());
    let receiver = receivers.pop().unwrap();
    drop(receivers);
    assert!(last.send(1).is_ok());
    drop(receiver);
    assert!(last.is_closed() && last.is_empty());
}

#[test]
fn a_second_send_after_the_receiver_went_is_refused_like_the_first() {
    let (sender, receiver) = bounded(1);
    drop(receiver);
    assert_eq!(sender.send(1), Err(SendError(1)));
    assert_eq!(sender.send(2), Err(SendError(2)));
}

#[test]
fn an_iterator_that_is_left_early_leaves_the_rest() {
    let (sender, receiver) = holding(CAPACITY);
    for number in &receiver {
        if number == 1 {
            break;
        }
    }
    assert!(receiver.try_iter().eq([2]));
    assert!(!sender.is_closed());
}

#[test]
fn an_owned_iterator_that_is_left_early_ends_the_buffer() {
    let (sender, receiver) = holding(CAPACITY);
    assert_eq!(receiver.into_iter().next(), Some(0));
    assert!(sender.is_closed() && sender.is_empty());
}

#[test]
fn iterators_stay_at_the_end_and_a_trying_one_takes_what_comes_later() {
    let (sender, receiver) = holding(1);
    let mut trying = receiver.try_iter();
    assert_eq!((trying.next(), trying.next()), (Some(0), None));
    sender.send(7).unwrap();
    assert_eq!((trying.next(), trying.next()), (Some(7), None));
    drop(sender);
    let mut waiting = receiver.iter();
    assert_eq!((waiting.next(), waiting.next()), (None, None));
    let mut owned = receiver.into_iter();
    assert_eq!((owned.next(), owned.next()), (None, None));
}

#[test]
fn an_iterator_in_one_thread_feeds_a_buffer_to_another() {
    let (numbers, receiver) = bounded(2);
    let (totals, total) = bounded(1);
    thread::scope(|scope| {
        scope.spawn(move || totals.send(receiver.iter().sum::<usize>()).unwrap());
        (1..=100).for_each(|number| numbers.send(number).unwrap());
        drop(numbers);
        assert_eq!(total.recv(), Ok(5050));
        assert_eq!(total.recv(), Err(Closed));
    });
}
