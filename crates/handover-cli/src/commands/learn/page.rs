//! A lesson as text in 80 columns, and the list of all. What it says of schedules is counted while it is printed.

use handover_lab::explore;
use handover_lab::picture::text::{self, COLUMNS};
use handover_lessons::{Lesson, Program, all};
use serde_json::json;

use super::explore::{counted, drawn, some_schedule};
use super::{Learn, run};
use crate::app::App;
use crate::failure::Failure;
use crate::output::stdout_has_color;

/// Prints a line for each lesson.
pub(super) fn list(app: &App) -> Result<(), Failure> {
    for lesson in all() {
        let (number, name, line) = (lesson.number, lesson.name, lesson.line);
        app.out.result(&json!({"number": number, "name": name, "line": line}), || {
            format!("{number:02}  {name:<10}  {line}")
        })?;
    }
    app.out.note("handover learn 02 shows a lesson, handover learn --help what else it can do");
    Ok(())
}

/// Prints a lesson, or what it says of one program of it.
pub(super) fn lesson(
    app: &App,
    lesson: &Lesson,
    only: Option<&'static Program>,
    asked: &Learn,
) -> Result<(), Failure> {
    let programs: Vec<&Program> = lesson
        .programs
        .iter()
        .filter(|one| only.is_none_or(|only| only.name == one.name))
        .collect();
    if app.out.is_json() {
        return Ok(app.out.object(&as_json(lesson, &programs))?);
    }
    let mut page = Page { text: String::new(), color: stdout_has_color() };
    page.heading(&format!("{:02} {}: {}", lesson.number, lesson.name, lesson.line));
    if only.is_none() {
        page.paragraphs(lesson.question);
    }
    for program in programs {
        page.program(lesson, program, asked);
    }
    if only.is_none() {
        page.end(lesson);
    }
    app.out.line(page.text.trim_end())?;
    Ok(())
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
        "question": lesson.question,
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
        let (bold, plain) = if self.color { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
        self.line(&format!("{bold}{words}{plain}"));
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

    /// What to look at, the source, and what all its schedules come to: the one that breaks it, or the proof.
    fn program(&mut self, lesson: &Lesson, program: &Program, asked: &Learn) {
        let kind = if program.wrong { "Wrong" } else { "Right" };
        self.heading(&format!("{kind}: {}", program.name));
        self.paragraphs(program.says);
        for line in program.source().lines() {
            self.line(format!("  {line}").trim_end());
        }
        self.line("");
        let bounds = asked.bounds(program);
        let found = explore(program.run, bounds.clone());
        self.line(&counted(program, &found, &bounds));
        self.line("");
        let broken = found.shortest.map(|(schedule, _)| drawn(lesson, program, &schedule));
        if let Some(picture) = broken {
            self.line(&run::shown(&picture, self.color));
            return;
        }
        let picture = drawn(lesson, program, &some_schedule(program));
        if picture.length > 1 {
            self.line("One of them:");
            self.line("");
            self.line(&text::lanes(&picture, self.color));
        }
    }

    fn end(&mut self, lesson: &Lesson) {
        if let Some(measure) = lesson.measure {
            self.heading("Measured just now, on this machine");
            for measured in measure() {
                self.line(&wrapped(&format!("{}: {}", measured.what, measured.value), "  "));
            }
            self.line("");
        }
        self.heading("In handover");
        for place in lesson.places {
            self.line(&format!("  {}: {}", place.file, place.symbol));
            self.line(&wrapped(place.says, "    "));
            self.line("");
        }
        self.heading("Go on");
        let number = lesson.number;
        let name = lesson.wrong().map_or("NAME", |program| program.name);
        for (words, does) in [
            (format!("{number:02} --explore"), "every schedule of what breaks"),
            (format!("{number:02} --program {name}"), "one program alone"),
            (format!("{number:02} --save s.json"), "the shortest that breaks it"),
            (format!("{number:02} --replay s.json"), "again; change a step first"),
            (format!("{number:02} --svg out.svg"), "the picture alone"),
            (format!("{number:02} --real"), "once, on real threads"),
        ] {
            self.line(&format!("  handover learn {words:<27} {does}"));
        }
    }
}

/// A paragraph in lines that fit a terminal, each behind this indent.
pub(super) fn wrapped(paragraph: &str, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() < COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_broken_between_words_before_the_edge() {
        let text = wrapped(&"word ".repeat(40), "  ");
        assert!(text.lines().all(|line| line.len() < COLUMNS && line.starts_with("  word")));
        assert_eq!(text.split_whitespace().count(), 40);
        let long = "x".repeat(200);
        assert_eq!(wrapped(&long, ""), long, "a word is not broken");
    }
}
