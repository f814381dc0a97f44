//! The log on stderr: its level, its form, and its peace with the live line.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::cli::{Global, LogFormat};
use crate::failure::Failure;
use crate::output;

/// Starts it.
pub(crate) fn start(global: &Global) -> Result<(), Failure> {
    let filter = filter(&global.log, global.quiet)?;
    let colored = output::stderr_has_color();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Stderr)
        .with_ansi(colored)
        .with_target(false);
    match global.log_format {
        LogFormat::Json => log.json().with_target(true).init(),
        // A person at a terminal sees the time pass; a file of lines needs it written down.
        LogFormat::Text if output::stderr_is_terminal() => log.without_time().compact().init(),
        LogFormat::Text => log.compact().init(),
    }
    Ok(())
}

/// A bare level is for handover; libraries underneath say only what is wrong.
fn filter(level: &str, quiet: bool) -> Result<EnvFilter, Failure> {
    let filter = match level {
        _ if quiet => "error".to_owned(),
        "error" | "warn" => level.to_owned(),
        "info" | "debug" | "trace" => format!("warn,handover={level}"),
        filter => filter.to_owned(),
    };
    EnvFilter::try_new(&filter).map_err(|error| {
        Failure::usage(format!("{filter:?} is no filter for the log: {error}"))
            .hint("--log takes error, warn, info, debug or trace")
    })
}

/// Writes whole lines above the live line, where there is one.
struct Stderr;

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        output::above(|| io::stderr().lock().write_all(line)).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_and_a_filter_are_both_understood() {
        assert_eq!(filter("info", false).unwrap().to_string(), "handover=info,warn");
        assert_eq!(filter("debug", true).unwrap().to_string(), "error");
        assert_eq!(
            filter("warn,handover=trace", false).unwrap().to_string(),
            "handover=trace,warn"
        );
        assert_eq!(filter("handover=loud", false).unwrap_err().exit.code(), 2);
    }
}
