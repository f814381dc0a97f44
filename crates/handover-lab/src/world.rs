//! What the explorer knows of one execution: its threads, its objects, and which steps are possible. Which one is taken is
//! the search's to say.

use crate::effect::{Effect, digest};
use crate::here::RunId;
use crate::op::{Kind, ObjectId, Op, ThreadId};
use crate::trace::Span;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::rc::Rc;

/// The code of a thread.
pub(crate) type Body = Box<dyn FnOnce() + Send>;

/// What a step is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Granted,
    /// The buffer is closed: nothing went in or came out.
    Closed,
    /// What chance picked.
    Picked(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Standing {
    /// Between two steps: runs code of its own until it asks for the next one.
    Running,
    /// Asks for a step.
    Asks(Op),
    /// Sleeps on a condition, the mutex given back.
    Asleep {
        condvar: ObjectId,
        mutex: ObjectId,
    },
    Done,
    Panicked,
}

#[derive(Clone)]
pub(crate) struct Thread {
    pub(crate) name: Rc<str>,
    pub(crate) standing: Standing,
    pub(crate) place: &'static Location<'static>,
    /// When it asked for the step it waits for.
    pub(crate) asked: u64,
    /// Everything the thread has learnt, as a hash: a deterministic thread with the same history is in the same state.
    pub(crate) history: u128,
    /// What it never forgets: what its maker had learnt when it started it, and the numbers of what it has made.
    pub(crate) origin: u128,
    /// In how many states in a row it could not have what it asks for, or slept; counted only where patience is bounded.
    pub(crate) blocked: usize,
    /// Has yielded, and nobody else has taken a step since.
    pub(crate) yielded: bool,
    pub(crate) answer: Answer,
    /// The object of the step that it was granted, as a hash: its code looks at nothing else.
    pub(crate) finds: u128,
    /// At which step it looked last at what is shared. As the next, it tells how a deadlock came about, and no state from another.
    pub(crate) looked: u64,
    /// Whether that was in its own last step.
    pub(crate) looks: bool,
    /// Is being unwound by a panic, after the execution was over.
    pub(crate) unwinds: bool,
}

/// What tells a state of it from others: the rest follows from this, or is only told.
impl Hash for Thread {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.history, self.standing, self.yielded, self.blocked).hash(hasher);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// A cell or an atomic.
    Cell,
    Mutex {
        owner: Option<ThreadId>,
        /// A holder has panicked, and nobody has cleared the mark.
        poisoned: bool,
    },
    Condvar {
        asleep: Vec<ThreadId>,
    },
    Semaphore {
        places: usize,
    },
    Buffer {
        len: usize,
        capacity: usize,
        closed: bool,
    },
    /// How many contents of each block may survive a power cut: the durable one, and each written since.
    Disk {
        versions: Vec<u32>,
    },
}

#[derive(Debug, Clone, PartialEq, Hash)]
pub(crate) struct Thing {
    pub(crate) kind: Kind,
    pub(crate) name: Rc<str>,
    pub(crate) state: State,
    /// The value as its `Debug` writes it.
    pub(crate) value: Rc<str>,
}

impl Thing {
    /// What it holds, with the mark of a panic.
    pub(crate) fn told(&self) -> String {
        let mark = match self.state {
            State::Mutex { poisoned: true, .. } => " poisoned",
            _ => "",
        };
        format!("{}{mark}", self.value)
    }
}

/// The code of threads, in the one world that runs it.
#[derive(Default)]
pub(crate) struct Code {
    /// Of threads that are to begin.
    pub(crate) unborn: Vec<(ThreadId, Body)>,
    /// What the coroutine that runs next is to take.
    pub(crate) begins: Option<Body>,
    /// The coroutine that ran has come to the end of its body.
    pub(crate) ended: bool,
}

/// One possible next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Choice {
    /// Whose step it is.
    pub thread: ThreadId,
    /// Whom it wakes, where that is a choice; or that it is a wake-up without any notification.
    pub wake: Wake,
}

/// What else is chosen with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Wake {
    /// Nothing else.
    None,
    /// The sleeper that the notification wakes.
    Notified(ThreadId),
    /// The thread wakes although nobody notified it, which std permits.
    Spurious,
    /// What chance picks, from 0: a number, or which of a disk's possible contents survives.
    Picked(u32),
}

