//! Rules about the crates' manifests: who may depend on whom, that the lints are shared, and that
//! the lock file is committed and knows every crate.
//!
//! `buffer <- handover <- {sqlite, modules, …} <- cli`. No broker knows another, and the suite that
//! judges brokers is linked into none. Beside it, `lab <- lessons <- cli`: the lessons' engine links
//! nothing of the product.

use super::{Finding, Tree};
use crate::workspace::{Dependency, Kind, Manifest};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const BUFFER: &str = "handover-buffer";
const CORE: &str = "handover";
const SUITE: &str = "handover-conformance";
const CLI: &str = "handover-cli";
const LAB: &str = "handover-lab";
const LESSONS: &str = "handover-lessons";
const BENCH: &str = "handover-bench";
const BROKERS: [&str; 4] =
    ["handover-sqlite", "handover-postgres", "handover-redis", "handover-sqs"];

fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, Manifest)> {
    tree.under("", "/Cargo.toml").map(|(path, text)| (path, Manifest::parse(text)))
}

pub(crate) fn directions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, manifest) in manifests(tree) {
        let Some(name) = manifest.get("package", "name") else { continue };
        for dependency in manifest.dependencies() {
            let ours = dependency.name == CORE || dependency.name.starts_with("handover-");
            if let (true, Some(why)) = (ours, refusal(name, &dependency)) {
                let what = format!("{name} depends on {}: {why}", dependency.name);
                findings.push(Finding::new(path, dependency.line, what));
            }
        }
    }
    findings
}

/// Why a crate may not have this dependency on one of ours.
fn refusal(name: &str, dependency: &Dependency) -> Option<&'static str> {
    let (on, dev) = (dependency.name.as_str(), dependency.kind == Kind::Dev);
    if on == SUITE {
        let judged = name == CORE || BROKERS.contains(&name);
        return (!dev || !judged)
            .then_some("the suite is a dev-dependency of brokers only; move the test to a broker");
    }
    if dev && on == name {
        return None; // a crate turns on a feature of its own for its tests
    }
    if on == CLI || on == BENCH {
        return Some("nothing depends on a program; move what is shared down");
    }
    if BROKERS.contains(&name) && BROKERS.contains(&on) {
        return Some("no broker knows another; what both need belongs in handover");
    }
    let allowed: &[&str] = match name {
        "xtask" => return Some("the house's commands link none of the crates; start a program"),
        BUFFER | LAB => &[],
        CORE => &[BUFFER],
        LESSONS => &[LAB],
        SUITE => &[CORE],
        CLI | "handover-server" | "handover-fuzz" | BENCH => return None,
        _ if dev => return None,
        _ => &[BUFFER, CORE],
    };
    (!allowed.contains(&on)).then_some(
        "against the direction buffer <- handover <- brokers, modules <- cli; turn it round, or \
         move what is shared down",
    )
}

pub(crate) fn lints(tree: &Tree) -> Vec<Finding> {
    manifests(tree)
        .filter(|(_, manifest)| manifest.get("lints", "workspace") != Some("true"))
        .map(|(path, _)| {
            Finding::new(path, 1, "no workspace lints; add `[lints] workspace = true`")
        })
        .collect()
}

/// The manifests and the lock as git has them, or all as it lies on the disk where there is no git.
/// On the disk the lock knows every member: the cargo that built this program has just seen to it.
/// What a clean clone gets is what was added to git.
pub(crate) fn as_cloned(root: &Path, tree: &Tree) -> Tree {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(root).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    match git(&["ls-files", "--", "*Cargo.toml"]).zip(git(&["show", ":Cargo.lock"])) {
        Some((paths, lock)) => cloned(tree, &paths, lock),
        None => Tree { files: tree.files.clone() },
    }
}

/// The manifests that git lists, a line each, with the lock that git has.
fn cloned(tree: &Tree, paths: &str, lock: String) -> Tree {
    let text = |path: &str| tree.text(path).map(|text| (path.to_owned(), text.to_owned()));
    let mut files: BTreeMap<_, _> = paths.lines().filter_map(text).collect();
    files.insert("Cargo.lock".to_owned(), lock);
    Tree { files }
}

/// Every member of the workspace is in the lock.
pub(crate) fn locked(tree: &Tree) -> Vec<Finding> {
    let lock = tree.text("Cargo.lock").unwrap_or_default();
    let member = |path: &str| {
        let folder = path.strip_suffix("/Cargo.toml").unwrap_or_default();
        let one_of_the_crates =
            folder.strip_prefix("crates/").is_some_and(|name| !name.contains('/'));
        one_of_the_crates || ["bench", "xtask"].contains(&folder)
    };
    let missing = manifests(tree).filter(|(path, manifest)| {
        let name = manifest.get("package", "name").unwrap_or_default();
        let entry = format!("name = \"{name}\"");
        member(path) && !lock.lines().any(|line| line == entry)
    });
    let what = "is not in the Cargo.lock of git, and a clean clone does not build with --locked; \
                build once and add Cargo.lock with the crate";
    missing.map(|(path, _)| Finding::new(path, 1, what)).collect()
}

