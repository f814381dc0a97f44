//! Opening connections: what is checked before SQLite touches anything, and the settings every connection has.

use std::path::Path;

use handover::{Error, ErrorKind, Result};
use rusqlite::{Connection, OpenFlags};

use crate::error::{NAME, from_sqlite};
use crate::file_time::FileTime;
use crate::open::SqliteOptions;
use crate::{patience, schema};

/// The size of a page in a new file, in bytes. Twice SQLite's own: a group of a thousand rows writes half as many pages,
/// and ran a third faster; a lone commit writes four pages and hardly notices.
const PAGE_BYTES: u32 = 8192;
/// The log is cut back to this after a burst.
const LOG_BYTES_MAX: u32 = 64 * 1024 * 1024;
/// Page cache of the writer, in KiB: holds a group's pages and the upper levels of every index of a queue a million deep. More
/// makes commits slower: where a tree was rebalanced, SQLite goes through the whole cache at the end of the transaction.
const WRITER_CACHE_KIB: u32 = 8 * 1024;
const READER_CACHE_KIB: u32 = 4 * 1024;

/// Opens the file for writing, creates it where it may, and brings it to this version's format. Tells its time.
pub(crate) fn writer(path: &Path, options: &SqliteOptions) -> Result<(Connection, FileTime)> {
    let SqliteOptions { create, busy_wait_max, file_bytes_max, .. } = *options;
    check_place(path, create)?;
    patience::limit(busy_wait_max);
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let mut connection = Connection::open_with_flags(path, flags).map_err(from_sqlite)?;
    patience::give(&mut connection).map_err(from_sqlite)?;
    // SQLite opens a file that it may not write read-only and says nothing; the first commit would fail much later.
    if connection.is_readonly(rusqlite::MAIN_DB).map_err(from_sqlite)? {
        return Err(read_only(path));
    }
    schema::look(&connection)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(from_sqlite)?; // only a new file obeys
    use_log(&connection)?;
    settings(&connection, WRITER_CACHE_KIB).map_err(from_sqlite)?;
    limit_size(&connection, file_bytes_max).map_err(from_sqlite)?;
    schema::migrate(&mut connection)?;
    let time = FileTime::of(&mut connection)?;
    // From here on the writer syncs the log and copies it back by itself: see `writer/log.rs`.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(from_sqlite)?;
    Ok((connection, time))
}

/// Opens the file for looking. It must exist and have this version's format.
pub(crate) fn reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(from_sqlite)?;
    patience::give(&mut connection).map_err(from_sqlite)?;
    settings(&connection, READER_CACHE_KIB).map_err(from_sqlite)?;
    Ok(connection)
}

/// Makes SQLite answer "full" before the file grows beyond `bytes_max`.
fn limit_size(connection: &Connection, bytes_max: Option<u64>) -> rusqlite::Result<()> {
    let Some(bytes_max) = bytes_max else { return Ok(()) };
    let page: u64 = connection
        .pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0))
        .map(u64::from)?;
    let pages = u32::try_from(bytes_max / page).unwrap_or(u32::MAX).clamp(1, u32::MAX - 1);
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
}

fn settings(connection: &Connection, cache_kib: u32) -> rusqlite::Result<()> {
    // Foreign keys are checked by the doctor and not for each row: every statement that writes is in this crate.
    connection.execute_batch(&format!(
        "PRAGMA foreign_keys = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{cache_kib};
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = {LOG_BYTES_MAX};"
    ))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Switches to the write-ahead log. Two processes that open a new file at once can meet here, and SQLite does not ask the
/// busy handler in every such case: so we ask it ourselves.
fn use_log(connection: &Connection) -> Result<()> {
    let mut round = 0;
    while let Err(error) = switch_to_log(connection) {
        if !is_busy(&error) || !patience::wait(round) {
            return Err(from_sqlite(error));
        }
        round += 1;
    }
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(from_sqlite)?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "the file system cannot share memory between processes, which the write-ahead log needs; use a local disk",
    )
    .fact("journal_mode", mode)
    .broker(NAME))
}

/// Runs the statement to its end: the switch is committed after it has answered, and whoever takes the answer and leaves does not
/// hear that the disk failed, and works on without a log.
fn switch_to_log(connection: &Connection) -> rusqlite::Result<()> {
    let mut switch = connection.prepare("PRAGMA journal_mode = WAL")?;
    let mut answers = switch.raw_query();
    while answers.next()?.is_some() {}
    Ok(())
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

fn check_place(path: &Path, create: bool) -> Result<()> {
    let invalid = |message: &str| {
        Err(Error::new(ErrorKind::Invalid, message).fact("path", path.display()).broker(NAME))
    };
    // SQLite would take it for an address, and everything else for a name.
    if path.as_os_str().as_encoded_bytes().starts_with(b"file:") {
        return invalid(
            "this is an address and no path; leave out `file:`, or write `./file:` if the name begins so",
        );
    }
    if path.is_dir() {
        return invalid("the path is a folder; name a file in it");
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return invalid("the folder of the database file does not exist; create it first");
    }
    if !create && !path.exists() {
        return invalid("there is no such database file, and it was not to be created");
    }
    Ok(())
}

fn read_only(path: &Path) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "the database file is read-only for this user; give it the right to write the file and its folder",
    )
    .fact("path", path.display())
    .broker(NAME)
}
