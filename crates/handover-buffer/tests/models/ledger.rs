//! What became of every value of one execution, and the promises checked when it is over.
//!
//! What lives here: [`Item`], the book kept of it, the wrapped sends and receives that keep it, for
//! loom's models and shuttle's. What does not: threads, and what they do (`tests/loom`,
//! `tests/shuttle`).
//!
//! The book is std's and invisible to the checkers: it makes no order between the threads of a
//! model, and no executions. All threads of a model are coroutines of one thread, so it is
//! thread-local.

use handover_buffer::{Closed, Receiver, Sender};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Which item of which producer.
pub(crate) type Name = (usize, usize);

/// A value whose making and dropping are in the book. `Item(p, n)` is the `n`th of producer `p`.
#[derive(Debug)]
pub(crate) struct Item(Name);

#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its send has not returned, or was cancelled.
    #[default]
    Kept,
    Accepted,
    GivenBack,
}

#[derive(Default, Debug)]
struct Entry {
    fate: Fate,
    takes: usize,
    drops: usize,
}

#[derive(Default, Debug)]
struct Book {
    items: BTreeMap<Name, Entry>,
    /// By consumer, in the order of taking.
    taken: BTreeMap<usize, Vec<Name>>,
    capacity: usize,
    sends_done: usize,
    /// How many items may have been taken by now: by the receives that have ended those they took,
    /// by those under way as many as they ask for.
    taken_at_most: usize,
    /// Whether items may be left inside for the last receiver's drop.
    leftovers: bool,
}

thread_local! {
    static BOOK: RefCell<Book> = RefCell::default();
}

fn book<R>(write: impl FnOnce(&mut Book) -> R) -> R {
    BOOK.with_borrow_mut(write)
}

/// Begins an execution.
pub(crate) fn open(capacity: usize) {
    book(|book| *book = Book { capacity, ..Book::default() });
}

/// Says that this model's receivers may go while items are inside.
pub(crate) fn allow_leftovers() {
    book(|book| book.leftovers = true);
}

/// How many items this consumer has taken so far.
#[cfg(shuttle)]
pub(crate) fn taken_by(consumer: usize) -> usize {
    book(|book| book.taken.get(&consumer).map_or(0, Vec::len))
}

/// Ends an execution: the promises that every model has in common.
pub(crate) fn close() {
    let Book { items, taken, leftovers, .. } = book(std::mem::take);
    for (name, entry) in &items {
        assert_eq!(entry.drops, 1, "item {name:?} is dropped once: {entry:?}");
        let fitting = match entry.fate {
            Fate::Accepted => entry.takes == 1 || (leftovers && entry.takes == 0),
            Fate::GivenBack | Fate::Kept => entry.takes == 0,
        };
        assert!(fitting, "item {name:?} is received once if accepted, else never: {entry:?}");
    }
    for (consumer, names) in taken {
        let producers: BTreeSet<usize> = names.iter().map(|name| name.0).collect();
        for producer in producers {
            let own = names.iter().filter(|name| name.0 == producer);
            assert!(own.is_sorted(), "consumer {consumer} saw {names:?} out of order");
        }
    }
}

impl Item {
    pub(crate) fn new(producer: usize, number: usize) -> Self {
        let name = (producer, number);
        let earlier = book(|book| book.items.insert(name, Entry::default()));
        assert!(earlier.is_none(), "each item has its own name");
        Self(name)
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        book(|book| book.items.get_mut(&self.0).expect("made").drops += 1);
    }
}

/// Notes that the send of an item ended so, and that there was room for it.
pub(crate) fn sent(name: Name, fate: Fate) {
    book(|book| {
        book.items.get_mut(&name).expect("made").fate = fate;
        if fate == Fate::Accepted {
            book.sends_done += 1;
            let inside_at_least = book.sends_done.saturating_sub(book.taken_at_most);
            assert!(inside_at_least <= book.capacity, "more inside than fits: {book:?}");
        }
    });
}

/// A receive under way, from before its first look to the note of what it took. Its end gives back
/// what it asked for and did not take: without that the book would allow for items that nobody took,
/// and see no overfull buffer.
#[must_use = "the receive ends when this is dropped"]
pub(crate) struct Taking {
    consumer: usize,
    left: usize,
}

/// Notes that a receive of up to `count` items begins.
pub(crate) fn taking(consumer: usize, count: usize) -> Taking {
    book(|book| book.taken_at_most += count);
    Taking { consumer, left: count }
}

impl Taking {
    /// Notes that an item was taken, and drops it.
    pub(crate) fn took(&mut self, item: Item) {
        self.left = self.left.checked_sub(1).expect("no more than was asked for");
        book(|book| {
            book.items.get_mut(&item.0).expect("made").takes += 1;
            book.taken.entry(self.consumer).or_default().push(item.0);
        });
        drop(item);
    }

    /// Notes how a receive of one item ended; whether there was one.
    pub(crate) fn ended(mut self, outcome: Result<Item, Closed>) -> bool {
        outcome.map(|item| self.took(item)).is_ok()
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        book(|book| book.taken_at_most -= self.left);
    }
}

/// Sends, and notes the outcome; whether the item was accepted.
pub(crate) fn send(sender: &Sender<Item>, producer: usize, number: usize) -> bool {
    let outcome = sender.send(Item::new(producer, number));
    note_sent((producer, number), outcome.map_err(handover_buffer::SendError::into_inner))
}

/// As [`send`], from a task.
pub(crate) async fn send_async(sender: &Sender<Item>, producer: usize, number: usize) -> bool {
    let outcome = sender.send_async(Item::new(producer, number)).await;
    note_sent((producer, number), outcome.map_err(handover_buffer::SendError::into_inner))
}

/// Notes how a send ended; whether the item was accepted.
pub(crate) fn note_sent(name: Name, outcome: Result<(), Item>) -> bool {
    match outcome {
        Ok(()) => {
            sent(name, Fate::Accepted);
            true
        }
        Err(item) => {
            assert_eq!(item.0, name, "the value comes back, and no other");
            sent(name, Fate::GivenBack);
            false
        }
    }
}

/// Receives, and notes the outcome; whether there was an item.
pub(crate) fn recv(receiver: &Receiver<Item>, consumer: usize) -> bool {
    let taking = taking(consumer, 1);
    taking.ended(receiver.recv())
}

/// As [`recv`], from a task.
pub(crate) async fn recv_async(receiver: &Receiver<Item>, consumer: usize) -> bool {
    let taking = taking(consumer, 1);
    taking.ended(receiver.recv_async().await)
}

/// Receives a batch, and notes the outcome; how many items there were.
pub(crate) fn recv_many(receiver: &Receiver<Item>, consumer: usize, max: usize) -> usize {
    let mut taking = taking(consumer, max);
    let mut batch = Vec::new();
    let count = receiver.recv_many(&mut batch, max).unwrap_or(0);
    assert_eq!(count, batch.len());
    batch.into_iter().for_each(|item| taking.took(item));
    count
}
