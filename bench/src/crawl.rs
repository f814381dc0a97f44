//! `bench crawl`: a site by `handover crawl` and by Scrapy (`bench/scrapy_spider.py`), in turns, with eight requests at a time
//! and no delay. Who serves the site and installs Scrapy is `cargo xtask bench`; the runs and their memory are measured here.
//!
//! The site is on this machine, so that what is measured is the crawler. A crawler's time is from the start of its process to
//! its end; Scrapy's own count of its time, without the start of Python, is shown beside it.

mod run;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::run::Crawl;
use crate::measure::median;
use crate::report::{Report, Table, figure};
use crate::{Failure, Options};

const RUNS: u32 = 3;
/// The most addresses of a difference that are shown.
const SHOWN_MAX: usize = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the site is.
    #[arg(long, value_name = "URL", env = "HANDOVER_SITE")]
    site: String,
    /// The Python that has Scrapy.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
    /// Where the spider is.
    #[arg(long, value_name = "FILE", default_value = "bench/scrapy_spider.py")]
    spider: PathBuf,
    /// Where the command line `handover` is; beside this program where nothing is said.
    #[arg(long, value_name = "PROGRAM")]
    handover: Option<PathBuf>,
}

/// One crawler's runs.
#[derive(Debug, Default)]
struct Runs(Vec<Crawl>);

impl Runs {
    fn median(&self, of: impl Fn(&Crawl) -> f64) -> f64 {
        median(&self.0.iter().map(of).collect::<Vec<_>>())
    }

    fn per_s(&self) -> f64 {
        self.median(Crawl::per_s)
    }

    fn mb(&self) -> f64 {
        self.median(|crawl| crawl.mb)
    }

    /// The pages of all runs, which must be the same in each.
    fn pages(&self) -> Result<&BTreeSet<String>, Failure> {
        let first = self.0.first().ok_or("nothing was run")?;
        match self.0.iter().find(|crawl| crawl.pages != first.pages) {
            None => Ok(&first.pages),
            Some(other) => Err(format!(
                "two runs of one crawler found different pages: {}",
                difference(&first.pages, &other.pages)
            )
            .into()),
        }
    }
}

pub(crate) fn run(args: &Args, options: &Options) -> Result<Report, Failure> {
    let handover = match &args.handover {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("handover"),
    };
    let (mut ours, mut scrapy) = (Runs::default(), Runs::default());
    for _ in 0..options.runs_or(RUNS) {
        if options.wants("scrapy") {
            let folder = options.folder()?;
            scrapy.0.push(run::scrapy(&args.python, &args.spider, &args.site, folder.path())?);
        }
        if options.wants("handover") {
            let folder = options.folder()?;
            ours.0.push(run::handover(&handover, &args.site, folder.path())?);
        }
    }
    report(&ours, &scrapy)
}

fn report(ours: &Runs, scrapy: &Runs) -> Result<Report, Failure> {
    let mut table = Table::new(["", "pages/s", "seconds", "MB at most"]);
    let mut json = json!({});
    let mut remarks = Vec::new();
    for (name, runs) in [("handover", ours), ("scrapy", scrapy)] {
        if runs.0.is_empty() {
            continue;
        }
        let seconds = runs.median(Crawl::seconds);
        table.row([
            name.to_owned(),
            format!("{:.0}", runs.per_s()),
            format!("{seconds:.2}"),
            format!("{:.0}", runs.mb()),
        ]);
        json[format!("{name}_pages_per_s")] = figure(runs.per_s());
        json[format!("{name}_mb")] = figure(runs.mb());
        json["pages"] = Value::from(runs.pages()?.len());
    }
    if !ours.0.is_empty() && !scrapy.0.is_empty() {
        let (found, others) = (ours.pages()?, scrapy.pages()?);
        let ratio = ours.per_s() / scrapy.per_s();
        json["ratio"] = figure(ratio);
        json["same_pages"] = Value::from(found == others);
        let own = scrapy.median(|crawl| crawl.own_seconds.unwrap_or(f64::NAN));
        json["scrapy_own_seconds"] = figure(own);
        remarks.push(format!(
            "{ratio:.1} times Scrapy's rate with {:.2} of its memory. By its own clock, without the start of Python, Scrapy took {own:.2} s.",
            ours.mb() / scrapy.mb()
        ));
        remarks.push(if found == others {
            format!("Both found the same {} pages.", found.len())
        } else {
            format!("They found different pages: {}.", difference(found, others))
        });
    }
    Ok(Report {
        name: "crawl",
        conditions: vec![format!(
            "Python's documentation served by nginx on the same machine; 8 requests at a time, no delay, robots.txt obeyed, the same fields of each page to a JSON Lines file; handover also keeps queue and results in an SQLite file, `Synced`. Medians of {} runs in turn, each from the start of the process to its end.",
            ours.0.len().max(scrapy.0.len())
        )],
        tables: vec![table],
        remarks,
        json: json!({ "crawl": json }),
    })
}

