//! Recording: what this process asks of its broker, noted in a file of its own in the folder that `--history` names. What a
//! history is and how it is judged is in `handover::history`; how it is drawn, in `commands/trace/`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use handover::history::{Recorder, Times};
use handover::{Backend, Error, ErrorKind, Result, clock};

/// How many names are tried: two processes of one number begin in the same microsecond only if somebody sets the clock.
const NAMES: u64 = 100;

/// A new file for the history of this process, not yet written to.
///
/// Where nothing was asked of the broker before it is dropped, because the command only looked or failed, it is removed
/// again.
#[derive(Debug)]
pub(crate) struct Pen {
    file: File,
    path: PathBuf,
    /// The folder, where it was made for this file.
    made: Option<PathBuf>,
    /// Something was asked of the broker.
    used: bool,
}

impl Pen {
    /// Makes the file, and the folder where there is none.
    ///
    /// # Errors
    /// `Invalid` where one of them cannot be made.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let made = (!folder.exists()).then(|| folder.to_owned());
        let begin = clock::wall_us();
        let mut failed = None;
        for name in begin..begin + NAMES {
            let path = folder.join(format!("{name}-{}.jsonl", std::process::id()));
            let file = std::fs::create_dir_all(folder)
                .and_then(|()| OpenOptions::new().append(true).create_new(true).open(&path));
            match file {
                Ok(file) => return Ok(Self { file, path, made, used: false }),
                // The folder may have been made by another process, which took it away again.
                Err(error)
                    if [io::ErrorKind::AlreadyExists, io::ErrorKind::NotFound]
                        .contains(&error.kind())
                        && !folder.is_file() =>
                {
                    failed = Some(error);
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let message =
            "no history can be written there; name a folder with --history, new or your own";
        let mut error = Error::new(ErrorKind::Invalid, message).fact("folder", folder.display());
        if let Some(failed) = failed {
            error = error.source(failed);
        }
        Err(error)
    }

    /// The same backend, with everything that is asked of its broker noted.
    ///
    /// # Errors
    /// `Unavailable` where the file cannot be written.
    pub(crate) fn record(self, backend: Backend, times: Times) -> Result<Backend> {
        let broker = Recorder::to(backend.broker, self, times)?;
        Ok(Backend::new(Arc::new(broker), backend.results))
    }
}

impl Write for Pen {
    /// Takes a whole line: the recorder writes no less.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is = |event: &[u8]| line.windows(event.len()).any(|part| part == event);
        self.used |= !is(br#""event":"open""#) && !is(br#""event":"clos"#);
        self.file.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        if self.used {
            return;
        }
        // What cannot be taken away stays: a history in which nothing happens.
        _ = std::fs::remove_file(&self.path);
        if let Some(folder) = &self.made {
            _ = std::fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use handover::history::{Expect, History, check};
    use handover::{BrokerExt, Message, QueueName, QueueSettings, Room};

    use super::*;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[tokio::test]
    async fn each_recorder_has_a_file_of_its_own_and_what_only_looked_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let histories = folder.path().join("new/histories");
        let recorded = || {
            Pen::create(&histories).unwrap().record(Backend::memory(), Times::Monotonic).unwrap()
        };
        let (one, other, looks) = (recorded(), recorded(), recorded());
        let mail = QueueName::new("mail").unwrap();
        for backend in [&one, &other] {
            backend.broker.declare(&mail, &QueueSettings::with_capacity(1)).await.unwrap();
        }
        one.broker.send_one(&mail, Message::new("hello"), Room::now()).await.unwrap();
        assert_eq!(looks.broker.inspector().unwrap().queues().await.unwrap(), []);
        for backend in [one, other, looks] {
            backend.close().await.unwrap();
        }
        let written = files(&histories);
        assert_eq!(written.len(), 2, "{written:?}");
        let report = check(&History::read(written).unwrap(), &Expect::running()).unwrap();
        assert!(report.is_clean() && report.counts.accepted == 1, "{report}");
    }

    #[test]
    fn a_folder_is_made_only_for_a_history() {
        let folder = tempfile::tempdir().unwrap();
        let histories = folder.path().join("histories");
        drop(Pen::create(&histories).unwrap());
        assert!(!histories.exists());
        std::fs::create_dir(&histories).unwrap();
        drop(Pen::create(&histories).unwrap());
        assert!(histories.exists(), "it was there before");
        std::fs::write(folder.path().join("file"), "mine").unwrap();
        for taken in ["file", "file/below"] {
            let error = Pen::create(&folder.path().join(taken)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("--history"), "{error}");
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("file")).unwrap(), "mine");
    }
}
