//! What a student has done with each lesson, in a small file of their own. It is a convenience: where the file is damaged or
//! cannot be written, a note says so, and the lesson goes on. Which deed a command comes to is decided where the command is.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use handover_lessons::Lesson;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;

/// Names the file; empty means that none is kept.
const VARIABLE: &str = "HANDOVER_LEARN_STATE";
const VERSION: u64 = 1;
const BYTES_MAX: u64 = 1 << 16;

/// Something done with a lesson, in the order in which a list tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Deed {
    /// Its page was printed.
    Read,
    /// All schedules of a program were explored, and some break it.
    Broken,
    /// All schedules of a program were explored, and none breaks it.
    Proven,
    /// A schedule from a file was run.
    Replayed,
    /// It was run on real threads.
    Real,
    /// The right program of an exercise was asked for.
    Solution,
}

impl Deed {
    /// The word in the list and in the file.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Broken => "broken",
            Self::Proven => "proven",
            Self::Replayed => "replayed",
            Self::Real => "real",
            Self::Solution => "solution",
        }
    }
}

/// What stands in the file: nothing but deeds, by the lessons' numbers.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u64,
    lessons: BTreeMap<u32, BTreeSet<Deed>>,
}

/// What was done with each lesson.
#[derive(Debug, Default)]
pub(super) struct Progress(BTreeMap<u32, BTreeSet<Deed>>);

impl Progress {
    /// What was done so far; nothing where nothing is kept, or with a note where it cannot be read.
    pub(super) fn load(app: &App) -> Self {
        let Some(file) = place() else { return Self::default() };
        Self(read(&file).unwrap_or_else(|why| {
            app.out.note(&format!("what you have done is not shown: {why}"));
            BTreeMap::new()
        }))
    }

    /// The words for what was done with a lesson.
    pub(super) fn words(&self, lesson: &Lesson) -> Vec<&'static str> {
        self.0.get(&lesson.number).into_iter().flatten().map(|deed| deed.word()).collect()
    }
}

/// Keeps that this was done; a note where it cannot be kept.
pub(super) fn keep(app: &App, lesson: &Lesson, deed: Deed) {
    let Some(file) = place() else { return };
    if let Err(why) = add(&file, lesson.number, deed) {
        app.out.note(&format!("what you have done is not kept: {why}"));
    }
}

/// Empties the file, damaged or not.
///
/// # Errors
/// Where there is one that cannot be written, or that another command is writing.
pub(super) fn forget(app: &App) -> Result<(), Failure> {
    let Some(file) = place().filter(|file| file.exists()) else {
        app.out.note("nothing was kept");
        return Ok(());
    };
    empty(&file).map_err(|why| Failure::new(Exit::Failed, why))?;
    app.out.note(&format!("{} is empty now", file.display()));
    Ok(())
}

/// Where the file is; none where nobody says where a home is.
fn place() -> Option<PathBuf> {
    let value = |name| std::env::var_os(name);
    place_of(value(VARIABLE), value("XDG_STATE_HOME"), std::env::home_dir())
}

/// The same, from the values: the base directory specification's folder for state, where nothing else is said.
fn place_of(
    ours: Option<OsString>,
    state: Option<OsString>,
    home: Option<PathBuf>,
) -> Option<PathBuf> {
    if let Some(ours) = ours {
        return (!ours.is_empty()).then(|| PathBuf::from(ours));
    }
    let state = state.map(PathBuf::from).filter(|folder| folder.is_absolute());
    let home = home.filter(|folder| folder.is_absolute());
    let folder = state.or_else(|| home.map(|home| home.join(".local/state")))?;
    Some(folder.join("handover/learn.json"))
}

