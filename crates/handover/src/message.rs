//! What a producer hands in: a queue's name, and messages of bytes plus headers. Also the limits every broker shares.
//!
//! What a message means (a task and its arguments) is the envelope's business, in `task.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;

/// The name of a queue: 1 to 80 ASCII letters, digits, `-`, `_` and `.`, the first one a letter or digit.
///
/// The shape is the intersection of what files, Redis keys, SQL and Amazon SQS accept, so that a queue can move.
///
/// ```
/// use handover::QueueName;
/// assert!("mail".parse::<QueueName>().is_ok());
/// assert!("no spaces".parse::<QueueName>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// The longest name, in bytes.
    pub const LENGTH_MAX: usize = 80;

    /// A queue's name, checked.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) where the name is empty, too long, or has another character.
    pub fn new(name: impl AsRef<str>) -> Result<Self> {
        let name = name.as_ref();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !first || name.len() > Self::LENGTH_MAX || !name.bytes().all(allowed) {
            return Err(Error::invalid(format!(
                "{:?} cannot be a queue's name: use 1 to {} letters, digits, '-', '_' or '.', a letter or digit first",
                name.chars().take(100).collect::<String>(),
                Self::LENGTH_MAX
            )));
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for QueueName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

/// How urgent a message is: 0 to 9, higher goes first, 5 where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// The most urgent.
    pub const MAX: Self = Self(9);
    /// The least urgent.
    pub const MIN: Self = Self(0);

    /// A priority, checked.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) above 9.
    pub fn new(level: u8) -> Result<Self> {
        if level > Self::MAX.0 {
            return Err(Error::invalid("a priority is a number from 0 to 9, higher goes first")
                .fact("priority", level));
        }
        Ok(Self(level))
    }

    /// The level, 0 to 9.
    #[must_use]
    pub fn level(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

/// The headers of a message: a few short texts by name. What is large belongs in the body.
pub type Headers = BTreeMap<String, String>;

/// What a broker stores: bytes plus headers, an id chosen by the sender, and when and in what order it may be taken.
///
/// ```
/// use std::time::Duration;
/// use handover::{Message, Priority};
/// let message = Message::new(b"hello".to_vec())
///     .with_header("task", "greet")
///     .with_key("customer-7")
///     .with_delay(Duration::from_secs(5))
///     .with_priority(Priority::MAX);
/// assert!(message.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The id. Sending the same id twice is one job where the broker's `Caps::dedup` says so.
    pub id: JobId,
    /// Short texts by name, at most [`HEADERS_MAX`](Self::HEADERS_MAX) and [`HEADER_BYTES_MAX`](Self::HEADER_BYTES_MAX).
    pub headers: Headers,
    /// Any bytes, returned as they were sent. At most `Caps::body_bytes_max`.
    pub body: Vec<u8>,
    /// Higher goes first. First in, first out within a priority.
    pub priority: Priority,
    /// How long to wait before it may be taken, from the moment it is sent.
    pub delay: Duration,
    /// Messages with the same key in the same queue are taken one at a time and in the order they were sent.
    pub key: Option<String>,
}

impl Message {
    /// The most headers a message may have.
    pub const HEADERS_MAX: usize = 32;
    /// The most bytes the names and values of all headers may have together.
    pub const HEADER_BYTES_MAX: usize = 8 * 1024;
    /// The longest key, in bytes.
    pub const KEY_BYTES_MAX: usize = 255;

    /// A message with a new id and this body.
    #[must_use]
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self {
            id: JobId::new(),
            headers: Headers::new(),
            body: body.into(),
            priority: Priority::default(),
            delay: Duration::ZERO,
            key: None,
        }
    }

    /// The same with this id.
    #[must_use]
    pub fn with_id(mut self, id: JobId) -> Self {
        self.id = id;
        self
    }

    /// The same with one header more.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// The same with this priority.
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// The same, not to be taken before `delay` has passed.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same with this key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Checks the limits that every broker shares. A broker calls it before it stores anything.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for too many or too long headers, or an empty or too long key.
    pub fn check(&self) -> Result<()> {
        let header_bytes: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if self.headers.len() > Self::HEADERS_MAX || header_bytes > Self::HEADER_BYTES_MAX {
            return Err(Error::invalid(
                "a message has too many or too long headers; put what is large into the body",
            )
            .fact("headers", self.headers.len())
            .fact("headers_max", Self::HEADERS_MAX)
            .fact("header_bytes", header_bytes)
            .fact("header_bytes_max", Self::HEADER_BYTES_MAX));
        }
        match &self.key {
            Some(key) if key.is_empty() || key.len() > Self::KEY_BYTES_MAX => {
                Err(Error::new(ErrorKind::Invalid, "a key has 1 to 255 bytes; hash what is longer")
                    .fact("key_bytes", key.len()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_name_has_only_letters_digits_and_three_marks() {
        for good in ["a", "0", "mail", "mail.eu-1_x", &"q".repeat(80)] {
            assert!(QueueName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "a b", "a/b", "ä", "a\0", "a\n", "a'b", &"q".repeat(81)] {
            let error = QueueName::new(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{bad}");
            assert!(error.to_string().contains("1 to 80"), "{error}");
        }
    }

    #[test]
    fn what_is_over_a_limit_is_invalid_and_names_both_numbers() {
        assert!(Priority::new(10).unwrap_err().to_string().contains("priority=10"));
        let long = Message::new("").with_header("h", "x".repeat(Message::HEADER_BYTES_MAX));
        assert!(long.check().unwrap_err().to_string().contains("header_bytes_max=8192"));
        assert_eq!(Message::new("").with_key("").check().unwrap_err().kind(), ErrorKind::Invalid);
    }
}
