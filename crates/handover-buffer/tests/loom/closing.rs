//! The end, while others are in the middle of something.

use handover_buffer::bounded;

use crate::harness::{Model, models_of, spawn};
use crate::ledger::{allow_leftovers, recv, send};

pub(crate) fn models() -> Vec<Model> {
    let mut models = Vec::new();
    for capacity in [1, 2] {
        models.extend(models_of(
            capacity,
            &[
                ("close against two sends", 3, [3, 4], close_against_sends),
                ("close against a send into a full buffer", 2, [4, 5], close_when_full),
                ("close against two receives", 3, [2, 3], close_against_receives),
                ("last of two senders dropped against a receive", 3, [4, 5], last_sender),
                ("last receiver dropped against two sends", 3, [3, 4], last_receiver),
                ("two receivers dropped at once against a send", 3, [4, 5], two_receivers),
            ],
        ));
    }
    models
}

fn close_against_sends(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    for producer in 0..2 {
        let sender = sender.clone();
        spawn(move || {
            send(&sender, producer, 0); // accepted or given back
        });
    }
    assert!(receiver.close());
    while recv(&receiver, 0) {}
    assert!(!send(&sender, 9, 0), "nothing is accepted after the end");
}

fn close_when_full(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    (0..capacity).for_each(|number| assert!(send(&sender, 0, number)));
    {
        let sender = sender.clone();
        spawn(move || assert!(!send(&sender, 1, 0), "there was no room before the end"));
    }
    assert!(sender.close()); // and nobody makes room: the close alone must wake it
    allow_leftovers();
    drop(receiver);
}

fn close_against_receives(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    for consumer in 0..2 {
        let receiver = receiver.clone();
        spawn(move || while recv(&receiver, consumer) {});
    }
    drop(receiver);
    assert!(send(&sender, 0, 0));
    assert!(sender.close());
    assert!(!sender.close(), "only the first close says so");
}

fn last_sender(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    let other = sender.clone();
    spawn(move || drop(other));
    spawn(move || assert!(send(&sender, 0, 0)));
    assert!(recv(&receiver, 0));
    assert!(!recv(&receiver, 0));
}

fn last_receiver(capacity: usize) {
    allow_leftovers();
    let (sender, receiver) = bounded(capacity);
    for producer in 0..2 {
        let sender = sender.clone();
        spawn(move || {
            send(&sender, producer, 0); // accepted or given back
        });
    }
    drop(receiver);
    assert!(!send(&sender, 9, 0), "nobody is there to receive it");
}

fn two_receivers(capacity: usize) {
    allow_leftovers();
    let (sender, receiver) = bounded(capacity);
    let other = receiver.clone();
    spawn(move || drop(other));
    spawn(move || drop(receiver));
    send(&sender, 0, 0); // accepted or given back
}
