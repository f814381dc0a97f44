//! The lessons: for each a question, programs that break, their repairs, and the place in handover where the repaired form is
//! at work. One file a lesson, each to be read from top to bottom; this one says what a lesson is, and lists them.
//!
//! How a lesson is printed and explored is the command line's (`handover learn`), how a program is run step by step
//! `handover-lab`'s.

use handover_lab::Bounds;

// In reading order: the empty lines keep rustfmt from sorting them.

// How long something took, for the lessons that measure.
mod clock;

// No order between threads; what is not shared, none can hurt.
#[path = "01_threads.rs"]
mod threads;

// What can come between two steps.
#[path = "02_race.rs"]
mod race;

// One thread at a time; two locks, a panic, and the cost.
#[path = "03_mutex.rs"]
mod mutex;

// Sleeping until somebody notifies.
#[path = "04_condition.rs"]
mod condition;

// Counting places and items.
#[path = "05_semaphore.rs"]
mod semaphore;

// A lock and its conditions as one object.
#[path = "06_monitor.rs"]
mod monitor;

// Sharing only a buffer, which waits and ends.
#[path = "07_messages.rs"]
mod messages;

// A lease, its end, and its token.
#[path = "08_one_owner.rs"]
mod owner;

// Result and settlement; jobs that run twice.
#[path = "09_workers.rs"]
mod workers;

// What a disk has kept after a power cut.
#[path = "10_crash.rs"]
mod crash;

// Whose clock ends a lease.
#[path = "11_time.rs"]
mod time;

// A crawl, which uses all of it.
#[path = "12_whole.rs"]
mod whole;

// Exercise: many locks, and a circle of waiting.
#[path = "13_philosophers.rs"]
mod philosophers;

// Exercise: many who read, or one who writes.
#[path = "14_readers_writers.rs"]
mod readers_writers;

// Exercise: two who wait for each other.
#[path = "15_barber.rs"]
mod barber;

// Exercise: two parties, and one room.
#[path = "16_bathroom.rs"]
mod bathroom;

// Exercise: all go on together, again and again.
#[path = "17_barrier.rs"]
mod barrier;

/// Every lesson, in order.
pub const LESSONS: &[&Lesson] = &[
    &threads::LESSON,
    &race::LESSON,
    &mutex::LESSON,
    &condition::LESSON,
    &semaphore::LESSON,
    &monitor::LESSON,
    &messages::LESSON,
    &owner::LESSON,
    &workers::LESSON,
    &crash::LESSON,
    &time::LESSON,
    &whole::LESSON,
];

/// The classic problems that use what the lessons show, in order; their numbers follow on the lessons'.
pub const EXERCISES: &[&Lesson] = &[
    &philosophers::LESSON,
    &readers_writers::LESSON,
    &barber::LESSON,
    &bathroom::LESSON,
    &barrier::LESSON,
];

/// The lessons, then the exercises.
pub fn all() -> impl Iterator<Item = &'static Lesson> {
    LESSONS.iter().chain(EXERCISES).copied()
}

/// A lesson.
#[derive(Debug)]
#[non_exhaustive]
pub struct Lesson {
    /// Keeps its place for good: people and links know lessons by it.
    pub number: u32,
    /// One word for it.
    pub name: &'static str,
    /// What it shows, in one line of a list.
    pub line: &'static str,
    /// What the student is to ask; paragraphs with an empty line between.
    pub question: &'static str,
    /// For an exercise: what helps to find the right program, which is shown only to whoever asks for it.
    pub hint: Option<&'static str>,
    /// What to make the first program that breaks do, by choosing who runs next; in as few steps as the shortest schedule.
    pub challenge: &'static str,
    /// In the order of telling: what breaks, then what repairs it.
    pub programs: &'static [Program],
    /// Measures something on real threads, where a schedule cannot show it.
    pub measure: Option<fn() -> Vec<Measured>>,
    /// Where handover uses the repaired form.
    pub places: &'static [Place],
}

/// A program of a lesson.
#[derive(Debug)]
#[non_exhaustive]
pub struct Program {
    /// Its name in the source, and on the command line.
    pub name: &'static str,
    /// Whether it is one that breaks.
    pub wrong: bool,
    /// What to look at.
    pub says: &'static str,
    /// The program.
    pub run: fn(),
    /// How many wake-ups without a notification an exploration permits in one schedule.
    pub spurious: u32,
    /// Through how many steps of others a thread waits in an exploration until it has starved; nobody starves where it is not said.
    pub patience: Option<usize>,
    /// The file that it stands in.
    file: &'static str,
}

/// Something measured just now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measured {
    /// What.
    pub what: &'static str,
    /// How much, with its unit.
    pub value: String,
}

/// Where in handover the repaired form is at work.
#[derive(Debug)]
#[non_exhaustive]
pub struct Place {
    /// The file, from the top of the repository.
    pub file: &'static str,
    /// Something to look for in it.
    pub symbol: &'static str,
    /// What it does there.
    pub says: &'static str,
}

impl Lesson {
    /// The first program that breaks, which is the one that a lesson begins with.
    #[must_use]
    pub fn wrong(&self) -> Option<&'static Program> {
        self.programs.iter().find(|program| program.wrong)
    }

    /// A history of real work that the lesson is about, as `handover --history` writes it.
    #[must_use]
    pub fn history(&self) -> Option<&'static str> {
        (self.number == whole::LESSON.number).then_some(whole::CRAWL)
    }

    /// The program of this name.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<&'static Program> {
        self.programs.iter().find(|program| program.name == name)
    }
}

impl Program {
    const fn wrong(name: &'static str, run: fn(), file: &'static str, says: &'static str) -> Self {
        Self { name, wrong: true, says, run, spurious: 0, patience: None, file }
    }

    const fn right(name: &'static str, run: fn(), file: &'static str, says: &'static str) -> Self {
        Self { name, wrong: false, says, run, spurious: 0, patience: None, file }
    }

    /// The same, explored with so many wake-ups that nobody asked for.
    const fn spurious(mut self, spurious: u32) -> Self {
        self.spurious = spurious;
        self
    }

    /// The same, explored with so much patience.
    #[must_use]
    pub const fn patience(mut self, steps: usize) -> Self {
        self.patience = Some(steps);
        self
    }

    /// Its source: what stands between its two marks in the file that was compiled.
    #[must_use]
    pub fn source(&self) -> &'static str {
        let begin = format!("// begin: {}\n", self.name);
        let end = format!("// end: {}\n", self.name);
        let cut = self.file.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
        cut.map_or("", |(source, _)| source.trim_end())
    }

    /// The line of its file on which the source begins, from 1: where the threads stand is told in lines of the file.
    #[must_use]
    pub fn first_line(&self) -> usize {
        let mark = format!("// begin: {}\n", self.name);
        let before = self.file.split_once(&mark).map_or("", |(before, _)| before);
        before.matches('\n').count() + 2
    }

    /// How far an exploration of it goes where nothing else is said.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds { spurious: self.spurious, patience: self.patience, ..Bounds::default() }
    }
}
