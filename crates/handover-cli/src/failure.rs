//! Why a command did not do what it was asked: an exit code, one line for a person, and a hint where there is a choice.

use std::error::Error as StdError;
use std::io;

use handover::Error;

use crate::exit::Exit;

/// The end of a command that went wrong.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// `None` where there is nobody to read it: the other end of stdout is gone.
    pub(crate) message: Option<String>,
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: Some(message.into()), hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn nothing_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NothingFound, message)
    }

    /// Something that the system refused.
    pub(crate) fn io(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Self::new(Exit::Failed, format!("{what}: {error}"))
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, and what had been done by then.
    pub(crate) fn after(mut self, done: &str) -> Self {
        if let Some(message) = &mut self.message {
            message.push_str("; ");
            message.push_str(done);
        }
        self
    }
}

/// The operation in the error of a line that could not be printed.
pub(crate) const PRINT: &str = "print";

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if is_closed_stdout(&error) {
            return Self { exit: Exit::Done, message: None, hint: None };
        }
        let mut message = error.to_string();
        let mut source = StdError::source(&error);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !message.contains(&cause_text) {
                message.push_str(": ");
                message.push_str(&cause_text);
            }
            source = cause.source();
        }
        let exit = if error.operation_name() == Some(PRINT) {
            Exit::Failed
        } else {
            Exit::from(error.kind())
        };
        Self::new(exit, message)
    }
}

/// A line that was printed, or that nobody wants to read any more: for commands whose exit code says more than the line.
pub(crate) fn unless_closed(printed: handover::Result<()>) -> handover::Result<()> {
    printed.or_else(|error| if is_closed_stdout(&error) { Ok(()) } else { Err(error) })
}

/// Whoever read stdout has read enough, as `head` does: no failure of ours.
pub(crate) fn is_closed_stdout(error: &Error) -> bool {
    error.operation_name() == Some(PRINT)
        && StdError::source(error)
            .and_then(|source| source.downcast_ref::<io::Error>())
            .is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use handover::ErrorKind;

    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes_once_each() {
        let error = Error::new(ErrorKind::Unavailable, "the disk is away: gone")
            .source(io::Error::other("gone"));
        assert_eq!(Failure::from(error).message.unwrap(), "the disk is away: gone");
        let error = Error::new(ErrorKind::Invalid, "wrong").source(io::Error::other("because"));
        let failure = Failure::from(error);
        assert_eq!(failure.message.unwrap(), "wrong: because");
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn a_reader_of_stdout_that_has_enough_is_no_failure() {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        let print = Error::new(ErrorKind::Unavailable, "no").operation(PRINT).source(closed());
        assert_eq!(Failure::from(print).exit, Exit::Done);
        let full = Error::new(ErrorKind::Unavailable, "no")
            .operation(PRINT)
            .source(io::Error::other("disk full"));
        assert_eq!(Failure::from(full).exit, Exit::Failed, "the broker is there");
        let other = Error::new(ErrorKind::Unavailable, "no").source(closed());
        assert_eq!(Failure::from(other).exit, Exit::Unavailable);
    }
}
