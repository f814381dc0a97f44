//! Parts of benches in processes of their own: how the bench starts one and talks with it, a line at a time. What each does is
//! in the bench it belongs to.
//!
//! ```text
//! bench                        child
//!   starts it ──────────────────▶ prepares
//!   line() ◀──────────── "ready" ─┤
//!   say("go") ──────────────────▶ works
//!   line() ◀──── what it measured ┘  or goes on, a line for each thing, until its standard input ends
//! ```
//!
//! A child whose standard input has ended ends too, so none outlives its bench.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::{Failure, embedded, idle};

/// What a child is told to be.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Role {
    /// Sends through the broker.
    Send { file: PathBuf, count: u64 },
    /// Receives and settles what another process sends.
    Settle { file: PathBuf, count: u64 },
    /// Inserts rows with bare SQLite.
    RawSend { file: PathBuf, count: u64 },
    /// Leases and deletes rows with bare SQLite.
    RawSettle { file: PathBuf, count: u64 },
    /// Cycles at a depth.
    Depth { file: PathBuf, jobs: u64, count: u64 },
    /// A worker that tells when each handler started.
    Work { file: PathBuf, queues: u32 },
}

impl Role {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Send { file, count } => embedded::two::send(&file, count),
            Self::Settle { file, count } => embedded::two::settle(&file, count),
            Self::RawSend { file, count } => embedded::raw::send(&file, count),
            Self::RawSettle { file, count } => embedded::raw::settle(&file, count),
            Self::Depth { file, jobs, count } => embedded::depth::child(&file, jobs, count),
            Self::Work { file, queues } => idle::worker::child(&file, queues),
        }
    }
}

/// A child, as its bench sees it. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program again in a role, given as on a command line, and waits until it is ready.
    pub(crate) fn start<S: Into<OsString>>(
        role: impl IntoIterator<Item = S>,
    ) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("child")
            .args(role.into_iter().map(Into::into))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take();
        let output = process.stdout.take().ok_or("a child without output")?;
        let mut child = Self { process, input, output: BufReader::new(output).lines() };
        match child.line()?.as_str() {
            "ready" => Ok(child),
            other => Err(format!("a child said {other:?} instead of being ready").into()),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Tells it a line.
    pub(crate) fn say(&mut self, line: &str) -> Result<(), Failure> {
        let input = self.input.as_mut().ok_or("a child that is not listened to")?;
        writeln!(input, "{line}")?;
        Ok(input.flush()?)
    }

    /// The next line it says.
    pub(crate) fn line(&mut self) -> Result<String, Failure> {
        let line = self.output.next().ok_or("a child ended early; what it said is above")?;
        Ok(line?)
    }

    /// The next line it says, which is JSON.
    pub(crate) fn json(&mut self) -> Result<Value, Failure> {
        Ok(serde_json::from_str(&self.line()?)?)
    }

    /// The number it says next.
    pub(crate) fn number(&mut self) -> Result<u64, Failure> {
        Ok(self.line()?.trim().parse()?)
    }

    /// Ends its standard input and waits for its end.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.input = None;
        let status = self.process.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a child ended with {status}").into()) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and needs not.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// In a child: tells the bench a line.
pub(crate) fn tell(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// In a child: waits for the bench's next line; false when it has gone.
pub(crate) fn told() -> Result<bool, Failure> {
    let mut line = String::new();
    Ok(std::io::stdin().read_line(&mut line)? > 0)
}

/// In a child: says that it is ready and waits for the start.
pub(crate) fn ready() -> Result<(), Failure> {
    tell("ready")?;
    if told()? { Ok(()) } else { Err("the bench has gone".into()) }
}
