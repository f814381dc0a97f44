//! The checksums in the log: whether its pages are what was written there, one after the other, since the log was begun anew.
//!
//! The checksum of each page goes on from that of the page before it, and that of the first page from the header's. So a page
//! that the disk has lost does not follow, whether it reads as zeros, as what stood there earlier, or as half of each. SQLite
//! itself compares them only when it finds a log that nobody has open; whoever has it open reads whatever is there.
//! The format is section 4 of <https://sqlite.org/fileformat2.html>.
//!
//! What lives elsewhere: reading and writing the file (`log.rs`), and how many pages there must be (`mend.rs`).

/// A log begins with this many bytes: 4 tell the order of bytes in the words that are added up, at 8 is the size of a page, at
/// 16 the salt of 8 bytes, and at 24 the checksum, of two words, of all before it.
pub(super) const HEADER_BYTES: usize = 32;
/// So does each page in it: at 4 is the size of the database where the page is the last of a commit, and else 0; at 8 the salt
/// again, another one where the page is left from before the log was begun anew; and at 16 the checksum of the first 8 bytes
/// and the page itself.
pub(super) const PAGE_HEADER_BYTES: usize = 24;

const LITTLE_ENDIAN: u32 = 0x377f_0682;
const BIG_ENDIAN: u32 = 0x377f_0683;

/// A log as far as it was read.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    is_big_endian: bool,
    page_bytes: usize,
    salt: [u8; 8],
    sums: [u32; 2],
    ends_commit: bool,
}

impl Chain {
    /// `None` where this is no header of a log.
    pub(super) fn begin(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let page_bytes = usize::try_from(number(header, 8)).ok()?;
        let mut chain = Self {
            is_big_endian: match number(header, 0) {
                LITTLE_ENDIAN => false,
                BIG_ENDIAN => true,
                _ => return None,
            },
            page_bytes,
            salt: header[16..].first_chunk().copied()?,
            sums: [0, 0],
            ends_commit: false,
        };
        let is_size = page_bytes.is_power_of_two() && (512..=65536).contains(&page_bytes);
        chain.add(&header[..24]);
        (is_size && chain.is_at(&header[24..])).then_some(chain)
    }

    /// How many bytes a page has with its own header.
    pub(super) fn frame_bytes(&self) -> usize {
        PAGE_HEADER_BYTES + self.page_bytes
    }

    /// Goes on over the next page, with its header. False where it is not the next one.
    pub(super) fn goes_on(&mut self, frame: &[u8]) -> bool {
        if frame.len() != self.frame_bytes() || frame[8..16] != self.salt {
            return false;
        }
        self.add(&frame[..8]);
        self.add(&frame[PAGE_HEADER_BYTES..]);
        self.ends_commit = number(frame, 4) != 0;
        self.is_at(&frame[16..])
    }

    /// Whether the last page was the end of a commit. A transaction that was rolled back may leave pages that follow as well,
    /// and the disk may still have those where others were committed in their places.
    pub(super) fn ends_commit(&self) -> bool {
        self.ends_commit
    }

    fn is_at(&self, sums: &[u8]) -> bool {
        self.sums == [number(sums, 0), number(sums, 4)]
    }

    fn add(&mut self, bytes: &[u8]) {
        self.sums = if self.is_big_endian {
            added(self.sums, bytes, u32::from_be_bytes)
        } else {
            added(self.sums, bytes, u32::from_le_bytes)
        };
    }
}

fn added(sums: [u32; 2], bytes: &[u8], word: impl Fn([u8; 4]) -> u32) -> [u32; 2] {
    let (pairs, _) = bytes.as_chunks::<8>();
    pairs.iter().fold(sums, |[first, second], &[a, b, c, d, e, f, g, h]| {
        let first = first.wrapping_add(word([a, b, c, d])).wrapping_add(second);
        let second = second.wrapping_add(word([e, f, g, h])).wrapping_add(first);
        [first, second]
    })
}

/// A number of the format, which does not change with the machine.
pub(super) fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;

    use super::*;

    /// A database with these rows in its log.
    fn write(path: &Path, rows: i64) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (n, text);")
            .unwrap();
        for n in 0..rows {
            connection.execute("INSERT INTO t VALUES (?1, hex(randomblob(900)))", [n]).unwrap();
        }
        connection
    }

    /// How many pages follow one another.
    fn length(log: &[u8]) -> Option<usize> {
        let mut chain = Chain::begin(log.first_chunk()?)?;
        let frames = log[HEADER_BYTES..].chunks(chain.frame_bytes());
        Some(frames.take_while(|frame| chain.goes_on(frame)).count())
    }

    #[test]
    fn every_page_that_sqlite_wrote_follows_and_one_with_another_bit_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let connection = write(&folder.path().join("a.db"), 20);
        let log = std::fs::read(folder.path().join("a.db-wal")).unwrap();
        let frame = Chain::begin(log.first_chunk().unwrap()).unwrap().frame_bytes();
        let pages = (log.len() - HEADER_BYTES) / frame;
        assert!(pages > 20);
        assert_eq!(length(&log), Some(pages));
        for page in 0..pages {
            for at in [0, 4, 8, 15, 16, 23, 24, frame / 2, frame - 1] {
                let mut other = log.clone();
                other[HEADER_BYTES + page * frame + at] ^= 1;
                assert_eq!(length(&other), Some(page), "byte {at}");
            }
        }
        for at in 0..HEADER_BYTES {
            let mut other = log.clone();
            other[at] ^= 1;
            assert_eq!(length(&other), None, "byte {at}");
        }
        assert_eq!(length(&vec![0; 4096]), None);
        drop(connection);
    }

    #[test]
    fn the_checksums_of_either_order_of_bytes_are_those_that_sqlite_goes_by() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let connection = write(&here.path().join("a.db"), 20);
        let log = std::fs::read(here.path().join("a.db-wal")).unwrap();
        let mut other = log.clone();
        other[3] ^= 1;
        let mut chain = Chain::begin(log.first_chunk().unwrap()).unwrap();
        chain.is_big_endian = !chain.is_big_endian;
        chain.sums = [0, 0];
        chain.add(&other[..24]);
        let put = |sums: [u32; 2], at: usize, log: &mut [u8]| {
            log[at..at + 4].copy_from_slice(&sums[0].to_be_bytes());
            log[at + 4..at + 8].copy_from_slice(&sums[1].to_be_bytes());
        };
        put(chain.sums, 24, &mut other);
        let frame = chain.frame_bytes();
        for at in (HEADER_BYTES..other.len()).step_by(frame) {
            chain.goes_on(&log[at..at + frame]);
            put(chain.sums, at + 16, &mut other);
        }
        assert_eq!(length(&other), length(&log));
        std::fs::copy(here.path().join("a.db"), there.path().join("a.db")).unwrap();
        std::fs::write(there.path().join("a.db-wal"), other).unwrap();
        let recovered = Connection::open(there.path().join("a.db")).unwrap();
        let rows: i64 =
            recovered.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 20);
        drop(connection);
    }
}
