//! Exercise 16: the unisex bathroom. Two parties who exclude each other, a bound on how many, and a line in which nobody is
//! overtaken.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Atomic, Condvar, Mutex, Semaphore};
use handover_lab::thread;
use std::collections::VecDeque;
use std::sync::Arc;

const FILE: &str = include_str!("16_bathroom.rs");

/// The exercise.
pub(crate) static LESSON: Lesson = Lesson {
    number: 16,
    name: "bathroom",
    line: "two parties, never together, and neither waits for ever",
    question: "\
A small house has one bathroom with two places, for women and for men. Who goes in when?

Four things are asked. Women and men are never inside together. Two women, or two men, can be: both places are of use. There \
are never more than two. And nobody waits for ever: not for others who keep coming, and not for somebody who does not come.

That both places are of use is a possibility. No assertion asks for it, and one mutex for all would be proven right. So ask \
it the other way round, as in exercise 14: an assertion that there are never two inside must be proven wrong. And let some \
come more often than once: where each comes once, a rule that is not fair may pass too.

The bathroom is told here as in Downey's Little Book of Semaphores, where it has three places; Andrews (2000) has nearly the \
same with four. It is readers and writers with two kinds of readers, and with a bound.",
    hint: Some(
        "What keeps one party out while the other one is inside cannot also say who is next: find a second thing for that. A \
         line at the door says it, and makes nobody wait for somebody who is not there. Who stands at its head, and may not \
         go in yet, stays there; so who comes later stays behind.",
    ),
    challenge: "Let Ann and Bob go in together.",
    programs: &[
        Program::wrong(
            "looks_first",
            looks_first,
            FILE,
            "Ann waits until she sees no man inside, Bob until he sees no woman. Each looks, then goes in. Two steps, once \
             more.",
        ),
        Program::wrong(
            "place_last",
            place_last,
            FILE,
            "The first woman would close the room for men, and the last one would open it again; so women count themselves \
             under a mutex, as in exercise 14. The places are counted by a semaphore. The third woman waits for a place with \
             the mutex in her hand, and those inside need it to go out. The men are left out, since it goes wrong without \
             them.",
        ),
        Program::wrong(
            "who_fits",
            who_fits,
            FILE,
            "A monitor, as in lesson 06: one lock, and nobody keeps it while waiting. Who belongs to the party that is \
             inside goes in, and who does not sleeps until the room is empty. Two women are enough to keep it from ever \
             being empty, and Bob starves: 10 steps of others, and he could go on after none of them. (With two women the \
             bound need not be kept.)",
        )
        .patience(10),
        Program::wrong(
            "by_turns",
            by_turns,
            FILE,
            "So that neither party keeps the other one out, they take turns: when the room is empty again, it is the others' \
             turn. The men begin. Look at what Eve waits for at the end, and who could do it.",
        ),
        Program::right(
            "in_line",
            in_line,
            FILE,
            "Everybody joins a line. Whoever changes something, by coming or by going, calls those at its head, as long as \
             there is a place for their party. Nobody is overtaken, so nobody waits for more than those who came before. \
             Women come six times in all, as above, and now there are three of them for two places; the same patience of 10 \
             steps is enough, which is proven with the rest. The price: a place stays empty while women are inside and a man \
             stands at the head of the line. That each waits for a semaphore of their own, which is released by whoever finds \
             that their turn has come, is Dijkstra's (private semaphores, 1968).",
        )
        .patience(10),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover-buffer/src/line.rs",
            symbol: "pub(crate) fn new_ticket",
            says: "Who waits for room or for items in handover's buffer waits in a line of tickets, and is woken in the \
                   order of arrival.",
        },
        Place {
            file: "crates/handover/src/memory/state.rs",
            symbol: "queue.senders.is_empty()",
            says: "A batch that would find room waits all the same while others wait for it already. Otherwise small batches \
                   could keep a large one out for ever.",
        },
    ],
};

// begin: looks_first
/// Wrong: looks whether the others are inside, then goes in.
fn looks_first() {
    let women = Arc::new(Atomic::new("women", 0));
    let men = Arc::new(Atomic::new("men", 0));
    let parties = [("ann", &women, &men), ("bob", &men, &women)];
    let people = parties.map(|(name, own, others)| {
        let (own, others) = (Arc::clone(own), Arc::clone(others));
        thread::spawn(name, move || {
            while others.load() > 0 {
                thread::yield_now();
            }
            own.update(|inside| inside + 1);
            assert!(others.load() == 0, "{name} is not alone");
            own.update(|inside| inside - 1);
        })
    });
    for person in people {
        person.join();
    }
}
// end: looks_first

