//! A picture as SVG: for light and dark pages and for paper. States differ by shape as well as by colour, in Okabe and Ito's
//! palette, so that they are told apart without colours.

use super::text::wrap;
use super::{Lane, Picture, State};
use std::fmt::Write;

const LEFT: u64 = 120;
const LANE: u64 = 56;
const TOP: u64 = 56;
const WIDTH_MIN: u64 = 640;
const WIDTH_MAX: u64 = 1600;
/// A column that is to hold words, and how many characters of them.
const COLUMN: u64 = 92;
const MARK: usize = 16;

/// One SVG document, with everything in it that it needs.
#[must_use]
pub fn svg(picture: &Picture) -> String {
    let stepwise = picture.unit == "step";
    let width =
        if stepwise { (picture.length * COLUMN).clamp(WIDTH_MIN, WIDTH_MAX) } else { WIDTH_MAX };
    let sheet = Sheet { scale: width as f64 / picture.length.max(1) as f64, stepwise };
    let rows = picture.lanes.len() as u64 * LANE + picture.levels.len() as u64 * 24;
    let (full, height) = (LEFT + width + 20, TOP + rows + 84 + picture.circle.len() as u64 * 18);
    let mut text = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full} {height}" role="img" font-family="sans-serif" font-size="12">
<title>{title}</title>
<desc>{verdict}</desc>
<style>
.page{{fill:#fff}}.ink{{fill:#222}}.quiet{{fill:#666}}.line{{stroke:#bbb}}.arrow{{stroke:#222;fill:none}}.head{{fill:#222}}
.running{{fill:#56b4e9}}.holding{{fill:#0072b2}}.waiting{{fill:none;stroke:#e69f00;stroke-width:2;stroke-dasharray:4 3}}
.asleep{{fill:none;stroke:#009e73;stroke-width:2}}.broken{{fill:#d55e00}}.ring{{stroke:#d55e00;fill:none;stroke-width:2}}
@media (prefers-color-scheme: dark){{.page{{fill:#1c1c1c}}.ink{{fill:#eee}}.quiet{{fill:#aaa}}.line{{stroke:#555}}.arrow{{stroke:#eee}}.head{{fill:#eee}}}}
@media print{{.page{{fill:#fff}}.ink{{fill:#000}}.quiet{{fill:#333}}.arrow{{stroke:#000}}.head{{fill:#000}}}}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>
<rect class="page" width="100%" height="100%"/>
<text class="ink" x="12" y="22" font-size="15" font-weight="bold">{title}</text>
"#,
        title = escape(&picture.title),
        verdict = escape(&picture.verdict),
    );
    sheet.axis(&mut text, picture, TOP + rows);
    for (row, lane) in picture.lanes.iter().enumerate() {
        sheet.lane(&mut text, lane, lane_y(row));
    }
    sheet.arrows(&mut text, picture);
    let mut y = TOP + picture.lanes.len() as u64 * LANE;
    for level in &picture.levels {
        y += 24;
        let _ = writeln!(
            text,
            r#"<text class="quiet" x="12" y="{y}">{}</text>"#,
            escape(&short(&level.name, 16))
        );
        for (at, value) in &level.changes {
            let x = sheet.x(*at) + 4.0;
            let _ = writeln!(
                text,
                r#"<text class="ink" x="{x:.1}" y="{y}" font-family="monospace">{}</text>"#,
                escape(&short(value, 14))
            );
        }
    }
    close(&mut text, picture, y + 28);
    text.push_str("</svg>\n");
    text
}

struct Sheet {
    scale: f64,
    stepwise: bool,
}

fn lane_y(row: usize) -> u64 {
    TOP + row as u64 * LANE
}

impl Sheet {
    fn x(&self, at: u64) -> f64 {
        LEFT as f64 + at as f64 * self.scale
    }

    fn axis(&self, text: &mut String, picture: &Picture, bottom: u64) {
        let every = picture.length.div_ceil(16).max(1);
        for at in (0..picture.length).step_by(usize::try_from(every).unwrap_or(1)) {
            let x = self.x(at);
            let _ = writeln!(
                text,
                r#"<path class="line" d="M{x:.1} {TOP}V{bottom}"/><text class="quiet" x="{x:.1}" y="{}">{at}</text>"#,
                TOP - 8
            );
        }
        let _ =
            writeln!(text, r#"<text class="quiet" x="12" y="{}">{}</text>"#, TOP - 8, picture.unit);
    }

    fn lane(&self, text: &mut String, lane: &Lane, y: u64) {
        let _ = writeln!(
            text,
            r#"<text class="ink" x="12" y="{}">{}</text>"#,
            y + 20,
            escape(&short(&lane.name, 16))
        );
        for segment in &lane.segments {
            let (x, width) =
                (self.x(segment.from), (segment.to - segment.from) as f64 * self.scale);
            let about = if segment.about.is_empty() {
                String::new()
            } else {
                format!(" ({})", segment.about)
            };
            let _ = writeln!(
                text,
                r#"<rect class="{}" x="{x:.1}" y="{}" width="{:.1}" height="{}" rx="2"><title>{}{}</title></rect>"#,
                class(segment.state),
                y + 8,
                width.max(1.0),
                height(segment.state),
                segment.state.word(),
                escape(&about),
            );
        }
        if !self.stepwise {
            return; // thousands of words, one over the other
        }
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
                let _ = write!(
                    text,
                    r#"<tspan x="{x:.1}" y="{y}">{}</tspan>"#,
                    escape(&short(line, MARK))
                );
            }
            text.push_str("</text>\n");
        }
    }

    fn arrows(&self, text: &mut String, picture: &Picture) {
        for arrow in &picture.arrows {
            let x = self.x(arrow.at) + 1.5;
            let (from, to) = (lane_y(arrow.from) + 15, lane_y(arrow.to) + 15);
            let _ = writeln!(
                text,
                r#"<path class="arrow" marker-end="url(#tip)" d="M{x:.1} {from}V{to}"><title>{}</title></path>"#,
                arrow.text,
            );
        }
    }
}

fn close(text: &mut String, picture: &Picture, mut y: u64) {
    let mut x = 12;
    for state in State::ALL {
        let _ = writeln!(
            text,
            r#"<rect class="{}" x="{x}" y="{}" width="22" height="{}" rx="2"/><text class="quiet" x="{}" y="{y}">{}</text>"#,
            class(state),
            y - 10,
            height(state).min(11),
            x + 28,
            state.word()
        );
        x += 132;
    }
    for (lane, about) in &picture.circle {
        y += 18;
        let name = picture.lanes.get(*lane).map_or("", |lane| lane.name.as_str());
        let said = format!("{name} waits for {about}, which the next one holds");
        let _ = writeln!(
            text,
            r#"<circle class="ring" cx="18" cy="{}" r="5"/><text class="ink" x="30" y="{y}">{}</text>"#,
            y - 4,
            escape(&said)
        );
    }
    let _ = writeln!(
        text,
        r#"<text class="ink" x="12" y="{}" font-weight="bold">{}</text>"#,
        y + 24,
        escape(&short(&picture.verdict, 120))
    );
}

fn class(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Holding => "holding",
        State::Waiting => "waiting",
        State::Asleep => "asleep",
        State::Broken => "broken",
    }
}

/// Thick, thin and hollow: what the colours say, said again.
fn height(state: State) -> u64 {
    match state {
        State::Running => 8,
        State::Asleep => 4,
        State::Holding | State::Waiting | State::Broken => 16,
    }
}

fn short(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