pub(crate) fn lock(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !tree.exists("Cargo.lock") {
        findings.push(Finding::new("Cargo.lock", 1, "is missing; build once and commit it"));
    }
    for (index, line) in tree.text(".gitignore").unwrap_or_default().lines().enumerate() {
        if line.trim().trim_start_matches('/') == "Cargo.lock" {
            let what = "Cargo.lock is ignored; it is committed, so take the line out";
            findings.push(Finding::new(".gitignore", index + 1, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;

    fn found(name: &str, section: &str, on: &str) -> usize {
        let path = format!("crates/{name}/Cargo.toml");
        let text = format!("[package]\nname = \"{name}\"\n[{section}]\n{on}.workspace = true\n");
        directions(&Tree::of(&[(&path, &text)])).len()
    }

    #[test]
    fn dependencies_with_the_direction_are_fine() {
        for (name, section, on) in [
            ("handover", "dependencies", "handover-buffer"),
            ("handover", "dev-dependencies", "handover-conformance"),
            ("handover", "dev-dependencies", "handover"),
            ("handover-sqlite", "dependencies", "handover"),
            ("handover-sqlite", "dependencies", "handover-buffer"),
            ("handover-sqlite", "dev-dependencies", "handover-conformance"),
            ("handover-modules", "dev-dependencies", "handover-sqlite"),
            ("handover-cli", "dependencies", "handover-sqlite"),
            ("handover-buffer", "dependencies", "tokio"),
            ("handover-bench", "dependencies", "handover-sqlite"),
            ("handover-lessons", "dependencies", "handover-lab"),
            ("handover-cli", "dependencies", "handover-lessons"),
        ] {
            assert_eq!(found(name, section, on), 0, "{name} {section} {on}");
        }
    }

    #[test]
    fn dependencies_against_the_direction_are_found() {
        for (name, section, on) in [
            ("handover-buffer", "dev-dependencies", "handover"),
            ("handover", "dependencies", "handover-sqlite"),
            ("handover", "dependencies", "handover-conformance"),
            ("handover-sqlite", "dependencies", "handover-conformance"),
            ("handover-sqlite", "dev-dependencies", "handover-redis"),
            ("handover-sqlite", "dependencies", "handover-modules"),
            ("handover-modules", "dev-dependencies", "handover-conformance"),
            ("handover-conformance", "dependencies", "handover-sqlite"),
            ("handover-modules", "dependencies", "handover-cli"),
            ("handover-sqlite", "dev-dependencies", "handover-bench"),
            ("handover-lab", "dependencies", "handover-buffer"),
            ("handover-lessons", "dependencies", "handover"),
            ("handover", "dependencies", "handover-lessons"),
            ("xtask", "dependencies", "handover"),
        ] {
            assert_eq!(found(name, section, on), 1, "{name} {section} {on}");
        }
    }

    #[test]
    fn a_finding_names_both_crates_and_the_line() {
        let tree = Tree::of(&[(
            "crates/handover/Cargo.toml",
            "[package]\nname = \"handover\"\n[dependencies]\nserde = \"1\"\nhandover-cli = \"1\"\n",
        )]);
        let line = lines(&directions(&tree)).concat();
        assert!(
            line.starts_with("crates/handover/Cargo.toml:5: handover depends on handover-cli: "),
            "{line}"
        );
    }

    #[test]
    fn every_crate_shares_the_lints() {
        let with = "[package]\nname = \"a\"\n[lints]\nworkspace = true\n";
        let tree = Tree::of(&[("crates/a/Cargo.toml", with), ("b/Cargo.toml", "[package]\n")]);
        let findings = lints(&tree);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].path, "b/Cargo.toml");
    }

    #[test]
    fn every_member_is_in_the_lock() {
        let named = |name: &str| format!("[package]\nname = \"{name}\"\n");
        let (a, b, bench) = (named("a"), named("a-b"), named("a-bench"));
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", &a),
            ("crates/b/Cargo.toml", &b),
            ("crates/b/tests/c/Cargo.toml", &named("c")),
            ("bench/Cargo.toml", &bench),
            ("fuzz/Cargo.toml", &named("a-fuzz")),
            ("Cargo.lock", "[[package]]\nname = \"a-b\"\n"),
        ]);
        let mut paths: Vec<String> = locked(&tree).into_iter().map(|f| f.path).collect();
        paths.sort();
        assert_eq!(paths, ["bench/Cargo.toml", "crates/a/Cargo.toml"]);
    }

    #[test]
    fn a_clone_has_what_was_added_and_not_what_lies_about() {
        let tree = Tree::of(&[
            ("Cargo.lock", "b and a"),
            ("crates/a/Cargo.toml", "a"),
            ("crates/b/Cargo.toml", "b"),
        ]);
        let paths = "crates/a/Cargo.toml\ncrates/gone/Cargo.toml\n";
        let cloned = cloned(&tree, paths, "a".to_owned());
        let files: Vec<_> = cloned.under("", "").collect();
        assert_eq!(files, [("Cargo.lock", "a"), ("crates/a/Cargo.toml", "a")]);
    }

    #[test]
    fn the_lock_file_is_there_and_not_ignored() {
        assert!(lock(&Tree::of(&[("Cargo.lock", ""), (".gitignore", "target\n")])).is_empty());
        let bad = lock(&Tree::of(&[(".gitignore", "target\n/Cargo.lock\n")]));
        assert_eq!(bad.iter().map(|f| f.line).collect::<Vec<_>>(), [1, 2]);
    }
}
