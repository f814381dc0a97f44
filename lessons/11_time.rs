//! Lesson 11: time. Whose clock ends a lease, what a clock is worth to a process that may be stopped, and clocks that are set.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Atomic, Mutex};
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("11_time.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 11,
    name: "time",
    line: "one clock that nobody sets; an act that carries its token",
    question: "\
A lease ends at ten. Who says when it is ten?

Every machine has a clock, and no two of them agree for long. Somebody sets them, forth or back. And a process may be stopped \
between looking at a clock and acting: by its machine, by its scheduler, by a laptop that is closed. It goes on a second later, \
or a day, and still believes what it has read.

A clock is a number here, which is 0 while the lease runs and 10 when it has ended, and time is a thread that sets it. To be \
stopped needs nothing new: it is to be a thread that the schedule does not choose.",
    hint: None,
    challenge: "Let ann settle a job that is bob's.",
    programs: &[
        Program::wrong(
            "two_clocks",
            two_clocks,
            FILE,
            "Ann's lease ends at ten. She settles while it is before ten on her watch; bob takes the job over when it is ten on \
             the clock. Each looks and acts with the lock in hand, so nobody comes between. But two clocks are two: there is a \
             moment at which only one of them shows ten.",
        ),
        Program::right(
            "one_clock",
            one_clock,
            FILE,
            "Both are judged by the clock of whoever gave the lease, under the lock of whoever gave it. It does not matter \
             whether that clock is right. It matters that there is one, and that it never goes back.",
        ),
        Program::wrong(
            "stopped",
            stopped,
            FILE,
            "What ann writes is a label in another shop, where the lock of the broker does not reach. So she looks at the one \
             clock, and then writes. Find the two steps between which ann is stopped. A longer lease makes this rarer and does \
             not end it, and neither does a second look.",
        ),
        Program::right(
            "carried",
            carried,
            FILE,
            "Each write carries the token of its lease, and the label takes none that is smaller than its own. Ann still looks at \
             the clock: it saves work that would be wasted. That bob's word is the last one does not depend on it any more.",
        ),
        Program::wrong(
            "set_back",
            set_back,
            FILE,
            "Ann takes the job for ten minutes and dies. Nobody else may have it until her lease ends: a lease outlives its \
             owner, and that is why it is short. Ten minutes pass. But somebody has set the clock on the wall back by an \
             hour.",
        ),
        Program::right(
            "since_boot",
            since_boot,
            FILE,
            "The machine counts the minutes since it was started, and nobody can set that. What the wall shows is this and an \
             offset, and to set the clock is to change the offset. The lease asks for the first number alone. In Rust, \
             SystemTime is the clock on the wall, and Instant is one that only goes forth. An Instant means nothing to another \
             process or machine, and on Linux it stands still while the machine sleeps. CLOCK_BOOTTIME goes on, and is the same \
             for all processes: handover's files use that. (After the next start it begins again at zero; where handover keeps a \
             lease in a file, it has to see to that too.)",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover-sqlite/src/file_time.rs",
            symbol: "fn choose(",
            says: "On Linux all processes on one file have one clock: the time since boot and an offset that the file keeps, \
                   which never goes back behind a moment that the file has seen. Elsewhere it is the clock on the wall: set \
                   forth by an hour it ends all leases early, set back it keeps them for an hour more.",
        },
        Place {
            file: "crates/handover-sqlite/src/sql/settle.rs",
            symbol: "to_sql(receipt.token)",
            says: "Whether a settlement is in time is judged by that clock, and by the token, in the transaction that settles.",
        },
        Place {
            file: "crates/handover/src/worker/lease.rs",
            symbol: "ends: Instant",
            says: "The worker keeps an end of its own for each lease, and stops the handler there. After a sleep of the \
                   machine it may stop too late. It saves work; the token keeps from harm.",
        },
    ],
};

// begin: two_clocks
/// Wrong: goes by a clock that is not the one of the lease.
fn two_clocks() {
    let clock = Arc::new(Atomic::new("clock", 0));
    let watch = Arc::new(Atomic::new("watch", 0));
    let job = Arc::new(Mutex::new("job", "ann's"));
    let time = thread::spawn("time", {
        let (clock, watch) = (Arc::clone(&clock), Arc::clone(&watch));
        move || {
            clock.store(10);
            watch.store(10);
        }
    });
    let ann = thread::spawn("ann", {
        let job = Arc::clone(&job);
        move || {
            let mut job = job.lock();
            if watch.load() < 10 {
                assert!(*job == "ann's", "ann settles a job that is bob's");
                *job = "settled";
            }
        }
    });
    let bob = thread::spawn("bob", move || {
        let mut job = job.lock();
        if clock.load() >= 10 && *job == "ann's" {
            *job = "bob's";
        }
    });
    for thread in [time, ann, bob] {
        thread.join();
    }
}
// end: two_clocks

