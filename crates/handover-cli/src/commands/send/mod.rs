//! `handover send`: jobs from the command line, from a file, or one for each line of stdin.
//!
//! `lines.rs` reads and checks lines on a thread of its own; `sender.rs` sends batches and waits for room; this file is
//! what can be said, and the way from an argument to a job.

mod lines;
mod sender;

use std::fs::File;
use std::io;
use std::time::Duration;

use clap::Args;
use handover::{Client, Envelope, JobId, Message, Priority, QueueName, Receipt};
use serde_json::Value;

use self::lines::{Item, Line};
use self::sender::Sender;
use super::find_queue;
use crate::app::App;
use crate::connect::{Missing, Place};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{duration, number};

/// Send jobs to a queue, waiting while it is full; prints their ids, one a line
///
/// With --json it prints {"id", "fate", "durability"} for each: fate is stored, parked or duplicate. A line that is no JSON
/// ends it with exit code 65: the lines before it are sent, it and those after it are not. Empty lines are skipped.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The queue
    queue: QueueName,
    /// The name of the task
    task: String,
    /// The arguments as JSON; or - for stdin, or @FILE: one JSON a line, a line is a job
    #[arg(
        value_name = "ARGS|-|@FILE",
        default_value = "null",
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    args: String,
    /// Do not wait for room: exit code 75 when the queue is full
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// Wait at most this long, each time there is no room or no broker [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    wait: Option<Duration>,
    /// Not to be taken before this long
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "0", hide_default_value = true)]
    delay: Duration,
    /// 0 to 9, higher goes first
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number::within(0_u8..=9), default_value_t = 5)]
    priority: u8,
    /// Jobs with one key are done one at a time and in order
    #[arg(long, conflicts_with = "key_from")]
    key: Option<String>,
    /// Take the key from this field of the arguments: a name, or a JSON pointer such as /customer/id
    #[arg(long, value_name = "FIELD")]
    key_from: Option<String>,
    /// The id, so that sending it again is the same job; for a single job
    #[arg(long, conflicts_with = "child")]
    id: Option<JobId>,
    /// Send for the job whose command this runs in, as its HANDOVER_* variables name it: into its own queue it never waits
    /// (what does not fit is parked), with a lost lease it sends nothing, and the same queue, task, key and arguments sent
    /// again by a later attempt are the same job
    #[arg(long)]
    child: bool,
}

