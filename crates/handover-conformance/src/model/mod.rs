//! The seeded model test: random steps of several clients, each answer held against a pure model of the contract.
//!
//! In reading order: `step.rs` is what clients can do and what they can be told, `contract.rs` the model's state and the rules
//! by which it moves, `judge.rs` whether an answer is one the contract allows, `worlds.rs` the facts that only time knows,
//! `pick.rs` the choice of the next step, `sense.rs` which make sense, `drive.rs` the steps as calls of a real broker, `round.rs` one round from its seed
//! to its verdict, `shorten.rs` what is cut from a round that failed. `storm.rs` is
//! many clients at once, where only what holds for all of them together can be judged. The cases are in `cases/model.rs`.
//!
//! The model has no clock. What waits for time is either due never within a round (`Far`) or due at a moment nobody can
//! name (`Soon`): for the latter the model keeps every world that the answers allow, until the driver has let the time pass.

mod contract;
mod drive;
mod judge;
mod pick;
mod round;
mod sense;
mod shorten;
mod step;
mod storm;
#[cfg(test)]
mod tests;
mod worlds;

pub(crate) use round::{Plan, rounds};
pub(crate) use storm::storm;
