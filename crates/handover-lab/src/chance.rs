//! Chance as a step: what a network, a disk or a user does that the program cannot know. An exploration takes every way that
//! chance can go; real threads take one.

use crate::effect::{Effect, digest};
use crate::here;
use crate::op::Op;
use crate::real;
use crate::sync::step;
use crate::world::Answer;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::Location;

/// The most that one step picks from: an exploration takes each way.
const OF_MAX: u32 = 1_000;

/// Picks a number from 0 to `of` - 1, in one step. `what` names it in pictures and schedules.
///
/// Programs that are explored ask nothing else for a number: with a generator of their own they would be another program in every
/// execution.
///
/// ```
/// use handover_lab::{Bounds, chance, explore, sync::Shared};
///
/// fn program() {
///     let answer = Shared::new("answer", 0);
///     // An answer that is lost on the way, arrives, or arrives twice.
///     for _ in 0..chance::pick("answers", 3) {
///         answer.write(answer.read() + 1);
///     }
///     assert!(answer.read() < 2, "answered twice");
/// }
///
/// let found = explore(program, Bounds::default());
/// assert_eq!((found.schedules, found.broken, found.complete), (3, 1, true));
/// ```
///
/// # Panics
///
/// If there is nothing to pick from, or more than 1,000.
#[track_caller]
pub fn pick(what: &'static str, of: u32) -> u32 {
    assert!((1..=OF_MAX).contains(&of), "{what}: chance picks one of 1 to {OF_MAX}, not of {of}");
    let op = Op::Pick { what, of };
    let Some(world) = here::world() else {
        return real::perform(op, Location::caller(), || random(of));
    };
    let number = if let Answer::Picked(number) = step(op) { number } else { 0 };
    world.borrow_mut().does(Effect::Learns(digest(number)));
    number
}

/// A number below `of`, another one each time: std's hash maps are keyed by the system's randomness.
pub(crate) fn random(of: u32) -> u32 {
    let below = RandomState::new().build_hasher().finish() % u64::from(of.max(1));
    u32::try_from(below).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::random;

    #[test]
    fn every_number_comes_up() {
        let mut seen = [false; 4];
        for _ in 0..1_000 {
            seen[usize::try_from(random(4)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 4]);
    }
}
