//! `cargo xtask test`: the groups in their order, what narrows them, and the sum at the end. How a
//! program is run and counted is in [`crate::run`]; jobs that need the network are in
//! [`crate::ci`].
//!
//! Nearly everything is built in debug with the flags of the environment, the same for every group,
//! so that nothing is built twice: `clippy` and `docs` share the metadata of the dependencies, and
//! `test` and `crawl` their code. All cargo runs name the whole workspace where they can, because
//! another set of packages is another set of features, and that builds the dependencies again.
//! What needs other flags has a folder of its own under `target/`: the fuzz targets that `clippy`
//! checks (`fuzz-check`), the two checkers of `models`, which are built in release (`loom`,
//! `shuttle`), and the copy of `mutants`.

use crate::bench;
use crate::mutants;
use crate::run::{Program, Stopwatch, Tally};
use crate::setup;
use crate::site::Site;
use crate::tidy;
use crate::workspace::{self, Member};
use std::path::Path;

/// The features that let the tests on a real site be built.
const SITE_FEATURES: &str = "handover-cli/site-test,handover-bench/site-test";

/// The tests on a real site, in an order in which the program that the second starts is built.
const SITE_TESTS: [&str; 2] = ["crawl_site", "crawl_smoke"];

/// Crates whose tests look at system calls.
const USE_STRACE: [&str; 2] = ["handover-bench", "handover-sqlite"];

/// Where the page of the lessons is, and the test of it.
const PAGE: &str = "crates/handover-cli/web";

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Run only these groups, or only the tests of these crates (repeatable).
    #[arg(long, value_name = "CRATE|GROUP")]
    only: Vec<String>,
    /// Leave these groups, or the tests of these crates, out (repeatable).
    #[arg(long, value_name = "CRATE|GROUP")]
    without: Vec<String>,
    /// Run the tests' longer forms: HANDOVER_LONG=1 in their environment.
    #[arg(long)]
    long: bool,
}

/// The groups, in the order in which they run: what fails soonest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Tidy,
    Fmt,
    Clippy,
    Test,
    Docs,
    Page,
    Crawl,
    Models,
    Mutants,
}

impl Group {
    pub(crate) const ALL: [Self; 9] = [
        Self::Tidy,
        Self::Fmt,
        Self::Clippy,
        Self::Test,
        Self::Docs,
        Self::Page,
        Self::Crawl,
        Self::Models,
        Self::Mutants,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tidy => "tidy",
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Test => "test",
            Self::Docs => "docs",
            Self::Page => "page",
            Self::Crawl => "crawl",
            Self::Models => "models",
            Self::Mutants => "mutants",
        }
    }
}

/// What is run: the groups, and of which crates the tests.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    groups: Vec<Group>,
    /// Empty: all of them.
    crates: Vec<String>,
    excluded: Vec<String>,
    long: bool,
}

impl Plan {
    pub(crate) fn everything() -> Self {
        Self { groups: Group::ALL.to_vec(), crates: vec![], excluded: vec![], long: false }
    }

    fn new(args: &Args, members: &[Member]) -> Result<Self, String> {
        let (mut groups, mut crates) = sort_names(&args.only, members)?;
        let (groups_out, excluded) = sort_names(&args.without, members)?;
        if !crates.is_empty() && !groups.contains(&Group::Test) {
            groups.push(Group::Test);
        }
        if args.only.is_empty() {
            groups = Group::ALL.to_vec();
        }
        groups = Group::ALL
            .into_iter()
            .filter(|g| groups.contains(g) && !groups_out.contains(g))
            .collect();
        let named_crates = !crates.is_empty();
        crates.retain(|name| !excluded.contains(name));
        let no_crate_left = named_crates && crates.is_empty() || excluded.len() == members.len();
        if no_crate_left {
            groups.retain(|&g| g != Group::Test);
        }
        if groups.is_empty() {
            return Err("--only and --without leave nothing to run; name fewer".to_owned());
        }
        Ok(Self { groups, crates, excluded, long: args.long })
    }

    /// Whether this crate's tests are meant.
    fn means(&self, name: &str) -> bool {
        let is = |given: &String| given == name;
        (self.crates.is_empty() || self.crates.iter().any(is)) && !self.excluded.iter().any(is)
    }

    /// Runs a test command, in its longer form where that was asked for.
    fn tests(&self, program: Program) -> Result<Tally, String> {
        if self.long { program.env("HANDOVER_LONG", "1") } else { program }.tests()
    }

