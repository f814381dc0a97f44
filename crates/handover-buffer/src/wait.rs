//! Sleeping and waking: the two wait lists of a buffer, and why no wake-up is missed.
//!
//! What lives here: a list of those who wait for one thing (room, or items), in order of arrival,
//! threads and tasks alike; blocking a thread on it, polling a future on it. What does not: what
//! is waited for (`ring.rs`); the list only asks the [`Wanted`] it is given, and calls `attempt`.
//! The order of arrival is kept by `line.rs`.
//!
//! A waiter is a [`Waker`]. A thread that wants to sleep makes one that unparks it, so the list
//! knows only one kind, and a thread may wake a task or a task a thread.
//!
//! # Why no wake-up is missed
//!
//! Told for receivers, who wait for items; for senders read "place" for "item" and "head" for
//! "tail". Three things happen on each side, in this order:
//!
//! ```text
//!   a receiver that found nothing           a sender
//!   R1  enrols in the list and              S1  moves tail past a position: the item exists
//!       stores the count of sleepers        S2  loads the count of sleepers
//!   R2  looks at the ring once more         S3  if it is not 0: takes the first waiter out of
//!   R3  sleeps only if R2 saw nothing           the list and wakes it
//! ```
//!
//! **1. The second look and the count cannot both be too early.** R1's store, R2's load of tail,
//! S1's exchange and S2's load are all `SeqCst`, so they have one order on which all threads agree.
//! If R2 did not see the item, R2 is before S1 in that order; so R1, R2, S1, S2 stand in this order,
//! and S2 sees the count that R1 stored, or a later one. Either R2 sees the item, or S2 sees the
//! sleeper. (Closing is S1 to S3 with "all waiters" for "the first".)
//!
//! **2. Every wake-up leads to a look.** Taking a waiter out of the list gives it a *baton*: the
//! duty to look at the ring for one item. Whoever holds the baton spends it in one of two ways:
//! it makes an `attempt` that *begins after* it has learned that it was taken out (`withdraw`), or
//! it gives the baton to the next waiter (`abandon`, when a future is dropped). Beginning after
//! matters: a receiver that found its item by the second look, then left the list and ignored that
//! it had been woken meanwhile, would lose the wake-up of an item that is still there.
//!
//! **3. So nobody sleeps beside an item.** Let a receiver be asleep: enrolled, and its second look
//! saw an empty ring. From that moment on, *the items in the ring are at most the batons
//! outstanding plus the senders between S1 and S3*. It holds at first, with no item at all. A send
//! adds one item and one sender; by 1 and because the sleeper is in the list, S3 turns that
//! sender into a baton. An attempt that takes items takes at least one, and spends one baton, or
//! none; an attempt that finds nothing saw the ring empty, and at that moment nothing is owed. A
//! baton passed on stays one. When no sender is on its way and no baton is outstanding, no item is
//! left: the sleeper is right to sleep.
//!
//! Attempts and second looks read head and tail. A glance (`in_sight`) reads one stamp, may be
//! wrong, and so has no part in this: it is a reason for an attempt, never for sleep.
//!
//! One waiter is woken for one item; all only on closing. Nothing here bounds how long a *woken*
//! waiter takes to look: a future that was woken and is neither polled nor dropped keeps its baton.
//!
//! # Fairness
//!
//! Waiters are woken in order of arrival. A newcomer may take an item before a woken waiter gets
//! to run; the woken one then enrols again with its old ticket, in front of all that came later.

use std::task::{Context, Wake, Waker};
use std::time::Instant;

use crate::backoff::SpinWait;
use crate::line::Line;
use crate::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::{self, Arc, AtomicBool, AtomicUsize, Mutex, Padded, Thread, lock};

/// What a list of waiters waits for: room in a ring, or items.
pub(crate) trait Wanted {
    /// How many there can be at most.
    fn capacity(&self) -> usize;

    /// A glance without any promise, for those who stay awake: cheap, and wrong now and then.
    fn in_sight(&self) -> bool;

    /// Whether an attempt would be answered at once: the second look before sleep. If it says no,
    /// there was a moment during the call when nothing was there.
    fn is_there(&self) -> bool;
}

