//! Processes that the tests start and kill: the parts that there are. How they are started and heard is in
//! `tests/support/actor.rs`.

use std::path::Path;
use std::time::Duration;

use handover::{
    Ask, Broker, BrokerExt, Message, QueueName, QueueSettings, Record, ResultStore, Room, Status,
};
use handover_sqlite::SqliteOptions;

use crate::support::PATIENCE;

#[path = "../support/actor.rs"]
mod actor;
pub(crate) use actor::Actor;
use actor::{player, say};

const PART: &str = "HANDOVER_TEST_PART";
const FILE: &str = "HANDOVER_TEST_FILE";

impl Actor {
    pub(crate) fn start(part: &str, file: &Path) -> Self {
        Self::start_as(part, file, None)
    }

    /// The same as another user, where we may.
    pub(crate) fn start_as(part: &str, file: &Path, user: Option<u32>) -> Self {
        let mut command = player("child::plays_a_part_when_asked");
        command.env(PART, part).env(FILE, file);
        #[cfg(unix)]
        if let Some(user) = user {
            command.uid(user);
        }
        Self::spawn(command)
    }

    /// Lets a process go on that waits for it.
    pub(crate) async fn go_on(&mut self) {
        self.told("").await;
    }
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
