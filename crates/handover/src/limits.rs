//! The checks that every broker makes before it stores or hands out anything: one wording for one limit.

use std::time::Duration;

use crate::caps::{Caps, LeaseKind};
use crate::delivery::{Ask, Settle};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Message, QueueName};

/// Checks a batch to be sent against `caps`: its length, its bytes, and each message.
///
/// # Errors
/// `Unsupported` above a limit of `caps`, `Invalid` for an empty batch or a message that breaks a limit shared by all.
pub fn check_send(caps: &Caps, batch: &[Message]) -> Result<()> {
    check_batch(caps, batch.len())?;
    let mut batch_bytes: usize = 0;
    for message in batch {
        message.check()?;
        if message.body.len() > caps.body_bytes_max {
            return Err(unsupported(
                "the body is too large; store it elsewhere and send where it is",
            )
            .fact("body_bytes", message.body.len())
            .fact("body_bytes_max", caps.body_bytes_max));
        }
        if caps.priorities == 1 && message.priority != crate::message::Priority::default() {
            return Err(unsupported("this broker has no priorities; use a queue for each"));
        }
        if message.key.is_some() && !caps.keys {
            return Err(unsupported("this broker keeps no order per key"));
        }
        check_delay(caps, message.delay)?;
        batch_bytes = batch_bytes.saturating_add(message.body.len());
    }
    if batch_bytes > caps.batch_bytes_max {
        return Err(unsupported(
            "the bodies of the batch are too large together; send it in parts",
        )
        .fact("batch_bytes", batch_bytes)
        .fact("batch_bytes_max", caps.batch_bytes_max));
    }
    Ok(())
}

/// Checks what a consumer asks of receive.
///
/// # Errors
/// `Invalid` for no queue, `max` of zero or a lease of zero; `Unsupported` above a limit of `caps`.
pub fn check_ask(caps: &Caps, queues: &[QueueName], ask: &Ask) -> Result<()> {
    if queues.is_empty() {
        return Err(Error::invalid("receive needs at least one queue"));
    }
    check_batch(caps, ask.max)?;
    check_lease(caps, ask.lease)
}

/// Checks the length of a batch.
///
/// # Errors
/// `Invalid` for zero, `Unsupported` above `caps.batch_max`.
pub fn check_batch(caps: &Caps, length: usize) -> Result<()> {
    if length == 0 {
        return Err(Error::invalid("a batch has at least one item"));
    }
    if length > caps.batch_max {
        return Err(unsupported("the batch has too many items; send it in parts")
            .fact("batch", length)
            .fact("batch_max", caps.batch_max));
    }
    Ok(())
}

/// Checks the length of a lease.
///
/// # Errors
/// `Invalid` for zero, `Unsupported` above the lease's maximum.
pub fn check_lease(caps: &Caps, lease: Duration) -> Result<()> {
    if lease.is_zero() {
        return Err(Error::invalid("a lease is longer than zero"));
    }
    match caps.lease {
        LeaseKind::Timed { lease_max } if lease > lease_max => {
            Err(unsupported("the lease is too long; take a shorter one and extend it")
                .fact("lease_ms", lease.as_millis())
                .fact("lease_max_ms", lease_max.as_millis()))
        }
        _ => Ok(()),
    }
}

/// Checks the delay in a settlement.
///
/// # Errors
/// `Unsupported` above `caps.delay_max`.
pub fn check_settle(caps: &Caps, how: &Settle) -> Result<()> {
    match how {
        Settle::Retry { after, .. } | Settle::Release { after } => check_delay(caps, *after),
        Settle::Done | Settle::Bury { .. } => Ok(()),
    }
}

fn check_delay(caps: &Caps, delay: Duration) -> Result<()> {
    let delay_max = caps.delay_max.unwrap_or_default();
    if delay > delay_max {
        return Err(unsupported("the delay is too long for this broker")
            .fact("delay_ms", delay.as_millis())
            .fact("delay_max_ms", delay_max.as_millis()));
    }
    Ok(())
}

fn unsupported(message: &str) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}
