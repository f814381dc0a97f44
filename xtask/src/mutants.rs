//! `cargo xtask mutants`: the deliberate bugs in `crates/handover/mutants`, each put into a scratch copy of the memory broker;
//! the conformance suite must fail with every one of them. What a mutant is and how to add one stands in that folder's
//! `README.md`; which promises the suite owes is in `crates/handover-conformance`.

use crate::run::{Stopwatch, Tally};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Where the patches are.
const FOLDER: &str = "crates/handover/mutants";
/// What the memory broker and its suite are made of.
const CRATES: [&str; 3] = ["handover-buffer", "handover", "handover-conformance"];
/// The same random steps every time, so that a mutant that lives can be looked at.
const SEED: &str = "1";
/// No part of the suite takes this long by itself: who is stopped here was not caught by the suite.
const HANG: Duration = Duration::from_secs(420);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the mutants whose names contain this (repeatable).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The suite's longer forms: HANDOVER_LONG=1 in its environment.
    #[arg(long)]
    long: bool,
}

/// A deliberate bug.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mutant {
    name: String,
    promise: String,
    /// The case that is expected to fail.
    case: String,
    patch: PathBuf,
}

impl Mutant {
    fn read(patch: PathBuf) -> Result<Self, String> {
        let text = fs::read_to_string(&patch).map_err(|e| format!("{}: {e}", patch.display()))?;
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(name, patch, &text)
    }

    fn parse(name: String, patch: PathBuf, text: &str) -> Result<Self, String> {
        let head = text.lines().take_while(|line| !line.starts_with("--- "));
        let head: BTreeMap<&str, &str> =
            head.filter_map(|line| line.split_once(':')).map(|(k, v)| (k, v.trim())).collect();
        let field = |key: &str| {
            let value = head.get(key).filter(|value| !value.is_empty());
            value.map(|value| (*value).to_owned()).ok_or_else(|| {
                format!("{FOLDER}/{name}.patch does not begin with a line `{key}: …`; add it")
            })
        };
        let (promise, case) = (field("Promise")?, field("Caught-by")?);
        field("Bug")?;
        if !name.starts_with(&format!("{}_", promise.to_lowercase())) {
            return Err(format!(
                "{FOLDER}/{name}.patch is about {promise}: its name must begin so"
            ));
        }
        Ok(Self { name, promise, case, patch })
    }
}

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// By this case.
    Caught(String),
    Lives,
    /// The suite had no end, or died without a word.
    Mute(String),
    /// The patch does not fit, or what it makes does not compile.
    Broken(String),
}

impl Fate {
    fn words(&self, expected: &str) -> String {
        match self {
            Self::Caught(case) if case == expected => case.clone(),
            Self::Caught(case) => format!("{case} (and not by {expected})"),
            Self::Lives => "NOBODY: it lives; write the case that is missing".to_owned(),
            Self::Mute(why) => format!("NOBODY: {why}"),
            Self::Broken(why) => format!("STALE: {why}"),
        }
    }
}

pub(crate) fn main(root: &Path, args: &Args) -> Result<bool, String> {
    run(root, &args.only, args.long).map(|tally| tally.failed == 0)
}

/// Each mutant is a test: it passes when the suite catches it.
pub(crate) fn run(root: &Path, only: &[String], long: bool) -> Result<Tally, String> {
    let all = read_all(root)?;
    let wanted = |m: &&Mutant| only.is_empty() || only.iter().any(|n| m.name.contains(n));
    let mutants: Vec<&Mutant> = all.iter().filter(wanted).collect();
    if mutants.is_empty() {
        return Err(format!("no mutant in {FOLDER} is called {}", only.join(" or ")));
    }
    let lab = Lab { root: root.to_path_buf(), long };
    println!("the broker without a bug:");
    let watch = Stopwatch::start();
    lab.restore()?;
    match lab.judge(None) {
        Fate::Lives => println!("  passes, in {}", watch.read()),
        other => {
            return Err(format!(
                "the suite must pass before a bug is put in, but: {}",
                other.words("")
            ));
        }
    }
    let mut tally = Tally::default();
    println!("{:55} {:3} {:>7}  caught by", "mutant", "", "time");
    for mutant in &mutants {
        let watch = Stopwatch::start();
        let fate = lab.infect(mutant);
        tally.add(Tally::one(matches!(fate, Fate::Caught(_))));
        let words = fate.words(&mutant.case);
        println!("{:55} {:3} {:>7}  {words}", mutant.name, mutant.promise, watch.read());
    }
    println!("{} of {} mutants were caught", tally.passed, mutants.len());
    Ok(tally)
}

