//! How an error of SQLite becomes one of handover. This is the only place that decides it.
//!
//! | what SQLite says | kind | why |
//! |---|---|---|
//! | busy, locked | `Unavailable` | another process kept the file longer than `busy_wait_max` |
//! | disk full | `Unavailable` | the same call works when there is room again; nothing of it was stored |
//! | input or output failed, no memory, protocol, interrupt | `Unavailable` | the place is in trouble, not the request |
//! | cannot open | `Unavailable` | folder and file were checked before: too many open files, a vanished mount |
//! | read-only, no permission | `Invalid` | nothing changes until somebody changes the file |
//! | not a database | `Invalid` | the wrong file |
//! | too big | `Unsupported` | a value above SQLite's own limit |
//! | damaged | `Internal` | run the doctor, restore the backup |
//! | anything else | `Internal` | a bug of this crate |

use handover::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// The broker's name in errors and `Caps`.
pub(crate) const NAME: &str = "sqlite";

/// The error of handover that this error of SQLite is.
pub(crate) fn from_sqlite(error: rusqlite::Error) -> Error {
    let (kind, message) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (ErrorKind::Unavailable, "another process keeps the database file busy; try again")
        }
        Some(ErrorCode::DiskFull) => (
            ErrorKind::Unavailable,
            "the disk is full, or the file has reached its limit; nothing was stored; make room and try again",
        ),
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted,
        ) => (ErrorKind::Unavailable, "the disk under the database file failed; look at the cause"),
        Some(ErrorCode::CannotOpen) => {
            (ErrorKind::Unavailable, "the database file cannot be opened now; look at the cause")
        }
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::AuthorizationForStatementDenied,
        ) => (
            ErrorKind::Invalid,
            "the database file cannot be written; give this user the right to write it and its folder",
        ),
        Some(ErrorCode::NotADatabase) => (
            ErrorKind::Invalid,
            "the file is not a database; name another file, or move this one away",
        ),
        Some(ErrorCode::TooBig) => {
            (ErrorKind::Unsupported, "a value is larger than the database can hold")
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            (ErrorKind::Internal, "the database file is damaged; run the doctor, restore a backup")
        }
        _ => {
            (ErrorKind::Internal, "the database refused a statement of handover; please report it")
        }
    };
    Error::new(kind, message).broker(NAME).source(error)
}

/// Nobody is at home any more.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the file was closed by this process").broker(NAME)
}

/// A row that this crate cannot have written.
pub(crate) fn damaged(what: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("{what} in the database file cannot be read; run the doctor"),
    )
    .broker(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    #[test]
    fn each_code_of_sqlite_has_the_kind_that_tells_the_caller_what_to_do() {
        for (code, kind) in [
            (ffi::SQLITE_BUSY, ErrorKind::Unavailable),
            (ffi::SQLITE_BUSY_RECOVERY, ErrorKind::Unavailable),
            (ffi::SQLITE_LOCKED, ErrorKind::Unavailable),
            (ffi::SQLITE_FULL, ErrorKind::Unavailable),
            (ffi::SQLITE_IOERR, ErrorKind::Unavailable),
            (ffi::SQLITE_IOERR_FSYNC, ErrorKind::Unavailable),
            (ffi::SQLITE_NOMEM, ErrorKind::Unavailable),
            (ffi::SQLITE_CANTOPEN, ErrorKind::Unavailable),
            (ffi::SQLITE_READONLY, ErrorKind::Invalid),
            (ffi::SQLITE_READONLY_DBMOVED, ErrorKind::Invalid),
            (ffi::SQLITE_PERM, ErrorKind::Invalid),
            (ffi::SQLITE_NOTADB, ErrorKind::Invalid),
            (ffi::SQLITE_TOOBIG, ErrorKind::Unsupported),
            (ffi::SQLITE_CORRUPT, ErrorKind::Internal),
            (ffi::SQLITE_CONSTRAINT, ErrorKind::Internal),
        ] {
            let error = from_sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            assert_eq!(error.kind(), kind, "{code}");
            assert_eq!(error.broker_name(), Some("sqlite"));
        }
    }
}
