//! Which files hold the histories, and what is wrong with those that do not.

use std::io;
use std::path::{Path, PathBuf};

use handover::Error;
use handover::history::History;

use crate::exit::Exit;
use crate::failure::Failure;

/// The most files that are read together.
const FILES_MAX: usize = 100_000;

/// Reads the histories in these files and folders, or in the folder of `--history` where none is named; and how many files
/// they are.
///
/// # Errors
/// Where there is none, one cannot be read, or one is no history.
pub(super) fn histories(
    named: &[PathBuf],
    folder: Option<&Path>,
) -> Result<(History, usize), Failure> {
    let folder: Vec<PathBuf> = folder.map(Path::to_owned).into_iter().collect();
    let named = if named.is_empty() { &folder } else { named };
    if named.is_empty() {
        return Err(Failure::usage("no history is named")
            .hint("name files or a folder of them; --history DIR writes them"));
    }
    let mut files = Vec::new();
    for path in named {
        files.extend(if path.is_dir() { in_folder(path)? } else { vec![path.clone()] });
    }
    if files.is_empty() {
        let shown = named.first().cloned().unwrap_or_default();
        return Err(Failure::nothing_found(format!("there is no history (*.jsonl) in {shown:?}"))
            .hint("--history DIR, or HANDOVER_HISTORY, lets commands write them"));
    }
    if files.len() > FILES_MAX {
        let many = files.len();
        return Err(Failure::usage(format!("{many} files are too many; name {FILES_MAX} at most")));
    }
    for file in &files {
        // Told here, with what the system says: the reader would call it a wrong history.
        std::fs::File::open(file).map_err(|error| unreadable("file", file, &error))?;
    }
    let history = History::read(&files).map_err(bad)?;
    if history.events().next().is_none() {
        return Err(Failure::nothing_found("the history is empty: nothing was recorded"));
    }
    Ok((history, files.len()))
}

/// The files of a folder that may be histories, by name, and so by when they began.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = |error| unreadable("folder", folder, &error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_some_and(|end| end == "jsonl") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A file or folder that is not there, or that cannot be read. Not 1, which says that a promise was broken.
fn unreadable(what: &str, path: &Path, error: &io::Error) -> Failure {
    let message = format!("the {what} {path:?} cannot be read: {error}");
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::nothing_found(message)
            .hint("--history DIR, or HANDOVER_HISTORY, lets commands write histories");
    }
    Failure::new(Exit::BadData, message)
}

/// A history that is none, or cannot be true.
pub(super) fn bad(error: Error) -> Failure {
    Failure { exit: Exit::BadData, ..Failure::from(error) }
}
