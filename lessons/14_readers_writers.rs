//! Exercise 14: readers and writers. Many may look at once, who writes is alone, and neither side locks the other out for good.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Atomic, Mutex, Semaphore, Shared};
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("14_readers_writers.rs");

/// The exercise.
pub(crate) static LESSON: Lesson = Lesson {
    number: 14,
    name: "readers",
    line: "readers beside readers, a writer alone, and nobody left out",
    question: "\
A board shows when the next train leaves. A clerk changes it: he wipes it, then writes the new time. Travellers read it. A \
mutex around the board would do, and would make travellers wait for each other for nothing: reading spoils nothing. How do \
they read side by side, and never read a wiped board?

Three things are asked. The clerk is alone at the board. Readers can be there together. And nobody waits for ever: neither \
the readers for the clerk, nor the clerk for readers who keep coming.

The second is a possibility. No assertion asks for it, and the mutex around the board would be proven right. So ask it the \
other way round: let the readers count themselves at the board, and assert that there are never two. That must be proven \
wrong.

The problem, and the names readers and writers, are from Courtois, Heymans and Parnas (1971), who solved it in two ways: one \
that lets readers go first, and one that lets writers go first.",
    hint: Some(
        "Let the first reader who comes ask for the board on behalf of all, and the last one who goes give it back. Who \
         comes second must not go in before the first one has it: so what do they need around the count, and for how long? \
         Then think of a door before the board, through which everybody goes, and in which the clerk stays while he waits.",
    ),
    challenge: "Let both readers go without giving the board back.",
    programs: &[
        Program::wrong(
            "count_in_two",
            count_in_two,
            FILE,
            "The first reader takes the board for all readers, and the last one gives it back; so they count themselves. The \
             count is a read and a write, as in lesson 02. It begins with readers alone; the clerk (main) comes when both \
             have gone.",
        ),
        Program::wrong(
            "count_then_wait",
            count_then_wait,
            FILE,
            "The count is one step now. But counting oneself, and waiting for the board, are two. Who comes second sees that \
             somebody was there before, and does not ask whether that one is in already, or still waits for the clerk.",
        ),
        Program::wrong(
            "readers_first",
            readers_first,
            FILE,
            "The count has a mutex, and the first reader keeps it while waiting for the board, so that the second one waits \
             too. No reader sees a wiped board. But two readers who come and go by turns never leave the board, and the \
             clerk waits. Nobody is stuck and no assertion is broken: he starves. A thread counts as starved here when \
             others have taken 12 steps, and it could go on after none of them. That takes for granted that who can go on \
             again and again does so at some time (std's mutex does not promise even that); but who waits behind one that \
             is overtaken counts as waiting.",
        )
        .patience(12),
        Program::wrong(
            "door_last",
            door_last,
            FILE,
            "So there is a door that all must go through, and the clerk keeps it, so that nobody else comes in. He asks for \
             the board first, then for the door; the readers the other way round.",
        ),
        Program::right(
            "door",
            door,
            FILE,
            "First the door, then the board, for everybody. The clerk keeps the door while he waits for the board: who comes \
             after him stays outside, those inside go, and the last of them gives him the board. That one is seldom the one \
             who took it, so the board is a semaphore: a mutex must be given back by who locked it. The door is the \
             turnstile of Downey's Little Book of Semaphores. There a reader only passes it, and can be overtaken by the \
             clerk's next change with the count in its hand, and the other reader waits behind it; here it keeps the door \
             until it is in. Nobody starves, by the same patience as above. The price: readers wait for a clerk who himself \
             still waits.",
        )
        .patience(12),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover-sqlite/src/reader.rs",
            symbol: "pub(crate) struct Reader",
            says: "A long listing is read on a connection of its own, beside the one that writes.",
        },
        Place {
            file: "crates/handover-sqlite/src/connect.rs",
            symbol: "PRAGMA journal_mode = WAL",
            says: "What lets them: changes go to a log beside the file, and a reader goes on seeing what was there when it \
                   began. Neither waits for the other, and nobody sees a board that is wiped.",
        },
    ],
};

// begin: count_in_two
/// Wrong: a reader who goes may not see that it is the last one.
fn count_in_two() {
    let board = Arc::new(Semaphore::new("board", 1));
    let inside = Arc::new(Shared::new("inside", 0));
    let readers = ["ann", "bob"].map(|name| {
        let (board, inside) = (Arc::clone(&board), Arc::clone(&inside));
        thread::spawn(name, move || {
            let before = inside.read();
            inside.write(before + 1);
            if before == 0 {
                board.acquire(); // the first one, for all
            }
            let before = inside.read();
            inside.write(before - 1);
            if before == 1 {
                board.release(); // the last one
            }
        })
    });
    for reader in readers {
        reader.join();
    }
    board.acquire(); // in the evening, for the clerk
}
// end: count_in_two

