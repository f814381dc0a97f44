//! A schedule as a file: who takes each step, by the threads' names. Written by `--save`, read by `--replay`, and small enough
//! to be written by hand. Another version of it, or one that does not fit the program, is refused.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use handover_lab::{Bounds, Choice, Lane, Op, Replay, Wake, replay_within};
use handover_lessons::{Lesson, Program};
use serde::{Deserialize, Serialize};

use super::find;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;

const VERSION: u64 = 1;
const BYTES_MAX: u64 = 1 << 20;
/// The most steps of a schedule, in a file and in a search: what is found can be saved, and run again.
pub(super) const STEPS_MAX: usize = 10_000;

/// What stands in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u64,
    lesson: u32,
    program: String,
    /// Through how many steps of others a thread waits until it has starved; as the program wants it where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patience: Option<usize>,
    steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// Whose.
    thread: String,
    /// Whom it wakes, where several sleep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wakes: Option<String>,
    /// It is a wake-up that nobody asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unasked: bool,
    /// What chance picks, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picks: Option<u32>,
}

/// The steps of a schedule, by the threads' names.
pub(super) fn steps(names: &[String], schedule: &[Choice]) -> Vec<Step> {
    let name = |id: usize| names.get(id).cloned().unwrap_or_default();
    let step = |choice: &Choice| {
        let mut step =
            Step { thread: name(choice.thread), wakes: None, unasked: false, picks: None };
        match choice.wake {
            Wake::Notified(id) => step.wakes = Some(name(id)),
            Wake::Spurious => step.unasked = true,
            Wake::Picked(number) => step.picks = Some(number),
            _ => {}
        }
        step
    };
    schedule.iter().map(step).collect()
}

/// Writes a schedule of a program.
///
/// # Errors
/// Where the file cannot be written, or could not be read again.
pub(super) fn save(
    app: &App,
    file: &Path,
    lesson: &Lesson,
    program: &Program,
    patience: Option<usize>,
    steps: Vec<Step>,
) -> Result<(), Failure> {
    let (lesson, program) = (lesson.number, program.name.to_owned());
    let saved = Saved { version: VERSION, lesson, program, patience, steps };
    let mut text = serde_json::to_string_pretty(&saved)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    text.push('\n');
    if text.len() as u64 > BYTES_MAX {
        let why = "the schedule is longer than what --replay reads, 1 MiB";
        return Err(Failure::new(Exit::Failed, why).hint("search for a shorter one with --steps"));
    }
    super::run::write(app, file, &text)
}

/// Reads a schedule of this lesson, and of this program if one was named.
///
/// # Errors
/// Where it is no schedule, of another version or of something else, or where it leaves the program: at which step.
pub(super) fn load(
    file: &Path,
    lesson: &Lesson,
    wanted: Option<&'static Program>,
) -> Result<(&'static Program, Vec<Choice>, Replay), Failure> {
    let shown = file.display();
    let bad = |why: String| Failure::new(Exit::BadData, format!("{shown}: {why}"));
    let saved = read(file)?;
    if saved.lesson != lesson.number {
        let why = format!("is of lesson {:02}, not of {:02}", saved.lesson, lesson.number);
        return Err(bad(why).hint(format!("handover learn {:02} --replay {shown}", saved.lesson)));
    }
    let program = find::program(lesson, &saved.program)
        .map_err(|failure| Failure { exit: Exit::BadData, ..failure })?;
    if wanted.is_some_and(|wanted| wanted.name != program.name) {
        return Err(bad(format!("is of the program {}", program.name)).hint("leave --program out"));
    }
    let mut schedule = Vec::new();
    let patience = saved.patience.or(program.patience);
    let bounds = Bounds { patience, ..program.bounds() };
    let mut names = threads(program, &schedule, &bounds).map_err(bad)?;
    for (number, step) in (1..).zip(&saved.steps) {
        let mut id = |name: &String, so_far: &[Choice]| {
            if !names.contains(name) {
                names = threads(program, so_far, &bounds)?;
            }
            names.iter().position(|known| known == name).ok_or_else(|| {
                let shown = crate::table::cut(name, 40);
                let known = names.join(", ");
                format!("step {number}: there is no thread {shown:?}; there are {known}")
            })
        };
        let wake = match (&step.wakes, step.unasked, step.picks) {
            (Some(name), false, None) => Wake::Notified(id(name, &schedule).map_err(bad)?),
            (None, true, None) => Wake::Spurious,
            (None, false, Some(one)) => Wake::Picked(one),
            (None, false, None) => Wake::None,
            _ => {
                return Err(bad(format!(
                    "step {number}: only one of wakes, unasked and picks can belong to a step"
                )));
            }
        };
        let thread = id(&step.thread, &schedule).map_err(bad)?;
        schedule.push(Choice { thread, wake });
    }
    let run = fits(program, &schedule, &bounds).map_err(bad)?;
    Ok((program, schedule, run))
}