/// Every mutant, by name. There are at least two for each promise.
fn read_all(root: &Path) -> Result<Vec<Mutant>, String> {
    let folder = root.join(FOLDER);
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut patches: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "patch"))
        .collect();
    patches.sort();
    let mutants: Vec<Mutant> = patches.into_iter().map(Mutant::read).collect::<Result<_, _>>()?;
    for promise in ["P1", "P2", "P3", "P4", "P5"] {
        if mutants.iter().filter(|m| m.promise == promise).count() < 2 {
            return Err(format!("{FOLDER} has fewer than two mutants of {promise}; add some"));
        }
    }
    Ok(mutants)
}

/// The scratch copy.
#[derive(Debug)]
struct Lab {
    root: PathBuf,
    long: bool,
}

impl Lab {
    fn dir(&self) -> PathBuf {
        self.root.join("target/mutants/copy")
    }

    /// Makes the copy what the checkout is. Files that are the same are left alone, so that cargo need not build them again.
    fn restore(&self) -> Result<(), String> {
        let manifest = fs::read_to_string(self.root.join("Cargo.toml"))
            .map_err(|e| format!("Cargo.toml: {e}"))?;
        write(&self.dir().join("Cargo.toml"), narrowed(&manifest)?.as_bytes())?;
        self.restore_lock()?;
        for name in CRATES {
            let part = Path::new("crates").join(name);
            mirror(&self.root.join(&part), &self.dir().join(&part))?;
        }
        Ok(())
    }

    /// The lock of the copy is the checkout's, cut by cargo to the crates of the copy, so the two are never the same. What
    /// it was cut from lies beside it, and a new one comes over when the checkout's has changed since.
    fn restore_lock(&self) -> Result<(), String> {
        let full =
            fs::read(self.root.join("Cargo.lock")).map_err(|e| format!("Cargo.lock: {e}"))?;
        let (lock, origin) = (self.dir().join("Cargo.lock"), self.dir().join("Cargo.lock.origin"));
        if !lock.is_file() || fs::read(&origin).ok().as_ref() != Some(&full) {
            write(&lock, &full)?;
            write(&origin, &full)?;
        }
        Ok(())
    }

    /// Puts the bug in, and looks whether the suite sees it.
    fn infect(&self, mutant: &Mutant) -> Fate {
        if let Err(why) = self.restore() {
            return Fate::Broken(why);
        }
        let patched = Command::new("git")
            .args(["apply", "--recount", "-C1"])
            .arg(&mutant.patch)
            .current_dir(self.dir())
            // Inside a checkout git would look for the files of the patch at its top.
            .env("GIT_CEILING_DIRECTORIES", self.root.join("target/mutants"))
            .output();
        match patched {
            Ok(output) if output.status.success() => self.judge(Some(&mutant.case)),
            Ok(output) => Fate::Broken(format!(
                "the patch does not fit the broker any more ({}); {FOLDER}/README.md says how to refresh it",
                String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "),
            )),
            Err(why) => Fate::Broken(format!("cannot start git: {why}; is it installed?")),
        }
    }

    /// The suite's verdict on the copy: the case that is expected first, and all of them where it does not fail.
    fn judge(&self, case: Option<&str>) -> Fate {
        let binary = match self.build() {
            Ok(binary) => binary,
            Err(why) => return Fate::Broken(why),
        };
        if let Some(case) = case {
            let fate = self.suite(&binary, &["--exact", case]);
            if fate != Fate::Lives {
                return fate;
            }
        }
        self.suite(&binary, &["--test-threads", "6"])
    }

