//! Starting programs, showing their output as it comes while reading it, and counting tests. What
//! is started and in which order is for the callers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Tests that passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// One check that is no test run of its own.
    pub(crate) fn one(ok: bool) -> Self {
        Self { passed: u64::from(ok), failed: u64::from(!ok) }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Counts `line` if it is the closing line of a test binary, as libtest and libtest-mimic
    /// print it: `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
    fn count(&mut self, line: &str) {
        let Some(rest) = line.trim().strip_prefix("test result: ") else { return };
        let numbers = rest.split_once(". ").map_or(rest, |(_, numbers)| numbers);
        for part in numbers.split(';') {
            match part.trim().split_once(' ') {
                Some((n, "passed")) => self.passed += n.parse::<u64>().unwrap_or(0),
                Some((n, "failed")) => self.failed += n.parse::<u64>().unwrap_or(0),
                _ => {}
            }
        }
    }

    /// Makes the sums agree with how the run ended: one that failed without a failed test (it did
    /// not compile, a test binary was killed) counts as one failure, and so does one that ran
    /// nothing, because "no test failed" is then no news.
    pub(crate) fn judged(mut self, ended_well: bool) -> Self {
        let ran_nothing = self.passed == 0 && self.failed == 0;
        if self.failed == 0 && (!ended_well || ran_nothing) {
            self.failed = 1;
        }
        self
    }
}

/// A program to start: a [`Command`] whose line is shown before it runs.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
}

impl Program {
    pub(crate) fn new(name: &str, dir: &Path) -> Self {
        let mut command = Command::new(name);
        command.current_dir(dir).stdin(Stdio::null());
        Self { command }
    }

    /// Cargo as a person would have started it: without the variables that `cargo run` set for
    /// this program, which would make build scripts that watch them run again.
    pub(crate) fn cargo(root: &Path) -> Self {
        let mut program = Self::new("cargo", root);
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|p| name.starts_with(p)) {
                program.command.env_remove(&key);
            }
        }
        program
    }

    pub(crate) fn args<I: IntoIterator<Item = S>, S: AsRef<str>>(mut self, args: I) -> Self {
        for arg in args {
            self.command.arg(arg.as_ref());
        }
        self
    }

    pub(crate) fn env(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    /// Leaves the program only the variables given here.
    pub(crate) fn only_env(mut self, vars: &[(String, String)]) -> Self {
        self.command.env_clear();
        self.command.envs(vars.iter().map(|(key, value)| (key, value)));
        self
    }

    /// The line as a person would type it.
    pub(crate) fn line(&self) -> String {
        let mut line = String::new();
        for (key, value) in self.command.get_envs() {
            // With a cleared environment every variable is listed, which nobody wants to read.
            let Some(value) = value else { continue };
            let shown = ["RUSTFLAGS", "RUSTDOCFLAGS", "CARGO_TARGET_DIR", "CUSTOM_LIBFUZZER_PATH"];
            let name = key.to_string_lossy();
            if name.starts_with("HANDOVER_") || shown.contains(&&*name) {
                line += &format!("{}={:?} ", key.to_string_lossy(), value.to_string_lossy());
            }
        }
        line += &self.command.get_program().to_string_lossy();
        for arg in self.command.get_args() {
            let arg = arg.to_string_lossy();
            line +=
                if arg.contains(' ') { format!(" '{arg}'") } else { format!(" {arg}") }.as_str();
        }
        line
    }

    /// Runs it with its output shown; whether it ended well.
    pub(crate) fn ok(mut self) -> Result<bool, String> {
        println!("$ {}", self.line());
        let line = self.line();
        let status = self.command.status().map_err(|e| cannot_start(&line, &e))?;
        Ok(ended_well(&line, status))
    }

    /// Runs it silently; whether it could be started and ended well.
    pub(crate) fn quietly_ok(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        self.command.status().is_ok_and(|status| status.success())
    }

    /// Runs a test command: its output is shown as it comes, and its tests are counted.
    pub(crate) fn tests(self) -> Result<Tally, String> {
        let mut tally = Tally::default();
        let ok = self.each_line(|line| tally.count(line))?;
        Ok(tally.judged(ok))
    }

    /// Runs it with its output shown and gives its last line that is not blank, and whether it
    /// ended well.
    pub(crate) fn last_line(self) -> Result<(bool, String), String> {
        let mut last = String::new();
        let ok = self.each_line(|line| {
            if !line.trim().is_empty() {
                line.trim().clone_into(&mut last);
            }
        })?;
        Ok((ok, last))
    }

    /// Shows each line of standard output as it comes and passes it to `see`. Standard error goes
    /// straight to ours, so that cargo's progress stays a progress bar on a terminal.
    fn each_line(mut self, mut see: impl FnMut(&str)) -> Result<bool, String> {
        let line = self.line();
        println!("$ {line}");
        let mut child =
            self.command.stdout(Stdio::piped()).spawn().map_err(|e| cannot_start(&line, &e))?;
        let copied = copy_lines(&mut child, &mut see);
        let status = child.wait().map_err(|e| format!("{line}: {e}"))?;
        copied.map_err(|e| format!("{line}: cannot read its output: {e}"))?;
        Ok(ended_well(&line, status))
    }
}

