//! A picture as SVG: for light and dark pages and for paper. States differ by shape as well as by colour, in Okabe and Ito's
//! palette, so that they are told apart without colours.
//!
//! The lanes and what stands around them are here; a level as steps is in `chart.rs`, who waits for whom in `graph.rs`.

use super::text::wrap;
use super::{Arrow, Lane, Level, Picture, Segment, State, Subject, chart, graph, time};
use std::fmt::Write;

const LEFT: u64 = 120;
const TOP: u64 = 56;
/// Of time; of steps as wide as their words, within these.
const WIDTH: u64 = 1000;
const WIDTH_MIN: u64 = 640;
const WIDTH_MAX: u64 = 1600;
/// A column that is to hold words, and how many characters of them.
const COLUMN: u64 = 92;
const MARK: usize = 16;
/// How many characters of a sentence fit in the narrowest picture.
const SENTENCE: usize = 100;
const LINE: u64 = 18;

const STYLE: &str = r"
.page{fill:#fff}.ink{fill:#222}.quiet{fill:#666}.line{stroke:#ccc}.arrow{stroke:#222;fill:none}.head{fill:#222}
.halo{stroke:#fff;stroke-width:4;stroke-opacity:.7}.running{fill:#56b4e9}.holding{fill:#0072b2}.waiting{fill:none;stroke:#e69f00;stroke-width:2;stroke-dasharray:4 3}
.asleep{fill:none;stroke:#009e73;stroke-width:2}.broken{fill:#d55e00}.hatch{stroke:#fff;stroke-width:2}
.ring{stroke:#d55e00;fill:none;stroke-width:2}.tip{fill:#d55e00}.wrong{fill:#d55e00}.said{fill:#fff}.thing{fill:none;stroke:#666;stroke-dasharray:2 2}
.area{fill:#56b4e9;fill-opacity:.3}.steps{fill:none;stroke:#0072b2;stroke-width:1.5}.limit{stroke:#d55e00;stroke-width:1.5;stroke-dasharray:6 3}
@media (prefers-color-scheme: dark){.page{fill:#1c1c1c}.ink{fill:#eee}.quiet{fill:#aaa}.line{stroke:#444}.arrow{stroke:#eee}.head{fill:#eee}
.holding{fill:#3a9ad9}.thing{stroke:#aaa}.hatch{stroke:#1c1c1c}.halo{stroke:#1c1c1c}.steps{stroke:#56b4e9}}
@media print{.page{fill:#fff}.ink{fill:#000}.quiet{fill:#333}.line{stroke:#bbb}.arrow{stroke:#000}.head{fill:#000}
.holding{fill:#0072b2}.thing{stroke:#333}.hatch{stroke:#fff}.halo{stroke:#fff}.steps{stroke:#0072b2}}
";

/// One SVG document, with everything in it that it needs.
#[must_use]
pub fn svg(picture: &Picture) -> String {
    let stepwise = picture.unit == "step";
    let (width, right) = if stepwise {
        ((picture.length * COLUMN).clamp(WIDTH_MIN, WIDTH_MAX), 30)
    } else {
        (WIDTH, 60)
    };
    let sheet = Sheet {
        scale: width as f64 / picture.length.max(1) as f64,
        lane: if stepwise { 56 } else { 28 },
        chart: if stepwise { 40 } else { 72 },
        stepwise,
    };
    let levels = TOP + picture.lanes.len() as u64 * sheet.lane;
    let bottom = levels + picture.levels.iter().map(|level| sheet.level_height(level)).sum::<u64>();
    // What stands below is written first: it says how high the whole is.
    let mut below = String::new();
    let end = sheet.below(&mut below, picture, bottom, width);
    let mut text = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full} {height}" role="img" font-family="sans-serif" font-size="12">
<title>{title}</title>
<desc>{verdict}</desc>
<style>{STYLE}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0 0 8 4 0 8z"/></marker>
<marker id="ring-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker>
<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="broken" width="6" height="6"/><path class="hatch" d="M0 0V6"/></pattern></defs>
<rect class="page" width="100%" height="100%"/>
<text class="ink" x="12" y="22" font-size="15" font-weight="bold">{title}</text>
"#,
        full = LEFT + width + right,
        height = end + 16,
        title = escape(&picture.title),
        verdict = escape(&picture.verdict),
    );
    sheet.axis(&mut text, picture, bottom);
    for (row, lane) in picture.lanes.iter().enumerate() {
        sheet.lane(&mut text, picture.subject, lane, sheet.y(row));
    }
    sheet.arrows(&mut text, picture);
    let mut y = levels;
    for level in &picture.levels {
        sheet.level(&mut text, level, picture.length, y);
        y += sheet.level_height(level);
    }
    text.push_str(&below);
    text.push_str("</svg>\n");
    text
}

struct Sheet {
    scale: f64,
    /// The height of a lane.
    lane: u64,
    /// The height of the steps of a level.
    chart: u64,
    stepwise: bool,
}

impl Sheet {
    fn x(&self, at: u64) -> f64 {
        LEFT as f64 + at as f64 * self.scale
    }

    /// How high a level is, words and steps.
    fn level_height(&self, level: &Level) -> u64 {
        if level.counts.is_empty() { 24 } else { 44 + self.chart }
    }

    fn y(&self, row: usize) -> u64 {
        TOP + row as u64 * self.lane
    }

    fn axis(&self, text: &mut String, picture: &Picture, bottom: u64) {
        // A step is a column, a moment a line.
        let anchor = if self.stepwise { "start" } else { "middle" };
        for (at, number) in time::marks(picture.unit, picture.begin, picture.length, 16) {
            let x = self.x(at);
            let _ = writeln!(
                text,
                r#"<path class="line" d="M{x:.1} {TOP}V{bottom}"/><text class="quiet" x="{x:.1}" y="{}" text-anchor="{anchor}">{number}</text>"#,
                TOP - 8
            );
        }
        let (_, unit) = time::shown(picture.unit, picture.length);
        let _ = writeln!(text, r#"<text class="quiet" x="12" y="{}">{unit}</text>"#, TOP - 8);
    }

    fn lane(&self, text: &mut String, subject: Subject, lane: &Lane, y: u64) {
        let name = escape(&short(&lane.name, 16));
        let _ = writeln!(text, r#"<text class="ink" x="12" y="{}">{name}</text>"#, y + 20);
        let finest = if self.stepwise { 0.0 } else { 3.0 };
        for (segment, merged) in self.merged(lane, finest) {
            let (x, width) = (self.x(segment.from), segment.length() as f64 * self.scale);
            // Of two that touch, the border is seen.
            let width = if width > 3.0 { width - 1.0 } else { width };
            stretch(text, &segment, x, y + 8, width.max(1.0), &told(subject, &segment, merged));
        }
        if self.stepwise {
            self.marks(text, lane, y);
        }
        let mut free = 0.0;
        for mark in &lane.marks {
            let Some(number) = mark.wrong else { continue };
            let x = self.x(mark.at);
            let title = escape(&mark.text);
            let _ = writeln!(
                text,
                r#"<path class="wrong" d="M{x:.1} {}l-6 -10h12z"><title>{title}</title></path>"#,
                y + 10
            );
            // Where several come together, the number of the first stands for all.
            if x >= free {
                let _ = writeln!(
                    text,
                    r#"<text class="ink" font-size="10" font-weight="bold" x="{:.1}" y="{}">{number}</text>"#,
                    x + 8.0,
                    y + 7
                );
                free = x + 24.0;
            }
        }
    }

    /// The stretches of a lane, those together that are finer than can be seen, with how many they are.
    fn merged(&self, lane: &Lane, finest: f64) -> Vec<(Segment, u64)> {
        let mut all: Vec<(Segment, u64)> = Vec::new();
        let fine = |from: u64, to: u64| (to - from) as f64 * self.scale < finest;
        for segment in &lane.segments {
            match all.last_mut() {
                Some((last, merged)) if fine(last.from, segment.to) && segment.from >= last.to => {
                    if segment.length() > last.length() {
                        (last.state, last.holds) = (segment.state, segment.holds.clone());
                    }
                    last.to = segment.to;
                    *merged += 1;
                }
                _ => all.push((segment.clone(), 1)),
            }
        }
        all
    }

    /// What was done in each step, in words.
    fn marks(&self, text: &mut String, lane: &Lane, y: u64) {
        for together in lane.marks.chunk_by(|one, other| one.at == other.at) {
            let x = self.x(together[0].at) + 3.0;
            let told: Vec<&str> = together.iter().map(|mark| mark.text.as_str()).collect();
            let whole = told.join(", ");
            let mut lines = wrap(&whole, MARK);
            if lines.len() > 2 {
                lines.truncate(2);
                lines[1] = format!("{}…", lines[1]);
            }
            let _ = write!(
                text,
                r#"<text class="ink" font-size="10"><title>{}</title>"#,
                escape(&whole)
            );
            for (line, y) in lines.iter().zip([y + 36, y + 47]) {
                let line = escape(&short(line, MARK));
                let _ = write!(text, r#"<tspan x="{x:.1}" y="{y}">{line}</tspan>"#);
            }
            text.push_str("</text>\n");
        }
    }

    fn arrows(&self, text: &mut String, picture: &Picture) {
        let place = |arrow: &Arrow| {
            let (since, at) = (self.x(arrow.since) + 1.5, self.x(arrow.at) + 1.5);
            let (from, to) = (self.y(arrow.from) + 15, self.y(arrow.to) + 15);
            format!("M{since:.1} {from}L{at:.1} {to}")
        };
        // All edges before all arrows, so that none covers another.
        for arrow in &picture.arrows {
            let _ = writeln!(text, r#"<path class="halo" d="{}"/>"#, place(arrow));
        }
        for arrow in &picture.arrows {
            let (place, title) = (place(arrow), escape(&arrow.text));
            let _ = writeln!(
                text,
                r#"<path class="arrow" marker-end="url(#tip)" d="{place}"><title>{title}</title></path>"#
            );
        }
    }

    /// What something held: the words, and where it is a number of things the steps.
    fn level(&self, text: &mut String, level: &Level, length: u64, y: u64) {
        let name = escape(&short(&level.name, 16));
        let _ = writeln!(text, r#"<text class="quiet" x="12" y="{}">{name}</text>"#, y + 20);
        for (at, value) in &level.changes {
            let x = self.x(*at) + 4.0;
            let value = escape(&short(value, 14));
            let _ = writeln!(
                text,
                r#"<text class="ink" x="{x:.1}" y="{}" font-family="monospace">{value}</text>"#,
                y + 20
            );
        }
        if level.counts.is_empty() {
            return;
        }
        // Where nothing is written, the steps begin higher.
        let top = if level.changes.is_empty() { y + 14 } else { y + 32 };
        let frame = chart::Frame { y: top, height: y + 32 + self.chart - top };
        chart::svg(text, level, length, frame, |at| self.x(at));
        let Some(capacity) = level.capacity else { return };
        let _ = writeln!(
            text,
            r#"<text class="quiet" font-size="10" x="12" y="{}">capacity {capacity}</text>"#,
            y + 34
        );
    }

    /// What stands below the levels: the legend, the graph, and the words. How far down it goes.
    fn below(&self, text: &mut String, picture: &Picture, mut y: u64, width: u64) -> u64 {
        y += 28;
        let mut x = 12;
        for (state, holding) in picture.legend() {
            let word = picture.subject.word(state, holding);
            let space = 52 + word.len() as u64 * 6;
            if x + space > LEFT + width {
                (x, y) = (12, y + 22);
            }
            let holds = if holding { word.to_owned() } else { String::new() };
            let segment = Segment { from: 0, to: 1, state, about: String::new(), holds };
            stretch(text, &segment, x as f64, y - 12, 26.0, word);
            let _ = writeln!(text, r#"<text class="quiet" x="{}" y="{y}">{word}</text>"#, x + 32);
            x += space;
        }
        if picture.lanes.iter().flat_map(|lane| &lane.marks).any(|mark| mark.wrong.is_some()) {
            let _ = writeln!(
                text,
                r#"<path class="wrong" d="M{} {y}l-6 -10h12z"/><text class="quiet" x="{}" y="{y}">a promise broken</text>"#,
                x + 13,
                x + 32
            );
        }
        if !picture.waits.is_empty() {
            y = graph::svg(text, picture, y + 16);
        }
        y += 6;
        let sentence = SENTENCE.max(usize::try_from(width / 7).unwrap_or(SENTENCE));
        let mut line = |text: &mut String, words: &str, weight: &str| {
            y += LINE;
            let words = escape(words);
            let _ = writeln!(
                text,
                r#"<text class="ink" x="12" y="{y}" font-weight="{weight}">{words}</text>"#
            );
        };
        for words in picture.circle_told() {
            line(text, &words, "normal");
        }
        for words in wrap(&picture.verdict, sentence) {
            line(text, &words, "bold");
        }
        for words in picture.notes.iter().flat_map(|note| wrap(note, sentence)) {
            line(text, &words, "normal");
        }
        y
    }
}

/// What a stretch says to whoever points at it.
fn told(subject: Subject, segment: &Segment, merged: u64) -> String {
    let word = subject.word(segment.state, segment.is_holding());
    if merged > 1 {
        return format!("{merged} stretches, mostly: {word}");
    }
    let holds = match (segment.holds.as_str(), segment.about.as_str()) {
        ("", "") => return word.to_owned(),
        ("", about) => about.to_owned(),
        (holds, "") => format!("holds {holds}"),
        (holds, about) => format!("{about}; holds {holds}"),
    };
    format!("{word} ({holds})")
}

/// One stretch: thick, thin, hollow and hatched say again what the colours say; what is held meanwhile is a thick edge below.
fn stretch(text: &mut String, segment: &Segment, x: f64, y: u64, width: f64, title: &str) {
    let (class, height) = match segment.state {
        State::Running => ("running", 8),
        State::Holding => ("holding", 16),
        State::Waiting => ("waiting", 16),
        State::Asleep => ("asleep", 4),
        State::Broken => ("broken", 16),
    };
    let fill = if segment.state == State::Broken { r#" fill="url(#hatch)""# } else { "" };
    let class = if segment.state == State::Broken { "" } else { class };
    let title = escape(title);
    let _ = writeln!(
        text,
        r#"<rect class="{class}"{fill} x="{x:.1}" y="{y}" width="{width:.1}" height="{height}" rx="2"><title>{title}</title></rect>"#,
    );
    if segment.is_holding() {
        let y = y + if segment.state == State::Asleep { 10 } else { 11 };
        let _ = writeln!(
            text,
            r#"<rect class="holding" x="{x:.1}" y="{y}" width="{width:.1}" height="6"><title>{title}</title></rect>"#,
        );
    }
}

pub(super) fn short(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
