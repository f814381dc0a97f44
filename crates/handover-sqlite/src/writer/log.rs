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
//! before anything is added to it all that is in it is written once more over itself, and synced. That is done only where
//! what the system shows is still what was written (`chain.rs`): after a failure it may show what the disk has instead, and a
//! log that has lost a page stays distrusted.
//!
//! The system tells of a failed sync once to each handle that was open by then. So each process has a handle from before it
//! reads or writes anything, and distrusts what it finds in the log at that moment: whoever wrote that may have seen the disk
//! fail, and be gone. It writes that over itself too, before it first writes or promises anything; one that only looks does so when it closes
//! the file, and only where it is little.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::chain::{self, Chain};
use super::glance::Stamp;

/// How much of the log is read and written back at once, in bytes.
const PIECE_BYTES: usize = 1024 * 1024;

/// The system could not write what it had taken. The same number everywhere that has it.
#[cfg(unix)]
const EIO: i32 = 5;
const HEADER_BYTES: u64 = chain::HEADER_BYTES as u64;
const PAGE_HEADER_BYTES: u64 = chain::PAGE_HEADER_BYTES as u64;

/// The log of one database file.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    /// SQLite keeps the file for as long as a connection is open, and puts no lock on it that closing this handle could drop.
    file: File,
    /// The disk has the name of the log.
    named: AtomicBool,
    /// Set at the start, and by whoever sees the disk fail; cleared by the writer when it has mended the log.
    distrusted: AtomicBool,
    /// The disk was seen to fail since the log was last mended.
    failed: AtomicBool,
    /// How many pages are in it. The writer's connection says so at each commit.
    pages: AtomicU32,
    /// How often it was synced.
    syncs: AtomicU64,
    /// So many of the next syncs fail.
    #[cfg(test)]
    pub(crate) next_fail: AtomicU32,
}

impl Log {
    /// The log of this database, by its full path. A connection must be open.
    pub(crate) fn open(database: &Path) -> io::Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        let path = PathBuf::from(path);
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let is_empty = file.metadata()?.len() == 0;
        Ok(Self {
            path,
            file,
            named: AtomicBool::new(false),
            distrusted: AtomicBool::new(!is_empty),
            failed: AtomicBool::new(false),
            pages: AtomicU32::new(0),
            syncs: AtomicU64::new(0),
            #[cfg(test)]
            next_fail: AtomicU32::new(0),
        })
    }

    /// What the file system says of it, with one system call. `None` where times of files say nothing about who wrote last.
    #[cfg(unix)]
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        use std::os::unix::fs::MetadataExt;
        let said = self.file.metadata().ok()?;
        let changed = (said.ctime(), said.ctime_nsec());
        Some(Stamp { bytes: said.len(), modified: said.modified().ok()?, changed })
    }

    /// Elsewhere the time may be told only when a handle is closed.
    #[cfg(not(unix))]
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        None
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
        self.sync_file().inspect_err(|_| self.distrust())
    }

    fn sync_file(&self) -> io::Result<()> {
        #[cfg(test)]
        if self
            .next_fail
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1))
            .is_ok()
        {
            return Err(io::Error::other("the disk of a test"));
        }
        self.file.sync_data()?;
        if !self.named.load(Ordering::Relaxed) {
            sync_folder(&self.path)?;
            self.named.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The disk failed: what is in the log may not be what the system shows.
    pub(crate) fn distrust(&self) {
        self.failed.store(true, Ordering::Release);
        self.distrusted.store(true, Ordering::Release);
    }

    pub(crate) fn is_distrusted(&self) -> bool {
        self.distrusted.load(Ordering::Acquire)
    }

    /// Whether it is distrusted for more than what was in it at the start.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Whether it is so little that even a process that only looks may write it over itself.
    pub(crate) fn is_short(&self) -> bool {
        self.end().is_ok_and(|end| end <= PIECE_BYTES as u64)
    }

    /// How it begins. `None` where nothing is in it, or that cannot be read.
    pub(crate) fn header(&self) -> Option<[u8; chain::HEADER_BYTES]> {
        let mut header = [0; chain::HEADER_BYTES];
        self.read_at(0, &mut header).ok()?;
        Some(header)
    }

    /// The first half of mending: writes the log over itself, so that the disk gets all of it again. At least this many pages
    /// are committed, the last of them ending a commit. To be called with the write lock of the database held: nobody may begin the log anew meanwhile.
    ///
    /// Where one of those pages is not what was committed, it fails with `InvalidData` and leaves the rest alone.
    pub(crate) fn write_over(&self, pages: u32) -> io::Result<()> {
        let end = self.end()?;
        let mut at = self.write_over_checked(pages)?;
        let mut piece = vec![0; PIECE_BYTES];
        while at < end {
            let wanted =
                usize::try_from(end - at).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            self.read_at(at, &mut piece[..wanted])?;
            self.write_at(at, &piece[..wanted])?;
            at += wanted as u64;
        }
        Ok(())
    }

    /// Writes over what is committed, and no byte that was not compared before. Answers where it ends.
    fn write_over_checked(&self, pages: u32) -> io::Result<u64> {
        if pages == 0 {
            return Ok(0);
        }
        let mut header = [0; chain::HEADER_BYTES];
        self.read_at(0, &mut header).map_err(lost_if_short)?;
        let mut chain = Chain::begin(&header).ok_or_else(lost)?;
        self.write_at(0, &header)?;
        let frame = chain.frame_bytes();
        let mut piece = vec![0; frame * (PIECE_BYTES / frame)];
        let end = HEADER_BYTES + u64::from(pages) * frame as u64;
        let mut at = HEADER_BYTES;
        while at < end {
            let wanted =
                usize::try_from(end - at).map_or(piece.len(), |left| left.min(piece.len()));
            let piece = &mut piece[..wanted];
            self.read_at(at, piece).map_err(lost_if_short)?;
            let follows = piece.chunks(frame).all(|page| chain.goes_on(page));
            let next = at + wanted as u64;
            if !follows || (next == end && !chain.ends_commit()) {
                return Err(lost());
            }
            self.write_at(at, piece)?;
            at = next;
        }
        Ok(at)
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(bytes)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }

    /// The second half: syncs it, and trusts it again. The lock is not needed: what others add meanwhile is theirs to sync,
    /// and if that fails, this handle hears of it too.
    pub(crate) fn sync_over(&self) -> io::Result<()> {
        self.sync_file().inspect_err(|_| self.distrust())?;
        self.failed.store(false, Ordering::Release);
        self.distrusted.store(false, Ordering::Release);
        Ok(())
    }

    /// Where the last page ends that was written since the log was last begun anew. The file can be much longer.
    fn end(&self) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        if length < HEADER_BYTES {
            return Ok(length);
        }
        let mut header = [0; chain::HEADER_BYTES];
        self.read_at(0, &mut header)?;
        let (page, salt) = (u64::from(chain::number(&header, 8)), &header[16..24]);
        let mut page_header = [0; 16];
        let (mut end, mut at) = (HEADER_BYTES, HEADER_BYTES);
        // To the end of the file: a hole is no end.
        while at + PAGE_HEADER_BYTES + page <= length {
            self.read_at(at, &mut page_header)?;
            at += PAGE_HEADER_BYTES + page;
            if page_header[8..] == *salt {
                end = at;
            }
        }
        Ok(end)
    }
}

