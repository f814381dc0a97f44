//! `cargo xtask bench`: builds the program that measures, in release mode, prepares what it needs
//! beside it (a site, Scrapy, strace), and starts it. What is measured, and how, is in `bench/`.

use crate::run::Program;
use crate::setup;
use crate::site::Site;
use std::path::{Path, PathBuf};

/// The Scrapy that the crawl is measured beside.
const SCRAPY: &str = "2.19.0";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which one; all of them without a name.
    name: Option<Name>,
    /// Print one JSON object on the last line of each.
    #[arg(long)]
    json: bool,
    /// Print tables as the book has them.
    #[arg(long)]
    markdown: bool,
    /// One short iteration; its figures are worth nothing.
    #[arg(long)]
    short: bool,
    /// Passed on to it: --runs N, --only PART, --dir FOLDER, …
    #[arg(last = true)]
    rest: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// The in-process buffer beside other channels: items a second.
    Buffer,
    /// The embedded broker beside bare SQLite: cycles a second and latencies.
    Embedded,
    /// A worker with nothing to do: its system calls, and how fast it wakes.
    Idle,
    /// A site's crawl beside Scrapy: pages a second and memory.
    Crawl,
    /// The lessons' engine: what recording costs, and how long exploring takes.
    Lab,
}

impl Name {
    const ALL: [Self; 5] = [Self::Buffer, Self::Embedded, Self::Idle, Self::Crawl, Self::Lab];

    fn as_str(self) -> &'static str {
        match self {
            Self::Buffer => "buffer",
            Self::Embedded => "embedded",
            Self::Idle => "idle",
            Self::Crawl => "crawl",
            Self::Lab => "lab",
        }
    }
}

impl Args {
    /// What the program is told beyond the bench's name.
    fn words(&self, scratch: &Path) -> Vec<String> {
        let flags = [("--json", self.json), ("--markdown", self.markdown), ("--short", self.short)];
        let mut words: Vec<String> =
            flags.iter().filter(|(_, set)| *set).map(|(flag, _)| (*flag).to_owned()).collect();
        if !self.rest.iter().any(|word| word == "--dir" || word.starts_with("--dir=")) {
            // The disk of the checkout: a system's folder for temporary files may be memory.
            words.extend(["--dir".to_owned(), scratch.to_string_lossy().into_owned()]);
        }
        words.extend(self.rest.iter().cloned());
        words
    }

    /// Whether the crawl is measured beside Scrapy: not where only handover's was asked for.
    fn wants_scrapy(&self) -> bool {
        !self.rest.iter().any(|word| word.trim_start_matches("--only=") == "handover")
    }
}

pub(crate) fn main(root: &Path, args: &Args) -> Result<bool, String> {
    // Both at once whatever is measured: another selection is another set of features, and that
    // builds the dependencies again.
    let build = Program::cargo(root).args(["build", "--release", "--bins"]);
    if !build.args(["-p", "handover-bench", "-p", "handover-cli"]).ok()? {
        return Ok(false);
    }
    let target = target()?;
    let words = args.words(&target.join("bench"));
    let mut well = true;
    for name in args.name.map_or_else(|| Name::ALL.to_vec(), |name| vec![name]) {
        let program = Program::new(&target.join("release/bench").to_string_lossy(), root);
        let program = program.args([name.as_str()]).args(&words);
        well &= match name {
            Name::Buffer | Name::Embedded | Name::Lab => program.ok()?,
            Name::Idle => {
                setup::strace()?;
                program.ok()?
            }
            Name::Crawl => {
                let site = Site::start(&setup::site_needs()?)?;
                let program = program.args(["--site", &site.url]);
                if args.wants_scrapy() {
                    let python = scrapy(root, &target)?;
                    program.args(["--python", &python.to_string_lossy()]).ok()?
                } else {
                    program.ok()?
                }
            }
        };
    }
    Ok(well)
}

/// The folder of what is built, in which this program is too.
pub(crate) fn target() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|e| format!("where is this program: {e}"))?;
    let target = program.parent().and_then(Path::parent);
    target.map(Path::to_path_buf).ok_or_else(|| format!("{} is in no target", program.display()))
}

/// The Python of a virtual environment with Scrapy, made where it is missing.
fn scrapy(root: &Path, target: &Path) -> Result<PathBuf, String> {
    // The version is in the name, so that another one is another folder.
    let folder = target.join(format!("scrapy-{SCRAPY}"));
    let python = folder.join("bin/python");
    let program = python.to_string_lossy().into_owned();
    if Program::new(&program, root).args(["-c", "import scrapy"]).quietly_ok() {
        return Ok(python);
    }
    let folder = folder.to_string_lossy().into_owned();
    let wanted = format!("scrapy=={SCRAPY}");
    let made = Program::new("python3", root).args(["-m", "venv", &folder]).ok()?
        && Program::new(&program, root).args(["-m", "pip", "install", "-q", &wanted]).ok()?;
    if !made {
        return Err("Scrapy could not be installed (see above): it needs python3 with venv and \
                    pip, and a package index; or measure without it: \
                    cargo xtask bench crawl -- --only handover"
            .to_owned());
    }
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn words(line: &[&str]) -> String {
        let line = Line::parse_from(["bench"].iter().chain(line));
        line.args.words(Path::new("scratch")).join(" ")
    }

    #[test]
    fn flags_and_what_follows_the_dashes_are_passed_on() {
        assert_eq!(words(&["idle"]), "--dir scratch");
        assert_eq!(
            words(&["buffer", "--json", "--short", "--", "--runs", "7"]),
            "--json --short --dir scratch --runs 7"
        );
    }

    #[test]
    fn scrapy_is_not_needed_for_a_crawl_without_it() {
        let wants =
            |line: &[&str]| Line::parse_from(["bench"].iter().chain(line)).args.wants_scrapy();
        assert!(wants(&["crawl"]) && wants(&["crawl", "--", "--only", "scrapy"]));
        assert!(!wants(&["crawl", "--", "--only", "handover"]));
        assert!(!wants(&["crawl", "--", "--only=handover"]));
    }

    #[test]
    fn a_folder_that_is_named_is_the_one_that_is_used() {
        assert_eq!(words(&["idle", "--", "--dir", "there"]), "--dir there");
        assert_eq!(words(&["--", "--dir=there"]), "--dir=there");
    }
}
