//! One run of a program: a schedule from a file, or real threads; and its picture as a file.

use std::path::Path;

use handover_lab::picture::{self, Picture, chrome, svg, text};
use handover_lab::{Choice, record};
use handover_lessons::{Lesson, Program};
use serde::Serialize;
use serde_json::json;

use super::{Learn, schedule, title};
use crate::app::App;
use crate::failure::Failure;
use crate::output::stdout_has_color;

/// A step that was taken, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    step: u64,
    #[serde(flatten)]
    choice: schedule::Step,
    /// What it did, and what it did without a step of its own, such as giving a lock back.
    does: Vec<String>,
}

/// The steps of a schedule with these threads, and what its picture says that they did.
pub(super) fn steps(names: &[String], picture: &Picture, schedule: &[Choice]) -> Vec<Taken> {
    let does = |at: u64, thread: usize| {
        let marks = picture.lanes.get(thread).map(|lane| lane.marks.iter());
        let marks = marks.into_iter().flatten().filter(|mark| mark.at == at);
        marks.map(|mark| mark.text.clone()).collect()
    };
    let taken = (1..).zip(schedule).zip(schedule::steps(names, schedule));
    taken.map(|((step, by), choice)| Taken { step, choice, does: does(step, by.thread) }).collect()
}

/// Runs the schedule in a file.
pub(super) fn replay_file(
    app: &App,
    lesson: &Lesson,
    program: Option<&'static Program>,
    file: &Path,
    asked: &Learn,
) -> Result<(), Failure> {
    let (program, schedule, run) = schedule::load(file, lesson, program)?;
    let picture = picture::of_replay(&title(lesson, program), &run);
    draw(app, &picture, asked)?;
    let steps = steps(&run.trace.threads, &picture, &schedule);
    let answer = json!({
        "lesson": lesson.number,
        "program": program.name,
        "steps": steps,
        "ended": run.trace.end.is_some(),
        "broken": run.trace.end.is_some_and(|end| end.is_broken()),
        "end": picture.verdict,
    });
    app.out.result(&answer, || {
        let shown = shown(&picture, stdout_has_color());
        format!("{}\n\n{}", picture.title, shown.trim_end())
    })?;
    Ok(())
}

/// Runs a program on real threads, once.
pub(super) fn real(
    app: &App,
    lesson: &Lesson,
    program: &Program,
    asked: &Learn,
) -> Result<(), Failure> {
    let trace = record(program.run, asked.limit);
    let picture = picture::of_trace(&title(lesson, program), &trace);
    draw(app, &picture, asked)?;
    let answer = json!({
        "lesson": lesson.number,
        "program": program.name,
        "operations": trace.spans.iter().filter(|span| span.took.is_some()).count(),
        "dropped": trace.dropped,
        "ended": trace.end != Some(handover_lab::End::Bound),
        "broken": trace.end.as_ref().is_some_and(handover_lab::End::is_broken),
        "end": picture.verdict,
    });
    app.out.result(&answer, || {
        let lanes = text::lanes(&picture, stdout_has_color());
        format!("{} on real threads, once\n\n{}", picture.title, lanes.trim_end())
    })?;
    if trace.end == Some(handover_lab::End::Well) && program.wrong {
        app.out.note("one run is one schedule: --explore runs it under all of them");
    }
    Ok(())
}

/// A picture as text: the steps, then the lanes, then how it ended, once.
pub(super) fn shown(picture: &Picture, color: bool) -> String {
    let open = Picture { verdict: String::new(), circle: Vec::new(), ..picture.clone() };
    format!("{}\n{}", text::steps(&open, color), text::lanes(picture, color))
}

/// Writes the picture into the files that were asked for.
pub(super) fn draw(app: &App, picture: &Picture, asked: &Learn) -> Result<(), Failure> {
    if let Some(file) = &asked.svg {
        write(app, file, &svg::svg(picture))?;
    }
    if let Some(file) = &asked.trace {
        write(app, file, &chrome::chrome(picture))?;
    }
    Ok(())
}

/// Writes a file that was asked for, over one that is there.
pub(super) fn write(app: &App, file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text)
        .map_err(|error| Failure::io(format!("the file {file:?} cannot be written"), &error))?;
    app.out.note(&format!("wrote {}", file.display()));
    Ok(())
}
