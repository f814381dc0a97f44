//! The format of the file: whose it is, which version, and the way forward from an older one.
//!
//! The recipe for the next version: add `schema/002.sql` that turns version 1 into version 2, add it to `STEPS`, refresh the
//! snapshot in `tests/it/schema.sql`, and say in the changelog what an older handover will answer (it refuses the file).

use handover::{Error, ErrorKind, Result};
use rusqlite::{Connection, TransactionBehavior};

use crate::error::{NAME, from_sqlite};

/// In the header of each file of ours: `hand`.
pub(crate) const APPLICATION_ID: i64 = 0x6861_6e64;

const STEPS: [&str; 1] = [include_str!("schema/001.sql")];

/// The version this code writes: the number of steps, see the test below.
pub(crate) const VERSION: i64 = 1;

/// What the header of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Nothing is in it yet.
    Empty,
    /// Ours, of this version, which is not newer than this code.
    Ours(i64),
}

/// Looks at the header and changes nothing. Another application's database and a newer format are refused.
pub(crate) fn look(connection: &Connection) -> Result<Format> {
    // The tables are counted first: another process may be creating them, together with the mark that they are ours.
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(from_sqlite)?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = pragma("application_id").map_err(from_sqlite)?;
    let version = pragma("user_version").map_err(from_sqlite)?;
    if application == APPLICATION_ID {
        if version > VERSION {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the database file was written by a newer handover; use that one, or another file",
            )
            .fact("format_of_file", version)
            .fact("format_of_this_handover", VERSION)
            .broker(NAME));
        }
        return Ok(Format::Ours(version));
    }
    if application != 0 || tables > 0 {
        return Err(Error::new(
            ErrorKind::Invalid,
            "the database belongs to another application; name another file",
        )
        .fact("application_id", application)
        .fact("tables", tables)
        .broker(NAME));
    }
    Ok(Format::Empty)
}

/// Brings the file to this version, in one transaction. Two processes may do it at once: the second finds it done.
pub(crate) fn migrate(connection: &mut Connection) -> Result<()> {
    if look(connection)? == Format::Ours(VERSION) {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(from_sqlite)?;
    let from = match look(&transaction)? {
        Format::Empty => 0,
        Format::Ours(version) => usize::try_from(version).unwrap_or(0),
    };
    for step in STEPS.iter().skip(from) {
        transaction.execute_batch(step).map_err(from_sqlite)?;
    }
    transaction
        .execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
        ))
        .and_then(|()| transaction.commit())
        .map_err(from_sqlite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_number_of_steps_and_migrating_twice_changes_nothing() {
        assert_eq!(VERSION, i64::try_from(STEPS.len()).unwrap());
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(look(&connection).unwrap(), Format::Ours(VERSION));
    }
}
