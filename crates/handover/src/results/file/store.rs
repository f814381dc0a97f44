//! The files and what is known of them: following what other processes append, and mending what a crash tore.
//!
//! Everything here blocks and runs under two locks: the mutex around the store, which the caller holds, and the gate, which
//! keeps other processes out. Appending is in `append.rs`, reading back in `read.rs`.
//!
//! The life of a file: it is created live, appended to, and renamed to its number when it is full; then it never changes.
//! Others see a rename by the numbers in the folder. What fits no such life (a file gone, or shorter than it was) was done
//! by a person: then everything is forgotten and read again from the beginning.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::gate::{Entered, Gate};
use super::hands::Hands;
use super::index::{Index, Place};
use super::layout::{Found, Layout, unavailable};
use super::line::{Flaw, Head, LINE_BYTES_MAX};
use crate::clock::{self, Instant};
use crate::error::{Error, ErrorKind, Result};
use crate::results::waiters::Waiters;

/// One file.
#[derive(Debug)]
pub(super) struct Segment {
    /// The log it is of: its queue, or nothing for a flat file.
    pub(super) log: Arc<str>,
    /// The number it has, or will have once it is rotated. They grow; the oldest is 1.
    pub(super) number: u32,
    pub(super) life: Life,
    /// How far it was read, or written by this process: always the end of a line.
    pub(super) end: u64,
    /// How far this process has synced it. What others synced is not known.
    pub(super) synced_to: u64,
}

/// See the head of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Appended to.
    Live,
    /// Renamed, and not yet read to its end.
    Rotated,
    /// Renamed, and read to its end.
    Read,
}

/// How much was asked for; see `FileResultsOptions`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) rotate_bytes: u64,
    pub(super) index_max: usize,
}

/// The files of one folder, or one flat file.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) layout: Layout,
    pub(super) limits: Limits,
    /// Whether an append is brought to the disk before it is answered.
    pub(super) synced: bool,
    pub(super) hands: Arc<dyn Hands>,
    pub(super) index: Index,
    pub(super) segments: Vec<Segment>,
    /// The segments of each log, the oldest first; a live one is the last.
    pub(super) logs: BTreeMap<Arc<str>, Vec<u32>>,
    pub(super) waiters: Arc<Waiters>,
    gate: Gate,
    read_at: Option<Instant>,
}

impl Store {
    /// Opens and reads everything there is.
    pub(super) fn open(
        layout: Layout,
        limits: Limits,
        synced: bool,
        hands: Arc<dyn Hands>,
        waiters: Arc<Waiters>,
    ) -> Result<Self> {
        layout.create()?;
        let gate = Gate::open(layout.lock_path(), layout.access())?;
        let mut store = Self {
            index: Index::new(limits.index_max),
            layout,
            limits,
            synced,
            hands,
            segments: Vec::new(),
            logs: BTreeMap::new(),
            waiters,
            gate,
            read_at: None,
        };
        drop(store.enter()?);
        Ok(store)
    }

