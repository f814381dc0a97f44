//! A backup of the file while it is at work: into a new file, checked before it gets its name.

use std::path::{Path, PathBuf};

use handover::{Error, ErrorKind, Result};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::error::{NAME, from_sqlite};
use crate::open::SqliteFile;
use crate::{connect, patience};

/// Pages copied at once.
const STEP_PAGES: i32 = 1024;

/// How far a backup is, in pages of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Pages in the whole file.
    pub total: u64,
    /// Pages still to be copied.
    pub remaining: u64,
}

impl SqliteFile {
    /// Copies the file as it is at one moment into a new file at `to`, while everybody goes on working.
    ///
    /// The copy is written beside `to`, checked, synced and only then renamed: a file at `to` is whole. The copy of a queue at
    /// work holds leases; they run out there as they would have here. It takes a snapshot, so that other processes that
    /// write do not make it start again; the log grows meanwhile.
    ///
    /// It blocks the calling thread: call it from `spawn_blocking` in async code.
    ///
    /// # Errors
    /// `Invalid` where `to` exists or its folder does not, `Unavailable` where the disk fails or is full, `Internal` where the
    /// copy does not pass its check.
    pub fn backup(&self, to: impl AsRef<Path>, progress: impl FnMut(Progress)) -> Result<()> {
        let to = to.as_ref();
        patience::limit(self.shared.reader.busy_wait_max());
        let made = check(to).and_then(|part| {
            let copied = copy(&self.shared.path, &part, progress).and_then(|()| finish(&part, to));
            if copied.is_err() {
                clean_up(&part);
            }
            copied
        });
        made.map_err(|error| error.operation("backup").broker(NAME))
    }
}

/// The name of the unfinished copy.
fn check(to: &Path) -> Result<PathBuf> {
    let invalid =
        |message: &str| Err(Error::new(ErrorKind::Invalid, message).fact("path", to.display()));
    if to.exists() {
        return invalid("the backup file exists; name a new one");
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return invalid("the folder of the backup file does not exist; create it first");
    }
    // SQLite would take it for an address, and everything else for a name.
    if to.as_os_str().as_encoded_bytes().starts_with(b"file:") {
        return invalid("this is an address and no path; leave out `file:`");
    }
    let Some(name) = to.file_name() else { return invalid("the backup needs the name of a file") };
    let mut part = name.to_owned();
    part.push(format!(".{}.part", std::process::id()));
    Ok(to.with_file_name(part))
}

/// Removes what a failed copy has left.
fn clean_up(part: &Path) {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let mut name = part.as_os_str().to_owned();
        name.push(suffix);
        _ = std::fs::remove_file(name); // the error of the copy is the one to tell
    }
}

fn copy(from: &Path, part: &Path, mut progress: impl FnMut(Progress)) -> Result<()> {
    let from = connect::reader(from)?;
    // A read transaction pins the snapshot: without it, each commit of another process would start the copy anew.
    let snapshot = from.unchecked_transaction().map_err(from_sqlite)?;
    snapshot.query_row("SELECT count(*) FROM queue", [], |_| Ok(())).map_err(from_sqlite)?;
    let mut copy = Connection::open(part).map_err(from_sqlite)?;
    let backup = Backup::new(&snapshot, &mut copy).map_err(from_sqlite)?;
    let mut round = 0;
    loop {
        let step = backup.step(STEP_PAGES).map_err(from_sqlite)?;
        let now = backup.progress();
        progress(Progress {
            total: u64::try_from(now.pagecount).unwrap_or(0),
            remaining: u64::try_from(now.remaining).unwrap_or(0),
        });
        match step {
            StepResult::Done => return Ok(()),
            StepResult::Busy | StepResult::Locked if !patience::wait(round) => {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "another process keeps the database file busy; try again",
                ));
            }
            StepResult::Busy | StepResult::Locked => round += 1,
            _ => round = 0,
        }
    }
}

/// Checks the copy, syncs it, and gives it its name.
fn finish(part: &Path, to: &Path) -> Result<()> {
    let copy = Connection::open(part).map_err(from_sqlite)?;
    // One file, without a log beside it, until somebody opens it with handover.
    copy.pragma_update(None, "journal_mode", "DELETE").map_err(from_sqlite)?;
    let verdict: String =
        copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(from_sqlite)?;
    if verdict != "ok" {
        return Err(Error::new(
            ErrorKind::Internal,
            "the copy is damaged, and so may the file be; run the doctor",
        )
        .fact("integrity_check", verdict));
    }
    copy.close().map_err(|(_, error)| from_sqlite(error))?;
    let io = |error: std::io::Error| {
        Error::new(ErrorKind::Unavailable, "the backup could not be brought to the disk")
            .fact("path", to.display())
            .source(error)
    };
    let file = std::fs::File::options().write(true).open(part).map_err(io)?;
    file.sync_all().map_err(io)?;
    // A hard link fails where the name is taken; a rename would overwrite what another process has put there by now.
    std::fs::hard_link(part, to)
        .and_then(|()| std::fs::remove_file(part))
        .or_else(|_| {
            if to.exists() {
                Err(std::io::ErrorKind::AlreadyExists.into())
            } else {
                std::fs::rename(part, to)
            }
        })
        .map_err(io)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = std::fs::File::open(folder.unwrap_or(Path::new("."))) {
        _ = folder.sync_all(); // not every file system can sync a folder
    }
    Ok(())
}
