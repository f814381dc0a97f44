//! Lesson 07: messages. The buffer is the only thing shared; it waits for the threads, and it has to be closed.

use crate::{Lesson, Place, Program};
use handover_lab::sync::Buffer;
use handover_lab::thread;
use std::sync::Arc;

const FILE: &str = include_str!("07_messages.rs");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 7,
    name: "messages",
    line: "share only the buffer; full means wait, closed means the end",
    question: "\
If threads share only a buffer, and hand values over in it, no lock is left to forget. What is left to get wrong?

Waiting. A bounded buffer makes a fast sender wait for a slow receiver, which is what the bound is for; so who sends must \
know that somebody receives. And a receiver that waits for the next value must be told when there is none to come.",
    hint: None,
    challenge: "Let main wait for room that never comes.",
    programs: &[
        Program::wrong(
            "full",
            full,
            FILE,
            "The buffer has one place. Main sends two values, and only then would it receive. It waits for room that only it \
             could make. One thread is enough for this deadlock.",
        ),
        Program::right(
            "room",
            room,
            FILE,
            "Somebody else sends. The sender waits while the buffer is full, main takes a value, and there is room again.",
        ),
        Program::wrong(
            "never_closed",
            never_closed,
            FILE,
            "The receiver takes values until there are no more. Nobody tells it that there are no more: an empty buffer may only \
             be early.",
        ),
        Program::right(
            "closed",
            closed,
            FILE,
            "The sender closes the buffer when it has sent all. What is inside can still be received; then comes the end.",
        ),
        Program::right(
            "cancelled",
            cancelled,
            FILE,
            "Closing from outside ends a receive that waits. Look at what the waiting receiver gets: not a value, but the news \
             that there is none. And who sends afterwards gets the value back, so that nothing is lost in silence.",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover-buffer/src/receiver.rs",
            symbol: "pub fn recv(",
            says: "Waits for a value, and tells the end only when the buffer is closed and empty. The end comes by itself here: when \
                   the last sender is dropped.",
        },
        Place {
            file: "crates/handover/src/worker/fetch.rs",
            symbol: "async fn hand_out",
            says: "The fetching part of a worker hands messages to the executing part over such a buffer.",
        },
    ],
};

// begin: full
/// Wrong: waits for room that only itself could make.
fn full() {
    let mail = Buffer::new("mail", 1);
    assert_eq!(mail.send(1), Ok(()));
    assert_eq!(mail.send(2), Ok(()));
    assert_eq!(mail.receive(), Some(1));
}
// end: full

// begin: room
/// Right: one sends while another receives.
fn room() {
    let mail = Arc::new(Buffer::new("mail", 1));
    let outbox = Arc::clone(&mail);
    let sender = thread::spawn("sender", move || {
        assert_eq!(outbox.send(1), Ok(()));
        assert_eq!(outbox.send(2), Ok(()));
    });
    assert_eq!(mail.receive(), Some(1));
    assert_eq!(mail.receive(), Some(2));
    sender.join();
}
// end: room

// begin: never_closed
/// Wrong: nobody says that this was all.
fn never_closed() {
    let mail = Arc::new(Buffer::new("mail", 1));
    let outbox = Arc::clone(&mail);
    let sender = thread::spawn("sender", move || {
        assert_eq!(outbox.send(1), Ok(()));
    });
    while let Some(letter) = mail.receive() {
        assert_eq!(letter, 1);
    }
    sender.join();
}
// end: never_closed

// begin: closed
/// Right: the sender says that this was all.
fn closed() {
    let mail = Arc::new(Buffer::new("mail", 1));
    let outbox = Arc::clone(&mail);
    let sender = thread::spawn("sender", move || {
        assert_eq!(outbox.send(1), Ok(()));
        outbox.close();
    });
    while let Some(letter) = mail.receive() {
        assert_eq!(letter, 1);
    }
    sender.join();
}
// end: closed

// begin: cancelled
/// Right: closing wakes who waits, and gives a late value back.
fn cancelled() {
    let mail = Arc::new(Buffer::new("mail", 1));
    let inbox = Arc::clone(&mail);
    let receiver = thread::spawn("receiver", move || inbox.receive());
    mail.close();
    assert_eq!(receiver.join(), None::<u32>);
    assert_eq!(mail.send(1), Err(1));
}
// end: cancelled
