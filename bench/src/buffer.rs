//! `bench buffer`: numbers through bounded channels, one at a time, between threads and between tasks. The channels are in
//! [`peers`].
//!
//! All channels of a shape run in turn, round after round, so that whatever else the machine does meets them alike. Each run
//! moves as many items as make it a tenth of a second, and is right only if the sum of what was received is that of what was
//! sent.

mod peers;

use std::time::Duration;

use handover::clock;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use self::peers::{AsyncChannel, Crossbeam, Flume, Handover, Kanal, Std, Tasks, Threads};
use crate::measure::{median, rate};
use crate::report::{Report, Table, figure};
use crate::{Failure, Options};

const RUNS: u32 = 5;
const CAPACITIES: [usize; 3] = [1, 16, 1024];
const ENDS: [(u64, u64); 4] = [(1, 1), (4, 1), (1, 4), (4, 4)];

/// The items of the first try at a run that is long enough, and of a short run.
const ITEMS_MIN: u64 = 4_000;
const ITEMS_SHORT: u64 = 500;
const ITEMS_MAX: u64 = 100_000_000;

const NAMES: [&str; 6] =
    ["handover", "crossbeam-channel", "flume", "kanal", "async-channel", "std"];

#[derive(Debug, Clone, Copy)]
struct Shape {
    producers: u64,
    consumers: u64,
    capacity: usize,
    tasks: bool,
}

impl Shape {
    fn all() -> impl Iterator<Item = Self> {
        [false, true].into_iter().flat_map(|tasks| {
            CAPACITIES.into_iter().flat_map(move |capacity| {
                ENDS.map(|(producers, consumers)| Self { producers, consumers, capacity, tasks })
            })
        })
    }

    fn name(self) -> String {
        let Self { producers, consumers, capacity, tasks } = self;
        format!("{producers}p{consumers}c-{capacity}{}", if tasks { "-tasks" } else { "" })
    }

    /// The channels that can have this shape, with their places in [`NAMES`].
    fn peers(self) -> Vec<(usize, Run)> {
        if self.tasks {
            return vec![
                (0, between_tasks::<Handover>),
                (2, between_tasks::<Flume>),
                (3, between_tasks::<Kanal>),
                (4, between_tasks::<AsyncChannel>),
            ];
        }
        let mut peers: Vec<(usize, Run)> = vec![
            (0, between_threads::<Handover>),
            (1, between_threads::<Crossbeam>),
            (2, between_threads::<Flume>),
            (3, between_threads::<Kanal>),
            (4, between_threads::<AsyncChannel>),
        ];
        if self.consumers == 1 {
            peers.push((5, between_threads::<Std>));
        }
        peers
    }
}

/// Moves this many items through a channel of this shape: how long it took, and the sum of what came out.
type Run = fn(Shape, u64, &Runtime) -> Result<(Duration, u64), Failure>;

fn between_threads<P: Threads>(
    shape: Shape,
    items: u64,
    _: &Runtime,
) -> Result<(Duration, u64), Failure> {
    let (sender, receiver) = P::bounded(shape.capacity);
    let mut receivers = Vec::new();
    for _ in 1..shape.consumers {
        receivers.push(P::share(&receiver).ok_or("this channel has one consumer only")?);
    }
    receivers.push(receiver);
    let senders = vec![sender; usize::try_from(shape.producers)?];
    let started = clock::now();
    let sum = std::thread::scope(|scope| {
        let consume = |receiver: P::Receiver| {
            move || std::iter::from_fn(|| P::receive(&receiver)).fold(0, u64::wrapping_add)
        };
        let consumers: Vec<_> = receivers.into_iter().map(|r| scope.spawn(consume(r))).collect();
        for (first, sender) in (0..).zip(senders) {
            let own = (first..items).step_by(usize::try_from(shape.producers).unwrap_or(1));
            scope.spawn(move || own.take_while(|item| P::send(&sender, *item)).count());
        }
        // A consumer that panicked has received nothing that counts, and the sum says so.
        consumers.into_iter().map(|c| c.join().unwrap_or(0)).fold(0, u64::wrapping_add)
    });
    Ok((started.elapsed(), sum))
}

