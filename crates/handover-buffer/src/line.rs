//! Who waits, in order of arrival: the list inside a wait list, without its lock.
//!
//! What lives here: entering, leaving, being first, each without allocating for every waiter. What
//! does not: waking anybody, and locks (`wait.rs`).

use std::collections::VecDeque;
use std::task::Waker;

/// Gaps beyond which they are closed up, if they also outnumber those who wait.
const GAPS_MIN: usize = 16;

/// Waiters by ticket; a lower ticket came earlier.
///
/// A sorted queue: nearly everybody enters at the end and leaves at the front. One who leaves from
/// the middle leaves a gap, and gaps are closed when they are the majority: O(log n) for leaving,
/// also when a thousand waiters are cancelled at once.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Tickets are given once and never again; 2^64 of them do not run out.
    last_ticket: u64,
    /// Sorted by ticket. The first and the last entry are never gaps.
    entries: VecDeque<Entry>,
    /// How many entries are not gaps.
    waiting: usize,
}

#[derive(Debug)]
struct Entry {
    ticket: u64,
    /// `None` is a gap: left by one who did not wait until it was first.
    waker: Option<Waker>,
}

impl Line {
    /// A ticket behind all others.
    pub(crate) fn new_ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    /// Enters at the place of `ticket`, which must not be in the line.
    pub(crate) fn enter(&mut self, ticket: u64, waker: Waker) {
        self.waiting += 1;
        let entry = Entry { ticket, waker: Some(waker) };
        if self.entries.back().is_none_or(|last| last.ticket < ticket) {
            self.entries.push_back(entry);
            return;
        }
        match self.find(ticket) {
            Ok(gap) => {
                debug_assert!(self.entries[gap].waker.is_none(), "nobody enters twice");
                self.entries[gap] = entry;
            }
            // An old ticket: in front of nearly all, so nearly nothing has to move.
            Err(index) => self.entries.insert(index, entry),
        }
    }

    /// Leaves, and gives the waker back; `None` if `ticket` is not in the line.
    pub(crate) fn leave(&mut self, ticket: u64) -> Option<Waker> {
        let index = self.find(ticket).ok()?;
        let waker = self.entries[index].waker.take()?;
        self.waiting -= 1;
        self.close_up();
        Some(waker)
    }

    /// Takes out the one who came first.
    pub(crate) fn leave_first(&mut self) -> Option<Waker> {
        let waker = self.entries.pop_front()?.waker;
        debug_assert!(waker.is_some(), "the first entry is never a gap");
        self.waiting -= 1;
        self.close_up();
        waker
    }

    /// The waker of `ticket`, if it is in the line.
    pub(crate) fn waker(&mut self, ticket: u64) -> Option<&mut Waker> {
        let index = self.find(ticket).ok()?;
        self.entries[index].waker.as_mut()
    }

    fn find(&self, ticket: u64) -> Result<usize, usize> {
        match self.entries.front() {
            Some(first) if first.ticket == ticket => Ok(0),
            _ => self.entries.binary_search_by_key(&ticket, |entry| entry.ticket),
        }
    }

    /// Takes gaps away: those at both ends always, the others when there are too many.
    fn close_up(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.waker.is_none()) {
            self.entries.pop_front();
        }
        while self.entries.back().is_some_and(|entry| entry.waker.is_none()) {
            self.entries.pop_back();
        }
        let gaps = self.entries.len() - self.waiting;
        if gaps > GAPS_MIN && gaps > self.waiting {
            self.entries.retain(|entry| entry.waker.is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::task::Wake;

    use super::*;
    use crate::sync::Arc;

    struct Named;

    impl Wake for Named {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_line_does_what_a_map_by_ticket_does() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut line = Line::default();
        let mut map = BTreeMap::new();
        for step in 0..4_000 {
            // Grows for a while, then shrinks, so that gaps come in every number.
            let growing = step / 250 % 2 == 0;
            let known = random.u64(0..=line.last_ticket);
            let waker = Waker::from(Arc::new(Named));
            match random.u32(0..if growing { 8 } else { 16 }) {
                0..4 => {
                    let ticket = line.new_ticket();
                    line.enter(ticket, waker.clone());
                    map.insert(ticket, waker);
                }
                4 if known > 0 && !map.contains_key(&known) => {
                    line.enter(known, waker.clone());
                    map.insert(known, waker);
                }
                5 => {
                    let (left, expected) = (line.leave_first(), map.pop_first());
                    assert!(same(left.as_ref(), expected.as_ref().map(|(_, waker)| waker)));
                }
                _ => {
                    assert!(same(line.waker(known).as_deref(), map.get(&known)));
                    assert!(same(line.leave(known).as_ref(), map.remove(&known).as_ref()));
                }
            }
            assert_eq!(line.len(), map.len());
            assert!(line.entries.len() <= 2 * map.len() + GAPS_MIN);
            assert!(line.entries.iter().map(|entry| entry.ticket).is_sorted());
        }
    }

    fn same(left: Option<&Waker>, right: Option<&Waker>) -> bool {
        match (left, right) {
            (Some(left), Some(right)) => left.will_wake(right),
            (None, None) => true,
            _ => false,
        }
    }
}
