//! The doctor: what is the matter with a file, as findings that a person or a program can read. It changes nothing.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use handover::{Error, JobState, Result};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::connect;
use crate::error::from_sqlite;
use crate::open::{SqliteFile, host};
use crate::sql::queue::Row;
use crate::sql::state::{code, from_sql};
use crate::{bell, patience, schema, view};

/// A lease that ran out longer ago than this and was not taken again means that nobody works on the queue.
const LONG_OVER: Duration = Duration::from_secs(10 * 60);
/// The most findings of one kind that are listed one by one.
const LISTED_MAX: usize = 20;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// A fact.
    Info,
    /// Look at it when there is time.
    Warning,
    /// Something is broken: stop and act.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What was looked at, as one word, such as `integrity`.
    pub check: String,
    /// What was found and, where there is something to do, what.
    pub message: String,
}

/// What the doctor found, in the order it looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// Everything that was looked at has at least one.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The severity of the worst finding.
    #[must_use]
    pub fn worst(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Info)
    }

    fn say(&mut self, severity: Severity, check: &str, message: impl Into<String>) {
        let (check, message) = (check.to_owned(), message.into());
        self.findings.push(Finding { severity, check, message });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path.display())?;
        for finding in &self.findings {
            writeln!(f, "{:<8} {:<10} {}", finding.severity, finding.check, finding.message)?;
        }
        Ok(())
    }
}

impl SqliteFile {
    /// Examines the file: every page, every counter, who holds leases, settings and sizes.
    ///
    /// It reads the whole file, on a connection of its own, while others go on working. It blocks the calling thread: call it
    /// from `spawn_blocking` in async code.
    ///
    /// # Errors
    /// `Unavailable` where the file cannot be read at all. What is wrong inside is a finding and no error.
    pub fn doctor(&self) -> Result<Report> {
        patience::limit(self.shared.reader.busy_wait_max());
        let now = self.shared.time.now_ms();
        examine(&self.shared.path, now).map_err(|error| error.operation("doctor"))
    }
}

