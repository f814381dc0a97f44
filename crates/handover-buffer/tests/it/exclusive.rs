//! Each item goes to exactly one receiver, with many on both sides. What does not live here: order.

use handover_buffer::{Receiver, bounded};
use std::thread;

/// How a consumer of the stress takes its items.
fn consume(receiver: &Receiver<usize>, way: usize) -> Vec<usize> {
    let mut seen = Vec::new();
    match way % 3 {
        0 => seen.extend(receiver),
        1 => while receiver.recv_many(&mut seen, 5).is_ok() {},
        _ => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                while let Ok(item) = receiver.recv_async().await {
                    seen.push(item);
                }
            });
        }
    }
    seen
}

fn check(producers: usize, consumers: usize, capacity: usize, each: usize) {
    let (sender, receiver) = bounded(capacity);
    let mut all = thread::scope(|scope| {
        let consumers: Vec<_> = (0..consumers)
            .map(|way| {
                let receiver = receiver.clone();
                scope.spawn(move || consume(&receiver, way))
            })
            .collect();
        for producer in 0..producers {
            let sender = sender.clone();
            scope.spawn(move || {
                (0..each).for_each(|number| sender.send(producer * each + number).unwrap());
            });
        }
        drop(sender);
        let mut all = Vec::new();
        for consumer in consumers {
            let seen = consumer.join().unwrap();
            for producer in 0..producers {
                let own = seen.iter().filter(|&item| item / each == producer);
                assert!(own.is_sorted(), "a consumer sees each producer's items in order");
            }
            all.extend(seen);
        }
        all
    });
    all.sort_unstable();
    assert!(all.into_iter().eq(0..producers * each), "every item once");
}

#[test]
fn many_producers_and_many_consumers_share_every_item_exactly_once() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..30 {
        let (producers, consumers) = (random.usize(1..6), random.usize(1..6));
        let capacity = random.usize(1..6);
        println!("{producers} producers, {consumers} consumers, capacity {capacity}");
        check(producers, consumers, capacity, 400);
    }
}

#[test]
fn the_shapes_of_the_benchmark_hand_over_every_item_exactly_once() {
    for capacity in [1, 16, 1024] {
        for (producers, consumers) in [(1, 1), (4, 1), (1, 4), (4, 4)] {
            check(producers, consumers, capacity, 2_000);
        }
    }
}

#[test]
fn eight_producers_and_eight_consumers_share_every_item_exactly_once() {
    for capacity in [1, 4] {
        check(8, 8, capacity, 500);
    }
}

#[test]
fn two_thousand_waiting_producers_on_a_small_buffer_are_all_served() {
    let (sender, receiver) = bounded(10);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        for number in 0..2_000 {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send_async(number).await.unwrap() });
        }
        while sender.waiting_senders() < 1_990 {
            tokio::task::yield_now().await;
        }
        drop(sender);
        let mut all = Vec::new();
        while receiver.recv_many_async(&mut all, 100).await.is_ok() {}
        all.sort_unstable();
        assert!(all.into_iter().eq(0..2_000));
    });
}
