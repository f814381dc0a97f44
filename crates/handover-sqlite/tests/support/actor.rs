//! Another process on the stage, seen from the test that started it: this very test program, asked by environment variables
//! to play a part. Both sides talk in lines: `@word rest`.
//!
//! What does not live here: which parts there are, what they do and what they are given, which each test program says itself.

#![allow(dead_code, reason = "each test program that takes this in uses a part of it")]

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Long enough for anything that happens at all, in any test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// This test program, which will run only the test that plays parts.
pub(crate) fn player(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--quiet"]);
    command
}

/// The child's side: says a line to the one who started it.
#[allow(clippy::print_stdout, reason = "it is how a child talks to its test")]
pub(crate) fn say(word: &str, rest: impl std::fmt::Display) {
    println!("@{word} {rest}");
}

/// What a line says with `word`. It may stand behind what the test runner writes.
fn heard(line: &str, word: &str) -> Option<String> {
    line.split_once(&format!("@{word} ")).map(|(_, rest)| rest.to_owned())
}

/// A process at work. It is killed when this is dropped.
pub(crate) struct Actor {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Actor {
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The rest of the next line that it says with `word`; `None` when it has ended. However long that takes.
    pub(crate) async fn hears(&mut self, word: &str) -> Option<String> {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if let Some(rest) = heard(&line, word) {
                return Some(rest);
            }
            assert!(heard(&line, "failed").is_none(), "{line}");
        }
        None
    }

    /// The same, of a process that must say it.
    pub(crate) async fn says(&mut self, word: &str) -> String {
        tokio::time::timeout(PATIENCE, self.hears(word))
            .await
            .unwrap_or_else(|_| panic!("it never said {word}"))
            .unwrap_or_else(|| panic!("it ended and never said {word}"))
    }

    /// Everything it still had said when it ended, of lines that it says with `word`.
    pub(crate) async fn said(&mut self, word: &str) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            said.extend(heard(&line, word));
        }
        said
    }

    /// Asks it to do something.
    pub(crate) async fn told(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Its answer to being asked something.
    pub(crate) async fn asked(&mut self, line: &str, word: &str) -> String {
        self.told(line).await;
        self.says(word).await
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }
}
