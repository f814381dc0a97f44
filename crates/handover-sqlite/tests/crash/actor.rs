//! The parent's side of a process: start it, listen to it, talk to it, kill it, stop it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::child::{FATE, FILE, HISTORY, PART, SEED};
use crate::support::PATIENCE;

/// A process at work. It is killed when this is dropped.
pub(crate) struct Actor {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Actor {
    /// This very test program, asked to play a part.
    pub(crate) fn start(part: &str, file: &Path, history: &Path, seed: u64, fate: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child::plays_a_part_when_asked", "--exact", "--nocapture", "--quiet"])
            .env(PART, part)
            .env(FILE, file)
            .env(HISTORY, history)
            .env(SEED, seed.to_string())
            .env(FATE, fate)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The rest of the next line that it says with `word`; `None` when it has ended.
    pub(crate) async fn hears(&mut self, word: &str) -> Option<String> {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if let Some((_, rest)) = line.split_once(&format!("@{word} ")) {
                return Some(rest.to_owned());
            }
            assert!(!line.contains("@failed "), "{line}");
        }
        None
    }

    /// The same, of a process that must say it.
    pub(crate) async fn says(&mut self, word: &str) -> String {
        let heard = tokio::time::timeout(PATIENCE, self.hears(word)).await;
        heard
            .unwrap_or_else(|_| panic!("it never said {word}"))
            .unwrap_or_else(|| panic!("it ended and never said {word}"))
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

    pub(crate) fn signal(&self, signal: Signal) {
        // One that has just ended by itself is not there to be signalled.
        if let Some(pid) = self.child.id() {
            let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            _ = kill_process(pid, signal);
        }
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    /// Waits for its end, which must be by SIGKILL.
    pub(crate) async fn was_killed(&mut self) {
        let status = self.ended().await;
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{status}");
    }
}
