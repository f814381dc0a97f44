//! The demo's site: the project's own book, rendered to HTML pages that link to each other.
//!
//! Every chapter is a page, and every section of it (`##`) is a page of its own, so that there is something to crawl. Serving
//! the pages is in `server.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};

/// Every page of the book, by its path below `docs/src`, as it was when the binary was built.
const BOOK: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/book.rs"));

/// The pages by their path; the table of contents is `/`.
#[derive(Debug)]
pub(crate) struct Site {
    pages: BTreeMap<String, String>,
}

impl Site {
    /// The book as a site.
    pub(crate) fn of_the_book() -> Self {
        let mut pages = BTreeMap::new();
        for (name, text) in BOOK {
            let path = page_path(name);
            chapter(&path, name, text, &mut pages);
        }
        Self { pages }
    }

    pub(crate) fn page(&self, path: &str) -> Option<&str> {
        self.pages.get(path).map(String::as_str)
    }

    /// The paths that a reader reaches from `/` by following links: what a crawl must find, counted without one.
    pub(crate) fn reachable(&self) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut next = vec!["/".to_owned()];
        while let Some(path) = next.pop() {
            let Some(page) = self.page(&path) else { continue };
            if reached.insert(path) {
                next.extend(page.split("href=\"").skip(1).filter_map(|rest| {
                    let link = rest.split(['"', '#']).next()?;
                    link.starts_with('/').then(|| link.to_owned())
                }));
            }
        }
        reached
    }
}

/// `guide/worker.md` is at `/guide/worker.html`; the table of contents is the start.
fn page_path(name: &str) -> String {
    match name {
        "SUMMARY.md" => "/".to_owned(),
        name => format!("/{}.html", name.trim_end_matches(".md")),
    }
}

fn chapter(path: &str, name: &str, text: &str, pages: &mut BTreeMap<String, String>) {
    let mut sections = split(text);
    let whole = sections.remove(0);
    let folder = if path == "/" { "/contents" } else { path.trim_end_matches(".html") };
    let paths: Vec<String> =
        (1..=sections.len()).map(|number| format!("{folder}/{number}.html")).collect();
    let mut body = render(name, whole);
    if !paths.is_empty() {
        body.push_str("<ol>\n");
        for (path, section) in paths.iter().zip(&sections) {
            _ = writeln!(body, "<li><a href=\"{path}\">{}</a></li>", escape(title(section)));
        }
        body.push_str("</ol>\n");
    }
    let heading = title(whole).to_owned();
    for (index, section) in sections.iter().enumerate() {
        let mut body = render(name, section);
        _ = write!(body, "<p><a href=\"{path}\">{}</a>", escape(&heading));
        if let Some(next) = paths.get(index + 1) {
            _ = write!(body, " | <a href=\"{next}\">next</a>");
        }
        body.push_str("</p>\n");
        if let Some(path) = paths.get(index) {
            pages.insert(path.clone(), document(title(section), &body));
        }
    }
    pages.insert(path.to_owned(), document(&heading, &body));
}

/// The text before the first section, then each section. A `## ` inside a code block is no heading.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut at, mut in_code) = (Vec::new(), 0, 0, false);
    for line in text.split_inclusive('\n') {
        in_code ^= line.starts_with("```");
        if !in_code && line.starts_with("## ") {
            parts.push(&text[start..at]);
            start = at;
        }
        at += line.len();
    }
    parts.push(&text[start..]);
    parts
}

/// The text of the first heading.
fn title(text: &str) -> &str {
    text.lines()
        .find(|line| line.starts_with('#'))
        .unwrap_or("handover")
        .trim_start_matches('#')
        .trim()
}

fn render(name: &str, text: &str) -> String {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => Event::Start(Tag::Link {
            link_type,
            dest_url: resolve(name, &dest_url).into(),
            title,
            id,
        }),
        other => other,
    });
    let mut body = String::new();
    html::push_html(&mut body, events);
    body
}

/// A link of the book as one of the site: relative to its chapter, `.md` as `.html`, without its fragment, which names a
/// section of the book and would name nothing here.
fn resolve<'a>(name: &str, link: &'a CowStr<'a>) -> String {
    if link.contains("://") || link.starts_with('#') {
        return link.to_string();
    }
    let mut folders: Vec<&str> = name.split('/').collect();
    folders.pop();
    for part in link.split('#').next().unwrap_or_default().split('/') {
        match part {
            "." | "" => {}
            ".." => _ = folders.pop(),
            part => folders.push(part),
        }
    }
    page_path(&folders.join("/"))
}

fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n\
         <p><a href=\"/\">handover</a></p>\n{body}</body>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chapter_of_the_book_can_be_reached_from_the_start() {
        let site = Site::of_the_book();
        let reached = site.reachable();
        for (name, _) in BOOK.iter().filter(|(name, _)| *name != "SUMMARY.md") {
            assert!(reached.contains(&page_path(name)), "{name}");
        }
    }

    #[test]
    fn no_link_of_the_site_is_broken() {
        let site = Site::of_the_book();
        for path in site.reachable() {
            assert!(site.page(&path).is_some(), "{path}");
        }
    }

    #[test]
    fn a_heading_in_a_code_block_begins_no_section() {
        assert_eq!(split("# a\n```\n## b\n```\n## c\nd\n"), ["# a\n```\n## b\n```\n", "## c\nd\n"]);
    }

    #[test]
    fn links_are_relative_to_their_chapter() {
        assert_eq!(
            resolve("guide/worker.md", &"../concepts/queue.md#room".into()),
            "/concepts/queue.html"
        );
        assert_eq!(resolve("guide/worker.md", &"producer.md".into()), "/guide/producer.html");
        assert_eq!(resolve("a.md", &"https://example.org/x.md".into()), "https://example.org/x.md");
    }
}
