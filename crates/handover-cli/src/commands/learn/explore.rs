//! `learn LESSON --explore`: every schedule of a program, how many break it, and the shortest one that does.

use handover::clock;
use handover_lab::Exploration;
use handover_lessons::{Lesson, Program};
use serde::Serialize;

use super::looked::Looked;
use super::wrap::wrapped;
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
    shortest: Option<Vec<run::Taken>>,
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
pub(super) fn explore_and_tell(
    app: &App,
    lesson: &Lesson,
    program: &'static Program,
    asked: &Learn,
) -> Result<Exploration, Failure> {
    let bounds = asked.bounds(program);
    let began = clock::now();
    let looked = Looked::at(lesson, program, &bounds)?;
    let took = clock::now() - began;
    let (found, picture) = (&looked.found, &looked.picture);
    if let Some(file) = &asked.save {
        let Some((schedule, _)) = &found.shortest else {
            let message = format!("no schedule that breaks {} was found", program.name);
            return Err(Failure::new(Exit::NothingFound, message)
                .hint("name a program that breaks with --program"));
        };
        let steps = schedule::steps(&looked.names, schedule);
        schedule::save(app, file, lesson, program, bounds.patience, steps)?;
    }
    run::draw(app, picture, asked)?;
    if !asked.explore {
        return Ok(looked.found); // only files were asked for
    }
    if app.out.is_json() {
        let shortest = found.shortest.as_ref();
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
            shortest: shortest.map(|(schedule, _)| run::steps(&looked.names, picture, schedule)),
            end: shortest.map(|_| picture.verdict.as_str()),
        })?;
    } else {
        let proof = if looked.is_proof() { "Proof: " } else { "" };
        let counted = wrapped(&format!("{proof}{}", looked.counted), "");
        let mut said = format!("{}\n\n{counted}\n", title(lesson, program));
        if found.shortest.is_some() {
            said.push_str(&format!("\n{}", run::shown(picture, stdout_has_color())));
        }
        app.out.line(said.trim_end())?;
    }
    app.out.note(&format!("explored in {:.3} s", took.as_secs_f64()));
    Ok(looked.found)
}
