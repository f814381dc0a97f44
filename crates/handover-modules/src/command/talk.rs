//! One run of a command: feeds stdin, reads stdout and stderr at the same time, and waits for the end, whichever comes
//! first of the four.
//!
//! ```text
//! running ─▶ exits ──▶ its pipes have `grace` to close ─▶ group killed ─▶ Exited
//!        ├─▶ too much on stdout ───────────────────────▶ group killed ─▶ TooMuch
//!        └─▶ cancelled ─▶ SIGTERM ─▶ exits, or `grace` ─▶ group killed ─▶ Cancelled
//! ```

use std::io;
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use handover::{CancelReason, CancelSignal};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::time::timeout;

use super::STDERR_BYTES_MAX;
use super::group::Group;
use super::guard::Guard;

/// How long a killed group's pipes may stay open: longer only where a process has left the group and kept them.
const CLOSING: Duration = Duration::from_secs(1);
const CHUNK_BYTES: usize = 16 * 1024;

/// How a run ended.
#[derive(Debug)]
pub(super) enum End {
    Exited(ExitStatus),
    /// It wrote more to stdout than may be kept.
    TooMuch,
    /// It was told to stop; with its status where it exited by itself after that.
    Cancelled(CancelReason, Option<ExitStatus>),
    /// It could not be waited for.
    Lost(io::Error),
}

/// What a command said.
#[derive(Debug)]
pub(super) struct Talk {
    stdout: Vec<u8>,
    stdout_bytes_max: usize,
    /// At least the last [`STDERR_BYTES_MAX`] bytes, and less than twice as many and a chunk.
    stderr: Vec<u8>,
}

impl Talk {
    pub(super) fn new(stdout_bytes_max: usize) -> Self {
        Self { stdout: Vec::new(), stdout_bytes_max, stderr: Vec::new() }
    }

    pub(super) fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    pub(super) fn stdout_bytes_max(&self) -> usize {
        self.stdout_bytes_max
    }

    /// The end of stderr as text, trimmed.
    pub(super) fn stderr(&self) -> String {
        let from = self.stderr.len().saturating_sub(STDERR_BYTES_MAX);
        let text = String::from_utf8_lossy(&self.stderr[from..]);
        let text = text.trim();
        // What is no UTF-8 grows when it is replaced.
        text[text.ceil_char_boundary(text.len().saturating_sub(STDERR_BYTES_MAX))..].to_owned()
    }

    /// Runs it to its end. Dropping the future kills the command's group.
    pub(super) async fn run(
        &mut self,
        mut child: Child,
        body: Vec<u8>,
        guard: &Arc<Guard>,
        grace: Duration,
        cancel: &CancelSignal,
    ) -> End {
        let group = Group::led_by(&child, guard);
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut pipes = pin!(async {
            tokio::try_join!(
                feed(stdin, body),
                keep(stdout, &mut self.stdout, self.stdout_bytes_max),
                keep_end(stderr, &mut self.stderr),
            )
            .map(drop)
        });
        let mut open = true;
        let end = loop {
            tokio::select! {
                closed = &mut pipes, if open => match closed {
                    Ok(()) => open = false,
                    Err(TooMuch) => {
                        open = false;
                        break End::TooMuch;
                    }
                },
                status = child.wait() => break status.map_or_else(End::Lost, End::Exited),
                why = cancel.cancelled() => {
                    group.terminate();
                    let status = tokio::select! {
                        status = child.wait() => status.ok(),
                        () = tokio::time::sleep(grace) => None,
                        // It goes on being read, so that a command that says goodbye is not stopped by a full pipe.
                        () = drained(&mut pipes, &mut open) => None,
                    };
                    break End::Cancelled(why, status);
                }
            }
        };
        let mut end = end;
        if open && matches!(end, End::Exited(_)) {
            match timeout(grace, &mut pipes).await {
                Ok(Ok(())) => open = false,
                Ok(Err(TooMuch)) => (open, end) = (false, End::TooMuch),
                Err(_elapsed) => {}
            }
        }
        group.kill();
        if open {
            _ = timeout(CLOSING, pipes).await;
        }
        _ = child.wait().await;
        end
    }
}

/// Reads on until the pipes are closed, then never ends.
async fn drained(pipes: &mut (impl Future<Output = Result<(), TooMuch>> + Unpin), open: &mut bool) {
    if *open {
        _ = pipes.await;
        *open = false;
    }
    std::future::pending().await
}

/// A stream is longer than may be kept.
#[derive(Debug)]
struct TooMuch;

/// Writes all of `body`, or as much as the command wants to read.
async fn feed(stdin: Option<ChildStdin>, body: Vec<u8>) -> Result<(), TooMuch> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    if let Err(error) = stdin.write_all(&body).await {
        tracing::debug!(%error, "the command did not read all of its arguments");
    }
    Ok(())
}

/// Reads all there is, up to a limit.
async fn keep(
    stream: Option<impl AsyncRead + Unpin>,
    kept: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<(), TooMuch> {
    let Some(mut stream) = stream else { return Ok(()) };
    loop {
        match stream.read_buf(kept).await {
            Ok(0) => return Ok(()),
            Ok(_) if kept.len() > bytes_max => return Err(TooMuch),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "a command's stdout could not be read");
                return Ok(());
            }
        }
    }
}

/// Reads all there is and keeps its end.
async fn keep_end(
    stream: Option<impl AsyncRead + Unpin>,
    kept: &mut Vec<u8>,
) -> Result<(), TooMuch> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match stream.read(&mut chunk).await {
            Ok(0) => return Ok(()),
            Ok(length) => {
                kept.extend_from_slice(&chunk[..length]);
                if kept.len() > 2 * STDERR_BYTES_MAX {
                    kept.drain(..kept.len() - STDERR_BYTES_MAX);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a command's stderr could not be read");
                return Ok(());
            }
        }
    }
}
