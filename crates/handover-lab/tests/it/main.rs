//! What the engine promises, in one binary.

mod explore;
mod programs;
mod real;
