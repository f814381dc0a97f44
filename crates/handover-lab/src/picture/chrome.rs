//! A picture as Chrome's trace events, for `chrome://tracing`, Perfetto and whatever else reads them.

use super::{Picture, Subject};
use serde_json::json;

/// One JSON object: complete events for stretches, instants for marks, flows for arrows, counters for what holds a number. A step
/// is drawn as a millisecond.
#[must_use]
pub fn chrome(picture: &Picture) -> String {
    let scale = if picture.unit == "step" { 1000 } else { 1 };
    let mut events = Vec::new();
    for (id, lane) in picture.lanes.iter().enumerate() {
        events.push(json!({
            "ph": "M", "name": "thread_name", "pid": 1, "tid": id, "args": { "name": lane.name },
        }));
        for segment in &lane.segments {
            let word = picture.subject.word(segment.state, segment.is_holding());
            // Which job it is tells more than that there is one.
            let whose = picture.subject == Subject::Jobs && !segment.about.is_empty();
            events.push(json!({
                "ph": "X", "name": if whose { segment.about.as_str() } else { word }, "cat": word,
                "pid": 1, "tid": id, "ts": segment.from * scale, "dur": segment.length() * scale,
                "args": { "state": word, "about": segment.about, "holds": segment.holds },
            }));
        }
        for mark in &lane.marks {
            events.push(json!({
                "ph": "i", "s": "t", "name": mark.text, "pid": 1, "tid": id, "ts": mark.at * scale,
            }));
        }
    }
    for (number, arrow) in picture.arrows.iter().enumerate() {
        for (phase, lane, at) in [("s", arrow.from, arrow.since), ("f", arrow.to, arrow.at)] {
            events.push(json!({
                "ph": phase, "bp": "e", "cat": "arrow", "id": number, "name": arrow.text, "pid": 1,
                "tid": lane, "ts": at * scale,
            }));
        }
    }
    for level in &picture.levels {
        let numbers =
            level.changes.iter().filter_map(|(at, value)| Some((at, value.parse::<i64>().ok()?)));
        for (at, value) in numbers.chain(
            level.counts.iter().map(|(at, count)| (at, i64::try_from(*count).unwrap_or(i64::MAX))),
        ) {
            events.push(json!({
                "ph": "C", "name": level.name, "pid": 1, "ts": at * scale, "args": { "value": value },
            }));
        }
    }
    format!("{}\n", json!({ "traceEvents": events }))
}
