//! The array ring: where items are, and in which order. Nobody sleeps here.
//!
//! What lives here: claiming a place, writing, claiming an item, reading, the closed flag; the
//! only `unsafe` of the workspace. What does not: waiting for room or items (`wait.rs`), and who
//! still holds a handle (`channel.rs`).
//!
//! # The algorithm
//!
//! Dmitry Vyukov's bounded MPMC queue
//! (<https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue>): two counters
//! and an array of slots, each slot with a stamp that says whose turn it is. Two changes:
//!
//! * The original tells "may be read at position p" from "may be written at position p + 1" by the
//!   stamp's value, which are the same number for a ring of one slot. Here the lowest bit of a
//!   stamp is a flag, `FULL`, so that every capacity from 1 upwards works.
//! * The lowest bit of the tail is a flag, `CLOSED`. Closing and sending change the same word, so
//!   one of them is first: nothing is accepted after the end, and the end is the last item.
//!
//! # Positions
//!
//! A *position* names one use of one slot: `lap * LAP + index`, counted in steps of 2 to leave the
//! flag bit free. `LAP` is a power of two not below the capacity, so that positions wrap round the
//! word without a seam and never repeat within the memory of any slot. (With 32-bit words they
//! repeat after 2^31 items; a thread would have to stand still for exactly that many.)
//!
//! ```text
//!   stamp of the slot of position p          who may touch the value
//!   p            free                        the sender that moves tail from p to next(p)
//!     | sender writes the value, stores p|FULL with Release
//!   p | FULL     holds an item               the receiver that moves head from p to next(p)
//!     | receiver reads the value, stores p + LAP with Release
//!   p + LAP      free, one lap later
//! ```
//!
//! **Invariant S (slots).** Only the thread whose compare-exchange moved tail (head) past `p` may
//! write (read) the value of position `p`, exactly once, between that exchange and its store of the
//! stamp. A counter moves past `p` once, and only after the stamp allowed it, so the two kinds of
//! access never overlap, and alternate. Established in [`Ring::push`], [`Ring::pop`], their forms
//! `_at_once` and [`Ring::pop_many`], nowhere else.
//!
//! A thread between its claim and its stamp can delay those that come to the same slot; they spin
//! and yield. No code of a caller runs in that span, so it cannot panic.

#![allow(
    unsafe_code,
    reason = "a value crosses threads through a slot without a lock; invariant S says why that is \
              sound, and the note at each block says where it is established"
)]

use std::fmt;
use std::mem::MaybeUninit;

use crate::backoff::Backoff;
use crate::error::{TryRecvError, TrySendError};
use crate::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::{AtomicUsize, Padded, UnsafeCell};
use crate::wait::Wanted;

/// From one position to the next.
const STEP: usize = 2;
/// In a stamp: the slot holds an item.
const FULL: usize = 1;
/// In the tail: nothing is accepted any more.
const CLOSED: usize = 1;
/// Leaves room for four laps in a word, so that a lap more and a lap less are never confused.
const CAPACITY_MAX: usize = usize::MAX / 16;

struct Slot<T> {
    /// Written by the thread that owns the slot's current position, read by all.
    stamp: AtomicUsize,
    value: UnsafeCell<MaybeUninit<T>>,
}

pub(crate) struct Ring<T> {
    /// The position of the oldest item. Moved by receivers, flag bit always 0.
    head: Padded<AtomicUsize>,
    /// The position of the next place, and `CLOSED`. Moved by senders and by closing.
    tail: Padded<AtomicUsize>,
    /// The distance between two positions of the same slot, a power of two.
    lap: usize,
    slots: Box<[Slot<T>]>,
}

