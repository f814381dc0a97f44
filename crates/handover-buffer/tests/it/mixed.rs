//! Threads and tasks on one buffer, and what may move between threads. What does not live here:
//! cancellation (cancel.rs).

use handover_buffer::{Receiver, RecvFuture, RecvManyFuture, SendFuture, Sender, bounded};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::thread;

use crate::{Hand, until};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

#[test]
fn a_thread_sends_while_a_task_receives() {
    for capacity in [1, 3, 64] {
        let (sender, receiver) = bounded(capacity);
        let thread = thread::spawn(move || (0..2_000).for_each(|n| sender.send(n).unwrap()));
        runtime().block_on(async move {
            for expected in 0..2_000 {
                assert_eq!(receiver.recv_async().await, Ok(expected));
            }
            assert!(receiver.recv_async().await.is_err());
        });
        thread.join().unwrap();
    }
}

#[test]
fn a_task_sends_while_a_thread_receives() {
    for capacity in [1, 3, 64] {
        let (sender, receiver) = bounded(capacity);
        let thread = thread::spawn(move || receiver.iter().eq(0..2_000));
        runtime().block_on(async move {
            for number in 0..2_000 {
                sender.send_async(number).await.unwrap();
            }
        });
        assert!(thread.join().unwrap());
    }
}

#[test]
fn threads_and_tasks_wait_in_one_line() {
    let (sender, receiver) = bounded(1);
    thread::scope(|scope| {
        let first = scope.spawn(|| receiver.recv());
        until(|| receiver.waiting_receivers() == 1);
        let second = Hand::waiting(receiver.recv_async());
        let third = scope.spawn(|| receiver.recv());
        until(|| receiver.waiting_receivers() == 3);
        sender.send(1).unwrap();
        assert_eq!(first.join().unwrap(), Ok(1));
        assert_eq!(second.rings(), 0);
        sender.send(2).unwrap();
        assert_eq!(second.rings(), 1);
        drop(second); // its turn goes to the thread behind it
        assert_eq!(third.join().unwrap(), Ok(2));
    });
}

#[test]
fn a_runtime_with_one_thread_runs_both_ends() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (sender, receiver) = bounded(1);
        let producer = tokio::spawn(async move {
            for number in 0..100 {
                sender.send_async(number).await.unwrap();
            }
        });
        let mut batch = Vec::new();
        while receiver.recv_many_async(&mut batch, 10).await.is_ok() {}
        producer.await.unwrap();
        assert!(batch.into_iter().eq(0..100));
    });
}

#[test]
fn handles_and_futures_may_move_between_threads_if_the_values_may() {
    fn moves<T: Send>() {}
    fn shared<T: Sync>() {}
    fn unwinds<T: UnwindSafe + RefUnwindSafe>() {}
    /// May move but not be shared: a buffer moves values, and never shares them.
    type Value = std::cell::Cell<u8>;
    moves::<Sender<Value>>();
    shared::<Sender<Value>>();
    unwinds::<Sender<Value>>();
    moves::<Receiver<Value>>();
    shared::<Receiver<Value>>();
    unwinds::<Receiver<Value>>();
    moves::<SendFuture<'_, Value>>();
    moves::<RecvFuture<'_, Value>>();
    moves::<RecvManyFuture<'_, Value>>();
}
