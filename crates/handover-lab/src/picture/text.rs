//! A picture in a terminal: a table of the steps, one a line, and the lanes as bars.

use super::{Lane, Picture, State};
use std::fmt::Write;

/// How wide a terminal is taken to be.
pub const COLUMNS: usize = 80;

const NAME_MAX: usize = 12;

/// Each moment in which something was done, a line: who did what, and what was held then. With `colour`, by terminal codes.
#[must_use]
pub fn steps(picture: &Picture, colour: bool) -> String {
    let lanes: Vec<&Lane> = picture.lanes.iter().filter(|lane| !lane.marks.is_empty()).collect();
    let columns = lanes.len() + picture.levels.len();
    let width = ((COLUMNS - 5) / columns.max(1)).clamp(8, 24);
    let mut text = String::new();
    let names =
        lanes.iter().map(|lane| &lane.name).chain(picture.levels.iter().map(|level| &level.name));
    row(&mut text, picture.unit, names.map(|name| cell(name, width)));
    for at in 0..picture.length {
        // What was done together, such as a lock given back at the end of a step, is told together.
        let done = |lane: &Lane| {
            let marks =
                lane.marks.iter().filter(|mark| mark.at == at).map(|mark| mark.text.as_str());
            marks.collect::<Vec<_>>().join(", ")
        };
        let told: Vec<String> = lanes.iter().map(|lane| done(lane)).collect();
        if told.iter().all(String::is_empty) {
            continue;
        }
        let lines = told.iter().map(|text| wrap(text, width - 1)).collect::<Vec<_>>();
        let values = picture.levels.iter().map(|level| {
            level.changes.iter().rev().find(|(from, _)| *from <= at).map_or("", |(_, value)| value)
        });
        let values: Vec<String> = values.map(|value| cell(value, width)).collect();
        for line in 0..lines.iter().map(Vec::len).max().unwrap_or(1) {
            let acts = lines.iter().zip(&lanes).map(|(lines, lane)| {
                let padded = cell(lines.get(line).map_or("", String::as_str), width);
                paint(&padded, state_at(lane, at), colour)
            });
            let number = if line == 0 { at.to_string() } else { String::new() };
            let values = values.iter().filter(|_| line == 0).cloned();
            row(&mut text, &number, acts.chain(values));
        }
    }
    close(&mut text, picture);
    text
}

/// The lanes as bars, the whole run in one line each.
#[must_use]
pub fn lanes(picture: &Picture, colour: bool) -> String {
    let names =
        picture.lanes.iter().map(|lane| lane.name.chars().count()).max().unwrap_or(0).min(NAME_MAX);
    let room = (COLUMNS - names - 1) as u64;
    let width = room.min(picture.length.max(1) * 4);
    let mut text = String::new();
    for lane in &picture.lanes {
        let _ = write!(text, "{}", cell(&lane.name, names + 1));
        let mut bar: Vec<Option<State>> = Vec::new();
        for column in 0..width {
            bar.push(state_at(lane, column * picture.length / width));
        }
        for state in bar {
            let sign = state.map_or(" ", sign);
            text.push_str(&paint(sign, state, colour));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    let legend = State::ALL.map(|state| format!("{} {}", sign(state), state.word()));
    let _ = writeln!(text, "{}   0 to {} {}", legend.join("  "), picture.length - 1, picture.unit);
    close(&mut text, picture);
    text
}

fn close(text: &mut String, picture: &Picture) {
    for (lane, about) in &picture.circle {
        if let Some(lane) = picture.lanes.get(*lane) {
            let _ =
                writeln!(text, "      {} waits for {about}, which the next one holds", lane.name);
        }
    }
    let lines = wrap(&picture.verdict, COLUMNS - 10);
    for (number, line) in lines.iter().enumerate() {
        let _ = writeln!(text, "   {} {line}", if number == 0 { "=>" } else { "  " });
    }
}

fn row(text: &mut String, first: &str, cells: impl Iterator<Item = String>) {
    let _ = write!(text, "{first:>4} ");
    cells.for_each(|cell| text.push_str(&cell));
    text.truncate(text.trim_end().len());
    text.push('\n');
}

/// Exactly so many characters, cut with a mark that something is missing.
fn cell(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length < width {
        return format!("{text}{}", " ".repeat(width - length));
    }
    let cut: String = text.chars().take(width.saturating_sub(2)).collect();
    format!("{cut}… ")
}

/// Lines of at most so many characters, broken between words.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn state_at(lane: &Lane, at: u64) -> Option<State> {
    lane.segments
        .iter()
        .find(|segment| segment.from <= at && at < segment.to)
        .map(|segment| segment.state)
}

fn sign(state: State) -> &'static str {
    match state {
        State::Running => "─",
        State::Holding => "█",
        State::Waiting => "·",
        State::Asleep => "z",
        State::Broken => "x",
    }
}

fn paint(text: &str, state: Option<State>, colour: bool) -> String {
    let code = match state {
        Some(State::Running) => "32",
        Some(State::Holding) => "1;32",
        Some(State::Waiting) => "33",
        Some(State::Asleep) => "34",
        Some(State::Broken) => "1;31",
        None => return text.to_owned(),
    };
    if colour && !text.trim().is_empty() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
