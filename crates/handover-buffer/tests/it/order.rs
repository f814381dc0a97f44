//! First in, first out; bounded; whole batches. What does not live here: who gets an item.

use handover_buffer::{TryRecvError, TrySendError, bounded};
use std::thread;

use crate::{Hand, until};

#[test]
fn items_leave_in_the_order_they_came_at_every_small_capacity() {
    for capacity in 1..=7 {
        let (sender, receiver) = bounded(capacity);
        thread::scope(|scope| {
            scope.spawn(move || (0..1_000).for_each(|number| sender.send(number).unwrap()));
            assert!(receiver.iter().eq(0..1_000), "capacity {capacity}");
        });
    }
}

#[test]
fn a_producers_own_items_stay_in_its_order_among_many_producers() {
    let (sender, receiver) = bounded(3);
    thread::scope(|scope| {
        for producer in 0..4 {
            let sender = sender.clone();
            scope.spawn(move || {
                (0..500).for_each(|number| sender.send((producer, number)).unwrap());
            });
        }
        drop(sender);
        let mut next = [0; 4];
        for (producer, number) in receiver {
            assert_eq!(number, next[producer]);
            next[producer] += 1;
        }
        assert_eq!(next, [500; 4]);
    });
}

#[test]
fn a_full_buffer_makes_a_producer_wait_until_there_is_room() {
    for capacity in [1, 2, 5] {
        let (sender, receiver) = bounded(capacity);
        (0..capacity).for_each(|number| sender.send(number).unwrap());
        assert!(sender.is_full());
        thread::scope(|scope| {
            let sent = scope.spawn(|| sender.send(capacity));
            until(|| receiver.waiting_senders() == 1);
            assert!(!sent.is_finished());
            assert_eq!(receiver.len(), capacity);
            assert_eq!(receiver.recv(), Ok(0));
            assert_eq!(sent.join().unwrap(), Ok(()));
        });
        assert!(receiver.try_iter().eq(1..=capacity));
    }
}

#[test]
fn an_empty_buffer_makes_a_consumer_sleep_until_an_item_comes() {
    let (sender, receiver) = bounded(4);
    thread::scope(|scope| {
        let taken = scope.spawn(|| receiver.recv());
        until(|| sender.waiting_receivers() == 1);
        assert!(!taken.is_finished());
        sender.send('x').unwrap();
        assert_eq!(taken.join().unwrap(), Ok('x'));
    });
}

#[test]
fn one_item_wakes_one_sleeper_and_leaves_the_others_asleep() {
    let (sender, receiver) = bounded(4);
    let mut hands: Vec<_> = (0..3).map(|_| Hand::waiting(receiver.recv_async())).collect();
    sender.send(1).unwrap();
    assert_eq!(hands.iter().map(Hand::rings).collect::<Vec<_>>(), [1, 0, 0]);
    sender.send(2).unwrap();
    assert_eq!(hands.iter().map(Hand::rings).collect::<Vec<_>>(), [1, 1, 0]);
    assert_eq!(sender.waiting_receivers(), 1);
    // The item goes to whoever looks first; here the second.
    assert!(hands[1].poll().is_ready());
}

#[test]
fn a_woken_waiter_that_found_nothing_keeps_its_place_in_the_line() {
    let (sender, receiver) = bounded(4);
    let mut first = Hand::waiting(receiver.recv_async());
    let second = Hand::waiting(receiver.recv_async());
    sender.send(1).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1)); // a newcomer was faster
    assert!(first.poll().is_pending());
    sender.send(2).unwrap();
    assert_eq!((first.rings(), second.rings()), (2, 0));
}

#[test]
fn len_counts_what_is_inside_and_never_passes_the_capacity() {
    let (sender, receiver) = bounded(3);
    for expected in 0..3 {
        assert_eq!((sender.len(), receiver.len()), (expected, expected));
        sender.send(()).unwrap();
    }
    assert_eq!(sender.try_send(()), Err(TrySendError::Full(())));
    assert!(sender.is_full() && receiver.is_full() && !receiver.is_empty());
    thread::scope(|scope| {
        let watcher = receiver.clone();
        let producer = sender.clone();
        let produced = scope.spawn(move || (0..2_000).for_each(|_| producer.send(()).unwrap()));
        scope.spawn(move || {
            while !watcher.is_closed() {
                assert!(watcher.len() <= 3);
            }
        });
        (0..2_000).for_each(|_| receiver.recv().unwrap());
        produced.join().unwrap();
        sender.close();
    });
    assert_eq!(receiver.len(), 3);
}

#[test]
fn a_batch_takes_what_is_there_up_to_its_limit_behind_what_the_vector_held() {
    let (sender, receiver) = bounded(10);
    (0..7).for_each(|number| sender.send(number).unwrap());
    let mut batch = vec![-1];
    assert_eq!(receiver.recv_many(&mut batch, 3), Ok(3));
    assert_eq!(receiver.try_recv_many(&mut batch, 100), Ok(4));
    assert_eq!(batch, [-1, 0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(receiver.try_recv_many(&mut batch, 100), Err(TryRecvError::Empty));
}

#[test]
fn a_batch_of_none_is_answered_at_once_even_when_empty_or_closed() {
    let (sender, receiver) = bounded::<u8>(1);
    assert_eq!(receiver.recv_many(&mut Vec::new(), 0), Ok(0));
    drop(sender);
    assert_eq!(receiver.recv_many(&mut Vec::new(), 0), Ok(0));
}

#[test]
fn a_batch_wakes_one_producer_for_each_place_it_frees() {
    let (sender, receiver) = bounded(3);
    (0..3).for_each(|number| sender.send(number).unwrap());
    let mut hands: Vec<_> = (3..8).map(|number| Hand::waiting(sender.send_async(number))).collect();
    let mut batch = Vec::new();
    assert_eq!(receiver.recv_many(&mut batch, 2), Ok(2));
    assert_eq!(hands.iter().map(Hand::rings).collect::<Vec<_>>(), [1, 1, 0, 0, 0]);
    assert!(hands[0].poll().is_ready() && hands[1].poll().is_ready());
    assert!(hands[2].poll().is_pending());
    assert!(receiver.try_iter().eq(2..5));
}

#[test]
fn a_waiting_batch_is_woken_by_the_first_item() {
    let (sender, receiver) = bounded(8);
    thread::scope(|scope| {
        let taken = scope.spawn(|| {
            let mut batch = Vec::new();
            receiver.recv_many(&mut batch, 8).map(|count| (count, batch))
        });
        until(|| sender.waiting_receivers() == 1);
        sender.send('a').unwrap();
        assert_eq!(taken.join().unwrap(), Ok((1, vec!['a'])));
    });
}

#[test]
#[should_panic(expected = "at least 1")]
fn a_buffer_without_a_place_is_refused() {
    let _ = bounded::<u8>(0);
}