/// Those who wait for one thing, first come, first woken.
#[derive(Debug, Default)]
pub(crate) struct WaitList {
    /// How many wait in `line`. Written under its lock, read by all without.
    sleepers: Padded<AtomicUsize>,
    line: Mutex<Line>,
    /// A wait has ended by its deadline: the next one is likely to be as long, and not worth staying
    /// awake for. A loop that looks every few seconds would otherwise offer the processor to
    /// others sixteen times at each look. Only a hint; no decision about sleep leans on it.
    quiet: AtomicBool,
}

/// A waiter's own memory of its place in the list.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    /// Kept from the first enrolment to the end, so that a waiter who looked in vain does not
    /// lose its place.
    ticket: Option<u64>,
    /// Enrolled by this waiter, and not yet withdrawn by it. The list may have let it go already:
    /// then this waiter holds a baton.
    seated: bool,
}

impl WaitList {
    /// How many wait at this moment.
    pub(crate) fn sleepers(&self) -> usize {
        // SeqCst: a gauge; no decision leans on it, and it is not on any hot path.
        self.sleepers.load(SeqCst)
    }

    /// R1: enters the list. The caller must look once more before it sleeps.
    fn enrol(&self, seat: &mut Seat, waker: Waker) {
        let mut line = lock(&self.line);
        let ticket = *seat.ticket.get_or_insert_with(|| line.new_ticket());
        seat.seated = true;
        line.enter(ticket, waker);
        // SeqCst: the first half of argument 1.
        self.sleepers.store(line.len(), SeqCst);
        drop(line);
        sync::total_order_point();
    }

    /// Leaves the list, if not already taken out of it; either way a baton, if any, is now known
    /// to the caller, who makes an attempt next.
    fn withdraw(&self, seat: &mut Seat) {
        drop(self.leave(seat));
    }

    /// Leaves the list for good: a baton is given to the next waiter.
    pub(crate) fn abandon(&self, seat: &mut Seat) {
        if seat.seated && self.leave(seat).is_none() {
            self.notify(1);
        }
    }

    /// Gives back the waker if the seat was still in the list; it is dropped outside the lock.
    fn leave(&self, seat: &mut Seat) -> Option<Waker> {
        seat.seated = false;
        let ticket = seat.ticket?;
        let mut line = lock(&self.line);
        let waker = line.leave(ticket);
        if waker.is_some() {
            // SeqCst, as every store of the count, so that S2 reads one of a single order. One that
            // lowers it may be seen late: then a waker takes the lock and finds nobody.
            self.sleepers.store(line.len(), SeqCst);
        }
        waker
    }

    /// Whether the seat is still in the list; if so, `waker` is now the one to be woken.
    fn still_waits(&self, seat: &Seat, waker: &Waker) -> bool {
        let Some(ticket) = seat.ticket else { return false };
        // A 0 can only be younger than the count that this waiter stored when it enrolled, so it
        // has been taken out. SeqCst, of which Acquire is needed: the attempt that follows sees
        // what it was woken for, as it would have by way of the lock.
        if self.sleepers.load(SeqCst) == 0 {
            return false;
        }
        if let Some(enrolled) = lock(&self.line).waker(ticket) {
            if enrolled.will_wake(waker) {
                return true;
            }
        } else {
            return false;
        }
        // Cloned and dropped outside the lock: both may run code of the caller.
        let mut waker = waker.clone();
        let mut line = lock(&self.line);
        let Some(enrolled) = line.waker(ticket) else { return false };
        std::mem::swap(enrolled, &mut waker);
        drop(line);
        true
    }

    /// S2 and S3: wakes the first `count` waiters, after `count` things have appeared.
    #[inline]
    pub(crate) fn notify(&self, count: usize) {
        sync::total_order_point();
        // SeqCst: the second half of argument 1. The caller's exchange stands before it.
        if self.sleepers.load(SeqCst) > 0 {
            self.wake_first(count);
        }
    }

    #[cold]
    fn wake_first(&self, count: usize) {
        let mut first = None;
        let mut others = Vec::new();
        let mut line = lock(&self.line);
        for _ in 0..count {
            let Some(waker) = line.leave_first() else { break };
            if first.is_none() {
                first = Some(waker); // Most often the only one: no allocation under the lock.
            } else {
                others.push(waker);
            }
        }
        // SeqCst: as in `leave`. Under the lock, so it cannot hide one who enrols meanwhile.
        self.sleepers.store(line.len(), SeqCst);
        drop(line);
        wake_all(first.into_iter().chain(others));
    }

