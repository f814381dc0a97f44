//! The fast buffer and the textbook's monitor give the same answers. What does not live here:
//! threads; waiting is compared by what the operations that do not wait would say.

#![allow(clippy::disallowed_methods, reason = "a deadline that has just passed")]

use handover_buffer::monitor::Monitor;
use handover_buffer::{RecvTimeoutError, SendTimeoutError, bounded};
use std::thread;
use std::time::Instant;

/// One random sequence of operations on both, answer by answer.
fn check(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let capacity = random.usize(1..6);
    let monitor = Monitor::new(capacity);
    let (sender, receiver) = bounded(capacity);
    let close_at = random.usize(100..400);
    for step in 0..400_usize {
        let context = format!("seed {seed}, capacity {capacity}, step {step}");
        let past = Instant::now();
        match random.u8(0..7) {
            0 | 1 => assert_eq!(monitor.try_put(step), sender.try_send(step), "{context}"),
            2 => assert_eq!(
                monitor.put_deadline(step, past),
                sender.send_deadline(step, past),
                "{context}"
            ),
            3 => assert_eq!(monitor.try_take(), receiver.try_recv(), "{context}"),
            4 => assert_eq!(monitor.take_deadline(past), receiver.recv_deadline(past), "{context}"),
            5 => {
                let max = random.usize(0..4);
                let mut batch = Vec::new();
                let _ = receiver.try_recv_many(&mut batch, max);
                let singles = (0..max).map_while(|_| monitor.try_take().ok());
                assert_eq!(batch, singles.collect::<Vec<_>>(), "{context}");
            }
            _ if monitor.is_full() && !monitor.is_closed() => {} // both would wait
            _ => assert_eq!(monitor.put(step), sender.send(step), "{context}"),
        }
        if step == close_at {
            assert_eq!(monitor.close(), sender.close(), "{context}");
        }
        let inside = [
            (monitor.len(), receiver.len()),
            (monitor.capacity(), receiver.capacity()),
            (monitor.is_empty().into(), sender.is_empty().into()),
            (monitor.is_full().into(), sender.is_full().into()),
            (monitor.is_closed().into(), receiver.is_closed().into()),
        ];
        assert!(inside.iter().all(|(expected, found)| expected == found), "{context}: {inside:?}");
    }
}

#[test]
fn the_buffer_answers_like_the_monitor_on_random_operations() {
    let seed = fastrand::u64(..);
    println!("first seed {seed}");
    (0..200).for_each(|offset| check(seed.wrapping_add(offset)));
}

#[test]
fn the_monitor_hands_over_every_item_once_between_many_threads() {
    let monitor = Monitor::new(2);
    let mut seen = thread::scope(|scope| {
        let consumers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| std::iter::from_fn(|| monitor.take().ok()).collect::<Vec<_>>()))
            .collect();
        let producers: Vec<_> = (0..3)
            .map(|producer| {
                let monitor = &monitor;
                scope.spawn(move || {
                    (0..300).for_each(|n| monitor.put(producer * 300 + n).unwrap());
                })
            })
            .collect();
        producers.into_iter().for_each(|thread| thread.join().unwrap());
        monitor.close();
        consumers.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..900));
}

#[test]
fn a_closing_monitor_gives_a_waiting_producer_its_value_back() {
    let monitor = Monitor::new(1);
    monitor.put(1).unwrap();
    thread::scope(|scope| {
        let put = scope.spawn(|| monitor.put(2)); // waits, or comes after the close: same answer
        monitor.close();
        assert_eq!(put.join().unwrap().unwrap_err().into_inner(), 2);
    });
    assert_eq!(monitor.take(), Ok(1));
    assert!(monitor.take().is_err());
}

#[test]
fn the_monitor_gives_up_at_its_deadline_and_not_before() {
    let monitor = Monitor::new(1);
    let deadline = Instant::now() + std::time::Duration::from_millis(5);
    assert_eq!(monitor.take_deadline(deadline), Err(RecvTimeoutError::Timeout));
    assert!(Instant::now() >= deadline);
    monitor.put(1).unwrap();
    let deadline = Instant::now() + std::time::Duration::from_millis(5);
    assert_eq!(monitor.put_deadline(2, deadline), Err(SendTimeoutError::Timeout(2)));
    assert!(Instant::now() >= deadline);
    assert_eq!(format!("{monitor:?}"), "Monitor { len: 1, capacity: 1, closed: false }");
}
