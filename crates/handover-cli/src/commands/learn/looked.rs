//! What all schedules of a program come to: the search, the schedule to look at, its picture, and what is said of it in words.
//! How that is printed is elsewhere.

use handover_lab::picture::{self, Picture};
use handover_lab::{Bounds, Choice, Exploration, Kind, Misfit, Replay, explore, replay_within};
use handover_lessons::{Lesson, Program};

use super::title;
use crate::commands::trace;
use crate::exit::Exit;
use crate::failure::Failure;

/// The most steps of a run that is only an example.
const EXAMPLE_STEPS_MAX: usize = 200;

/// A program, what all its schedules come to, and the one to look at: the shortest that breaks it, else one of them.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) found: Exploration,
    /// The threads' names, in the schedule to look at.
    pub(super) names: Vec<String>,
    pub(super) picture: Picture,
    /// What was found and what was not looked at, in sentences.
    pub(super) counted: String,
}

impl Looked {
    /// Explores within these bounds.
    ///
    /// # Errors
    /// Where a schedule that was found cannot be run again: the engine is wrong.
    pub(super) fn at(lesson: &Lesson, program: &Program, bounds: &Bounds) -> Result<Self, Failure> {
        let found = explore(program.run, bounds.clone());
        let again = |schedule: &[Choice]| {
            replay_within(program.run, schedule, bounds).map_err(|misfit| no_fit(program, &misfit))
        };
        let example = again(&some_schedule(program, bounds)?)?;
        let mut sleeps = program.source().contains("Condvar") || has_condition(&example);
        let run = match &found.shortest {
            Some((schedule, _)) => again(schedule)?,
            None => example,
        };
        sleeps |= has_condition(&run);
        Ok(Self {
            picture: picture::of_replay(&title(lesson, program), &run),
            counted: counted(&found, bounds, sleeps),
            names: run.trace.threads,
            found,
        })
    }

    /// Whether every schedule was looked at and none breaks the program.
    pub(super) fn is_proof(&self) -> bool {
        self.found.complete && self.found.broken == 0
    }

    /// The heading of what was found.
    pub(super) fn heading(&self) -> &'static str {
        match (&self.found.shortest, self.found.complete) {
            (Some(_), _) => "The schedule that breaks it",
            (None, true) => "The proof",
            (None, false) => "What was looked at",
        }
    }

    /// What stands above the picture of a schedule that is only an example.
    pub(super) fn example(&self) -> Option<&'static str> {
        match (&self.found.shortest, self.found.complete, self.found.schedules) {
            (Some(_), _, _) => None,
            (None, true, _) => Some("One schedule of them:"),
            (None, false, 0) => Some("One that was not reached:"),
            (None, false, _) => Some("One schedule, which may not be among them:"),
        }
    }
}

fn no_fit(program: &Program, misfit: &Misfit) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("a schedule of {} cannot be run again: {misfit}", program.name),
    )
    .hint("this is a mistake of handover's: please report it")
}

/// The picture of a lesson's history, as text and as SVG.
///
/// # Errors
/// Where it has none, or it cannot be drawn.
pub(super) fn history(lesson: &Lesson, color: bool) -> Result<(String, String), Failure> {
    let text = lesson.history().ok_or_else(|| Failure::nothing_found("there is no history"))?;
    trace::drawn(lesson.name, text, color)
}

/// A schedule in which the threads take turns as far as they can: an example of how a program ends.
fn some_schedule(program: &Program, bounds: &Bounds) -> Result<Vec<Choice>, Failure> {
    let mut schedule: Vec<Choice> = Vec::new();
    while schedule.len() < EXAMPLE_STEPS_MAX {
        let run = replay_within(program.run, &schedule, bounds)
            .map_err(|misfit| no_fit(program, &misfit))?;
        if run.trace.end.is_some() {
            break;
        }
        let choices = run.moments.last().map(|moment| moment.choices.clone()).unwrap_or_default();
        let last = schedule.last().map_or(0, |choice| choice.thread);
        let next = choices.iter().find(|choice| choice.thread > last).or_else(|| choices.first());
        let Some(&next) = next else { break };
        schedule.push(next);
    }
    Ok(schedule)
}

/// Whether a thread could sleep on a condition in it. A condition that is made after some steps is seen in their run alone.
fn has_condition(run: &Replay) -> bool {
    run.trace.objects.iter().any(|(kind, _)| *kind == Kind::Condvar)
}

/// What a search found and what it did not look at, in sentences.
fn counted(found: &Exploration, bounds: &Bounds, sleeps: bool) -> String {
    let mut said = count(found.schedules, "schedule");
    said.push_str(&match found.broken {
        0 => ", none broken".to_owned(),
        broken => format!(", {} broken", grouped(broken)),
    });
    said.push_str(&format!("; {}. ", count(found.states as u128, "state")));
    let unasked = match (bounds.spurious, sleeps) {
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
        let steps = count(patience as u128, "step");
        said.push_str(&if found.complete && found.broken == 0 {
            format!(" In none of them does a thread wait through {steps} of others.")
        } else {
            format!(" A thread that waits through {steps} of others counts as starved.")
        });
    }
    if let Some((schedule, _)) = &found.shortest {
        let shortest = if found.complete { "The shortest" } else { "The shortest found" };
        let steps = count(schedule.len() as u128, "step");
        said.push_str(&format!(" {shortest} that breaks it has {steps}."));
    }
    said
}

/// A number of things: "1 step", "2 000 steps".
fn count(number: u128, word: &str) -> String {
    format!("{} {word}{}", grouped(number), if number == 1 { "" } else { "s" })
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

#[cfg(test)]
mod tests {
    use super::*;
    use handover_lab::sync::{Atomic, Condvar};
    use handover_lab::{Wake, replay, thread};

    #[test]
    fn large_numbers_can_be_read() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn an_example_of_a_repair_runs_to_its_end() {
        for lesson in handover_lessons::all() {
            for program in lesson.programs.iter().filter(|program| !program.wrong) {
                let schedule = some_schedule(program, &program.bounds()).unwrap();
                let end = replay(program.run, &schedule).unwrap().trace.end;
                assert_eq!(end, Some(handover_lab::End::Well), "{}", program.name);
            }
        }
    }

    #[test]
    fn a_condition_that_is_made_after_a_step_is_seen() {
        fn late() {
            thread::spawn("a", || Atomic::new("count", 0).store(1)).join();
            let _condition = Condvar::new("late");
        }
        let first = Choice { thread: 1, wake: Wake::None };
        assert!(!has_condition(&replay(late, &[]).unwrap()));
        assert!(has_condition(&replay(late, &[first]).unwrap()));
    }

    #[test]
    fn what_was_found_is_said_in_the_right_number_and_with_what_was_left_out() {
        let found = Exploration {
            schedules: 1,
            broken: 0,
            states: 2,
            executions: 1,
            complete: true,
            shortest: None,
        };
        let bounds = Bounds { patience: Some(1), ..Bounds::default() };
        assert_eq!(
            counted(&found, &bounds, true),
            "1 schedule, none broken; 2 states. All schedules without unasked wake-ups (--spurious 1 adds them) were looked at. \
             In none of them does a thread wait through 1 step of others."
        );
    }
}
