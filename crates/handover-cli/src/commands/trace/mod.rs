//! `handover trace`: histories of real work, drawn and judged.
//!
//! In reading order: `read.rs` (which files, and what is wrong with them), `calls.rs` (questions with their answers),
//! `story.rs` (who sent, waited and had which job), `window.rs` (which part of it is looked at), `level.rs` (how many jobs a
//! queue held), `lanes.rs` and `draw.rs` (from that to a picture), `job.rs` (one job, line by line), `times.rs` (how long
//! and when, for people), `report.rs` (the verdict, as text and as JSON). What is a broken promise is for `handover::history` to say; how a picture is drawn, for `handover_lab::picture`.

mod calls;
mod draw;
#[cfg(test)]
mod fuzz;
mod job;
mod lanes;
mod level;
mod read;
mod report;
mod story;
mod times;
mod window;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use handover::history::{Expect, History, check};
use handover_lab::picture::{chrome, svg, text};

use self::draw::Detail;
use self::report::Verdict;
use self::story::Story;
use self::window::Narrow;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::{Failure, unless_closed};
use crate::output::stdout_has_color;

/// Draw what processes did with a queue, from their histories, and judge it: exit code 1 where a promise was broken
///
/// The histories are written with --history. Each process has lanes of its own: what it sends and where it waits for room, and
/// one lane for each job that it had at the same time; below them is how full each queue was. The checker reads the histories
/// of all processes together, so name those of all that touched the queues, from their first job on.
#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// Histories, or folders of them; the folder of --history where none is named
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Draw only what was done with this queue (repeatable)
    #[arg(long = "queue", value_name = "NAME")]
    queues: Vec<String>,

    /// Draw only this job, and tell its story line by line; the beginning or the end of its id suffices
    #[arg(long, value_name = "ID")]
    job: Option<String>,

    /// Draw only what came after this much time
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    from: Option<Duration>,

    /// Draw only what came before this much time
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    to: Option<Duration>,

    /// Nothing is left in the queues: a job that was neither done nor buried is a loss
    #[arg(long)]
    drained: bool,

    /// Draw it as SVG into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Write it into this file as Chrome's trace events, for Perfetto and the like
    #[arg(long, value_name = "FILE", visible_alias = "chrome")]
    trace: Option<PathBuf>,
}

impl Trace {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let (history, files) = read::histories(&self.files, app.global.history.as_deref())?;
        let expect = if self.drained { Expect::drained() } else { Expect::running() };
        let report = check(&history, &expect).map_err(read::bad)?;
        let story = Story::of(&history);
        let narrow = Narrow::of(&story, &self)?;
        let verdict = Verdict::new(&history, &report, &story, files);
        if let Some(file) = &self.svg {
            let picture = draw::picture(&story, &verdict, &narrow, Detail::Page);
            write(app, file, &svg::svg(&picture))?;
        }
        if let Some(file) = &self.trace {
            let picture = draw::picture(&story, &verdict, &narrow, Detail::All);
            write(app, file, &chrome::chrome(&picture))?;
        }
        let alone = self.svg.is_some() || self.trace.is_some();
        let mut object = verdict.object();
        if let Some(job) = narrow.job {
            object["story"] = job::objects(&story, job).into();
        }
        unless_closed(app.out.result(&object, || {
            let picture = draw::picture(&story, &verdict, &narrow, Detail::Terminal);
            if alone {
                return verdict.text(&picture);
            }
            let lines = narrow.job.map(|job| job::lines(&story, job)).unwrap_or_default();
            let lanes = text::lanes(&picture, stdout_has_color());
            format!("{}\n\n{lines}{}\n{}", picture.title, lanes.trim_end(), verdict.times(&narrow))
                .trim_end()
                .to_owned()
        }))?;
        if let Some(hint) = verdict.hint() {
            app.out.note(hint);
        }
        Ok(if report.is_clean() { Exit::Done } else { Exit::Failed })
    }
}

/// A whole history as a terminal shows it, and as SVG: for what a lesson tells of real work.
///
/// # Errors
/// Where it is no history, or cannot be true.
pub(crate) fn drawn(name: &str, lines: &str, color: bool) -> Result<(String, String), Failure> {
    let mut history = History::default();
    history.add(name, lines.as_bytes()).map_err(read::bad)?;
    let report = check(&history, &Expect::running()).map_err(read::bad)?;
    let story = Story::of(&history);
    let narrow = Narrow::all(&story);
    let verdict = Verdict::new(&history, &report, &story, 1);
    let terminal = draw::picture(&story, &verdict, &narrow, Detail::Terminal);
    let page = draw::picture(&story, &verdict, &narrow, Detail::Page);
    Ok((format!("{}\n\n{}", terminal.title, text::lanes(&terminal, color)), svg::svg(&page)))
}

/// Writes a file that was asked for, over one that is there.
fn write(app: &App, file: &Path, text: &str) -> Result<(), Failure> {
    // Not 1, which says that a promise was broken.
    std::fs::write(file, text).map_err(|error| {
        Failure::usage(format!("the file {file:?} cannot be written: {error}"))
            .hint("name one in a folder that exists and is yours")
    })?;
    app.out.note(&format!("wrote {}", file.display()));
    Ok(())
}
