//! From a run to a picture of it.

use super::{Arrow, Lane, Level, Mark, Picture, Segment, State, Wait, chart, waits};
use crate::explore::{self, Moment, Replay};
use crate::op::{Kind, ObjectId, Op, ThreadId};
use crate::trace::{End, Span, Trace, Unit};

/// A schedule, step by step. The axis is the steps: column *n* is what step *n* did, and where everybody stood after it.
#[must_use]
pub fn of_replay(title: &str, replay: &Replay) -> Picture {
    let trace = &replay.trace;
    let steps = replay.moments.len() as u64;
    let mut picture = Picture {
        title: title.to_owned(),
        unit: "step",
        length: steps,
        lanes: lanes(trace),
        arrows: arrows(trace),
        levels: levels(trace, &replay.moments),
        waits: waits::of(replay),
        circle: circle(trace),
        verdict: verdict(trace, Some(replay)),
        ..Picture::default()
    };
    for (thread, lane) in picture.lanes.iter_mut().enumerate() {
        let mut holds = Holds::new(trace, thread);
        for (at, moment) in (0..).zip(&replay.moments) {
            let held = holds.at(at);
            let Some(stands) = moment.lanes.get(thread) else { continue };
            let held = names(trace, &held);
            let (state, about, holds) = match *stands {
                explore::Lane::Ready(_) if held.is_empty() => (State::Running, held, String::new()),
                explore::Lane::Ready(_) => (State::Holding, held, String::new()),
                explore::Lane::Waits(op) => (State::Waiting, wanted(trace, op), held),
                explore::Lane::Asleep(condvar) => (State::Asleep, name(trace, condvar), held),
                explore::Lane::Panicked => (State::Broken, String::new(), String::new()),
                explore::Lane::Done => continue,
            };
            push(&mut lane.segments, Segment { from: at, to: at + 1, state, about, holds });
        }
    }
    picture
}

/// A run of real threads. The axis is microseconds.
#[must_use]
pub fn of_trace(title: &str, trace: &Trace) -> Picture {
    let last = trace.spans.iter().map(|span| span.took.unwrap_or(span.asked)).max().unwrap_or(0);
    let length = if trace.unit == Unit::Nanos { last / 1000 } else { last } + 1;
    let mut picture = Picture {
        title: title.to_owned(),
        unit: if trace.unit == Unit::Nanos { "µs" } else { "step" },
        length,
        lanes: lanes(trace),
        arrows: arrows(trace),
        verdict: verdict(trace, None),
        ..Picture::default()
    };
    for (thread, lane) in picture.lanes.iter_mut().enumerate() {
        lane.segments = stretches(trace, thread, length);
    }
    picture
}

fn time(trace: &Trace, at: u64) -> u64 {
    if trace.unit == Unit::Nanos { at / 1000 } else { at }
}

fn lanes(trace: &Trace) -> Vec<Lane> {
    let lane = |(thread, name): (ThreadId, &String)| {
        let marks = trace.spans.iter().filter(|span| span.thread == thread).filter_map(|span| {
            Some(Mark { at: time(trace, span.took?), text: told(trace, span), wrong: None })
        });
        Lane { name: name.clone(), segments: Vec::new(), marks: marks.collect() }
    };
    trace.threads.iter().enumerate().map(lane).collect()
}

/// What a span says: "locks items".
fn told(trace: &Trace, span: &Span) -> String {
    let whom = match span.op {
        Op::Spawn(id) | Op::Join(id) => trace.threads.get(id).cloned().unwrap_or_default(),
        op => op.object().map(|id| name(trace, id)).unwrap_or_default(),
    };
    let verb = span.op.verb();
    let seen = match span.op {
        Op::Pick { what, .. } if span.value.is_empty() => what.to_owned(),
        Op::Pick { what, of } => format!("{what}: {} (of {})", span.value, numbers(of)),
        Op::Read(_) | Op::Write(_) | Op::Update(_) if !span.value.is_empty() => {
            format!(": {}", span.value)
        }
        _ => String::new(),
    };
    format!("{verb} {whom}{seen}").trim_end().to_owned()
}

/// The numbers below this one, as chance has them to pick from.
fn numbers(of: u32) -> String {
    match of {
        2..=4 => (0..of).map(|number| number.to_string()).collect::<Vec<_>>().join(", "),
        of => format!("0 to {}", of.saturating_sub(1)),
    }
}

pub(super) fn name(trace: &Trace, id: ObjectId) -> String {
    trace.objects.get(id).map(|(_, name)| name.clone()).unwrap_or_default()
}

fn names(trace: &Trace, ids: &[ObjectId]) -> String {
    ids.iter().map(|&id| name(trace, id)).collect::<Vec<_>>().join(", ")
}

