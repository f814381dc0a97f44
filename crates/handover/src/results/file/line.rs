//! One line of a results file: how a record is written and read. Both shapes of file are here.
//!
//! What does not live here: where the lines are, and which of them speak.
//!
//! In a folder, a line is a complete record. `v` comes first and is the version of this format; a reader refuses a higher
//! one. `output` is the task's JSON as it is; what is not JSON stands as text in `output_text`.
//!
//! ```json
//! {"v":1,"id":"0197…","queue":"mail","task":"deliver","status":"done","attempt":1,"token":7,"at_ms":0,"took_ms":3,"output":{"sent":true}}
//! ```
//!
//! In a flat file, a line is the object that the task returned, with the job's id put first.
//!
//! To change the first format: raise `VERSION`, write the new shape, and keep reading every older one.

#[cfg(any(test, fuzzing))]
pub mod fuzz;

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::error::{self, Error, ErrorKind};
use crate::id::JobId;
use crate::results::{Record, Status};

/// The version of the lines in a folder that this code writes.
const VERSION: u32 = 1;

/// The longest line, in bytes. It bounds what is read into memory from a file that is none of ours.
pub(super) const LINE_BYTES_MAX: u64 = 1 << 30;

/// Which of the two formats a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Complete records.
    Records,
    /// Bare objects.
    Objects,
}

/// Why a line cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is no line of ours, or no longer.
    Damaged(String),
    /// A newer handover wrote it, in this version of the format.
    Newer(u32),
}

/// What the index needs of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: JobId,
    pub(super) status: Status,
    pub(super) token: u64,
}

impl Shape {
    /// The record as a line with its end; `None` for a record that files of this shape do not hold.
    pub(super) fn encode(self, record: &Record) -> error::Result<Option<Vec<u8>>> {
        if !record.status.is_outcome() {
            return Ok(None);
        }
        let text = match self {
            Self::Records => Some(encode_record(record).map_err(cannot_write)?),
            Self::Objects => encode_object(record).map_err(cannot_write)?,
        };
        let Some(mut line) = text else { return Ok(None) };
        // JSON has line ends between its tokens only: in a string they are escaped.
        for byte in &mut line {
            if matches!(*byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        line.push(b'\n');
        if line.len() as u64 > LINE_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a record is too long for a line; store its output elsewhere and return its address",
            )
            .fact("job", record.id)
            .fact("line_bytes", line.len())
            .fact("line_bytes_max", LINE_BYTES_MAX));
        }
        Ok(Some(line))
    }

    /// The record in a line, without its end. `queue` is the queue whose file it is.
    pub(super) fn decode(self, line: &[u8], queue: &str) -> Result<Record, Flaw> {
        match self {
            Self::Records => Ok(Line::parse(line, queue)?.into_record()),
            Self::Objects => decode_object(line),
        }
    }

    /// Whose outcome the line is, with the same checks as [`decode`](Self::decode).
    pub(super) fn head(self, line: &[u8], queue: &str) -> Result<Head, Flaw> {
        match self {
            Self::Records => {
                let line = Line::parse(line, queue)?;
                Ok(Head { id: line.id, status: line.status, token: line.token })
            }
            Self::Objects => Ok(Head { id: parse_object(line)?.0, status: Status::Done, token: 0 }),
        }
    }

    /// Whether this is how a line of ours begins, or what a crash leaves of one. A file of somebody else's that was named
    /// by mistake must not be cut.
    pub(super) fn may_be_torn(self, tail: &[u8]) -> bool {
        let start: &[u8] = match self {
            Self::Records => br#"{"v":"#,
            Self::Objects => br#"{"id":""#,
        };
        // A file that was made longer before its bytes arrived reads as zeros.
        let written = tail.split(|byte| *byte == 0).next().unwrap_or_default();
        written.starts_with(start) || start.starts_with(written)
    }
}

fn cannot_write(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, "a record cannot be written as JSON").source(error)
}

fn damaged(why: impl ToString) -> Flaw {
    Flaw::Damaged(why.to_string())
}

fn text(line: &[u8]) -> Result<&str, Flaw> {
    std::str::from_utf8(line).map_err(damaged)
}

/// A record as it stands in a file.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    v: u32,
    id: JobId,
    #[serde(borrow)]
    queue: Cow<'a, str>,
    #[serde(borrow)]
    task: Cow<'a, str>,
    status: Status,
    attempt: u32,
    token: u64,
    at_ms: u64,
    took_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(
        borrow,
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    output: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_text: Option<Cow<'a, str>>,
}