fn between_tasks<P: Tasks>(
    shape: Shape,
    items: u64,
    runtime: &Runtime,
) -> Result<(Duration, u64), Failure> {
    let (sender, receiver) = P::bounded(shape.capacity);
    let step = usize::try_from(shape.producers)?;
    runtime.block_on(async {
        let started = clock::now();
        let mut tasks = JoinSet::new();
        for _ in 0..shape.consumers {
            let receiver = receiver.clone();
            tasks.spawn(async move {
                let mut sum = 0_u64;
                while let Some(item) = P::receive(&receiver).await {
                    sum = sum.wrapping_add(item);
                }
                sum
            });
        }
        drop(receiver);
        for first in 0..shape.producers {
            let sender = sender.clone();
            tasks.spawn(async move {
                for item in (first..items).step_by(step) {
                    if !P::send(&sender, item).await {
                        break;
                    }
                }
                0
            });
        }
        drop(sender); // with the last producer's the channel ends
        let mut sum = 0_u64;
        while let Some(received) = tasks.join_next().await {
            sum = sum.wrapping_add(received?);
        }
        Ok((started.elapsed(), sum))
    })
}

/// A channel in a shape, with the items that its run takes and the rates it had.
struct Entry {
    name: usize,
    run: Run,
    items: u64,
    rates: Vec<f64>,
}

impl Entry {
    fn time(&self, shape: Shape, runtime: &Runtime) -> Result<Duration, Failure> {
        let (took, sum) = (self.run)(shape, self.items, runtime)?;
        let right = (0..self.items).fold(0, u64::wrapping_add);
        if sum != right {
            let name = NAMES[self.name];
            let shape = shape.name();
            return Err(format!(
                "{name} in {shape}: {} items sum up to {sum} instead of {right}",
                self.items
            )
            .into());
        }
        Ok(took)
    }

    /// Finds how many items make a run long enough.
    fn find_items(
        &mut self,
        shape: Shape,
        long_enough: Duration,
        runtime: &Runtime,
    ) -> Result<(), Failure> {
        loop {
            let took = self.time(shape, runtime)?;
            if took >= long_enough || self.items >= ITEMS_MAX {
                return Ok(());
            }
            // A quarter more than it seems to take, as one short run says little.
            let nanos = took.as_nanos().max(1);
            let factor = (long_enough.as_nanos() * 5 / 4).div_ceil(nanos).clamp(2, 16);
            self.items = (self.items * u64::try_from(factor)?).min(ITEMS_MAX);
        }
    }
}

/// The medians of a shape, by [`NAMES`].
fn measure(
    shape: Shape,
    options: &Options,
    runtime: &Runtime,
) -> Result<[Option<f64>; 6], Failure> {
    let (items, long_enough) = if options.short {
        (ITEMS_SHORT, Duration::ZERO)
    } else {
        (ITEMS_MIN, Duration::from_millis(100))
    };
    let entry = |(name, run)| Entry { name, run, items, rates: Vec::new() };
    let mut entries: Vec<Entry> = shape.peers().into_iter().map(entry).collect();
    for entry in &mut entries {
        entry.find_items(shape, long_enough, runtime)?;
    }
    for _ in 0..options.runs_or(RUNS) {
        for entry in &mut entries {
            let took = entry.time(shape, runtime)?;
            entry.rates.push(rate(entry.items, took));
        }
    }
    let mut medians = [None; 6];
    for entry in entries {
        medians[entry.name] = Some(median(&entry.rates));
    }
    Ok(medians)
}

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let runtime = crate::runtime()?;
    let mut table = Table::new(std::iter::once("shape").chain(NAMES));
    let (mut shapes, mut tally) = (Vec::new(), Tally::default());
    for shape in Shape::all().filter(|shape| options.wants(&shape.name())) {
        let medians = measure(shape, options, &runtime)?;
        tally.count(&medians);
        table.row(row(shape, &medians));
        shapes.push(object(shape, &medians));
    }
    Ok(Report {
        name: "buffer",
        conditions: vec![
            format!("Million items (`u64`) a second, one at a time; the median of {} runs in turn.", options.runs_or(RUNS)),
            "`4p1c-16` is four producers and one consumer over 16 places, between threads; with `-tasks`, between tasks of tokio with a thread for each core.".to_owned(),
            "An asterisk is at the fastest; a dash is where a channel cannot have the shape.".to_owned(),
        ],
        tables: vec![table],
        remarks: vec![tally.remark()],
        json: json!({ "shapes": shapes }),
    })
}

