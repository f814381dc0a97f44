//! A picture as Chrome's trace events, for `chrome://tracing`, Perfetto and whatever else reads them.

use super::Picture;
use std::fmt::Write;

/// One JSON object: complete events for stretches, instants for marks, flows for arrows, counters for what holds a number. A step
/// is drawn as a millisecond.
#[must_use]
pub fn chrome(picture: &Picture) -> String {
    let scale = if picture.unit == "step" { 1000 } else { 1 };
    let mut events = Vec::new();
    for (id, lane) in picture.lanes.iter().enumerate() {
        let name = quoted(&lane.name);
        events.push(format!(
            r#"{{"ph":"M","name":"thread_name","pid":1,"tid":{id},"args":{{"name":{name}}}}}"#
        ));
        for segment in &lane.segments {
            let (from, length) = (segment.from * scale, (segment.to - segment.from) * scale);
            let name = quoted(segment.state.word());
            let about = quoted(&segment.about);
            events.push(format!(
                r#"{{"ph":"X","name":{name},"pid":1,"tid":{id},"ts":{from},"dur":{length},"args":{{"about":{about}}}}}"#
            ));
        }
        for mark in &lane.marks {
            let (at, name) = (mark.at * scale, quoted(&mark.text));
            events.push(format!(
                r#"{{"ph":"i","s":"t","name":{name},"pid":1,"tid":{id},"ts":{at}}}"#
            ));
        }
    }
    for (number, arrow) in picture.arrows.iter().enumerate() {
        let (at, name) = (arrow.at * scale, quoted(arrow.text));
        for (phase, lane) in [("s", arrow.from), ("f", arrow.to)] {
            events.push(format!(
                r#"{{"ph":"{phase}","bp":"e","cat":"arrow","id":{number},"name":{name},"pid":1,"tid":{lane},"ts":{at}}}"#
            ));
        }
    }
    for level in &picture.levels {
        let name = quoted(&level.name);
        for (at, value) in &level.changes {
            let Ok(value) = value.parse::<i64>() else { continue };
            let at = at * scale;
            events.push(format!(
                r#"{{"ph":"C","name":{name},"pid":1,"ts":{at},"args":{{"value":{value}}}}}"#
            ));
        }
    }
    format!("{{\"traceEvents\":[\n{}\n]}}\n", events.join(",\n"))
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