pub(crate) struct World {
    /// Of which execution; a copy is of the same.
    pub(crate) run: RunId,
    pub(crate) threads: Vec<Thread>,
    pub(crate) things: Vec<Thing>,
    pub(crate) current: ThreadId,
    /// Threads that are to begin.
    pub(crate) births: VecDeque<ThreadId>,
    pub(crate) code: Code,
    /// What the current thread did since its step was granted, if that is to be kept.
    pub(crate) effects: Option<Vec<Effect>>,
    /// Steps taken.
    pub(crate) now: u64,
    /// What happened, if somebody wants to look at it.
    pub(crate) spans: Option<Vec<Span>>,
    /// The execution is over, and its threads are only being taken down.
    pub(crate) abandoned: bool,
    pub(crate) spurious_left: u32,
    /// The most steps of others that a thread waits through, if that is bounded.
    pub(crate) patience: Option<usize>,
    /// The first panic: who, and what it said.
    pub(crate) panic: Option<(ThreadId, String)>,
}

impl World {
    /// A world in which the program's main thread is about to begin.
    #[track_caller]
    pub(crate) fn new(spurious: u32, patience: Option<usize>) -> Self {
        let mut world = Self {
            run: RunId::new(),
            threads: Vec::new(),
            things: Vec::new(),
            current: 0,
            births: VecDeque::new(),
            code: Code::default(),
            effects: None,
            now: 0,
            spans: None,
            abandoned: false,
            spurious_left: spurious,
            patience,
            panic: None,
        };
        world.does(Effect::Spawns("main".into(), Location::caller()));
        world
    }

    /// A copy to change by effects alone: the code of threads that are to begin cannot be copied, and stays here.
    pub(crate) fn without_code(&self) -> Self {
        Self {
            run: self.run,
            threads: self.threads.clone(),
            things: self.things.clone(),
            current: self.current,
            births: self.births.clone(),
            code: Code::default(),
            effects: self.effects.clone(),
            now: self.now,
            spans: self.spans.clone(),
            abandoned: self.abandoned,
            spurious_left: self.spurious_left,
            patience: self.patience,
            panic: self.panic.clone(),
        }
    }

    pub(crate) fn spawn(
        &mut self,
        name: &str,
        body: Body,
        place: &'static Location<'static>,
    ) -> ThreadId {
        let id = self.threads.len();
        self.code.unborn.push((id, body));
        self.does(Effect::Spawns(name.into(), place));
        id
    }

    pub(crate) fn create(
        &mut self,
        kind: Kind,
        state: State,
        value: &dyn Debug,
        name: &str,
    ) -> ObjectId {
        let value = format!("{value:?}").into();
        self.does(Effect::Creates(Thing { kind, name: name.into(), state, value }));
        self.things.len() - 1
    }

    /// The objects' kinds and names, by number.
    pub(crate) fn objects(&self) -> Vec<(Kind, String)> {
        self.things.iter().map(|thing| (thing.kind, thing.name.to_string())).collect()
    }

    /// Records what belongs to the step of the current thread.
    pub(crate) fn note(&mut self, op: Op, place: &'static Location<'static>) {
        self.record(op, self.now, place);
    }

    fn record(&mut self, op: Op, asked: u64, place: &'static Location<'static>) {
        let (thread, took) = (self.current, Some(self.now));
        if let Some(spans) = &mut self.spans {
            spans.push(Span {
                thread,
                op,
                asked,
                took,
                wakes: Vec::new(),
                value: String::new(),
                place,
            });
        }
    }

    /// Adds to everything that the last step did what its object holds now, also where a lock was given back after it.
    pub(crate) fn shows_value(&mut self) {
        let now = self.now;
        let step = self.spans.iter_mut().flatten().rev().take_while(|span| span.took == Some(now));
        for span in step.filter(|span| span.value.is_empty()) {
            if let Some(id) = span.op.object() {
                span.value = self.things[id].told();
            }
        }
    }

    pub(crate) fn answer(&self) -> Answer {
        self.threads[self.current].answer
    }

