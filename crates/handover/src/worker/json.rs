//! JSON text of what handlers return and report, up to a limit: a value that is far too large costs no more than the limit.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

/// Why a value has no JSON text.
#[derive(Debug)]
pub(super) enum Refused {
    /// It would be longer.
    TooLong { bytes_max: usize },
    /// JSON cannot say it, such as a map whose keys are no text.
    Unwritable(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes_max } => write!(f, "more than {bytes_max} bytes of JSON"),
            Self::Unwritable(why) => f.write_str(why),
        }
    }
}

/// The value as JSON text of at most so many bytes.
pub(super) fn within<T: Serialize + ?Sized>(
    value: &T,
    bytes_max: usize,
) -> Result<String, Refused> {
    let mut out = Bounded { bytes: Vec::new(), bytes_max };
    match serde_json::to_writer(&mut out, value) {
        Ok(()) => String::from_utf8(out.bytes).map_err(|e| Refused::Unwritable(e.to_string())),
        Err(error) if error.is_io() => Err(Refused::TooLong { bytes_max }),
        Err(error) => Err(Refused::Unwritable(error.to_string())),
    }
}

/// Takes so many bytes and then fails.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() > self.bytes_max - self.bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_value_that_fits_to_the_byte_is_written_and_one_byte_more_is_refused() {
        assert_eq!(within("abc", 5).unwrap(), "\"abc\"");
        assert_eq!(within("abc", 4).unwrap_err().to_string(), "more than 4 bytes of JSON");
        assert!(matches!(within(&(), 0), Err(Refused::TooLong { bytes_max: 0 })));
    }

    #[test]
    fn what_json_cannot_say_is_told_apart_from_what_is_too_long() {
        let no_text = BTreeMap::from([((1, 2), 3)]);
        assert!(matches!(within(&no_text, 100), Err(Refused::Unwritable(_))));
    }
}