    /// Wakes everybody, after the end has come.
    pub(crate) fn notify_all(&self) {
        self.notify(usize::MAX);
    }

    /// Blocks the thread until `attempt` succeeds or the deadline has passed.
    ///
    /// `attempt` gives back its input when it must wait, and so does this method when the deadline
    /// has passed; without one it always succeeds. There is at least one attempt, and one after
    /// the deadline.
    pub(crate) fn block<S, R>(
        &self,
        wanted: &impl Wanted,
        deadline: Option<Instant>,
        mut state: S,
        mut attempt: impl FnMut(S) -> Result<R, S>,
    ) -> Result<R, S> {
        let mut seat = Seat::default();
        let mut parker = None;
        // Relaxed: a hint.
        let mut awake = !self.quiet.swap(false, Relaxed);
        loop {
            if deadline.is_some_and(|deadline| sync::now() >= deadline) {
                let answer = attempt(state);
                self.quiet.store(answer.is_err(), Relaxed);
                return answer;
            }
            // Most waits end within a few microseconds, and sleeping costs more than that.
            let mut spin_wait = SpinWait::new(wanted.capacity());
            while awake && !spin_wait.is_over() {
                spin_wait.pause();
                // A glance does not see the end, so half-way through there is an attempt anyway.
                if wanted.in_sight() || spin_wait.is_half_over() {
                    state = match attempt(state) {
                        Ok(done) => return Ok(done),
                        Err(state) => state,
                    };
                }
            }
            awake = true;
            let parker = parker.get_or_insert_with(Parker::new);
            self.enrol(&mut seat, Waker::from(Arc::clone(parker)));
            if !wanted.is_there() {
                parker.park(deadline);
            }
            self.withdraw(&mut seat);
            state = match attempt(state) {
                Ok(done) => return Ok(done),
                Err(state) => state,
            };
        }
    }

    /// Polls a future that waits for `attempt` to succeed; gives the input back while it must
    /// wait. A future that is dropped before must `abandon` its seat.
    pub(crate) fn poll<S, R>(
        &self,
        seat: &mut Seat,
        context: &mut Context<'_>,
        wanted: &impl Wanted,
        mut state: S,
        mut attempt: impl FnMut(S) -> Result<R, S>,
    ) -> Result<R, S> {
        if seat.seated {
            if self.still_waits(seat, context.waker()) {
                // Nobody took it out of the list, so by argument 3 nothing is there for it.
                return Err(state);
            }
            seat.seated = false;
        }
        loop {
            state = match attempt(state) {
                Ok(done) => {
                    *seat = Seat::default();
                    return Ok(done);
                }
                Err(state) => state,
            };
            self.enrol(seat, context.waker().clone());
            if !wanted.is_there() {
                return Err(state);
            }
            self.withdraw(seat);
        }
    }
}

/// Wakes them all, going on when waking one panics: a waker is code of the caller, and those behind
/// it have been taken out of the list already.
fn wake_all(wakers: impl Iterator<Item = Waker>) {
    struct Rest<I: Iterator<Item = Waker>>(I);

    impl<I: Iterator<Item = Waker>> Rest<I> {
        fn wake(&mut self) {
            self.0.by_ref().for_each(Waker::wake);
        }
    }

    impl<I: Iterator<Item = Waker>> Drop for Rest<I> {
        fn drop(&mut self) {
            self.wake();
        }
    }

    Rest(wakers).wake();
}

/// A blocked thread, as a waker.
#[derive(Debug)]
struct Parker {
    thread: Thread,
    /// Set by the one who wakes, cleared by the sleeper: `park` may return without reason, and
    /// may be cut short by an unpark that was meant for somebody else's use of this thread.
    woken: AtomicBool,
}

impl Parker {
    fn new() -> Arc<Self> {
        Arc::new(Self { thread: sync::current(), woken: AtomicBool::new(false) })
    }

