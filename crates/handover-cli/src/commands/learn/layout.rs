//! The parts of a lesson, in their order. How each of them looks is for who writes them: `page.rs` in a terminal, `book.rs` as
//! Markdown.

use handover_lab::picture::Picture;
use handover_lab::{Bounds, replay_within};
use handover_lessons::{LESSONS, Lesson, Measured, Program};

use super::find::is_exercise;
use super::looked::Looked;
use crate::failure::Failure;

/// How much of a lesson is shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Only {
    /// All; of an exercise the programs that break, since the right one is the student's to find.
    Page,
    /// All, and behind a fold the right programs of an exercise.
    Chapter,
    /// This program.
    One(&'static Program),
    /// The right programs.
    Solution,
}

impl Only {
    fn is_whole(self) -> bool {
        matches!(self, Self::Page | Self::Chapter)
    }

    /// Whether a program is shown, and not behind a fold.
    pub(super) fn shows(self, lesson: &Lesson, program: &Program) -> bool {
        match self {
            Self::Page | Self::Chapter => program.wrong || !is_exercise(lesson),
            Self::One(one) => one.name == program.name,
            Self::Solution => !program.wrong,
        }
    }
}

/// A part of a lesson.
#[derive(Debug)]
pub(super) enum Block {
    /// Number, name and line of the lesson.
    Title,
    Heading(String),
    /// A heading within a program.
    Subheading(&'static str),
    /// Paragraphs.
    Words(String),
    Source(&'static str),
    /// The steps of the schedule that breaks it.
    Steps(Picture),
    /// How to read the first steps of all; the book says it elsewhere.
    HowToReadSteps,
    /// The picture of a program.
    Lanes(&'static str, Picture),
    /// A program where the reader is the scheduler; only the book leads there.
    Play(&'static Program),
    /// Where the right programs of an exercise are.
    YoursToFind,
    /// What is behind a fold.
    Folded(Vec<Block>),
    /// The picture of the lesson's history.
    History,
    /// What a schedule cannot show.
    Measured(fn() -> Vec<Measured>),
    /// The places in handover.
    Places,
    /// What else can be done: the words after `handover learn`, and what they do.
    GoOn(Vec<(String, &'static str)>),
}

/// The heading of a history.
const REAL_WORK: &str = "Real work, drawn";

/// What its picture shows.
const HOW_TO_READ: &str = "A lane is a process. Below them is how many jobs were in the queue, and its capacity. What is \
     struck out had an owner who was gone. Any history is drawn so by handover trace.";

/// The parts of a lesson, explored within these bounds.
///
/// # Errors
/// Where a schedule that was found cannot be run again.
pub(super) fn parts(
    lesson: &Lesson,
    only: Only,
    bounds: impl Fn(&Program) -> Bounds,
) -> Result<Vec<Block>, Failure> {
    let mut blocks = vec![Block::Title];
    if only.is_whole() {
        blocks.push(Block::Heading("The question".to_owned()));
        blocks.push(Block::Words(lesson.question.to_owned()));
        if let Some(hint) = lesson.hint {
            blocks.push(Block::Heading("A hint".to_owned()));
            blocks.push(Block::Words(hint.to_owned()));
        }
    }
    let mut again = "again";
    for program in lesson.programs.iter().filter(|program| only.shows(lesson, program)) {
        let kind = if program.wrong { "Wrong" } else { "Right" };
        blocks.push(Block::Heading(format!("{kind}: {}", program.name)));
        let bounds = bounds(program);
        let looked = Looked::at(lesson, program, &bounds)?;
        if is_first(lesson, program) && can_be_swapped(program, &looked, &bounds) {
            again = "again; swap two of its steps first";
        }
        blocks.extend(of_program(lesson, program, looked));
    }
    if only.is_whole() {
        blocks.extend(end(lesson, only, bounds)?);
        blocks.push(Block::GoOn(go_on(lesson, again)));
    }
    Ok(blocks)
}

/// What to look at, the source, what all its schedules come to (the one that breaks it, or the proof), and the picture.
fn of_program(lesson: &Lesson, program: &'static Program, looked: Looked) -> Vec<Block> {
    let example = looked.example();
    let heading = looked.heading();
    let Looked { found, picture, counted, .. } = looked;
    let mut blocks = vec![
        Block::Words(program.says.to_owned()),
        Block::Source(program.source()),
        Block::Subheading(heading),
        Block::Words(counted),
    ];
    if found.shortest.is_some() {
        blocks.push(Block::Steps(picture.clone()));
        if has_first_steps(lesson) && is_first(lesson, program) {
            blocks.push(Block::HowToReadSteps);
        }
    }
    if picture.length > 1 {
        blocks.push(Block::Subheading("The picture"));
        blocks.extend(example.map(|words| Block::Words(words.to_owned())));
        blocks.push(Block::Lanes(program.name, picture));
    }
    blocks.push(Block::Play(program));
    blocks
}

/// What follows the programs.
fn end(
    lesson: &Lesson,
    only: Only,
    bounds: impl Fn(&Program) -> Bounds,
) -> Result<Vec<Block>, Failure> {
    let mut blocks = Vec::new();
    if is_exercise(lesson) {
        blocks.push(Block::Heading("Right: yours to find".to_owned()));
        blocks.push(Block::YoursToFind);
    }
    let folds = |program: &&Program| matches!(only, Only::Chapter) && !only.shows(lesson, program);
    for program in lesson.programs.iter().filter(folds) {
        let looked = Looked::at(lesson, program, &bounds(program))?;
        blocks.push(Block::Folded(of_program(lesson, program, looked)));
    }
    if lesson.history().is_some() {
        blocks.push(Block::Heading(REAL_WORK.to_owned()));
        blocks.push(Block::Words(HOW_TO_READ.to_owned()));
        blocks.push(Block::History);
    }
    blocks.extend(lesson.measure.map(Block::Measured));
    blocks.push(Block::Heading("In handover".to_owned()));
    blocks.push(Block::Places);
    blocks.push(Block::Heading("Go on".to_owned()));
    Ok(blocks)
}

/// Whether it is the first program of its lesson that breaks.
pub(super) fn is_first(lesson: &Lesson, program: &Program) -> bool {
    lesson.wrong().is_some_and(|first| first.name == program.name)
}

/// Whether it is the lesson that shows the first table, and says how to read it.
fn has_first_steps(lesson: &Lesson) -> bool {
    LESSONS.first().is_some_and(|first| first.number == lesson.number)
}

fn go_on(lesson: &Lesson, again: &'static str) -> Vec<(String, &'static str)> {
    let number = lesson.number;
    let name = lesson.wrong().map_or("NAME", |program| program.name);
    let solution = (format!("{number:02} --solution"), "one that is right, and its proof");
    let of_all = [
        (format!("{number:02} --explore"), "every schedule of what breaks"),
        (format!("{number:02} --program {name}"), "one program alone"),
        (format!("{number:02} --save s.json"), "the shortest that breaks it"),
        (format!("{number:02} --replay s.json"), again),
        (format!("{number:02} --svg out.svg"), "the picture alone"),
        (format!("{number:02} --real"), "once, on real threads"),
    ];
    let how = (format!("{:02}", 1), "how to read a table of steps");
    let how = (!has_first_steps(lesson)).then_some(how);
    of_all.into_iter().chain(is_exercise(lesson).then_some(solution)).chain(how).collect()
}

/// Whether the shortest schedule that breaks it is still one of the program when two of its steps have changed places.
fn can_be_swapped(program: &Program, looked: &Looked, bounds: &Bounds) -> bool {
    let steps = looked.found.shortest.as_ref().map_or(&[][..], |(schedule, _)| schedule);
    let pairs = (0..steps.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
    let mut differ = pairs.filter(|&(one, other)| steps.get(one) != steps.get(other));
    differ.any(|(one, other)| {
        let mut swapped = steps.to_vec();
        swapped.swap(one, other);
        replay_within(program.run, &swapped, bounds).is_ok()
    })
}
