//! Those who give up, at the moment when they are woken: what they would have taken goes to
//! another. A wake-up that is not passed on shows as a deadlock.

use handover_buffer::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::harness::{Model, models_of, poll_once, spawn};
use crate::ledger::{Item, note_sent, recv, send, taking};

pub(crate) fn models() -> Vec<Model> {
    models_of(
        1,
        &[
            ("a cancelled receive against a wake-up", 3, [2, 3], cancelled_receive),
            ("a cancelled batch receive against a wake-up", 3, [2, 3], cancelled_batch),
            ("a cancelled send against a wake-up", 3, [2, 3], cancelled_send),
            ("a receive that times out against a wake-up", 3, [2, 3], receive_times_out),
            ("a send that times out against a wake-up", 3, [2, 3], send_times_out),
        ],
    )
    .collect()
}

/// One item for two receivers, of which the first, `gives_up`, may leave without it. What it does
/// take it sends again, for the other one. All hold the sender: no end wakes those who sleep.
fn beside_another(
    capacity: usize,
    gives_up: impl FnOnce(&Sender<Item>, &Receiver<Item>) + Send + 'static,
) {
    let (sender, receiver) = bounded(capacity);
    let sender = Arc::new(sender);
    {
        let (sender, receiver) = (Arc::clone(&sender), receiver.clone());
        spawn(move || gives_up(&sender, &receiver));
    }
    let held = Arc::clone(&sender);
    spawn(move || {
        assert!(recv(&receiver, 0));
        drop(held);
    });
    assert!(send(&sender, 0, 0));
}

fn cancelled_receive(capacity: usize) {
    beside_another(capacity, |sender, receiver| {
        let taking = taking(1, 1);
        let mut future = receiver.recv_async();
        if let Poll::Ready(outcome) = poll_once(&mut future) {
            assert!(taking.ended(outcome));
            assert!(send(sender, 1, 0));
        }
    });
}

fn cancelled_batch(capacity: usize) {
    beside_another(capacity, |sender, receiver| {
        let mut taking = taking(1, 2);
        let mut batch = Vec::new();
        let outcome = poll_once(&mut receiver.recv_many_async(&mut batch, 2));
        assert_eq!(outcome.is_ready(), !batch.is_empty(), "nothing is taken and kept");
        for item in batch {
            taking.took(item);
            assert!(send(sender, 1, 0));
        }
    });
}

fn cancelled_send(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    assert!(send(&sender, 0, 0));
    let other = sender.clone();
    spawn(move || {
        let mut future = sender.send_async(Item::new(1, 0));
        if let Poll::Ready(outcome) = poll_once(&mut future) {
            assert!(note_sent((1, 0), outcome.map_err(|error| error.into_inner())));
        }
    });
    spawn(move || assert!(send(&other, 2, 0)));
    while recv(&receiver, 0) {}
}

fn receive_times_out(capacity: usize) {
    beside_another(capacity, |sender, receiver| {
        let mut taking = taking(1, 1);
        match receiver.recv_timeout(Duration::from_secs(1)) {
            Ok(item) => {
                taking.took(item);
                assert!(send(sender, 1, 0));
            }
            Err(error) => assert_eq!(error, RecvTimeoutError::Timeout),
        }
    });
}

fn send_times_out(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    assert!(send(&sender, 0, 0));
    let other = sender.clone();
    spawn(move || {
        let outcome = sender.send_timeout(Item::new(1, 0), Duration::from_secs(1));
        assert!(!matches!(outcome, Err(SendTimeoutError::Closed(_))));
        note_sent((1, 0), outcome.map_err(SendTimeoutError::into_inner));
    });
    spawn(move || assert!(send(&other, 2, 0)));
    while recv(&receiver, 0) {}
}
