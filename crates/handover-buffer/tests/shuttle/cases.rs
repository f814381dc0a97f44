//! The larger cases: three on each side, threads and tasks, giving up, closing in the middle.

use handover_buffer::monitor::Monitor;
use handover_buffer::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use libtest_mimic::Trial;
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{future, thread};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::ledger::{self, Item, note_sent, recv, recv_async, recv_many, send, send_async, taking};

const PRODUCERS: usize = 3;
const CONSUMERS: usize = 3;
const ITEMS: usize = 5;
const CAPACITY: usize = 2;
/// Of each case under each scheduler.
const EXECUTIONS: usize = 10_000;
/// How many changes of priority PCT makes at most in one execution.
const PCT_DEPTH: usize = 4;

const CASES: [(&str, fn()); 7] = [
    ("threads on both sides", threads),
    ("threads and tasks on both sides", mixed),
    ("batches beside single receives", batches),
    ("sends and receives that are cancelled", cancelled),
    ("sends and receives that time out", timeouts),
    ("close in the middle", close),
    ("the last receiver dropped in the middle", last_receiver),
];

pub(crate) fn trials(seed: u64, long: bool) -> Vec<Trial> {
    let executions = if long { 20 * EXECUTIONS } else { EXECUTIONS };
    CASES
        .into_iter()
        .chain([("the monitor, threads on both sides", monitor as fn())])
        .flat_map(|(name, body)| {
            [
                Trial::test(format!("{name} (random)"), move || {
                    run(name, "random", RandomScheduler::new_from_seed(seed, executions), body);
                    Ok(())
                }),
                Trial::test(format!("{name} (pct)"), move || {
                    let scheduler = PctScheduler::new_from_seed(seed, PCT_DEPTH, executions);
                    run(name, "pct", scheduler, body);
                    Ok(())
                }),
            ]
        })
        .collect()
}

fn run(name: &str, kind: &str, scheduler: impl Scheduler + 'static, body: fn()) {
    let mut config = shuttle::Config::new();
    config.silence_warnings = true; // that it knows only SeqCst: weaker orderings are loom's part
    let started = Instant::now();
    let executions = shuttle::Runner::new(scheduler, config).run(move || {
        ledger::open(CAPACITY);
        body();
        ledger::close();
    });
    let seconds = started.elapsed().as_secs_f64();
    println!("{name:42} {kind:6} {executions:>6} executions {seconds:>6.1} s");
}

/// Starts everybody, each with a handle of its own, and waits for all.
fn all(
    produce: impl Fn(usize, Sender<Item>) -> Running,
    consume: impl Fn(usize, Receiver<Item>) -> Running,
    meanwhile: impl FnOnce(&Sender<Item>, &Receiver<Item>),
) {
    let (sender, receiver) = bounded(CAPACITY);
    let mut running: Vec<_> = (0..CONSUMERS).map(|c| consume(c, receiver.clone())).collect();
    running.extend((0..PRODUCERS).map(|p| produce(p, sender.clone())));
    meanwhile(&sender, &receiver);
    drop((sender, receiver));
    for one in running {
        one.join();
    }
}

/// A thread or a task.
enum Running {
    Thread(thread::JoinHandle<()>),
    Task(future::JoinHandle<()>),
}

impl Running {
    fn join(self) {
        match self {
            Self::Thread(thread) => thread.join().unwrap(),
            Self::Task(task) => future::block_on(task).unwrap(),
        }
    }
}

fn thread(work: impl FnOnce() + Send + 'static) -> Running {
    Running::Thread(thread::spawn(work))
}

fn task(work: impl Future<Output = ()> + Send + 'static) -> Running {
    Running::Task(future::spawn(work))
}

fn send_all(producer: usize, sender: Sender<Item>) -> Running {
    thread(move || (0..ITEMS).for_each(|number| assert!(send(&sender, producer, number))))
}

fn send_what_fits(producer: usize, sender: Sender<Item>) -> Running {
    thread(move || {
        for number in 0..ITEMS {
            send(&sender, producer, number); // accepted or given back
        }
    })
}

fn receive_all(consumer: usize, receiver: Receiver<Item>) -> Running {
    thread(move || while recv(&receiver, consumer) {})
}

fn threads() {
    all(send_all, receive_all, |_, _| ());
}

