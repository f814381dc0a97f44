//! The short life that every fault is tried on: what is asked, and the process that asks it.
//!
//! The process is this very test program, started again under `strace`. Before each step it writes `ask N` into the file
//! `said`, and after it `ok N …` or `err N kind`: each with one write, so that its place among the writes to the database is
//! known. It goes on after an error, as a caller would.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use handover::{
    Ask, Broker, Durability, Error, JobId, Message, QueueName, QueueSettings, Receipt, Record,
    ResultStore, Room, Settle, Status,
};
use handover_sqlite::{SqliteBroker, SqliteFile, SqliteOptions};

/// Names the folder to play in; without it the part is not played.
pub(crate) const FOLDER: &str = "HANDOVER_TEST_DISK";
pub(crate) const FILE: &str = "handover.db";
pub(crate) const SAID: &str = "said";
/// How often the last step is tried again, so that a fault that is over leaves nobody in doubt whether the broker works.
const TRIES: usize = 8;
/// Longer than any test: what is leased stays leased.
pub(crate) const LEASE: Duration = Duration::from_secs(6 * 60 * 60);

/// How a job is settled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    Done,
    Retry,
    Release,
    Bury,
}

/// One step. Queues are `firm` (kept `Synced`) and `loose` (`Buffered`); jobs have names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Declare(&'static str),
    Send(&'static str, &'static [&'static str]),
    Receive(&'static str, usize),
    /// Settles what that step received. It is left out where that failed.
    Settle(usize, &'static [How]),
    /// Stores an outcome of that job.
    Put(&'static str),
    /// A second handle comes and goes: it copies the log back, and the next write begins the log anew.
    Visit,
    /// Closes the file, which removes the log, and opens it again.
    Reopen,
}

pub(crate) const SCRIPT: &[Step] = &[
    Step::Declare("firm"),
    Step::Declare("loose"),
    Step::Send("firm", &["a", "large-b", "c"]),
    Step::Send("loose", &["d", "e"]),
    Step::Send("firm", &["f"]),
    Step::Receive("firm", 2),
    Step::Receive("loose", 1),
    Step::Settle(5, &[How::Done, How::Retry]),
    Step::Send("loose", &["large-g"]),
    Step::Visit,
    Step::Receive("firm", 2),
    Step::Settle(10, &[How::Bury, How::Done]),
    Step::Settle(6, &[How::Done]),
    Step::Put("a"),
    Step::Send("loose", &["e", "h"]),
    Step::Reopen,
    Step::Receive("firm", 1),
    Step::Send("firm", &["i", "huge-j", "k"]),
    Step::Send("loose", &["l"]),
    Step::Settle(16, &[How::Release]),
    Step::Send("firm", &["m"]),
];

/// Every job that is ever sent.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let sent = |step: &Step| match step {
        Step::Send(_, names) => *names,
        _ => &[],
    };
    SCRIPT.iter().flat_map(sent).copied()
}

pub(crate) fn queue_of(name: &str) -> &'static str {
    let sent_to = |step: &Step| match step {
        Step::Send(queue, names) if names.contains(&name) => Some(*queue),
        _ => None,
    };
    SCRIPT.iter().find_map(sent_to).unwrap()
}

pub(crate) fn id(name: &str) -> JobId {
    let mut bytes = [7; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    JobId::from_bytes(bytes)
}

/// Small ones are kept in the row, large ones apart, and huge ones in pages of their own.
pub(crate) fn body(name: &str) -> Vec<u8> {
    let size = match name.split_once('-') {
        Some(("large", _)) => 3000,
        Some(_) => 20_000,
        None => 40,
    };
    name.bytes().cycle().take(size).collect()
}

pub(crate) fn queue(name: &str) -> QueueName {
    name.parse().unwrap()
}

pub(crate) fn settings(name: &str) -> QueueSettings {
    let mut settings = QueueSettings::with_capacity(100);
    let firm = name == "firm";
    settings.durability = Some(if firm { Durability::Synced } else { Durability::Buffered });
    settings
}

pub(crate) fn messages(names: &[&str]) -> Vec<Message> {
    names.iter().map(|name| Message::new(body(name)).with_id(id(name))).collect()
}

/// The process at work.
struct Player<'a> {
    path: &'a Path,
    file: Option<SqliteFile>,
    declared: Vec<&'static str>,
    received: Vec<Vec<(QueueName, Receipt)>>,
}

impl Player<'_> {
    fn broker(&self) -> handover::Result<SqliteBroker> {
        let closed = || Error::new(handover::ErrorKind::Unavailable, "it could not be opened");
        Ok(self.file.as_ref().ok_or_else(closed)?.broker())
    }

    fn open(&mut self) -> handover::Result<()> {
        self.file = Some(SqliteOptions::default().open(self.path)?);
        Ok(())
    }

    /// Declares a queue, unless that was answered already.
    async fn declare(&mut self, name: &'static str) -> handover::Result<()> {
        if !self.declared.contains(&name) {
            self.broker()?.declare(&queue(name), &settings(name)).await?;
            self.declared.push(name);
        }
        Ok(())
    }

    /// Does one step. What is to be said of it beside `ok`, or `None` where there was nothing to do.
    async fn play(&mut self, number: usize, step: Step) -> handover::Result<Option<String>> {
        if self.file.is_none() {
            self.open()?;
        }
        let mut said = String::new();
        match step {
            Step::Declare(name) => {
                self.declare(name).await?;
                said.push_str("synced");
            }
            Step::Send(name, names) => {
                self.declare(name).await?;
                let sent = self.broker()?.send(&queue(name), &messages(names), Room::now()).await?;
                write!(said, "{}", sent.durability).unwrap();
            }
            Step::Receive(name, max) => {
                let ask = Ask::new(max).lease(LEASE);
                let got = self.broker()?.receive(&[queue(name)], ask).await?;
                said.push_str("leased");
                for one in got {
                    let name = names().find(|name| id(name) == one.message.id).unwrap();
                    assert_eq!(one.message.body, body(name));
                    write!(said, " {name}:{}", one.receipt.token).unwrap();
                    self.received[number].push((one.receipt.queue.clone(), one.receipt));
                }
            }
            Step::Settle(from, how) => {
                let batch: Vec<_> = std::mem::take(&mut self.received[from])
                    .into_iter()
                    .zip(how)
                    .map(|((_, receipt), how)| (receipt, how.settle()))
                    .collect();
                if batch.is_empty() {
                    return Ok(None);
                }
                let firm = batch.iter().any(|(receipt, _)| receipt.queue.as_str() == "firm");
                for answer in self.broker()?.settle(&batch).await? {
                    answer?;
                }
                said.push_str(if firm { "synced" } else { "buffered" });
            }
            Step::Put(name) => {
                let record = Record::new(id(name), &queue("firm"), Status::Done);
                self.broker()?;
                self.file.as_ref().unwrap().results().put(&[record]).await?;
                said.push_str("synced");
            }
            Step::Visit => {
                let visitor = SqliteOptions::default().open(self.path)?;
                visitor.close().await?;
                said.push_str("nothing");
            }
            Step::Reopen => {
                let file = self.file.take().unwrap();
                file.close().await?;
                self.open()?;
                said.push_str("nothing");
            }
        }
        Ok(Some(said))
    }
}

