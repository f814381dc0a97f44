//! The lessons as chapters of the book, with their pictures: the parts of `layout.rs` as Markdown and SVG, as `page.rs` has them
//! in a terminal; and the page of `web/` beside them. What is written depends on nothing but the lessons, so a test can tell
//! whether the book is stale. The pages about the lessons that are written by hand stand beside the chapters and are not touched.

use std::fs;
use std::path::Path;

use handover_lab::picture::{Picture, svg};
use handover_lessons::{Lesson, Program, all};

use super::layout::{self, Block, Only, is_first};
use super::looked::history;
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
        let mut chapter = Chapter { lesson, text: String::new(), pictures: Vec::new() };
        for part in layout::parts(lesson, Only::Chapter, Program::bounds)? {
            chapter.write(part)?;
        }
        let text = format!("{}\n", chapter.text.trim_end());
        files.push((format!("{}.md", stem(lesson)), text.into_bytes()));
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
struct Chapter<'a> {
    lesson: &'a Lesson,
    text: String,
    pictures: Vec<(String, String)>,
}

impl Chapter<'_> {
    fn write(&mut self, part: Block) -> Result<(), Failure> {
        let (number, name) = (self.lesson.number, self.lesson.name);
        match part {
            Block::Title => {
                self.block(&format!("# {number:02} {name}: {}", prose(self.lesson.line)));
            }
            Block::Heading(words) => self.block(&format!("## {}", prose(&words))),
            Block::Subheading(words) => self.block(&format!("### {words}")),
            Block::Words(words) => self.paragraphs(&words),
            Block::Source(source) => self.block(&format!("```rust,ignore\n{source}\n```")),
            Block::Steps(picture) => self.steps(&picture),
            // `overview.md` says it.
            Block::HowToReadSteps => {}
            Block::Lanes(program, picture) => {
                let says = prose(&format!("The lanes of {}", picture.title));
                self.picture(&format!("{number:02}-{program}.svg"), &says, svg::svg(&picture));
            }
            Block::Play(program) => self.play(program),
            Block::YoursToFind => self.block(
                "Write it, and let the explorer judge it: [write your own](write-your-own.md) shows how.",
            ),
            Block::Folded(parts) => {
                self.block(
                    "<details>\n<summary>One that is right, its proof and its picture</summary>",
                );
                for part in parts {
                    self.write(part)?;
                }
                self.block("</details>");
            }
            Block::History => {
                let says = "What each process did, and how full the queue was";
                let (_, drawn) = history(self.lesson, false)?;
                self.picture(&format!("{number:02}-history.svg"), says, drawn);
            }
            Block::Measured(_) => {
                self.block("## Measured on your machine");
                self.block(&format!(
                    "`handover learn {number:02}` measures what a schedule cannot show, and prints it with the lesson."
                ));
            }
            Block::Places => {
                for place in self.lesson.places {
                    let (file, symbol) = (place.file, place.symbol);
                    self.block(&format!("- `{file}`, at `{symbol}`: {}", prose(place.says)));
                }
            }
            Block::GoOn(commands) => {
                let told = |(words, does)| format!("handover learn {words:<27} # {does}");
                let lines: Vec<String> = commands.into_iter().map(told).collect();
                self.block(&format!("```sh\n{}\n```", lines.join("\n")));
            }
        }
        Ok(())
    }

    fn steps(&mut self, picture: &Picture) {
        self.block(&table(picture));
        let verdict = picture.verdict.trim_end_matches('.').to_owned();
        let ends = [vec![verdict], picture.circle_told()].concat().join("; ");
        self.block(&prose(&format!("How it ends: {ends}.")));
    }

    fn picture(&mut self, name: &str, says: &str, drawn: String) {
        self.block(&format!("![{says}]({name})"));
        self.pictures.push((name.to_owned(), drawn));
    }

    fn play(&mut self, program: &Program) {
        let challenge = if is_first(self.lesson, program) {
            format!(" {}", prose(self.lesson.challenge))
        } else {
            String::new()
        };
        self.block(&format!(
            "[You are the scheduler]({PLAY}/index.html#{:02}/{}): choose who takes each step.{challenge}",
            self.lesson.number, program.name
        ));
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