/// The output `null` is an output. Without this, serde would take it for none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8], queue: &str) -> Result<Self, Flaw> {
        let text = text(line)?;
        let parsed =
            serde_json::from_str::<Self>(text).map_err(|error| {
                match serde_json::from_str::<Version>(text) {
                    Ok(Version { v }) if v > VERSION => Flaw::Newer(v),
                    _ => damaged(error),
                }
            })?;
        if parsed.v > VERSION {
            return Err(Flaw::Newer(parsed.v));
        }
        if parsed.queue != queue {
            return Err(damaged(format!("the line is of the queue {:?}", parsed.queue)));
        }
        if !parsed.status.is_outcome() {
            return Err(damaged("progress is not kept in files"));
        }
        Ok(parsed)
    }

    fn into_record(self) -> Record {
        Record {
            id: self.id,
            queue: self.queue.into_owned(),
            task: self.task.into_owned(),
            status: self.status,
            attempt: self.attempt,
            token: self.token,
            output: match (self.output, self.output_text) {
                (Some(json), _) => Some(json.get().to_owned()),
                (None, text) => text.map(Cow::into_owned),
            },
            reason: self.reason.map(Cow::into_owned),
            at_ms: self.at_ms,
            took_ms: self.took_ms,
        }
    }
}

fn encode_record(record: &Record) -> serde_json::Result<Vec<u8>> {
    let text = record.output.as_deref();
    let json = text.and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    serde_json::to_vec(&Line {
        v: VERSION,
        id: record.id,
        queue: record.queue.as_str().into(),
        task: record.task.as_str().into(),
        status: record.status,
        attempt: record.attempt,
        token: record.token,
        at_ms: record.at_ms,
        took_ms: record.took_ms,
        reason: record.reason.as_deref().map(Cow::from),
        output: json,
        output_text: text.filter(|_| json.is_none()).map(Cow::from),
    })
}

/// The fields of a JSON object in their order, each value as the text it is: numbers keep every digit.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push((Cow::Owned(name), value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl Fields<'_> {
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        out.push(b'{');
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            serde_json::to_writer(&mut *out, name)?;
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
        out.push(b'}');
        Ok(())
    }
}

fn encode_object(record: &Record) -> serde_json::Result<Option<Vec<u8>>> {
    let output = record.output.as_deref().filter(|_| record.status == Status::Done);
    let Some(Ok(mut fields)) = output.map(serde_json::from_str::<Fields<'_>>) else {
        return Ok(None);
    };
    // The object's own `id` moves aside to the first of `id_`, `id__`, … that is free: two fields of one name are no JSON
    // that readers agree on.
    let mut aside = "id".to_owned();
    while fields.0.iter().any(|(name, _)| *name == aside) {
        aside.push('_');
    }
    for (name, _) in fields.0.iter_mut().filter(|(name, _)| name == "id") {
        *name = Cow::Owned(aside.clone());
    }
    let id = serde_json::value::to_raw_value(&record.id)?;
    fields.0.insert(0, ("id".into(), &id));
    let mut line = Vec::with_capacity(record.output.as_ref().map_or(0, String::len) + 64);
    fields.write(&mut line)?;
    Ok(Some(line))
}

fn parse_object(line: &[u8]) -> Result<(JobId, Fields<'_>), Flaw> {
    let Fields(mut fields) = serde_json::from_str(text(line)?).map_err(damaged)?;
    let place = fields.iter().position(|(name, _)| name == "id");
    let (_, id) = fields.remove(place.ok_or_else(|| damaged("the line has no id"))?);
    Ok((serde_json::from_str(id.get()).map_err(damaged)?, Fields(fields)))
}

