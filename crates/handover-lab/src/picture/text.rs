//! A picture in a terminal: a table of the steps, one a line, and the lanes as bars.

use super::{Lane, Picture, State, Subject, chart, time};
use std::fmt::Write;

/// How wide a terminal is taken to be.
pub const COLUMNS: usize = 80;

const NAME_MAX: usize = 14;

/// Each moment in which something was done, a line: who did what, and what was held then. With `colour`, by terminal codes.
#[must_use]
pub fn steps(picture: &Picture, colour: bool) -> String {
    let lanes = &picture.lanes;
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
        let told: Vec<String> = lanes.iter().map(done).collect();
        if told.iter().all(String::is_empty) {
            continue;
        }
        let lines = told.iter().map(|text| wrap(text, width - 1)).collect::<Vec<_>>();
        let values = picture.levels.iter().map(|level| {
            level.changes.iter().rev().find(|(from, _)| *from <= at).map_or("", |(_, value)| value)
        });
        let values: Vec<Vec<String>> = values.map(|value| held(value, width - 1)).collect();
        for line in 0..lines.iter().chain(&values).map(Vec::len).max().unwrap_or(1) {
            let acts = lines.iter().zip(lanes).map(|(lines, lane)| {
                let padded = cell(lines.get(line).map_or("", String::as_str), width);
                paint(&padded, state_in(lane, at, at + 1).map(|(state, _)| state), colour)
            });
            let number = if line == 0 { at.to_string() } else { String::new() };
            let values =
                values.iter().map(|lines| cell(lines.get(line).map_or("", String::as_str), width));
            row(&mut text, &number, acts.chain(values));
        }
    }
    ends(&mut text, picture, width);
    close(&mut text, picture);
    text
}

/// What something holds, in at most two lines.
fn held(value: &str, width: usize) -> Vec<String> {
    let mut lines = wrap(value, width);
    if lines.len() > 2 {
        lines.truncate(2);
        lines[1] = format!("{}…", lines[1].chars().take(width - 1).collect::<String>());
    }
    lines
}

/// A last line of the table, after a deadlock: who waits for what.
fn ends(text: &mut String, picture: &Picture, width: usize) {
    let says = |lane| picture.wait(lane).map_or("", |wait| wait.says.as_str());
    let lines: Vec<Vec<String>> =
        (0..picture.lanes.len()).map(|lane| wrap(says(lane), width - 1)).collect();
    for line in 0..lines.iter().map(Vec::len).max().unwrap_or(0) {
        let cells =
            lines.iter().map(|lines| cell(lines.get(line).map_or("", String::as_str), width));
        row(text, if line == 0 { "end" } else { "" }, cells);
    }
}

