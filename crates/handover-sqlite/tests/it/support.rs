//! Words the tests are written in.

use std::path::PathBuf;
use std::time::Duration;

use handover::{
    Ask, Broker, BrokerExt, Delivery, Inspect, Message, QueueInfo, QueueName, QueueSettings, Room,
    Settle,
};
use handover_sqlite::{SqliteBroker, SqliteFile, SqliteOptions};
use tempfile::TempDir;

/// Long enough for anything that happens at all, in any test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A file in a folder of its own.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) queue: QueueName,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), queue: "mail".parse().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("handover.db")
    }

    pub(crate) fn open(&self) -> SqliteFile {
        SqliteOptions::default().open(self.path()).unwrap()
    }

    /// A broker on the file, with the queue declared.
    pub(crate) async fn broker(&self, capacity: u64) -> (SqliteFile, SqliteBroker) {
        let file = self.open();
        let broker = file.broker();
        broker.declare(&self.queue, &QueueSettings::with_capacity(capacity)).await.unwrap();
        (file, broker)
    }

    pub(crate) async fn info(&self, broker: &SqliteBroker) -> QueueInfo {
        Inspect::queue(broker, &self.queue).await.unwrap().unwrap()
    }

    pub(crate) async fn take(&self, broker: &SqliteBroker) -> Delivery {
        let ask = Ask::new(1).wait(PATIENCE).lease(Duration::from_secs(600));
        broker.receive_one(&self.queue, ask).await.unwrap().expect("a message within patience")
    }

    /// Takes and settles everything that is there. The bodies, in order.
    pub(crate) async fn drain(&self, broker: &SqliteBroker) -> Vec<String> {
        let mut bodies = Vec::new();
        loop {
            let ask = Ask::new(1000).lease(Duration::from_secs(600));
            let got = broker.receive(std::slice::from_ref(&self.queue), ask).await.unwrap();
            if got.is_empty() {
                return bodies;
            }
            bodies.extend(got.iter().map(|one| text(&one.message.body)));
            let done: Vec<_> = got.into_iter().map(|one| (one.receipt, Settle::Done)).collect();
            for answer in broker.settle(&done).await.unwrap() {
                answer.unwrap();
            }
        }
    }

    pub(crate) async fn send(&self, broker: &SqliteBroker, body: &str) {
        broker.send_one(&self.queue, Message::new(body), Room::now()).await.unwrap();
    }
}

pub(crate) fn text(body: &[u8]) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

/// Waits until `holds`, by looking again and again: for what nobody signals.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}
