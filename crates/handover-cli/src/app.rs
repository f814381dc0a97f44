//! From the words on the command line to an exit code.

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Global};
use crate::connect::{Missing, Place, Urls};
use crate::failure::Failure;
use crate::log;
use crate::output::Output;

/// What every command is given.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) out: Output,
    pub(crate) global: Global,
}

impl App {
    /// The broker and the result stores that were asked for, not yet opened.
    pub(crate) fn urls(&self) -> Result<Urls<'_>, Failure> {
        let urls = Urls::read(&self.global.broker, &self.global.results)?;
        Ok(urls.history(self.global.history.as_deref()))
    }

    /// Opens them, does the work, and closes them, however the work ended: a file that is closed leaves no log beside it.
    pub(crate) async fn at<T>(
        &self,
        missing: Missing,
        work: impl AsyncFnOnce(&Place) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let place = self.urls()?.open(missing)?;
        let worked = work(&place).await;
        // What was accepted is safe by now; the first failure is the one to tell.
        let closed = place.backend.close().await;
        let worked = worked?;
        closed?;
        Ok(worked)
    }
}

/// Runs the command.
pub(crate) fn main() -> ExitCode {
    // Wrong words end here, with exit code 2, as do --help and --version.
    let Cli { global, command } = Cli::parse();
    let app = App { out: Output::new(global.json, global.quiet), global };
    let run = || {
        log::start(&app.global)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::io("the program cannot start its threads", &error))?;
        let exit = runtime.block_on(command.run(&app));
        // A thread that still waits for stdin must not keep the program from ending.
        runtime.shutdown_background();
        exit
    };
    run()
        .unwrap_or_else(|failure: Failure| {
            app.out.failure(&failure);
            failure.exit
        })
        .into()
}