// begin: one_clock
/// Right: who gives the lease says when it ends.
fn one_clock() {
    let clock = Arc::new(Atomic::new("clock", 0));
    let job = Arc::new(Mutex::new("job", "ann's"));
    let time = thread::spawn("time", {
        let clock = Arc::clone(&clock);
        move || clock.store(10)
    });
    let ann = thread::spawn("ann", {
        let (clock, job) = (Arc::clone(&clock), Arc::clone(&job));
        move || {
            let mut job = job.lock();
            if clock.load() < 10 {
                assert!(*job == "ann's", "ann settles a job that is bob's");
                *job = "settled";
            }
        }
    });
    let bob = thread::spawn("bob", move || {
        let mut job = job.lock();
        if clock.load() >= 10 && *job == "ann's" {
            *job = "bob's";
        }
    });
    for thread in [time, ann, bob] {
        thread.join();
    }
}
// end: one_clock

// begin: stopped
/// Wrong: what the clock said may be long ago.
fn stopped() {
    let clock = Arc::new(Atomic::new("clock", 0));
    let label = Arc::new(Atomic::new("label", (0, "")));
    let time = thread::spawn("time", {
        let clock = Arc::clone(&clock);
        move || clock.store(10)
    });
    let ann = thread::spawn("ann", {
        let (clock, label) = (Arc::clone(&clock), Arc::clone(&label));
        move || {
            if clock.load() < 10 {
                label.store((1, "ann"));
            }
        }
    });
    let bob = thread::spawn("bob", {
        let label = Arc::clone(&label);
        move || {
            let ended = clock.load() >= 10;
            if ended {
                label.store((2, "bob"));
            }
            ended
        }
    });
    time.join();
    ann.join();
    if bob.join() {
        assert!(label.load().0 == 2, "ann has undone what bob wrote");
    }
}
// end: stopped

// begin: carried
/// Right: the act carries the token, and the label compares.
fn carried() {
    let clock = Arc::new(Atomic::new("clock", 0));
    let label = Arc::new(Atomic::new("label", (0, "")));
    let time = thread::spawn("time", {
        let clock = Arc::clone(&clock);
        move || clock.store(10)
    });
    let ann = thread::spawn("ann", {
        let (clock, label) = (Arc::clone(&clock), Arc::clone(&label));
        move || {
            let mine = (1, "ann");
            if clock.load() < 10 {
                label.update(|old| if old.0 <= mine.0 { mine } else { old });
            }
        }
    });
    let bob = thread::spawn("bob", {
        let label = Arc::clone(&label);
        move || {
            let mine = (2, "bob");
            let ended = clock.load() >= 10;
            if ended {
                label.update(|old| if old.0 <= mine.0 { mine } else { old });
            }
            ended
        }
    });
    time.join();
    ann.join();
    if bob.join() {
        assert!(label.load().0 == 2, "ann has undone what bob wrote");
    }
}
// end: carried

// begin: set_back
/// Wrong: the end of a lease by a clock that people set.
fn set_back() {
    let wall = Arc::new(Atomic::new("wall", 60)); // minutes
    let (at_ann, at_admin) = (Arc::clone(&wall), Arc::clone(&wall));
    let ann = thread::spawn("ann", move || {
        at_ann.load() + 10 // when her lease ends; and her machine stops
    });
    let admin = thread::spawn("admin", move || {
        at_admin.update(|now| now - 60);
    });
    let ends = ann.join();
    wall.update(|now| now + 10); // ten minutes pass
    admin.join();
    assert!(wall.load() >= ends, "the dead keep the job for an hour more");
}
// end: set_back

// begin: since_boot
/// Right: a clock that only goes forth.
fn since_boot() {
    let clock = Arc::new(Atomic::new("boot, offset", (60, 0)));
    let (at_ann, at_admin) = (Arc::clone(&clock), Arc::clone(&clock));
    let ann = thread::spawn("ann", move || {
        at_ann.load().0 + 10 // when her lease ends; and her machine stops
    });
    let admin = thread::spawn("admin", move || {
        at_admin.update(|(boot, offset)| (boot, offset - 60));
    });
    let ends = ann.join();
    clock.update(|(boot, offset)| (boot + 10, offset)); // ten minutes pass
    admin.join();
    assert!(clock.load().0 >= ends, "the dead keep the job for an hour more");
}
// end: since_boot
