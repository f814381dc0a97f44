//! Who waits for whom at a deadlock, as a graph: the circle as a ring, whoever waits outside of it at the left, and what nobody
//! has at the right.

use super::svg::{escape, short};
use super::{Picture, Wait};
use std::f64::consts::PI;
use std::fmt::Write;

/// Half the size of a node.
const WIDE: f64 = 58.0;
const HIGH: f64 = 15.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 400.0;
/// From one node at the left to the next.
const ROW: u64 = 46;
/// How many characters of a name a node holds.
const NAME: usize = 15;

#[derive(Clone, Copy)]
struct Point {
    x: f64,
    y: f64,
}

/// Draws it from `top` down. How far down it goes.
pub(super) fn svg(text: &mut String, picture: &Picture, top: u64) -> u64 {
    let ring = &picture.circle;
    let outside: Vec<&Wait> =
        picture.waits.iter().filter(|wait| !ring.contains(&wait.lane)).collect();
    let high = match ring.len() as u64 {
        0 => 0,
        1 | 2 => 25,
        many => 60 + many * 10,
    };
    let rows = outside.len() as u64 * ROW;
    let height = std::cmp::max(if ring.is_empty() { 0 } else { 2 * high + 60 }, rows);
    let radius = high as f64;
    let top_y = top as f64 + 20.0;
    let said = if ring.is_empty() {
        "Who waits for what:"
    } else {
        "Who waits for whom; the thick arrows are the circle:"
    };
    let _ = writeln!(text, r#"<text class="ink" x="12" y="{}">{said}</text>"#, top + 12);
    let left = if outside.is_empty() { 0.0 } else { 190.0 };
    let spread = match ring.len() {
        1 => 0.0,
        2 => 120.0,
        _ => radius * 1.7,
    };
    let centre = Point { x: left + spread + WIDE + 20.0, y: top_y + height as f64 / 2.0 };
    let places: Vec<Point> =
        (0..ring.len()).map(|number| on_ring(number, ring.len(), centre, spread, radius)).collect();
    if let ([lane], [place]) = (ring.as_slice(), places.as_slice()) {
        looped(text, *place, picture.wait(*lane).map_or("", |wait| wait.about.as_str()));
    }
    for (number, lane) in ring.iter().enumerate().filter(|_| ring.len() > 1) {
        let next = places[(number + 1) % places.len()];
        let about = picture.wait(*lane).map_or("", |wait| wait.about.as_str());
        bent(text, places[number], next, about);
    }
    for (lane, place) in ring.iter().zip(&places) {
        node(text, name(picture, *lane), *place, "ring");
    }
    let first = top_y + (height - rows + ROW) as f64 / 2.0;
    for (row, wait) in outside.iter().enumerate() {
        let from = Point { x: LEFT, y: first + (row as u64 * ROW) as f64 };
        let place = wait.on.and_then(|lane| ring.iter().position(|other| *other == lane));
        let to = place.map_or(Point { x: RIGHT, y: from.y }, |place| places[place]);
        match (place, wait.on) {
            (Some(_), _) => {}
            (None, Some(lane)) => node(text, name(picture, lane), to, "arrow"),
            (None, None) => node(text, &wait.about, to, "thing"),
        }
        let label = if wait.on.is_some() { wait.about.as_str() } else { "waits for" };
        straight(text, from, to, label);
        node(text, name(picture, wait.lane), from, "arrow");
    }
    top + 30 + height
}

fn name(picture: &Picture, lane: usize) -> &str {
    picture.lanes.get(lane).map_or("?", |lane| lane.name.as_str())
}

/// One stands alone, below its arrow; two stand side by side; more on a circle, the first at the top, then clockwise.
fn on_ring(number: usize, of: usize, centre: Point, wide: f64, high: f64) -> Point {
    let begin = match of {
        1 => PI / 2.0,
        2 => PI,
        _ => -PI / 2.0,
    };
    let angle = begin + 2.0 * PI * number as f64 / of as f64;
    Point { x: centre.x + wide * angle.cos(), y: centre.y + high * angle.sin() }
}

fn node(text: &mut String, name: &str, at: Point, class: &str) {
    let rx = if class == "thing" { 2 } else { 12 };
    let _ = writeln!(
        text,
        r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="{}" height="{}" rx="{rx}"/><text class="ink" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
        at.x - WIDE,
        at.y - HIGH,
        2.0 * WIDE,
        2.0 * HIGH,
        at.x,
        at.y + 4.0,
        escape(&short(name, NAME))
    );
}

/// Where a line from a node's middle towards a point leaves the node.
fn edge(node: Point, towards: Point) -> Point {
    let (dx, dy) = (towards.x - node.x, towards.y - node.y);
    let part = f64::min(WIDE / dx.abs().max(0.01), HIGH / dy.abs().max(0.01)).min(1.0);
    Point { x: node.x + dx * part, y: node.y + dy * part }
}

/// An arrow of the circle, bent outwards, with what is waited for beside it.
fn bent(text: &mut String, from: Point, to: Point, label: &str) {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length = dx.hypot(dy).max(1.0);
    let out = Point { x: dy / length, y: -dx / length };
    let middle = Point { x: f64::midpoint(from.x, to.x), y: f64::midpoint(from.y, to.y) };
    let bend = Point { x: middle.x + out.x * 56.0, y: middle.y + out.y * 56.0 };
    let (start, end) = (edge(from, bend), edge(to, bend));
    let _ = writeln!(
        text,
        r#"<path class="ring" marker-end="url(#ring-tip)" d="M{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}"/>"#,
        start.x, start.y, bend.x, bend.y, end.x, end.y
    );
    let anchor = match out.x {
        x if x > 0.3 => "start",
        x if x < -0.3 => "end",
        _ => "middle",
    };
    let below = if out.y > 0.3 { 14.0 } else { -4.0 };
    let _ = writeln!(
        text,
        r#"<text class="ink" x="{:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#,
        middle.x + out.x * 40.0,
        middle.y + out.y * 40.0 + below,
        escape(&short(label, 24))
    );
}

/// The arrow of a circle of one: over its node and back to it.
fn looped(text: &mut String, node: Point, label: &str) {
    let (from, to, y) = (node.x - 20.0, node.x + 20.0, node.y - HIGH);
    let _ = writeln!(
        text,
        r#"<path class="ring" marker-end="url(#ring-tip)" d="M{from:.1} {y:.1}C{from:.1} {high:.1} {to:.1} {high:.1} {to:.1} {y:.1}"/><text class="ink" x="{:.1}" y="{:.1}">{}</text>"#,
        to + 6.0,
        y - 24.0,
        escape(&short(label, 24)),
        high = y - 56.0,
    );
}

fn straight(text: &mut String, from: Point, to: Point, label: &str) {
    let (start, end) = (edge(from, to), edge(to, from));
    let _ = writeln!(
        text,
        r#"<path class="arrow" marker-end="url(#tip)" d="M{:.1} {:.1}L{:.1} {:.1}"/><text class="quiet" x="{:.1}" y="{:.1}" text-anchor="middle" font-size="11">{}</text>"#,
        start.x,
        start.y,
        end.x,
        end.y,
        start.x * 0.6 + end.x * 0.4,
        start.y * 0.6 + end.y * 0.4 - 6.0,
        escape(&short(label, 26))
    );
}