fn row(shape: Shape, medians: &[Option<f64>; 6]) -> Vec<String> {
    let best = medians.iter().flatten().copied().fold(0.0, f64::max);
    let cell = |rate: &Option<f64>| match rate {
        Some(rate) => format!("{:.2}{}", rate / 1e6, if *rate >= best { "*" } else { "" }),
        None => "-".to_owned(),
    };
    std::iter::once(shape.name()).chain(medians.iter().map(cell)).collect()
}

fn object(shape: Shape, medians: &[Option<f64>; 6]) -> Value {
    let mut object = Map::new();
    object.insert("shape".to_owned(), shape.name().into());
    object.insert("unit".to_owned(), "items/s".into());
    for (name, rate) in NAMES.into_iter().zip(medians) {
        object.insert(name.to_owned(), rate.map_or(Value::Null, figure));
    }
    Value::Object(object)
}

/// In how many shapes ours is where it should be.
#[derive(Debug, Default)]
struct Tally {
    shapes: u32,
    fastest: u32,
    beside_crossbeam: u32,
    not_slower: u32,
}

impl Tally {
    fn count(&mut self, medians: &[Option<f64>; 6]) {
        let [Some(ours), crossbeam, ..] = *medians else { return };
        self.shapes += 1;
        self.fastest += u32::from(medians.iter().flatten().all(|rate| *rate <= ours));
        self.beside_crossbeam += u32::from(crossbeam.is_some());
        self.not_slower += u32::from(crossbeam.is_some_and(|rate| rate <= ours));
    }

    fn remark(&self) -> String {
        let Self { shapes, fastest, beside_crossbeam, not_slower } = self;
        format!(
            "handover-buffer is the fastest in {fastest} of {shapes} shapes, and no slower than crossbeam-channel in {not_slower} of {beside_crossbeam}."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_its_name() {
        let names: Vec<String> = Shape::all().map(Shape::name).collect();
        assert_eq!(names.len(), 24);
        assert_eq!(names[0], "1p1c-1");
        assert_eq!(names[23], "4p4c-1024-tasks");
    }

    #[test]
    fn every_channel_moves_every_item_in_every_shape() {
        let runtime = crate::runtime().unwrap();
        for shape in Shape::all() {
            for (name, run) in shape.peers() {
                let entry = Entry { name, run, items: 101, rates: Vec::new() };
                entry.time(shape, &runtime).unwrap();
            }
        }
    }

    #[test]
    fn items_that_are_missing_are_an_error_that_names_the_channel() {
        fn loses_one(_: Shape, items: u64, _: &Runtime) -> Result<(Duration, u64), Failure> {
            Ok((Duration::from_secs(1), (0..items - 1).sum()))
        }
        let shape = Shape { producers: 1, consumers: 1, capacity: 1, tasks: false };
        let entry = Entry { name: 3, run: loses_one, items: 10, rates: Vec::new() };
        let why = entry.time(shape, &crate::runtime().unwrap()).unwrap_err().to_string();
        assert_eq!(why, "kanal in 1p1c-1: 10 items sum up to 36 instead of 45");
    }

    #[test]
    fn the_tally_counts_shapes_where_ours_is_first() {
        let mut tally = Tally::default();
        tally.count(&[Some(3.0), Some(3.0), Some(1.0), None, None, None]);
        tally.count(&[Some(1.0), None, Some(2.0), None, None, None]);
        assert_eq!(
            (tally.shapes, tally.fastest, tally.beside_crossbeam, tally.not_slower),
            (2, 1, 1, 1)
        );
    }
}
