//! From a run to a picture of it.

use super::{Arrow, Lane, Level, Mark, Picture, Segment, State, chart, waits};
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
        waits: waits::of(trace, replay.moments.last()),
        circle: circle(trace, replay.moments.last()),
        verdict: verdict(trace, replay.moments.last()),
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
        circle: circle(trace, None),
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
        Op::WriteBlock { block, .. } => return format!("writes block {block} of {whom}"),
        Op::ReadBlock { block, .. } => return format!("reads block {block} of {whom}"),
        Op::Pick { what, .. } if span.value.is_empty() => what.to_owned(),
        Op::Pick { what, of } => format!("{what}: {} of 0..{of}", span.value),
        Op::Read(_) | Op::Write(_) | Op::Update(_) if !span.value.is_empty() => {
            format!(": {}", span.value)
        }
        _ => String::new(),
    };
    format!("{verb} {whom}{seen}").trim_end().to_owned()
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
    for span in trace.spans.iter().filter(|span| span.thread == thread) {
        let state = if held.is_empty() { State::Running } else { State::Holding };
        let asked = time(trace, span.asked).max(at);
        let (about, holds) = (names(trace, &held), String::new());
        push(&mut segments, Segment { from: at, to: asked, state, about, holds });
        let took = span.took.map_or(length, |took| time(trace, took)).max(asked);
        let asleep = matches!(span.op, Op::Relock { .. });
        let state = if asleep { State::Asleep } else { State::Waiting };
        let about = if asleep {
            span.op.object().map(|id| name(trace, id)).unwrap_or_default()
        } else {
            wanted(trace, span.op)
        };
        let holds = names(trace, &held);
        push(&mut segments, Segment { from: asked, to: took, state, about, holds });
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
        tells.then(|| Level { name: name.clone(), changes, counts, capacity })
    };
    trace.objects.iter().enumerate().filter_map(level).collect()
}

fn verdict(trace: &Trace, last: Option<&Moment>) -> String {
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
            match (circle.is_empty(), lost_wakeups.is_empty()) {
                (false, _) => {
                    format!("a deadlock: {} wait for each other", list(circle.iter().map(thread)))
                }
                (true, false) => format!(
                    "a lost wake-up: {} was notified when nobody slept",
                    names(trace, lost_wakeups)
                ),
                (true, true) => {
                    format!("a deadlock: nobody can go on{}", stuck(trace, last))
                }
            }
        }
        Some(End::Starved { thread: id, steps }) => {
            format!("{} starves: it has waited through {steps} steps of others", thread(id))
        }
        Some(End::Bound) => "it did not end within the bound".to_owned(),
    }
}

/// Who waits for what, those apart who only wait for another thread's end.
fn stuck(trace: &Trace, last: Option<&Moment>) -> String {
    let lanes = last.map(|last| last.lanes.iter()).into_iter().flatten();
    let waits = lanes.zip(&trace.threads).filter_map(|(lane, thread)| match *lane {
        explore::Lane::Waits(Op::Join(_)) => None,
        explore::Lane::Waits(op) => Some(format!("{thread} waits for {}", wanted(trace, op))),
        explore::Lane::Asleep(id) => Some(format!("{thread} sleeps on {}", name(trace, id))),
        _ => None,
    });
    let waits = waits.collect::<Vec<_>>().join(", ");
    if waits.is_empty() { waits } else { format!("; {waits}") }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" and ")
}

/// The circle of a deadlock: each lane with what it waits for, which the next one holds.
fn circle(trace: &Trace, last: Option<&Moment>) -> Vec<(usize, String)> {
    let Some(End::Deadlock { circle, .. }) = &trace.end else { return Vec::new() };
    let about = |&id: &usize| {
        let lane = last.and_then(|moment| moment.lanes.get(id));
        let text = match lane {
            Some(&explore::Lane::Waits(op)) => wanted(trace, op),
            _ => String::new(),
        };
        (id, text)
    };
    circle.iter().map(about).collect()
}
