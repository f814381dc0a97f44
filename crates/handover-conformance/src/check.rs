//! The checks of the cases: each is one expectation in words, and fails at the line of the case.

use std::fmt::{Debug, Display};
use std::time::Duration;

use handover::{Error, ErrorKind};

use crate::case::{Outcome, Stop};

/// What "at once" and "woken" mean where machines are slow: far above what any broker needs, far below every wait that
/// would end by itself.
pub(crate) const SOON: Duration = Duration::from_secs(8);

/// Two values are the same.
#[track_caller]
pub(crate) fn same<T: PartialEq<U> + Debug, U: Debug>(
    what: impl Display,
    got: T,
    want: U,
) -> Outcome {
    if got == want {
        Ok(())
    } else {
        Err(Stop::failed(format_args!("{what}: {got:?}, expected {want:?}")))
    }
}

/// Something is true.
#[track_caller]
pub(crate) fn holds(what: impl Display, truth: bool) -> Outcome {
    if truth { Ok(()) } else { Err(Stop::failed(format_args!("not so: {what}"))) }
}

/// A call was refused with this kind.
#[track_caller]
pub(crate) fn refused<T: Debug>(
    what: impl Display,
    answer: Result<T, Error>,
    kind: ErrorKind,
) -> Outcome {
    match answer {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(Stop::failed(format_args!("{what}: {error:?}, expected {kind}"))),
        Ok(value) => Err(Stop::failed(format_args!("{what}: {value:?}, expected {kind}"))),
    }
}

/// A list of answers, each as a kind, `None` for success.
pub(crate) fn kinds(answers: &[Result<(), Error>]) -> Vec<Option<ErrorKind>> {
    answers.iter().map(|answer| answer.as_ref().err().map(Error::kind)).collect()
}

/// Something that was promised for `promised` from a moment on did not happen before.
///
/// The broker's clock need not be the suite's. Clocks of one machine that is being set right run apart by at most 500
/// parts in a million, and that much is forgiven; a clock that is read in whole milliseconds must be rounded up.
#[track_caller]
pub(crate) fn never_early(what: impl Display, elapsed: Duration, promised: Duration) -> Outcome {
    let least = promised - promised / 2000;
    if elapsed >= least {
        Ok(())
    } else {
        Err(Stop::failed(format_args!("{what}: came after {elapsed:?}, never before {promised:?}")))
    }
}

/// Something that should happen at once did.
#[track_caller]
pub(crate) fn soon(what: impl Display, elapsed: Duration) -> Outcome {
    if elapsed < SOON {
        Ok(())
    } else {
        Err(Stop::failed(format_args!("{what}: came after {elapsed:?}, expected within {SOON:?}")))
    }
}

/// The one in the middle.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
