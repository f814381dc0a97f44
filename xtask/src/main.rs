//! The house's own commands, `cargo xtask …`: everything that CI and a contributor run. What a
//! user runs is in `crates/handover-cli`; nothing here is shipped.
//!
//! Reading order: [`workspace`] knows where things are, [`run`] starts programs and counts their
//! tests, [`setup`] and [`site`] prepare what tests need, [`test`] is the ordered list of groups,
//! [`ci`] the jobs by name, [`tidy`] the house rules no compiler checks, [`fresh`] the proof in a
//! clean clone, [`bench`] the figures, [`mutants`] the proof that the suite catches bugs.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to the person who started it"
)]

mod bench;
mod ci;
mod fresh;
mod fuzz;
mod mutants;
mod run;
mod setup;
mod site;
mod test;
mod tidy;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The house's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prepare what the tests need, then run every group: tidy, fmt, clippy, test, docs, crawl, models,
    /// mutants.
    Test(test::Args),
    /// Run one of CI's jobs by name, or all of them.
    Ci(ci::Args),
    /// Measure in release mode; arguments after `--` are passed on.
    Bench(bench::Args),
    /// Feed every decoder random bytes; needs a nightly toolchain and cargo-fuzz.
    Fuzz(fuzz::Args),
    /// Check the house rules that no compiler checks.
    Tidy,
    /// Prove the README's two commands in a clean clone of HEAD.
    Fresh(fresh::Args),
    /// Put deliberate bugs into the memory broker; the conformance suite must catch each.
    Mutants(mutants::Args),
}

fn main() -> ExitCode {
    let root = workspace::root();
    let outcome = match Cli::parse().command {
        Command::Test(args) => test::main(&root, &args),
        Command::Ci(args) => ci::main(&root, &args),
        Command::Bench(args) => bench::main(&root, &args),
        Command::Fuzz(args) => fuzz::main(&root, &args),
        Command::Tidy => tidy::main(&root),
        Command::Fresh(args) => fresh::main(&root, &args),
        Command::Mutants(args) => mutants::main(&root, &args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
