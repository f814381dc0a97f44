//! The figures, `bench NAME`: what handover does beside what others do, in the same run on the same machine. How it is built
//! and what must be there first is for `cargo xtask bench`.
//!
//! Reading order: [`report`] is what a bench hands in (a table and a JSON object), [`machine`] on what it was measured,
//! [`measure`] medians, percentiles and a clock that processes share, [`child`] other processes of this program. Then the
//! benches: [`buffer`], [`embedded`], [`idle`], [`crawl`], [`lab`].
//!
//! A bench never decides by time whether something is right: it checks what it moved, and prints how long that took.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to the person who started it"
)]

mod buffer;
mod child;
mod crawl;
mod embedded;
mod idle;
mod lab;
mod machine;
mod measure;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::machine::Machine;
use crate::report::Report;

/// What a bench fails with: it is shown to a person and ends the program.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The figures of handover, each beside another's in the same run.
#[derive(Debug, Parser)]
#[command(name = "bench", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
    #[command(flatten)]
    options: Options,
}

/// What every bench understands.
#[derive(Debug, Clone, clap::Args)]
struct Options {
    /// Print one JSON object on the last line.
    #[arg(long, global = true)]
    json: bool,
    /// Print the table as Markdown, with machine, date and command, as the book has it.
    #[arg(long, global = true)]
    markdown: bool,
    /// One short iteration that shows that everything runs; its figures are worth nothing.
    #[arg(long, global = true)]
    short: bool,
    /// How often each thing is measured; the median counts.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
    /// Only the parts whose name contains this (repeatable).
    #[arg(long, global = true, value_name = "PART")]
    only: Vec<String>,
    /// A folder on the disk to measure; the system's temporary one where nothing is said.
    #[arg(long, global = true, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

impl Options {
    /// Whether a part was asked for.
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| part.contains(only.as_str()))
    }

    /// How often each thing is measured: as asked for, once in a short run, or `usual`.
    fn runs_or(&self, usual: u32) -> u32 {
        self.runs.unwrap_or(if self.short { 1 } else { usual })
    }

    fn base_folder(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// A folder of this run's own, removed with all that is in it when it is dropped.
    fn folder(&self) -> Result<tempfile::TempDir, Failure> {
        let base = self.base_folder();
        std::fs::create_dir_all(&base)?;
        let made = tempfile::Builder::new().prefix("handover-bench-").tempdir_in(&base);
        made.map_err(|error| format!("no folder in {}: {error}", base.display()).into())
    }
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// The buffer within a process, beside other channels: items a second.
    Buffer,
    /// The embedded broker, beside bare SQLite: cycles a second, latencies, depth.
    Embedded,
    /// A worker with nothing to do: its system calls, and how fast it wakes.
    Idle(idle::Args),
    /// A site's crawl, beside Scrapy: pages a second and memory.
    Crawl(crawl::Args),
    /// The lessons' engine: what recording costs, and how long exploring takes.
    Lab,
    /// A part of a bench in a process of its own; started by the bench.
    #[command(subcommand, hide = true)]
    Child(child::Role),
}

fn main() -> ExitCode {
    let Cli { bench, options } = Cli::parse();
    match run(bench, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(bench: Bench, options: &Options) -> Result<(), Failure> {
    let report = match bench {
        Bench::Buffer => buffer::run(options)?,
        Bench::Embedded => embedded::run(options)?,
        Bench::Idle(args) => idle::run(&args, options)?,
        Bench::Crawl(args) => crawl::run(&args, options)?,
        Bench::Lab => lab::run(options)?,
        Bench::Child(role) => return role.run(),
    };
    show(&report, options)
}

fn show(report: &Report, options: &Options) -> Result<(), Failure> {
    if options.markdown {
        println!("{}", report.markdown(&Machine::read(&options.base_folder())));
    } else {
        println!("{}", report.text());
    }
    if options.json {
        println!("{}", serde_json::to_string(&report.json)?);
    }
    Ok(())
}

/// A runtime with a thread for each processor, as a program has that says nothing.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
