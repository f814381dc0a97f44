//! Lesson 08: one owner for a job that workers on several machines could take: the lease, its end, and the token.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Atomic, Buffer};
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("08_one_owner.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 8,
    name: "owner",
    line: "a lease ends by itself; its token tells who is late",
    question: "\
One job, and two workers who could do it, each on a machine of its own. Whose is it?

Three things are needed, and each makes the next one necessary. Taking must be one step, or both take it. What is taken must \
come back by itself, or it dies with the machine of its owner: so a lease ends. And an owner who only seemed dead must be known \
as late: so each lease has a token, a number larger than that of the lease before.

Every worker is a thread here, and so is time: when it takes its step, a lease has ended. The schedule decides when that is, \
and may do it at once. A clock is kinder. Who is right under every schedule is right for every length of a lease.",
    hint: None,
    challenge: "Let two workers bake the one cake.",
    programs: &[
        Program::wrong(
            "two_owners",
            two_owners,
            FILE,
            "One cake is ordered. Each worker looks whether it has an owner, writes its own name if not, and bakes. It is \
             check-then-act of lesson 02, and here it costs a cake. Look at what each of them has read when it writes its name.",
        ),
        Program::right(
            "one_owner",
            one_owner,
            FILE,
            "Looking and taking are one step, and its answer says who was the owner before. Where it says nobody, the job is \
             yours; or() keeps a name that is there already.",
        ),
        Program::wrong(
            "died_with_it",
            died_with_it,
            FILE,
            "The job is in a queue, and who receives it has it alone. Ann's machine stops as soon as she has it. Within one \
             program somebody would notice: a mutex is given back when its owner panics. A machine that stops gives nothing back, \
             and tells nobody. Look at what bob waits for.",
        ),
        Program::right(
            "lease_ends",
            lease_ends,
            FILE,
            "Ann has not got the job, she has a lease on it, and the lease ends. Then the job is in the queue again, unless it \
             was settled: whoever has done it closes the queue. (Time can put it back only when somebody has taken it, because \
             the queue has one place.) Nobody had to find out that ann was dead.",
        ),
        Program::wrong(
            "late",
            late,
            FILE,
            "But was she dead? Each of the two takes a lease here, and gets the next number with it; the second can take one \
             because the first has ended. The first owner was only slow: a laptop was closed. It goes on where it stopped, and \
             does not know that time has passed. Look at who writes the label of the cake last.",
        ),
        Program::right(
            "token",
            token,
            FILE,
            "The label keeps the token of whoever wrote it, and takes no smaller one: comparing and writing are one step (a \
             fencing token). If the late write comes after bob's, it changes nothing; if it comes before, it is taken, and \
             bob's overwrites it. Either way the last word is bob's. What cannot be overwritten needs more: lesson 09. It has \
             to be the label that compares. The worker cannot: between its look and its write it may be stopped again.",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover/src/memory/queue.rs",
            symbol: "pub(super) fn owns(",
            says: "A settlement counts if the lease runs and the token is the one of that lease. Whoever comes later is answered \
                   LeaseLost.",
        },
        Place {
            file: "crates/handover-sqlite/src/sql/receive.rs",
            symbol: "row.last_token += 1",
            says: "In the file of several processes: each lease gets the next token, in the transaction that takes the job.",
        },
        Place {
            file: "crates/handover/src/worker/context.rs",
            symbol: "pub fn token(&self) -> u64",
            says: "A handler gets the token of its lease, to hand it on to the databases that it writes to.",
        },
    ],
};

// begin: two_owners
/// Wrong: who looks first need not be the first to write.
fn two_owners() {
    let owner = Arc::new(Atomic::new("owner", None));
    let cakes = Arc::new(Atomic::new("cakes", 0));
    let workers = ["ann", "bob"].map(|name| {
        let (owner, cakes) = (Arc::clone(&owner), Arc::clone(&cakes));
        thread::spawn(name, move || {
            if owner.load().is_none() {
                owner.store(Some(name));
                cakes.update(|baked| baked + 1);
            }
        })
    });
    for worker in workers {
        worker.join();
    }
    assert!(cakes.load() == 1, "one cake was ordered, and two are baked");
}
// end: two_owners

// begin: one_owner
/// Right: the answer says whether the job is yours.
fn one_owner() {
    let owner = Arc::new(Atomic::new("owner", None));
    let cakes = Arc::new(Atomic::new("cakes", 0));
    let workers = ["ann", "bob"].map(|name| {
        let (owner, cakes) = (Arc::clone(&owner), Arc::clone(&cakes));
        thread::spawn(name, move || {
            let before = owner.update(|owner| owner.or(Some(name)));
            if before.is_none() {
                cakes.update(|baked| baked + 1);
            }
        })
    });
    for worker in workers {
        worker.join();
    }
    assert!(cakes.load() == 1, "one cake was ordered, and two are baked");
}
// end: one_owner

// begin: died_with_it
/// Wrong: what a dead owner has, nobody can get.
fn died_with_it() {
    let queue = Arc::new(Buffer::new("queue", 1));
    let (at_ann, at_bob) = (Arc::clone(&queue), Arc::clone(&queue));
    let ann = thread::spawn("ann", move || {
        at_ann.receive(); // and her machine stops
    });
    let bob = thread::spawn("bob", move || {
        let job = at_bob.receive();
        at_bob.close(); // done: nobody need wait for it any more
        job
    });
    assert_eq!(queue.send("cake"), Ok(()));
    ann.join();
    assert_eq!(bob.join(), Some("cake"));
}
// end: died_with_it

// begin: lease_ends
/// Right: what is not settled in time comes back.
fn lease_ends() {
    let queue = Arc::new(Buffer::new("queue", 1));
    let (at_ann, at_bob) = (Arc::clone(&queue), Arc::clone(&queue));
    let ann = thread::spawn("ann", move || {
        at_ann.receive(); // and her machine stops
    });
    let bob = thread::spawn("bob", move || {
        let job = at_bob.receive();
        at_bob.close(); // done: nobody need wait for it any more
        job
    });
    assert_eq!(queue.send("cake"), Ok(()));
    let time = thread::spawn("time", move || {
        queue.send("cake").is_ok() // the lease has ended
    });
    ann.join();
    assert_eq!(bob.join(), Some("cake"));
    time.join();
}
// end: lease_ends

// begin: late
/// Wrong: the earlier owner may have the last word.
fn late() {
    let tokens = Arc::new(Atomic::new("token", 0));
    let label = Arc::new(Atomic::new("label", (0, "")));
    let workers = ["ann", "bob"].map(|name| {
        let (tokens, label) = (Arc::clone(&tokens), Arc::clone(&label));
        thread::spawn(name, move || {
            let token = tokens.update(|last| last + 1) + 1; // a lease
            label.store((token, name));
        })
    });
    for worker in workers {
        worker.join();
    }
    assert!(label.load().0 == 2, "a late owner has the last word");
}
// end: late

// begin: token
/// Right: whoever is written to compares the tokens.
fn token() {
    let tokens = Arc::new(Atomic::new("token", 0));
    let label = Arc::new(Atomic::new("label", (0, "")));
    let workers = ["ann", "bob"].map(|name| {
        let (tokens, label) = (Arc::clone(&tokens), Arc::clone(&label));
        thread::spawn(name, move || {
            let token = tokens.update(|last| last + 1) + 1; // a lease
            let mine = (token, name);
            label.update(|old| if old.0 <= token { mine } else { old });
        })
    });
    for worker in workers {
        worker.join();
    }
    assert!(label.load().0 == 2, "a late owner has the last word");
}
// end: token
