//! One run of one crawler: its process from start to end, the pages it wrote, and the most memory it had.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use handover::clock;
use serde_json::Value;

use super::pages;
use crate::Failure;
use crate::measure::peak_mb;

/// How often the memory is looked at. What counts is the kernel's own record of the highest, so only what a process
/// takes in its last moment can be missed.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Crawl {
    pub(super) pages: BTreeSet<String>,
    pub(super) took: Duration,
    pub(super) mb: f64,
    /// The crawler's own count of its time, where it has one.
    pub(super) own_seconds: Option<f64>,
}

impl Crawl {
    pub(super) fn seconds(&self) -> f64 {
        self.took.as_secs_f64()
    }

    pub(super) fn per_s(&self) -> f64 {
        crate::measure::rate(u64::try_from(self.pages.len()).unwrap_or(0), self.took)
    }
}

pub(super) fn handover(program: &Path, site: &str, folder: &Path) -> Result<Crawl, Failure> {
    let out = folder.join("pages.jsonl");
    let mut command = Command::new(program);
    command
        .args(["crawl", site, "--depth", "100", "--delay", "0s", "--per-host", "0"])
        .args(["--concurrency", "8", "--field", "heading=h1", "--json", "--log", "error", "--out"])
        .arg(&out);
    crawl(command, folder, &out)
}

pub(super) fn scrapy(
    python: &Path,
    spider: &Path,
    site: &str,
    folder: &Path,
) -> Result<Crawl, Failure> {
    let out = folder.join("pages.jsonl");
    let spider = fs::canonicalize(spider).map_err(|e| format!("{}: {e}", spider.display()))?;
    // Its path from here, as the crawler runs in its own folder; not further, as a link to Python in a virtual environment
    // is what makes it that environment's.
    let from_here = std::path::absolute(python)?;
    let mut command = Command::new(if from_here.is_file() { &from_here } else { python });
    command.arg(spider).arg(site).arg(&out);
    let mut crawl = crawl(command, folder, &out)?;
    crawl.own_seconds = own_seconds(&fs::read_to_string(folder.join(SAID))?);
    Ok(crawl)
}

/// Runs it in its folder until it ends.
fn crawl(mut command: Command, folder: &Path, out: &Path) -> Result<Crawl, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.current_dir(folder).stdin(Stdio::null()).stdout(fs::File::create(folder.join(SAID))?);
    let started = clock::now();
    let mut child = command.spawn().map_err(|error| {
        format!("{name}: {error}; build or install it, or leave it out with --only")
    })?;
    let mut mb = 0.0_f64;
    let status = loop {
        mb = mb.max(of_tree(&child));
        match child.try_wait()? {
            Some(status) => break status,
            None => std::thread::park_timeout(LOOK),
        }
    };
    let took = started.elapsed();
    if !status.success() {
        return Err(format!("{name} ended with {status}; what it said is above").into());
    }
    Ok(Crawl { pages: pages(out)?, took, mb, own_seconds: None })
}

/// Where a crawler's standard output goes.
const SAID: &str = "said";

/// The most memory the process and its children had, added up.
fn of_tree(child: &Child) -> f64 {
    let mut all = vec![child.id()];
    let mut next = 0;
    while let Some(&process) = all.get(next) {
        let file = format!("/proc/{process}/task/{process}/children");
        let children = fs::read_to_string(file).unwrap_or_default();
        all.extend(children.split_ascii_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        next += 1;
    }
    all.into_iter().filter_map(peak_mb).sum()
}

/// What the spider says on its last line.
fn own_seconds(said: &str) -> Option<f64> {
    let last: Value = serde_json::from_str(said.lines().last()?).ok()?;
    last["elapsed_s"].as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spiders_own_time_is_on_its_last_line() {
        let said = "noise\n{\"reason\": \"finished\", \"elapsed_s\": 1.5}\n";
        assert_eq!(own_seconds(said), Some(1.5));
        assert_eq!(own_seconds("noise"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_crawler_that_fails_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let why = crawl(Command::new("false"), folder.path(), &folder.path().join("out"));
        assert!(why.unwrap_err().to_string().starts_with("false ended with "));
    }
}
