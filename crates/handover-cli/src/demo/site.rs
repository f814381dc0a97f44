//! The demo's site: the project's own book, rendered to HTML pages that link to each other.
//!
//! Every chapter is a page, and every section of it (`##`) is a page of its own, so that there is something to crawl. What
//! stands beside the chapters, pictures and the page of the lessons, is served as it is. Serving is in `server.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hyper::body::Bytes;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};

/// Every page of the book, by its path below `docs/src`, as it was when the binary was built.
const BOOK: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/book.rs"));

/// Every other file of the book.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/book_files.rs"));

/// The pages by their path; the table of contents is `/`.
#[derive(Debug)]
pub(crate) struct Site {
    pages: BTreeMap<String, String>,
    files: BTreeMap<String, &'static [u8]>,
}

impl Site {
    /// The book as a site.
    pub(crate) fn of_the_book() -> Self {
        let mut pages = BTreeMap::new();
        for (name, text) in BOOK {
            let path = page_path(name);
            chapter(&path, name, text, &mut pages);
        }
        let files = FILES.iter().map(|&(name, bytes)| (format!("/{name}"), bytes)).collect();
        Self { pages, files }
    }

    /// What is at this path, and of which kind.
    pub(crate) fn at(&self, path: &str) -> Option<(&'static str, Bytes)> {
        let page = self.pages.get(path).map(|page| (HTML, Bytes::from(page.clone())));
        page.or_else(|| self.files.get(path).map(|&file| (kind(path), Bytes::from_static(file))))
    }

    /// The paths that a reader reaches from `/` by following links: what a crawl must find, counted without one. From a file
    /// that is no page of the book, no link goes on: a test holds them to it.
    pub(crate) fn reachable(&self) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut next = vec!["/".to_owned()];
        while let Some(path) = next.pop() {
            if self.files.contains_key(&path) {
                reached.insert(path);
                continue;
            }
            let Some(page) = self.pages.get(&path) else { continue };
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

const HTML: &str = "text/html; charset=utf-8";

/// What a browser is told that a file is.
fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => HTML,
        "svg" => "image/svg+xml",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

/// `guide/worker.md` is at `/guide/worker.html`; the table of contents is the start; what is no chapter keeps its name.
fn page_path(name: &str) -> String {
    match name.strip_suffix(".md") {
        Some("SUMMARY") => "/".to_owned(),
        Some(chapter) => format!("/{chapter}.html"),
        None => format!("/{name}"),
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
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = resolve(name, &dest_url).into();
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let dest_url = resolve(name, &dest_url).into();
            Event::Start(Tag::Image { link_type, dest_url, title, id })
        }
        other => other,
    });
    let mut body = String::new();
    html::push_html(&mut body, events);
    body
}

/// A link of the book as one of the site: relative to its chapter, `.md` as `.html`, without its fragment, which names a
/// section of the book and would name nothing here; a fragment for another file is that file's.
fn resolve<'a>(name: &str, link: &'a CowStr<'a>) -> String {
    if link.contains("://") || link.starts_with('#') {
        return link.to_string();
    }
    let mut folders: Vec<&str> = name.split('/').collect();
    folders.pop();
    let (link, fragment) = link.find('#').map_or((&**link, ""), |at| link.split_at(at));
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => _ = folders.pop(),
            part => folders.push(part),
        }
    }
    let path = page_path(&folders.join("/"));
    if link.ends_with(".md") { path } else { path + fragment }
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
            assert!(site.at(&path).is_some(), "{path}");
        }
    }

    #[test]
    fn every_picture_of_the_site_is_there() {
        let site = Site::of_the_book();
        let pages: Vec<&String> = site.pages.values().collect();
        let shown = pages.iter().flat_map(|page| page.split("<img src=\"").skip(1));
        let shown: Vec<&str> = shown.filter_map(|rest| rest.split('"').next()).collect();
        assert!(!shown.is_empty());
        for path in shown {
            let (kind, picture) = site.at(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(kind, "image/svg+xml", "{path}");
            assert!(picture.starts_with(b"<svg"), "{path}");
        }
    }

    #[test]
    fn no_link_leaves_a_file_that_is_no_page_of_the_book() {
        let site = Site::of_the_book();
        for path in site.reachable().iter().filter(|path| site.files.contains_key(*path)) {
            let file = String::from_utf8_lossy(site.files[path]);
            assert!(!file.contains("<a href=\"/") && !file.contains("<a href=\"."), "{path}");
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
        assert_eq!(resolve("a/b.md", &"c/d.html#02".into()), "/a/c/d.html#02");
        assert_eq!(resolve("a/b.md", &"c.svg".into()), "/a/c.svg");
    }
}
