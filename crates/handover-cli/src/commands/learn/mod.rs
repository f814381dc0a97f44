//! `handover learn`: the lessons, and what their programs do under schedules of the student's choice.
//!
//! In reading order: `find.rs` (which lesson is meant), `looked.rs` (what all schedules of a program come to), `layout.rs`
//! (the parts of a lesson), `page.rs` (them as text), `book.rs` (them as chapters), `wrap.rs` (lines that fit a terminal), `explore.rs` (all schedules of a
//! program, printed), `schedule.rs` (one schedule as a file), `run.rs` (one run, and its picture), `progress.rs` (what a student
//! has done), `own.rs` (a model of the student's own), `web/` (the page on which the student is the scheduler). The lessons
//! themselves are a crate of their own, and so is what runs them.

mod book;
mod explore;
mod find;
mod layout;
mod looked;
mod own;
mod page;
mod progress;
mod run;
mod schedule;
mod web;
mod wrap;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use handover_lab::Bounds;
use handover_lessons::{Lesson, Program};

use self::progress::Deed;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::number::within;

/// The variable that says what `--port` says.
const PORT: &str = "HANDOVER_LEARN_PORT";

/// Lessons on concurrency: programs that break, the schedules that break them, and the repairs
#[derive(Debug, Args)]
pub(crate) struct Learn {
    /// A lesson by number or name, such as 02 or race; all are listed where none is named
    lesson: Option<String>,

    /// Show the right program of an exercise, and its proof
    #[arg(long, requires = "lesson", conflicts_with_all = ["explore", "replay", "real", "program", "save", "svg", "trace"])]
    solution: bool,

    /// Run a program of it under every schedule, and count those that break it
    #[arg(long, requires = "lesson", conflicts_with_all = ["replay", "real"])]
    explore: bool,

    /// Run exactly the schedule in this file, which --save wrote
    #[arg(long, requires = "lesson", value_name = "FILE", conflicts_with = "real")]
    replay: Option<PathBuf>,

    /// Run it once on real threads, and draw what they did
    #[arg(long, requires = "lesson")]
    real: bool,

    /// Which program of the lesson; the first one that breaks where nothing is said
    #[arg(long, requires = "lesson", value_name = "NAME")]
    program: Option<String>,

    /// Write the shortest schedule that breaks it to this file
    #[arg(long, requires = "lesson", value_name = "FILE", conflicts_with_all = ["replay", "real"])]
    save: Option<PathBuf>,

    /// Draw the run as SVG into this file; --program says of which program
    #[arg(long, requires = "lesson", value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Write the run into this file as Chrome's trace events, for Perfetto and the like
    #[arg(long, requires = "lesson", value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Print how to explore a small model of your own code, in a file of this name
    #[arg(long, value_name = "FILE", conflicts_with = "lesson")]
    file: Option<PathBuf>,

    /// Forget what you have done
    #[arg(long, conflicts_with_all = ["lesson", "file"])]
    forget: bool,

    /// Write all lessons as chapters into this folder of the book
    #[arg(long, value_name = "DIR", hide = true, conflicts_with_all = ["lesson", "file", "forget"])]
    book: Option<PathBuf>,

    /// Serve a page on which you are the scheduler, to browsers of this machine, and print its address
    #[arg(long, conflicts_with_all = ["explore", "replay", "real", "solution", "save", "svg", "trace", "file", "forget", "book"])]
    web: bool,

    /// The port of the page; that of HANDOVER_LEARN_PORT, or any that is free, where nothing is said
    // Not clap's own `env`: the variable would then require --web.
    #[arg(long, requires = "web", value_name = "N")]
    port: Option<u16>,

    /// The most steps in a schedule that is explored
    #[arg(long, value_name = "N", env = "HANDOVER_LEARN_STEPS", hide_env_values = true, default_value_t = Bounds::default().steps, value_parser = within(1_usize..=schedule::STEPS_MAX))]
    steps: usize,

    /// The most states that an exploration looks at
    #[arg(long, value_name = "N", env = "HANDOVER_LEARN_STATES", hide_env_values = true, default_value_t = Bounds::default().states, value_parser = within(1_usize..=100_000_000))]
    states: usize,