fn read(file: &Path) -> Result<BTreeMap<u32, BTreeSet<Deed>>, String> {
    let shown = file.display();
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(format!("{shown} cannot be read: {error}")),
    };
    let mut text = String::new();
    let anew = "handover learn --forget begins anew";
    opened
        .take(BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| format!("{shown} cannot be read: {error}; {anew}"))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(format!("{shown} is larger than what handover writes; {anew}"));
    }
    let damaged = |error: serde_json::Error| format!("{shown} is damaged: {error}; {anew}");
    let value: serde_json::Value = serde_json::from_str(&text).map_err(damaged)?;
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(VERSION) => {}
        Some(other) => {
            return Err(format!(
                "{shown} has version {other}, this handover reads version {VERSION}; {anew}"
            ));
        }
        None => return Err(format!("{shown} is damaged: it has no version; {anew}")),
    }
    let saved: Saved = serde_json::from_value(value).map_err(damaged)?;
    Ok(saved.lessons)
}

/// Adds a deed.
fn add(file: &Path, lesson: u32, deed: Deed) -> Result<(), String> {
    // Most commands repeat what was done before.
    if read(file)?.get(&lesson).is_some_and(|deeds| deeds.contains(&deed)) {
        return Ok(());
    }
    locked(file, || {
        let mut lessons = read(file)?;
        lessons.entry(lesson).or_default().insert(deed);
        write(file, lessons).map_err(refused(file))
    })
}

fn empty(file: &Path) -> Result<(), String> {
    locked(file, || write(file, BTreeMap::new()).map_err(refused(file)))
}

/// Works under the lock of the file: two commands at once would read, add and write, and lesson 02 shows what comes of that.
fn locked(file: &Path, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    fs::create_dir_all(folder(file)).map_err(refused(file))?;
    let lock = File::create(file.with_extension("lock")).map_err(refused(file))?;
    match lock.try_lock() {
        Ok(()) => work(),
        Err(TryLockError::WouldBlock) => {
            Err(format!("another command is writing {}", file.display()))
        }
        Err(TryLockError::Error(error)) => Err(refused(file)(error)),
    }
}

fn refused(file: &Path) -> impl Fn(io::Error) -> String {
    move |error| format!("{} cannot be written: {error}", file.display())
}

/// Replaces the file as a whole: whoever reads it sees the old one or the new one.
fn write(file: &Path, lessons: BTreeMap<u32, BTreeSet<Deed>>) -> io::Result<()> {
    let mut text = serde_json::to_vec(&Saved { version: VERSION, lessons })?;
    text.push(b'\n');
    let mut new = tempfile::NamedTempFile::new_in(folder(file))?;
    new.write_all(&text)?;
    new.persist(file)?;
    Ok(())
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_where_the_variable_says_then_in_the_state_folder_then_at_home() {
        let place = |ours: Option<&str>, state: Option<&str>, home: Option<&str>| {
            let text = |text: &str| OsString::from(text);
            place_of(ours.map(text), state.map(text), home.map(PathBuf::from))
        };
        let is = |path: &str| Some(PathBuf::from(path));
        assert_eq!(place(Some("a.json"), Some("/s"), Some("/h")), is("a.json"));
        assert_eq!(place(Some(""), Some("/s"), Some("/h")), None, "nothing is to be kept");
        assert_eq!(place(None, Some("/s"), Some("/h")), is("/s/handover/learn.json"));
        assert_eq!(place(None, Some("s"), Some("/h")), is("/h/.local/state/handover/learn.json"));
        assert_eq!(place(None, None, None), None);
    }

    #[test]
    fn deeds_are_kept_once_each_and_survive_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/learn.json");
        for deed in [Deed::Broken, Deed::Read, Deed::Broken] {
            add(&file, 2, deed).unwrap();
        }
        add(&file, 7, Deed::Replayed).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(
            text,
            "{\"version\":1,\"lessons\":{\"2\":[\"read\",\"broken\"],\"7\":[\"replayed\"]}}\n"
        );
        write(&file, BTreeMap::new()).unwrap();
        assert!(read(&file).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_another_command_is_writing_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("learn.json");
        let lock = File::create(folder.path().join("learn.lock")).unwrap();
        lock.lock().unwrap();
        assert!(add(&file, 2, Deed::Read).unwrap_err().contains("another command"));
        assert!(!file.exists());
        fs::write(&file, "mine").unwrap();
        assert!(empty(&file).unwrap_err().contains("another command"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        drop(lock);
        empty(&file).unwrap();
        assert!(read(&file).unwrap().is_empty());
    }
}