impl Send {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let many = self.args == "-" || self.args.starts_with('@');
        if many && self.id.is_some() {
            return Err(Failure::usage("--id is for a single job, not for lines"));
        }
        // A wrong name is told before anything is read.
        Envelope::new(&self.task, Vec::new())?;
        // So is a wrong key, which is no fault of the data.
        if let Some(key) = &self.key {
            Message::new(Vec::new()).with_key(key).check()?;
        }
        let parent = self.parent()?;
        app.at(Missing::Refuse, async |place| {
            if many {
                self.lines(app, place, parent.as_ref()).await
            } else {
                self.one(app, place, parent.as_ref()).await
            }
        })
        .await?;
        Ok(Exit::Done)
    }

    async fn one(&self, app: &App, place: &Place, parent: Option<&Receipt>) -> Result<(), Failure> {
        let body = lines::check(self.args.as_bytes()).map_err(|why| {
            Failure::new(Exit::BadData, format!("the arguments are no JSON: {why}"))
                .hint("a text needs quotes of its own: '\"Ada\"'")
        })?;
        let mut message =
            self.message(body, parent).map_err(|why| Failure::new(Exit::BadData, why))?;
        if let Some(id) = self.id {
            message = message.with_id(id);
        }
        let mut sender = self.sender(app, place, parent).await?;
        sender.send(vec![message]).await
    }

    async fn lines(
        &self,
        app: &App,
        place: &Place,
        parent: Option<&Receipt>,
    ) -> Result<(), Failure> {
        let caps = place.backend.broker.caps();
        let mut sender = self.sender(app, place, parent).await?;
        let limits = lines::Limits {
            line_bytes_max: caps.body_bytes_max,
            lines_max: sender.batch_max(),
            bytes_max: caps.batch_bytes_max,
        };
        let items = match self.args.strip_prefix('@') {
            None => lines::read(io::stdin(), limits),
            Some(path) => {
                let file = File::open(path).map_err(|error| {
                    Failure::io(format!("the file {path:?} cannot be read"), &error)
                        .hint("@FILE names a file with one JSON value a line")
                })?;
                lines::read(file, limits)
            }
        };
        while let Ok(item) = items.recv_async().await {
            match item {
                Item::Lines(lines) => {
                    let (batch, wrong) = self.batch(lines, parent);
                    sender.send(batch).await?;
                    if let Some(wrong) = wrong {
                        return Err(wrong.after(&sender.so_far()));
                    }
                }
                Item::Wrong(number, why) => {
                    return Err(wrong_line(number, &why).after(&sender.so_far()));
                }
                Item::Unreadable(error) => {
                    return Err(
                        Failure::io("the input cannot be read", &error).after(&sender.so_far())
                    );
                }
            }
        }
        Ok(())
    }

    /// The jobs of these lines, up to the first that makes none.
    fn batch(&self, lines: Vec<Line>, parent: Option<&Receipt>) -> (Vec<Message>, Option<Failure>) {
        let mut batch = Vec::with_capacity(lines.len());
        for Line { number, text } in lines {
            match self.message(text, parent) {
                Ok(message) => batch.push(message),
                Err(why) => return (batch, Some(wrong_line(number, &why))),
            }
        }
        (batch, None)
    }

    async fn sender(
        &self,
        app: &App,
        place: &Place,
        parent: Option<&Receipt>,
    ) -> Result<Sender, Failure> {
        let queue = match place.backend.broker.inspect() {
            Some(_) => Some(find_queue(place, &self.queue).await?),
            None => None,
        };
        let wait = if self.no_wait { Some(Duration::ZERO) } else { self.wait };
        let mut client = Client::new(&place.backend).room_wait(wait.unwrap_or(Duration::MAX));
        if let Some(parent) = parent {
            client = client.child_of(parent.clone());
        }
        let capacity = queue.map(|queue| queue.settings.capacity);
        Ok(Sender::new(app.out, client, self.queue.clone(), capacity))
    }

    /// The lease of the job whose command this is, where it sends for it.
    fn parent(&self) -> Result<Option<Receipt>, Failure> {
        if !self.child {
            return Ok(None);
        }
        let said = |name: &str| {
            std::env::var(name).map_err(|_| {
                Failure::usage(format!(
                    "--child is for commands that `handover work` runs: {name} is not set"
                ))
            })
        };
        let (queue, id) = (said("HANDOVER_QUEUE")?.parse()?, said("HANDOVER_JOB_ID")?.parse()?);
        let token = said("HANDOVER_TOKEN")?.parse();
        let token = token.map_err(|_| Failure::usage("HANDOVER_TOKEN is no token"))?;
        Ok(Some(Receipt::new(queue, id, token)))
    }

    /// The job with these arguments, or why there can be none.
    fn message(&self, body: Vec<u8>, parent: Option<&Receipt>) -> Result<Message, String> {
        let key = match &self.key_from {
            Some(field) => Some(key_of(&body, field)?),
            None => self.key.clone(),
        };
        // A child's id is made of all that tells it from its parent's other children, so that it is the same at every attempt.
        let id = parent.map(|parent| {
            let (queue, key) = (self.queue.as_str(), key.as_deref().unwrap_or_default());
            let body = String::from_utf8_lossy(&body);
            [queue, &self.task, key, &body].into_iter().fold(parent.id, |id, part| id.derive(part))
        });
        let envelope = Envelope::new(&self.task, body).map_err(|error| error.to_string())?;
        let priority = Priority::new(self.priority).map_err(|error| error.to_string())?;
        let mut message = envelope.into_message().with_priority(priority).with_delay(self.delay);
        message.key = key;
        if let Some(id) = id {
            message = message.with_id(id);
        }
        message.check().map_err(|error| error.to_string())?;
        Ok(message)
    }
}

fn wrong_line(number: u64, why: &str) -> Failure {
    Failure::new(Exit::BadData, format!("line {number}: {why}"))
        .hint("one JSON value a line; for lines of plain text: jq -cR . | handover send …")
}

/// The text or number in this field of some JSON.
fn key_of(body: &[u8], field: &str) -> Result<String, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let found = if field.starts_with('/') { value.pointer(field) } else { value.get(field) };
    match found {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(format!("the field {field:?} is neither text nor a number, so no key")),
        None => Err(format!("there is no field {field:?} to take the key from")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_from_a_name_or_a_pointer() {
        let body = br#"{"to": "ada", "customer": {"id": 7, "vip": true}, "/": "x"}"#;
        assert_eq!(key_of(body, "to").unwrap(), "ada");
        assert_eq!(key_of(body, "/customer/id").unwrap(), "7");
        assert!(key_of(body, "from").unwrap_err().contains("no field \"from\""));
        assert!(key_of(body, "/customer/vip").unwrap_err().contains("neither text nor a number"));
        assert!(key_of(b"[1]", "to").is_err());
    }
}
