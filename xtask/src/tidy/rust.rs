//! Rules about one Rust file at a time: its first line, what it may not contain, and where `unsafe`,
//! the clock and printing may be. Rules about any text are in [`super::text`].

use super::source::{self, Line, has_word};
use super::{Finding, Tree};

/// Who else may read the clock, and why it does not ask `handover::clock`.
const CLOCKS: [(&str, &str); 7] = [
    ("bench/src/measure.rs", "processes compare moments; those of handover::clock stay in one"),
    ("crates/handover/src/clock.rs", "this is the clock"),
    ("crates/handover-buffer/src/sync.rs", "the buffer depends on nothing; only for deadlines"),
    ("crates/handover-lab/src/real.rs", "the lessons' engine links nothing of ours; times to draw"),
    ("crates/handover-modules/src/scraper/clock.rs", "the scraper links nothing of ours"),
    ("lessons/clock.rs", "the lessons link nothing of ours; times and CPU times to show"),
    ("xtask/src/run.rs", "the house's commands do not link the library; only times to show"),
];

/// Who may write to standard output, and to whom it speaks.
const PRINTERS: [(&str, &str); 4] = [
    ("crates/handover-cli/", "a person"),
    ("xtask/", "a person"),
    ("bench/", "a person"),
    ("crates/handover-conformance/src/child.rs", "the parent of this process, a line an answer"),
];

fn rust_files(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.under("", ".rs")
}

/// Integration tests, benches and examples: run by people and tests, linked into nothing.
fn beside_the_library(path: &str) -> bool {
    let beside = ["tests", "benches", "examples", "build.rs", "tests.rs"];
    path.split('/').any(|part| beside.contains(&part))
}

pub(crate) fn header(tree: &Tree) -> Vec<Finding> {
    rust_files(tree)
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| {
            Finding::new(path, 1, "no `//!` first; say what lives in this file and what does not")
        })
        .collect()
}

pub(crate) fn unfinished(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in rust_files(tree) {
        for (number, line) in numbered(&source::lines(text)) {
            for mac in ["todo", "unimplemented", "dbg"] {
                if line.has_word(mac) && line.code.contains(&format!("{mac}!")) {
                    let what = format!("`{mac}!` is left in the code; finish it or take it out");
                    findings.push(Finding::new(path, number, what));
                }
            }
            if line.code.contains("#[ignore") {
                let what = "a test that is left out; make it pass, or take it out";
                findings.push(Finding::new(path, number, what));
            }
            findings.extend(mark(path, number, &line.comment));
        }
    }
    for ext in [".toml", ".sh", ".yml", ".ci/run"] {
        for (path, text) in tree.under("", ext) {
            for (index, line) in text.lines().enumerate() {
                let comment = line.split_once('#').map_or("", |(_, comment)| comment);
                findings.extend(mark(path, index + 1, comment));
            }
        }
    }
    findings
}

fn mark(path: &str, line: usize, comment: &str) -> Option<Finding> {
    let mark = ["TODO", "FIXME", "XXX"].into_iter().find(|mark| has_word(comment, mark))?;
    Some(Finding::new(path, line, format!("{mark}: do it now, or file an issue and say why not")))
}

pub(crate) fn unsafe_code(tree: &Tree) -> Vec<Finding> {
    code_findings(
        tree,
        |path| !path.starts_with("crates/handover-buffer/"),
        |line| line.has_word("unsafe"),
        "`unsafe` outside handover-buffer; use what the buffer or the standard library offers",
    )
}

pub(crate) fn clock(tree: &Tree) -> Vec<Finding> {
    code_findings(
        tree,
        |path| !beside_the_library(path) && CLOCKS.iter().all(|(allowed, _)| *allowed != path),
        |line| {
            ["Instant::now", "SystemTime::now", "clock_gettime"]
                .iter()
                .any(|now| line.has_word(now))
        },
        "reads the clock; use handover::clock, or add the file with its reason to CLOCKS in \
         xtask/src/tidy/rust.rs",
    )
}

