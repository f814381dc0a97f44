//! What must hold for any bytes in a file of results: the checks that fuzzing and the property tests below share.

use std::path::PathBuf;

use super::Shape;
use crate::caps::Durability;
use crate::error::ErrorKind;
use crate::id::JobId;
use crate::message::QueueName;
use crate::results::{FileResultsOptions, Put, Record, ResultStore, Status};

/// Takes bytes as a line, in both formats.
///
/// # Panics
/// Where a promise of the formats is broken.
pub fn line(bytes: &[u8]) {
    for shape in [Shape::Records, Shape::Objects] {
        let (record, head) = (shape.decode(bytes, "mail"), shape.head(bytes, "mail"));
        let _ = shape.may_be_torn(bytes);
        match (record, head) {
            (Ok(record), Ok(head)) => {
                assert_eq!(
                    (record.id, record.status, record.token),
                    (head.id, head.status, head.token)
                );
                there_and_back(shape, &record);
            }
            (Err(flaw), Err(same)) => assert_eq!(flaw, same),
            (record, head) => panic!("{shape:?}: {record:?} and {head:?} do not agree"),
        }
    }
    there_and_back(Shape::Records, &record(bytes));
    there_and_back(Shape::Objects, &record(bytes));
}

/// A record made of these bytes.
fn record(bytes: &[u8]) -> Record {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let number = bytes.iter().fold(7_u64, |sum, byte| sum.rotate_left(9) ^ u64::from(*byte));
    let status = if number.is_multiple_of(5) { Status::Failed } else { Status::Done };
    Record {
        id: JobId::from_bytes((u128::from(number) << 64 | 7).to_be_bytes()),
        queue: "mail".to_owned(),
        task: text.clone(),
        status,
        attempt: u32::try_from(number >> 32).unwrap_or(u32::MAX),
        token: number,
        output: (status == Status::Done).then(|| text.clone()),
        reason: (status == Status::Failed).then_some(text),
        at_ms: number,
        took_ms: !number,
    }
}

/// What is written is read again as it was, but for space around the tokens of JSON.
fn there_and_back(shape: Shape, record: &Record) {
    let Ok(Some(mut written)) = shape.encode(record) else { return };
    assert_eq!(written.pop(), Some(b'\n'));
    assert!(!written.contains(&b'\n') && !written.contains(&b'\r'));
    assert!(shape.may_be_torn(&written) && shape.may_be_torn(&written[..written.len() / 2]));
    let read = match shape.decode(&written, "mail") {
        Ok(read) => read,
        Err(flaw) => panic!("{flaw:?} in {}", String::from_utf8_lossy(&written)),
    };
    assert_eq!(read.id, record.id);
    match shape {
        Shape::Records => {
            let plain = |record: &Record| Record { output: plain(record), ..record.clone() };
            assert_eq!(plain(&read), plain(record));
        }
        // An object's own `id` has moved aside.
        Shape::Objects => {
            let again = shape.encode(&read).ok().flatten();
            assert_eq!(again.as_deref().map(<[u8]>::trim_ascii_end), Some(&written[..]));
        }
    }
}

/// The output with its JSON on one line; text that is no JSON as it is.
fn plain(record: &Record) -> Option<String> {
    record.output.as_ref().map(|output| {
        match serde_json::from_str::<&serde_json::value::RawValue>(output) {
            Ok(json) => json.get().replace(['\n', '\r'], " "),
            Err(_) => output.clone(),
        }
    })
}

/// Takes bytes as a whole file of results, in a folder or flat: it is read, or refused with its name and left as it was, and
/// what can be read can be appended to.
///
/// # Panics
/// Where a promise of the store is broken, or the system has no folder for temporary files.
pub fn file(bytes: &[u8]) {
    let (flat, bytes) = match bytes.split_first() {
        Some((first, rest)) => (first % 2 == 1, rest),
        None => (false, bytes),
    };
    let folder = Folder::new();
    let path = folder.0.join("mail.jsonl");
    std::fs::write(&path, bytes).expect("a temporary file");
    let options = if flat {
        FileResultsOptions::flat_file(&path)
    } else {
        FileResultsOptions::new(&folder.0)
    };
    let options = options.durability(Durability::Buffered);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let now = || std::fs::read(&path).expect("the file");
        let store = match options.clone().open() {
            Ok(store) => store,
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unsupported),
                    "{error}"
                );
                assert!(error.to_string().contains("mail.jsonl"), "{error}");
                assert!(now() == bytes, "what is not understood is not changed");
                return;
            }
        };
        // A torn last line is cut off, or gets its end; all else stays.
        assert!(bytes.starts_with(&now()) || now() == [bytes, b"\n"].concat());
        let queue = QueueName::new("mail").expect("a name");
        let mut new = Record::new(JobId::new(), &queue, Status::Done);
        new.output = Some("{\"n\":1}".to_owned());
        assert_eq!(
            store.put(std::slice::from_ref(&new)).await.expect("it can be written"),
            [Put::Stored]
        );
        let (listed, _) = store.list(&queue, 0, 1000).await.expect("it can be read");
        for record in &listed {
            let again = store.get(record.id).await.expect("it can be read");
            assert_eq!(again.as_ref(), Some(record));
        }
        drop(store);
        let again = options.open().expect("it was opened before");
        let found = again.get(new.id).await.expect("it can be read").expect("it was put");
        assert_eq!(found.output, new.output);
    });
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        // In memory, where the system has such a place: thousands of small files follow each other.
        let memory = PathBuf::from("/dev/shm");
        let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let folder = parent.join(format!("handover-fuzz-{}", JobId::new()));
        std::fs::create_dir(&folder).expect("a temporary folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A line of either format, with some of its bytes changed.
    fn line_like() -> impl Strategy<Value = Vec<u8>> {
        let output = prop_oneof![
            Just("{}".to_owned()),
            Just("{\"id\":1,\"id_\":2}".to_owned()),
            Just("{\"\\u0069d\":\"x\", \"a\" : [1 , 2.50]}".to_owned()),
            Just("null".to_owned()),
            Just("12345678901234567890.10".to_owned()),
            Just("{\n\r\"a\":1}".to_owned()),
            any::<String>(),
        ];
        let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
        (output, any::<bool>(), changes).prop_map(|(output, flat, changes)| {
            let mut record = record(output.as_bytes());
            (record.status, record.output) = (Status::Done, Some(output));
            let shape = if flat { Shape::Objects } else { Shape::Records };
            let mut line = shape.encode(&record).unwrap().unwrap_or_default();
            for (index, byte) in changes {
                if !line.is_empty() {
                    let at = index.index(line.len());
                    line[at] = byte;
                }
            }
            line
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_a_line_or_refused(bytes in any::<Vec<u8>>()) {
            line(&bytes);
        }

        #[test]
        fn what_is_like_a_line_is_one_or_refused(bytes in line_like()) {
            line(bytes.trim_ascii_end());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..ProptestConfig::default() })]

        #[test]
        fn any_lines_are_a_file_or_refused_and_left(first in 0_u8..2, lines in proptest::collection::vec(line_like(), 0..4), end in 0_usize..30) {
            let lines = lines.concat();
            file(&[&[first], &lines[..lines.len().saturating_sub(end)]].concat());
        }
    }
}