/// What a thread that waits for this operation waits for.
pub(super) fn wanted(trace: &Trace, op: Op) -> String {
    match op {
        Op::Relock { mutex, .. } => name(trace, mutex),
        Op::Join(id) => trace.threads.get(id).cloned().unwrap_or_default(),
        Op::Send(id) => format!("room in {}", name(trace, id)),
        Op::Receive(id) => format!("a value in {}", name(trace, id)),
        op => op.object().map(|id| name(trace, id)).unwrap_or_default(),
    }
}

/// Adds a stretch, to the one before it if that says the same.
fn push(segments: &mut Vec<Segment>, next: Segment) {
    match segments.last_mut() {
        Some(last)
            if last.to == next.from
                && last.state == next.state
                && last.about == next.about
                && last.holds == next.holds =>
        {
            last.to = next.to
        }
        _ if next.from < next.to => segments.push(next),
        _ => {}
    }
}

/// The mutexes a thread holds, as time goes on.
pub(super) struct Holds<'t> {
    spans: std::iter::Peekable<Box<dyn Iterator<Item = &'t Span> + 't>>,
    held: Vec<ObjectId>,
}

impl<'t> Holds<'t> {
    pub(super) fn new(trace: &'t Trace, thread: ThreadId) -> Self {
        let own: Box<dyn Iterator<Item = &'t Span>> = Box::new(
            trace.spans.iter().filter(move |span| span.thread == thread && span.took.is_some()),
        );
        Self { spans: own.peekable(), held: Vec::new() }
    }

    /// What it holds after the step of this number; ask for no earlier one later.
    pub(super) fn at(&mut self, at: u64) -> Vec<ObjectId> {
        while let Some(span) = self.spans.next_if(|span| span.took.is_some_and(|took| took <= at)) {
            change(&mut self.held, span.op);
        }
        self.held.clone()
    }
}

fn change(held: &mut Vec<ObjectId>, op: Op) {
    match op {
        Op::Lock(mutex) | Op::Relock { mutex, .. } => held.push(mutex),
        Op::Unlock(mutex) | Op::Wait { mutex, .. } => held.retain(|&other| other != mutex),
        _ => {}
    }
}

/// Nanoseconds from which on an operation of a real thread is drawn as a wait. In an unoptimized build one that nobody hinders has
/// been seen to take 13 µs, its first call the longest; one that sleeps in the system takes 30 and more.
const WAIT_MIN: u64 = 20_000;

/// Whether a real thread waited in this operation. The system does not say, so it is told by the time; and of a mutex by whether
/// another thread gave it back in between.
fn waited(trace: &Trace, span: &Span) -> bool {
    let gives = |other: &Span, mutex: ObjectId| match other.op {
        Op::Unlock(given) => given == mutex,
        Op::Wait { mutex: given, .. } => given == mutex,
        _ => false,
    };
    match span.op {
        Op::Lock(_) | Op::Acquire(_) | Op::Send(_) | Op::Receive(_) | Op::Join(_) => {}
        Op::Relock { .. } => return true,
        _ => return false,
    }
    let Some(took) = span.took else { return true };
    if took - span.asked >= WAIT_MIN {
        return true;
    }
    let Op::Lock(mutex) = span.op else { return false };
    // They are in the order in which they took place.
    let begin = trace.spans.partition_point(|other| other.took.is_some_and(|at| at <= span.asked));
    let during = trace.spans.iter().skip(begin);
    let during = during.take_while(|other| other.took.is_some_and(|at| at <= took));
    during.filter(|other| other.thread != span.thread).any(|other| gives(other, mutex))
}

fn stretches(trace: &Trace, thread: ThreadId, length: u64) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut held = Vec::new();
    let begins = |span: &&Span| matches!(span.op, Op::Spawn(id) if id == thread);
    let mut at = trace
        .spans
        .iter()
        .find(begins)
        .and_then(|span| span.took)
        .map_or(0, |took| time(trace, took));
    let runs = |from: u64, to: u64, held: &[ObjectId]| {
        let state = if held.is_empty() { State::Running } else { State::Holding };
        Segment { from, to, state, about: names(trace, held), holds: String::new() }
    };
    for span in trace.spans.iter().filter(|span| span.thread == thread) {
        let asked = time(trace, span.asked).max(at);
        push(&mut segments, runs(at, asked, &held));
        let took = span.took.map_or(length, |took| time(trace, took)).max(asked);
        if waited(trace, span) {
            let (state, about) = match span.op {
                Op::Relock { condvar, .. } => (State::Asleep, name(trace, condvar)),
                op => (State::Waiting, wanted(trace, op)),
            };
            let holds = names(trace, &held);
            push(&mut segments, Segment { from: asked, to: took, state, about, holds });
        } else {
            push(&mut segments, runs(asked, took, &held));
        }
        if span.took.is_some() {
            change(&mut held, span.op);
        }
        at = took;
    }
    segments
}

