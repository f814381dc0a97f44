//! A picture as Chrome's trace events, for `chrome://tracing`, Perfetto and whatever else reads them.

use super::Picture;
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
            events.push(json!({
                "ph": "X", "name": segment.state.word(), "pid": 1, "tid": id, "ts": segment.from * scale,
                "dur": (segment.to - segment.from) * scale, "args": { "about": segment.about },
            }));
        }
        for mark in &lane.marks {
            events.push(json!({
                "ph": "i", "s": "t", "name": mark.text, "pid": 1, "tid": id, "ts": mark.at * scale,
            }));
        }
    }
    for (number, arrow) in picture.arrows.iter().enumerate() {
        for (phase, lane) in [("s", arrow.from), ("f", arrow.to)] {
            events.push(json!({
                "ph": phase, "bp": "e", "cat": "arrow", "id": number, "name": arrow.text, "pid": 1,
                "tid": lane, "ts": arrow.at * scale,
            }));
        }
    }
    for level in &picture.levels {
        for (at, value) in &level.changes {
            let Ok(value) = value.parse::<i64>() else { continue };
            events.push(json!({
                "ph": "C", "name": level.name, "pid": 1, "ts": at * scale, "args": { "value": value },
            }));
        }
    }
    format!("{}\n", json!({ "traceEvents": events }))
}
