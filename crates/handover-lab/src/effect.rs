//! What a thread's own code changes between two of its steps. It is put down in a list, so that it need be run only once: a thread
//! that has learnt the same does the same, and another world is changed by going through the list.

use crate::op::{ObjectId, Op, ThreadId};
use crate::world::{Answer, Standing, State, Thing, Thread, World};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::Location;
use std::rc::Rc;

type Place = &'static Location<'static>;

/// One thing that the current thread does to its world.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Asks for its next step.
    Asks(Op, Place),
    /// Looks at what is shared: at a cell, or through a guard. It tells when, and not what.
    Looks,
    /// Has seen a value, and may act on it from here on.
    Learns(u128),
    /// Carries on nothing but this from what it has learnt.
    ForgetsAllBut(u128),
    Creates(Thing),
    /// Starts a thread of this name.
    Spawns(Rc<str>, Place),
    /// Gives a mutex back, with this value; poisoned or not.
    Unlocks(ObjectId, Rc<str>, bool, Place),
    ClearsPoison(ObjectId),
    /// An object has this value from now on.
    Holds(ObjectId, Rc<str>),
    Becomes(ObjectId, State),
    /// Does this while it panics.
    AtOnce(Op, Place),
    /// Has panicked and said this, and is left in the midst of it.
    Leaves(String),
    /// Has ended, or panicked and said this.
    Ends(Option<String>),
}

/// All that the code of a thread depends on from one step to the next: who it is, what it has learnt, and what it finds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cue {
    thread: ThreadId,
    history: u128,
    answer: Answer,
    /// The object of the step, as a hash.
    finds: u128,
    /// What it makes now gets these numbers.
    next: (ThreadId, ObjectId),
}

/// A hash of this in 128 bits, so that among millions of states no two are taken for the same by chance.
pub(crate) fn digest(value: impl Hash) -> u128 {
    let half = |seed: u64| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        value.hash(&mut hasher);
        hasher.finish()
    };
    u128::from(half(1)) << 64 | u128::from(half(2))
}

impl World {
    /// On what the current thread's code depends from here to its next step.
    pub(crate) fn cue(&self) -> Cue {
        let thread = &self.threads[self.current];
        Cue {
            thread: self.current,
            history: thread.history,
            answer: thread.answer,
            finds: thread.finds,
            next: (self.threads.len(), self.things.len()),
        }
    }

    /// The current thread does this, and it is put down where that is wanted.
    pub(crate) fn does(&mut self, effect: Effect) {
        self.change(&effect);
        if matches!(self.effects.as_deref(), Some([.., Effect::Looks])) && effect == Effect::Looks {
            return;
        }
        if let Some(effects) = &mut self.effects {
            effects.push(effect);
        }
    }

    /// Does to this world what the current thread once did to another.
    pub(crate) fn change(&mut self, effect: &Effect) {
        match effect {
            Effect::Asks(op, place) => self.asks(*op, place),
            Effect::Looks => {
                let now = self.now;
                let thread = &mut self.threads[self.current];
                (thread.looked, thread.looks) = (now, true);
            }
            Effect::Learns(value) => self.learns(*value),
            Effect::ForgetsAllBut(value) => {
                let thread = &mut self.threads[self.current];
                thread.history = digest((thread.origin, value));
            }
            Effect::Creates(thing) => {
                let number = self.things.len();
                self.things.push(thing.clone());
                self.knows_for_good(number);
            }
            Effect::Spawns(name, place) => self.spawns(name, place),
            Effect::Unlocks(mutex, value, poisoned, place) => {
                self.note(Op::Unlock(*mutex), place);
                let thing = &mut self.things[*mutex];
                thing.state = State::Mutex { owner: None, poisoned: *poisoned };
                thing.value = Rc::clone(value);
            }
            Effect::ClearsPoison(mutex) => {
                if let State::Mutex { poisoned, .. } = &mut self.things[*mutex].state {
                    *poisoned = false;
                }
            }
            Effect::Holds(id, value) => self.things[*id].value = Rc::clone(value),
            Effect::Becomes(id, state) => self.things[*id].state = state.clone(),
            Effect::AtOnce(op, place) => self.at_once(*op, place),
            Effect::Leaves(said) => {
                self.threads[self.current].unwinds = true;
                self.ends(Some(said));
            }
            Effect::Ends(panicked) => self.ends(panicked.as_ref()),
        }
    }

    fn asks(&mut self, op: Op, place: Place) {
        let (current, now) = (self.current, self.now);
        let thread = &mut self.threads[current];
        thread.standing = Standing::Asks(op);
        thread.place = place;
        thread.asked = now;
    }

    pub(crate) fn learns(&mut self, value: u128) {
        let thread = &mut self.threads[self.current];
        thread.history = digest((thread.history, value));
    }

    /// Whether the current thread is being unwound, after the end.
    pub(crate) fn current_unwinds(&self) -> bool {
        self.threads[self.current].unwinds
    }

    pub(crate) fn unwinds_current(&mut self) {
        self.threads[self.current].unwinds = true;
    }

    /// All that the current thread has learnt, as a hash.
    pub(crate) fn history(&self) -> u128 {
        self.threads.get(self.current).map_or(0, |thread| thread.history)
    }

    /// The number of something that the current thread has made: it goes on using it, whatever else it forgets.
    fn knows_for_good(&mut self, number: usize) {
        if let Some(thread) = self.threads.get_mut(self.current) {
            thread.origin = digest((thread.origin, number));
        }
    }

    fn spawns(&mut self, name: &Rc<str>, place: Place) {
        let id = self.threads.len();
        // What its maker had learnt, its code may carry; and its maker may start several alike.
        let maker = self.threads.get(self.current);
        let origin = maker.map_or(0, |maker| digest((id, maker.history, maker.origin)));
        // Spawning is no choice: until its first own step the new thread cannot be told from one not yet started.
        if id > 0 {
            self.note(Op::Spawn(id), place);
            self.knows_for_good(id);
        }
        self.threads.push(Thread {
            name: Rc::clone(name),
            standing: Standing::Running,
            place,
            asked: self.now,
            history: origin,
            origin,
            blocked: 0,
            yielded: false,
            answer: Answer::Granted,
            finds: 0,
            looked: 0,
            looks: false,
            unwinds: false,
        });
        self.births.push_back(id);
    }

    fn ends(&mut self, panicked: Option<&String>) {
        let current = self.current;
        self.threads[current].standing = match panicked {
            Some(said) => {
                self.panic.get_or_insert_with(|| (current, said.clone()));
                Standing::Panicked
            }
            None => Standing::Done,
        };
    }
}