fn mixed() {
    all(
        |producer, sender| match producer {
            0 => send_all(producer, sender),
            _ => task(async move {
                for number in 0..ITEMS {
                    assert!(send_async(&sender, producer, number).await);
                }
            }),
        },
        |consumer, receiver| match consumer {
            0 => receive_all(consumer, receiver),
            1 => task(async move { while recv_async(&receiver, consumer).await {} }),
            _ => task(async move { while recv_many_async(&receiver, consumer).await {} }),
        },
        |_, _| (),
    );
}

async fn recv_many_async(receiver: &Receiver<Item>, consumer: usize) -> bool {
    let mut taking = taking(consumer, 2);
    let mut batch = Vec::new();
    let more = receiver.recv_many_async(&mut batch, 2).await.is_ok();
    batch.into_iter().for_each(|item| taking.took(item));
    more
}

fn batches() {
    all(
        send_all,
        |consumer, receiver| match consumer {
            0 => receive_all(consumer, receiver),
            _ => thread(move || while recv_many(&receiver, consumer, 2) > 0 {}),
        },
        |_, _| (),
    );
}

/// Polls up to `polls` times, going on without being woken, and then gives up.
async fn give_up_after<F: Future>(polls: usize, mut future: Pin<&mut F>) -> Option<F::Output> {
    for _ in 0..polls {
        let poll = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = poll {
            return Some(output);
        }
        future::yield_now().await;
    }
    None
}

/// Those who give up are beside those who insist; a wake-up that is not passed on is a deadlock.
fn cancelled() {
    all(
        |producer, sender| match producer {
            0 => send_all(producer, sender),
            _ => task(async move {
                for number in 0..ITEMS {
                    let polls = thread_rng().gen_range(0..3);
                    let future = pin!(sender.send_async(Item::new(producer, number)));
                    if let Some(outcome) = give_up_after(polls, future).await {
                        let outcome = outcome.map_err(handover_buffer::SendError::into_inner);
                        assert!(note_sent((producer, number), outcome));
                    }
                }
            }),
        },
        |consumer, receiver| match consumer {
            0 => receive_all(consumer, receiver),
            _ => task(async move {
                loop {
                    let polls = thread_rng().gen_range(0..3);
                    let taking = taking(consumer, 1);
                    let future = pin!(receiver.recv_async());
                    let outcome = give_up_after(polls, future).await;
                    if outcome.is_some_and(|outcome| !taking.ended(outcome)) {
                        break;
                    }
                }
            }),
        },
        |_, _| (),
    );
}

fn timeouts() {
    const TIMEOUT: Duration = Duration::from_secs(1); // the model's clock, not ours
    all(
        |producer, sender| match producer {
            0 => send_all(producer, sender),
            _ => thread(move || {
                for number in 0..ITEMS {
                    let outcome = sender.send_timeout(Item::new(producer, number), TIMEOUT);
                    note_sent((producer, number), outcome.map_err(SendTimeoutError::into_inner));
                }
            }),
        },
        |consumer, receiver| match consumer {
            0 => receive_all(consumer, receiver),
            _ => thread(move || {
                loop {
                    let mut taking = taking(consumer, 1);
                    match receiver.recv_timeout(TIMEOUT) {
                        Ok(item) => taking.took(item),
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Closed) => break,
                    }
                }
            }),
        },
        |_, _| (),
    );
}

fn close() {
    all(send_what_fits, receive_all, |sender, receiver| {
        let turns = thread_rng().gen_range(0..60);
        (0..turns).for_each(|_| thread::yield_now());
        assert!(if turns % 2 == 0 { sender.close() } else { receiver.close() });
    });
}

fn last_receiver() {
    ledger::allow_leftovers();
    all(
        send_what_fits,
        |consumer, receiver| {
            let count = thread_rng().gen_range(0..4);
            thread(move || while recv(&receiver, consumer) && ledger::taken_by(consumer) < count {})
        },
        |_, _| (),
    );
}

fn monitor() {
    let monitor = Arc::new(Monitor::new(CAPACITY));
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|consumer| {
            let monitor = Arc::clone(&monitor);
            thread::spawn(move || {
                while {
                    let taking = taking(consumer, 1);
                    taking.ended(monitor.take())
                } {}
            })
        })
        .collect();
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let monitor = Arc::clone(&monitor);
            thread::spawn(move || {
                for number in 0..ITEMS {
                    let outcome = monitor.put(Item::new(producer, number));
                    let outcome = outcome.map_err(handover_buffer::SendError::into_inner);
                    assert!(note_sent((producer, number), outcome));
                }
            })
        })
        .collect();
    producers.into_iter().for_each(|thread| thread.join().unwrap());
    monitor.close();
    consumers.into_iter().for_each(|thread| thread.join().unwrap());
}
