//! `cargo xtask ci`: CI's jobs by name, the same on a laptop. The groups of [`crate::test`] are
//! jobs; the others, which need the network or a release build, live here.

use crate::run::{Program, Tally};
use crate::test::{Group, GroupResult, Plan, close, run_group, timed};
use crate::workspace::{self, Member};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which job; all of them without a name.
    name: Option<Job>,
    /// Leave out what needs the network: the advisories of the job deny.
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Job {
    /// The house rules that no compiler checks.
    Tidy,
    /// Formatting.
    Fmt,
    /// Clippy over every target, warnings as errors; the fuzz targets compile.
    Clippy,
    /// Every test and every example of the documentation.
    Test,
    /// The documentation builds without a warning.
    Docs,
    /// The page of the lessons in a browser.
    Page,
    /// The crawl of a real site.
    Crawl,
    /// The buffer under loom and shuttle.
    Models,
    /// Deliberate bugs in the memory broker, each to be caught.
    Mutants,
    /// Licences, bans, sources and advisories of the dependencies.
    Deny,
    /// Each crate alone, with no feature and with all: a workspace build lies about both.
    Features,
    /// The demo in release mode, judged by its last line.
    Demo,
}

impl Job {
    fn group(self) -> Option<Group> {
        match self {
            Self::Tidy => Some(Group::Tidy),
            Self::Fmt => Some(Group::Fmt),
            Self::Clippy => Some(Group::Clippy),
            Self::Test => Some(Group::Test),
            Self::Docs => Some(Group::Docs),
            Self::Page => Some(Group::Page),
            Self::Crawl => Some(Group::Crawl),
            Self::Models => Some(Group::Models),
            Self::Mutants => Some(Group::Mutants),
            Self::Deny | Self::Features | Self::Demo => None,
        }
    }
}

pub(crate) fn main(root: &Path, args: &Args) -> Result<bool, String> {
    let members = workspace::members(root)?;
    let jobs = args
        .name
        .map_or_else(|| <Job as clap::ValueEnum>::value_variants().to_vec(), |job| vec![job]);
    let results: Vec<GroupResult> =
        jobs.into_iter().map(|job| run_job(root, &members, job, args.offline)).collect();
    Ok(close(&results))
}

fn run_job(root: &Path, members: &[Member], job: Job, offline: bool) -> GroupResult {
    if let Some(group) = job.group() {
        return timed(group.name(), || run_group(root, members, &Plan::everything(), group));
    }
    match job {
        Job::Deny => timed("deny", || deny(root, offline).map(Tally::one)),
        Job::Features => timed("features", || features(root, members).map(Tally::one)),
        _ => timed("demo", || demo(root).map(Tally::one)),
    }
}

fn deny(root: &Path, offline: bool) -> Result<bool, String> {
    if !Program::cargo(root).args(["deny", "--version"]).quietly_ok() {
        return Err("cargo-deny is missing; run `cargo install cargo-deny --locked`".to_owned());
    }
    // The graph of who wants a doubled crate is pages long; `cargo tree -d` tells it when asked.
    let check = |what: &[&str]| {
        Program::cargo(root).args(["deny", "check", "--hide-inclusion-graph"]).args(what).ok()
    };
    let local = check(&["bans", "licenses", "sources"])?;
    if offline {
        println!("deny: advisories left out (--offline)");
        return Ok(local);
    }
    if !check(&["advisories"])? {
        return Err("the advisories above apply, or their database could not be fetched (see the \
                    lines above); without network say `cargo xtask ci deny --offline`"
            .to_owned());
    }
    Ok(local)
}

fn features(root: &Path, members: &[Member]) -> Result<bool, String> {
    let mut well = true;
    for member in members {
        for features in ["--no-default-features", "--all-features"] {
            well &= Program::cargo(root).args(["check", "-p", &member.name, features]).ok()?;
        }
    }
    Ok(well)
}

fn demo(root: &Path) -> Result<bool, String> {
    let program = Program::cargo(root).args(["run", "--release", "--", "demo", "--json"]);
    let (ok, last) = program.last_line()?;
    judge_demo(&last)?;
    Ok(ok)
}

/// Whether the demo's last line says that the promises held.
pub(crate) fn judge_demo(line: &str) -> Result<(), String> {
    let json: serde_json::Value = serde_json::from_str(line)
        .map_err(|e| format!("the demo's last line is no JSON ({e}): {line}"))?;
    let number = |key: &str| {
        json[key]
            .as_u64()
            .ok_or_else(|| format!("the demo's last line has no number {key}: {line}"))
    };
    let results = json["results"].as_str().is_some_and(|s| !s.is_empty());
    let wrong = [
        (number("pages")? == 0, "no page was fetched"),
        (number("lost")? != 0, "jobs were lost"),
        (number("doubled")? != 0, "jobs had a second effect"),
        (number("depth_max")? > number("capacity")?, "the queue was deeper than its capacity"),
        (number("workers_killed")? != 1, "not exactly one worker was killed"),
        (!results, "it does not say where the results are"),
    ];
    match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, what)) => Err(format!("demo: {what}: {line}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"pages":12,"lost":0,"doubled":0,"depth_max":8,"capacity":8,"workers_killed":1,"results":"handover.db"}"#;

    #[test]
    fn a_demo_that_kept_its_promises_is_believed() {
        assert_eq!(judge_demo(GOOD), Ok(()));
    }

    #[test]
    fn each_broken_promise_of_the_demo_is_named() {
        for (from, to, named) in [
            ("\"pages\":12", "\"pages\":0", "no page"),
            ("\"lost\":0", "\"lost\":1", "lost"),
            ("\"doubled\":0", "\"doubled\":2", "second effect"),
            ("\"depth_max\":8", "\"depth_max\":9", "deeper"),
            ("\"workers_killed\":1", "\"workers_killed\":0", "killed"),
            ("handover.db", "", "where the results are"),
            ("\"lost\":0,", "", "no number lost"),
            ("}", "", "no JSON"),
        ] {
            let why = judge_demo(&GOOD.replace(from, to)).unwrap_err();
            assert!(why.contains(named), "{why}");
        }
    }
}