/// Whether the log has lost a part, so that trying again is in vain.
pub(crate) fn is_lost(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a page of the log is not what was committed")
}

/// It cannot be shorter than what was committed.
fn lost_if_short(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { lost() } else { error }
}

/// Makes the disk have the name of a new log. SQLite does that with its own first sync of the file, which may be long after.
/// Not every folder can be opened or synced, and such a one is none the worse for it: only a disk that fails counts.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().and_then(|folder| File::open(folder).ok());
    match folder.map_or(Ok(()), |folder| folder.sync_all()) {
        Err(error) if error.raw_os_error() == Some(EIO) => Err(error),
        _ => Ok(()),
    }
}

/// Elsewhere a folder cannot be synced, nor needs to be.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log with this many pages of 8 bytes in a file that has room for more.
    fn write_log(path: &Path, pages: usize) -> Vec<u8> {
        let page = |salt: u8| [&[0; 8], &[salt; 8][..], &[0; 8], &[1; 8]].concat();
        let header = [&[0; 8], &8_u32.to_be_bytes()[..], &[0; 4], &[7; 8], &[0; 8]].concat();
        let old = vec![page(6); 100];
        let mut bytes = [header, vec![page(7); pages].concat(), old.concat()].concat();
        bytes.push(0);
        std::fs::write(path, &bytes).unwrap();
        bytes
    }

    #[test]
    fn a_log_whose_sync_failed_confirms_nothing_until_it_was_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db-wal");
        std::fs::write(&path, []).unwrap();
        let log = Log::open(&folder.path().join("a.db")).unwrap();
        let bytes = write_log(&path, PIECE_BYTES / 16);
        log.sync().unwrap();
        log.next_fail.store(1, Ordering::Release);
        log.sync().unwrap_err();
        log.sync().unwrap_err();
        log.write_over(0).unwrap();
        log.next_fail.store(1, Ordering::Release);
        log.sync_over().unwrap_err();
        log.sync().unwrap_err();
        log.sync_over().unwrap();
        log.sync().unwrap();
        assert_eq!(std::fs::read(path).unwrap(), bytes);
    }

    #[test]
    fn what_is_in_the_log_before_this_process_came_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        write_log(&folder.path().join("a.db-wal"), 1);
        let log = Log::open(&folder.path().join("a.db")).unwrap();
        log.sync().unwrap_err();
        assert!(log.is_distrusted() && !log.has_failed());
    }

    #[test]
    fn only_what_was_written_since_the_log_was_begun_anew_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db-wal");
        for (pages, end) in [(0, 32), (3, 32 + 3 * 32)] {
            write_log(&path, pages);
            assert_eq!(Log::open(&folder.path().join("a.db")).unwrap().end().unwrap(), end);
        }
        // What the disk lost reads as zeros.
        let mut bytes = write_log(&path, 3);
        bytes[32..64].fill(0);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Log::open(&folder.path().join("a.db")).unwrap().end().unwrap(), 32 + 3 * 32);
    }

    #[test]
    fn a_log_that_is_not_there_cannot_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        Log::open(&folder.path().join("a.db")).unwrap_err();
    }
}
