//! Sending batches: waits for room with a live line, halves what does not fit, and prints the ids.

use std::time::Duration;

use handover::{Client, ErrorKind, Fate, Message, QueueName, Result, Sent};
use serde_json::json;

use crate::exit::Exit;
use crate::failure::{Failure, is_closed_stdout};
use crate::output::{Live, Output};

/// The most jobs in one batch.
const BATCH_MAX: usize = 1000;

/// Sends jobs into one queue.
#[derive(Debug)]
pub(super) struct Sender {
    out: Output,
    live: Live,
    client: Client,
    queue: QueueName,
    batch_max: usize,
    sent: u64,
    /// Nobody reads the ids any more.
    muted: bool,
}

impl Sender {
    pub(super) fn new(
        out: Output,
        client: Client,
        queue: QueueName,
        capacity: Option<u64>,
    ) -> Self {
        let broker_max = client.backend().broker.caps().batch_max.clamp(1, BATCH_MAX);
        // A batch goes in whole: one as large as the queue would wait until the queue is empty, with the workers idle.
        let half = capacity.map_or(usize::MAX, |capacity| {
            usize::try_from(capacity / 2).unwrap_or(usize::MAX).clamp(1, BATCH_MAX)
        });
        let batch_max = if half < broker_max { half } else { broker_max };
        Self { out, live: out.live(0), client, queue, batch_max, sent: 0, muted: false }
    }

    /// The most jobs that are worth reading together.
    pub(super) fn batch_max(&self) -> usize {
        self.batch_max
    }

    /// What has been done, for a message about what has not.
    pub(super) fn so_far(&self) -> String {
        match self.sent {
            0 => "nothing was sent".to_owned(),
            1 => "1 job was sent before".to_owned(),
            sent => format!("{sent} jobs were sent before"),
        }
    }

    /// Sends jobs, whole batches where they fit, and prints their ids.
    pub(super) async fn send(&mut self, jobs: Vec<Message>) -> std::result::Result<(), Failure> {
        let mut rest = jobs.as_slice();
        let mut size = self.batch_max;
        let mut waited = false;
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(size.clamp(1, rest.len()));
            // Who has waited in vain does not wait once more for each half.
            match self.send_batch(batch, if waited { Some(Duration::ZERO) } else { None }).await {
                Ok(sent) => {
                    self.sent += batch.len() as u64;
                    self.tell(batch, &sent)?;
                    rest = after;
                }
                Err(error) if error.kind() == ErrorKind::Full && batch.len() > 1 => {
                    (size, waited) = (batch.len() / 2, true);
                }
                Err(error) if error.kind() == ErrorKind::Full => {
                    let message = format!("the queue {:?} is full; {}", self.queue, self.so_far());
                    return Err(Failure::new(Exit::TryAgain, message)
                        .hint("without --no-wait and --wait it waits for room"));
                }
                Err(error) => return Err(Failure::from(error).after(&self.so_far())),
            }
        }
        Ok(())
    }

    async fn send_batch(&self, batch: &[Message], room_wait: Option<Duration>) -> Result<Sent> {
        let client = match room_wait {
            Some(wait) => &self.client.clone().room_wait(wait),
            None => &self.client,
        };
        let sending = client.send_messages(&self.queue, batch);
        let draw = async |live: &Live| {
            live.set(self.sent, &format!("{} sent, waiting for room in {}", self.sent, self.queue));
        };
        self.live.during(sending, draw).await
    }

    /// Prints the ids. Who does not want to read them any more still wants the jobs sent.
    fn tell(&mut self, batch: &[Message], sent: &Sent) -> std::result::Result<(), Failure> {
        if self.muted {
            return Ok(());
        }
        match self.print(batch, sent) {
            Err(error) if is_closed_stdout(&error) => self.muted = true,
            printed => printed.map_err(|error| Failure::from(error).after(&self.so_far()))?,
        }
        Ok(())
    }

    fn print(&self, batch: &[Message], sent: &Sent) -> Result<()> {
        let mut text = String::new();
        for (message, fate) in batch.iter().zip(&sent.fates) {
            let id = message.id.to_string();
            if self.out.is_json() {
                let durability = sent.durability.to_string();
                let object = json!({"id": id, "fate": word(*fate), "durability": durability});
                text.push_str(&object.to_string());
            } else {
                text.push_str(&id);
            }
            text.push('\n');
        }
        self.out.raw(text.as_bytes())
    }
}

fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Stored => "stored",
        Fate::Parked => "parked",
        Fate::Duplicate => "duplicate",
        _ => "accepted",
    }
}
