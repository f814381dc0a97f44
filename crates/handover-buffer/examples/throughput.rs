//! Items per second through the buffer, the monitor and std's `sync_channel`, in twelve shapes.
//!
//! What lives here: a quick look, `cargo run --release -p handover-buffer --example throughput`.
//! What does not: the benchmark of record with other crates beside it.
//!
//! std's channel has one receiver only, so its shapes with four consumers are left out.

#![allow(clippy::print_stdout, reason = "the table is the point")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use handover_buffer::bounded;
use handover_buffer::monitor::Monitor;

const RUNS: usize = 5;

/// How many threads on each side, how many places, how many items in all.
#[derive(Clone, Copy)]
struct Shape {
    producers: u64,
    consumers: u64,
    capacity: usize,
    items: u64,
}

impl Shape {
    /// Runs `produce` (given how many items to send) and `consume` on their threads.
    fn time<P, C>(self, produce: impl Fn() -> P, consume: impl Fn() -> C) -> Duration
    where
        P: FnOnce(u64) + Send,
        C: FnOnce() + Send,
    {
        let each = self.items / self.producers;
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..self.producers {
                let produce = produce();
                scope.spawn(move || produce(each));
            }
            for _ in 0..self.consumers {
                scope.spawn(consume());
            }
        });
        start.elapsed()
    }
}

fn through_buffer(shape: Shape) -> Duration {
    let (sender, receiver) = bounded(shape.capacity);
    let sender = std::cell::Cell::new(Some((sender, shape.producers)));
    let next_sender = || {
        let (own, left) = sender.take().expect("one for each producer");
        // The last producer gets the original, so that the buffer closes when all are done.
        if left > 1 {
            sender.set(Some((own.clone(), left - 1)));
        }
        own
    };
    shape.time(
        || {
            let sender = next_sender();
            move |count| (0..count).for_each(|item| sender.send(item).expect("open"))
        },
        || {
            let receiver = receiver.clone();
            move || {
                std::hint::black_box(receiver.iter().fold(0, u64::wrapping_add));
            }
        },
    )
}

fn through_monitor(shape: Shape) -> Duration {
    let monitor = &Monitor::new(shape.capacity);
    let share = shape.items / shape.consumers;
    shape.time(
        || |count| (0..count).for_each(|item| monitor.put(item).expect("open")),
        || {
            move || {
                (0..share).for_each(|_| {
                    let _ = std::hint::black_box(monitor.take());
                })
            }
        },
    )
}

fn through_std(shape: Shape) -> Duration {
    let (sender, receiver) = mpsc::sync_channel(shape.capacity);
    let receiver = std::cell::Cell::new(Some(receiver));
    let items = shape.items;
    shape.time(
        || {
            let sender = sender.clone();
            move |count| (0..count).for_each(|item| sender.send(item).expect("open"))
        },
        || {
            let receiver = receiver.take().expect("one consumer");
            move || {
                (0..items).for_each(|_| {
                    let _ = std::hint::black_box(receiver.recv());
                })
            }
        },
    )
}

/// The median over a few runs, in millions of items per second.
fn rate(shape: Shape, run: impl Fn(Shape) -> Duration) -> f64 {
    let mut times: Vec<_> = (0..RUNS).map(|_| run(shape)).collect();
    times.sort_unstable();
    #[allow(clippy::cast_precision_loss, reason = "a few million items are exact in an f64")]
    let items = shape.items as f64;
    items / times[RUNS / 2].as_secs_f64() / 1e6
}

fn main() {
    println!("million items/s, median of {RUNS}\n");
    println!("{:>12}  {:>8}  {:>8}  {:>8}", "shape", "buffer", "monitor", "std");
    for (capacity, items) in [(1, 100_000), (16, 400_000), (1024, 1_000_000)] {
        for (producers, consumers) in [(1, 1), (4, 1), (1, 4), (4, 4)] {
            let shape = Shape { producers, consumers, capacity, items };
            let std = if consumers == 1 {
                format!("{:.2}", rate(shape, through_std))
            } else {
                "-".to_owned()
            };
            println!(
                "{:>12}  {:>8.2}  {:>8.2}  {std:>8}",
                format!("{producers}p{consumers}c-{capacity}"),
                rate(shape, through_buffer),
                rate(shape, through_monitor),
            );
        }
    }
}
