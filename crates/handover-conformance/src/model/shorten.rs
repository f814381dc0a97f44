//! Shortening a round that failed: it ends at the wrong answer already, and every step before it that can be left out is.

use std::time::Duration;

use handover::clock;

use super::round::{Fault, again};
use super::step::{QUEUES, Step};
use crate::harness::Harness;

/// A round that hangs takes seconds each time, and the one who waits for the verdict is a person.
const TIME_MAX: Duration = Duration::from_secs(60);

/// The shortest list of steps that was found to go wrong, and how; `None` where it goes well when it is repeated.
pub(crate) async fn shorten(harness: &dyn Harness, steps: Vec<Step>) -> Option<Fault> {
    let begun = clock::now();
    let mut fault = again(harness, &steps).await.err()?;
    let mut part = fault.lines.len() / 2;
    while part > 0 {
        let mut from = QUEUES.len();
        while from < fault.lines.len() {
            if begun.elapsed() > TIME_MAX {
                return Some(fault);
            }
            let steps = fault.lines.iter().map(|(step, _)| step);
            let fewer: Vec<Step> = without(steps, from, part);
            match again(harness, &fewer).await {
                // A step that means nothing any more leaves no line, so this one is never longer.
                Err(shorter) if shorter.lines.len() < fault.lines.len() => fault = shorter,
                _ => from += part,
            }
        }
        part /= 2;
    }
    Some(fault)
}

/// The steps without `part` of them, from `from` on. Those at the beginning that declare the queues stay.
fn without<'a>(steps: impl Iterator<Item = &'a Step>, from: usize, part: usize) -> Vec<Step> {
    steps
        .enumerate()
        .filter(|(index, _)| !(from..from + part).contains(index))
        .map(|(_, step)| step.clone())
        .collect()
}