fn decode_object(line: &[u8]) -> Result<Record, Flaw> {
    let (id, fields) = parse_object(line)?;
    let mut output = Vec::with_capacity(line.len());
    fields.write(&mut output).map_err(damaged)?;
    Ok(Record {
        id,
        queue: String::new(),
        task: String::new(),
        status: Status::Done,
        attempt: 0,
        token: 0,
        output: Some(String::from_utf8(output).map_err(damaged)?),
        reason: None,
        at_ms: 0,
        took_ms: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::QueueName;

    fn done(output: &str) -> Record {
        let mut record =
            Record::new(JobId::from_bytes([7; 16]), &QueueName::new("mail").unwrap(), Status::Done);
        record.output = Some(output.to_owned());
        record
    }

    fn line(shape: Shape, record: &Record) -> String {
        let mut line = String::from_utf8(shape.encode(record).unwrap().unwrap()).unwrap();
        assert_eq!(line.pop(), Some('\n'));
        assert!(!line.contains('\n'), "{line}");
        line
    }

    fn there_and_back(shape: Shape, output: &str) -> Option<String> {
        let line = line(shape, &done(output));
        let record = shape.decode(line.as_bytes(), "mail").unwrap();
        let head = shape.head(line.as_bytes(), "mail").unwrap();
        assert_eq!((head.id, head.status), (record.id, Status::Done));
        record.output
    }

    #[test]
    fn an_output_that_is_json_stands_in_the_line_as_it_is() {
        let record =
            Record { token: 3, reason: Some("a\nb".into()), ..done(r#"{"b":1,"a":1.10}"#) };
        assert_eq!(
            line(Shape::Records, &record),
            r#"{"v":1,"id":"07070707-0707-0707-0707-070707070707","queue":"mail","task":"","status":"done","attempt":0,"#
                .to_owned()
                + r#""token":3,"at_ms":0,"took_ms":0,"reason":"a\nb","output":{"b":1,"a":1.10}}"#
        );
    }

    #[test]
    fn every_output_comes_back_byte_for_byte_but_for_space_around_its_tokens() {
        for output in
            ["null", "\"\"", "\"a\\nb\\u00e9\"", "12345678901234567890.10", "[1, 2]", "{}"]
        {
            assert_eq!(there_and_back(Shape::Records, output).as_deref(), Some(output));
        }
        for no_json in ["", "plain", "{", "a\r\nb", "1 2", "\"open", "NaN"] {
            assert_eq!(there_and_back(Shape::Records, no_json).as_deref(), Some(no_json));
        }
        assert_eq!(
            there_and_back(Shape::Records, "{\n \"a\": 1\n}").as_deref(),
            Some("{  \"a\": 1 }")
        );
    }

    #[test]
    fn a_record_comes_back_whole() {
        let mut record = done("1");
        record.task = "deliver \"now\"".into();
        (record.attempt, record.token, record.at_ms, record.took_ms) = (2, u64::MAX, 3, 4);
        record.status = Status::Failed;
        (record.output, record.reason) = (None, Some("no such \u{1F4EE}".into()));
        let line = line(Shape::Records, &record);
        assert_eq!(Shape::Records.decode(line.as_bytes(), "mail").unwrap(), record);
    }

    #[test]
    fn an_object_has_the_id_first_and_its_own_id_moves_aside() {
        assert_eq!(
            line(Shape::Objects, &done(r#"{"url":"x","id":5,"id_":6,"n":1.0}"#)),
            r#"{"id":"07070707-0707-0707-0707-070707070707","url":"x","id__":5,"id_":6,"n":1.0}"#
        );
        assert_eq!(
            there_and_back(Shape::Objects, r#"{"b":[1,  2],"a":null}"#).unwrap(),
            r#"{"b":[1,  2],"a":null}"#
        );
        assert_eq!(there_and_back(Shape::Objects, "{}").unwrap(), "{}");
    }

    #[test]
    fn a_flat_file_takes_objects_of_done_jobs_only_and_no_file_takes_progress() {
        for output in ["1", "[]", "null", "no json"] {
            assert_eq!(Shape::Objects.encode(&done(output)).unwrap(), None);
        }
        assert_eq!(Shape::Objects.encode(&Record { output: None, ..done("") }).unwrap(), None);
        let failed = Record { status: Status::Failed, ..done("{}") };
        assert_eq!(Shape::Objects.encode(&failed).unwrap(), None);
        let running = Record { status: Status::Running, ..done("{}") };
        assert_eq!(Shape::Records.encode(&running).unwrap(), None);
    }

    #[test]
    fn a_line_of_a_newer_version_or_another_queue_is_told_apart_from_damage() {
        let newer = br#"{"v":2,"id":"x","more":{}}"#;
        assert_eq!(Shape::Records.decode(newer, "mail").unwrap_err(), Flaw::Newer(2));
        let line = line(Shape::Records, &done("1"));
        assert!(matches!(Shape::Records.head(line.as_bytes(), "other"), Err(Flaw::Damaged(_))));
        assert!(matches!(
            Shape::Records.head(&line.as_bytes()[1..], "mail"),
            Err(Flaw::Damaged(_))
        ));
        assert!(matches!(Shape::Records.head(b"\xff", "mail"), Err(Flaw::Damaged(_))));
    }

    #[test]
    fn only_what_begins_like_a_line_of_ours_may_be_cut() {
        let ours = line(Shape::Objects, &done("{}"));
        for end in 0..ours.len() {
            assert!(Shape::Objects.may_be_torn(&ours.as_bytes()[..end]));
        }
        assert!(Shape::Objects.may_be_torn(b"\0\0\0"));
        assert!(Shape::Objects.may_be_torn(b"{\"id\":\"01\0\0"));
        for other in [&b"hello"[..], b"{\"url\"", b"\0\0x\0".split_at(2).1, b"[1]"] {
            assert!(!Shape::Objects.may_be_torn(other), "{other:?}");
        }
    }
}
