//! How many full cycles (send, receive, settle) a second: a thousand concurrent senders through the broker, against bare
//! SQLite doing the same to the same rows in transactions of a thousand. And one sender alone against a bare commit.
//!
//! ```text
//! cargo run --release -p handover-sqlite --example rates [folder on the disk to measure]
//! ```

#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use handover::{Ask, Broker, BrokerExt, Message, QueueName, QueueSettings, Room, Settle, clock};
use handover_sqlite::SqliteOptions;
use rusqlite::{Connection, params};

const PAYLOAD_BYTES: usize = 200;
const CYCLES: usize = 200_000;
const BATCH: usize = 1000;
const SENDERS: usize = 1000;
const RECEIVERS: usize = 2;
const LONE_SENDS: usize = 500;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(base)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for round in 1..=3 {
        let raw = raw_cycles(&folder.path().join(format!("raw{round}.db")))?;
        let path = folder.path().join(format!("handover{round}.db"));
        let (ours, per_commit) = runtime.block_on(cycles(&path))?;
        println!(
            "round {round}: handover {ours:.0} cycles/s (Synced, {per_commit:.0} operations a commit), \
             raw {raw:.0} cycles/s, ratio {:.2}",
            ours / raw
        );
        let bare = bare_commit(&folder.path().join(format!("bare{round}.db")))?;
        let alone = runtime.block_on(alone(&folder.path().join(format!("alone{round}.db"))))?;
        println!(
            "         one sender alone {:.0} µs, a bare commit {:.0} µs, ratio {:.2}",
            alone * 1e6,
            bare * 1e6,
            alone / bare
        );
    }
    Ok(())
}

/// Bare SQLite: a table, its index of what is ready, transactions of a thousand. Cycles a second.
fn raw_cycles(path: &Path) -> Result<f64, Failure> {
    let mut connection = raw(path)?;
    let body = vec![b'x'; PAYLOAD_BYTES];
    let started = clock::now();
    for batch in 0..CYCLES / BATCH {
        let first = i64::try_from(batch * BATCH)? + 1;
        let last = first + i64::try_from(BATCH)?;
        let insert = connection.transaction()?;
        for seq in first..last {
            insert
                .prepare_cached("INSERT INTO job (seq, state, due, body) VALUES (?1, 0, 0, ?2)")?
                .execute(params![seq, body])?;
        }
        insert.commit()?;
        let lease = connection.transaction()?;
        let taken: Vec<(i64, Vec<u8>)> = lease
            .prepare_cached("SELECT seq, body FROM job WHERE state = 0 ORDER BY seq LIMIT ?1")?
            .query_map([i64::try_from(BATCH)?], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (seq, _) in &taken {
            lease
                .prepare_cached("UPDATE job SET state = 1, due = 1 WHERE seq = ?1")?
                .execute([seq])?;
        }
        lease.commit()?;
        let done = connection.transaction()?;
        for (seq, _) in &taken {
            done.prepare_cached("DELETE FROM job WHERE seq = ?1")?.execute([seq])?;
        }
        done.commit()?;
    }
    #[allow(clippy::cast_precision_loss, reason = "a count of cycles is far below 2^52")]
    Ok(CYCLES as f64 / started.elapsed().as_secs_f64())
}

fn raw(path: &Path) -> Result<Connection, Failure> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE job (seq INTEGER PRIMARY KEY, state INTEGER, due INTEGER, body BLOB);
         CREATE INDEX ready ON job(seq) WHERE state = 0;",
    )?;
    Ok(connection)
}

/// A thousand senders, one message at a time each. Cycles a second, and operations a commit.
async fn cycles(path: &Path) -> Result<(f64, f64), Failure> {
    let file = SqliteOptions::default().open(path)?;
    let broker = file.broker();
    let queue = QueueName::new("bench")?;
    broker.declare(&queue, &QueueSettings::with_capacity(100_000)).await?;
    let settled = Arc::new(AtomicUsize::new(0));
    let started = clock::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..SENDERS {
        let (broker, queue) = (broker.clone(), queue.clone());
        tasks.spawn(async move {
            for _ in 0..CYCLES / SENDERS {
                let message = Message::new(vec![b'x'; PAYLOAD_BYTES]);
                broker.send_one(&queue, message, Room::within(Duration::MAX)).await?;
            }
            handover::Result::Ok(())
        });
    }
    for _ in 0..RECEIVERS {
        let (broker, queue, settled) = (broker.clone(), queue.clone(), Arc::clone(&settled));
        tasks.spawn(async move {
            let ask = Ask::new(BATCH).wait(Duration::from_millis(200));
            while settled.load(Ordering::Relaxed) < CYCLES {
                let got = broker.receive(std::slice::from_ref(&queue), ask).await?;
                let done: Vec<_> =
                    got.into_iter().map(|delivery| (delivery.receipt, Settle::Done)).collect();
                if !done.is_empty() {
                    settled.fetch_add(done.len(), Ordering::Relaxed);
                    broker.settle(&done).await?.into_iter().collect::<handover::Result<()>>()?;
                }
            }
            Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let seconds = started.elapsed().as_secs_f64();
    let stats = file.stats();
    file.close().await?;
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    Ok((CYCLES as f64 / seconds, stats.operations as f64 / stats.commits as f64))
}

/// The median time of one send while nobody else does anything, in seconds.
async fn alone(path: &Path) -> Result<f64, Failure> {
    let file = SqliteOptions::default().open(path)?;
    let broker = file.broker();
    let queue = QueueName::new("bench")?;
    broker.declare(&queue, &QueueSettings::with_capacity(100_000)).await?;
    let mut times = Vec::with_capacity(LONE_SENDS);
    for _ in 0..LONE_SENDS {
        let message = Message::new(vec![b'x'; PAYLOAD_BYTES]);
        let started = clock::now();
        broker.send_one(&queue, message, Room::now()).await?;
        times.push(started.elapsed().as_secs_f64());
    }
    file.close().await?;
    Ok(median(times))
}

/// The median time of a bare commit of one row, in seconds.
fn bare_commit(path: &Path) -> Result<f64, Failure> {
    let connection = raw(path)?;
    let body = vec![b'x'; PAYLOAD_BYTES];
    let mut insert = connection.prepare("INSERT INTO job (state, due, body) VALUES (0, 0, ?1)")?;
    let mut times = Vec::with_capacity(LONE_SENDS);
    for _ in 0..LONE_SENDS {
        let started = clock::now();
        insert.execute([&body])?;
        times.push(started.elapsed().as_secs_f64());
    }
    Ok(median(times))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
