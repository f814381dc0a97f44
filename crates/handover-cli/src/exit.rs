//! Exit codes: the one place that says which there are, and which kind of error ends with which.

use std::process::ExitCode;

use handover::ErrorKind;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It is done.
    Done,
    /// It failed, or the job did.
    Failed,
    /// It was asked for something that cannot be.
    Usage,
    /// The broker cannot be reached.
    Unavailable,
    /// There is no such queue, job, result or history.
    NothingFound,
    /// The input is not what it should be (`EX_DATAERR` of sysexits.h).
    BadData,
    /// The queue is full (`EX_TEMPFAIL` of sysexits.h).
    TryAgain,
}

/// The codes, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
   0  done
   1  failed
   2  wrong usage: change the command
   3  the broker is not available: try again later
   4  nothing found: no such queue, job, result or history
  65  bad input data
  75  try again later: the queue is full, or a crawl was stopped before its end";

impl Exit {
    /// The code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unavailable => 3,
            Self::NothingFound => 4,
            Self::BadData => 65,
            Self::TryAgain => 75,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::Full => Self::TryAgain,
            ErrorKind::Unsupported | ErrorKind::Invalid => Self::Usage,
            // LeaseLost, Closed, Internal, and what later versions add.
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_help() {
        use Exit::{BadData, Done, Failed, NothingFound, TryAgain, Unavailable, Usage};
        for exit in [Done, Failed, Usage, Unavailable, NothingFound, BadData, TryAgain] {
            assert!(HELP.contains(&format!("{:>4}  ", exit.code())), "{exit:?}");
        }
    }
}
