//! A second process on the same place, which a case can kill: the test program starts itself again, with the place's address
//! in its environment. The child does what its standard input says and answers each line with one.

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use handover::{Ask, Broker, BrokerExt, Delivery, Error, ErrorKind, QueueName, Room, Settle};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use crate::case::Stop;
use crate::check::SOON;
use crate::harness::Harness;
use crate::support::{Bench, FAR, bury, retry, text, text_message};

/// The variable that makes the test program a child.
const PLACE: &str = "HANDOVER_CONFORMANCE_PLACE";

/// The place this process is a child on, where it is one.
pub(crate) fn address() -> Option<String> {
    std::env::var(PLACE).ok()
}

// -- the case's side

/// The process, as the case that started it sees it. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts a process with a handle of its own on the bench's place.
    pub(crate) async fn start(bench: &Bench) -> Result<Self, Stop> {
        let program = std::env::current_exe().map_err(io)?;
        let mut process = Command::new(program)
            .env(PLACE, &bench.place.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(io)?;
        let (Some(commands), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Stop::failed("the child has no pipes"));
        };
        let answers = BufReader::new(answers).lines();
        let mut child = Self { process, commands, answers };
        let hello = bench.calls.step("start a process", child.answer()).await?;
        if hello == "ready" { Ok(child) } else { Err(Stop::failed(format_args!("child: {hello}"))) }
    }

    /// Sends a command.
    pub(crate) async fn tell(&mut self, command: &str) -> Result<(), Stop> {
        self.commands.write_all(format!("{command}\n").as_bytes()).await.map_err(io)
    }

    /// The next line the child says.
    pub(crate) async fn answer(&mut self) -> Result<String, Stop> {
        match tokio::time::timeout(SOON, self.answers.next_line()).await {
            Ok(Ok(Some(line))) if line.starts_with("error ") => Err(Stop::failed(line)),
            Ok(Ok(Some(line))) => Ok(line),
            Ok(Ok(None)) => Err(Stop::failed("the child ended by itself")),
            Ok(Err(error)) => Err(io(error)),
            Err(_) => Err(Stop::failed(format_args!("the child said nothing for {SOON:?}"))),
        }
    }

    /// Sends a command and awaits its answer.
    pub(crate) async fn ask(&mut self, bench: &Bench, command: &str) -> Result<String, Stop> {
        self.tell(command).await?;
        bench.calls.step(format!("child: {command}"), self.answer()).await
    }

    /// Kills the process at once (SIGKILL on Unix) and answers what it had still said.
    pub(crate) async fn kill(mut self, bench: &Bench) -> Result<Vec<String>, Stop> {
        bench.calls.step("kill the child", self.process.kill()).await.map_err(io)?;
        let mut rest = Vec::new();
        while let Ok(Some(line)) = self.answers.next_line().await {
            rest.push(line);
        }
        Ok(rest)
    }
}

#[track_caller]
fn io(error: std::io::Error) -> Stop {
    Stop::failed(format_args!("cannot work with the child process: {error}"))
}

// -- the child's side

/// The life of the child: a line in, a line out, until it is killed or its input ends.
pub(crate) fn main(harness: &dyn Harness, address: &str) -> ExitCode {
    let Ok(runtime) = crate::run::runtime() else {
        say("error cannot start a tokio runtime");
        return ExitCode::FAILURE;
    };
    runtime.block_on(async {
        match harness.open(address).await {
            Ok(broker) => serve(&*broker).await,
            Err(error) => say(&format!("error cannot open the place: {error:?}")),
        }
    });
    ExitCode::SUCCESS
}

async fn serve(broker: &dyn Broker) {
    let (line, mut lines) = tokio::sync::mpsc::unbounded_channel();
    // A thread of its own, so that the child ends with its parent even in the middle of a call.
    std::thread::spawn(move || {
        for command in std::io::stdin().lock().lines().map_while(Result::ok) {
            if line.send(command).is_err() {
                return;
            }
        }
        std::process::exit(0);
    });
    let mut held = HashMap::new();
    say("ready");
    while let Some(command) = lines.recv().await {
        match obey(broker, &command, &mut held).await {
            Ok(answer) => say(&answer),
            Err(error) => say(&format!("error {command}: {error:?}")),
        }
    }
}

/// Does what one line says.
async fn obey(
    broker: &dyn Broker,
    command: &str,
    held: &mut HashMap<String, Delivery>,
) -> handover::Result<String> {
    let words: Vec<_> = command.split(' ').collect();
    match *words.as_slice() {
        ["send", queue, body] => {
            broker.send_one(&queue.parse()?, text_message(body), Room::now()).await?;
            Ok("sent".to_owned())
        }
        ["wait", queue, body] => {
            say("waiting");
            broker.send_one(&queue.parse()?, text_message(body), Room::within(FAR)).await?;
            Ok("sent".to_owned())
        }
        ["take", queue, lease_ms] => {
            let ask = Ask::new(1).wait(SOON).lease(millis(lease_ms));
            let taken = broker.receive_one(&queue.parse()?, ask).await?;
            let delivery = taken.ok_or_else(|| unclear("nothing to take"))?;
            let answer = format!("took {} attempt {}", text(&delivery), delivery.attempt);
            held.insert(text(&delivery), delivery);
            Ok(answer)
        }
        ["done", body] => end(broker, held, body, Settle::Done).await,
        ["bury", body] => end(broker, held, body, bury("by the child")).await,
        ["retry", body, after_ms] => end(broker, held, body, retry(millis(after_ms))).await,
        ["storm", queue] => storm(broker, &queue.parse()?).await,
        ["settle", queue] => settle_all(broker, &queue.parse()?).await,
        _ => Err(unclear("no such command")),
    }
}

async fn end(
    broker: &dyn Broker,
    held: &mut HashMap<String, Delivery>,
    body: &str,
    how: Settle,
) -> handover::Result<String> {
    let delivery = held.remove(body).ok_or_else(|| unclear("not held"))?;
    broker.settle_one(delivery.receipt, how).await?;
    Ok("settled".to_owned())
}

/// Sends one message after the other and says the body of each that was acknowledged.
async fn storm(broker: &dyn Broker, queue: &QueueName) -> handover::Result<String> {
    for n in 0_u64.. {
        broker.send_one(queue, text_message(&format!("s{n}")), Room::within(FAR)).await?;
        say(&format!("s{n}"));
    }
    Ok("end of numbers".to_owned())
}

/// Takes and finishes one message after the other and says the body of each whose end was acknowledged.
async fn settle_all(broker: &dyn Broker, queue: &QueueName) -> handover::Result<String> {
    loop {
        let ask = Ask::new(1).wait(SOON).lease(Duration::from_secs(1));
        let Some(delivery) = broker.receive_one(queue, ask).await? else {
            return Ok("empty".to_owned());
        };
        let body = text(&delivery);
        broker.settle_one(delivery.receipt, Settle::Done).await?;
        say(&body);
    }
}

fn millis(word: &str) -> Duration {
    Duration::from_millis(word.parse().unwrap_or(1000))
}

fn unclear(what: &str) -> Error {
    Error::new(ErrorKind::Invalid, what)
}

/// One line on standard output, there when the call returns: the parent may kill this process right after.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A parent that is gone needs no answer.
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
