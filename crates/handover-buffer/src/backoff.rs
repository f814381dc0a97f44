//! How a thread waits for something that will happen within a few hundred instructions.
//!
//! What lives here: spinning, then yielding the processor. What does not: sleeping (`wait.rs`).

use crate::sync;

/// Rounds of busy spinning; round `n` pauses `2^n` times.
const SPIN_ROUNDS: u32 = 6;
/// Rounds of yielding to other threads before [`Backoff::is_spent`].
const YIELD_ROUNDS: u32 = 16;

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

    /// Whether further waiting is better done asleep.
    #[inline]
    pub(crate) fn is_spent(&self) -> bool {
        self.round >= sync::patience(SPIN_ROUNDS + YIELD_ROUNDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_another_thread_is_spent_after_a_bounded_number_of_pauses() {
        let mut backoff = Backoff::new();
        for _ in 0..SPIN_ROUNDS + YIELD_ROUNDS {
            assert!(!backoff.is_spent());
            backoff.await_other();
        }
        assert!(backoff.is_spent());
    }

    #[test]
    fn losing_races_alone_never_asks_for_sleep() {
        let mut backoff = Backoff::new();
        for _ in 0..1_000 {
            backoff.lost_race();
        }
        assert!(!backoff.is_spent());
    }
}
