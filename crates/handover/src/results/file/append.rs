//! Appending: which records of a group are new, the lines they become, and what happens when the disk says no.
//!
//! A group is several batches that wait at the same time. It costs one write for each file it touches, and one sync.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};

use super::index::{Place, replaces};
use super::layout::{Layout, unavailable};
use super::store::{Life, Store};
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::results::{Put, Record, Status};

/// The highest number of a rotated file: 24 bits of the places that `list` gives out.
const NUMBER_MAX: u32 = (1 << 24) - 1;

/// A record, ready to be appended.
#[derive(Debug)]
pub(super) struct Entry {
    id: JobId,
    status: Status,
    token: u64,
    log: String,
    /// `None` for a record that these files do not keep.
    line: Option<Vec<u8>>,
}

impl Entry {
    pub(super) fn new(layout: &Layout, record: &Record) -> Result<Self> {
        Ok(Self {
            id: record.id,
            status: record.status,
            token: record.token,
            log: layout.log(&record.queue).to_owned(),
            line: layout.shape().encode(record)?,
        })
    }

    /// How much it adds to a group, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.line.as_ref().map_or(0, Vec::len)
    }
}

/// What a group will write, decided and not yet written.
#[derive(Debug, Default)]
struct Plan {
    logs: BTreeMap<String, Text>,
    /// The last record of each job in the group.
    latest: HashMap<JobId, (Status, u64)>,
    /// How many of them the index does not know.
    fresh: usize,
    /// Up to where a file must be synced because a record that was kept is in it.
    kept: BTreeMap<u32, u64>,
}

/// The lines for one file.
#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    /// The job, its status and token, and where its line begins in `bytes`.
    lines: Vec<(JobId, Status, u64, usize)>,
}

/// A file that a group has written to.
#[derive(Debug)]
struct Written {
    segment: u32,
    file: File,
    /// Its length before.
    from: u64,
    text: Text,
}

impl Store {
    /// Appends a group. The outer error is everybody's, and then nothing of the group is in the files.
    pub(super) fn append(&mut self, group: &[Vec<Entry>]) -> Result<Vec<Result<Vec<Put>>>> {
        let _entered = self.enter()?;
        let mut plan = Plan::default();
        let answers = group.iter().map(|batch| self.plan(batch, &mut plan)).collect();
        self.write(plan)?;
        Ok(answers)
    }

    /// Decides for each record of a batch whether it is stored, behind those that the group stores already.
    fn plan(&self, batch: &[Entry], plan: &mut Plan) -> Result<Vec<Put>> {
        let known = |plan: &Plan, id| plan.latest.contains_key(&id) || self.index.get(id).is_some();
        let fresh = batch.iter().filter(|entry| entry.line.is_some() && !known(plan, entry.id));
        // An id that is twice in the batch counts twice: the limit may refuse it one record early.
        self.index.check_room(plan.fresh + fresh.count())?;

        Ok(batch.iter().map(|entry| self.plan_one(entry, plan)).collect())
    }

    fn plan_one(&self, entry: &Entry, plan: &mut Plan) -> Put {
        let place = self.index.get(entry.id);
        let old = plan.latest.get(&entry.id).copied();
        let old = old.or(place.map(|place| (place.status, place.token)));
        let new = (entry.status, entry.token);
        if old.is_some_and(|old| !replaces(new, old)) {
            if let Some(place) = place {
                let end = plan.kept.entry(place.segment).or_default();
                *end = (*end).max(place.end());
            }
            return Put::Kept;
        }
        if let Some(line) = &entry.line {
            let text = plan.logs.entry(entry.log.clone()).or_default();
            text.lines.push((entry.id, entry.status, entry.token, text.bytes.len()));
            text.bytes.extend_from_slice(line);
            plan.latest.insert(entry.id, new);
            plan.fresh += usize::from(old.is_none());
        }
        Put::Stored
    }

    fn write(&mut self, plan: Plan) -> Result<()> {
        let mut written = Vec::new();
        let outcome = self.write_files(plan, &mut written);
        if outcome.is_err() {
            for file in &written {
                self.cut_back(file);
            }
            return outcome;
        }
        for Written { segment, from, text, .. } in written {
            self.segment_mut(segment).end = from + text.bytes.len() as u64;
            let ends = text.lines.iter().skip(1).map(|line| line.3).chain([text.bytes.len()]);
            for (&(id, status, token, start), end) in text.lines.iter().zip(ends) {
                let length = u32::try_from(end - start - 1).unwrap_or(u32::MAX);
                let offset = from + start as u64;
                self.index.insert(id, Place { segment, length, offset, token, status })?;
                self.waiters.ring(id);
            }
        }
        Ok(())
    }

