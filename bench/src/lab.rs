//! `bench lab`: the lessons' engine. What it costs to write an operation of a real thread down, and how long it takes to explore
//! every schedule of a program.

mod programs;

use handover::clock;
use handover_lab::{Bounds, End, Exploration, explore, record};
use serde_json::{Map, Value, json};
use std::time::Duration;

use crate::measure::median;
use crate::report::{Report, Table, figure, whole};
use crate::{Failure, Options};

const RUNS: u32 = 7;
/// Longer than any recorded run here takes.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report {
        name: "lab",
        conditions: Vec::new(),
        tables: Vec::new(),
        remarks: Vec::new(),
        json: Value::Null,
    };
    let mut json = Map::new();
    if options.wants("tracing") {
        json.insert("tracing".to_owned(), tracing(options, &mut report)?);
    }
    if options.wants("explore") {
        json.insert("explore".to_owned(), explored(options, &mut report)?);
    }
    report.json = Value::Object(json);
    Ok(report)
}

/// Nanoseconds an operation of a recorded run, and how many events were written down.
struct Run {
    operation_ns: f64,
    events: u64,
}

/// The program as it is, and recorded, in turns.
fn tracing(options: &Options, report: &mut Report) -> Result<Value, Failure> {
    let rounds = if options.short { 100 } else { programs::ROUNDS_MAX };
    programs::ROUNDS.store(rounds, std::sync::atomic::Ordering::SeqCst);
    let operations = u64::from(rounds) * programs::THREADS * programs::OPERATIONS;
    let runs = options.runs_or(RUNS);
    let (mut untraced, mut traced) = (Vec::new(), Vec::new());
    let mut events = 0;
    for _ in 0..runs {
        untraced.push(untraced_run(operations));
        let run = traced_run(operations)?;
        traced.push(run.operation_ns);
        events = run.events;
    }
    let (untraced, traced) = (median(&untraced), median(&traced));
    #[allow(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    let share = operations as f64 / events as f64;
    let event = (traced - untraced) * share;
    #[allow(clippy::cast_precision_loss, reason = "counts for people")]
    let kept = whole(events as f64);
    report.conditions.push(format!(
        "Two threads at once, each {} times: lock a mutex of its own, give it back, add to an atomic of its own. Nobody waits for \
         anybody, so that the difference is that of the recording. {kept} events are kept, none dropped: three for two operations, \
         because giving a mutex back is one too. Each thread reads the clock around its loop; medians of {runs} runs in turn.",
        whole(f64::from(rounds))
    ));
    let mut table = Table::new(["", "unit", "time"]);
    let mut row = |what: &str, ns: f64| table.row([what, "ns", &format!("{ns:.0}")]);
    row("an operation, not recorded", untraced);
    row("an operation, recorded", traced);
    row("the difference for each event", event);
    report.tables.push(table);
    Ok(json!({
        "untraced_ns": figure(untraced),
        "traced_ns": figure(traced),
        "per_event_ns": figure(event),
    }))
}

/// Nanoseconds an operation of a run that is not recorded.
fn untraced_run(operations: u64) -> f64 {
    programs::operations();
    programs::operation_ns(operations)
}

fn traced_run(operations: u64) -> Result<Run, Failure> {
    let trace = record(programs::operations, LIMIT);
    let operation_ns = programs::operation_ns(operations);
    // Giving a mutex back is an event too; starting and joining the two threads are few, and main's.
    let events = trace.spans.iter().filter(|span| span.thread > 0).count() as u64;
    let expected = operations / programs::OPERATIONS * programs::EVENTS;
    if trace.end != Some(End::Well) || trace.dropped > 0 || events != expected {
        let (end, dropped) = (trace.end, trace.dropped);
        return Err(format!(
            "recorded {events} of {expected} events, {dropped} dropped, and ended {end:?}"
        )
        .into());
    }
    Ok(Run { operation_ns, events })
}

/// Explores to the end, and how long that took.
fn whole_of(program: fn(), bounds: &Bounds, runs: u32) -> Result<(Exploration, f64), Failure> {
    let mut seconds = Vec::new();
    let mut last = None;
    for _ in 0..runs {
        let began = clock::now();
        let found = explore(program, bounds.clone());
        seconds.push((clock::now() - began).as_secs_f64());
        if !found.complete {
            return Err(format!("a bound was reached after {} states", found.states).into());
        }
        last = Some(found);
    }
    let found = last.ok_or("nothing was run")?;
    Ok((found, median(&seconds)))
}

/// Which time it is, of so many runs.
fn of_runs(runs: u32) -> String {
    if runs == 1 { "one run".to_owned() } else { format!("{runs} runs, their median") }
}

fn explored(options: &Options, report: &mut Report) -> Result<Value, Failure> {
    let lesson = handover_lessons::all().find(|lesson| lesson.number == 2);
    let race = lesson.and_then(|lesson| lesson.program("lost_update"));
    let race = race.ok_or("lesson 02 has no program lost_update")?;
    let bounds = Bounds { states: 20_000_000, ..Bounds::default() };
    let lesson_runs = options.runs_or(RUNS);
    let (lost, lesson_s) = whole_of(race.run, &race.bounds(), lesson_runs)?;
    if lost.broken == 0 {
        return Err("no schedule loses an update".into());
    }
    let buffer_runs = options.runs.unwrap_or(1);
    let buffer = if options.short { programs::buffer_short } else { programs::buffer };
    let (found, buffer_s) = whole_of(buffer, &bounds, buffer_runs)?;
    if let Some((_, end)) = &found.shortest {
        return Err(format!("the buffer breaks: {end:?}").into());
    }
    let mut table = Table::new(["explored completely", "schedules", "states", "seconds"]);
    #[allow(clippy::cast_precision_loss, reason = "a count for people")]
    let mut row = |what: &str, found: &Exploration, seconds: f64| {
        let (schedules, states) = (found.schedules as f64, found.states as f64);
        table.row([what, &whole(schedules), &whole(states), &format!("{seconds:.4}")]);
    };
    row("lesson 02, lost_update", &lost, lesson_s);
    row("a buffer as a monitor", &found, buffer_s);
    report.tables.push(table);
    report.conditions.push(format!(
        "The buffer has one place, a mutex and two conditions; two producers and two consumers with two items each, and at the end \
         every item was received exactly once. All schedules, without unasked wake-ups. The time of the lesson is that of \
         {}, the time of the buffer that of {}.",
        of_runs(lesson_runs),
        of_runs(buffer_runs)
    ));
    Ok(json!({
        "lesson_02_s": figure(lesson_s),
        "buffer_2p2c_s": figure(buffer_s),
        "states": found.states,
        "schedules": u64::try_from(found.schedules).unwrap_or(u64::MAX),
        "complete": found.complete,
    }))
}
