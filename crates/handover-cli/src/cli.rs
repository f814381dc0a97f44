//! What can be said on the command line: the global options and the list of commands.
//!
//! Each command's own options are in its file in `commands/`. Help, completions and man pages follow from these types.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use crate::commands::Command;
use crate::exit;

/// Hands work over from producers to consumers: one item, one owner, nothing lost.
#[derive(Debug, Parser)]
#[command(
    name = "handover",
    version,
    after_help = exit::HELP,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options of every command.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Where the queues are: sqlite:PATH, sqlite:PATH?durability=buffered, or memory: (this process)
    // A text and not a type of its own: clap would repeat a wrong one with its password.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "HANDOVER_BROKER",
        hide_env_values = true,
        default_value = "sqlite:handover.db"
    )]
    pub(crate) broker: String,

    /// Where results go: same (with the queues) or file:DIR (JSON Lines); may be given several times
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "HANDOVER_RESULTS",
        hide_env_values = true,
        value_delimiter = ',',
        default_value = "same"
    )]
    pub(crate) results: Vec<String>,

    /// Write a history of what is asked of the broker, in a new file in this folder, for handover trace
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "HANDOVER_HISTORY",
        hide_env_values = true
    )]
    pub(crate) history: Option<PathBuf>,

    /// Print JSON for programs: one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print nothing but what was asked for, and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// What to log to stderr: error, warn, info, debug, trace, or a filter such as warn,handover=debug
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "HANDOVER_LOG",
        hide_env_values = true,
        default_value = "info"
    )]
    pub(crate) log: String,

    /// How to log: lines for people or JSON for programs
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        env = "HANDOVER_LOG_FORMAT",
        hide_env_values = true,
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
}

// By hand: a URL may hold a password.
impl std::fmt::Debug for Global {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Global")
            .field("broker", &crate::url::redacted(&self.broker))
            .field("json", &self.json)
            .field("quiet", &self.quiet)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// The form of a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    // Without help of their own, or clap spaces every command's help out.
    Text,
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_option_is_well_defined() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_password_is_not_in_what_is_logged_of_the_options() {
        let cli = Cli::try_parse_from(["handover", "--broker", "x://u:secret@h", "queue", "ls"]);
        assert!(!format!("{:?}", cli.unwrap().global).contains("secret"));
    }
}
