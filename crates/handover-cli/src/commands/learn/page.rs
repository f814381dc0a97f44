//! A lesson as text in 80 columns, in five parts: the question, what is wrong and the schedule that breaks it, what is right and
//! the proof, the pictures, and the places in handover. What it says of schedules is counted while it is printed. The same as a
//! chapter of the book is in `book.rs`.

use handover_lab::picture::Picture;
use handover_lab::picture::text::{self, COLUMNS};
use handover_lab::{explore, replay_within};
use handover_lessons::{EXERCISES, LESSONS, Lesson, Program, all};
use serde_json::json;

use super::Learn;
use super::find::is_exercise;
use super::looked::Looked;
use super::progress::{Deed, Progress};
use super::wrap::{bold, wrapped};
use crate::app::App;
use crate::commands::trace;
use crate::failure::Failure;
use crate::output::stdout_has_color;

/// Prints a line for each lesson and exercise, and below it what was done with it.
pub(super) fn list(app: &App) -> Result<(), Failure> {
    let progress = Progress::load(app);
    if app.out.is_json() {
        for lesson in all() {
            app.out.object(&json!({
                "number": lesson.number,
                "name": lesson.name,
                "line": lesson.line,
                "exercise": is_exercise(lesson),
                "done": progress.words(lesson),
            }))?;
        }
    } else {
        let width = all().map(|lesson| lesson.name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (heading, part) in [("Lessons", LESSONS), ("Exercises", EXERCISES)] {
            if part.is_empty() {
                continue;
            }
            text.push_str(&format!("{}\n\n", bold(heading, stdout_has_color())));
            for lesson in part {
                let (number, name, line) = (lesson.number, lesson.name, lesson.line);
                text.push_str(&format!("{number:02}  {name:<width$}  {line}\n"));
                let done = progress.words(lesson);
                if !done.is_empty() {
                    text.push_str(&format!("    {:<width$}  done: {}\n", "", done.join(", ")));
                }
            }
            text.push('\n');
        }
        app.out.line(text.trim_end())?;
    }
    app.out.note("handover learn 02 shows a lesson, handover learn --help what else it can do");
    Ok(())
}

/// Which programs of a lesson are shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Only {
    /// All; of an exercise those that break, since the right one is the student's to find.
    Page,
    /// This one.
    One(&'static Program),
    /// The right ones.
    Solution,
}

impl Only {
    fn shows(self, lesson: &Lesson, program: &Program) -> bool {
        match self {
            Self::Page => program.wrong || !is_exercise(lesson),
            Self::One(one) => one.name == program.name,
            Self::Solution => !program.wrong,
        }
    }
}

/// Prints a lesson, or what it says of some programs of it; and which deed that is.
pub(super) fn lesson(
    app: &App,
    lesson: &Lesson,
    only: Only,
    asked: &Learn,
) -> Result<Option<Deed>, Failure> {
    let programs: Vec<&Program> =
        lesson.programs.iter().filter(|program| only.shows(lesson, program)).collect();
    if app.out.is_json() {
        app.out.object(&as_json(lesson, &programs))?;
    } else {
        let mut page = Page { text: String::new(), color: stdout_has_color() };
        page.heading(&format!("{:02} {}: {}", lesson.number, lesson.name, lesson.line));
        let whole = matches!(only, Only::Page);
        if whole {
            page.begin(lesson);
        }
        for program in programs {
            page.program(lesson, program, asked)?;
        }
        if whole {
            page.end(lesson);
        }
        app.out.line(page.text.trim_end())?;
    }
    Ok(match only {
        Only::Page => Some(Deed::Read),
        Only::Solution => is_exercise(lesson).then_some(Deed::Solution),
        Only::One(_) => None,
    })
}

fn as_json(lesson: &Lesson, programs: &[&Program]) -> serde_json::Value {
    let program = |program: &&Program| {
        json!({
            "name": program.name,
            "wrong": program.wrong,
            "says": program.says,
            "source": program.source(),
        })
    };
    let place = |place: &handover_lessons::Place| json!({"file": place.file, "symbol": place.symbol, "says": place.says});
    json!({
        "number": lesson.number,
        "name": lesson.name,
        "line": lesson.line,
        "exercise": is_exercise(lesson),
        "question": lesson.question,
        "hint": lesson.hint,
        "programs": programs.iter().map(program).collect::<Vec<_>>(),
        "places": lesson.places.iter().map(place).collect::<Vec<_>>(),
    })
}

/// What is printed, as it grows.
struct Page {
    text: String,
    color: bool,
}

impl Page {
    fn heading(&mut self, words: &str) {
        self.line(&bold(words, self.color));
        self.line("");
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn paragraphs(&mut self, text: &str) {
        for paragraph in text.split("\n\n") {
            self.line(&wrapped(paragraph, ""));
            self.line("");
        }
    }

    fn begin(&mut self, lesson: &Lesson) {
        self.heading("The question");
        self.paragraphs(lesson.question);
        if let Some(hint) = lesson.hint {
            self.heading("A hint");
            self.paragraphs(hint);
        }
    }

    /// What to look at, the source, what all its schedules come to (the one that breaks it, or the proof), and the picture.
    fn program(
        &mut self,
        lesson: &Lesson,
        program: &Program,
        asked: &Learn,
    ) -> Result<(), Failure> {
        let kind = if program.wrong { "Wrong" } else { "Right" };
        self.heading(&format!("{kind}: {}", program.name));
        self.paragraphs(program.says);
        for line in program.source().lines() {
            self.line(format!("  {line}").trim_end());
        }
        self.line("");
        let looked = Looked::at(lesson, program, &asked.bounds(program))?;
        self.heading(looked.heading());
        self.paragraphs(&looked.counted);
        if looked.found.shortest.is_some() {
            let open =
                Picture { verdict: String::new(), circle: Vec::new(), ..looked.picture.clone() };
            self.line(&text::steps(&open, self.color));
            if is_first(lesson) && lesson.wrong().is_some_and(|first| first.name == program.name) {
                self.heading("How to read it");
                self.paragraphs(HOW_TO_READ_STEPS);
            }
        }
        if looked.picture.length > 1 {
            self.heading("The picture");
            if let Some(example) = looked.example() {
                self.paragraphs(example);
            }
            self.line(&text::lanes(&looked.picture, self.color));
        }
        Ok(())
    }

    fn end(&mut self, lesson: &Lesson) {
        let number = lesson.number;
        if is_exercise(lesson) {
            self.heading("Right: yours to find");
            self.paragraphs(&format!(
                "Write it, and let the explorer judge it: handover learn --file mine.rs prints how. handover learn {number:02} \
                 --solution shows one that is right, its proof, and its picture."
            ));
        }
        if let Some((text, _)) = history(lesson, self.color) {
            self.heading(REAL_WORK);
            self.paragraphs(HOW_TO_READ);
            self.line(&text);
        }
        if let Some(measure) = lesson.measure {
            self.heading("Measured just now, on this machine");
            for measured in measure() {
                self.line(&wrapped(&format!("{}: {}", measured.what, measured.value), "  "));
            }
            self.line("");
        }
        self.heading("In handover");
        for place in lesson.places {
            let line = format!("  {}: {}", place.file, place.symbol);
            if line.chars().count() <= COLUMNS {
                self.line(&line);
            } else {
                self.line(&format!("  {}:\n  {}", place.file, place.symbol));
            }
            self.line(&wrapped(place.says, "    "));
            self.line("");
        }
        self.heading("Go on");
        for (words, does) in go_on(lesson) {
            self.line(&format!("  handover learn {words:<27} {does}"));
        }
    }
}

/// Whether it is the lesson that shows the first table, and says how to read it.
fn is_first(lesson: &Lesson) -> bool {
    LESSONS.first().is_some_and(|first| first.number == lesson.number)
}

/// What a table of steps shows.
const HOW_TO_READ_STEPS: &str = "Each line is a step, in the column of the thread that took it. At the right is what everything \
     shared holds after it. Line 0 is what happened before anybody had a choice. Starting a thread, joining it, and giving a \
     mutex back are told in the line of the step before. Where nobody can go on, a last line says who waits for what.\n\nA state is \
     what all threads and things are at one moment: several schedules can lead to it.";

/// The heading of a history.
pub(super) const REAL_WORK: &str = "Real work, drawn";

/// What its picture shows.
pub(super) const HOW_TO_READ: &str = "A lane is a process. Below them is how many jobs were in the queue, and its capacity. What is \
     struck out had an owner who was gone. Any history is drawn so by handover trace.";

/// The history that a lesson is about, if there is one, as text and as SVG. A test holds that it is one.
pub(super) fn history(lesson: &Lesson, color: bool) -> Option<(String, String)> {
    trace::drawn(lesson.name, lesson.history()?, color).ok()
}

/// What else can be done with a lesson: the words after `handover learn`, and what they do.
pub(super) fn go_on(lesson: &Lesson) -> Vec<(String, &'static str)> {
    let number = lesson.number;
    let name = lesson.wrong().map_or("NAME", |program| program.name);
    let again = if lesson.wrong().is_some_and(can_be_swapped) {
        "again; swap two of its steps first"
    } else {
        "again"
    };
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
    let how = (!is_first(lesson)).then_some(how);
    of_all.into_iter().chain(is_exercise(lesson).then_some(solution)).chain(how).collect()
}

/// Whether the shortest schedule that breaks it is still one of the program when two of its steps have changed places.
fn can_be_swapped(program: &Program) -> bool {
    let bounds = program.bounds();
    let found = explore(program.run, bounds.clone());
    let steps = found.shortest.map(|(schedule, _)| schedule).unwrap_or_default();
    let pairs = (0..steps.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
    let mut differ = pairs.filter(|&(one, other)| steps.get(one) != steps.get(other));
    differ.any(|(one, other)| {
        let mut swapped = steps.clone();
        swapped.swap(one, other);
        replay_within(program.run, &swapped, &bounds).is_ok()
    })
}