/// The lanes as bars, the whole run in one line each, and what was held below them.
#[must_use]
pub fn lanes(picture: &Picture, colour: bool) -> String {
    let charts = || picture.levels.iter().filter(|level| !level.counts.is_empty());
    let lanes = picture.lanes.iter().map(|lane| &lane.name);
    let names = lanes.chain(charts().map(|level| &level.name));
    let names = names.map(|name| name.chars().count()).max().unwrap_or(0).min(NAME_MAX);
    let room = (COLUMNS - names - 1) as u64;
    let width = room.min(picture.length.max(1) * 4);
    let (mut text, mut seen) = (String::new(), Vec::new());
    for lane in &picture.lanes {
        let _ = write!(text, "{}", cell(&lane.name, names + 1));
        let mut bar = Vec::new();
        for number in 0..width {
            let (from, to) = column(number, picture.length, width);
            let (sign, state) = drawn(lane, from, to);
            seen.push(sign);
            // Of two jobs, one after the other, the second begins with half a block.
            let first = number == 0 || column(number - 1, picture.length, width).0 < from;
            let next = picture.subject == Subject::Jobs && first && sign == "█";
            let sign = if next && follows(lane, from, to) { "▐" } else { sign };
            bar.push((sign, state));
        }
        for run in bar.chunk_by(|one, other| one.1 == other.1) {
            let signs: String = run.iter().map(|(sign, _)| *sign).collect();
            text.push_str(&paint(&signs, run[0].1, colour));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    for level in charts() {
        let line = chart::line(level, picture.length, width);
        let _ = writeln!(text, "{}{}", cell(&level.name, names + 1), line.trim_end());
    }
    if picture.subject == Subject::Jobs && picture.unit == "µs" {
        let _ = writeln!(text, "{}{}", cell("", names + 1), axis(picture, width).trim_end());
    }
    legend(&mut text, picture, &seen);
    close(&mut text, picture);
    text
}

/// The times below the lanes, each where its mark stands, in the unit that the legend names.
fn axis(picture: &Picture, width: u64) -> String {
    let mut line = String::new();
    for (at, number) in time::marks(picture.unit, picture.begin, picture.length, width / 10) {
        let column = at.saturating_mul(width) / picture.length.max(1);
        let (mark, seen) = (format!("╵{number}"), line.chars().count() as u64);
        if seen <= column && column + mark.chars().count() as u64 <= width {
            (seen..column).for_each(|_| line.push(' '));
            line.push_str(&mark);
        }
    }
    line
}

/// The moments that a column shows: at least one.
pub(super) fn column(number: u64, length: u64, columns: u64) -> (u64, u64) {
    let from = number * length / columns;
    (from, ((number + 1) * length / columns).max(from + 1))
}

/// The sign of a lane in a column. A promise that is broken is seen before all else.
fn drawn(lane: &Lane, from: u64, to: u64) -> (&'static str, Option<State>) {
    if lane.marks.iter().any(|mark| mark.wrong.is_some() && from <= mark.at && mark.at < to) {
        return ("!", Some(State::Broken));
    }
    let Some((state, holding)) = state_in(lane, from, to) else { return (" ", None) };
    (sign(state, holding), Some(state))
}

/// Whether something is held from within these moments on, for as long that it can be seen, and something else was just before:
/// what happens between the two is too short.
fn follows(lane: &Lane, from: u64, to: u64) -> bool {
    let is_held = |segment: &&super::Segment| segment.state == State::Holding;
    let next = lane.segments.partition_point(|segment| segment.from < from);
    let (earlier, later) = lane.segments.split_at(next);
    let begins = later.iter().take_while(|segment| segment.from < to).find(is_held);
    let ended = earlier.iter().rev().find(is_held).map(|segment| segment.to);
    begins.is_some_and(|segment| segment.length() >= 2 * (to - from))
        && ended.is_some_and(|ended| ended + (to - from) > from)
}

/// The signs that are seen and their meanings, and how long the axis is.
fn legend(text: &mut String, picture: &Picture, seen: &[&str]) {
    let word = |(state, holding)| {
        format!("{} {}", sign(state, holding), picture.subject.word(state, holding))
    };
    let legend = picture.legend().into_iter();
    let legend = legend.filter(|(state, holding)| seen.contains(&sign(*state, *holding)));
    let mut words: Vec<String> = legend.map(word).collect();
    if seen.contains(&"!") {
        words.push("! a promise broken".to_owned());
    }
    let (one, unit) = time::shown(picture.unit, picture.length);
    let end = picture.begin + picture.length.max(1) - 1;
    let axis = format!("{} to {}", picture.begin / one, end / one);
    let steps = picture.unit == "step";
    words.push(if steps { format!(" steps {axis}") } else { format!(" {axis} {unit}") });
    fill(text, &words);
    let charts = picture.levels.iter().filter(|level| !level.counts.is_empty());
    let charts = charts.map(|level| chart::told(level, picture.subject));
    let charts: Vec<String> = charts.collect();
    if !charts.is_empty() {
        fill(text, &[vec![chart::LEGEND.to_owned()], charts].concat());
    }
}

/// Words beside one another, in as many lines as they need.
fn fill(text: &mut String, words: &[String]) {
    let mut line = String::new();
    for word in words {
        if !line.is_empty() && line.chars().count() + 2 + word.chars().count() > COLUMNS {
            let _ = writeln!(text, "{line}");
            line.clear();
        }
        let gap = if line.is_empty() { "" } else { "  " };
        let _ = write!(line, "{gap}{}", if gap.is_empty() { word.trim_start() } else { word });
    }
    let _ = writeln!(text, "{line}");
}

fn close(text: &mut String, picture: &Picture) {
    for words in picture.circle_told() {
        let _ = writeln!(text, "      {words}");
    }
    let lines = wrap(&picture.verdict, COLUMNS - 10);
    for (number, line) in lines.iter().enumerate() {
        let _ = writeln!(text, "   {} {line}", if number == 0 { "=>" } else { "  " });
    }
    for line in picture.notes.iter().flat_map(|note| wrap(note, COLUMNS - 6)) {
        let _ = writeln!(text, "      {line}");
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

/// What a lane mostly does within these moments: its state, and whether it holds something beside.
fn state_in(lane: &Lane, from: u64, to: u64) -> Option<(State, bool)> {
    let first = lane.segments.partition_point(|segment| segment.to <= from);
    let mut longest: Option<(u64, (State, bool))> = None;
    for segment in lane.segments.iter().skip(first).take_while(|segment| segment.from < to) {
        let length = std::cmp::min(segment.to, to) - std::cmp::max(segment.from, from);
        if longest.is_none_or(|(other, _)| other < length) {
            longest = Some((length, (segment.state, segment.is_holding())));
        }
    }
    longest.map(|(_, state)| state)
}

fn sign(state: State, holding: bool) -> &'static str {
    match state {
        State::Waiting if holding => "▒",
        State::Asleep if holding => "Z",
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
