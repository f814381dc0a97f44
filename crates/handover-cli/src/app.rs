//! From the words on the command line to an exit code.

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Global};
use crate::connect::{self, Missing, Place};
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
    /// Opens the broker and the result stores that were asked for.
    pub(crate) fn open(&self, missing: Missing) -> Result<Place, Failure> {
        connect::open(&self.global.broker, &self.global.results, missing)
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
