//! Signals that end a command. For a worker the first SIGINT (Ctrl-C) or SIGTERM lets what runs finish, the second stops
//! that too.

use std::io;

use handover::WorkerHandle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::output::Output;

/// Listens from now on, until it is dropped.
pub(crate) fn on_signals(worker: WorkerHandle, out: Output) -> Stopping {
    let (told, was_told) = watch::channel(false);
    let listening = match Signals::listen() {
        Ok(mut signals) => tokio::spawn(async move {
            signals.next().await;
            told.send_replace(true);
            out.note("stopping: what runs may finish; once more stops that too");
            worker.drain();
            signals.next().await;
            out.note("stopping what runs; its jobs go back");
            worker.cancel();
            // Whoever says it a third time is not heard: the second phase has an end of its own.
            std::future::pending().await
        }),
        Err(error) => {
            tracing::warn!(%error, "signals cannot be heard: they will end the program at once");
            tokio::spawn(async {})
        }
    };
    Stopping { was_told, listening }
}

/// The listening.
#[derive(Debug)]
pub(crate) struct Stopping {
    was_told: watch::Receiver<bool>,
    listening: JoinHandle<()>,
}

impl Stopping {
    /// True after the first signal.
    pub(crate) fn was_told(&self) -> bool {
        *self.was_told.borrow()
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// SIGINT (Ctrl-C) and SIGTERM, heard from the moment it is made.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ctrl-C, heard from the moment it is made.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Signals(tokio::signal::windows::CtrlC);

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    pub(crate) async fn next(&mut self) {
        _ = self.0.recv().await;
    }
}
