//! Real threads, with every operation written down as it happens: when it was asked for, and when it was had.
//!
//! Each thread writes into a list of its own, so that recording orders nothing that the program does not order itself, and touches
//! no memory that another thread writes. A clock is read twice for an operation, before it and after it, and once for what only ends
//! or begins something: giving a mutex back, falling asleep, starting a thread. What that costs is in the book's figures.

use crate::here::{self, RunId};
use crate::op::{Kind, ObjectId, Op, ThreadId};
use crate::quiet::{keep_quiet, said};
use crate::trace::{End, Span, Trace, Unit};
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Operations that are kept of one thread; more are counted and not kept.
const EVENTS_MAX: usize = 100_000;

/// A run of real threads that is being recorded. The program's threads hold one of its mutexes at a time; `record` holds `ended`
/// while `trace` reads, and `trace` holds `threads` while it takes the others one by one.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Never written again.
    run: RunId,
    /// Never written again; every pen counts its times from it.
    began: Instant,
    /// Written by whoever starts a thread, before that runs; read by `trace`.
    threads: Mutex<Vec<(String, Arc<Mutex<Lane>>)>>,
    /// Written by whoever makes an object; read by `trace`.
    objects: Mutex<Vec<(Kind, String)>>,
    /// Written once, by the first thread that panics; read by `trace`.
    panic: Mutex<Option<(ThreadId, String)>>,
    /// Set by the program's main thread at its end, which then rings `end`; `record` waits for it.
    ended: Mutex<bool>,
    /// Rung with `ended`.
    end: Condvar,
}

/// What one thread has done, and the operation it is in. Written by that thread alone, and read once, by `trace`, all under the
/// lane's own mutex: nobody else takes it while the program runs, so it never waits.
#[derive(Debug, Default)]
struct Lane {
    /// What it has had, in order; at most [`EVENTS_MAX`].
    events: Vec<Event>,
    /// What it has asked for and not had yet.
    waits: Option<(Op, u64, &'static Location<'static>)>,
    /// How many events were not kept.
    dropped: u64,
}

/// An operation as it is kept: small, because a thread writes one in a hundred nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Event {
    op: Op,
    asked: u64,
    took: u64,
    place: &'static Location<'static>,
}

/// A recorded thread's own end of the recording.
#[derive(Debug, Clone)]
pub(crate) struct Pen {
    recording: Arc<Recording>,
    id: ThreadId,
    lane: Arc<Mutex<Lane>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `program` on real threads, for at most this long, and returns what they did.
///
/// A program that has not ended by then, such as one in a deadlock, is left behind with its threads: Rust cannot end a thread
/// from outside. What it did until then is in the trace, with the operations that it waits for.
///
/// A panic of one of its threads is told by the trace, and not printed: the first call sets a hook for panics, which calls the one
/// that was there for every other thread.
///
/// # Panics
///
/// If the system cannot start a thread.
#[must_use]
pub fn record(program: fn(), limit: Duration) -> Trace {
    keep_quiet();
    let recording = Arc::new(Recording {
        run: RunId::new(),
        began: now(),
        threads: Mutex::default(),
        objects: Mutex::default(),
        panic: Mutex::default(),
        ended: Mutex::new(false),
        end: Condvar::new(),
    });
    let main = Pen::new(&recording, "main".to_owned());
    let body = move || {
        let ended = Arc::clone(&main.recording);
        main.write(program);
        *lock(&ended.ended) = true;
        ended.end.notify_all();
    };
    std::thread::Builder::new()
        .name("main".to_owned())
        .spawn(body)
        .expect("the system starts a thread");
    let ended = lock(&recording.ended);
    let (ended, _) = recording
        .end
        .wait_timeout_while(ended, limit, |ended| !*ended)
        .unwrap_or_else(PoisonError::into_inner);
    recording.trace(*ended)
}

/// The engine knows nothing of the product, so it has a door of its own to the clock.
#[expect(clippy::disallowed_methods, reason = "the product's clock is not the engine's")]
fn now() -> Instant {
    Instant::now()
}

impl Recording {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn trace(&self, ended: bool) -> Trace {
        let threads = lock(&self.threads);
        let (mut spans, mut dropped) = (Vec::new(), 0);
        for (thread, (_, lane)) in threads.iter().enumerate() {
            let lane = lock(lane);
            let had = lane
                .events
                .iter()
                .map(|event| (event.op, event.asked, Some(event.took), event.place));
            let waits = lane.waits.map(|(op, asked, place)| (op, asked, None, place));
            spans.extend(had.chain(waits).map(|parts| span(thread, parts)));
            dropped += lane.dropped;
        }
        spans.sort_by_key(|span| span.took.unwrap_or(u64::MAX));
        // Until the first operation there is nothing to see.
        let began = spans.iter().map(|span| span.asked).min().unwrap_or(0);
        for span in &mut spans {
            span.asked -= began;
            span.took = span.took.map(|took| took - began);
        }
        let end = match lock(&self.panic).clone() {
            Some((thread, said)) => End::Panicked { thread, said },
            None if ended => End::Well,
            None => End::Bound,
        };
        Trace {
            unit: Unit::Nanos,
            threads: threads.iter().map(|(name, _)| name.clone()).collect(),
            objects: lock(&self.objects).clone(),
            spans,
            end: Some(end),
            dropped,
        }
    }
}

fn span(
    thread: ThreadId,
    (op, asked, took, place): (Op, u64, Option<u64>, &'static Location<'static>),
) -> Span {
    Span { thread, op, asked, took, wakes: Vec::new(), value: String::new(), place }
}

impl Pen {
    fn new(recording: &Arc<Recording>, name: String) -> Self {
        let lane = Arc::<Mutex<Lane>>::default();
        let mut threads = lock(&recording.threads);
        threads.push((name, Arc::clone(&lane)));
        Self { recording: Arc::clone(recording), id: threads.len() - 1, lane }
    }