// SAFETY: a value is moved in by one thread and out by another (T: Send), and never shared by
// reference; invariant S makes the accesses exclusive, the stamps' Release/Acquire orders them.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    /// A ring of `capacity` free places.
    pub(crate) fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "the capacity of a buffer must be at least 1");
        assert!(capacity <= CAPACITY_MAX, "the capacity of a buffer is at most {CAPACITY_MAX}");
        let slot = |index: usize| Slot {
            stamp: AtomicUsize::new(index * STEP),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        };
        Self {
            head: Padded(AtomicUsize::new(0)),
            tail: Padded(AtomicUsize::new(0)),
            lap: capacity.next_power_of_two() * STEP,
            slots: (0..capacity).map(slot).collect(),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    fn index(&self, position: usize) -> usize {
        (position & (self.lap - 1)) / STEP
    }

    fn slot(&self, position: usize) -> &Slot<T> {
        &self.slots[self.index(position)]
    }

    /// The position after `position`: the next slot, or the first slot of the next lap.
    fn next(&self, position: usize) -> usize {
        if self.index(position) + 1 < self.slots.len() {
            position.wrapping_add(STEP)
        } else {
            (position & !(self.lap - 1)).wrapping_add(self.lap)
        }
    }

    /// [`push`](Self::push) with one look and one exchange: all there is to do when nothing stands
    /// in the way. An `Err` says nothing about the ring; whoever needs a reason asks `push`.
    ///
    /// It never reads head, whose cache line the receivers need, and is small enough to be inlined.
    #[inline]
    pub(crate) fn push_at_once(&self, value: T) -> Result<(), T> {
        // Relaxed, Acquire, SeqCst, Relaxed: as in `push`. A closed tail has its flag set, which is
        // no free slot's stamp, because free slots have theirs clear.
        let tail = self.tail.load(Relaxed);
        let slot = self.slot(tail);
        if slot.stamp.load(Acquire) != tail
            || tail & CLOSED != 0
            || self.tail.compare_exchange_weak(tail, self.next(tail), SeqCst, Relaxed).is_err()
        {
            return Err(value);
        }
        self.put(tail, value);
        Ok(())
    }

    /// Puts `value` behind all others, or gives it back.
    #[inline]
    pub(crate) fn push(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut backoff = Backoff::new();
        // Relaxed: only a guess, confirmed by the exchange.
        let mut tail = self.tail.load(Relaxed);
        loop {
            if tail & CLOSED != 0 {
                return Err(TrySendError::Closed(value));
            }
            let slot = self.slot(tail);
            // Acquire: pairs with the Release of the receiver that emptied the slot, so that its
            // read of the old value is over before the new one is written.
            let stamp = slot.stamp.load(Acquire);
            if stamp == tail {
                // SeqCst on success: this is the moment the item exists, and sleepers are counted
                // after it (wait.rs). Relaxed on failure: again only a guess.
                match self.tail.compare_exchange_weak(tail, self.next(tail), SeqCst, Relaxed) {
                    Ok(_) => {
                        self.put(tail, value);
                        return Ok(());
                    }
                    Err(seen) => tail = seen,
                }
                backoff.lost_race();
            } else if stamp == tail.wrapping_sub(self.lap) | FULL {
                // The item of one lap ago is still here: full, unless a receiver has claimed it.
                // SeqCst: the answer "full" has its place in the one order of claims, so that two
                // threads that each use two buffers cannot both be told the past.
                let head = self.head.load(SeqCst);
                if head.wrapping_add(self.lap) == tail {
                    return Err(TrySendError::Full(value));
                }
                backoff.await_other();
                tail = self.tail.load(Relaxed);
            } else {
                // `tail` is out of date.
                backoff.lost_race();
                tail = self.tail.load(Relaxed);
            }
        }
    }

    /// Moves `value` into the slot of `position`. Only for the thread whose exchange moved tail past
    /// `position`, once, after it saw the slot free.
    #[inline]
    fn put(&self, position: usize, value: T) {
        let slot = self.slot(position);
        // SAFETY: invariant S: the caller's exchange made `position` ours to write, and the stamp
        // it saw (Acquire) says that the slot is free, so nothing is overwritten undropped.
        slot.value.with_mut(|place| unsafe { (*place).write(value) });
        // Release: the value before the stamp, for the receiver's Acquire.
        slot.stamp.store(position | FULL, Release);
    }

    /// [`pop`](Self::pop) with one look and one exchange, as [`push_at_once`](Self::push_at_once).
    #[inline]
    pub(crate) fn pop_at_once(&self) -> Option<T> {
        // Relaxed, Acquire, SeqCst, Relaxed: as in `pop`.
        let head = self.head.load(Relaxed);
        if self.slot(head).stamp.load(Acquire) != head | FULL
            || self.head.compare_exchange_weak(head, self.next(head), SeqCst, Relaxed).is_err()
        {
            return None;
        }
        Some(self.take(head))
    }

    /// Takes the oldest item.
    #[inline]
    pub(crate) fn pop(&self) -> Result<T, TryRecvError> {
        let mut backoff = Backoff::new();
        // Relaxed: only a guess, confirmed by the exchange.
        let mut head = self.head.load(Relaxed);
        loop {
            let slot = self.slot(head);
            // Acquire: pairs with the Release of the sender, whose value is read below.
            let stamp = slot.stamp.load(Acquire);
            if stamp == head | FULL {
                // SeqCst on success: this is the moment the place is free, and sleepers are
                // counted after it (wait.rs). Relaxed on failure: again only a guess.
                match self.head.compare_exchange_weak(head, self.next(head), SeqCst, Relaxed) {
                    Ok(_) => return Ok(self.take(head)),
                    Err(seen) => head = seen,
                }
                backoff.lost_race();
            } else if let Some(nothing) = self.nothing_at(head, stamp) {
                return Err(nothing);
            } else {
                backoff.await_other();
                head = self.head.load(Relaxed);
            }
        }
    }

    /// Moves up to `max` of the oldest items, which are neighbours in the order, behind `out`.
    /// Gives how many; 0 only for a `max` of 0.
    pub(crate) fn pop_many(&self, out: &mut Vec<T>, max: usize) -> Result<usize, TryRecvError> {
        let max = max.min(self.capacity());
        if max == 0 {
            return Ok(0);
        }
        let mut backoff = Backoff::new();
        // Relaxed: only a guess, confirmed by the exchange.
        let mut head = self.head.load(Relaxed);
        loop {
            let mut count = 0;
            let mut end = head;
            // Acquire, also for each further one: pairs with the Release of the sender of that item.
            let mut stamp = self.slot(end).stamp.load(Acquire);
            let first_stamp = stamp;
            while stamp == end | FULL {
                count += 1;
                end = self.next(end);
                if count == max {
                    break;
                }
                stamp = self.slot(end).stamp.load(Acquire);
            }
            if count > 0 {
                // Before the claim: growing a vector may panic, holding a claim must not.
                out.reserve(count);
                // As in `pop`. While head stands still no slot of the run can change, so success
                // means that all of them still hold what was seen.
                match self.head.compare_exchange_weak(head, end, SeqCst, Relaxed) {
                    Ok(_) => {
                        let mut position = head;
                        while position != end {
                            out.push(self.take(position));
                            position = self.next(position);
                        }
                        return Ok(count);
                    }
                    Err(seen) => head = seen,
                }
                backoff.lost_race();
            } else if let Some(nothing) = self.nothing_at(head, first_stamp) {
                return Err(nothing);
            } else {
                backoff.await_other();
                head = self.head.load(Relaxed);
            }
        }
    }

    /// Moves the value of `position` out and frees the slot. Only for the thread whose exchange
    /// moved head past `position`, once, after it saw the stamp `position | FULL`.
    #[inline]
    fn take(&self, position: usize) -> T {
        let slot = self.slot(position);
        // SAFETY: invariant S: the caller's exchange made `position` ours to read, and the stamp
        // it saw (Acquire) says that the value is written. The value is moved out once, because
        // the stamp stored next sends every other receiver away.
        let value = slot.value.with_mut(|place| unsafe { (*place).assume_init_read() });
        // Release: the read before the stamp, for the next sender's Acquire.
        slot.stamp.store(position.wrapping_add(self.lap), Release);
        value
    }

    /// Why there is nothing to take at `head`, whose slot had `stamp`; `None` if there will be in
    /// a moment, or `head` is out of date.
    #[inline]
    fn nothing_at(&self, head: usize, stamp: usize) -> Option<TryRecvError> {
        if stamp != head {
            return None;
        }
        // Free: nothing was sent, unless a sender has claimed the place. SeqCst: as in `push`.
        let tail = self.tail.load(SeqCst);
        if tail == head {
            Some(TryRecvError::Empty)
        } else if tail == head | CLOSED {
            Some(TryRecvError::Closed)
        } else {
            None
        }
    }

    /// Accepts nothing from here on. Gives whether this call was the first.
    pub(crate) fn close(&self) -> bool {
        // SeqCst: sleepers are woken after this moment (wait.rs), and items sent before it count.
        self.tail.fetch_or(CLOSED, SeqCst) & CLOSED == 0
    }

    pub(crate) fn is_closed(&self) -> bool {
        // SeqCst: the answer has its place in the one order of sends and the close, as in `push`.
        self.tail.load(SeqCst) & CLOSED != 0
    }

    /// What senders wait for.
    pub(crate) fn room(&self) -> Room<'_, T> {
        Room(self)
    }

    /// What receivers wait for.
    pub(crate) fn items(&self) -> Items<'_, T> {
        Items(self)
    }

    /// How many items are claimed by senders and not yet by receivers, at one moment.
    pub(crate) fn len(&self) -> usize {
        loop {
            // SeqCst: an unchanged tail on both sides of head makes the three loads a snapshot.
            let tail = self.tail.load(SeqCst);
            let head = self.head.load(SeqCst);
            if self.tail.load(SeqCst) != tail {
                continue;
            }
            let (head_index, tail_index) = (self.index(head), self.index(tail));
            let same_lap = (head ^ tail) & !(self.lap - 1) == 0;
            return if same_lap {
                tail_index - head_index
            } else {
                self.capacity() - head_index + tail_index
            };
        }
    }

    /// Drops every item, going on when dropping one panics.
    pub(crate) fn discard(&self) {
        struct Rest<'a, T>(&'a Ring<T>);

        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                while let Ok(value) = self.0.pop() {
                    drop(value);
                }
            }
        }

        let rest = Rest(self);
        while let Ok(value) = rest.0.pop() {
            drop(value);
        }
    }
}

