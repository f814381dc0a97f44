//! The list of the lessons, and a lesson as text in 80 columns. Which parts it has is in `layout.rs`; what it says of schedules
//! is counted while it is printed. The same as a chapter of the book is in `book.rs`.

use handover_lab::picture::Picture;
use handover_lab::picture::text::{self, COLUMNS};
use handover_lessons::{EXERCISES, LESSONS, Lesson, Measured, Program, all};
use serde_json::json;

use super::Learn;
use super::find::is_exercise;
use super::layout::{self, Block, Only};
use super::looked::history;
use super::progress::{Deed, Progress};
use super::wrap::{bold, wrapped};
use crate::app::App;
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
        let mut page = Page { lesson, text: String::new(), color: stdout_has_color() };
        for block in layout::parts(lesson, only, |program| asked.bounds(program))? {
            page.block(&block)?;
        }
        app.out.line(page.text.trim_end())?;
    }
    Ok(match only {
        Only::Page => Some(Deed::Read),
        Only::Solution => is_exercise(lesson).then_some(Deed::Solution),
        Only::One(_) | Only::Chapter => None,
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
struct Page<'a> {
    lesson: &'a Lesson,
    text: String,
    color: bool,
}

impl Page<'_> {
    fn block(&mut self, block: &Block) -> Result<(), Failure> {
        let lesson = self.lesson;
        match block {
            Block::Title => {
                self.heading(&format!("{:02} {}: {}", lesson.number, lesson.name, lesson.line));
            }
            Block::Heading(words) => self.heading(words),
            Block::Subheading(words) => self.heading(words),
            Block::Words(words) => self.paragraphs(words),
            Block::Source(source) => {
                for line in source.lines() {
                    self.line(format!("  {line}").trim_end());
                }
                self.line("");
            }
            Block::Steps(picture) => {
                let open =
                    Picture { verdict: String::new(), circle: Vec::new(), ..picture.clone() };
                self.line(&text::steps(&open, self.color));
            }
            Block::HowToReadSteps => {
                self.heading("How to read it");
                self.paragraphs(HOW_TO_READ_STEPS);
            }
            Block::Lanes(_, picture) => self.line(&text::lanes(picture, self.color)),
            Block::YoursToFind => self.paragraphs(&format!(
                "Write it, and let the explorer judge it: handover learn --file mine.rs prints how. handover learn {:02} \
                 --solution shows one that is right, its proof, and its picture.",
                lesson.number
            )),
            // What only the book has.
            Block::Play(_) | Block::Folded(_) => {}
            Block::History => self.line(&history(lesson, self.color)?.0),
            Block::Measured(measure) => self.measured(*measure),
            Block::Places => self.places(),
            Block::GoOn(commands) => {
                for (words, does) in commands {
                    self.line(&format!("  handover learn {words:<27} {does}"));
                }
            }
        }
        Ok(())
    }

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

    fn measured(&mut self, measure: fn() -> Vec<Measured>) {
        self.heading("Measured just now, on this machine");
        for measured in measure() {
            self.line(&wrapped(&format!("{}: {}", measured.what, measured.value), "  "));
        }
        self.line("");
    }

    fn places(&mut self) {
        for place in self.lesson.places {
            let line = format!("  {}: {}", place.file, place.symbol);
            if line.chars().count() <= COLUMNS {
                self.line(&line);
            } else {
                self.line(&format!("  {}:\n  {}", place.file, place.symbol));
            }
            self.line(&wrapped(place.says, "    "));
            self.line("");
        }
    }
}

/// What a table of steps shows.
const HOW_TO_READ_STEPS: &str = "Each line is a step, in the column of the thread that took it. At the right is what everything \
     shared holds after it. Line 0 is what happened before anybody had a choice. Starting a thread, joining it, and giving a \
     mutex back are told in the line of the step before. Where nobody can go on, a last line says who waits for what.\n\nA state is \
     what all threads and things are at one moment: several schedules can lead to it.";
