//! Lines of JSON, read on a thread of their own: whatever has arrived is a batch, so that a slow producer's line is sent at
//! once and a fast producer's lines are sent together. Nothing waits for a batch to fill.
//!
//! Everything has a limit: a line, a batch, and the batches on their way (one read ahead while one is sent).

#[cfg(any(test, fuzzing))]
#[path = "lines/fuzz.rs"] // said, because the fuzz targets take this file in by its path
pub(crate) mod fuzz;

use std::io::{self, BufRead, BufReader, Read};
use std::thread;

use handover_buffer::{Receiver, SendError, Sender, bounded};

/// What one system call reads at most.
const READ_BYTES: usize = 256 * 1024;
/// Batches read ahead.
const AHEAD: usize = 1;

/// The limits of what is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Of a line.
    pub(super) line_bytes_max: usize,
    /// Of a batch.
    pub(super) lines_max: usize,
    /// Of a batch.
    pub(super) bytes_max: usize,
}

/// A line that is JSON, without the space around it. Numbers begin with 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) text: Vec<u8>,
}

/// What the reader hands over. After anything but lines comes nothing more.
#[derive(Debug)]
pub(super) enum Item {
    Lines(Vec<Line>),
    /// A line that cannot be a job, and why.
    Wrong(u64, String),
    Unreadable(io::Error),
}

/// Starts to read. The buffer closes at the end of the input.
pub(super) fn read(input: impl Read + Send + 'static, limits: Limits) -> Receiver<Item> {
    let (items_in, items) = bounded(AHEAD);
    thread::spawn(move || {
        let reader = Reader {
            limits,
            items: items_in,
            number: 1,
            part: Vec::new(),
            batch: Vec::new(),
            bytes: 0,
        };
        // Nobody listens any more: then there is nothing left to do.
        _ = reader.run(BufReader::with_capacity(READ_BYTES, input));
    });
    items
}

struct Reader {
    limits: Limits,
    items: Sender<Item>,
    /// Of the line that is read.
    number: u64,
    /// What has come of it.
    part: Vec<u8>,
    batch: Vec<Line>,
    /// Of the lines in the batch.
    bytes: usize,
}

type Sent = Result<(), SendError<Item>>;

impl Reader {
    fn run(mut self, mut input: impl BufRead) -> Sent {
        loop {
            let arrived = match input.fill_buf() {
                Ok(arrived) => arrived,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return self.items.send(Item::Unreadable(error)),
            };
            let length = arrived.len();
            if length == 0 {
                return match self.end_line() {
                    Ok(()) => self.flush(),
                    Err(why) => self.wrong(why),
                };
            }
            for piece in arrived.split_inclusive(|&byte| byte == b'\n') {
                let (text, ends) =
                    piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
                if let Err(why) = self.take(text, ends) {
                    return self.wrong(why);
                }
                if self.batch.len() >= self.limits.lines_max {
                    self.flush()?;
                }
            }
            input.consume(length);
            self.flush()?;
        }
    }

    /// Adds text to the line, and the line to the batch where it ends.
    fn take(&mut self, text: &[u8], ends: bool) -> Result<(), String> {
        self.part.extend_from_slice(text);
        // The space around a line does not count, but it must not be endless either.
        if self.part.len() > self.limits.line_bytes_max.saturating_add(READ_BYTES) {
            return Err(self.too_long());
        }
        if ends { self.end_line() } else { Ok(()) }
    }

    fn end_line(&mut self) -> Result<(), String> {
        let line = self.part.trim_ascii();
        if line.len() > self.limits.line_bytes_max {
            return Err(self.too_long());
        }
        if !line.is_empty() {
            let text = check(line)?;
            if self.bytes + text.len() > self.limits.bytes_max {
                // A failure here means that nobody listens, which the next flush finds out.
                _ = self.flush();
            }
            self.bytes += text.len();
            self.batch.push(Line { number: self.number, text });
        }
        self.part.clear();
        self.number += 1;
        Ok(())
    }

