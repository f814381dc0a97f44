//! The rule that the contract's clauses are named where they are promised and where they are
//! tested: C1 to C16 each have a module `cNN_…` with a case in the suite, and are named by the page
//! of guarantees.

use super::source::{self, has_word};
use super::{Finding, Tree};

const LAST: usize = 16;
const CASES: &str = "crates/handover-conformance/src/";
const PAGE: &str = "docs/src/guarantees.md";

/// How a module of the suite lists a case.
const CASE: &str = "case!(";

pub(crate) fn named(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let page = tree.text(PAGE);
    if page.is_none() {
        findings.push(Finding::new(PAGE, 1, format!("is missing; write it, C1 to C{LAST}")));
    }
    for number in 1..=LAST {
        let prefix = format!("c{number:02}_");
        let modules: Vec<(&str, &str)> = tree
            .under(CASES, ".rs")
            .filter(|(path, _)| path.split('/').any(|part| part.starts_with(&prefix)))
            .collect();
        if modules.is_empty() {
            let what = format!("clause C{number} has no module `{prefix}…`; write its cases");
            findings.push(Finding::new(CASES, 1, what));
        } else if !modules.iter().any(|(_, text)| has_case(text)) {
            let what = format!("clause C{number} has no `{CASE}…)` in its module; write one");
            findings.push(Finding::new(modules[0].0, 1, what));
        }
        if page.is_some_and(|page| !has_word(page, &format!("C{number}"))) {
            findings.push(Finding::new(PAGE, 1, format!("does not name clause C{number}; add it")));
        }
    }
    findings
}

fn has_case(text: &str) -> bool {
    source::lines(text).iter().any(|line| line.code.contains(CASE))
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;

    fn tree(page: &str, skip: usize, case: &str) -> Tree {
        let mut files = vec![(PAGE.to_owned(), page.to_owned())];
        for number in (1..=LAST).filter(|&n| n != skip) {
            files.push((format!("{CASES}cases/c{number:02}_name.rs"), case.to_owned()));
        }
        let files: Vec<(&str, &str)> =
            files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
        Tree::of(&files)
    }

    fn page() -> String {
        (1..=LAST).map(|number| format!("## C{number} name\n")).collect()
    }

    #[test]
    fn a_suite_and_a_page_with_every_clause_are_fine() {
        assert_eq!(
            lines(&named(&tree(&page(), 0, "const A: Case = case!(a);"))),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_clause_without_a_module_a_case_or_a_paragraph_is_found() {
        let no_module = named(&tree(&page(), 7, "case!(a)"));
        assert!(lines(&no_module).concat().contains("C7 has no module `c07_"));
        assert_eq!(named(&tree(&page(), 0, "// case!(a)")).len(), LAST);
        let no_paragraph = named(&tree(&page().replace("C1 ", "C99 "), 0, "case!(a)"));
        assert!(lines(&no_paragraph).concat().contains("does not name clause C1;"));
        assert_eq!(no_paragraph.len(), 1);
    }

    #[test]
    fn a_page_that_is_missing_is_found_once() {
        let mut tree = tree("", 0, "case!(a)");
        tree.files.remove(PAGE);
        assert_eq!(named(&tree).len(), 1);
    }
}
