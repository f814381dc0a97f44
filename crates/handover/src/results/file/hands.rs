//! The three calls that change a results file and can fail: append, sync, cut. Apart from the store, so that tests can
//! let each of them fail in turn.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Write};

/// What the store does to its files.
pub(super) trait Hands: Debug + Send + Sync {
    /// Writes at the end of a file that was opened for appending. An error may leave a part of the bytes there.
    fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;

    /// Brings the contents and the length of the file to the disk.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Makes the file this long.
    fn cut(&self, file: &File, bytes: u64) -> io::Result<()>;
}

/// The operating system's.
#[derive(Debug)]
pub(super) struct RealHands;

impl Hands for RealHands {
    fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn cut(&self, file: &File, bytes: u64) -> io::Result<()> {
        file.set_len(bytes)
    }
}
