//! The one error of handover: opaque, with a kind that is an action for the caller.
//!
//! What does not live here: how a broker's own errors map to a kind. Each broker does that in one function of its own.

use std::error::Error as StdError;
use std::fmt;

/// The result of a fallible operation of handover.
pub type Result<T> = std::result::Result<T, Error>;

/// What the caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Try again later: the place where queues live cannot be reached or is busy. The same value works again.
    Unavailable,
    /// The queue is full: wait longer, or shed. Nothing was stored.
    Full,
    /// Stop: another owner has the job, or it is settled. Nothing was changed.
    LeaseLost,
    /// Change the request or choose another broker: this one cannot do it. Nothing was stored.
    Unsupported,
    /// Fix the code or the input: this can never work.
    Invalid,
    /// The broker was closed by this process.
    Closed,
    /// Report it: handover or the file it keeps is broken.
    Internal,
}

impl ErrorKind {
    /// The kind as one lower-case word, as logs and `--json` print it.
    ///
    /// ```
    /// assert_eq!(handover::ErrorKind::LeaseLost.as_str(), "lease_lost");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Full => "full",
            Self::LeaseLost => "lease_lost",
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::Closed => "closed",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an operation failed: a [kind](ErrorKind) to act on, a sentence to read, facts to log, and the source.
///
/// `Display` is one line. `Debug` shows the chain of sources.
///
/// ```
/// use handover::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::Full, "the queue has no room").fact("queue", "mail").fact("capacity", 10);
/// assert_eq!(error.kind(), ErrorKind::Full);
/// assert!(error.is_temporary());
/// assert_eq!(error.to_string(), "the queue has no room (queue=mail, capacity=10)");
/// ```
// One pointer wide: an error travels through every `Result` of every hot path.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    operation: Option<&'static str>,
    broker: Option<String>,
    facts: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind. `message` says what happened and, where there is a choice, what to do.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            operation: None,
            broker: None,
            facts: Vec::new(),
            source: None,
        }))
    }

    /// Adds a fact: a name and the number or text behind the message.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.facts.push((name, value.to_string()));
        self
    }

    /// Says which operation failed, unless somebody nearer to it already has.
    #[must_use]
    pub fn operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Says which broker failed.
    #[must_use]
    pub fn broker(mut self, broker: impl Into<String>) -> Self {
        self.0.broker = Some(broker.into());
        self
    }

    /// Keeps the error underneath.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// True where the same value may work later: [`Unavailable`](ErrorKind::Unavailable) and [`Full`](ErrorKind::Full).
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::Full)
    }

    /// The operation that failed, such as `send`.
    #[must_use]
    pub fn operation_name(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The broker that failed, such as `sqlite`.
    #[must_use]
    pub fn broker_name(&self) -> Option<&str> {
        self.0.broker.as_deref()
    }

    /// The facts, in the order they were added.
    pub fn facts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.facts.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The same error once more, for each of several callers who waited for one commit. The source becomes text.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(Box::new(Inner {
            kind: self.0.kind,
            message: self.0.message.clone(),
            operation: self.0.operation,
            broker: self.0.broker.clone(),
            facts: self.0.facts.clone(),
            source: self.0.source.as_ref().map(|source| source.to_string().into()),
        }))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (index, (name, value)) in self.0.facts.iter().enumerate() {
            f.write_str(if index == 0 { " (" } else { ", " })?;
            write!(f, "{name}={value}")?;
        }
        if !self.0.facts.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.kind)?;
        if let Some(broker) = &self.0.broker {
            write!(f, " from {broker}")?;
        }
        if let Some(operation) = self.0.operation {
            write!(f, " in {operation}")?;
        }
        write!(f, ": {self}")?;
        let mut source = self.0.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(cause) = source {
            write!(f, "; caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn debug_shows_the_chain_of_sources() {
        let error = Error::new(ErrorKind::Unavailable, "cannot write")
            .operation("send")
            .broker("sqlite")
            .source(std::io::Error::other("disk on fire"));
        assert_eq!(
            format!("{error:?}"),
            "unavailable from sqlite in send: cannot write; caused by: disk on fire"
        );
        assert_eq!(format!("{:?}", error.duplicate()), format!("{error:?}"));
    }
}
