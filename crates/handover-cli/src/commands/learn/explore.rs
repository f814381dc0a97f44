//! `learn LESSON --explore`: every schedule of a program, how many break it, and the shortest one that does.

use handover::clock;
use handover_lab::picture::{self, Picture};
use handover_lab::{Bounds, Choice, Exploration, Kind, explore, replay, replay_within};
use handover_lessons::{Lesson, Program};
use serde::Serialize;

use super::{Learn, run, schedule, title};
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::stdout_has_color;

/// The answer for programs.
#[derive(Serialize)]
struct Answer<'a> {
    lesson: u32,
    program: &'a str,
    schedules: u128,
    broken: u128,
    complete: bool,
    states: usize,
    bounds: Within,
    shortest: Option<Vec<run::Step>>,
    end: Option<&'a str>,
}

#[derive(Serialize)]
struct Within {
    steps: usize,
    states: usize,
    spurious: u32,
    patience: Option<usize>,
}

/// Explores, says what was found and what was not looked at, and writes the files that were asked for.
pub(super) fn explored(
    app: &App,
    lesson: &Lesson,
    program: &'static Program,
    asked: &Learn,
) -> Result<Exploration, Failure> {
    let bounds = asked.bounds(program);
    let began = clock::now();
    let found = explore(program.run, bounds.clone());
    let took = clock::now() - began;
    let drawn = |schedule: &[Choice]| drawn(lesson, program, schedule, &bounds);
    let broken = found.shortest.as_ref().map(|(schedule, _)| drawn(schedule));
    if let Some(file) = &asked.save {
        let Some((schedule, _)) = &found.shortest else {
            let message = format!("no schedule that breaks {} was found", program.name);
            return Err(Failure::new(Exit::NothingFound, message)
                .hint("name a program that breaks with --program"));
        };
        schedule::save(app, file, lesson, program, (schedule, &bounds))?;
    }
    let picture = broken.clone().unwrap_or_else(|| drawn(&some_schedule(program)));
    run::draw(app, &picture, asked)?;
    if !asked.explore {
        return Ok(found); // only files were asked for
    }
    if app.out.is_json() {
        let steps = found.shortest.as_ref().zip(broken.as_ref());
        app.out.object(&Answer {
            lesson: lesson.number,
            program: program.name,
            schedules: found.schedules,
            broken: found.broken,
            complete: found.complete,
            states: found.states,
            bounds: Within {
                steps: bounds.steps,
                states: bounds.states,
                spurious: bounds.spurious,
                patience: bounds.patience,
            },
            shortest: steps.map(|((schedule, _), picture)| run::steps(picture, schedule)),
            end: broken.as_ref().map(|picture| picture.verdict.as_str()),
        })?;
    } else {
        let mut said = title(lesson, program);
        said.push_str(&format!("\n\n{}\n", counted(program, &found, &bounds)));
        if let Some(picture) = &broken {
            said.push_str(&format!("\n{}", run::shown(picture, stdout_has_color())));
        }
        app.out.line(said.trim_end())?;
    }
    app.out.note(&format!("explored in {:.3} s", took.as_secs_f64()));
    Ok(found)
}

/// What a search found and what it did not look at, in sentences.
pub(super) fn counted(program: &Program, found: &Exploration, bounds: &Bounds) -> String {
    let count = |number: u128, word: &str| {
        format!("{} {word}{}", grouped(number), if number == 1 { "" } else { "s" })
    };
    let proven = found.complete && found.broken == 0;
    let mut said = if proven { "Proof: " } else { "" }.to_owned();
    said.push_str(&count(found.schedules, "schedule"));
    said.push_str(&match found.broken {
        0 => ", none broken".to_owned(),
        broken => format!(", {} broken", grouped(broken)),
    });
    said.push_str(&format!("; {}. ", count(found.states as u128, "state")));
    let unasked = match (bounds.spurious, sleeps(program)) {
        (_, false) => "",
        (0, true) => " without unasked wake-ups (--spurious 1 adds them)",
        (1, true) => " with at most one unasked wake-up",
        (_, true) => " with as many unasked wake-ups as were permitted, or fewer",
    };
    said.push_str(&if found.complete {
        format!("All schedules{unasked} were looked at.")
    } else {
        format!(
            "Not all schedules{unasked} were looked at: it stopped at a bound (--steps {}, --states {}). Nothing is said of \
             longer schedules, nor of shorter ones that pass through where it stopped.",
            bounds.steps, bounds.states
        )
    });
    if let Some(patience) = bounds.patience {
        said.push_str(&if proven {
            format!(" In none of them does a thread wait through {patience} steps of others.")
        } else {
            format!(" A thread that waits through {patience} steps of others counts as starved.")
        });
    }
    if let Some((schedule, _)) = &found.shortest {
        let shortest = if found.complete { "The shortest" } else { "The shortest found" };
        said.push_str(&format!(
            " {shortest} that breaks it has {}.",
            count(schedule.len() as u128, "step")
        ));
    }
    super::page::wrapped(&said, "")
}

/// Whether a thread of it could sleep on a condition.
fn sleeps(program: &Program) -> bool {
    replay(program.run, &[])
        .is_ok_and(|run| run.trace.objects.iter().any(|(kind, _)| *kind == Kind::Condvar))
}

/// 1234567 as 1 234 567.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The picture of a schedule that fits its program.
pub(super) fn drawn(
    lesson: &Lesson,
    program: &Program,
    schedule: &[Choice],
    bounds: &Bounds,
) -> Picture {
    replay_within(program.run, schedule, bounds)
        .map(|run| picture::of_replay(&title(lesson, program), &run))
        .unwrap_or_default()
}

/// The most steps of a run that is only an example.
const EXAMPLE_STEPS_MAX: usize = 200;

/// A schedule in which the threads take turns as far as they can: an example of how a program ends well.
pub(super) fn some_schedule(program: &Program) -> Vec<Choice> {
    let mut schedule: Vec<Choice> = Vec::new();
    while schedule.len() < EXAMPLE_STEPS_MAX {
        let Ok(run) = replay(program.run, &schedule) else { break };
        let choices = run.moments.last().map(|moment| moment.choices.clone()).unwrap_or_default();
        let last = schedule.last().map_or(0, |choice| choice.thread);
        let next = choices.iter().find(|choice| choice.thread > last).or_else(|| choices.first());
        let Some(&next) = next else { break };
        schedule.push(next);
    }
    schedule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_can_be_read() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn an_example_of_a_repair_runs_to_its_end() {
        for lesson in handover_lessons::all() {
            for program in lesson.programs.iter().filter(|program| !program.wrong) {
                let schedule = some_schedule(program);
                let end = replay(program.run, &schedule).unwrap().trace.end;
                assert_eq!(end, Some(handover_lab::End::Well), "{}", program.name);
            }
        }
    }
}
