//! Who sleeps in the memory broker: senders until there is room, receivers until there is work.
//!
//! A sleeper leaves what it needs with the broker and sleeps on a one-shot channel. Whoever makes room or work serves the
//! sleepers in the order they came, under the lock, and hands over the answer itself. So there is no gap between "look"
//! and "sleep" into which a wake-up could fall: a sleeper enters the list under the same lock under which it looked, and
//! everything that could serve it takes that lock afterwards and finds it there.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::delivery::{Delivery, Receipt, Sent};
use crate::error::Result;
use crate::message::{Message, QueueName};

/// A number for each sleeper, so that one that gives up can be found.
pub(super) type Ticket = u64;

/// A sender that waits for room.
#[derive(Debug)]
pub(super) struct WaitingSend {
    pub(super) ticket: Ticket,
    pub(super) batch: Vec<Message>,
    pub(super) parent: Option<Receipt>,
    pub(super) reply: oneshot::Sender<Result<Sent>>,
}

/// A receiver that waits for work.
#[derive(Debug)]
pub(super) struct WaitingReceive {
    pub(super) ticket: Ticket,
    pub(super) queues: Vec<QueueName>,
    pub(super) max: usize,
    pub(super) lease: Duration,
    pub(super) reply: oneshot::Sender<Vec<Delivery>>,
}