    fn build(&self) -> Result<PathBuf, String> {
        let output = Command::new("cargo")
            .args(["test", "-p", "handover", "--test", "conformance", "--no-run"])
            .args(["--quiet", "--message-format", "json-render-diagnostics"])
            .current_dir(self.dir())
            .env("CARGO_TARGET_DIR", self.root.join("target/mutants/target"))
            // Built often and looked into never.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("RUSTFLAGS", "-Awarnings")
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("cannot start cargo: {e}"))?;
        if !output.status.success() {
            return Err(format!(
                "it does not compile:\n{}",
                String::from_utf8_lossy(&output.stderr).trim()
            ));
        }
        executable(&String::from_utf8_lossy(&output.stdout))
            .ok_or_else(|| "cargo named no test binary".to_owned())
    }

    /// Runs the suite, or a part of it, to its end or to where it hangs.
    fn suite(&self, binary: &Path, args: &[&str]) -> Fate {
        let mut command = Command::new(binary);
        command.args(args).current_dir(self.dir().join("crates/handover"));
        command.env("HANDOVER_SEED", SEED).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        if self.long {
            command.env("HANDOVER_LONG", "1");
        }
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(why) => return Fate::Broken(format!("cannot start the suite: {why}")),
        };
        let Some(mut stdout) = child.stdout.take() else {
            return Fate::Broken("the suite has no output".to_owned());
        };
        let (told, said) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read until an error is all there is.
            let _ = stdout.read_to_end(&mut bytes);
            let _ = told.send(String::from_utf8_lossy(&bytes).into_owned());
        });
        let limit = if self.long { HANG * 4 } else { HANG };
        let said = said.recv_timeout(limit);
        if said.is_err() {
            // It may have ended in this moment; then there is nothing to kill.
            let _ = child.kill();
        }
        let _ = child.wait();
        match said {
            Ok(said) => verdict(&said),
            Err(_) => Fate::Mute(format!("the suite had no end within {limit:?}")),
        }
    }
}

/// The test binary that cargo's messages name.
fn executable(messages: &str) -> Option<PathBuf> {
    messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "conformance").then_some(())?;
        message["executable"].as_str().map(PathBuf::from)
    })
}

/// What the suite said: the first case that failed, or that none did.
fn verdict(said: &str) -> Fate {
    let Some(sum) = said.lines().rev().find_map(|line| line.trim().strip_prefix("test result: "))
    else {
        return Fate::Mute("the suite died without a result".to_owned());
    };
    let failed = said.lines().find_map(|line| {
        let line = line.trim().strip_prefix("test ")?.strip_suffix("FAILED")?;
        line.split_whitespace().find(|word| word.contains("::")).map(str::to_owned)
    });
    match failed {
        Some(case) => Fate::Caught(case),
        None if sum.starts_with("ok. 0 passed; 0 failed; 0 ignored") => {
            Fate::Broken("no case has the name the patch says".to_owned())
        }
        None if sum.starts_with("ok") => Fate::Lives,
        None => Fate::Mute("the suite failed and named no case".to_owned()),
    }
}

/// The workspace's manifest with only the crates that are copied.
fn narrowed(manifest: &str) -> Result<String, String> {
    let crates: Vec<String> = CRATES.iter().map(|name| format!("\"crates/{name}\"")).collect();
    let mut found = false;
    let mut lines = Vec::new();
    for line in manifest.lines() {
        if line.starts_with("members = [") && line.trim_end().ends_with(']') {
            found = true;
            lines.push(format!("members = [{}]", crates.join(", ")));
        } else if !line.starts_with("default-members") {
            lines.push(line.to_owned());
        }
    }
    if !found {
        return Err("Cargo.toml has no line `members = […]` to narrow for the copy".to_owned());
    }
    Ok(lines.join("\n") + "\n")
}

/// Makes `to` what `from` is, but for the mutants themselves.
fn mirror(from: &Path, to: &Path) -> Result<(), String> {
    let here = |e: std::io::Error| format!("{}: {e}", to.display());
    fs::create_dir_all(to).map_err(here)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(from).map_err(|e| format!("{}: {e}", from.display()))? {
        let entry = entry.map_err(here)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == "mutants" {
            continue;
        }
        names.push(entry.file_name());
        if source.is_dir() {
            mirror(&source, &target)?;
        } else {
            write(&target, &fs::read(&source).map_err(|e| format!("{}: {e}", source.display()))?)?;
        }
    }
    for entry in fs::read_dir(to).map_err(here)?.filter_map(Result::ok) {
        if !names.contains(&entry.file_name()) {
            let path = entry.path();
            let gone =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            gone.map_err(here)?;
        }
    }
    Ok(())
}