/// A place, or the end.
pub(crate) struct Room<'a, T>(&'a Ring<T>);

impl<T> Wanted for Room<'_, T> {
    fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// By the stamp alone: head stays in the cache of the receivers.
    fn in_sight(&self) -> bool {
        // Relaxed, both: no more than a reason to try.
        let tail = self.0.tail.load(Relaxed);
        self.0.slot(tail).stamp.load(Relaxed) == tail || tail & CLOSED != 0
    }

    /// Two loads are no snapshot. If they say "full", it was full when head was loaded: head never
    /// moves back and tail never passes it by more than a lap, so neither moved in between.
    fn is_there(&self) -> bool {
        // SeqCst, both: the second look before sleep (wait.rs).
        let tail = self.0.tail.load(SeqCst);
        let head = self.0.head.load(SeqCst);
        tail & CLOSED != 0 || head.wrapping_add(self.0.lap) != tail
    }
}

/// An item, or the end.
pub(crate) struct Items<'a, T>(&'a Ring<T>);

impl<T> Wanted for Items<'_, T> {
    fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// By the stamp alone: tail stays in the cache of the senders. The end does not show.
    fn in_sight(&self) -> bool {
        // Relaxed, both: no more than a reason to try.
        let head = self.0.head.load(Relaxed);
        self.0.slot(head).stamp.load(Relaxed) == head | FULL
    }

    /// If the two loads say "empty", it was empty when tail was loaded, for the same reason.
    fn is_there(&self) -> bool {
        // SeqCst, both: the second look before sleep (wait.rs).
        let head = self.0.head.load(SeqCst);
        let tail = self.0.tail.load(SeqCst);
        head != tail
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        self.discard();
    }
}