    /// Every step that can be taken now, in a fixed order.
    pub(crate) fn choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        self.gather(&mut choices, false);
        if choices.iter().all(|choice| choice.wake == Wake::Spurious) {
            // Everybody who could go on has yielded to everybody else.
            choices.clear();
            self.gather(&mut choices, true);
        }
        choices
    }

    /// Whether there is a step that can be taken now. A wake-up that nobody asked for is none: it may come, and need not.
    pub(crate) fn can_go_on(&self) -> bool {
        self.threads.iter().any(|thread| match thread.standing {
            Standing::Asks(Op::Join(_)) => false,
            Standing::Asks(op) => self.possible(op),
            _ => false,
        })
    }

    fn gather(&self, choices: &mut Vec<Choice>, yielded: bool) {
        for (id, thread) in self.threads.iter().enumerate() {
            match thread.standing {
                // Nobody can tell whether a join came at once or later: it is no choice.
                Standing::Asks(Op::Join(_)) => {}
                Standing::Asks(op) if (yielded || !thread.yielded) && self.possible(op) => match op
                {
                    Op::NotifyOne(condvar) => self.gather_wakes(choices, id, condvar),
                    Op::Pick { of, .. } => gather_picks(choices, id, of),
                    Op::Cut(disk) => gather_picks(choices, id, self.contents(disk)),
                    _ => choices.push(Choice { thread: id, wake: Wake::None }),
                },
                Standing::Asleep { .. } if self.spurious_left > 0 => {
                    choices.push(Choice { thread: id, wake: Wake::Spurious });
                }
                _ => {}
            }
        }
    }

    fn gather_wakes(&self, choices: &mut Vec<Choice>, thread: ThreadId, condvar: ObjectId) {
        let State::Condvar { asleep } = &self.things[condvar].state else { return };
        if asleep.is_empty() {
            choices.push(Choice { thread, wake: Wake::None });
        }
        choices.extend(asleep.iter().map(|&id| Choice { thread, wake: Wake::Notified(id) }));
    }

    /// How many contents of a disk may survive a power cut now.
    pub(crate) fn contents(&self, disk: ObjectId) -> u32 {
        let State::Disk { versions } = &self.things[disk].state else { return 1 };
        versions.iter().fold(1, |product: u32, &count| product.saturating_mul(count))
    }

    /// Whether this step can be taken now, or has to wait.
    pub(crate) fn possible(&self, op: Op) -> bool {
        match op {
            Op::Lock(mutex) | Op::Relock { mutex, .. } => {
                matches!(self.things[mutex].state, State::Mutex { owner: None, .. })
            }
            Op::Acquire(id) => !matches!(self.things[id].state, State::Semaphore { places: 0 }),
            Op::Send(id) => match self.things[id].state {
                State::Buffer { len, capacity, closed } => closed || len < capacity,
                _ => true,
            },
            Op::Receive(id) => match self.things[id].state {
                State::Buffer { len, closed, .. } => closed || len > 0,
                _ => true,
            },
            Op::Join(id) => {
                matches!(self.threads[id].standing, Standing::Done | Standing::Panicked)
            }
            _ => true,
        }
    }

    /// Takes a step. True if its thread goes on; false if it now sleeps, or has only been woken.
    pub(crate) fn take(&mut self, choice: Choice) -> bool {
        let id = choice.thread;
        self.current = id;
        for (other, thread) in self.threads.iter_mut().enumerate() {
            thread.yielded &= other == id;
        }
        if choice.wake == Wake::Spurious {
            let Standing::Asleep { condvar, .. } = self.threads[id].standing else { return false };
            self.spurious_left -= 1;
            self.now += 1;
            self.note(Op::Wake(condvar), self.threads[id].place);
            self.wake(id);
            return false;
        }
        let Standing::Asks(op) = self.threads[id].standing else { return false };
        self.now += 1;
        let (asked, place) = (self.threads[id].asked, self.threads[id].place);
        self.record(op, asked, place);
        self.learns(digest(op));
        self.threads[id].finds = self.finds(op);
        self.threads[id].looks = false;
        let mut answer = Answer::Granted;
        match op {
            Op::Lock(mutex) | Op::Relock { mutex, .. } => {
                self.owns(mutex, Some(id));
            }
            Op::Wait { condvar, mutex } => {
                self.owns(mutex, None);
                if let State::Condvar { asleep } = &mut self.things[condvar].state {
                    asleep.push(id);
                }
                self.threads[id].standing = Standing::Asleep { condvar, mutex };
                return false;
            }
            Op::NotifyOne(condvar) | Op::NotifyAll(condvar) => {
                self.notify(condvar, op, choice.wake)
            }
            Op::Acquire(sem) => {
                if let State::Semaphore { places } = &mut self.things[sem].state {
                    *places -= 1;
                }
            }
            Op::Release(sem) => self.release(sem),
            Op::Send(buffer) | Op::Receive(buffer) | Op::Close(buffer) => {
                answer = self.hand_over(buffer, op)
            }
            Op::Pick { .. } | Op::Cut(_) => answer = self.picked(choice.wake),
            Op::Yield => self.threads[id].yielded = true,
            _ => {}
        }
        let thread = &mut self.threads[id];
        thread.answer = answer;
        thread.standing = Standing::Running;
        true
    }

    /// Does for the current thread, in the midst of its step, what waits for nobody and tells it nothing.
    pub(crate) fn at_once(&mut self, op: Op, place: &'static Location<'static>) {
        self.note(op, place);
        self.learns(digest(op));
        match op {
            Op::NotifyAll(condvar) => self.notify(condvar, op, Wake::None),
            Op::Release(sem) => self.release(sem),
            Op::Close(buffer) => {
                self.hand_over(buffer, op);
            }
            _ => {}
        }
    }

    fn release(&mut self, sem: ObjectId) {
        if let State::Semaphore { places } = &mut self.things[sem].state {
            *places += 1;
        }
    }

    /// What a thread that is granted this finds.
    fn finds(&self, op: Op) -> u128 {
        let object = match op {
            Op::Relock { mutex, .. } => Some(mutex),
            op => op.object(),
        };
        object.map_or(0, |id| {
            let Thing { value, state, .. } = &self.things[id];
            digest((value, matches!(state, State::Mutex { poisoned: true, .. })))
        })
    }

    fn owns(&mut self, mutex: ObjectId, holder: Option<ThreadId>) {
        if let State::Mutex { owner, .. } = &mut self.things[mutex].state {
            *owner = holder;
        }
    }

    /// The next thread that goes on without a choice, made the current one: it begins, or whom it waited for has ended.
    pub(crate) fn free(&mut self) -> Option<ThreadId> {
        let begins = self.births.pop_front();
        self.current = begins.or_else(|| self.join())?;
        Some(self.current)
    }

    /// Lets a thread go on that waits for the end of one that has ended; which, if there is one.
    fn join(&mut self) -> Option<ThreadId> {
        let joins = |thread: &Thread| matches!(thread.standing, Standing::Asks(op @ Op::Join(_)) if self.possible(op));
        let id = self.threads.iter().position(joins)?;
        let Standing::Asks(op @ Op::Join(other)) = self.threads[id].standing else { return None };
        self.current = id;
        let (asked, place) = (self.threads[id].asked, self.threads[id].place);
        self.record(op, asked, place);
        // What the thread returned is told by what it had learnt.
        self.learns(digest((op, self.threads[other].history)));
        self.threads[id].standing = Standing::Running;
        Some(id)
    }

    /// Adds to the step what chance picked.
    fn picked(&mut self, wake: Wake) -> Answer {
        let Wake::Picked(number) = wake else { return Answer::Picked(0) };
        if let Some(span) = self.spans.as_mut().and_then(|spans| spans.last_mut()) {
            span.value = number.to_string();
        }
        Answer::Picked(number)
    }

    /// Counts who is blocked in this state, where patience is bounded.
    pub(crate) fn waits(&mut self) {
        if self.patience.is_none() {
            return;
        }
        for id in 0..self.threads.len() {
            let blocked = match self.threads[id].standing {
                // Waiting for a thread's end is no wish for something that others have.
                Standing::Asks(Op::Join(_)) => false,
                Standing::Asks(op) => !self.possible(op),
                Standing::Asleep { .. } => true,
                _ => false,
            };
            let thread = &mut self.threads[id];
            thread.blocked = if blocked { thread.blocked + 1 } else { 0 };
        }
    }

    /// Who has lost patience: in all states since its own last step, and those are one more than steps of others.
    pub(crate) fn starved(&self) -> Option<(ThreadId, usize)> {
        let patience = self.patience?;
        let starved = self.threads.iter().position(|thread| thread.blocked > patience)?;
        Some((starved, patience))
    }

    fn hand_over(&mut self, buffer: ObjectId, op: Op) -> Answer {
        let State::Buffer { len, closed, .. } = &mut self.things[buffer].state else {
            return Answer::Granted;
        };
        match op {
            Op::Close(_) => *closed = true,
            Op::Send(_) if *closed => return Answer::Closed,
            Op::Receive(_) if *len == 0 => return Answer::Closed,
            Op::Send(_) => *len += 1,
            _ => *len -= 1,
        }
        Answer::Granted
    }

    fn notify(&mut self, condvar: ObjectId, op: Op, wake: Wake) {
        let State::Condvar { asleep } = &mut self.things[condvar].state else { return };
        let woken = match (op, wake) {
            (Op::NotifyAll(_), _) => std::mem::take(asleep),
            (_, Wake::Notified(id)) => vec![id],
            _ => vec![],
        };
        for &id in &woken {
            self.wake(id);
        }
        if let Some(span) = self.spans.as_mut().and_then(|spans| spans.last_mut()) {
            span.wakes = woken;
        }
    }

    fn wake(&mut self, id: ThreadId) {
        let Standing::Asleep { condvar, mutex } = self.threads[id].standing else { return };
        if let State::Condvar { asleep } = &mut self.things[condvar].state {
            asleep.retain(|&other| other != id);
        }
        let now = self.now;
        let thread = &mut self.threads[id];
        thread.standing = Standing::Asks(Op::Relock { condvar, mutex });
        thread.asked = now;
    }

    /// What tells this state from others, in 128 bits: the threads by what they have learnt, the objects by what they hold.
    pub(crate) fn key(&self) -> u128 {
        // Things by number: two threads that make one each in either order lead to two states, so that a number means the same
        // on every way to a state.
        digest((self.spurious_left, &self.threads, &self.things))
    }
}

fn gather_picks(choices: &mut Vec<Choice>, thread: ThreadId, of: u32) {
    choices.extend((0..of).map(|number| Choice { thread, wake: Wake::Picked(number) }));
}