/// Writes a file unless that is what it says already.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let here = |e: std::io::Error| format!("{}: {e}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(here)?;
    }
    fs::write(path, bytes).map_err(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "Promise: P1\nBug: One too many.\nCaught-by: c14_bound::x\n\n--- a/y\n+++ b/y\n";

    fn parse(name: &str, text: &str) -> Result<Mutant, String> {
        Mutant::parse(name.to_owned(), PathBuf::new(), text)
    }

    #[test]
    fn the_head_of_a_patch_says_the_promise_and_the_case() {
        let mutant = parse("p1_one_too_many", HEAD).unwrap();
        assert_eq!((mutant.promise.as_str(), mutant.case.as_str()), ("P1", "c14_bound::x"));
    }

    #[test]
    fn a_patch_without_its_head_is_refused_with_the_line_that_is_missing() {
        for line in ["Promise", "Bug", "Caught-by"] {
            let text = HEAD.replace(line, "Nothing");
            let why = parse("p1_one_too_many", &text).unwrap_err();
            assert!(why.contains(&format!("`{line}: …`")), "{why}");
        }
        assert!(parse("p2_one_too_many", HEAD).unwrap_err().contains("must begin so"));
    }

    #[test]
    fn the_first_case_that_failed_caught_the_mutant() {
        let said = "running 2 tests\ntest [memory] c01_send::a ... ok\n\
                    test [memory] c14_bound::b    ... FAILED\ntest [memory] c15_keys::c ... FAILED\n\
                    \ntest result: FAILED. 1 passed; 2 failed; 0 ignored\n";
        assert_eq!(verdict(said), Fate::Caught("c14_bound::b".to_owned()));
    }

    #[test]
    fn a_suite_that_passes_lets_the_mutant_live() {
        assert_eq!(verdict("test result: ok. 9 passed; 0 failed; 1 ignored; 0 m"), Fate::Lives);
        let none = verdict("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured");
        assert!(matches!(none, Fate::Broken(_)), "{none:?}");
    }

    #[test]
    fn a_suite_that_dies_has_caught_nothing() {
        for said in ["", "test [memory] c01_send::a ... ok\n", "test result: FAILED. 0 passed"] {
            assert!(matches!(verdict(said), Fate::Mute(_)), "{said}");
        }
    }

    #[test]
    fn the_copy_has_only_the_crates_the_suite_needs() {
        let manifest = "[workspace]\nmembers = [\"crates/*\"]\ndefault-members = [\"x\"]\n[a]\n";
        assert_eq!(
            narrowed(manifest).unwrap(),
            "[workspace]\nmembers = [\"crates/handover-buffer\", \"crates/handover\", \
             \"crates/handover-conformance\"]\n[a]\n"
        );
        assert!(narrowed("[workspace]\n").is_err());
    }

    #[test]
    fn a_mirror_brings_what_is_new_and_takes_what_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for path in ["from/a/kept", "from/mutants/x", "to/a/gone", "to/old/x"] {
            write(&folder.path().join(path), path.as_bytes()).unwrap();
        }
        mirror(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("a/kept")).unwrap(), "from/a/kept");
        for gone in ["a/gone", "old", "mutants"] {
            assert!(!to.join(gone).exists(), "{gone}");
        }
    }

    #[test]
    fn the_lock_comes_over_again_when_it_has_changed_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab { root: folder.path().to_path_buf(), long: false };
        let (ours, copy) = (lab.root.join("Cargo.lock"), lab.dir().join("Cargo.lock"));
        let after_restore = || {
            lab.restore_lock().unwrap();
            fs::read_to_string(&copy).unwrap()
        };
        fs::write(&ours, "a 1, b 1").unwrap();
        assert_eq!(after_restore(), "a 1, b 1");
        fs::write(&copy, "a 1").unwrap(); // cargo, which needs no b there
        assert_eq!(after_restore(), "a 1");
        fs::write(&ours, "a 2, b 1").unwrap();
        assert_eq!(after_restore(), "a 2, b 1");
    }

    #[test]
    fn the_binary_is_the_one_that_cargo_names() {
        let messages = "{\"target\":{\"name\":\"handover\"},\"executable\":null}\n\
                        {\"target\":{\"name\":\"conformance\"},\"executable\":\"/t/conformance-1\"}\n{}\n";
        assert_eq!(executable(messages), Some(PathBuf::from("/t/conformance-1")));
        assert_eq!(executable("not json"), None);
    }

    #[test]
    fn the_mutants_of_this_house_are_well_headed() {
        let mutants = read_all(&crate::workspace::root()).unwrap();
        assert!(mutants.len() >= 16, "{}", mutants.len());
    }
}