impl<T> fmt::Debug for Ring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capacity_fills_and_empties_in_order_over_many_laps() {
        for capacity in 1..=9 {
            let ring = Ring::new(capacity);
            let mut next = 0;
            for _ in 0..5 {
                for offset in 0..capacity {
                    assert_eq!(ring.len(), offset);
                    assert!(ring.room().is_there());
                    assert_eq!(ring.push(next + offset), Ok(()));
                    assert!(ring.items().is_there());
                }
                assert!(!ring.room().is_there());
                assert_eq!(ring.push(99), Err(TrySendError::Full(99)));
                for offset in 0..capacity {
                    assert_eq!(ring.pop(), Ok(next + offset));
                }
                assert!(!ring.items().is_there());
                assert_eq!(ring.pop(), Err(TryRecvError::Empty));
                next += capacity;
            }
        }
    }

    #[test]
    fn positions_wrap_round_the_word_without_a_seam() {
        for capacity in [1, 2, 3, 4, 5] {
            let ring = Ring::new(capacity);
            // Stand one lap before the end of the word, as if nearly 2^63 items had passed.
            let start = 0_usize.wrapping_sub(ring.lap);
            ring.head.store(start, Relaxed);
            ring.tail.store(start, Relaxed);
            for (index, slot) in ring.slots.iter().enumerate() {
                slot.stamp.store(start + index * STEP, Relaxed);
            }
            for round in 0..4 * capacity {
                assert_eq!(ring.push(round), Ok(()));
                assert_eq!(ring.len(), 1);
                assert_eq!(ring.pop(), Ok(round));
                assert_eq!(ring.pop(), Err(TryRecvError::Empty));
            }
        }
    }

    #[test]
    fn a_batch_takes_a_run_of_neighbours_across_the_end_of_the_array() {
        let ring = Ring::new(4);
        for value in 0..3 {
            ring.push(value).unwrap();
        }
        let mut out = vec![100];
        assert_eq!(ring.pop_many(&mut out, 2), Ok(2));
        for value in 3..6 {
            ring.push(value).unwrap();
        }
        assert_eq!(ring.pop_many(&mut out, usize::MAX), Ok(4));
        assert_eq!(out, [100, 0, 1, 2, 3, 4, 5]);
        assert_eq!(ring.pop_many(&mut out, 1), Err(TryRecvError::Empty));
        assert_eq!(ring.pop_many(&mut out, 0), Ok(0));
    }

    #[test]
    fn closing_refuses_senders_and_lets_receivers_drain() {
        let ring = Ring::new(2);
        ring.push('a').unwrap();
        assert!(ring.close());
        assert!(!ring.close());
        assert_eq!(ring.push('b'), Err(TrySendError::Closed('b')));
        assert!(ring.room().is_there() && ring.items().is_there());
        assert_eq!(ring.len(), 1);
        assert_eq!(ring.pop(), Ok('a'));
        assert_eq!(ring.pop(), Err(TryRecvError::Closed));
        assert_eq!(ring.pop_many(&mut Vec::new(), 3), Err(TryRecvError::Closed));
        assert!(ring.items().is_there());
    }

    #[test]
    #[should_panic(expected = "at most")]
    fn a_capacity_that_no_word_can_count_is_refused() {
        let _ = Ring::<()>::new(usize::MAX);
    }
}