    /// A pen for a thread that this one starts.
    pub(crate) fn for_thread(&self, name: &str, place: &'static Location<'static>) -> Self {
        let pen = Self::new(&self.recording, name.to_owned());
        self.note(Op::Spawn(pen.id), place);
        pen
    }

    pub(crate) fn run(&self) -> RunId {
        self.recording.run
    }

    pub(crate) fn thread(&self) -> ThreadId {
        self.id
    }

    pub(crate) fn create(&self, kind: Kind, name: &str) -> ObjectId {
        let mut objects = lock(&self.recording.objects);
        objects.push((kind, name.to_owned()));
        objects.len() - 1
    }

    /// Runs the body of this pen's thread. A panic is written down, and goes on.
    pub(crate) fn write<R>(self, body: impl FnOnce() -> R) -> Option<R> {
        let (recording, id) = (Arc::clone(&self.recording), self.id);
        match panic::catch_unwind(AssertUnwindSafe(|| here::writing(self, body))) {
            Ok(value) => Some(value),
            Err(payload) => {
                lock(&recording.panic).get_or_insert((id, said(&*payload)));
                None
            }
        }
    }

    /// Notes what takes no time of its own.
    pub(crate) fn note(&self, op: Op, place: &'static Location<'static>) {
        let now = self.recording.now();
        lock(&self.lane).push(Event { op, asked: now, took: now, place });
    }

    /// Notes that its thread is in an operation, and since when.
    fn asks(&self, op: Op, place: &'static Location<'static>) -> u64 {
        let asked = self.recording.now();
        lock(&self.lane).waits = Some((op, asked, place));
        asked
    }

    fn took(&self, op: Op, asked: u64, place: &'static Location<'static>) {
        let took = self.recording.now();
        let mut lane = lock(&self.lane);
        lane.waits = None;
        lane.push(Event { op, asked, took, place });
    }
}

/// Does an operation, and writes it down with its two times if the calling thread is recorded.
pub(crate) fn perform<R>(op: Op, place: &'static Location<'static>, work: impl FnOnce() -> R) -> R {
    let asked = here::pen(|pen| pen.asks(op, place));
    let value = work();
    if let Some(asked) = asked {
        here::pen(|pen| pen.took(op, asked, place));
    }
    value
}

impl Lane {
    fn push(&mut self, event: Event) {
        if self.events.len() < EVENTS_MAX {
            self.events.push(event);
        } else {
            self.dropped += 1;
        }
    }
}
