//! The crawl of a real site of several hundred pages, killed in the middle and started again.
//!
//! `cargo xtask test` serves the site and names it in the environment: `HANDOVER_SITE` is where it answers,
//! `HANDOVER_SITE_TREE` the folder of its pages, `HANDOVER_SITE_LOG` a line for each request. What the crawl must find is
//! counted here from the files, by other code than the crawler's.

#![allow(clippy::unwrap_used, reason = "a test that unwraps shows where it failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use handover::clock;
use url::Url;

const CAPACITY: u64 = 20;
const CONCURRENCY: usize = 8;

fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run this test by `cargo xtask test --only crawl`")
    })
}

/// The HTML pages that a reader reaches from the start by following links, as paths of the site.
fn reachable(tree: &Path, site: &Url) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![site.clone()];
    while let Some(mut page) = next.pop() {
        page.set_fragment(None);
        let path = page.path().to_owned();
        let file = tree.join(if path == "/" { "index.html" } else { path.trim_start_matches('/') });
        let is_page = file.extension().is_some_and(|extension| extension == "html");
        if page.origin() != site.origin()
            || path.starts_with("/_static/")
            || !is_page
            || !file.is_file()
        {
            continue;
        }
        if reached.insert(page.as_str().to_owned()) {
            let text = fs::read_to_string(&file).unwrap();
            next.extend(links(&text).into_iter().filter_map(|link| page.join(&link).ok()));
        }
    }
    reached
}

/// What the anchors of a page point to: text between `href="` and `"` inside `<a …>`.
fn links(text: &str) -> Vec<String> {
    text.split("<a ")
        .skip(1)
        .filter_map(|rest| {
            let tag = rest.split('>').next()?;
            let href = tag.split("href=\"").nth(1)?.split('"').next()?;
            Some(href.replace("&amp;", "&"))
        })
        .collect()
}

struct Crawl {
    folder: tempfile::TempDir,
}

impl Crawl {
    fn start(&self, out: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_handover"))
            .current_dir(self.folder.path())
            .args([
                "crawl",
                &setting("HANDOVER_SITE"),
                "--depth",
                "100",
                "--delay",
                "0s",
                "--per-host",
                "0",
            ])
            .args(["--capacity", &CAPACITY.to_string(), "--concurrency", &CONCURRENCY.to_string()])
            .args(["--lease", "1s", "--out", out, "--field", "heading=h1", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap()
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("pages.jsonl")
    }

    fn lines(&self) -> usize {
        fs::read(self.out()).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count())
    }

    fn pages(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.out()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// How often each page was asked for, as the site's own log says.
fn asked() -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for line in fs::read_to_string(setting("HANDOVER_SITE_LOG")).unwrap().lines() {
        let path = line.split(' ').nth(2).unwrap();
        *times.entry(path.to_owned()).or_default() += 1;
    }
    times
}

#[test]
fn a_crawl_that_is_killed_and_started_again_finds_every_page_once() {
    let site = Url::parse(&setting("HANDOVER_SITE")).unwrap();
    let expected = reachable(Path::new(&setting("HANDOVER_SITE_TREE")), &site);
    assert!(expected.len() > 500, "the site has {} pages", expected.len());
    let crawl = Crawl { folder: tempfile::tempdir().unwrap() };

    // Killed when a third of the pages is there; no signal but the file itself says when.
    let mut first = crawl.start("pages.jsonl");
    let deadline = clock::now() + Duration::from_secs(120);
    while crawl.lines() < expected.len() / 3 {
        assert!(clock::now() < deadline, "no {} pages in two minutes", expected.len() / 3);
        assert!(first.try_wait().unwrap().is_none(), "the crawl ended before it could be killed");
        std::thread::park_timeout(Duration::from_millis(10)); // not to take the crawl's processor
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let before = crawl.lines();

    let second = crawl.start("pages.jsonl").wait_with_output().unwrap();
    assert!(second.status.success(), "{second:?}");
    let summary = String::from_utf8(second.stdout).unwrap();
    let summary: serde_json::Value = serde_json::from_str(summary.lines().last().unwrap()).unwrap();
    println!("killed after {before} pages, then: {summary}");

    let pages = crawl.pages();
    let html = pages.iter().filter(|page| page["content_type"] == "text/html");
    let found: BTreeSet<String> =
        html.clone().map(|page| page["url"].as_str().unwrap().to_owned()).collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let extra: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing: {missing:?}, extra: {extra:?}");
    assert_eq!(html.count(), expected.len(), "a page is in the file twice");
    assert!(pages.iter().filter(|page| page["fields"]["heading"].is_string()).count() > 500);
    let depth_max = summary["depth_max"].as_u64().unwrap();
    assert!(depth_max <= CAPACITY, "the queue held {depth_max} jobs");

    // A page that was settled before the kill is not fetched again; one that was on its way may be.
    let again: usize = asked().values().map(|times| times - 1).sum();
    assert!(again <= 2 * CONCURRENCY + 1, "{again} requests were repeated");
    assert!(
        !asked().keys().any(|path| path.starts_with("/_static/")),
        "robots.txt forbids /_static/"
    );
}
