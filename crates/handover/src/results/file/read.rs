//! Reading records back: one by its job, or a page of them in the order of the files.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use super::index::Place;
use super::layout::unavailable;
use super::line::Flaw;
use super::store::{Store, flawed, next_line};
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::results::Record;

/// The most bytes of lines in a page, but for one line that is longer by itself.
const PAGE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A place as `list` gives it out: the number of the file, and 40 bits for where in it the line begins.
const OFFSET_BITS: u32 = 40;

#[derive(Debug)]
struct Page {
    records: Vec<Record>,
    bytes: u64,
    limit: usize,
}

impl Page {
    fn has_room_for(&self, bytes: u64) -> bool {
        self.records.len() < self.limit
            && (self.records.is_empty() || self.bytes + bytes <= PAGE_BYTES_MAX)
    }
}

impl Store {
    /// The record of a job, after a look at what others appended.
    pub(super) fn get(&mut self, id: JobId) -> Result<Option<Record>> {
        // To the end: while it is held, no other process renames the file that is read.
        let _entered = self.enter()?;
        self.index.get(id).copied().map(|place| self.read(id, place)).transpose()
    }

    fn read(&self, id: JobId, place: Place) -> Result<Record> {
        let path = self.path(place.segment);
        let read = |error| unavailable("read", &path, error);
        let mut file = File::open(&path).map_err(read)?;
        file.seek(SeekFrom::Start(place.offset)).map_err(read)?;
        let mut line = vec![0; place.length as usize];
        file.read_exact(&mut line).map_err(read)?;
        let record = self.layout.shape().decode(&line, &self.segment(place.segment).log);
        match record {
            Ok(record) if record.id == id => Ok(record),
            Ok(_) => Err(flawed(&path, place.offset, Flaw::Damaged("the line was changed".into()))),
            Err(flaw) => Err(flawed(&path, place.offset, flaw)),
        }
    }

    /// A page of a queue from a place on, and the place of the next one.
    pub(super) fn list(
        &mut self,
        queue: &str,
        after: u64,
        limit: usize,
    ) -> Result<(Vec<Record>, Option<u64>)> {
        let _entered = self.enter()?;
        let mut page = Page { records: Vec::new(), bytes: 0, limit };
        let (first, offset) = (after >> OFFSET_BITS, after & ((1 << OFFSET_BITS) - 1));
        let log = self.layout.log(queue);
        for &segment in self.logs.get(log).map_or(&[][..], Vec::as_slice) {
            let number = u64::from(self.segment(segment).number);
            if number < first {
                continue;
            }
            let from = if number == first { offset } else { 0 };
            if let Some(next) = self.read_page(segment, from, &mut page)? {
                if next >> OFFSET_BITS > 0 {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        "this file is too long to be listed; begin a new one",
                    )
                    .fact("offset", next));
                }
                return Ok((page.records, Some((number << OFFSET_BITS) | next)));
            }
        }
        Ok((page.records, None))
    }

    /// Adds the lines of a file that speak. Where the page is full: where the next such line begins.
    fn read_page(&self, segment: u32, from: u64, page: &mut Page) -> Result<Option<u64>> {
        let path = self.path(segment);
        let read = |error| unavailable("read", &path, error);
        let (end, shape) = (self.segment(segment).end, self.layout.shape());
        let log = &self.segment(segment).log;
        let mut file = File::open(&path).map_err(read)?;
        // From one byte earlier, so that a place inside a line, which we never gave out, leads to the next line.
        let mut offset = from.saturating_sub(1).min(end);
        file.seek(SeekFrom::Start(offset)).map_err(read)?;
        let mut reader = BufReader::with_capacity(64 * 1024, file.take(end - offset));
        let mut line = Vec::new();
        if from > 0 && next_line(&mut reader, &mut line).map_err(read)? {
            offset += line.len() as u64;
        }
        while next_line(&mut reader, &mut line).map_err(read)? {
            let bytes = line.len() as u64;
            line.pop_if(|byte| *byte == b'\n');
            let flaw = |flaw| flawed(&path, offset, flaw);
            let record = shape.decode(&line, log).map_err(flaw)?;
            let last = self.index.get(record.id);
            if last.is_some_and(|last| (last.segment, last.offset) == (segment, offset)) {
                if !page.has_room_for(bytes) {
                    return Ok(Some(offset));
                }
                page.records.push(record);
                page.bytes += bytes;
            }
            offset += bytes;
        }
        Ok(None)
    }
}
