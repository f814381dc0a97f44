//! A file in a folder of its own, the histories of all who used it, and the verdict on them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use handover::history::{Expect, History, Recorder, Report, Times, check};
use handover::{
    Ask, Broker, BrokerExt, JobFilter, JobId, JobInfo, JobState, QueueName, QueueSettings, Settle,
};
use handover_sqlite::{Severity, SqliteBroker, SqliteFile, SqliteOptions, SqliteResults};
use tempfile::TempDir;

use crate::actor::PATIENCE;

pub(crate) const QUEUE: &str = "jobs";

pub(crate) fn queue() -> QueueName {
    QUEUE.parse().unwrap()
}

/// The stage: the file, and this process's own broker on it, which is recorded like all others.
pub(crate) struct Stage {
    folder: TempDir,
    file: SqliteFile,
    pub(crate) plain: SqliteBroker,
    pub(crate) broker: Arc<dyn Broker>,
    histories: AtomicU32,
}

impl Stage {
    pub(crate) async fn new(settings: &QueueSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = SqliteOptions::default().open(folder.path().join("handover.db")).unwrap();
        let plain = file.broker();
        let history = folder.path().join("history-0.jsonl");
        let broker: Arc<dyn Broker> = Arc::new(record(Arc::new(plain.clone()), &history));
        broker.declare(&queue(), settings).await.unwrap();
        Self { folder, file, plain, broker, histories: AtomicU32::new(1) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.file.path()
    }

    pub(crate) fn results(&self) -> SqliteResults {
        self.file.results()
    }

    /// Where the next process is to write its history.
    pub(crate) fn next_history(&self) -> PathBuf {
        let number = self.histories.fetch_add(1, Ordering::Relaxed);
        self.folder.path().join(format!("history-{number}.jsonl"))
    }

    /// Takes and settles until nothing is left but what is buried, however long leases of the dead still run.
    pub(crate) async fn drain(&self) {
        let ask = Ask::new(100).wait(Duration::from_millis(100)).lease(PATIENCE);
        let drained = tokio::time::timeout(PATIENCE, async {
            loop {
                let taken = self.broker.receive(&[queue()], ask).await.unwrap();
                if taken.is_empty() {
                    let info = self.plain.inspector().unwrap().queue(&queue()).await.unwrap();
                    if info.is_some_and(|info| info.depth() + info.parked == 0) {
                        return;
                    }
                    continue;
                }
                let done: Vec<_> =
                    taken.into_iter().map(|one| (one.receipt, Settle::Done)).collect();
                for answer in self.broker.settle(&done).await.unwrap() {
                    answer.unwrap();
                }
            }
        });
        drained.await.expect("the queue runs dry");
    }

    /// Everything that is stored.
    pub(crate) async fn inventory(&self) -> Vec<JobInfo> {
        let (mut jobs, mut after) = (Vec::new(), Some(0));
        while let Some(from) = after {
            let filter = JobFilter::default().limit(JobFilter::LIMIT_MAX).after(from);
            let page = self.plain.inspector().unwrap().jobs(&queue(), filter).await.unwrap();
            jobs.extend(page.jobs);
            after = page.next;
        }
        jobs
    }

    /// The verdict on all histories together with what is left, and on the file. The folder stays where it is damning.
    pub(crate) async fn judge(self) -> Report {
        let left: Vec<(QueueName, JobId, JobState)> = self
            .inventory()
            .await
            .into_iter()
            .map(|job| (job.queue, job.message.id, job.state))
            .collect();
        let findings = self.file.doctor().unwrap();
        // A process that was killed cannot take down its bell.
        let ill = findings
            .findings
            .iter()
            .any(|one| one.severity > Severity::Info && one.check != "bell");
        let files =
            std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
        let report = check(&History::read(files).unwrap(), &Expect::left(left)).unwrap();
        if ill || !report.is_clean() {
            let folder = self.folder.keep();
            panic!("{report}\n{findings}\nsee {}", folder.display());
        }
        report
    }
}

/// A recorder of this process, by the clock that all processes read.
pub(crate) fn record(broker: Arc<dyn Broker>, history: &Path) -> Recorder {
    Recorder::create(broker, history, Times::Wall).unwrap()
}