    /// Cargo's words for the crates whose tests are meant.
    fn packages(&self) -> Vec<&str> {
        if self.crates.is_empty() {
            let excluded = self.excluded.iter().flat_map(|name| ["--exclude", name]);
            return std::iter::once("--workspace").chain(excluded).collect();
        }
        self.crates.iter().flat_map(|name| ["-p", name.as_str()]).collect()
    }

    /// The same, for the documentation's examples, which only libraries have: cargo refuses a
    /// selection without any.
    fn packages_with_docs<'a>(&'a self, root: &Path, members: &'a [Member]) -> Vec<&'a str> {
        if self.crates.is_empty() && self.excluded.is_empty() {
            return self.packages();
        }
        let libs = members.iter().filter(|m| self.means(&m.name) && m.has_lib(root));
        libs.flat_map(|m| ["-p", m.name.as_str()]).collect()
    }
}

fn sort_names(names: &[String], members: &[Member]) -> Result<(Vec<Group>, Vec<String>), String> {
    let (mut groups, mut crates) = (Vec::new(), Vec::new());
    for name in names.iter().flat_map(|n| n.split(',')) {
        if let Some(group) = Group::ALL.into_iter().find(|g| g.name() == name) {
            groups.push(group);
        } else if members.iter().any(|m| m.name == name) {
            crates.push(name.to_owned());
        } else {
            let groups = Group::ALL.map(Group::name).join(", ");
            let crates: Vec<&str> = members.iter().map(|m| m.name.as_str()).collect();
            return Err(format!(
                "nothing is called {name:?}; groups: {groups}; crates: {}",
                crates.join(", ")
            ));
        }
    }
    Ok((groups, crates))
}

pub(crate) fn main(root: &Path, args: &Args) -> Result<bool, String> {
    let members = workspace::members(root)?;
    let plan = Plan::new(args, &members)?;
    tell_narrowing(args);
    let mut results = Vec::new();
    for &group in &plan.groups {
        results.push(timed(group.name(), || run_group(root, &members, &plan, group)));
    }
    Ok(close(&results))
}

fn tell_narrowing(args: &Args) {
    if !args.only.is_empty() {
        println!("narrowed: only {} (--only)", args.only.join(", "));
    }
    if !args.without.is_empty() {
        println!("narrowed: without {} (--without)", args.without.join(", "));
    }
}

/// What a group came to.
#[derive(Debug)]
pub(crate) struct GroupResult {
    name: &'static str,
    tally: Tally,
    took: String,
}

/// Runs one group with its name and time around its output. An error is a failure of the group,
/// not the end: the groups after it have something to say too.
pub(crate) fn timed(
    name: &'static str,
    run: impl FnOnce() -> Result<Tally, String>,
) -> GroupResult {
    println!("\n== {name}");
    let watch = Stopwatch::start();
    let tally = run().unwrap_or_else(|why| {
        println!("{name}: {why}");
        Tally::one(false)
    });
    let took = watch.read();
    println!("== {name}: {} in {took}", if tally.failed == 0 { "ok" } else { "FAILED" });
    GroupResult { name, tally, took }
}

/// Prints the table and the closing line that a reader of the log looks for; whether all is well.
pub(crate) fn close(results: &[GroupResult]) -> bool {
    let mut sum = Tally::default();
    println!();
    for GroupResult { name, tally, took } in results {
        let word = if tally.failed == 0 { "ok" } else { "FAILED" };
        println!(
            "{name:10} {word:6} {:>5} passed {:>3} failed  {took}",
            tally.passed, tally.failed
        );
        sum.add(*tally);
    }
    println!("\n{} passed, {} failed", sum.passed, sum.failed);
    sum.failed == 0
}

pub(crate) fn run_group(
    root: &Path,
    members: &[Member],
    plan: &Plan,
    group: Group,
) -> Result<Tally, String> {
    match group {
        Group::Tidy => tidy::main(root).map(Tally::one),
        Group::Fmt => fmt(root).map(Tally::one),
        Group::Clippy => {
            let mut tally = Tally::one(clippy(root, members)?);
            tally.add(Tally::one(fuzz_targets(root)?));
            Ok(tally)
        }
        Group::Test => test(root, members, plan),
        Group::Docs => docs(root).map(Tally::one),
        Group::Page => page(root, plan),
        Group::Crawl => crawl(root, members, plan),
        Group::Models => models(root, plan),
        Group::Mutants => mutants::run(root, &[], plan.long),
    }
}

