//! The lessons as chapters of the book, with their pictures: the same words, counts and schedules as in a terminal (`page.rs`),
//! as Markdown and SVG, and the page of `web/` beside them. What is written depends on nothing but the lessons, so a test can
//! tell whether the book is stale. The pages about the lessons that are written by hand stand beside the chapters and are not
//! touched.

use std::fs;
use std::path::Path;

use handover_lab::picture::{Picture, svg};
use handover_lessons::{Lesson, Program, all};

use super::find::is_exercise;
use super::looked::Looked;
use super::page::{HOW_TO_READ, REAL_WORK, go_on, history};
use super::web;
use crate::app::App;
use crate::failure::Failure;

/// The folder of the page on which the reader is the scheduler.
const PLAY: &str = "play";

/// Writes every chapter and picture into this folder; those that are there already as they are to be are left alone.
///
/// # Errors
/// Where a file cannot be written.
pub(super) fn write_book(app: &App, folder: &Path) -> Result<(), Failure> {
    let files = files()?;
    for (name, bytes) in &files {
        let file = folder.join(name);
        if fs::read(&file).is_ok_and(|there| there == *bytes) {
            continue;
        }
        let parent = file.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&file, bytes))
            .map_err(|error| Failure::io(format!("the file {file:?} cannot be written"), &error))?;
        app.out.note(&format!("wrote {}", file.display()));
    }
    app.out.note(&format!("{} has {} files of the lessons", folder.display(), files.len()));
    Ok(())
}

/// Every file, by its name below the folder.
fn files() -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut files = Vec::new();
    for lesson in all() {
        let mut chapter = Chapter { text: String::new(), pictures: Vec::new() };
        chapter.write(lesson)?;
        files.push((format!("{}.md", stem(lesson)), chapter.text.into_bytes()));
        files.extend(
            chapter.pictures.into_iter().map(|(name, picture)| (name, picture.into_bytes())),
        );
    }
    files.extend(web::files().into_iter().map(|(name, bytes)| (format!("{PLAY}/{name}"), bytes)));
    Ok(files)
}

/// The name of a chapter without its ending.
fn stem(lesson: &Lesson) -> String {
    format!("{:02}-{}", lesson.number, lesson.name)
}

/// One chapter, as it grows, and the pictures that it shows.
struct Chapter {
    text: String,
    pictures: Vec<(String, String)>,
}

impl Chapter {
    fn write(&mut self, lesson: &Lesson) -> Result<(), Failure> {
        let number = lesson.number;
        self.block(&format!("# {number:02} {}: {}", lesson.name, prose(lesson.line)));
        self.block("## The question");
        self.paragraphs(lesson.question);
        if let Some(hint) = lesson.hint {
            self.block("## A hint");
            self.paragraphs(hint);
        }
        let hidden = |program: &&Program| is_exercise(lesson) && !program.wrong;
        for program in lesson.programs.iter().filter(|program| !hidden(program)) {
            let kind = if program.wrong { "Wrong" } else { "Right" };
            self.block(&format!("## {kind}: {}", prose(program.name)));
            self.program(lesson, program)?;
        }
        if is_exercise(lesson) {
            self.block("## Right: yours to find");
            self.block(
                "Write it, and let the explorer judge it: [write your own](write-your-own.md) shows how.",
            );
            for program in lesson.programs.iter().filter(hidden) {
                self.block(
                    "<details>\n<summary>One that is right, its proof and its picture</summary>",
                );
                self.program(lesson, program)?;
                self.block("</details>");
            }
        }
        self.end(lesson);
        Ok(())
    }

    /// What to look at, the source, what its schedules come to, and the picture.
    fn program(&mut self, lesson: &Lesson, program: &Program) -> Result<(), Failure> {
        self.paragraphs(program.says);
        self.block(&format!("```rust,ignore\n{}\n```", program.source()));
        let looked = Looked::at(lesson, program, &program.bounds())?;
        self.block(&format!("### {}", looked.heading()));
        self.paragraphs(&looked.counted);
        let picture = &looked.picture;
        if looked.found.shortest.is_some() {
            self.block(&table(picture));
        }
        if looked.found.shortest.is_some() {
            let verdict = picture.verdict.trim_end_matches('.').to_owned();
            let ends = [vec![verdict], picture.circle_told()].concat().join("; ");
            let ends = format!("How it ends: {ends}.");
            self.block(&prose(&ends));
        }
        if picture.length > 1 {
            self.block("### The picture");
            if let Some(example) = looked.example() {
                self.block(example);
            }
            let name = format!("{:02}-{}.svg", lesson.number, program.name);
            self.block(&format!(
                "![{}]({name})",
                prose(&format!("The lanes of {}", picture.title))
            ));
            self.pictures.push((name, svg::svg(picture)));
        }
        let first = lesson.wrong().is_some_and(|first| first.name == program.name);
        let challenge = if first { format!(" {}", prose(lesson.challenge)) } else { String::new() };
        self.block(&format!(
            "[You are the scheduler]({PLAY}/index.html#{:02}/{}): choose who takes each step.{challenge}",
            lesson.number, program.name
        ));
        Ok(())
    }