fn arrows(trace: &Trace) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for span in &trace.spans {
        let Some(at) = span.took.map(|took| time(trace, took)) else { continue };
        let mut to = |to: ThreadId, text: &str| {
            arrows.push(Arrow { since: at, at, from: span.thread, to, text: text.to_owned() });
        };
        match span.op {
            Op::Spawn(id) => to(id, "starts"),
            Op::NotifyOne(_) | Op::NotifyAll(_) => {
                span.wakes.iter().for_each(|&id| to(id, "wakes"))
            }
            _ => {}
        }
    }
    arrows
}

/// Cells, buffers and semaphores, as they change; what only threads can hold is in the lanes.
fn levels(trace: &Trace, moments: &[Moment]) -> Vec<Level> {
    let shown =
        [Kind::Shared, Kind::Atomic, Kind::Buffer, Kind::Semaphore, Kind::Mutex, Kind::Disk];
    let level = |(id, (kind, name)): (ObjectId, &(Kind, String))| {
        let mut changes: Vec<(u64, String)> = Vec::new();
        for (at, moment) in (0..).zip(moments) {
            let Some(value) = moment.values.get(id) else { continue };
            if changes.last().is_none_or(|(_, last)| last != value) {
                changes.push((at, value.clone()));
            }
        }
        let tells = shown.contains(kind)
            && changes.iter().any(|(_, value)| value != "()" && value != "held");
        // A list that never grows nor shrinks, such as the blocks of a disk, is not a level.
        let counts = Some(chart::counts(&changes)).filter(|counts| counts.len() > 1);
        let counts = counts.unwrap_or_default();
        let capacity = chart::capacity(id, &counts, moments);
        tells.then(|| Level { name: name.clone(), changes, counts, capacity, ..Level::default() })
    };
    trace.objects.iter().enumerate().filter_map(level).collect()
}

fn verdict(trace: &Trace, replay: Option<&Replay>) -> String {
    let thread = |id: &ThreadId| trace.threads.get(*id).map_or("?", String::as_str);
    match &trace.end {
        None => "it goes on".to_owned(),
        Some(End::Well) => "it ends well".to_owned(),
        Some(End::Panicked { thread: id, said }) => format!(
            "{} panics: {}",
            thread(id),
            said.lines().map(str::trim).collect::<Vec<_>>().join(", ")
        ),
        Some(End::Deadlock { circle, lost_wakeups }) => {
            match (circle.as_slice(), lost_wakeups.as_slice()) {
                ([one], _) => {
                    format!("a deadlock: {} waits for what it holds itself", thread(one))
                }
                ([one, other], _) => {
                    format!("a deadlock: {} and {} wait for each other", thread(one), thread(other))
                }
                ([all @ .., end], _) if !all.is_empty() => {
                    let all = all.iter().map(thread).collect::<Vec<_>>().join(", ");
                    format!("a deadlock: {all} and {} wait for one another", thread(end))
                }
                (_, []) => format!("a deadlock: nobody can go on{}", stuck(trace, replay)),
                (_, _) => format!("a lost wake-up: {}", lost(trace, replay)),
            }
        }
        Some(End::Starved { thread: id, steps }) => {
            format!("{} starves: it has waited through {steps} steps of others", thread(id))
        }
        Some(End::Bound) => "it did not end within the bound".to_owned(),
    }
}

/// Whose notification came too early.
fn lost(trace: &Trace, replay: Option<&Replay>) -> String {
    let sleepers = replay.map(|replay| replay.sleepers.iter()).into_iter().flatten();
    let told = sleepers.filter(|one| one.is_lost()).map(|one| {
        let thread = trace.threads.get(one.thread).map_or("?", String::as_str);
        let condvar = name(trace, one.condvar);
        format!("{condvar} was notified after {thread} had looked and before it slept")
    });
    told.collect::<Vec<_>>().join("; ")
}

/// Who waits for what, those apart who only wait for another thread's end.
fn stuck(trace: &Trace, replay: Option<&Replay>) -> String {
    let Some(replay) = replay else { return String::new() };
    let last = replay.moments.last();
    let joins = |wait: &Wait| {
        let stands = last.and_then(|last| last.lanes.get(wait.lane));
        matches!(stands, Some(explore::Lane::Waits(Op::Join(_))))
    };
    let told = |wait: Wait| Some(format!("; {} {}", trace.threads.get(wait.lane)?, wait.says));
    waits::of(replay).into_iter().filter(|wait| !joins(wait)).filter_map(told).collect()
}

/// The lanes in the circle of a deadlock.
fn circle(trace: &Trace) -> Vec<usize> {
    match &trace.end {
        Some(End::Deadlock { circle, .. }) => circle.clone(),
        _ => Vec::new(),
    }
}