/// What one set has and the other has not, for people.
fn difference(ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> String {
    let show = |from: &BTreeSet<String>, without: &BTreeSet<String>| {
        let only: Vec<_> = from.difference(without).map(String::as_str).collect();
        let shown = only.iter().take(SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
        format!("{} ({shown})", only.len())
    };
    format!("only the first {}, only the second {}", show(ours, theirs), show(theirs, ours))
}

/// The addresses in a JSON Lines file of pages.
fn pages(file: &Path) -> Result<BTreeSet<String>, Failure> {
    let text = std::fs::read_to_string(file)?;
    let url = |line: &str| -> Result<String, Failure> {
        let page: Value = serde_json::from_str(line)?;
        Ok(page["url"].as_str().ok_or("a page without url")?.to_owned())
    };
    text.lines().map(url).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn crawl(pages: &[&str], millis: u64) -> Crawl {
        Crawl {
            pages: pages.iter().map(ToString::to_string).collect(),
            took: Duration::from_millis(millis),
            mb: 10.0,
            own_seconds: None,
        }
    }

    #[test]
    fn the_same_pages_are_said_to_be_the_same() {
        let ours = Runs(vec![crawl(&["a", "b"], 500), crawl(&["a", "b"], 1_000)]);
        let scrapy = Runs(vec![crawl(&["a", "b"], 4_000)]);
        let json = report(&ours, &scrapy).unwrap().json;
        assert_eq!(json["crawl"]["same_pages"], true);
        assert_eq!(json["crawl"]["pages"], 2);
        assert_eq!(json["crawl"]["handover_pages_per_s"], 2.0);
        assert_eq!(json["crawl"]["ratio"], 4.0);
    }

    #[test]
    fn other_pages_are_named() {
        let report = report(&Runs(vec![crawl(&["a"], 1)]), &Runs(vec![crawl(&["b"], 1)])).unwrap();
        assert_eq!(report.json["crawl"]["same_pages"], false);
        assert!(report.text().contains("only the first 1 (a), only the second 1 (b)"));
    }

    #[test]
    fn a_crawler_that_finds_other_pages_the_second_time_is_an_error() {
        let ours = Runs(vec![crawl(&["a"], 1), crawl(&["a", "b"], 1)]);
        assert!(report(&ours, &Runs::default()).is_err());
    }

    #[test]
    fn one_crawler_alone_is_reported_alone() {
        let json = report(&Runs(vec![crawl(&["a"], 1)]), &Runs::default()).unwrap().json;
        assert_eq!(json["crawl"]["handover_mb"], 10.0);
        assert!(json["crawl"].get("same_pages").is_none());
    }

    #[test]
    fn pages_are_read_from_their_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pages.jsonl");
        std::fs::write(&file, "{\"url\":\"b\"}\n{\"url\":\"a\",\"x\":1}\n").unwrap();
        assert_eq!(pages(&file).unwrap().into_iter().collect::<Vec<_>>(), ["a", "b"]);
        std::fs::write(&file, "{}\n").unwrap();
        assert!(pages(&file).is_err());
    }
}
