//! Tasks, alone and beside threads. What does not live here: futures that are dropped
//! (`cancel.rs`).

use handover_buffer::bounded;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::harness::{Model, block_on, models_of, spawn};
use crate::ledger::{recv, recv_async, send, send_async, taking};

pub(crate) fn models() -> Vec<Model> {
    let mut models = Vec::new();
    for capacity in [1, 2] {
        models.extend(models_of(
            capacity,
            &[
                ("a thread sends, a task receives", 2, [3, 4], thread_to_task),
                ("a task sends, a thread receives", 2, [3, 4], task_to_thread),
                ("a task and a thread send, a task receives", 3, [2, 3], two_to_task),
                ("a task sends, a task and a thread receive", 3, [2, 3], task_to_two),
                ("a task sends, a task receives", 2, [3, 4], task_to_task),
            ],
        ));
    }
    models.extend(models_of(
        1,
        &[("a new waker against the wake-up of the old", 2, [4, 5], new_waker)],
    ));
    models
}

fn thread_to_task(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    spawn(move || (0..=capacity).for_each(|number| assert!(send(&sender, 0, number))));
    block_on(async { while recv_async(&receiver, 0).await {} });
}

fn task_to_thread(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    spawn(move || while recv(&receiver, 0) {});
    block_on(async {
        for number in 0..=capacity {
            assert!(send_async(&sender, 0, number).await);
        }
    });
}

fn task_to_task(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    spawn(move || {
        block_on(async {
            for number in 0..=capacity {
                assert!(send_async(&sender, 0, number).await);
            }
        });
    });
    block_on(async { while recv_async(&receiver, 0).await {} });
}

fn two_to_task(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    let sender = Arc::new(sender); // held by all: no end wakes those who sleep
    let (one, other) = (Arc::clone(&sender), Arc::clone(&sender));
    spawn(move || assert!(send(&one, 0, 0)));
    spawn(move || assert!(block_on(send_async(&other, 1, 0))));
    block_on(async {
        assert!(recv_async(&receiver, 0).await);
        assert!(recv_async(&receiver, 0).await);
    });
    drop(sender);
}

fn task_to_two(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    let sender = Arc::new(sender); // as above
    let other = receiver.clone();
    let (held, held_too) = (Arc::clone(&sender), Arc::clone(&sender));
    spawn(move || {
        assert!(recv(&receiver, 0));
        drop(held);
    });
    spawn(move || {
        assert!(block_on(recv_async(&other, 1)));
        drop(held_too);
    });
    block_on(async {
        assert!(send_async(&sender, 0, 0).await);
        assert!(send_async(&sender, 0, 1).await);
    });
}

/// A future that is polled by one task and then by another, as when it moves between them.
fn new_waker(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    spawn(move || assert!(send(&sender, 0, 0)));
    let taking = taking(0, 1);
    let mut future = pin!(receiver.recv_async());
    let early = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let outcome = match early {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => block_on(poll_fn(|context| future.as_mut().poll(context))),
    };
    assert!(taking.ended(outcome));
}
