//! Reading histories back: every line, or an error that names the file and the line.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::event::{Event, VERSION, What};
use crate::error::{Error, ErrorKind, Result};

/// How every line begins that a recorder writes.
const BEGIN: &[u8] = b"{\"v\":";

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Place {
    /// The file, by its number among those read, from 0.
    pub file: u32,
    /// The line, from 1.
    pub line: u32,
}

/// The events of several recorders, as they were written.
#[derive(Debug, Clone, Default)]
pub struct History {
    files: Vec<String>,
    events: Vec<(Place, Event)>,
    torn: u64,
    /// The last number of each recorder.
    numbers: HashMap<String, (u32, u64)>,
}

impl History {
    /// The most events that are read: they are all kept in memory, at about 500 bytes each.
    pub const EVENTS_MAX: usize = 20_000_000;
    /// The longest line, in bytes: a send of a thousand jobs has a hundredth of it.
    pub const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

    /// Reads files, one for each recorder.
    ///
    /// A last line without an end that begins as an event does is what a kill leaves: it is counted and left out. Anything else that is not as the format
    /// has it is an error: a checker that shrugs would find less than it says.
    ///
    /// # Errors
    /// `Invalid` where a file cannot be opened or read, a line is no event of this version, a line is missing, or there are
    /// more than [`EVENTS_MAX`](Self::EVENTS_MAX).
    pub fn read<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self> {
        let mut history = Self::default();
        for path in paths {
            let path = path.as_ref();
            let file = File::open(path).map_err(|error| {
                Error::new(ErrorKind::Invalid, "the history's file cannot be opened")
                    .fact("path", path.display())
                    .source(error)
            })?;
            history.add(&path.display().to_string(), BufReader::new(file))?;
        }
        Ok(history)
    }

    /// Adds what one recorder wrote, as the file called `name`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn add(&mut self, name: &str, mut lines: impl BufRead) -> Result<()> {
        let file = u32::try_from(self.files.len())
            .map_err(|_| Error::new(ErrorKind::Invalid, "too many files for one history"))?;
        self.files.push(name.to_owned());
        let mut line = Vec::new();
        for number in 1.. {
            let place = Place { file, line: number };
            line.clear();
            let read = (&mut lines).take(Self::LINE_BYTES_MAX).read_until(b'\n', &mut line);
            let read =
                read.map_err(|error| self.wrong(place, "it cannot be read").source(error))?;
            if read == 0 {
                break;
            }
            if line.last() != Some(&b'\n') {
                if line.len() as u64 == Self::LINE_BYTES_MAX {
                    return Err(self.wrong(place, "it is longer than any event"));
                }
                if !is_begun(&line) {
                    return Err(self.wrong(place, "it is no event of a history"));
                }
                self.torn += 1;
                break;
            }
            let event: Event = serde_json::from_slice(&line)
                .map_err(|error| self.wrong(place, "it is no event of a history").source(error))?;
            self.follows(place, &event)?;
            if self.events.len() == Self::EVENTS_MAX {
                return Err(self.wrong(place, "the history is too long; check a shorter run"));
            }
            self.events.push((place, event));
        }
        Ok(())
    }

    /// Checks that an event is the next one of its recorder.
    fn follows(&mut self, place: Place, event: &Event) -> Result<()> {
        if event.v > VERSION {
            return Err(self
                .wrong(place, "a newer handover wrote it; read it with that one")
                .fact("version", event.v));
        }
        if event.v == 0 {
            return Err(self.wrong(place, "there is no version 0 of the format"));
        }
        let (file, last) = self.numbers.get(&event.process).copied().unwrap_or((place.file, 0));
        if file != place.file {
            return Err(self.wrong(place, "its recorder is in another file too; name each once"));
        }
        if event.n != last + 1 {
            return Err(self
                .wrong(place, "a line before it is missing")
                .fact("n", event.n)
                .fact("expected", last + 1));
        }
        if (event.n == 1) != matches!(event.what, What::Open(_)) {
            return Err(self.wrong(place, "a recorder's first line is `open`, and no other"));
        }
        match self.numbers.get_mut(&event.process) {
            Some(known) => known.1 = event.n,
            None => _ = self.numbers.insert(event.process.clone(), (place.file, event.n)),
        }
        Ok(())
    }

    fn wrong(&self, place: Place, message: &str) -> Error {
        Error::new(ErrorKind::Invalid, format!("a line of the history is wrong: {message}"))
            .fact("at", self.show(place))
    }

    /// How many recorders wrote it.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.numbers.len()
    }

    /// The events, file by file, in the order they were written.
    pub fn events(&self) -> impl Iterator<Item = (Place, &Event)> {
        self.events.iter().map(|(place, event)| (*place, event))
    }

    /// How many last lines were torn.
    #[must_use]
    pub fn torn(&self) -> u64 {
        self.torn
    }

    /// A place as `file:line`.
    #[must_use]
    pub fn show(&self, place: Place) -> String {
        let file = self.files.get(place.file as usize).map_or("?", String::as_str);
        format!("{file}:{}", place.line)
    }
}

/// Whether a line without an end may be the beginning of an event: one that a recorder was writing when it was killed.
fn is_begun(line: &[u8]) -> bool {
    let seen = std::cmp::min(line.len(), BEGIN.len());
    line.get(..seen) == BEGIN.get(..seen)
}

impl fmt::Display for Place {
    /// The number of the file and the line; [`History::show`] knows the file's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
