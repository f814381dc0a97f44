//! `handover man`: the manual pages, made from the same types as the help.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::app::App;
use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;

/// Print the man page, or write those of all commands into a folder
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Man {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        if let Some(dir) = self.dir {
            let shown = dir.display().to_string();
            std::fs::create_dir_all(&dir)
                .and_then(|()| clap_mangen::generate_to(Cli::command(), &dir))
                .map_err(|error| {
                    Failure::io(format!("{shown}: the pages cannot be written"), &error)
                })?;
            app.out.note(&format!("wrote the pages into {shown}"));
            return Ok(Exit::Done);
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| Failure::io("the page cannot be made", &error))?;
        app.out.raw(&page)?;
        Ok(Exit::Done)
    }
}