fn examine(path: &Path, now: i64) -> Result<Report> {
    let mut report = Report { path: path.to_owned(), findings: Vec::new() };
    let connection = connect::reader(path)?;
    // One moment for everything: counters and rows must agree within it.
    let snapshot = connection.unchecked_transaction().map_err(from_sqlite)?;
    type Check<'a> = &'a dyn Fn(&Connection, &mut Report) -> rusqlite::Result<()>;
    let checks: [(&str, Check<'_>); 7] = [
        ("format", &format),
        ("integrity", &integrity),
        ("references", &references),
        ("counters", &counters),
        ("leases", &|connection, report| leases(connection, report, now)),
        ("queue", &queues),
        ("size", &sizes),
    ];
    for (name, check) in checks {
        if let Err(error) = check(&snapshot, &mut report) {
            let error: Error = from_sqlite(error);
            report.say(Severity::Error, name, format!("it could not be examined: {error:?}"));
        }
    }
    bells(path, &mut report);
    Ok(report)
}

fn format(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let fits = application == schema::APPLICATION_ID && version == schema::VERSION && mode == "wal";
    let severity = if fits { Severity::Info } else { Severity::Error };
    report.say(
        severity,
        "format",
        format!(
            "format {version} (this handover writes {}), journal mode {mode}, SQLite {}",
            schema::VERSION,
            rusqlite::version()
        ),
    );
    Ok(())
}

fn integrity(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({LISTED_MAX})"))?;
    let mut lines = check.query([])?;
    while let Some(line) = lines.next()? {
        let line: String = line.get(0)?;
        if line == "ok" {
            report.say(Severity::Info, "integrity", "every page is sound");
        } else {
            let advice = "stop the workers, restore a backup or recover with sqlite3 .recover";
            report.say(Severity::Error, "integrity", format!("{line}; {advice}"));
        }
    }
    Ok(())
}

fn references(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let broken = connection.prepare("PRAGMA foreign_key_check")?.query_map([], |_| Ok(()))?.count();
    let lost: i64 = connection.query_row(
        "SELECT count(*) FROM job LEFT JOIN known ON known.id = job.id AND known.seq = job.seq WHERE known.id IS NULL",
        [],
        |row| row.get(0),
    )?;
    let bodiless: i64 = connection.query_row(
        "SELECT count(*) FROM job LEFT JOIN body ON body.seq = job.seq WHERE job.body IS NULL AND body.seq IS NULL",
        [],
        |row| row.get(0),
    )?;
    // Every id that is known belongs to a job, or is on the list of those to be forgotten.
    let homeless: i64 = connection.query_row(
        "SELECT (SELECT count(*) FROM known) - (SELECT count(*) FROM job)
         - (SELECT coalesce(sum(length(ids) / 16), 0) FROM forget)",
        [],
        |row| row.get(0),
    )?;
    if homeless != 0 {
        report.say(
            Severity::Warning,
            "references",
            format!("{homeless} ids are known for no reason and will not be forgotten"),
        );
    }
    if broken == 0 && lost == 0 && bodiless == 0 {
        report.say(Severity::Info, "references", "rows that belong together are together");
    } else {
        report.say(
            Severity::Error,
            "references",
            format!("{broken} rows refer to nothing, {lost} jobs have no known id, {bodiless} have no body"),
        );
    }
    Ok(())
}

fn counters(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let mut count =
        connection.prepare("SELECT queue, state, count(*) FROM job GROUP BY queue, state")?;
    let counted: HashMap<(i64, i64), i64> = count
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut wrong = 0;
    for row in view::rows(connection)? {
        for state in JobState::ALL {
            let (said, counted) = (row.count(state), counted.get(&(row.id, code(state))));
            let counted = counted.copied().unwrap_or(0);
            if counted != said {
                wrong += 1;
                report.say(
                    Severity::Error,
                    "counters",
                    format!("queue {} says {said} {state} jobs and has {counted}", row.name),
                );
            }
        }
    }
    if wrong == 0 {
        report.say(Severity::Info, "counters", "every counter equals what is counted");
    }
    Ok(())
}

fn leases(connection: &Connection, report: &mut Report, now: i64) -> rusqlite::Result<()> {
    let mut list = connection.prepare(
        "SELECT label, count(*), min(due) FROM job LEFT JOIN owner ON owner.id = job.owner
         WHERE state = 1 GROUP BY owner ORDER BY min(due)",
    )?;
    let owners: Vec<(Option<String>, i64, i64)> = list
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    if owners.is_empty() {
        report.say(Severity::Info, "leases", "nobody holds a lease");
    }
    for (owner, jobs, first_due) in owners.into_iter().take(LISTED_MAX) {
        let name = owner.as_deref().unwrap_or("nobody known");
        let over = Duration::from_millis(from_sql(now - first_due));
        let (severity, note) = if over > LONG_OVER {
            (
                Severity::Warning,
                format!(
                    "; one ran out {over:.0?} ago and nobody took the job again: is a worker running?"
                ),
            )
        } else if owner.as_deref().is_some_and(is_dead) {
            (Severity::Warning, "; that process is gone (or its number belongs to another by now): they come back when they run out".to_owned())
        } else {
            (Severity::Info, String::new())
        };
        report.say(severity, "leases", format!("{name} holds {jobs} leases{note}"));
    }
    Ok(())
}

/// True where the owner is `host:pid` of a process of this machine that does not run. A process number that was given again
/// to another process hides a dead owner; the lease ends all the same.
fn is_dead(owner: &str) -> bool {
    let Some((name, pid)) = owner.rsplit_once(':') else { return false };
    let Ok(pid) = pid.parse::<u32>() else { return false };
    name == host()
        && Path::new("/proc/self").exists()
        && !Path::new(&format!("/proc/{pid}")).exists()
}

fn queues(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let rows = view::rows(connection)?;
    if rows.is_empty() {
        report.say(Severity::Info, "queue", "no queue was declared yet");
    }
    for row in rows {
        describe(&row, report);
    }
    Ok(())
}

fn describe(row: &Row, report: &mut Report) {
    let durability = row.durability.map_or("as opened".to_owned(), |level| level.to_string());
    let mut text = format!(
        "{}: {} of {} places, {} parked of {}, {} buried, durability {durability}, ids remembered {:?}",
        row.name,
        row.depth(),
        row.capacity,
        row.count(JobState::Parked),
        row.overdraft,
        row.count(JobState::Buried),
        Duration::from_millis(from_sql(row.remember_ms)),
    );
    if row.exclusive {
        text.push_str(", exclusive");
    }
    let severity = if row.paused {
        text.push_str(", paused: it hands nothing out");
        Severity::Warning
    } else if row.depth() > row.capacity {
        text.push_str(", above its capacity: it was declared smaller while it was fuller");
        Severity::Warning
    } else {
        Severity::Info
    };
    report.say(severity, "queue", text);
}

fn sizes(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    const LOG_BYTES_LARGE: u64 = 512 * 1024 * 1024;
    let number =
        |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map(from_sql);
    let (page, pages, free) =
        (number("page_size")?, number("page_count")?, number("freelist_count")?);
    report.say(
        Severity::Info,
        "size",
        format!("{} bytes, of which {} are free for reuse", page * pages, page * free),
    );
    let mut log = report.path.clone().into_os_string();
    log.push("-wal");
    let log_bytes = std::fs::metadata(log).map_or(0, |log| log.len());
    if log_bytes > LOG_BYTES_LARGE {
        report.say(
            Severity::Warning,
            "size",
            format!("the log has {log_bytes} bytes: some process reads without an end"),
        );
    } else {
        report.say(Severity::Info, "size", format!("the log has {log_bytes} bytes"));
    }
    Ok(())
}

fn bells(path: &Path, report: &mut Report) {
    let stale = bell::stale(path);
    if stale.is_empty() {
        report.say(Severity::Info, "bells", "every bell is answered");
    }
    for bell in stale.into_iter().take(LISTED_MAX) {
        report.say(
            Severity::Info,
            "bells",
            format!(
                "{} is left over from a dead process; the next commit removes it",
                bell.0.display()
            ),
        );
    }
}
