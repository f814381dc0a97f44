//! The first half of mending the log: it is written over itself while this process holds the lock that every process writes
//! under, as long as it still is what was committed.
//!
//! The system may have dropped pages that the disk did not take, and then reads what the disk has instead: zeros, or what
//! stood there earlier. To write that over itself and trust it would make the loss firm. So each page is compared with its
//! checksum first, up to the last one that is committed. SQLite knows which that is, and nobody else: behind it there may be
//! pages of a transaction that was rolled back, and they need not follow.
//!
//! The second half, and what is told, is the caller's.

use std::io;

use rusqlite::{Connection, ffi};

use super::log::Log;
use super::transaction::roll_back;

/// How often somebody else may begin the log anew while we ask how long it is.
const TRIES: u32 = 8;

/// Writes the log over itself. The outer error is SQLite's, which may be busy; the inner one that of the file.
pub(crate) fn write_over(connection: &Connection, log: &Log) -> rusqlite::Result<io::Result<()>> {
    let pages = lock(connection, log)?;
    let written = log.write_over(pages).inspect_err(|_| log.distrust());
    roll_back(connection); // it only held the lock
    Ok(written)
}

/// Takes the lock, and tells how many pages are committed in the log at least. SQLite tells that only to who does not have the
/// lock; meanwhile others may add to the log, or begin it anew.
fn lock(connection: &Connection, log: &Log) -> rusqlite::Result<u32> {
    for _ in 0..TRIES {
        let header = log.header();
        let pages = committed_pages(connection)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        if log.header() == header {
            return Ok(pages);
        }
        roll_back(connection);
    }
    Err(busy())
}

/// Asks the memory that all processes with the file share. Copies nothing back, and syncs nothing.
fn committed_pages(connection: &Connection) -> rusqlite::Result<u32> {
    let (is_busy, pages): (bool, i64) =
        connection
            .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if is_busy {
        return Err(busy());
    }
    u32::try_from(pages).map_err(|_| busy())
}

fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)
}
