//! The textbook's monitor, held to the same promises as the fast buffer.

use handover_buffer::monitor::Monitor;
use std::sync::Arc;

use crate::harness::{Model, models_of, spawn};
use crate::ledger::{Item, note_sent, taking};

pub(crate) fn models() -> Vec<Model> {
    let mut models = Vec::new();
    for capacity in [1, 2] {
        models.extend(models_of(
            capacity,
            &[
                ("monitor: two producers, one consumer", 3, [3, 4], two_producers),
                ("monitor: one producer, two consumers", 3, [3, 4], two_consumers),
                ("monitor: close against a put and a take", 3, [4, 5], close),
            ],
        ));
    }
    models
}

fn put(monitor: &Monitor<Item>, producer: usize, number: usize) -> bool {
    let outcome = monitor.put(Item::new(producer, number));
    note_sent((producer, number), outcome.map_err(|error| error.into_inner()))
}

fn take(monitor: &Monitor<Item>, consumer: usize) -> bool {
    let taking = taking(consumer, 1);
    taking.ended(monitor.take())
}

fn two_producers(capacity: usize) {
    let monitor = Arc::new(Monitor::new(capacity));
    for producer in 0..2 {
        let monitor = Arc::clone(&monitor);
        spawn(move || (0..2).for_each(|number| assert!(put(&monitor, producer, number))));
    }
    (0..4).for_each(|_| assert!(take(&monitor, 0)));
}

fn two_consumers(capacity: usize) {
    let monitor = Arc::new(Monitor::new(capacity));
    for consumer in 0..2 {
        let monitor = Arc::clone(&monitor);
        spawn(move || while take(&monitor, consumer) {});
    }
    (0..3).for_each(|number| assert!(put(&monitor, 0, number)));
    monitor.close();
}

fn close(capacity: usize) {
    let monitor = Arc::new(Monitor::new(capacity));
    {
        let monitor = Arc::clone(&monitor);
        spawn(move || {
            for number in 0..=capacity {
                put(&monitor, 0, number); // accepted or given back
            }
        });
    }
    {
        let monitor = Arc::clone(&monitor);
        spawn(move || while take(&monitor, 0) {});
    }
    monitor.close();
    while take(&monitor, 1) {}
}
