//! What every lesson promises: it breaks where it says so, it is proven where it says so, and what it shows and names exists.

#![allow(clippy::unwrap_used, reason = "a test that unwraps shows where it failed")]

use handover_lab::{Bounds, Choice, End, explore, graph, record, replay, replay_within};
use handover_lessons::{EXERCISES, LESSONS, Lesson, Program, all};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// A program of more schedules is not enumerated: it would take a minute.
const SCHEDULES_MAX: u128 = 5_000;

fn programs() -> impl Iterator<Item = (&'static Lesson, &'static Program)> {
    all().flat_map(|lesson| lesson.programs.iter().map(move |one| (lesson, one)))
}

#[test]
fn lessons_are_numbered_and_named_once_each() {
    for (number, lesson) in (1..).zip(all()) {
        assert_eq!(lesson.number, number, "{}", lesson.name);
        assert_eq!(lesson.hint.is_some(), EXERCISES.iter().any(|one| one.name == lesson.name));
        assert!(lesson.challenge.ends_with('.'), "{}", lesson.name);
    }
    let names: BTreeSet<&str> = all().map(|lesson| lesson.name).collect();
    assert_eq!(names.len(), LESSONS.len() + EXERCISES.len());
    for lesson in all() {
        let names: BTreeSet<&str> = lesson.programs.iter().map(|program| program.name).collect();
        assert_eq!(names.len(), lesson.programs.len(), "{}", lesson.name);
        assert!(lesson.line.chars().count() <= 62, "{} has a line too long", lesson.name);
        assert!(lesson.wrong().is_some() && !lesson.places.is_empty(), "{}", lesson.name);
    }
}

#[test]
fn every_wrong_program_breaks_and_every_repair_is_proven() {
    for (lesson, program) in programs() {
        let found = explore(program.run, program.bounds());
        assert!(found.complete, "{} {}: {found:?}", lesson.name, program.name);
        assert_eq!(found.broken > 0, program.wrong, "{} {}", lesson.name, program.name);
        if let Some((schedule, end)) = found.shortest {
            let again = replay_within(program.run, &schedule, &program.bounds()).unwrap();
            assert_eq!(again.trace.end, Some(end), "{} {}", lesson.name, program.name);
        }
    }
}

/// Every schedule one by one, each as an execution of its own: how many there are, and how many are broken.
fn enumerate(program: fn(), bounds: &Bounds, prefix: &mut Vec<Choice>) -> (u128, u128) {
    let run = replay_within(program, prefix, bounds).unwrap();
    if let Some(end) = run.trace.end {
        return (1, u128::from(end.is_broken()));
    }
    let mut sum = (0, 0);
    for &choice in &run.moments.last().unwrap().choices {
        prefix.push(choice);
        let (schedules, broken) = enumerate(program, bounds, prefix);
        prefix.pop();
        sum = (sum.0 + schedules, sum.1 + broken);
    }
    sum
}

#[test]
fn schedules_are_counted_as_an_enumeration_counts_them() {
    let mut counted = 0;
    for (lesson, program) in programs().filter(|(_, program)| program.spurious == 0) {
        let found = explore(program.run, program.bounds());
        if found.schedules > SCHEDULES_MAX {
            continue;
        }
        let ends = enumerate(program.run, &program.bounds(), &mut Vec::new());
        assert_eq!((found.schedules, found.broken), ends, "{} {}", lesson.name, program.name);
        counted += 1;
    }
    assert!(counted > 15, "{counted}");
}

#[test]
fn a_wakeup_that_comes_unasked_repairs_nothing() {
    let (_, program) = programs().find(|(_, program)| program.name == "too_late").unwrap();
    let found = explore(program.run, Bounds { spurious: 1, ..program.bounds() });
    assert!(found.complete && found.broken > 0, "{found:?}");
}

#[test]
fn what_no_assertion_asks_for_is_possible_in_a_repair() {
    let possible =
        [("readers", "door", "inside", "2"), ("bathroom", "in_line", "room", "inside: 2")];
    for (lesson, name, object, value) in possible {
        let lesson = all().find(|one| one.name == lesson).unwrap();
        let bounds = Bounds { states: 5_000, ..Bounds::default() };
        let states = graph(lesson.program(name).unwrap().run, bounds).nodes;
        let mut held = states.iter().flat_map(|it| it.objects.iter().zip(&it.moment.values));
        let seen = held.any(|((_, name), holds)| name == object && holds.contains(value));
        assert!(seen, "{}: two are never there together", lesson.name);
    }
}

#[test]
fn repairs_hold_on_real_threads_too() {
    for (lesson, program) in programs().filter(|(_, program)| !program.wrong) {
        let trace = record(program.run, Duration::from_secs(60));
        assert_eq!(trace.end, Some(End::Well), "{} {}", lesson.name, program.name);
    }
}

#[test]
fn what_is_shown_is_what_runs_and_fits_a_terminal() {
    for (lesson, program) in programs() {
        let source = program.source();
        let main = format!("fn {}() {{", program.name);
        assert!(source.contains(&main), "{}: the source of {}", lesson.name, program.name);
        assert!(source.lines().count() <= 60, "{} is too long to read", program.name);
        let wide = source.lines().find(|line| line.chars().count() > 78);
        assert_eq!(wide, None, "{} does not fit 80 columns", program.name);
        let says = if program.wrong { "/// Wrong" } else { "/// Right" };
        assert!(source.contains(says), "{} does not say that it is {says}", program.name);
    }
}

#[test]
fn threads_of_a_program_are_known_by_their_names() {
    for (_, program) in programs() {
        let threads = replay(program.run, &[]).unwrap().trace.threads;
        let names: BTreeSet<&String> = threads.iter().collect();
        assert_eq!(names.len(), threads.len(), "{}: {threads:?}", program.name);
    }
}

#[test]
fn the_places_in_handover_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for place in all().flat_map(|lesson| lesson.places) {
        let text = std::fs::read_to_string(root.join(place.file));
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", place.file));
        assert!(text.contains(place.symbol), "{} has no {:?}", place.file, place.symbol);
    }
}

#[test]
fn what_is_measured_comes_with_its_unit() {
    for measure in all().filter_map(|lesson| lesson.measure) {
        for measured in measure() {
            let told = &measured.value;
            assert!(told.contains(" ms") || told.contains("not told"), "{measured:?}");
        }
    }
}
