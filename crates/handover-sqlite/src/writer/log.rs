//! The write-ahead log as a file of the disk: synced by us and not by SQLite, so that a group waits for the disk outside of
//! the lock, and mended after the disk failed.
//!
//! SQLite would sync the log within the commit (`synchronous = FULL`), while it holds the lock that every process writes
//! under. The connection runs with `NORMAL` instead: a commit writes the log and syncs nothing. Whoever promised `Synced`
//! syncs the file afterwards and answers then. This is as firm, because the log is only ever appended to: its first sync
//! after a commit brings that commit and all before it to the disk, whoever wrote them; and before SQLite copies the log
//! into the database, and before it begins the log anew, it syncs by itself.
//!
//! A sync that failed is not tried again as if nothing had been: the system drops what it could not write and calls those
//! pages clean. The log has a hole then, and nothing behind a hole is found after a power cut. So the log is distrusted, and
//! before anything is added to it the whole of it is written once more over itself, and synced.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// How much of the log is read and written back at once, in bytes.
const PIECE_BYTES: usize = 1024 * 1024;

/// The log of one database file.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    /// Opened by the first sync. SQLite keeps the file for as long as a connection is open, and puts no lock on it that
    /// closing this handle could drop.
    file: OnceLock<File>,
    /// Set by whoever sees the disk fail, cleared by the writer when it has mended the log.
    distrusted: AtomicBool,
    /// How many pages are in it. The writer's connection says so at each commit.
    pages: AtomicU32,
    /// How often it was synced.
    syncs: AtomicU64,
    #[cfg(test)]
    pub(crate) next_fails: AtomicBool,
}

impl Log {
    /// The log of this database, by its full path.
    pub(crate) fn new(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self {
            path: PathBuf::from(path),
            file: OnceLock::new(),
            distrusted: AtomicBool::new(false),
            pages: AtomicU32::new(0),
            syncs: AtomicU64::new(0),
            #[cfg(test)]
            next_fails: AtomicBool::new(false),
        }
    }

    pub(crate) fn has_pages(&self, pages: i32) {
        self.pages.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn pages(&self) -> u32 {
        self.pages.load(Ordering::Relaxed)
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Makes the disk have all that was committed before. Fails as long as the log is distrusted.
    pub(crate) fn sync(&self) -> io::Result<()> {
        if self.is_distrusted() {
            return Err(io::Error::other("an earlier sync of the log failed"));
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.file().and_then(|file| self.sync_file(file)).inspect_err(|_| self.distrust())
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        #[cfg(test)]
        if self.next_fails.swap(false, Ordering::AcqRel) {
            return Err(io::Error::other("the disk of a test"));
        }
        file.sync_data()
    }

    fn file(&self) -> io::Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        sync_folder(&self.path)?;
        Ok(self.file.get_or_init(|| file))
    }

    /// The disk failed: what is in the log may not be what the system shows.
    pub(crate) fn distrust(&self) {
        self.distrusted.store(true, Ordering::Release);
    }

    pub(crate) fn is_distrusted(&self) -> bool {
        self.distrusted.load(Ordering::Acquire)
    }

    /// Writes the log over itself, so that the disk gets all of it again. To be called with the write lock of the database
    /// held: nobody may add to the log meanwhile.
    pub(crate) fn mend(&self) -> io::Result<()> {
        let mut file = self.file()?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut at = 0;
        loop {
            file.seek(SeekFrom::Start(at))?;
            let length = file.read(&mut piece)?;
            if length == 0 {
                break;
            }
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&piece[..length])?;
            at += length as u64;
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.sync_file(file)?;
        self.distrusted.store(false, Ordering::Release);
        Ok(())
    }
}

/// Makes the disk have the name of a new log. SQLite does that with its own first sync of the file, which may be long after.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Elsewhere a folder cannot be synced, nor needs to be.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_whose_sync_failed_confirms_nothing_until_it_was_mended() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("a.db");
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 5).map(|n| n.to_le_bytes()[0]).collect();
        std::fs::write(folder.path().join("a.db-wal"), &bytes).unwrap();
        let log = Log::new(&database);
        log.sync().unwrap();
        log.next_fails.store(true, Ordering::Release);
        log.sync().unwrap_err();
        log.sync().unwrap_err();
        log.next_fails.store(true, Ordering::Release);
        log.mend().unwrap_err();
        log.sync().unwrap_err();
        log.mend().unwrap();
        log.sync().unwrap();
        assert_eq!(std::fs::read(folder.path().join("a.db-wal")).unwrap(), bytes);
    }

    #[test]
    fn a_log_that_is_not_there_confirms_nothing() {
        let folder = tempfile::tempdir().unwrap();
        Log::new(&folder.path().join("a.db")).sync().unwrap_err();
    }
}