fn copy_lines(child: &mut Child, see: &mut impl FnMut(&str)) -> std::io::Result<()> {
    let Some(stdout) = child.stdout.take() else { return Ok(()) };
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new(); // bytes: a test may print what is no UTF-8
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        std::io::stdout().flush()?;
        see(&text);
    }
}

fn cannot_start(line: &str, why: &std::io::Error) -> String {
    let program = line.split(' ').find(|word| !word.contains('=')).unwrap_or(line);
    format!("cannot start `{line}`: {why}; is {program} installed and on the PATH?")
}

fn ended_well(line: &str, status: ExitStatus) -> bool {
    if !status.success() {
        println!("`{line}` ended with {status}");
    }
    status.success()
}

/// How long something took, for a person to read; nothing is decided by it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch {
    started: Instant,
}

impl Stopwatch {
    #[allow(
        clippy::disallowed_methods,
        reason = "the house's commands do not link the library whose clock file is meant"
    )]
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn read(self) -> String {
        show_duration(self.started.elapsed())
    }
}

fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        return format!("{:.1} s", duration.as_secs_f64());
    }
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> Tally {
        let mut tally = Tally::default();
        text.lines().for_each(|line| tally.count(line));
        tally
    }

    #[test]
    fn closing_lines_of_every_test_binary_are_summed() {
        let text = "running 7 tests\ntest a ... ok\n\ntest result: ok. 5 passed; 0 failed; 2 ignored; \
                    0 measured; 3 filtered out; finished in 0.01s\n\
                    test result: FAILED. 10 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(counted(text), Tally { passed: 15, failed: 3 });
    }

    #[test]
    fn other_lines_are_not_counted() {
        let text = "the test result: ok. 5 passed\n9 passed, 1 failed\ntest result: nonsense\n";
        assert_eq!(counted(text), Tally::default());
    }

    #[test]
    fn a_run_that_failed_without_a_failed_test_counts_as_one_failure() {
        let three = Tally { passed: 3, failed: 0 };
        assert_eq!(three.judged(false), Tally { passed: 3, failed: 1 });
        assert_eq!(three.judged(true), three);
        let two = Tally { passed: 3, failed: 2 };
        assert_eq!(two.judged(false), two);
    }

    #[test]
    fn a_run_without_any_test_has_failed() {
        assert_eq!(Tally::default().judged(true), Tally { passed: 0, failed: 1 });
    }

    #[cfg(unix)]
    #[test]
    fn output_is_counted_while_it_passes_through() {
        let script = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; printf 'last\\377'";
        let program = |script: &str| Program::new("sh", Path::new(".")).args(["-c", script]);
        assert_eq!(program(script).tests(), Ok(Tally { passed: 2, failed: 0 }));
        assert_eq!(program(&format!("{script}; exit 3")).tests().unwrap().failed, 1);
    }

    #[cfg(unix)]
    #[test]
    fn the_last_line_is_the_last_that_is_not_blank() {
        let program = Program::new("sh", Path::new(".")).args(["-c", "echo a; echo '{}'; echo"]);
        assert_eq!(program.last_line(), Ok((true, "{}".to_owned())));
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let why = Program::new("no-such-program-here", Path::new(".")).ok().unwrap_err();
        assert!(why.contains("is no-such-program-here installed"), "{why}");
    }

    #[test]
    fn the_shown_line_can_be_typed() {
        let program = Program::new("cargo", Path::new("."))
            .args(["test", "two words"])
            .env("HANDOVER_LONG", "1");
        assert_eq!(program.line(), "HANDOVER_LONG=\"1\" cargo test 'two words'");
    }

    #[test]
    fn durations_read_as_a_person_says_them() {
        assert_eq!(show_duration(Duration::from_millis(2_340)), "2.3 s");
        assert_eq!(show_duration(Duration::from_secs(125)), "2 min 05 s");
    }
}