/// The page of `handover learn --web` in a real browser.
fn page(root: &Path, plan: &Plan) -> Result<Tally, String> {
    let browser = setup::page_needs(&root.join(PAGE))?;
    // With the tests of the whole workspace, so that it is built as the group `test` built it.
    let built = Program::cargo(root).args(["test", "--workspace", "--no-run", "--test", "it"]);
    if !built.ok()? {
        return Err("the program that serves the page was not built".to_owned());
    }
    let binary = bench::target()?.join(format!("debug/handover{}", std::env::consts::EXE_SUFFIX));
    let program = Program::new("node", &root.join(PAGE))
        .args(["--test", "--test-reporter=./test/reporter.mjs"])
        .args(["test/words.test.mjs", "test/page.test.mjs"])
        .env("HANDOVER_BIN", &binary.to_string_lossy())
        .env("HANDOVER_BROWSER", &browser.to_string_lossy());
    plan.tests(program)
}

/// The crawl test's target exists only with its feature; without it nothing would lint the file.
fn site_feature(members: &[Member]) -> &'static [&'static str] {
    let cli = members.iter().find(|m| m.name == "handover-cli");
    if cli.is_some_and(|m| m.manifest.get("features", "site-test").is_some()) {
        return &["--features", SITE_FEATURES];
    }
    &[]
}

/// Names the files only: what is wrong with them is mended by a program anyway.
fn fmt(root: &Path) -> Result<bool, String> {
    let ok = Program::cargo(root).args(["fmt", "--all", "--check", "--", "-l"]).ok()?;
    if !ok {
        println!("fmt: run `cargo fmt --all`");
    }
    Ok(ok)
}

fn clippy(root: &Path, members: &[Member]) -> Result<bool, String> {
    Program::cargo(root)
        .args(["clippy", "--workspace", "--all-targets"])
        .args(site_feature(members))
        .args(["--", "-D", "warnings"])
        .ok()
}

/// Whether the fuzz targets compile: they are a workspace of their own, and run only where somebody
/// asks for it, with a nightly toolchain. To check them the stable one is enough.
fn fuzz_targets(root: &Path) -> Result<bool, String> {
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    Program::cargo(root)
        .args(["check", "--quiet", "--manifest-path", "fuzz/Cargo.toml", "--lib", "--bins"])
        // Nothing is linked, so libFuzzer itself, which is C++, need not be built: it is said to be there.
        .env("CUSTOM_LIBFUZZER_PATH", "/nowhere/libFuzzer.a")
        .env("RUSTFLAGS", format!("{flags} --cfg fuzzing").trim())
        .env("CARGO_TARGET_DIR", &root.join("target/fuzz-check").to_string_lossy())
        .ok()
}

fn test(root: &Path, members: &[Member], plan: &Plan) -> Result<Tally, String> {
    if USE_STRACE.iter().any(|name| plan.means(name)) {
        setup::strace()?;
    }
    let program = |args: &[&str], packages: Vec<&str>| {
        let program = Program::cargo(root).args(["test", "--no-fail-fast"]);
        plan.tests(program.args(args).args(packages))
    };
    let mut tally = program(&["--all-targets"], plan.packages())?;
    let packages = plan.packages_with_docs(root, members);
    if !packages.is_empty() {
        // `--all-targets` leaves the documentation's examples out.
        tally.add(program(&["--doc"], packages)?);
    }
    Ok(tally)
}

