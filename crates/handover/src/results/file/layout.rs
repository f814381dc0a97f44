//! Which files there are and how they are called: a folder with a file a queue and its rotated ones, or one flat file.
//! Also how files are opened, and the errors of the file system.
//!
//! The file of the queue `mail` is `mail.jsonl`; when it is full it becomes `mail.1.jsonl`, the next one `mail.2.jsonl`. A
//! queue may itself be called `mail.1`: in the name of its file that last dot is written `%2E`, a sign no queue has.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::line::Shape;
use crate::error::{Error, ErrorKind, Result};
use crate::message::QueueName;

/// Where the lines are.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    /// A folder with files of records.
    Folder(PathBuf),
    /// One file of objects.
    Flat(PathBuf),
}

/// The files that were found of one queue.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The numbers of the rotated ones, the oldest first.
    pub(super) rotated: Vec<u32>,
    /// Whether there is one to append to.
    pub(super) live: bool,
}

/// Who may read a file that is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The owner alone: results may hold what is nobody else's business.
    Private,
    /// As the user's mask says: the file was asked for by name, like the output of any program.
    Usual,
}

impl Layout {
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Folder(_) => Shape::Records,
            Self::Flat(_) => Shape::Objects,
        }
    }

    pub(super) fn access(&self) -> Access {
        match self {
            Self::Folder(_) => Access::Private,
            Self::Flat(_) => Access::Usual,
        }
    }

    /// The folder or the file, as the user named it.
    pub(super) fn root(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::Flat(path) => path,
        }
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(".lock"),
            Self::Flat(path) => {
                let mut name = path.clone().into_os_string();
                name.push(".lock");
                name.into()
            }
        }
    }

    /// The key of the log that holds a queue: a flat file is one log for all.
    pub(super) fn log<'a>(&self, queue: &'a str) -> &'a str {
        match self {
            Self::Folder(_) => queue,
            Self::Flat(_) => "",
        }
    }

    /// The path of the file that is appended to (`None`) or was rotated to this number.
    pub(super) fn path(&self, log: &str, rotated: Option<u32>) -> PathBuf {
        match (self, rotated) {
            (Self::Folder(folder), None) => folder.join(format!("{}.jsonl", stem(log))),
            (Self::Folder(folder), Some(number)) => {
                folder.join(format!("{}.{number}.jsonl", stem(log)))
            }
            (Self::Flat(path), _) => path.clone(),
        }
    }

    /// Makes the folder where there is none.
    pub(super) fn create(&self) -> Result<()> {
        let Self::Folder(folder) = self else { return Ok(()) };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|error| refused("create", folder, error))
    }

    /// The files there are, by log. A name that is no queue's is none of ours.
    pub(super) fn list(&self) -> Result<BTreeMap<String, Found>> {
        let mut logs = BTreeMap::<String, Found>::new();
        match self {
            Self::Folder(folder) => {
                let read = |error| unavailable("read", folder, error);
                for entry in fs::read_dir(folder).map_err(read)? {
                    let entry = entry.map_err(read)?;
                    let name = entry.file_name();
                    let Some((log, rotated)) = name.to_str().and_then(parse) else { continue };
                    // The folder says what an entry is, so this asks for nothing more; but a link leads elsewhere.
                    if !entry.file_type().map_err(read)?.is_file() {
                        check_regular(&entry.path())?;
                    }
                    let found = logs.entry(log).or_default();
                    match rotated {
                        Some(number) => found.rotated.push(number),
                        None => found.live = true,
                    }
                }
            }
            Self::Flat(path) => {
                if path.try_exists().map_err(|error| unavailable("find", path, error))? {
                    check_regular(path)?;
                    logs.insert(String::new(), Found { rotated: Vec::new(), live: true });
                }
            }
        }
        for found in logs.values_mut() {
            found.rotated.sort_unstable();
        }
        Ok(logs)
    }

    /// Brings the names of the files to the disk: a file that was synced is lost with its name. Elsewhere than on Unix a
    /// folder cannot be synced, and the file system keeps names by itself.
    pub(super) fn sync_names(&self) -> io::Result<()> {
        #[cfg(unix)]
        {
            let folder = match self {
                Self::Folder(folder) => folder.as_path(),
                Self::Flat(path) => match path.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => parent,
                    _ => Path::new("."),
                },
            };
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Access {
    /// Opens a file to read and to append, and creates it where there is none.
    pub(super) fn open(self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        if self == Self::Private {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        options.open(path)
    }
}

/// A file could not be used just now; the same call works again when the cause is gone.
pub(super) fn unavailable(what: &'static str, path: &Path, error: io::Error) -> Error {
    let message = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk of the results is full; make room"
        }
        _ => "a file of the results cannot be used",
    };
    Error::new(ErrorKind::Unavailable, message)
        .fact("step", what)
        .fact("file", path.display())
        .fact("cause", &error)
        .source(error)
}

