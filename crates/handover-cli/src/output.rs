//! What the program says: answers to stdout, everything else to stderr. The only file that prints.
//!
//! A reader of stdout that has read enough ends the program quietly: see `failure.rs`.

use std::io::{self, BufRead, IsTerminal, Write};
use std::pin::pin;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use handover::clock::{self, Instant};
use handover::{Error, ErrorKind, Result};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::failure::{Failure, PRINT};
use crate::table::Table;

/// How often work that takes long says where it is, where nobody watches a terminal.
pub(crate) const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// The same while nothing is done.
const PLAIN_IDLE: Duration = Duration::from_secs(60);

/// The live lines, so that whatever else is printed goes above them.
static LIVE: OnceLock<MultiProgress> = OnceLock::new();

/// Says things, as the global options want them said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a line of the answer.
    ///
    /// # Errors
    /// Where stdout cannot be written.
    pub(crate) fn line(self, text: &str) -> Result<()> {
        self.raw(format!("{text}\n").as_bytes())
    }

    /// Prints an object of the answer, on one line.
    ///
    /// # Errors
    /// Where stdout cannot be written.
    pub(crate) fn object<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        let text = serde_json::to_string(value).map_err(|error| {
            Error::new(ErrorKind::Internal, "the answer cannot be written as JSON").source(error)
        })?;
        self.line(&text)
    }

    /// Prints the answer: the object with `--json`, else the text.
    ///
    /// # Errors
    /// Where stdout cannot be written.
    pub(crate) fn result<T: Serialize + ?Sized>(
        self,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        if self.json { self.object(value) } else { self.line(&text()) }
    }

    /// Prints a table, its head in bold at a terminal.
    ///
    /// # Errors
    /// Where stdout cannot be written.
    pub(crate) fn table(self, table: &Table) -> Result<()> {
        let mut lines = table.lines();
        if stdout_has_color()
            && let Some(head) = lines.first_mut()
        {
            *head = format!("\u{1b}[1m{head}\u{1b}[0m");
        }
        self.line(&lines.join("\n"))
    }

    /// Prints bytes of the answer as they are.
    ///
    /// # Errors
    /// Where stdout cannot be written.
    pub(crate) fn raw(self, bytes: &[u8]) -> Result<()> {
        let print = || {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes)?;
            stdout.flush()
        };
        above(print).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "stdout cannot be written")
                .operation(PRINT)
                .source(error)
        })
    }

    /// Tells a person something on stderr, unless they want it quiet.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// Tells why it did not work.
    pub(crate) fn failure(self, failure: &Failure) {
        let Some(message) = &failure.message else { return };
        let (red, blue, plain) = if stderr_has_color() {
            ("\u{1b}[31m", "\u{1b}[36m", "\u{1b}[0m")
        } else {
            ("", "", "")
        };
        say(&format!("handover: {red}error:{plain} {}", crate::table::tame(message)));
        if let Some(hint) = &failure.hint {
            say(&format!("{blue}hint:{plain} {hint}"));
        }
    }

    /// Asks a person, who must say yes. `None` where there is nobody to ask.
    pub(crate) fn confirm(self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !stderr_is_terminal() {
            return None;
        }
        let mut answer = String::new();
        above(|| {
            let mut stderr = io::stderr().lock();
            write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush())?;
            io::stdin().lock().read_line(&mut answer)
        })
        .ok()?;
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// A live line of work on `total` things (0 where nobody knows how many): a bar on a terminal, elsewhere a line in the
    /// log every ten seconds in which something changed.
    pub(crate) fn live(self, total: u64) -> Live {
        let bar = (stderr_is_terminal() && !self.quiet).then(|| {
            let bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
            let template =
                if total == 0 { "{spinner} {msg}" } else { "{wide_bar} {percent:>3}%  {msg}" };
            // The template is a constant; a wrong one would show as indicatif's own.
            let style = ProgressStyle::with_template(template);
            let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            LIVE.get_or_init(MultiProgress::new).add(bar)
        });
        let said = Said { at: clock::now(), done: 0, text: String::new(), pause: PLAIN_EVERY };
        Live { bar, said: Mutex::new(said), out: self }
    }
}

/// A line that changes while work goes on.
#[derive(Debug)]
pub(crate) struct Live {
    bar: Option<ProgressBar>,
    said: Mutex<Said>,
    out: Output,
}

/// The last line in the log, where there is no terminal.
#[derive(Debug)]
struct Said {
    at: Instant,
    done: u64,
    text: String,
    /// Until the next look. It doubles while nothing is done: an idle worker neither wakes up nor fills a log for that.
    pause: Duration,
}

impl Live {
    /// Says how far it is.
    pub(crate) fn set(&self, done: u64, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(crate::table::tame(text));
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if clock::now() - said.at < PLAIN_EVERY {
            return;
        }
        said.pause = if done == said.done { (said.pause * 2).min(PLAIN_IDLE) } else { PLAIN_EVERY };
        if said.text != text {
            tracing::info!("{text}");
            (said.at, said.done) = (clock::now(), done);
            text.clone_into(&mut said.text);
        }
    }

    /// Says something that stays, above the live line.
    pub(crate) fn line(&self, text: &str) {
        self.out.note(text);
    }

    /// How often it is worth setting: what a person sees as moving, or how often a line is logged. Oftener would wake an
    /// idle worker for nothing.
    pub(crate) fn every(&self) -> Duration {
        if self.bar.is_some() {
            return Duration::from_millis(100);
        }
        self.said.lock().unwrap_or_else(PoisonError::into_inner).pause
    }

    /// Draws until `work` has ended: calls `draw` as often as it is worth it, and not for work that ends before.
    pub(crate) async fn during<T>(
        &self,
        work: impl Future<Output = T>,
        mut draw: impl AsyncFnMut(&Self),
    ) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                ended = &mut work => return ended,
                () = tokio::time::sleep(self.every()) => draw(self).await,
            }
        }
    }

    /// Ends it and takes it off the terminal, as dropping it does.
    pub(crate) fn finish(self) {}
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Runs what prints, with the live lines out of its way.
pub(crate) fn above<R>(print: impl FnOnce() -> R) -> R {
    match LIVE.get() {
        Some(live) => live.suspend(print),
        None => print(),
    }
}

pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

pub(crate) fn stderr_has_color() -> bool {
    stderr_is_terminal() && color_is_wanted()
}

pub(crate) fn stdout_has_color() -> bool {
    io::stdout().is_terminal() && color_is_wanted()
}

/// See <https://no-color.org>.
fn color_is_wanted() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

fn say(text: &str) {
    // Where stderr cannot be written there is nobody left to tell.
    _ = above(|| writeln!(io::stderr().lock(), "{text}"));
}
