//! Reading Markdown as far as the rules need it (fenced blocks, links, code spans, headings), and
//! the rule that what a document points at exists. Rules about particular documents are in
//! [`super::book`] and [`super::readme`].

use super::{Finding, Tree};

/// Folders of the root: a code span that begins with one is a path.
const TOP: [&str; 9] =
    ["crates/", "docs/", "xtask/", "examples/", "bench/", "lessons/", ".ci/", ".cargo/", "fuzz/"];

/// A fenced block: its language, the line of its first line of content, and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fence {
    pub(crate) language: String,
    pub(crate) line: usize,
    pub(crate) lines: Vec<String>,
}

/// A document taken apart.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) fences: Vec<Fence>,
    /// Lines outside fences, with their numbers.
    pub(crate) prose: Vec<(usize, String)>,
}

impl Document {
    pub(crate) fn parse(text: &str) -> Self {
        let mut document = Self::default();
        let mut open: Option<(&str, Fence)> = None;
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim_start();
            if let Some((mark, mut fence)) = open.take() {
                if trimmed.starts_with(mark) {
                    document.fences.push(fence);
                } else {
                    fence.lines.push(line.to_owned());
                    open = Some((mark, fence));
                }
                continue;
            }
            match ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark)) {
                Some(mark) => {
                    let info = trimmed.trim_start_matches(['`', '~']).trim();
                    let language = info.split([',', ' ']).next().unwrap_or_default().to_owned();
                    open = Some((mark, Fence { language, line: index + 2, lines: Vec::new() }));
                }
                None => document.prose.push((index + 1, line.to_owned())),
            }
        }
        document
    }

    /// Headings with their level and text.
    pub(crate) fn headings(&self) -> impl Iterator<Item = (usize, usize, &str)> {
        self.prose.iter().filter_map(|(number, line)| {
            let text = line.trim_start_matches('#');
            let level = line.len() - text.len();
            (level > 0 && text.starts_with(' ')).then(|| (*number, level, text.trim()))
        })
    }

    /// Targets of links and pictures, with their lines.
    pub(crate) fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for (number, line) in &self.prose {
            let text = without_code(line);
            for (at, _) in text.match_indices("](") {
                let target = text[at + 2..].split(')').next().unwrap_or_default();
                links.push((*number, bare(target)));
            }
            // `[name]: target`
            if let Some((name, target)) = text.trim_start().split_once("]: ")
                && name.starts_with('[')
                && !name.starts_with("[^")
            {
                links.push((*number, bare(target)));
            }
        }
        links
    }

    /// What stands between backticks in prose, with its lines.
    fn code_spans(&self) -> impl Iterator<Item = (usize, &str)> {
        self.prose.iter().flat_map(|(number, line)| {
            line.split('`').skip(1).step_by(2).map(|span| (*number, span))
        })
    }
}

/// A link's target without its angle brackets and title.
fn bare(target: &str) -> String {
    let target = target.trim();
    let target = target.split(" \"").next().unwrap_or(target);
    target.trim_start_matches('<').trim_end_matches('>').to_owned()
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

pub(crate) fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.under("", ".md") {
        let document = Document::parse(text);
        for (line, target) in document.links() {
            if let Some(what) = broken(tree, path, &target) {
                findings.push(Finding::new(path, line, what));
            }
        }
        for (line, span) in document.code_spans() {
            if let Some(named) = named_path(span)
                && !tree.exists(named)
            {
                let what = format!("`{named}` does not exist; correct the path");
                findings.push(Finding::new(path, line, what));
            }
        }
    }
    findings
}

/// What is wrong with a link, if anything.
fn broken(tree: &Tree, from: &str, target: &str) -> Option<String> {
    let elsewhere = ["http://", "https://", "mailto:"].iter().any(|s| target.starts_with(s));
    if elsewhere {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let to = if file.is_empty() { Some(from.to_owned()) } else { resolve(from, file) };
    let Some(to) = to.filter(|to| tree.exists(to)) else {
        return Some(format!("the link to {target:?} leads nowhere; correct it"));
    };
    let document = Document::parse(tree.text(&to).unwrap_or_default());
    let known = anchor.is_empty()
        || !to.ends_with(".md")
        || document.headings().any(|(_, _, text)| slug(text) == anchor);
    (!known).then(|| format!("{to} has no heading for #{anchor}; correct the link"))
}

/// The path from the root of a path written in the file `from`; none if it leaves the root.
pub(crate) fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The anchor that renderers give a heading.
fn slug(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

/// The path that a code span names, if it is one: no pattern, no placeholder, no command.
fn named_path(span: &str) -> Option<&str> {
    let is_path = TOP.iter().any(|top| span.starts_with(top))
        && span.chars().all(|c| c.is_alphanumeric() || "_-./:".contains(c))
        && !span.contains("...")
        && !span.contains("NNN");
    // `file.rs:12` names the file.
    is_path.then(|| span.split(':').next().unwrap_or(span))
}

#[cfg(test)]
mod tests {
    use super::super::lines as shown;
    use super::*;

    fn check(text: &str) -> Vec<String> {
        shown(&links(&Tree::of(&[
            ("docs/src/page.md", text),
            ("docs/src/other.md", "# Other page\n\n## What `it` is, in 2 words\n"),
            ("crates/handover/src/lib.rs", ""),
        ])))
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let text = "[a](other.md) [b](<other.md> \"title\") [c](https://x.y/z) ![d](../src/other.md)\n\
                    [e](other.md#what-it-is-in-2-words) [f](../../crates/handover) [g](#top)\n\
                    # Top\n[h]: other.md\n`[x](nowhere.md)`\n```\n[y](nowhere.md)\n```\n";
        assert_eq!(check(text), Vec::<String>::new());
    }

    #[test]
    fn links_that_lead_nowhere_are_found_with_their_lines() {
        let text = "[a](nowhere.md)\n\n[b](other.md#no) [c](../../../out.md)\n[d]: gone.md\n";
        let found = check(text);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(
            found[0].starts_with("docs/src/page.md:1: the link to \"nowhere.md\""),
            "{found:?}"
        );
        assert!(found[1].contains(":3: docs/src/other.md has no heading for #no"), "{found:?}");
    }

    #[test]
    fn paths_in_code_spans_exist() {
        let fine = "`crates/handover/src/lib.rs:7` `crates/` `crates/*/x` `docs/NNN` `cargo run`\n";
        assert_eq!(check(fine), Vec::<String>::new());
        let found = check("see `crates/handover/src/gone.rs`\n");
        assert!(found.concat().contains(":1: `crates/handover/src/gone.rs` does not"), "{found:?}");
    }

    #[test]
    fn fences_keep_their_language_place_and_lines() {
        let document = Document::parse("# A\n```rust,no_run\nfn a() {}\n# hidden\n```\ntext\n");
        let fence = Fence {
            language: "rust".to_owned(),
            line: 3,
            lines: vec!["fn a() {}".to_owned(), "# hidden".to_owned()],
        };
        assert_eq!(document.fences, [fence]);
        assert_eq!(document.headings().collect::<Vec<_>>(), [(1, 1, "A")]);
    }
}