    fn too_long(&self) -> String {
        format!("it is longer than the {} bytes a job may have", self.limits.line_bytes_max)
    }

    fn flush(&mut self) -> Sent {
        self.bytes = 0;
        if self.batch.is_empty() {
            return Ok(());
        }
        self.items.send(Item::Lines(std::mem::take(&mut self.batch)))
    }

    fn wrong(&mut self, why: String) -> Sent {
        self.flush()?;
        self.items.send(Item::Wrong(self.number, why))
    }
}

/// The text, if it is JSON, without the space around it.
pub(super) fn check(text: &[u8]) -> Result<Vec<u8>, String> {
    let text =
        std::str::from_utf8(text).map_err(|error| format!("it is no UTF-8: {error}"))?.trim();
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(text.as_bytes().to_vec()),
        // The error names line 1 of what was parsed, which is not the line a person counts.
        Err(error) => {
            let shown = crate::table::cut(&crate::table::tame(text), 60);
            Err(format!("it is no JSON at column {}: {shown}", error.column()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { line_bytes_max: 10, lines_max: 3, bytes_max: 20 };

    fn items(input: &str) -> Vec<Item> {
        let items = read(io::Cursor::new(input.to_owned()), LIMITS);
        std::iter::from_fn(|| items.recv().ok()).collect()
    }

    fn shape(input: &str) -> Vec<String> {
        let lines = |lines: &[Line]| {
            let texts = lines
                .iter()
                .map(|line| format!("{}:{}", line.number, String::from_utf8_lossy(&line.text)));
            texts.collect::<Vec<_>>().join(" ")
        };
        items(input)
            .iter()
            .map(|item| match item {
                Item::Lines(batch) => lines(batch),
                Item::Wrong(number, why) => format!("wrong {number}: {why}"),
                Item::Unreadable(error) => error.to_string(),
            })
            .collect()
    }

    #[test]
    fn lines_come_in_batches_and_keep_their_numbers() {
        assert_eq!(shape("1\n2\n\n  4 \r\n5"), ["1:1 2:2 4:4", "5:5"]);
        assert!(shape("").is_empty() && shape("\n \n").is_empty());
    }

    #[test]
    fn a_batch_has_a_limit_in_bytes() {
        assert_eq!(
            shape("\"1234567\"\n\"1234567\"\n\"12345\"\n"),
            ["1:\"1234567\" 2:\"1234567\"", "3:\"12345\""]
        );
    }

    #[test]
    fn a_wrong_line_ends_it_after_those_before_it() {
        let shapes = shape("1\n{\"a\n3\n");
        assert_eq!(shapes.len(), 2);
        assert_eq!(shapes[0], "1:1");
        assert!(shapes[1].starts_with("wrong 2: it is no JSON at column 3"), "{shapes:?}");
    }

    #[test]
    fn a_line_that_is_too_long_is_not_read_to_its_end() {
        assert_eq!(
            shape("12345678901\n")[0],
            "wrong 1: it is longer than the 10 bytes a job may have"
        );
        let endless = read(io::repeat(b'7'), LIMITS);
        assert!(matches!(endless.recv(), Ok(Item::Wrong(1, _))));
    }

    #[test]
    fn bytes_that_are_no_text_are_no_json() {
        assert!(check(b"\"\xff\"").unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn what_arrives_is_handed_on_before_more_arrives() {
        let (reader, mut writer) = io::pipe().unwrap();
        let items = read(reader, LIMITS);
        for number in 1..=3 {
            io::Write::write_all(&mut writer, format!("{number}\n").as_bytes()).unwrap();
            let Ok(Item::Lines(lines)) = items.recv() else { panic!("no line") };
            assert_eq!(lines, [Line { number, text: number.to_string().into_bytes() }]);
        }
        drop(writer);
        assert!(items.recv().is_err());
    }
}