/// Libraries only: the binary `handover` would write over the pages of the library `handover`.
fn docs(root: &Path) -> Result<bool, String> {
    Program::cargo(root)
        .args(["doc", "--workspace", "--no-deps", "--lib"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .ok()
}

fn crawl(root: &Path, members: &[Member], plan: &Plan) -> Result<Tally, String> {
    let feature = site_feature(members);
    if feature.is_empty() {
        return Err("crates/handover-cli has no feature site-test; add it, and the test \
                    crawl_site that needs it"
            .to_owned());
    }
    let needs = setup::site_needs()?;
    let mut tally = Tally::default();
    for test in SITE_TESTS {
        // A site for each, because the first counts what it was asked.
        let site = Site::start(&needs)?;
        println!("serving {} at {}", site.tree.display(), site.url);
        let program = Program::cargo(root)
            .args(["test", "--workspace"])
            .args(feature)
            .args(["--test", test, "--", "--nocapture"])
            .env("HANDOVER_SITE", &site.url)
            .env("HANDOVER_SITE_TREE", &site.tree.to_string_lossy())
            .env("HANDOVER_SITE_LOG", &site.log.to_string_lossy());
        tally.add(plan.tests(program)?);
    }
    Ok(tally)
}

/// The buffer under the model checkers. Each builds it with primitives of its own, in a folder of
/// its own: another flag in `target/` would build everything a second time.
fn models(root: &Path, plan: &Plan) -> Result<Tally, String> {
    let mut tally = Tally::default();
    for checker in ["loom", "shuttle"] {
        let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
        let program = Program::cargo(root)
            .args(["test", "-p", "handover-buffer", "--release", "--test", checker])
            .args(["--", "--test-threads", "2"])
            .env("RUSTFLAGS", format!("{flags} --cfg {checker}").trim())
            .env("CARGO_TARGET_DIR", &root.join("target").join(checker).to_string_lossy());
        tally.add(plan.tests(program)?);
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Manifest;

    fn members() -> Vec<Member> {
        ["a", "b"]
            .map(|name| Member {
                name: name.to_owned(),
                dir: format!("crates/{name}"),
                manifest: Manifest::default(),
            })
            .to_vec()
    }

    fn plan(only: &[&str], without: &[&str]) -> Result<Plan, String> {
        let names = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let args = Args { only: names(only), without: names(without), long: false };
        Plan::new(&args, &members())
    }

    #[test]
    fn without_narrowing_every_group_runs_over_the_whole_workspace() {
        let plan = plan(&[], &[]).unwrap();
        assert_eq!(plan, Plan::everything());
        assert_eq!(plan.packages(), ["--workspace"]);
    }

    #[test]
    fn only_a_crate_is_the_tests_of_that_crate() {
        let plan = plan(&["b"], &[]).unwrap();
        assert_eq!(plan.groups, [Group::Test]);
        assert_eq!(plan.packages(), ["-p", "b"]);
    }

    #[test]
    fn groups_and_crates_add_up_and_run_in_their_order() {
        let plan = plan(&["crawl,a", "tidy"], &[]).unwrap();
        assert_eq!(plan.groups, [Group::Tidy, Group::Test, Group::Crawl]);
        assert_eq!(plan.packages(), ["-p", "a"]);
    }

    #[test]
    fn without_takes_away_groups_and_crates() {
        let plan = plan(&[], &["crawl", "b"]).unwrap();
        assert!(!plan.groups.contains(&Group::Crawl));
        assert_eq!(plan.packages(), ["--workspace", "--exclude", "b"]);
    }

    #[test]
    fn only_libraries_have_examples_in_their_documentation() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("crates/a/src")).unwrap();
        std::fs::write(root.path().join("crates/a/src/lib.rs"), "").unwrap();
        let docs = |only: &[&str], without: &[&str]| {
            let plan = plan(only, without).unwrap();
            plan.packages_with_docs(root.path(), &members()).join(" ")
        };
        assert_eq!(docs(&[], &[]), "--workspace");
        assert_eq!(docs(&["a", "b"], &[]), "-p a");
        assert_eq!(docs(&[], &["b"]), "-p a");
        assert_eq!(docs(&[], &["a"]), "");
    }

    #[test]
    fn a_name_that_is_nothing_is_refused_with_what_there_is() {
        let why = plan(&["c"], &[]).unwrap_err();
        assert!(why.contains("\"c\"") && why.contains("crawl") && why.contains("a, b"), "{why}");
    }

    #[test]
    fn a_narrowing_that_leaves_nothing_is_refused() {
        assert!(plan(&["a"], &["a"]).is_err());
        assert!(plan(&["tidy"], &["tidy"]).is_err());
        let no_tests = plan(&[], &["a", "b"]).unwrap();
        assert!(!no_tests.groups.contains(&Group::Test));
    }

    #[test]
    fn a_group_that_cannot_run_has_failed() {
        let result = timed("broken", || Err("no".to_owned()));
        assert_eq!(result.tally, Tally::one(false));
        assert!(!close(&[result]));
        assert!(close(&[timed("well", || Ok(Tally::one(true)))]));
    }
}
