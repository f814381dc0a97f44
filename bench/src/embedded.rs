//! `bench embedded`: the broker in one SQLite file, beside bare SQLite doing the same to the same rows, in turns.
//!
//! In reading order: [`raw`] (bare SQLite), [`cycle`] (send, receive, settle in one process), [`two`] (in two), [`latency`] (one
//! sender alone), [`start`] (from send to handler), [`depth`] (a million jobs waiting).

mod cycle;
pub(crate) mod depth;
mod latency;
pub(crate) mod raw;
mod start;
pub(crate) mod two;

use std::path::Path;

use handover::{Broker as _, QueueName, QueueSettings};
use handover_sqlite::{SqliteFile, SqliteOptions};
use serde_json::{Map, Value, json};

use crate::measure::median;
use crate::report::{Report, Table, figure, whole};
use crate::{Failure, Options};

const PAYLOAD_BYTES: usize = 200;
/// Rows a transaction of bare SQLite, and messages a receive.
const BATCH: u64 = 1000;
/// Concurrent senders, each with one message at a time.
const SENDERS: u64 = 1000;
const CAPACITY: u64 = 2_000_000;
const RUNS: u32 = 3;

/// How much is moved, by how long the run may be.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    runs: u32,
    cycles: u64,
    sends: u64,
    starts: u64,
    shallow: u64,
    deep: u64,
}

impl Sizes {
    fn of(options: &Options) -> Self {
        let runs = options.runs_or(RUNS);
        if options.short {
            return Self {
                runs,
                cycles: 2_000,
                sends: 20,
                starts: 20,
                shallow: 1_000,
                deep: 5_000,
            };
        }
        Self { runs, cycles: 200_000, sends: 300, starts: 300, shallow: 1_000, deep: 1_000_000 }
    }
}

/// Opens the file with the defaults, which are `Synced`, and declares the queue.
fn open(path: &Path) -> Result<(SqliteFile, QueueName), Failure> {
    let file = SqliteOptions::default().open(path)?;
    Ok((file, QueueName::new("bench")?))
}

async fn declare(file: &SqliteFile, queue: &QueueName) -> Result<(), Failure> {
    Ok(file.broker().declare(queue, &QueueSettings::with_capacity(CAPACITY)).await?)
}

fn payload() -> Vec<u8> {
    vec![b'x'; PAYLOAD_BYTES]
}

/// Ours beside bare SQLite's, run by run.
#[derive(Debug, Default)]
struct Pair {
    ours: Vec<f64>,
    raw: Vec<f64>,
}

impl Pair {
    fn ours(&self) -> f64 {
        median(&self.ours)
    }

    fn raw(&self) -> f64 {
        median(&self.raw)
    }

    fn ratio(&self) -> f64 {
        self.ours() / self.raw()
    }

    /// The row of a table.
    fn row(&self, what: &str, unit: &str) -> [String; 5] {
        let ratio = format!("{:.2}", self.ratio());
        [what.to_owned(), unit.to_owned(), whole(self.ours()), whole(self.raw()), ratio]
    }

    fn cycles_json(&self) -> Value {
        json!({
            "handover_per_s": figure(self.ours()),
            "raw_per_s": figure(self.raw()),
            "ratio": figure(self.ratio()),
        })
    }
}

/// What the parts hand in.
struct Found {
    /// Beside bare SQLite.
    pairs: Table,
    /// Alone.
    singles: Table,
    json: Map<String, Value>,
}

impl Found {
    fn single(&mut self, what: &str, unit: &str, figure: &str) {
        self.singles.row([what, unit, figure]);
    }

    fn put(&mut self, key: &str, value: Value) {
        self.json.insert(key.to_owned(), value);
    }
}

type Part = fn(&Path, Sizes, &mut Found) -> Result<(), Failure>;

const PARTS: [(&str, Part); 5] = [
    ("cycle", cycle::run),
    ("two", two::run),
    ("latency", latency::run),
    ("start", start::run),
    ("depth", depth::run),
];

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let sizes = Sizes::of(options);
    let mut found = Found {
        pairs: Table::new(["", "unit", "handover", "bare SQLite", "ratio"]),
        singles: Table::new(["", "unit", "handover"]),
        json: Map::new(),
    };
    for (name, part) in PARTS {
        if options.wants(name) {
            // A folder for each, so that no part's files are in another's way.
            part(options.folder()?.path(), sizes, &mut found)?;
        }
    }
    let Found { pairs, singles, json } = found;
    Ok(Report {
        name: "embedded",
        conditions: vec![
            format!(
                "Payload {PAYLOAD_BYTES} bytes, durability `Synced`, {SENDERS} concurrent senders with one message each, receives of up to {BATCH}; medians of {} runs in turn with bare SQLite.",
                sizes.runs
            ),
            format!(
                "Bare SQLite does the same to rows with id, state, lease, token, attempt and payload in transactions of {BATCH} with `synchronous = FULL`, and keeps no bound, no memory of ids, no bell."
            ),
        ],
        tables: vec![pairs, singles],
        remarks: vec![],
        json: Value::Object(json),
    })
}
