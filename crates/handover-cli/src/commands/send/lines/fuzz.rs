//! What must hold for any bytes on stdin: the checks that fuzzing and the property tests below share.

use std::io::{self, Read};

use super::{Item, Limits, read};

const LIMITS: Limits = Limits { line_bytes_max: 100, lines_max: 7, bytes_max: 250 };

/// Takes bytes as lines that arrive in pieces: each line that is JSON comes out once, in order and with its number, up to
/// the first that is none.
///
/// # Panics
/// Where a promise of the reader is broken.
pub(crate) fn lines(bytes: &[u8]) {
    let piece = usize::from(bytes.first().copied().unwrap_or(1)).max(1);
    let items = read(Pieces { bytes: bytes.to_vec(), at: 0, piece }, LIMITS);
    let (mut lines, mut wrong) = (Vec::new(), None);
    while let Ok(item) = items.recv() {
        assert!(wrong.is_none(), "something came after the end");
        match item {
            Item::Lines(batch) => {
                let bytes: usize = batch.iter().map(|line| line.text.len()).sum();
                assert!((1..=LIMITS.lines_max).contains(&batch.len()) && bytes <= LIMITS.bytes_max);
                lines.extend(batch.into_iter().map(|line| (line.number, line.text)));
            }
            Item::Wrong(number, why) => {
                assert!((10..1000).contains(&why.len()) && !why.contains('\n'), "{why}");
                wrong = Some(number);
            }
            Item::Unreadable(error) => panic!("{error}"),
        }
    }
    let is_json = |line: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
    let mut expected = Vec::new();
    let mut expected_wrong = None;
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if line.len() > LIMITS.line_bytes_max
            || std::str::from_utf8(line).is_err()
            || !is_json(line)
        {
            expected_wrong = Some(number);
            break;
        }
        expected.push((number, line.to_vec()));
    }
    assert_eq!((lines, wrong), (expected, expected_wrong));
}

/// Input that arrives piece by piece.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let length = rest.len().min(self.piece).min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_lines_or_refused(bytes in any::<Vec<u8>>()) {
            lines(&bytes);
        }

        #[test]
        fn lines_of_json_come_whole_and_in_order(
            lines_of in proptest::collection::vec("( |\r|\\{\"a\":[0-9]{0,3}\\}|\"[a-zé]{0,60}\"|-?[0-9]{1,90}|null)", 0..30),
        ) {
            lines(lines_of.join("\n").as_bytes());
        }
    }
}