    /// Keeps other processes out until the answer is dropped, and knows all that they did.
    pub(super) fn enter(&mut self) -> Result<Entered> {
        let entered = self.gate.enter()?;
        let found = self.layout.list()?;
        if !self.follow_all(&found)? {
            tracing::warn!(
                root = %self.layout.root().display(),
                "files of the results are gone or shorter than they were; reading all of them again"
            );
            self.forget_all();
            if !self.follow_all(&found)? {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "files of the results change although they are locked; is another program at them?",
                )
                .fact("lock", self.gate.path().display()));
            }
        }
        self.read_at = Some(clock::now());
        Ok(entered)
    }

    /// When the files were last looked at.
    pub(super) fn read_at(&self) -> Option<Instant> {
        self.read_at
    }

    /// Starts over: the next entry reads everything.
    pub(super) fn forget_all(&mut self) {
        self.index.clear();
        self.segments.clear();
        self.logs.clear();
    }

    pub(super) fn segment(&self, id: u32) -> &Segment {
        &self.segments[id as usize]
    }

    pub(super) fn segment_mut(&mut self, id: u32) -> &mut Segment {
        &mut self.segments[id as usize]
    }

    pub(super) fn path(&self, id: u32) -> PathBuf {
        let Segment { log, number, life, .. } = self.segment(id);
        self.layout.path(log, (*life != Life::Live).then_some(*number))
    }

    /// The segment of a log that is appended to, where there is one.
    pub(super) fn live(&self, log: &str) -> Option<u32> {
        let last = *self.logs.get(log)?.last()?;
        (self.segment(last).life == Life::Live).then_some(last)
    }

    /// Takes a file of a log into the books. Its number must be above all others of the log.
    pub(super) fn add_segment(&mut self, log: &str, number: u32, life: Life) -> Result<u32> {
        let id = u32::try_from(self.segments.len()).map_err(|_| {
            Error::new(ErrorKind::Unavailable, "there are too many files of results")
        })?;
        let log: Arc<str> = log.into();
        self.logs.entry(Arc::clone(&log)).or_default().push(id);
        self.segments.push(Segment { log, number, life, end: 0, synced_to: 0 });
        Ok(id)
    }

    /// The number of the next file of a log.
    pub(super) fn next_number(&self, log: &str) -> u32 {
        let last = self.logs.get(log).and_then(|segments| segments.last());
        last.map_or(1, |last| self.segment(*last).number.saturating_add(1))
    }

    /// Reads what is new. False where the files are not those that were read before.
    fn follow_all(&mut self, found: &BTreeMap<String, Found>) -> Result<bool> {
        if self.logs.keys().any(|log| !found.contains_key(&**log)) {
            return Ok(false);
        }
        for (log, found) in found {
            if !self.follow_names(log, found)? {
                return Ok(false);
            }
            for id in self.logs.get(log.as_str()).cloned().unwrap_or_default() {
                if self.segment(id).life != Life::Read && !self.follow(id)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Learns which files of a log are new and which were renamed.
    fn follow_names(&mut self, log: &str, found: &Found) -> Result<bool> {
        let mut live = self.live(log);
        let known = self.logs.get(log).map_or(&[][..], Vec::as_slice);
        let known: Vec<u32> = known
            .iter()
            .filter(|id| Some(**id) != live)
            .map(|id| self.segment(*id).number)
            .collect();
        let Some(new) = found.rotated.strip_prefix(&known[..]) else { return Ok(false) };
        for number in new {
            match live.take() {
                Some(id) if self.segment(id).number == *number => {
                    self.segment_mut(id).life = Life::Rotated;
                }
                Some(_) => return Ok(false),
                None => {
                    self.add_segment(log, *number, Life::Rotated)?;
                }
            }
        }
        match (live, found.live) {
            (Some(_), false) => return Ok(false),
            (None, true) => {
                self.add_segment(log, self.next_number(log), Life::Live)?;
            }
            (Some(_), true) | (None, false) => {}
        }
        Ok(true)
    }

    /// Reads a file from where it was last read to its end. False where it is shorter than it was.
    fn follow(&mut self, id: u32) -> Result<bool> {
        let path = self.path(id);
        let read = |error| unavailable("read", &path, error);
        let mut file = File::open(&path).map_err(read)?;
        let length = file.metadata().map_err(read)?.len();
        let end = self.segment(id).end;
        if length < end {
            return Ok(false);
        }
        if length > end {
            file.seek(SeekFrom::Start(end)).map_err(read)?;
            let mut reader = BufReader::with_capacity(256 * 1024, file);
            let mut line = Vec::new();
            while next_line(&mut reader, &mut line).map_err(read)? {
                let whole = line.ends_with(b"\n");
                self.take_line(id, &path, &mut line)?;
                if !whole {
                    // It was mended; what is in the file behind it now is that.
                    break;
                }
            }
        }
        let segment = self.segment_mut(id);
        if segment.life == Life::Rotated {
            segment.life = Life::Read;
        }
        Ok(true)
    }

    /// Takes the line that begins at the end of what was read. The last line of a job speaks.
    fn take_line(&mut self, id: u32, path: &Path, line: &mut Vec<u8>) -> Result<()> {
        let whole = line.pop_if(|byte| *byte == b'\n').is_some();
        let segment = self.segment(id);
        let (offset, log, shape) = (segment.end, Arc::clone(&segment.log), self.layout.shape());
        let length = u32::try_from(line.len()).unwrap_or(u32::MAX);
        match shape.head(line, &log) {
            Ok(Head { id: job, status, token }) => {
                self.index.insert(job, Place { segment: id, length, offset, token, status })?;
                if !whole {
                    self.append_end(id, path)?;
                }
                self.segment_mut(id).end = offset + u64::from(length) + 1;
                self.waiters.ring(job);
                Ok(())
            }
            // A crash in the middle of an append: whoever appended was never answered.
            Err(Flaw::Damaged(_)) if !whole && self.may_cut(id, line) => self.cut_tail(id, path),
            Err(flaw) => Err(flawed(path, offset, flaw)),
        }
    }

    fn may_cut(&self, id: u32, tail: &[u8]) -> bool {
        self.segment(id).life == Life::Live
            && (tail.len() as u64) < LINE_BYTES_MAX
            && self.layout.shape().may_be_torn(tail)
    }

    /// Cuts off what follows the last whole line, so that the next append begins on a line of its own.
    fn cut_tail(&mut self, id: u32, path: &Path) -> Result<()> {
        let cut = |error| unavailable("cut", path, error);
        let end = self.segment(id).end;
        let file = self.layout.access().open(path).map_err(cut)?;
        let length = file.metadata().map_err(cut)?.len();
        self.hands.cut(&file, end).map_err(cut)?;
        tracing::warn!(
            file = %path.display(),
            bytes = length.saturating_sub(end),
            "cut off what an append left unfinished; its put was never answered with success"
        );
        Ok(())
    }

    /// Ends a last line that lacks its end alone.
    fn append_end(&mut self, id: u32, path: &Path) -> Result<()> {
        if self.segment(id).life != Life::Live {
            return Err(flawed(path, self.segment(id).end, Flaw::Damaged("it has no end".into())));
        }
        let append = |error| unavailable("append", path, error);
        let mut file = self.layout.access().open(path).map_err(append)?;
        self.hands.append(&mut file, b"\n").map_err(append)
    }
}

/// Reads up to the end of the line, and with it. False at the end of the file.
pub(super) fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    Ok(reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line)? > 0)
}

/// The error for a line that cannot be read. It names the line as an editor counts, so that a person can go there.
pub(super) fn flawed(path: &Path, offset: u64, flaw: Flaw) -> Error {
    let error = match flaw {
        Flaw::Damaged(why) => Error::new(
            ErrorKind::Internal,
            "a line of the results is damaged, and an outcome may be in it; mend it, or move the file elsewhere",
        )
        .fact("why", why),
        Flaw::Newer(version) => Error::new(
            ErrorKind::Unsupported,
            "a newer handover wrote these results; read them with that one",
        )
        .fact("version", version),
    };
    let line = line_number(path, offset).map_or_else(|_| "?".to_owned(), |line| line.to_string());
    error.fact("file", path.display()).fact("line", line).fact("offset", offset)
}

/// The number of the line that begins at `offset`, from 1. Reads the file up to there.
fn line_number(path: &Path, offset: u64) -> std::io::Result<usize> {
    let mut reader = BufReader::new(File::open(path)?).take(offset);
    let mut line = 1;
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Ok(line);
        }
        line += chunk.iter().filter(|byte| **byte == b'\n').count();
        let read = chunk.len();
        reader.consume(read);
    }
}
