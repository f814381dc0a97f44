//! Bare SQLite doing what the broker does, as well as plain code can: rows with the same payload in transactions of a thousand,
//! an index of what is ready, one statement for a lease, and the file's log synced at each commit.
//!
//! What is absent, because it is what a broker is for: a bound, ids that are known after their job is done, results, a bell (two
//! processes look again after a tenth of a millisecond), and any check of a lease but its token.

use std::path::Path;
use std::time::Duration;

use handover::clock;
use rusqlite::{Connection, TransactionBehavior, params};

use super::{BATCH, payload};
use crate::Failure;
use crate::child;
use crate::measure::rate;

/// How long to wait where another process has the file, or nothing is there yet.
const PAUSE: Duration = Duration::from_micros(100);

pub(super) fn open(path: &Path) -> Result<Connection, Failure> {
    let mut connection = Connection::open(path)?;
    // Before anything else: two processes that open a file at once are in each other's way.
    connection.busy_handler(Some(|_| {
        pause();
        true
    }))?;
    connection.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS job (
             seq INTEGER PRIMARY KEY, id BLOB NOT NULL, state INTEGER NOT NULL, due INTEGER NOT NULL,
             attempt INTEGER NOT NULL, token INTEGER NOT NULL, body BLOB NOT NULL
         ) STRICT;
         CREATE INDEX IF NOT EXISTS ready ON job(seq) WHERE state = 0;",
    )?;
    Ok(connection)
}

#[allow(
    clippy::disallowed_methods,
    reason = "SQLite's handler is a plain function, in a process with nothing else to do"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}

/// Inserts rows `first..first + count` in one transaction.
fn insert(connection: &mut Connection, first: u64, count: u64) -> Result<(), Failure> {
    let body = payload();
    let due = i64::try_from(clock::wall_ms())?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO job (seq, id, state, due, attempt, token, body) VALUES (?1, ?2, 0, ?3, 0, 0, ?4)",
        )?;
        for seq in first..first + count {
            let id = u128::from(seq).to_be_bytes();
            insert.execute(params![i64::try_from(seq)?, id, due, body])?;
        }
    }
    Ok(transaction.commit()?)
}

/// Inserts one row and commits it.
pub(super) fn insert_one(connection: &mut Connection, seq: u64) -> Result<(), Failure> {
    insert(connection, seq, 1)
}

/// Leases up to a batch of rows in one transaction: their places and payloads.
fn lease(connection: &mut Connection, token: u64) -> Result<Vec<(i64, Vec<u8>)>, Failure> {
    let due = i64::try_from(clock::wall_ms() + 30_000)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let leased = transaction
        .prepare_cached(
            "UPDATE job SET state = 1, due = ?1, attempt = attempt + 1, token = ?2
             WHERE seq IN (SELECT seq FROM job WHERE state = 0 ORDER BY seq LIMIT ?3)
             RETURNING seq, body",
        )?
        .query_map(params![due, i64::try_from(token)?, i64::try_from(BATCH)?], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    transaction.commit()?;
    Ok(leased)
}

/// Deletes what was leased with this token in one transaction.
fn delete(
    connection: &mut Connection,
    token: u64,
    leased: &[(i64, Vec<u8>)],
) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut delete =
            transaction.prepare_cached("DELETE FROM job WHERE seq = ?1 AND token = ?2")?;
        for (seq, _) in leased {
            if delete.execute(params![seq, i64::try_from(token)?])? != 1 {
                return Err(format!("row {seq} was not there to be deleted").into());
            }
        }
    }
    Ok(transaction.commit()?)
}

/// Cycles a second in one process.
pub(super) fn cycles(path: &Path, count: u64) -> Result<f64, Failure> {
    let mut connection = open(path)?;
    let started = clock::now();
    for token in 0..count / BATCH {
        insert(&mut connection, token * BATCH + 1, BATCH)?;
        let leased = lease(&mut connection, token)?;
        if leased.len() != usize::try_from(BATCH)? {
            return Err(format!("{} rows leased instead of {BATCH}", leased.len()).into());
        }
        delete(&mut connection, token, &leased)?;
    }
    Ok(rate(count, started.elapsed()))
}

/// The sending one of two processes.
pub(crate) fn send(path: &Path, count: u64) -> Result<(), Failure> {
    let mut connection = open(path)?;
    child::ready()?;
    for batch in 0..count / BATCH {
        insert(&mut connection, batch * BATCH + 1, BATCH)?;
    }
    child::tell("null")
}

/// The settling one of two processes.
pub(crate) fn settle(path: &Path, count: u64) -> Result<(), Failure> {
    let mut connection = open(path)?;
    child::ready()?;
    let (mut settled, mut token) = (0, 0);
    while settled < count {
        token += 1;
        let leased = lease(&mut connection, token)?;
        if leased.is_empty() {
            pause();
            continue;
        }
        delete(&mut connection, token, &leased)?;
        settled += u64::try_from(leased.len())?;
    }
    child::tell("null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_leased_once_in_order_and_gone_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = open(&folder.path().join("raw.db")).unwrap();
        insert(&mut connection, 1, BATCH).unwrap();
        insert(&mut connection, BATCH + 1, 7).unwrap();
        let first = lease(&mut connection, 1).unwrap();
        let mut places: Vec<i64> = first.iter().map(|(seq, _)| *seq).collect();
        places.sort_unstable();
        assert_eq!(places, (1..=1000).collect::<Vec<_>>());
        assert!(first.iter().all(|(_, body)| *body == payload()));
        let second = lease(&mut connection, 2).unwrap();
        assert_eq!(second.len(), 7);
        assert!(delete(&mut connection, 1, &second).is_err(), "of another token");
        delete(&mut connection, 1, &first).unwrap();
        delete(&mut connection, 2, &second).unwrap();
        let left: i64 = connection.query_row("SELECT count(*) FROM job", [], |r| r.get(0)).unwrap();
        assert_eq!(left, 0);
    }
}