    fn write_files(&mut self, plan: Plan, written: &mut Vec<Written>) -> Result<()> {
        for (log, text) in plan.logs {
            let (segment, mut file) = self.make_room(&log, text.bytes.len() as u64)?;
            let path = self.path(segment);
            let from = self.segment(segment).end;
            let appended = self.hands.append(&mut file, &text.bytes);
            written.push(Written { segment, file, from, text });
            appended.map_err(|error| unavailable("append", &path, error))?;
        }
        if !self.synced {
            return Ok(());
        }
        for Written { segment, file, from, text } in &*written {
            self.sync(*segment, file, from + text.bytes.len() as u64)?;
        }
        // "Kept" says that a record is stored, so it must be true of the disk too: another process may have written it
        // and died before its sync.
        for (segment, end) in plan.kept {
            let (path, state) = (self.path(segment), self.segment(segment));
            if state.synced_to < end {
                let to = state.end;
                let open = self.layout.access().open(&path);
                self.sync(segment, &open.map_err(|error| unavailable("open", &path, error))?, to)?;
            }
        }
        Ok(())
    }

    /// Brings a file to the disk, and at the first time its name: whoever created it may have died before that.
    fn sync(&mut self, segment: u32, file: &File, to: u64) -> Result<()> {
        let failed = |error| unavailable("sync", &self.path(segment), error);
        self.hands.sync(file).map_err(failed)?;
        if self.segment(segment).synced_to == 0 {
            self.layout.sync_names().map_err(failed)?;
        }
        self.segment_mut(segment).synced_to = to;
        Ok(())
    }

    /// Takes back what a failed group wrote. A sync that failed is not tried again as if the bytes were still on their way:
    /// they are cut off, and a later put writes them anew.
    ///
    /// Where even that fails, the next look decides by the lines, as it does after a crash: a torn one is cut off and whole
    /// ones are stored. It cannot be by their length: by then another process may have cut and appended as much.
    fn cut_back(&mut self, written: &Written) {
        let Written { segment, file, from, .. } = written;
        let state = self.segment_mut(*segment);
        state.synced_to = state.synced_to.min(*from);
        if let Err(error) = self.hands.cut(file, *from) {
            let path = self.path(*segment);
            tracing::error!(%error, file = %path.display(), "cannot cut off what a failed append left");
        }
    }

    /// The file of a log that has room for so many bytes: the live one, or a new one after that was rotated.
    fn make_room(&mut self, log: &str, bytes: u64) -> Result<(u32, File)> {
        if let Some(id) = self.live(log) {
            let end = self.segment(id).end;
            let fits = end == 0 || end.saturating_add(bytes) <= self.limits.rotate_bytes;
            let path = self.path(id);
            if fits || matches!(self.layout, Layout::Flat(_)) {
                let open = self.layout.access().open(&path);
                return Ok((id, open.map_err(|error| unavailable("open", &path, error))?));
            }
            let number = self.segment(id).number;
            if number >= NUMBER_MAX {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "a queue has too many files of results; move all of them elsewhere, or raise rotate_bytes",
                )
                .fact("queue", log)
                .fact("files", number));
            }
            // A file that is rotated is never cut again: all of it must be on the disk before it has its last name.
            let full = self
                .layout
                .access()
                .open(&path)
                .map_err(|error| unavailable("open", &path, error))?;
            self.hands.sync(&full).map_err(|error| unavailable("sync", &path, error))?;
            let to = self.layout.path(log, Some(number));
            fs::rename(&path, &to).map_err(|error| unavailable("rename", &to, error))?;
            self.segment_mut(id).life = Life::Read;
        }
        let path = self.layout.path(log, None);
        let create = |error| unavailable("create", &path, error);
        let file = self.layout.access().open(&path).map_err(create)?;
        let id = self.add_segment(log, self.next_number(log), Life::Live)?;
        Ok((id, file))
    }
}