impl How {
    fn settle(self) -> Settle {
        match self {
            Self::Done => Settle::Done,
            Self::Retry => Settle::Retry { after: Duration::ZERO, reason: "again".to_owned() },
            Self::Release => Settle::Release { after: Duration::ZERO },
            Self::Bury => Settle::Bury { reason: "aside".to_owned() },
        }
    }
}

async fn play(folder: &Path) {
    let mut said = File::options().append(true).create(true).open(folder.join(SAID)).unwrap();
    let mut say = |line: String| said.write_all(line.as_bytes()).unwrap();
    let received = vec![Vec::new(); SCRIPT.len()];
    let mut player =
        Player { path: &folder.join(FILE), file: None, declared: Vec::new(), received };
    let steps = SCRIPT.iter().enumerate();
    let again = std::iter::repeat_n(steps.clone().next_back().unwrap(), TRIES);
    for (number, step) in steps.chain(again) {
        say(format!("ask {number}\n"));
        let played = player.play(number, *step).await;
        let done = played.is_ok() && number == SCRIPT.len() - 1;
        match played {
            Ok(Some(more)) => say(format!("ok {number} {more}\n")),
            Ok(None) => say(format!("skip {number}\n")),
            Err(error) => say(format!("err {number} {} {error:?}\n", error.kind())),
        }
        if done {
            break;
        }
    }
    if let Some(file) = player.file {
        file.close().await.unwrap();
    }
    say("end\n".to_owned());
}

#[test]
fn plays_the_script_when_asked() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(play(Path::new(&folder)));
}