    fn end(&mut self, lesson: &Lesson) {
        if let Some((_, picture)) = history(lesson, false) {
            self.block(&format!("## {REAL_WORK}"));
            self.paragraphs(HOW_TO_READ);
            let name = format!("{:02}-history.svg", lesson.number);
            self.block(&format!("![What each process did, and how full the queue was]({name})"));
            self.pictures.push((name, picture));
        }
        if lesson.measure.is_some() {
            self.block("## Measured on your machine");
            self.block(&format!(
                "`handover learn {:02}` measures what a schedule cannot show, and prints it with the lesson.",
                lesson.number
            ));
        }
        self.block("## In handover");
        for place in lesson.places {
            let (file, symbol) = (place.file, place.symbol);
            self.block(&format!("- `{file}`, at `{symbol}`: {}", prose(place.says)));
        }
        self.block("## Go on");
        let told = |(words, does)| format!("handover learn {words:<27} # {does}");
        let lines: Vec<String> = go_on(lesson).into_iter().map(told).collect();
        self.block(&format!("```sh\n{}\n```", lines.join("\n")));
        self.text.truncate(self.text.trim_end().len());
        self.text.push('\n');
    }

    fn paragraphs(&mut self, text: &str) {
        for paragraph in text.split("\n\n") {
            self.block(&prose(paragraph));
        }
    }

    /// What an empty line follows.
    fn block(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push_str("\n\n");
    }
}

/// The steps of a picture as a table: who did what, and what was held then.
fn table(picture: &Picture) -> String {
    let lanes = &picture.lanes;
    let names = lanes.iter().map(|lane| prose(&lane.name));
    let names = names.chain(picture.levels.iter().map(|level| prose(&level.name)));
    let mut rows = vec![row(std::iter::once(prose(picture.unit)).chain(names))];
    rows.push(format!("|---|{}", "---|".repeat(lanes.len() + picture.levels.len())));
    for at in 0..picture.length {
        let done: Vec<String> = lanes
            .iter()
            .map(|lane| {
                let marks = lane.marks.iter().filter(|mark| mark.at == at);
                prose(&marks.map(|mark| mark.text.as_str()).collect::<Vec<_>>().join(", "))
            })
            .collect();
        if done.iter().all(String::is_empty) {
            continue;
        }
        let values = picture.levels.iter().map(|level| {
            let last = level.changes.iter().rev().find(|(from, _)| *from <= at);
            last.map_or_else(String::new, |(_, value)| prose(value))
        });
        rows.push(row(std::iter::once(at.to_string()).chain(done).chain(values)));
    }
    if !picture.waits.is_empty() {
        let says = |lane| picture.wait(lane).map_or_else(String::new, |wait| prose(&wait.says));
        let says = (0..lanes.len()).map(says);
        let empty = picture.levels.iter().map(|_| String::new());
        rows.push(row(std::iter::once("end".to_owned()).chain(says).chain(empty)));
    }
    rows.join("\n")
}

fn row(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

/// A text as Markdown that shows exactly it, on one line.
fn prose(text: &str) -> String {
    let mut shown = String::new();
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let after = letters.peek().copied().unwrap_or(' ');
        match letter {
            '<' => shown.push_str("&lt;"),
            '&' => shown.push_str("&amp;"),
            '\n' => shown.push(' '),
            // Within a word it is itself.
            '_' if before.is_alphanumeric() && after.is_alphanumeric() => shown.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' => shown.extend(['\\', letter]),
            _ => shown.push(letter),
        }
        before = letter;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_as_it_is() {
        assert_eq!(prose("a_b Mutex<[_]> | *x\ny"), "a_b Mutex&lt;\\[\\_\\]> \\| \\*x y");
        let mut html = String::new();
        let text = "see one_order: `Vec<u8>`, *p & [a](b) # 1\\2";
        pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new(&prose(text)));
        let shown = html.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        assert_eq!(shown.trim(), format!("<p>{text}</p>"));
    }

    #[test]
    fn every_file_is_named_once_and_every_picture_is_shown() {
        let files = files().unwrap();
        let names: std::collections::BTreeSet<&String> =
            files.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), files.len());
        let pictures = files.iter().map(|(name, _)| name).filter(|name| name.ends_with(".svg"));
        for name in pictures.filter(|name| !name.starts_with(PLAY)) {
            let shown = format!("]({name})");
            let chapters = files.iter().filter(|(name, _)| name.ends_with(".md"));
            let shows = |text: &[u8]| String::from_utf8_lossy(text).contains(&shown);
            assert_eq!(chapters.filter(|(_, text)| shows(text)).count(), 1, "{name}");
        }
    }
}
