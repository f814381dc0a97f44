//! The guard: one small process beside the worker that kills its commands' groups when the worker dies without a word.
//!
//! A worker that is killed cannot kill its commands, and its jobs' leases run out: another worker would run the same job
//! while the first command still does. The guard is a shell that reads which groups run from a pipe. The pipe's other end
//! is held by the worker alone, so the end of the input is the end of the worker, however it came about. That needs no
//! unsafe code and no system call of one platform only (`PR_SET_PDEATHSIG` needs the first, is the second, and reaches
//! only the leader of a group).
//!
//! Between the start of a command and the guard's first knowledge of it lie some microseconds in which the worker's death
//! goes unnoticed.

use std::fs::File;
use std::io::{self, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Pid;

/// Signals meant for the worker must not end its guard, which has a group of its own and ignores the rest.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
groups=' '
while read -r what group; do
    case $what in
        +) groups="$groups$group " ;;
        -) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
    esac
done
for group in $groups; do
    kill -s KILL -- "-$group" 2>/dev/null
done
"#;

/// The worker's end of the pipe. Dropping it is the worker's end.
#[derive(Debug)]
pub(super) struct Guard {
    // Does not block: a guard that somebody stopped must not stop the worker.
    pipe: File,
    /// Set at the first failure, so that it is reported once.
    broken: AtomicBool,
}

impl Guard {
    /// Starts the guard. Its process ends soon after the value is dropped, and is reaped by the runtime.
    pub(super) fn start() -> io::Result<Arc<Self>> {
        let mut child = tokio::process::Command::new("sh")
            .arg("-c")
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let stdin = child.stdin.take().ok_or_else(|| io::Error::other("the guard has no stdin"))?;
        let pipe = stdin.into_owned_fd()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Arc::new(Self { pipe: File::from(pipe), broken: AtomicBool::new(false) }))
    }

    pub(super) fn watch(&self, leader: Pid) {
        self.tell('+', leader);
    }

    pub(super) fn forget(&self, leader: Pid) {
        self.tell('-', leader);
    }

    // One write of a few bytes, which a pipe takes whole or not at all.
    fn tell(&self, what: char, leader: Pid) {
        let line = format!("{what} {}\n", leader.as_raw_nonzero());
        if let Err(error) = (&self.pipe).write_all(line.as_bytes())
            && !self.broken.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "the commands' guard is gone: if this worker is killed, its commands run on");
        }
    }
}
