//! `cargo xtask tidy`: the house rules that no compiler checks. Here are the tree of files, what a
//! finding is, and the list of rules; the rules are in the files beside, one family each, and see
//! only the tree, so that their tests run on a few lines of text.

mod book;
mod clauses;
mod manifests;
mod markdown;
mod readme;
mod rust;
mod source;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

/// Files above this are not text that anybody wrote; they exist, and are not read.
const READ_BYTES_MAX: u64 = 2_000_000;

/// Folders of the root that are not the project's.
const NOT_OURS: [&str; 4] = ["target", ".git", "node_modules", "book"];

/// Something that breaks a rule, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Every file of the project by its path from the root, with forward slashes. Binary and very
/// large files are there with no text.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    fn load(root: &Path) -> Result<Self, String> {
        let mut tree = Self::default();
        tree.load_folder(root, "")?;
        Ok(tree)
    }

    fn load_folder(&mut self, folder: &Path, prefix: &str) -> Result<(), String> {
        let in_folder = |e: std::io::Error| format!("{}: {e}", folder.display());
        for entry in fs::read_dir(folder).map_err(in_folder)? {
            let entry = entry.map_err(in_folder)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().map_err(in_folder)?;
            if kind.is_dir() {
                if !NOT_OURS.contains(&name.as_str()) {
                    self.load_folder(&entry.path(), &format!("{path}/"))?;
                }
            } else if kind.is_file() {
                let small = entry.metadata().is_ok_and(|m| m.len() <= READ_BYTES_MAX);
                let text = if small { fs::read_to_string(entry.path()).ok() } else { None };
                self.files.insert(path, text.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// The text of a file, if it exists.
    fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is such a file or folder.
    fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self
                .files
                .range(folder.clone()..)
                .next()
                .is_some_and(|(p, _)| p.starts_with(&folder))
    }

    /// Files under a folder whose names end in `.ext`, in order.
    fn under<'a>(
        &'a self,
        folder: &'a str,
        ext: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .filter(move |(path, _)| path.starts_with(folder) && path.ends_with(ext))
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())).collect();
        Self { files }
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [(&str, Rule); 16] = [
    ("files begin with what they are", rust::header),
    ("files stay short", text::length),
    ("nothing is left unfinished", rust::unfinished),
    ("unsafe stays in the buffer", rust::unsafe_code),
    ("one file reads the clock", rust::clock),
    ("no library prints", rust::prints),
    ("no machine's path, no registry's host", text::places),
    ("dependencies point one way", manifests::directions),
    ("every crate has the workspace's lints", manifests::lints),
    ("Cargo.lock is committed", manifests::lock),
    ("every clause has its cases and its paragraph", clauses::named),
    ("links and paths in the documents lead somewhere", markdown::links),
    ("the book lists its pages", book::summary),
    ("decision records are complete", book::decisions),
    ("the README shows what is compiled", readme::example),
    ("the changelog is open", readme::changelog),
];

/// About the crates as a clean clone has them.
const CLONE_RULES: [(&str, Rule); 1] = [("Cargo.lock knows every crate", manifests::locked)];

/// Runs every rule and prints what it finds; whether it found nothing.
pub(crate) fn main(root: &Path) -> Result<bool, String> {
    let tree = Tree::load(root)?;
    let mut count = 0;
    let cloned = manifests::as_cloned(root, &tree);
    let of_the_clone = CLONE_RULES.into_iter().map(|(name, rule)| (name, rule(&cloned)));
    for (name, mut findings) in
        RULES.into_iter().map(|(name, rule)| (name, rule(&tree))).chain(of_the_clone)
    {
        findings.sort();
        if !findings.is_empty() {
            println!("rule: {name}");
        }
        for finding in &findings {
            println!("{finding}");
        }
        count += findings.len();
    }
    let rules = RULES.len() + CLONE_RULES.len();
    println!("tidy: {rules} rules, {} files, {count} findings", tree.files.len());
    Ok(count == 0)
}

/// The findings as lines, for tests.
#[cfg(test)]
fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_their_folders_exist_and_prefixes_of_names_do_not() {
        let tree = Tree::of(&[("docs/src/a.md", "x"), ("docs.txt", "")]);
        for path in ["docs", "docs/src/", "docs/src/a.md", "docs.txt", ""] {
            assert!(tree.exists(path), "{path}");
        }
        for path in ["doc", "docs/s", "docs/src/a", "docs/src/a.md/b"] {
            assert!(!tree.exists(path), "{path}");
        }
    }

    #[test]
    fn a_folder_is_read_with_binary_files_as_empty_text() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/target")).unwrap();
        fs::write(folder.path().join("a/b.rs"), "text").unwrap();
        fs::write(folder.path().join("c.db"), [0xff, 0xfe]).unwrap();
        fs::write(folder.path().join("a/target/d.rs"), "built").unwrap();
        let tree = Tree::load(folder.path()).unwrap();
        assert_eq!(tree.text("a/b.rs"), Some("text"));
        assert_eq!(tree.text("c.db"), Some(""));
        assert_eq!(tree.files.len(), 2);
    }

    #[test]
    fn a_finding_can_be_clicked() {
        let finding = Finding::new("a/b.rs", 7, "what; do this");
        assert_eq!(finding.to_string(), "a/b.rs:7: what; do this");
    }
}

/// What the tests of the rules share.
#[cfg(test)]
mod testing {
    use super::{Finding, Tree};

    pub(super) const NOTHING: [usize; 0] = [];

    /// Where a rule finds something in one file.
    pub(super) fn check(rule: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        rule(&Tree::of(&[(path, text)])).into_iter().map(|f| f.line).collect()
    }
}
