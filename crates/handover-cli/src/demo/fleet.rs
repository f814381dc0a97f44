//! The demo's workers: processes of this same binary, each one `handover crawl` on the same file.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

/// The running worker processes. Dropping it kills those that are left.
#[derive(Debug)]
pub(crate) struct Fleet {
    children: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    pid: u32,
    child: Child,
    log: PathBuf,
}

impl Fleet {
    /// Starts `workers` processes with these arguments; what they say goes to a file each in `folder`.
    pub(crate) fn start(
        workers: usize,
        arguments: &[OsString],
        folder: &Path,
    ) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut children = Vec::new();
        for number in 1..=workers {
            let log = folder.join(format!("worker-{number}.log"));
            let child = Command::new(&program)
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(File::create(&log)?)
                .kill_on_drop(true)
                .spawn()?;
            let pid = child
                .id()
                .ok_or_else(|| std::io::Error::other("the worker process ended at once"))?;
            children.push(Worker { pid, child, log });
        }
        Ok(Self { children })
    }

    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> {
        self.children.iter().map(|worker| worker.pid)
    }

    /// Kills one worker with SIGKILL: no handler runs, nothing is settled.
    pub(crate) async fn kill(&mut self, pid: u32) -> std::io::Result<()> {
        if let Some(index) = self.children.iter().position(|worker| worker.pid == pid) {
            self.children.swap_remove(index).child.kill().await?;
        }
        Ok(())
    }

    /// Waits until the others have ended by themselves. The error names the log of one that failed.
    pub(crate) async fn join(mut self) -> std::io::Result<()> {
        for Worker { pid, child, log } in &mut self.children {
            let status = child.wait().await?;
            if !status.success() {
                let log = log.display();
                return Err(std::io::Error::other(format!(
                    "worker {pid} ended with {status}; its log is {log}"
                )));
            }
        }
        Ok(())
    }

    /// True when every worker has ended.
    pub(crate) fn ended(&mut self) -> std::io::Result<bool> {
        for worker in &mut self.children {
            if worker.child.try_wait()?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