pub(crate) fn prints(tree: &Tree) -> Vec<Finding> {
    code_findings(
        tree,
        |path| {
            !beside_the_library(path)
                && !PRINTERS.iter().any(|(printer, _)| path.starts_with(printer))
        },
        |line| {
            let macros = ["println", "print", "eprintln", "eprint"];
            macros.iter().any(|m| line.has_word(m) && line.code.contains(&format!("{m}!")))
                || ["io::stdout", "io::stderr"].iter().any(|s| line.has_word(s))
        },
        "a library prints; give the text to the caller, or use tracing",
    )
}

/// Findings for each line of code outside unit tests, in the files meant, that `is_bad`.
fn code_findings(
    tree: &Tree,
    meant: impl Fn(&str) -> bool,
    is_bad: impl Fn(&Line) -> bool,
    what: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in rust_files(tree).filter(|(path, _)| meant(path)) {
        let lines = source::lines(text);
        let tests = source::in_unit_tests(&lines);
        for ((number, line), in_tests) in numbered(&lines).zip(tests) {
            if !in_tests && is_bad(line) {
                findings.push(Finding::new(path, number, what));
            }
        }
    }
    findings
}

fn numbered(lines: &[Line]) -> impl Iterator<Item = (usize, &Line)> {
    lines.iter().enumerate().map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOTHING, check};
    use super::*;

    #[test]
    fn a_file_begins_with_what_it_is() {
        assert_eq!(check(header, "a.rs", "//! About.\nfn a() {}\n"), NOTHING);
        assert_eq!(check(header, "a.rs", "\n//! Late.\n"), [1]);
        assert_eq!(check(header, "a.md", "# No Rust\n"), NOTHING);
    }

    #[test]
    fn unfinished_code_is_found_and_talk_about_it_is_not() {
        let text =
            "todo!();\nunimplemented!(\"x\");\nlet x = dbg!(1);\n#[ignore]\n#[ignore = \"slow\"]\n";
        assert_eq!(check(unfinished, "a.rs", text), [1, 2, 3, 4, 5]);
        assert_eq!(
            check(unfinished, "a.rs", "// todo!() is banned\nf(\"dbg!\"); mytodo!();\n"),
            NOTHING
        );
        assert_eq!(check(unfinished, "a.rs", "a(); // TODO later\n/* FIXME */\n"), [1, 2]);
        assert_eq!(check(unfinished, "a.rs", "let s = \"TODO\"; // METHODOLOGY\n"), NOTHING);
        assert_eq!(check(unfinished, "a.toml", "a = 1 # TODO\nb = \"TODO\"\n"), [1]);
    }

    #[test]
    fn unsafe_is_found_outside_the_buffer_only() {
        assert_eq!(check(unsafe_code, "crates/handover/src/a.rs", "x\nunsafe { y }\n"), [2]);
        assert_eq!(
            check(unsafe_code, "crates/handover-buffer/src/a.rs", "unsafe { y }\n"),
            NOTHING
        );
        assert_eq!(check(unsafe_code, "a.rs", "#![deny(unsafe_code)] // unsafe\n"), NOTHING);
    }

    #[test]
    fn the_clock_is_read_in_its_file_and_the_listed_ones() {
        let text = "use std::time::Instant;\nlet t = Instant::now();\nlet s = std::time::SystemTime::now();\nlet n = rustix::time::clock_gettime(id);\n";
        assert_eq!(check(clock, "crates/handover/src/worker.rs", text), [2, 3, 4]);
        for path in CLOCKS.map(|(path, _)| path) {
            assert_eq!(check(clock, path, text), NOTHING);
        }
        assert_eq!(check(clock, "crates/handover/tests/it/a.rs", text), NOTHING);
    }

    #[test]
    fn a_library_does_not_print_and_its_tests_may() {
        let text = "println!(\"a\");\nstd::io::stderr();\nmy_print!();\n#[cfg(test)]\nmod tests {\nprint!();\n}\n";
        assert_eq!(check(prints, "crates/handover/src/a.rs", text), [1, 2]);
        for path in ["crates/handover-cli/src/a.rs", "xtask/src/a.rs", "crates/x/examples/a.rs"] {
            assert_eq!(check(prints, path, text), NOTHING);
        }
    }
}