// begin: count_then_wait
/// Wrong: the second one relies on a first one who still waits.
fn count_then_wait() {
    let board = Arc::new(Shared::new("board", "10:15"));
    let free = Arc::new(Semaphore::new("free", 1));
    let inside = Arc::new(Atomic::new("inside", 0));
    let clerk = thread::spawn("clerk", {
        let (board, free) = (Arc::clone(&board), Arc::clone(&free));
        move || {
            free.acquire();
            board.write("");
            board.write("10:30");
            free.release();
        }
    });
    let readers = ["ann", "bob"].map(|name| {
        let (board, free) = (Arc::clone(&board), Arc::clone(&free));
        let inside = Arc::clone(&inside);
        thread::spawn(name, move || {
            if inside.update(|count| count + 1) == 0 {
                free.acquire();
            }
            let wiped = board.read().is_empty();
            assert!(!wiped, "{name} reads a wiped board");
            if inside.update(|count| count - 1) == 1 {
                free.release();
            }
        })
    });
    clerk.join();
    for reader in readers {
        reader.join();
    }
}
// end: count_then_wait

// begin: readers_first
/// Wrong: readers who keep coming keep the clerk out.
fn readers_first() {
    let board = Arc::new(Semaphore::new("board", 1));
    let inside = Arc::new(Mutex::new("inside", 0));
    let clerk = thread::spawn("clerk", {
        let board = Arc::clone(&board);
        move || {
            board.acquire();
            board.release();
        }
    });
    let readers = ["ann", "bob"].map(|name| {
        let (board, inside) = (Arc::clone(&board), Arc::clone(&inside));
        thread::spawn(name, move || {
            for _look in thread::rounds(4) {
                let mut count = inside.lock();
                *count += 1;
                if *count == 1 {
                    board.acquire();
                }
                drop(count);
                let mut count = inside.lock();
                *count -= 1;
                if *count == 0 {
                    board.release();
                }
            }
        })
    });
    clerk.join();
    for reader in readers {
        reader.join();
    }
}
// end: readers_first

// begin: door_last
/// Wrong: readers ask for the door first, the clerk asks for it last.
fn door_last() {
    let board = Arc::new(Shared::new("board", "10:15"));
    let free = Arc::new(Semaphore::new("free", 1));
    let inside = Arc::new(Mutex::new("inside", 0));
    let door = Arc::new(Mutex::new("door", ()));
    let clerk = thread::spawn("clerk", {
        let (board, free) = (Arc::clone(&board), Arc::clone(&free));
        let door = Arc::clone(&door);
        move || {
            free.acquire();
            let alone = door.lock();
            board.write("");
            board.write("10:30");
            drop(alone);
            free.release();
        }
    });
    let readers = ["ann", "bob"].map(|name| {
        let (board, free) = (Arc::clone(&board), Arc::clone(&free));
        let (inside, door) = (Arc::clone(&inside), Arc::clone(&door));
        thread::spawn(name, move || {
            let through = door.lock();
            let mut count = inside.lock();
            *count += 1;
            if *count == 1 {
                free.acquire();
            }
            drop((count, through));
            let wiped = board.read().is_empty();
            assert!(!wiped, "{name} reads a wiped board");
            let mut count = inside.lock();
            *count -= 1;
            if *count == 0 {
                free.release();
            }
        })
    });
    clerk.join();
    for reader in readers {
        reader.join();
    }
}
// end: door_last

// begin: door
/// Right: who waits for the board waits in the door, so that nobody else
/// comes in meanwhile.
fn door() {
    let board = Arc::new(Shared::new("board", "10:15"));
    let free = Arc::new(Semaphore::new("free", 1));
    let inside = Arc::new(Mutex::new("inside", 0));
    let door = Arc::new(Mutex::new("door", ()));
    let clerk = thread::spawn("clerk", {
        let (board, free) = (Arc::clone(&board), Arc::clone(&free));
        let door = Arc::clone(&door);
        move || {
            for _change in thread::rounds(3) {
                let alone = door.lock();
                free.acquire();
                board.write("");
                board.write("10:30");
                free.release();
                drop(alone);
            }
        }
    });
    let readers = ["ann", "bob"].map(|name| {
        let (board, free) = (Arc::clone(&board), Arc::clone(&free));
        let (inside, door) = (Arc::clone(&inside), Arc::clone(&door));
        thread::spawn(name, move || {
            for _look in thread::rounds(6) {
                let through = door.lock();
                let mut count = inside.lock();
                *count += 1;
                if *count == 1 {
                    free.acquire();
                }
                drop((count, through));
                let wiped = board.read().is_empty();
                assert!(!wiped, "{name} reads a wiped board");
                let mut count = inside.lock();
                *count -= 1;
                if *count == 0 {
                    free.release();
                }
            }
        })
    });
    clerk.join();
    for reader in readers {
        reader.join();
    }
}
// end: door
