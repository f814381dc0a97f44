//! Processes that the tests start and kill: this very test program, asked by an environment variable to play a part.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use handover::{
    Ask, Broker, BrokerExt, Message, QueueName, QueueSettings, Record, ResultStore, Room, Status,
};
use handover_sqlite::SqliteOptions;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::PATIENCE;

const PART: &str = "HANDOVER_TEST_PART";
const FILE: &str = "HANDOVER_TEST_FILE";

/// A process at work. It is killed when this is dropped.
pub(crate) struct Actor {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Actor {
    pub(crate) fn start(part: &str, file: &Path) -> Self {
        Self::start_as(part, file, None)
    }

    /// The same as another user, where we may.
    pub(crate) fn start_as(part: &str, file: &Path, user: Option<u32>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["child::plays_a_part_when_asked", "--exact", "--nocapture", "--quiet"])
            .env(PART, part)
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        if let Some(user) = user {
            command.uid(user);
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The rest of the next line that begins with `word`.
    pub(crate) async fn says(&mut self, word: &str) -> String {
        let mut said = Vec::new();
        let found = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if let Some((_, rest)) = line.split_once(&format!("@{word} ")) {
                    return rest.to_owned();
                }
                said.push(line);
            }
            panic!("the process ended and never said {word}, but {said:?}");
        });
        found.await.unwrap_or_else(|_| panic!("the process never said {word}"))
    }

    /// Lets a process go on that waits for it.
    pub(crate) async fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").await.unwrap();
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Everything it still had said when it was killed, of lines that begin with `word`.
    pub(crate) async fn said(&mut self, word: &str) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            said.extend(line.split_once(&format!("@{word} ")).map(|(_, rest)| rest.to_owned()));
        }
        said
    }
}

#[allow(clippy::print_stdout, reason = "it is how a child talks to its test")]
fn say(word: &str, rest: impl std::fmt::Display) {
    println!("@{word} {rest}");
}

#[tokio::test]
async fn plays_a_part_when_asked() {
    let Ok(part) = std::env::var(PART) else { return };
    let path = std::env::var(FILE).unwrap();
    let queue: QueueName = "mail".parse().unwrap();
    let file = match SqliteOptions::default().open(&path) {
        Ok(file) => file,
        Err(error) => return say("failed", format!("{} {error}", error.kind())),
    };
    let broker = file.broker();
    let ask = Ask::new(1).lease(Duration::from_secs(600));
    match part.as_str() {
        "open" => {
            broker.declare(&queue, &QueueSettings::with_capacity(10)).await.unwrap();
            say("opened", "");
        }
        // Sends without an end, and says what was answered.
        "send" => {
            for number in 0.. {
                let message = Message::new(number.to_string());
                broker.send_one(&queue, message, Room::within(PATIENCE)).await.unwrap();
                say("sent", number);
            }
        }
        "send one" => {
            broker.send_one(&queue, Message::new("hello"), Room::now()).await.unwrap();
            say("sent", "");
        }
        // Takes one for a short lease, and holds it until it is killed.
        "hold" => {
            let ask = ask.lease(Duration::from_millis(300)).wait(PATIENCE);
            let taken = broker.receive_one(&queue, ask).await.unwrap().unwrap();
            say("took", taken.receipt.token);
            std::future::pending::<()>().await;
        }
        // Sleeps for work for less time than the tick takes: only a bell can wake it.
        "sleep" => {
            say("asking", "");
            let taken = broker.receive_one(&queue, ask.wait(Duration::from_secs(4))).await.unwrap();
            say(
                "woke",
                taken.map_or_else(String::new, |one| super::support::text(&one.message.body)),
            );
        }
        "sleep for room" => {
            say("asking", "");
            let sent = broker
                .send_one(&queue, Message::new("late"), Room::within(Duration::from_secs(4)))
                .await;
            say("woke", sent.is_ok());
        }
        "put" => {
            let id = broker.receive_one(&queue, ask).await.unwrap().unwrap().message.id;
            say("ready", "");
            std::io::stdin().read_line(&mut String::new()).unwrap();
            let mut record = Record::new(id, &queue, Status::Done);
            record.output = Some("42".to_owned());
            file.results().put(&[record]).await.unwrap();
            say("put", id);
        }
        other => panic!("no part is called {other}"),
    }
}