// begin: place_last
/// Wrong: waits for a place with the mutex that those inside need to go out.
fn place_last() {
    let women = Arc::new(Mutex::new("women", 0));
    let places = Arc::new(Semaphore::new("places", 2));
    let people = ["ann", "eve", "kim"].map(|name| {
        let (women, places) = (Arc::clone(&women), Arc::clone(&places));
        thread::spawn(name, move || {
            let mut inside = women.lock();
            *inside += 1; // the first one closes the room for men
            places.acquire();
            drop(inside);
            let mut inside = women.lock();
            *inside -= 1; // the last one opens it
            drop(inside);
            places.release();
        })
    });
    for person in people {
        person.join();
    }
}
// end: place_last

// begin: who_fits
/// Which party is inside, and how many of it.
struct Parties {
    room: Mutex<(&'static str, u32)>,
    empty: Condvar,
}

impl Parties {
    fn enter(&self, party: &'static str) {
        let mut room = self.room.lock();
        while room.1 > 0 && room.0 != party {
            room = self.empty.wait(room);
        }
        *room = (party, room.1 + 1);
    }
    fn leave(&self) {
        let mut room = self.room.lock();
        room.1 -= 1;
        if room.1 == 0 {
            self.empty.notify_all();
        }
    }
}

/// Wrong: who fits goes in, also before those who have waited for long.
fn who_fits() {
    let room = Mutex::new("room", ("nobody", 0));
    let parties = Arc::new(Parties { room, empty: Condvar::new("empty") });
    let people = [("ann", 3), ("eve", 3), ("bob", 1)];
    let people = people.map(|(name, visits)| {
        let parties = Arc::clone(&parties);
        let party = if name == "bob" { "men" } else { "women" };
        thread::spawn(name, move || {
            for _visit in thread::rounds(visits) {
                parties.enter(party);
                parties.leave();
            }
        })
    });
    for person in people {
        person.join();
    }
}
// end: who_fits

// begin: by_turns
/// Wrong: waits for the others to have had their turn.
fn by_turns() {
    let his_turn = Arc::new(Semaphore::new("his turn", 1));
    let her_turn = Arc::new(Semaphore::new("her turn", 0));
    let women = Arc::new(Mutex::new("women", 0));
    let bob = thread::spawn("bob", {
        let her_turn = Arc::clone(&her_turn);
        let his_turn = Arc::clone(&his_turn);
        move || {
            his_turn.acquire();
            her_turn.release(); // he was the only man inside
        }
    });
    let women = ["ann", "eve"].map(|name| {
        let her_turn = Arc::clone(&her_turn);
        let his_turn = Arc::clone(&his_turn);
        let women = Arc::clone(&women);
        thread::spawn(name, move || {
            let mut inside = women.lock();
            *inside += 1;
            if *inside == 1 {
                her_turn.acquire(); // the first one
            }
            drop(inside);
            let mut inside = women.lock();
            *inside -= 1;
            if *inside == 0 {
                his_turn.release(); // the last one
            }
        })
    });
    bob.join();
    for woman in women {
        woman.join();
    }
}
// end: by_turns

// begin: in_line
/// Which party is inside, how many, and who stands in line.
#[derive(Debug)]
struct Room {
    party: &'static str,
    inside: u32,
    line: VecDeque<(usize, &'static str)>,
}
struct Door {
    room: Mutex<Room>,
    calls: [Semaphore; 4],
}

impl Door {
    fn visit(&self, person: usize, party: &'static str) {
        let mut room = self.room.lock();
        room.line.push_back((person, party));
        self.let_in(&mut room);
        drop(room);
        self.calls[person].acquire();
        let mut room = self.room.lock();
        assert!(room.party == party && room.inside <= 2, "not allowed");
        room.inside -= 1;
        self.let_in(&mut room);
    }

    /// Calls those at the head of the line for whom there is a place.
    fn let_in(&self, room: &mut Room) {
        while let Some(&(person, party)) = room.line.front() {
            let same = room.inside == 0 || room.party == party;
            if !same || room.inside == 2 {
                return; // and nobody from behind is called
            }
            room.line.pop_front();
            (room.party, room.inside) = (party, room.inside + 1);
            self.calls[person].release();
        }
    }
}

/// Right: who changes something calls who is first in line.
fn in_line() {
    let room = Room { party: "none", inside: 0, line: VecDeque::new() };
    let room = Mutex::new("room", room);
    let calls = [0, 1, 2, 3].map(|n| Semaphore::new(&format!("call {n}"), 0));
    let door = Arc::new(Door { room, calls });
    let people = [(0, "ann", 3), (1, "eve", 2), (2, "kim", 1), (3, "bob", 1)];
    let people = people.map(|(person, name, visits)| {
        let door = Arc::clone(&door);
        let party = if name == "bob" { "men" } else { "women" };
        thread::spawn(name, move || {
            for _visit in thread::rounds(visits) {
                door.visit(person, party);
            }
        })
    });
    for person in people {
        person.join();
    }
}
// end: in_line