    /// Sleeps until woken or until the deadline.
    ///
    /// A wake-up of an earlier enrolment may arrive late and end a later sleep early; that is why
    /// the caller asks the list, and not this flag, whether it was taken out.
    fn park(&self, deadline: Option<Instant>) {
        // Acquire pairs with the Release in `wake_by_ref`.
        while !self.woken.load(Acquire) {
            let Some(deadline) = deadline else {
                sync::park();
                continue;
            };
            let left = deadline.saturating_duration_since(sync::now());
            if left.is_zero() {
                return;
            }
            sync::park_timeout(left);
        }
        // Relaxed: this thread enrols again only after this, under the list's lock, and the wake-up
        // of that enrolment comes after it, under the same lock. It cannot be the one wiped out.
        self.woken.store(false, Relaxed);
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release: what was done before the wake-up, for the sleeper's Acquire in `park`. A store and
        // not an exchange: the value before does not matter.
        self.woken.store(true, Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts its wake-ups.
    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    /// Does something on the second look, and is never there.
    struct Never<F>(F);

    impl<F: Fn()> Wanted for Never<F> {
        fn capacity(&self) -> usize {
            1
        }

        fn in_sight(&self) -> bool {
            false
        }

        fn is_there(&self) -> bool {
            self.0();
            false
        }
    }

    /// A seat in `list`, and the bell that rings when it is taken out.
    fn enrolled(list: &WaitList) -> (Seat, Arc<Bell>) {
        let (mut seat, bell) = (Seat::default(), Arc::<Bell>::default());
        list.enrol(&mut seat, Waker::from(Arc::clone(&bell)));
        (seat, bell)
    }

    fn rings(bells: &[&Arc<Bell>]) -> Vec<usize> {
        bells.iter().map(|bell| bell.0.load(SeqCst)).collect()
    }

    #[test]
    fn waiters_are_taken_out_in_order_of_arrival_and_no_more_than_asked() {
        let list = WaitList::default();
        let ((_, a), (_, b), (_, c)) = (enrolled(&list), enrolled(&list), enrolled(&list));
        list.notify(2);
        assert_eq!(rings(&[&a, &b, &c]), [1, 1, 0]);
        assert_eq!(list.sleepers(), 1);
        list.notify_all();
        assert_eq!(rings(&[&a, &b, &c]), [1, 1, 1]);
        list.notify(1); // nobody waits: nothing is kept for later
        assert_eq!(list.sleepers(), 0);
    }

    #[test]
    fn a_baton_is_passed_on_by_abandon_and_kept_by_withdraw() {
        let list = WaitList::default();
        let ((mut first, _), (mut second, b), (_, c)) =
            (enrolled(&list), enrolled(&list), enrolled(&list));
        list.notify(1);
        list.abandon(&mut first);
        assert_eq!(rings(&[&b, &c]), [1, 0]);
        list.withdraw(&mut second);
        list.abandon(&mut second); // not seated any more: no duty, nothing to pass
        assert_eq!(rings(&[&b, &c]), [1, 0]);
    }

    #[test]
    fn one_who_enrols_again_stands_where_it_stood() {
        let list = WaitList::default();
        let ((mut first, a), (_, b)) = (enrolled(&list), enrolled(&list));
        list.withdraw(&mut first);
        list.enrol(&mut first, Waker::from(Arc::clone(&a)));
        list.notify(1);
        assert_eq!(rings(&[&a, &b]), [1, 0]);
    }

    #[test]
    fn a_wake_up_between_enrolling_and_sleeping_is_not_lost() {
        let list = WaitList::default();
        let attempts = std::cell::Cell::new(0);
        let wanted = Never(|| {
            if list.sleepers() == 1 {
                list.notify(1); // exactly after the second look began
            }
        });
        let outcome = list.block(&wanted, None, (), |()| {
            attempts.set(attempts.get() + 1);
            if attempts.get() == 1 { Err(()) } else { Ok("woken") } // the first is half-way
        });
        assert_eq!((outcome, attempts.get()), (Ok("woken"), 2));
        assert_eq!(list.sleepers(), 0);
    }

    #[test]
    fn blocking_until_a_deadline_that_has_passed_makes_one_attempt() {
        let list = WaitList::default();
        let past = Some(sync::now());
        let outcome = list.block(&Never(|| ()), past, 7, |input| -> Result<(), _> { Err(input) });
        assert_eq!(outcome, Err(7));
        assert_eq!(list.block(&Never(|| ()), past, 7, Ok::<_, i32>), Ok(7));
    }
}
