//! Threads that send and threads that receive. What does not live here: the end (`closing.rs`).

use handover_buffer::{TryRecvError, bounded};
use std::sync::Arc;

use crate::harness::{Model, models_of, spawn};
use crate::ledger::{allow_leftovers, recv, recv_many, send, taking};

pub(crate) fn models() -> Vec<Model> {
    let mut models = Vec::new();
    for capacity in [1, 2] {
        models.extend(models_of(
            capacity,
            &[
                ("two producers, one consumer", 3, [2, 3], two_producers),
                ("one producer, two consumers", 3, [2, 3], two_consumers),
                ("three laps, one producer, one consumer", 2, [3, 4], three_laps),
                ("three laps, taken in batches", 2, [3, 4], three_laps_in_batches),
            ],
        ));
    }
    models.extend(models_of(
        2,
        &[
            ("a batch makes room for two waiting producers", 3, [2, 3], batch_makes_room),
            ("a batch beside a single receive", 3, [2, 3], batch_beside_single),
        ],
    ));
    models
}

fn two_producers(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    for producer in 0..2 {
        let sender = sender.clone();
        spawn(move || assert!(send(&sender, producer, 0)));
    }
    assert!(recv(&receiver, 0));
    assert!(recv(&receiver, 0));
    let _taking = taking(0, 1);
    assert_eq!(receiver.try_recv().unwrap_err(), TryRecvError::Empty);
    drop(sender);
}

fn two_consumers(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    let sender = Arc::new(sender); // held by all: no end wakes those who sleep
    for consumer in 0..2 {
        let (held, receiver) = (Arc::clone(&sender), receiver.clone());
        spawn(move || {
            assert!(recv(&receiver, consumer));
            drop(held);
        });
    }
    assert!(send(&sender, 0, 0));
    assert!(send(&sender, 0, 1));
    drop(receiver);
}

fn three_laps(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    spawn(move || (0..3 * capacity).for_each(|number| assert!(send(&sender, 0, number))));
    while recv(&receiver, 0) {}
}

fn three_laps_in_batches(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    spawn(move || (0..3 * capacity).for_each(|number| assert!(send(&sender, 0, number))));
    while recv_many(&receiver, 0, 2) > 0 {}
}

fn batch_makes_room(capacity: usize) {
    allow_leftovers(); // the two that get in stay there
    let (sender, receiver) = bounded(capacity);
    (0..capacity).for_each(|number| assert!(send(&sender, 0, number)));
    for producer in 1..=2 {
        let (sender, receiver) = (sender.clone(), receiver.clone());
        spawn(move || {
            assert!(send(&sender, producer, 0));
            drop(receiver); // nobody finds the buffer closed
        });
    }
    assert_eq!(recv_many(&receiver, 0, 9), capacity);
}

fn batch_beside_single(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    {
        let receiver = receiver.clone();
        spawn(move || while recv_many(&receiver, 1, 2) > 0 {});
    }
    spawn(move || {
        assert!(send(&sender, 0, 0));
        assert!(send(&sender, 0, 1));
    });
    recv(&receiver, 0); // an item, or the end if the batches had all
}
