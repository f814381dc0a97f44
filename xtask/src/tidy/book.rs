//! Rules about the book in `docs/src`: its table of contents lists its pages, each once, and its
//! decision records are numbered and complete. That its links lead somewhere is in
//! [`super::markdown`].

use super::markdown::{Document, resolve};
use super::{Finding, Tree};

const PAGES: &str = "docs/src/";
const SUMMARY: &str = "docs/src/SUMMARY.md";
const DECISIONS: &str = "docs/src/decisions/";
const HEADINGS: [&str; 4] = ["question", "choices", "choice", "what would change our mind"];

pub(crate) fn summary(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(SUMMARY) else {
        return vec![Finding::new(SUMMARY, 1, "is missing; list the book's pages in it")];
    };
    let mut findings = Vec::new();
    let mut listed: Vec<String> = Vec::new();
    for (line, target) in Document::parse(text).links() {
        let page = resolve(SUMMARY, &target).unwrap_or_default();
        if !page.starts_with(PAGES) || !page.ends_with(".md") {
            findings.push(Finding::new(
                SUMMARY,
                line,
                format!("{target:?} is no page of the book"),
            ));
        } else if listed.contains(&page) {
            let what = format!("{target:?} is listed twice; take one out");
            findings.push(Finding::new(SUMMARY, line, what));
        }
        listed.push(page);
    }
    for (path, _) in tree.under(PAGES, ".md").filter(|(path, _)| *path != SUMMARY) {
        if !listed.iter().any(|page| page == path) {
            findings.push(Finding::new(path, 1, format!("is not listed in {SUMMARY}; add it")));
        }
    }
    findings
}

pub(crate) fn decisions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut expected = 1;
    for (path, text) in tree.under(DECISIONS, ".md") {
        let name = &path[DECISIONS.len()..];
        if ["README.md", "index.md"].contains(&name) {
            continue;
        }
        match number(name) {
            Some(number) => {
                if number != expected {
                    let what = format!("is number {number:03}, {expected:03} comes next; renumber");
                    findings.push(Finding::new(path, 1, what));
                }
                expected = number + 1;
            }
            None => findings.push(Finding::new(path, 1, "is not named NNN-what.md; rename it")),
        }
        findings.extend(headings(path, text));
    }
    if expected == 1 {
        findings.push(Finding::new(DECISIONS, 1, "has no record 001-….md; write the first"));
    }
    findings
}

fn number(name: &str) -> Option<u32> {
    let (digits, rest) = name.split_once('-')?;
    let well_named = digits.len() == 3 && rest.len() > ".md".len();
    digits.parse().ok().filter(|_| well_named)
}

fn headings(path: &str, text: &str) -> Vec<Finding> {
    let document = Document::parse(text);
    let seen: Vec<String> = document
        .headings()
        .filter(|&(_, level, _)| level == 2)
        .map(|(_, _, heading)| heading.to_lowercase())
        .collect();
    let missing = HEADINGS.iter().filter(|heading| !seen.iter().any(|s| s == *heading));
    missing
        .map(|heading| Finding::new(path, 1, format!("has no `## {heading}`; write that part")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;

    const RECORD: &str = "# T\n## Question\n## Choices\n## Choice\n## What would change our mind\n";

    #[test]
    fn a_summary_that_lists_every_page_once_is_fine() {
        let tree = Tree::of(&[
            (SUMMARY, "# Summary\n\n[Start](start.md)\n- [A](a/b.md)\n"),
            ("docs/src/start.md", ""),
            ("docs/src/a/b.md", ""),
        ]);
        assert_eq!(lines(&summary(&tree)), Vec::<String>::new());
    }

    #[test]
    fn pages_missing_doubled_or_outside_are_found() {
        let tree = Tree::of(&[
            (SUMMARY, "- [A](a.md)\n- [A again](./a.md)\n- [Out](../../README.md)\n"),
            ("docs/src/a.md", ""),
            ("docs/src/b.md", ""),
        ]);
        let found = lines(&summary(&tree));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains(":2: \"./a.md\" is listed twice"), "{found:?}");
        assert!(found[2].starts_with("docs/src/b.md:1: is not listed"), "{found:?}");
        assert_eq!(summary(&Tree::default()).len(), 1);
    }

    #[test]
    fn complete_records_without_gaps_are_fine() {
        let tree = Tree::of(&[
            ("docs/src/decisions/001-a.md", RECORD),
            ("docs/src/decisions/002-b.md", RECORD),
            ("docs/src/decisions/index.md", ""),
        ]);
        assert_eq!(lines(&decisions(&tree)), Vec::<String>::new());
    }

    #[test]
    fn gaps_doubles_bad_names_and_missing_parts_are_found() {
        let tree = Tree::of(&[
            ("docs/src/decisions/001-a.md", RECORD),
            ("docs/src/decisions/003-gap.md", RECORD),
            ("docs/src/decisions/003-twice.md", RECORD),
            ("docs/src/decisions/004-short.md", "## Question\n## Choices\n## Choice\n"),
            ("docs/src/decisions/five.md", RECORD),
        ]);
        let found = lines(&decisions(&tree));
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].contains("is number 003, 002 comes next"), "{found:?}");
        assert!(found[1].contains("is number 003, 004 comes next"), "{found:?}");
        assert!(found[2].contains("what would change our mind"), "{found:?}");
        assert!(found[3].contains("is not named"), "{found:?}");
        assert_eq!(decisions(&Tree::default()).len(), 1);
    }
}
