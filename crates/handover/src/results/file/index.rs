//! Where the last line of each job is: the part of the files that is kept in memory.

use std::collections::HashMap;
use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::results::{Record, Status};

/// Where a line is, and what decides whether another may follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Which file, as an index into the store's segments.
    pub(super) segment: u32,
    /// The length of the line in bytes, without its end.
    pub(super) length: u32,
    /// Where it begins in the file, in bytes.
    pub(super) offset: u64,
    pub(super) token: u64,
    pub(super) status: Status,
}

// The figure that is published: 48 bytes an entry, and a control byte.
const _: () = assert!(size_of::<(JobId, Place)>() == 48);

impl Place {
    /// Where the next line begins.
    pub(super) fn end(&self) -> u64 {
        self.offset + u64::from(self.length) + 1
    }
}

/// The last line of each job.
pub(super) struct Index {
    places: HashMap<JobId, Place>,
    ids_max: usize,
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // How many, not which: there may be millions.
        f.debug_struct("Index").field("jobs", &self.places.len()).finish_non_exhaustive()
    }
}

impl Index {
    pub(super) fn new(ids_max: usize) -> Self {
        Self { places: HashMap::new(), ids_max }
    }

    pub(super) fn get(&self, id: JobId) -> Option<&Place> {
        self.places.get(&id)
    }

    /// Takes a line as the last one of its job.
    pub(super) fn insert(&mut self, id: JobId, place: Place) -> Result<()> {
        if !self.places.contains_key(&id) {
            self.check_room(1)?;
        }
        self.places.insert(id, place);
        Ok(())
    }

    /// `Unavailable` where there is no room for so many jobs more.
    pub(super) fn check_room(&self, more: usize) -> Result<()> {
        if self.places.len() + more <= self.ids_max {
            return Ok(());
        }
        // Unavailable, because the same put works again once a person made room; until then its job stays where it is.
        Err(Error::new(
            ErrorKind::Unavailable,
            "the results have too many jobs for the index in memory; move the oldest files elsewhere or raise index_max",
        )
        .fact("jobs", self.places.len())
        .fact("index_max", self.ids_max))
    }

    pub(super) fn clear(&mut self) {
        self.places.clear();
    }
}

/// Whether an outcome with this status and token replaces the one before it: [`Record::replaces`], without two records.
pub(super) fn replaces(new: (Status, u64), old: (Status, u64)) -> bool {
    let record = |(status, token): (Status, u64)| Record {
        id: JobId::from_bytes([0; 16]),
        queue: String::new(),
        task: String::new(),
        status,
        attempt: 0,
        token,
        output: None,
        reason: None,
        at_ms: 0,
        took_ms: 0,
    };
    record(new).replaces(&record(old))
}
