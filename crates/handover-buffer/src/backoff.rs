//! How a thread waits for something that will happen soon, without going to sleep.
//!
//! What lives here: spinning and yielding, between two attempts at the ring ([`Backoff`]) and
//! before going to sleep ([`SpinWait`]). What does not: sleeping (`wait.rs`).

use crate::sync;

/// Rounds of busy spinning; round `n` pauses `2^n` times.
const SPIN_ROUNDS: u32 = 6;

/// Pauses that grow, first on the processor, then by offering it to others.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    round: u32,
}

impl Backoff {
    /// Starts with the shortest pause.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A short pause after losing a race: the winner has already made progress.
    #[inline]
    pub(crate) fn lost_race(&mut self) {
        let round = self.round.min(SPIN_ROUNDS);
        sync::spin(1 << round);
        self.round = round + 1;
    }

    /// A pause while another thread has to act first: it may need this very processor, so the
    /// later rounds yield.
    #[inline]
    pub(crate) fn await_other(&mut self) {
        if self.round < SPIN_ROUNDS {
            sync::spin(1 << self.round);
        } else {
            sync::yield_now();
        }
        self.round = self.round.saturating_add(1);
    }
}

/// Longest first pause of a [`SpinWait`], in turns of `sync::spin`: 0.6 to 3 us on processors of
/// 2026.
const FIRST_TURNS_MAX: u32 = 64;
/// Every further pause on the processor, in turns.
const LATER_TURNS: u32 = 2;
/// Pauses on the processor, the first one included.
const GLANCES: u32 = 8;
/// Pauses that offer the processor to others.
const YIELDS: u32 = 16;

/// The time a waiter stays awake, in pauses between which it looks.
///
/// The first pause is the longest one, and the longer the larger the buffer is. A waiter that looks
/// at once takes each item the moment it appears, and both sides then drag the same cache lines
/// from core to core for every single item, which costs thirty times what the item itself costs. A
/// waiter that first lets the other side do an eighth of a buffer finds that many items (or places)
/// and moves them at full speed. The price is paid by two who answer each other item by item through
/// a large buffer: each answer waits for the pause. For those a small buffer is the right one.
#[derive(Debug)]
pub(crate) struct SpinWait {
    first_turns: u32,
    pauses: u32,
}

impl SpinWait {
    /// For a waiter at a buffer of `capacity` places.
    pub(crate) fn new(capacity: usize) -> Self {
        let eighth = u32::try_from(capacity / 8).unwrap_or(u32::MAX);
        Self { first_turns: eighth.clamp(1, FIRST_TURNS_MAX), pauses: 0 }
    }

    /// The next pause.
    pub(crate) fn pause(&mut self) {
        match self.pauses {
            0 => sync::spin(self.first_turns),
            1..GLANCES => sync::spin(LATER_TURNS),
            _ => sync::yield_now(),
        }
        self.pauses += 1;
    }

    /// Whether the spinning has just ended: yielding costs so much that a thorough look is cheap.
    pub(crate) fn is_half_over(&self) -> bool {
        self.pauses == GLANCES
    }

    /// Whether further waiting is better done asleep.
    pub(crate) fn is_over(&self) -> bool {
        self.pauses >= sync::patience(GLANCES + YIELDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staying_awake_ends_after_a_bounded_number_of_pauses() {
        for capacity in [1, 16, 1024, usize::MAX] {
            let mut spin_wait = SpinWait::new(capacity);
            let mut halves = 0;
            for _ in 0..GLANCES + YIELDS {
                assert!(!spin_wait.is_over());
                spin_wait.pause();
                halves += u32::from(spin_wait.is_half_over());
            }
            assert!(spin_wait.is_over());
            assert_eq!(halves, 1);
        }
    }

    #[test]
    fn the_first_pause_grows_with_the_buffer_up_to_a_limit() {
        let turns = |capacity| SpinWait::new(capacity).first_turns;
        assert_eq!([turns(1), turns(16), turns(1024), turns(usize::MAX)], [1, 2, 64, 64]);
    }
}
