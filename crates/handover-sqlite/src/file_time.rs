//! The time of a file: what leases, delays and memories in it are told in.
//!
//! All processes on a file must agree on it, so it cannot be the monotonic clock of each; and it should not move when
//! somebody sets the clock on the wall. On Linux it is the time since boot, which nobody can set, and an offset that the file
//! keeps, together with the boot it is for. Each transaction reads it, for it can be chosen anew. The first process to open the file after a boot chooses the offset: so that the
//! time is the one on the wall, or goes on from the last one that the file has seen where the wall is behind that. Elsewhere it
//! is the time on the wall. Either way it is in milliseconds since 1970, about; nobody is shown it but as a duration.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use handover::{Result, clock};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::error::from_sqlite;
use crate::sql::state::to_sql;

/// Tells the time of one file. Clones tell the same.
#[derive(Debug, Clone)]
pub(crate) struct FileTime {
    /// What is added to the time since boot; `None` where the wall is asked.
    ahead_ms: Option<Arc<AtomicI64>>,
}

impl FileTime {
    /// The time of this file, for as long as the machine runs.
    pub(crate) fn of(connection: &mut Connection) -> Result<Self> {
        let Some(boot) = clock::boot_id() else { return Ok(Self { ahead_ms: None }) };
        let known = ahead(connection, &boot).map_err(from_sqlite)?;
        let ahead_ms = match known {
            Some(ahead) => ahead,
            None => choose(connection, &boot).map_err(from_sqlite)?,
        };
        Ok(Self { ahead_ms: Some(Arc::new(AtomicI64::new(ahead_ms))) })
    }

    /// Follows the offset that was chosen last. Containers can have a boot id of their own over the same kernel: each of them
    /// chooses anew, and nobody may stay behind with an older one.
    pub(crate) fn follow(
        &self,
        read: impl FnOnce() -> rusqlite::Result<i64>,
    ) -> rusqlite::Result<()> {
        if let Some(ahead_ms) = &self.ahead_ms
            && let Some(chosen) = read().optional()?
        {
            ahead_ms.store(chosen, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Now, in milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        match (&self.ahead_ms, clock::since_boot_ms()) {
            (Some(ahead), Some(since)) => {
                to_sql(since).saturating_add(ahead.load(Ordering::Relaxed))
            }
            _ => to_sql(clock::wall_ms()),
        }
    }

    #[cfg(test)]
    pub(crate) const WALL: Self = Self { ahead_ms: None };
}

/// The offset for this boot, if somebody has chosen it.
fn ahead(connection: &Connection, boot: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .query_row("SELECT ahead_ms FROM time WHERE boot = ?1", [boot], |row| row.get(0))
        .optional()
}

/// Chooses it, unless another process was faster.
fn choose(connection: &mut Connection, boot: &str) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(ahead) = ahead(&transaction, boot)? {
        return Ok(ahead);
    }
    let seen: i64 =
        transaction.query_row("SELECT coalesce(max(seen), 0) FROM queue", [], |row| row.get(0))?;
    let now = std::cmp::max(to_sql(clock::wall_ms()), seen);
    let ahead = now - to_sql(clock::since_boot_ms().unwrap_or(0));
    transaction.execute("DELETE FROM time", [])?;
    transaction
        .execute("INSERT INTO time (boot, ahead_ms) VALUES (?1, ?2)", params![boot, ahead])?;
    transaction.commit()?;
    Ok(ahead)
}
