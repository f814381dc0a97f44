//! How the processes of these tests are started, and how they are made to end.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::actor::{Actor, player};
use crate::child::{FATE, FILE, HISTORY, PART, SEED};

impl Actor {
    pub(crate) fn start(part: &str, file: &Path, history: &Path, seed: u64, fate: &str) -> Self {
        let mut command = player("child::plays_a_part_when_asked");
        command.env(PART, part).env(FILE, file).env(HISTORY, history);
        command.env(SEED, seed.to_string()).env(FATE, fate);
        Self::spawn(command)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // One that has just ended by itself is not there to be signalled.
        if let Some(pid) = self.child.id() {
            let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            _ = kill_process(pid, signal);
        }
    }

    /// Waits for its end, which must be by SIGKILL.
    pub(crate) async fn was_killed(&mut self) {
        let status = self.ended().await;
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{status}");
    }
}
