//! Rules about the README and the changelog: the first example is short and is the file that the
//! compiler sees, the two commands can be read by `cargo xtask fresh`, and there is a place for the
//! next change.

use super::markdown::Document;
use super::{Finding, Tree};
use crate::fresh;

const README: &str = "README.md";
const EXAMPLE: &str = "crates/handover/examples/first.rs";
const EXAMPLE_LINES_MAX: usize = 15;
const CHANGELOG: &str = "CHANGELOG.md";

pub(crate) fn example(tree: &Tree) -> Vec<Finding> {
    let Some(readme) = tree.text(README) else {
        return vec![Finding::new(README, 1, "is missing; write it")];
    };
    let mut findings = Vec::new();
    if let Err(why) = fresh::two_commands(readme) {
        findings.push(Finding::new(README, 1, why));
    }
    let fences = Document::parse(readme).fences;
    let Some(first) = fences.iter().find(|fence| fence.language == "rust") else {
        findings.push(Finding::new(README, 1, "has no Rust example; show the first one"));
        return findings;
    };
    if first.lines.len() > EXAMPLE_LINES_MAX {
        let count = first.lines.len();
        let what = format!("the first example has {count} lines, at most {EXAMPLE_LINES_MAX}");
        findings.push(Finding::new(README, first.line, what));
    }
    let Some(compiled) = tree.text(EXAMPLE) else {
        findings.push(Finding::new(EXAMPLE, 1, "is missing; it is the README's first example"));
        return findings;
    };
    if let Some(offset) = difference(&first.lines, &body(compiled)) {
        let what = format!("differs from {EXAMPLE} here; make them equal");
        findings.push(Finding::new(README, first.line + offset, what));
    }
    findings
}

/// The example as the README shows it: without what the file says about itself.
fn body(text: &str) -> Vec<&str> {
    let lines = text.lines().skip_while(|line| line.starts_with("//!") || line.trim().is_empty());
    lines.collect()
}

/// The first line in which they differ; blank lines at the end are no difference.
fn difference(shown: &[String], compiled: &[&str]) -> Option<usize> {
    let longest = shown.len().max(compiled.len());
    (0..longest).find(|&at| {
        let shown = shown.get(at).map_or("", String::as_str);
        shown.trim_end() != compiled.get(at).map_or("", |line| line.trim_end())
    })
}

pub(crate) fn changelog(tree: &Tree) -> Vec<Finding> {
    let text = tree.text(CHANGELOG).unwrap_or_default();
    let document = Document::parse(text);
    let open =
        document.headings().any(|(_, level, heading)| level == 2 && heading.contains("Unreleased"));
    if open {
        return Vec::new();
    }
    vec![Finding::new(CHANGELOG, 1, "has no `## Unreleased`; add it, with what users notice")]
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;

    fn readme(example: &str) -> String {
        let marker = fresh::MARKER;
        format!("# handover\n\n{marker}\n```sh\none\ntwo\n```\n\n```rust\n{example}```\n")
    }

    fn check(example_text: &str, compiled: &str) -> Vec<String> {
        let readme = readme(example_text);
        lines(&example(&Tree::of(&[(README, &readme), (EXAMPLE, compiled)])))
    }

    #[test]
    fn an_example_equal_to_the_compiled_file_is_fine() {
        let compiled = "//! The first example.\n//! More.\n\nfn main() {\n}\n\n";
        assert_eq!(check("fn main() {\n}\n", compiled), Vec::<String>::new());
    }

    #[test]
    fn an_example_that_differs_is_found_at_its_line() {
        let found = check("fn main() {\n    a();\n}\n", "//! A.\n\nfn main() {\n    b();\n}\n");
        assert!(found.concat().starts_with("README.md:11: differs"), "{found:?}");
        assert_eq!(check("fn main() {}\n", "//! A.\n\nfn main() {}\nfn more() {}\n").len(), 1);
    }

    #[test]
    fn an_example_that_is_long_or_not_compiled_is_found() {
        let long = "a();\n".repeat(16);
        let found = check(&long, &format!("//! A.\n{long}"));
        assert!(found.concat().contains("has 16 lines, at most 15"), "{found:?}");
        let text = readme("a();\n");
        let found = lines(&example(&Tree::of(&[(README, &text)])));
        assert!(found.concat().starts_with(EXAMPLE), "{found:?}");
    }

    #[test]
    fn a_readme_without_commands_or_example_is_found() {
        assert_eq!(example(&Tree::of(&[(README, "# handover\n")])).len(), 2);
        assert_eq!(example(&Tree::default()).len(), 1);
    }

    #[test]
    fn the_changelog_has_a_place_for_the_next_change() {
        assert!(changelog(&Tree::of(&[(CHANGELOG, "# Changes\n\n## [Unreleased]\n")])).is_empty());
        assert_eq!(changelog(&Tree::of(&[(CHANGELOG, "# Unreleased\n")])).len(), 1);
        assert_eq!(changelog(&Tree::default()).len(), 1);
    }
}
