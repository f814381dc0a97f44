//! Dropped futures: they have done nothing, and they pass on their wake-up. What does not live
//! here: their values' drops (drops.rs).

use handover_buffer::{Receiver, Sender, TryRecvError, bounded};
use std::pin::pin;
use std::task::Poll;
use std::thread;

use crate::{Hand, until};

#[test]
fn a_dropped_send_has_sent_nothing() {
    let (sender, receiver) = bounded(1);
    drop(sender.send_async(0)); // never polled
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.send(1).unwrap();
    drop(Hand::waiting(sender.send_async(2)));
    assert_eq!(sender.waiting_senders(), 0);
    assert_eq!(receiver.recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_dropped_receive_has_taken_nothing() {
    let (sender, receiver) = bounded(2);
    let mut batch = Vec::new();
    let single = Hand::waiting(receiver.recv_async());
    let many = Hand::waiting(receiver.recv_many_async(&mut batch, 2));
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    drop((single, many)); // both woken, both dropped
    assert!(batch.is_empty());
    assert_eq!(receiver.waiting_receivers(), 0);
    assert!(receiver.try_iter().eq([1, 2]));
}

#[test]
fn a_receive_dropped_after_its_wake_up_passes_it_on() {
    let (sender, receiver) = bounded(1);
    let first = Hand::waiting(receiver.recv_async());
    let mut second = Hand::waiting(receiver.recv_async());
    sender.send(1).unwrap();
    assert_eq!((first.rings(), second.rings()), (1, 0));
    drop(first);
    assert_eq!(second.rings(), 1);
    assert_eq!(second.poll(), Poll::Ready(Ok(1)));
}

#[test]
fn a_batch_receive_dropped_after_its_wake_up_passes_it_on_to_a_thread() {
    let (sender, receiver) = bounded(1);
    let mut batch = Vec::new();
    let first = Hand::waiting(receiver.recv_many_async(&mut batch, 9));
    thread::scope(|scope| {
        let thread = scope.spawn(|| receiver.recv());
        until(|| receiver.waiting_receivers() == 2);
        sender.send(1).unwrap();
        assert_eq!(first.rings(), 1);
        drop(first);
        assert_eq!(thread.join().unwrap(), Ok(1));
    });
}

#[test]
fn a_send_dropped_after_its_wake_up_passes_it_on() {
    let (sender, receiver) = bounded(1);
    sender.send(0).unwrap();
    let first = Hand::waiting(sender.send_async(1));
    let mut second = Hand::waiting(sender.send_async(2));
    assert_eq!(receiver.recv(), Ok(0));
    assert_eq!((first.rings(), second.rings()), (1, 0));
    drop(first);
    assert_eq!(second.rings(), 1);
    assert_eq!(second.poll(), Poll::Ready(Ok(())));
    assert_eq!(receiver.recv(), Ok(2));
}

#[test]
fn a_send_dropped_while_it_waits_wakes_nobody() {
    let (sender, _receiver) = bounded(1);
    sender.send(0).unwrap();
    let first = Hand::waiting(sender.send_async(1));
    let second = Hand::waiting(sender.send_async(2));
    drop(first);
    assert_eq!((second.rings(), sender.waiting_senders()), (0, 1));
}

#[test]
fn a_send_gives_its_value_back_and_passes_its_wake_up_on() {
    let (sender, receiver) = bounded(1);
    sender.send(0).unwrap();
    let mut first = sender.send_async(1);
    assert!(Hand::new(&mut first).poll().is_pending());
    let second = Hand::waiting(sender.send_async(2));
    assert_eq!(receiver.recv(), Ok(0));
    assert_eq!(first.into_value(), Some(1));
    assert_eq!(second.rings(), 1);
}

#[test]
fn a_finished_future_leaves_no_wake_up_behind() {
    let (sender, receiver) = bounded(1);
    let mut first = Hand::waiting(receiver.recv_async());
    let second = Hand::waiting(receiver.recv_async());
    sender.send(1).unwrap();
    assert_eq!(first.poll(), Poll::Ready(Ok(1)));
    drop(first);
    assert_eq!(second.rings(), 0);
}

#[test]
fn a_future_polled_with_a_new_waker_wakes_the_new_one() {
    let (sender, receiver) = bounded(1);
    let mut future = pin!(receiver.recv_async());
    let old = Hand::waiting(future.as_mut()).bell;
    let mut new = Hand::waiting(future.as_mut());
    sender.send(1).unwrap();
    assert_eq!((old.rings(), new.rings()), (0, 1));
    assert_eq!(new.poll(), Poll::Ready(Ok(1)));
}

#[test]
fn a_poll_without_reason_keeps_the_place_in_the_line() {
    let (sender, receiver) = bounded(1);
    let mut first = Hand::waiting(receiver.recv_async());
    let second = Hand::waiting(receiver.recv_async());
    assert!(first.poll().is_pending());
    assert_eq!(receiver.waiting_receivers(), 2);
    sender.send(1).unwrap();
    assert_eq!((first.rings(), second.rings()), (1, 0));
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn a_send_polled_after_it_was_ready_panics() {
    let (sender, _receiver) = bounded(2);
    let mut send = Hand::new(sender.send_async(1));
    assert!(send.poll().is_ready());
    let _ = send.poll();
}

/// Tasks that give up receives at random while others insist: every item is still received.
#[test]
fn random_cancellations_lose_no_item_and_no_wake_up() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let (sender, receiver) = bounded(2);
        let consumers: Vec<_> =
            (0..4).map(|index| tokio::spawn(consume(receiver.clone(), seed ^ index))).collect();
        let producers: Vec<_> = (0..4)
            .map(|index| tokio::spawn(produce(sender.clone(), seed ^ (index << 32), 500)))
            .collect();
        drop((sender, receiver));
        let mut received = 0;
        for producer in producers {
            producer.await.unwrap();
        }
        for consumer in consumers {
            received += consumer.await.unwrap();
        }
        assert_eq!(received, 4 * 500);
    });
}

async fn consume(receiver: Receiver<u32>, seed: u64) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut received = 0;
    let mut batch = Vec::new();
    loop {
        let give_up = give_up_after(random.u8(0..3));
        if random.bool() {
            tokio::select! {
                biased;
                () = give_up => {}
                item = receiver.recv_async() => match item {
                    Ok(_) => received += 1,
                    Err(_) => return received,
                },
            }
        } else {
            tokio::select! {
                biased;
                () = give_up => {}
                count = receiver.recv_many_async(&mut batch, 3) => match count {
                    Ok(count) => received += count,
                    Err(_) => return received,
                },
            }
        }
    }
}

async fn produce(sender: Sender<u32>, seed: u64, count: u32) {
    let mut random = fastrand::Rng::with_seed(seed);
    for number in 0..count {
        let mut value = number;
        loop {
            let mut send = sender.send_async(value);
            tokio::select! {
                biased;
                sent = &mut send => break sent.unwrap(),
                () = give_up_after(random.u8(0..3)) => {}
            }
            value = send.into_value().expect("not sent, so still here");
        }
    }
}

/// Ready after the task has been run again `turns` times.
async fn give_up_after(turns: u8) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}