fn read(file: &Path) -> Result<Saved, Failure> {
    let shown = file.display();
    let bad = |why: String| Failure::new(Exit::BadData, format!("{shown}: {why}"));
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| Failure::io(format!("the file {file:?} cannot be read"), &error))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(bad("is larger than a schedule, 1 MiB".to_owned()));
    }
    let no_schedule = |error: serde_json::Error| bad(format!("is no schedule: {error}"));
    let value: serde_json::Value = serde_json::from_str(&text).map_err(no_schedule)?;
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(VERSION) => {}
        Some(other) => {
            let why = format!("has version {other}; this handover reads version {VERSION}");
            return Err(bad(why).hint("write it anew with --save"));
        }
        None => return Err(bad("is no schedule: it has no version".to_owned())),
    }
    let saved: Saved = serde_json::from_value(value).map_err(no_schedule)?;
    if saved.steps.len() > STEPS_MAX {
        return Err(bad(format!("has more than {STEPS_MAX} steps")));
    }
    Ok(saved)
}

/// The threads that the program has after these steps.
fn threads(program: &Program, schedule: &[Choice], bounds: &Bounds) -> Result<Vec<String>, String> {
    fits(program, schedule, bounds).map(|run| run.trace.threads)
}

/// The run of a schedule, or the step where it leaves the program and what could have been done there.
fn fits(program: &Program, schedule: &[Choice], bounds: &Bounds) -> Result<Replay, String> {
    replay_within(program.run, schedule, bounds).map_err(|misfit| {
        let step = misfit.step;
        let before = schedule.get(..step - 1).unwrap_or_default();
        match replay_within(program.run, before, bounds) {
            Ok(run) if !misfit.possible.is_empty() => {
                let possible: Vec<String> =
                    misfit.possible.iter().map(|&choice| told(&run, choice)).collect();
                let possible = possible.join("; ");
                format!("step {step} does not fit {}; possible there: {possible}", program.name)
            }
            _ => format!("step {step} does not fit {}, which has ended before", program.name),
        }
    })
}

/// A choice in words: "a reads counter".
fn told(run: &Replay, choice: Choice) -> String {
    let name = |id: usize| run.trace.threads.get(id).map_or("?", String::as_str);
    let lane = run.moments.last().and_then(|moment| moment.lanes.get(choice.thread));
    let does = match lane {
        Some(Lane::Ready(Op::Pick { what, .. })) => format!("lets chance pick {what}"),
        Some(Lane::Ready(op)) => {
            let object = op.object().and_then(|id| run.trace.objects.get(id));
            format!("{} {}", op.verb(), object.map_or("", |(_, name)| name.as_str()))
        }
        _ => "wakes unasked".to_owned(),
    };
    let wakes = match choice.wake {
        Wake::Notified(id) => format!(" (wakes {})", name(id)),
        Wake::Picked(number) => format!(" (picks {number})"),
        _ => String::new(),
    };
    format!("{} {}{wakes}", name(choice.thread), does.trim_end())
}
