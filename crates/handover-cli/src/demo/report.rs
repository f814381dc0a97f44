//! What the demo counts at its end, from the effects themselves: the rows in the database and the lines of the file, held
//! against the pages the site has. No worker is asked what it believes to have done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use handover::{Backend, Error, ErrorKind, QueueInfo, QueueName, Result, Status};
use serde::Serialize;
use serde_json::Value;

/// The demo's last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// Pages whose result is both in the database and in the file.
    pub(crate) pages: u64,
    /// Pages of the site that are not among them.
    pub(crate) lost: u64,
    /// Results beyond the first of their page, in the database or in the file.
    pub(crate) doubled: u64,
    /// The most unsettled jobs the queue ever held.
    pub(crate) depth_max: u64,
    /// The most it may hold.
    pub(crate) capacity: u64,
    /// Worker processes that were killed.
    pub(crate) workers_killed: u64,
    /// The folder with the database and the file.
    pub(crate) results: String,
}

impl Report {
    pub(crate) fn new(
        site: &BTreeSet<String>,
        effects: &Effects,
        queue: &QueueInfo,
        folder: &Path,
    ) -> Self {
        let kept =
            |page: &&String| effects.rows.contains_key(*page) && effects.lines.contains_key(*page);
        let pages = site.iter().filter(kept).count();
        let beyond_first =
            |counts: &BTreeMap<String, u64>| counts.values().map(|count| count - 1).sum::<u64>();
        Self {
            pages: pages as u64,
            lost: (site.len() - pages) as u64,
            doubled: beyond_first(&effects.rows) + beyond_first(&effects.lines),
            depth_max: queue.depth_max,
            capacity: queue.settings.capacity,
            workers_killed: 1,
            results: folder.display().to_string(),
        }
    }

    /// True where every promise held.
    pub(crate) fn is_good(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.depth_max <= self.capacity
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "pages fetched              {}", self.pages)?;
        writeln!(f, "jobs lost                  {}", self.lost)?;
        writeln!(f, "jobs with a second effect  {}", self.doubled)?;
        writeln!(f, "highest depth              {} of {}", self.depth_max, self.capacity)?;
        writeln!(f, "workers killed             {}", self.workers_killed)?;
        writeln!(f, "results                    {}/handover.db (rows)", self.results)?;
        write!(f, "                           {}/pages.jsonl (lines)", self.results)
    }
}

/// How often each page has a result, by its path.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    rows: BTreeMap<String, u64>,
    lines: BTreeMap<String, u64>,
}

impl Effects {
    /// Reads the rows of the queue's jobs and the lines of the file.
    pub(crate) async fn read(backend: &Backend, queue: &QueueName, file: &Path) -> Result<Self> {
        let mut effects = Self::default();
        let mut place = Some(0);
        while let Some(after) = place {
            let (records, next) = backend.results.list(queue, after, 1000).await?;
            for record in records.iter().filter(|record| record.status == Status::Done) {
                count(&mut effects.rows, record.output.as_deref().unwrap_or_default());
            }
            place = next;
        }
        let text = std::fs::read_to_string(file).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "the file of results cannot be read")
                .fact("file", file.display())
                .source(error)
        })?;
        text.lines().for_each(|line| count(&mut effects.lines, line));
        Ok(effects)
    }
}

/// Counts the page that a result is of. Results that are no page (a redirect, say) count for nothing.
fn count(counts: &mut BTreeMap<String, u64>, result: &str) {
    let page = serde_json::from_str::<Value>(result).ok();
    let path = page
        .as_ref()
        .and_then(|page| page.get("url")?.as_str())
        .and_then(|url| url::Url::parse(url).ok());
    if let Some(url) = path {
        *counts.entry(url.path().to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rows: &[&str], lines: &[&str]) -> Report {
        let result = |path: &&str| format!(r#"{{"url":"http://127.0.0.1:1{path}"}}"#);
        let mut effects = Effects::default();
        rows.iter().for_each(|path| count(&mut effects.rows, &result(path)));
        lines.iter().for_each(|path| count(&mut effects.lines, &result(path)));
        let site = BTreeSet::from(["/".to_owned(), "/a".to_owned()]);
        let name = QueueName::new("pages").unwrap();
        let info = QueueInfo::new(name, handover::QueueSettings::with_capacity(5));
        Report::new(&site, &effects, &info, Path::new("folder"))
    }

    #[test]
    fn a_page_without_a_row_or_without_a_line_is_lost() {
        assert!(report(&["/", "/a"], &["/a", "/"]).is_good());
        assert_eq!(report(&["/"], &["/a", "/"]).lost, 1);
        assert_eq!(report(&["/", "/a"], &["/"]).lost, 1);
    }

    #[test]
    fn a_second_line_is_a_second_effect() {
        assert_eq!(report(&["/", "/a"], &["/a", "/", "/a"]).doubled, 1);
    }
}