    /// The most wake-ups without a notification in a schedule; as the program wants it where nothing is said
    #[arg(long, value_name = "N", env = "HANDOVER_LEARN_SPURIOUS", hide_env_values = true, value_parser = within(0_u32..=100))]
    spurious: Option<u32>,

    /// Through how many steps of others a thread waits until it counts as starved; as the program wants it where nothing is said
    #[arg(long, value_name = "N", env = "HANDOVER_LEARN_PATIENCE", hide_env_values = true, value_parser = within(1_usize..=100_000))]
    patience: Option<usize>,

    /// How long real threads may take
    #[arg(long, value_name = "DURATION", env = "HANDOVER_LEARN_LIMIT", hide_env_values = true, default_value = "2s", value_parser = limit)]
    limit: Duration,
}

impl Learn {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let Some(word) = &self.lesson else {
            self.without_lesson(app).await?;
            return Ok(Exit::Done);
        };
        let lesson = find::lesson(word)?;
        let program = self.program.as_ref().map(|name| find::program(lesson, name)).transpose()?;
        let deed = if self.web {
            web::serve(app, Some(lesson), program, self.port()?).await?;
            None
        } else if let Some(file) = &self.replay {
            run::replay_file(app, lesson, program, file, &self)?;
            Some(Deed::Replayed)
        } else if self.real {
            run::real(app, lesson, find::or_first(lesson, program)?, &self)?;
            Some(Deed::Real)
        } else if self.explore || self.save.is_some() || self.svg.is_some() || self.trace.is_some()
        {
            let found =
                explore::explore_and_tell(app, lesson, find::or_first(lesson, program)?, &self)?;
            match found.broken {
                _ if !self.explore => None, // only files were asked for
                0 => found.complete.then_some(Deed::Proven),
                _ => Some(Deed::Broken),
            }
        } else {
            let only = match program {
                Some(program) => layout::Only::One(program),
                None if self.solution => layout::Only::Solution,
                None => layout::Only::Page,
            };
            page::lesson(app, lesson, only, &self)?
        };
        if let Some(deed) = deed {
            progress::keep(app, lesson, deed);
        }
        Ok(Exit::Done)
    }

    /// What is asked of all lessons together, or of none.
    async fn without_lesson(&self, app: &App) -> Result<(), Failure> {
        if self.web {
            web::serve(app, None, None, self.port()?).await
        } else if let Some(file) = &self.file {
            own::print_guide(app, file)
        } else if self.forget {
            progress::forget(app)
        } else if let Some(folder) = &self.book {
            book::write_book(app, folder)
        } else {
            page::list(app)
        }
    }

    /// The port of the page; 0 for any that is free.
    fn port(&self) -> Result<u16, Failure> {
        let said = std::env::var_os(PORT).filter(|_| self.port.is_none());
        let Some(said) = said.filter(|said| !said.is_empty()) else {
            return Ok(self.port.unwrap_or(0));
        };
        said.to_str().and_then(|said| said.parse().ok()).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("{PORT} is {said:?}, and not a port, 0 to 65535"))
        })
    }

    /// How far an exploration of this program goes.
    fn bounds(&self, program: &Program) -> Bounds {
        let spurious = self.spurious.unwrap_or(program.spurious);
        let patience = self.patience.or(program.patience);
        Bounds { steps: self.steps, states: self.states, spurious, patience }
    }
}

/// The longest that real threads may take.
const LIMIT_MAX: Duration = Duration::from_secs(60 * 60);

/// Reads how long real threads may take.
fn limit(text: &str) -> Result<Duration, String> {
    let limit = crate::duration::parse(text)?;
    if limit > LIMIT_MAX {
        return Err(format!("real threads may take at most {}", crate::duration::show(LIMIT_MAX)));
    }
    Ok(limit)
}

/// The title of a picture: the program, and the lesson that it is of.
fn title(lesson: &Lesson, program: &Program) -> String {
    format!("{} of lesson {:02} {}", program.name, lesson.number, lesson.name)
}