/// The same while opening, where a name or a permission is the user's to mend.
pub(super) fn refused(what: &'static str, path: &Path, error: io::Error) -> Error {
    use io::ErrorKind as Io;
    match error.kind() {
        Io::PermissionDenied
        | Io::ReadOnlyFilesystem
        | Io::NotADirectory
        | Io::IsADirectory
        | Io::AlreadyExists
        | Io::NotFound
        | Io::InvalidFilename
        | Io::InvalidInput => Error::new(
            ErrorKind::Invalid,
            "results cannot be kept there; name a folder or file that this user may write",
        )
        .fact("step", what)
        .fact("file", path.display())
        .fact("cause", &error)
        .source(error),
        _ => unavailable(what, path, error),
    }
}

/// Refuses a folder, a pipe, and a device such as /dev/zero, which would be read for ever.
fn check_regular(path: &Path) -> Result<()> {
    let checked = fs::metadata(path).and_then(|found| {
        let other = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
        if found.is_file() { Ok(()) } else { Err(other()) }
    });
    checked.map_err(|error| refused("open", path, error))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn stem(queue: &str) -> String {
    match queue.rsplit_once('.') {
        Some((head, tail)) if is_number(tail) => format!("{head}%2E{tail}"),
        _ => queue.to_owned(),
    }
}

fn parse(file_name: &str) -> Option<(String, Option<u32>)> {
    let name = file_name.strip_suffix(".jsonl")?;
    let (stem_found, rotated) = match name.rsplit_once('.') {
        Some((head, tail)) if is_number(tail) => (head, Some(tail.parse().ok()?)),
        _ => (name, None),
    };
    let queue = stem_found.replace("%2E", ".");
    // Only the one spelling that we write: `mail.01.jsonl` is not `mail.1.jsonl`.
    let ours = match rotated {
        Some(number) => format!("{}.{number}.jsonl", stem(&queue)),
        None => format!("{}.jsonl", stem(&queue)),
    };
    (ours == file_name && QueueName::new(&queue).is_ok()).then_some((queue, rotated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_queues_share_a_file_name() {
        let queues = ["mail", "mail.1", "mail.1.2", "mail.x", "1", "1.1", "a.1.x"];
        let mut names = std::collections::BTreeSet::new();
        for queue in queues {
            for rotated in [None, Some(1), Some(2), Some(12)] {
                let path = Layout::Folder(PathBuf::new()).path(queue, rotated);
                let name = path.to_str().unwrap();
                assert_eq!(parse(name), Some((queue.to_owned(), rotated)), "{name}");
                assert!(names.insert(name.to_owned()), "{name}");
            }
        }
    }

    #[test]
    fn a_name_that_is_not_ours_is_passed_over() {
        for name in [
            ".lock",
            "mail.json",
            "mail.01.jsonl",
            "a b.jsonl",
            ".jsonl",
            "mail.99999999999.jsonl",
            "%2E1.jsonl",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn the_lock_of_a_flat_file_stands_beside_it() {
        let flat = Layout::Flat(PathBuf::from("out/pages.jsonl"));
        assert_eq!(flat.lock_path(), PathBuf::from("out/pages.jsonl.lock"));
    }
}
