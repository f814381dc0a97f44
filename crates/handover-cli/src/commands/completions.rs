//! `handover completions`: what a shell needs to complete the commands.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::app::App;
use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;

/// Print completions for a shell
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "handover", &mut script);
        app.out.raw(&script)?;
        Ok(Exit::Done)
    }
}
