//! The seam: what every broker can do, and the contract it keeps, clause by clause.
//!
//! Object-safe, boxed futures, batches everywhere, no default methods: a convenience lives in [`BrokerExt`], which is
//! implemented for every broker and overridable by none. Looking into queues and steering them is in `inspect.rs`.
//! How to write a broker of your own is in the book; the conformance suite judges it.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::caps::Caps;
use crate::delivery::{Ask, Delivery, Receipt, Room, Sent, Settle};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{Inspect, Steer};
use crate::message::{Message, QueueName};
use crate::queue::QueueSettings;

/// A future in a box, as every method of the seam returns one: brokers are chosen by URL at run time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where queues live.
///
/// # The contract
///
/// Each clause has conformance cases that carry its number. The clauses that belong to one method stand there; these hold
/// for all of them:
///
/// - **C10 giving up.** A broker never gives up on a message by itself. Only `Settle::Bury` and a person do.
/// - **C11 outage.** [`Unavailable`](ErrorKind::Unavailable) is temporary: the same value works again when the place where
///   queues live is back, with no rebuild by the caller.
/// - **C13 survive.** What `send` acknowledged is there after the death of the process (`Buffered`) or of the machine
///   (`Synced`), as the receipt says; and so is every settlement that was acknowledged.
///
/// Time in the seam is always a duration: the clock is the broker's.
pub trait Broker: Debug + Send + Sync {
    /// What this broker, as configured, promises. Never fails and never waits.
    fn caps(&self) -> &Caps;

    /// Creates the queue, or changes the settings of one that exists. What is in it stays, even above a smaller capacity.
    ///
    /// # Errors
    /// `Invalid` for settings out of range, `Unsupported` for what this broker cannot keep, `Unavailable`, `Closed`.
    fn declare<'a>(
        &'a self,
        queue: &'a QueueName,
        settings: &'a QueueSettings,
    ) -> BoxFuture<'a, Result<()>>;

    /// Adds a batch to a queue, whole or not at all, waiting for room as `room` says.
    ///
    /// - **C1 send.** `Ok` means that every message is stored as firmly as the answer says. An error means that none is,
    ///   but for `Unavailable`, after which some may be: ids are chosen before the call, so sending the same batch again is
    ///   one job each where `Caps::dedup` says so. An id belongs to one queue: sending one that is known in another queue
    ///   is `Invalid`.
    /// - **C2 isolation.** Queues do not see each other. A body comes back byte for byte, empty and binary ones too.
    /// - **C9 limits.** What is above a limit of `Caps` is refused at once and whole, before anything is stored.
    /// - **C14 bound.** The unsettled messages of a queue (ready, delayed, held, leased) are never more than its capacity.
    ///   A send that waits is woken when room appears, in the order of arrival within a process, and does not poll; at its
    ///   deadline it is told `Full` and has stored nothing. A batch larger than the capacity is `Invalid`. Children of a
    ///   job leased in the same queue do not wait: those without room are parked, up to the overdraft, and admitted in
    ///   order as room appears, before any waiting sender.
    ///
    /// Dropping the future stores the whole batch or nothing.
    ///
    /// # Errors
    /// `Full` at the deadline, `Invalid` for an empty batch, one larger than the queue, a queue that was not declared, an id of
    /// another queue, or a message that breaks a limit shared by all; `Unsupported` for what is above a limit in `Caps`, `LeaseLost` where `room.parent` has lost its lease,
    /// `Unavailable`, `Closed`.
    fn send<'a>(
        &'a self,
        queue: &'a QueueName,
        batch: &'a [Message],
        room: Room,
    ) -> BoxFuture<'a, Result<Sent>>;

    /// Takes up to `ask.max` messages from the queues, the first one named first, and sleeps up to `ask.wait` while all
    /// are empty.
    ///
    /// - **C3 lease.** A delivery belongs to one receiver until its lease ends; then it is delivered again with a new token.
    /// - **C4 attempts.** The first delivery is attempt 1. A delivery whose lease ran out counts as an attempt. Attempts survive
    ///   the death of a process; that of the machine may leave the last ones uncounted, where a broker keeps leases less
    ///   firmly than messages. Tokens grow through both.
    /// - **C5 receive.** Never more than `ask.max`. Empty after `ask.wait` is an empty answer and not an error, as is a queue
    ///   that was never declared. A send wakes a waiting receive, and one message wakes one. Dropping the future
    ///   loses nothing for longer than a lease.
    /// - **C7 delay.** Never before it is due, whether the delay is of send, retry or release.
    /// - **C15 order.** First in, first out, within a priority; higher priorities first. Of the messages with one key, one at
    ///   a time and in the order they were sent: while one is leased, delayed or waiting for its retry, those behind it are
    ///   held. A message that comes back keeps its old place.
    /// - **C16 exclusive queue.** Of a queue declared exclusive at most one message is leased at a time, in the whole fleet.
    ///
    /// # Errors
    /// `Invalid` for `max` or `lease` of zero or no queue, `Unsupported` above a limit in `Caps`, `Unavailable`, `Closed`.
    fn receive<'a>(
        &'a self,
        queues: &'a [QueueName],
        ask: Ask,
    ) -> BoxFuture<'a, Result<Vec<Delivery>>>;

    /// Ends leases. One answer for each item, in order.
    ///
    /// - **C6 settle.** `Done` is final. A receipt whose lease is over is answered `LeaseLost` and changes nothing where
    ///   `Caps::fenced`. One bad item spoils no other.
    /// - **C8 bury.** A buried message is out of circulation and not counted by the bound, can be seen by `Inspect`, and comes back by `Steer::kick`.
    ///
    /// # Errors
    /// For the batch: `Invalid` where it is empty, `Unsupported` above `batch_max`, `Unavailable`, `Closed`. For an item: `LeaseLost`, `Unsupported`
    /// for a delay above `delay_max`.
    fn settle<'a>(
        &'a self,
        batch: &'a [(Receipt, Settle)],
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>>;

    /// Makes leases end `lease` from now. One answer for each receipt, in order (C3, C6).
    ///
    /// # Errors
    /// As [`settle`](Self::settle); for the batch also `Invalid` for a lease of zero and `Unsupported` above the longest.
    fn extend<'a>(
        &'a self,
        receipts: &'a [Receipt],
        lease: Duration,
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>>;

    /// Ends this handle's use of the broker.
    ///
    /// - **C12 close.** Calls that wait and calls that come later get `Closed`. What is leased comes back when its lease
    ///   ends. Closing twice is fine.
    ///
    /// # Errors
    /// `Unavailable` where what was accepted could not be brought to rest.
    fn close(&self) -> BoxFuture<'_, Result<()>>;

    /// A view into the queues, where the broker has one.
    fn inspect(&self) -> Option<&dyn Inspect>;

    /// The hands of an operator, where the broker has them.
    fn steer(&self) -> Option<&dyn Steer>;
}

/// Conveniences over [`Broker`], the same for every broker.
pub trait BrokerExt: Broker {
    /// Sends one message.
    ///
    /// # Errors
    /// As [`Broker::send`].
    fn send_one<'a>(
        &'a self,
        queue: &'a QueueName,
        message: Message,
        room: Room,
    ) -> BoxFuture<'a, Result<Sent>> {
        Box::pin(async move { self.send(queue, std::slice::from_ref(&message), room).await })
    }

    /// Receives one message, or `None` after the wait.
    ///
    /// # Errors
    /// As [`Broker::receive`].
    fn receive_one<'a>(
        &'a self,
        queue: &'a QueueName,
        ask: Ask,
    ) -> BoxFuture<'a, Result<Option<Delivery>>> {
        Box::pin(async move {
            Ok(self.receive(std::slice::from_ref(queue), Ask { max: 1, ..ask }).await?.pop())
        })
    }

    /// Settles one lease.
    ///
    /// # Errors
    /// As [`Broker::settle`], for the batch or the item.
    fn settle_one(&self, receipt: Receipt, how: Settle) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { only(self.settle(&[(receipt, how)]).await?) })
    }

    /// Extends one lease.
    ///
    /// # Errors
    /// As [`Broker::extend`], for the batch or the item.
    fn extend_one(&self, receipt: Receipt, lease: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { only(self.extend(&[receipt], lease).await?) })
    }

    /// The view into the queues.
    ///
    /// # Errors
    /// `Unsupported` where the broker has none.
    fn inspector(&self) -> Result<&dyn Inspect> {
        self.inspect().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "this broker cannot show its queues")
                .broker(self.caps().name)
        })
    }

    /// The hands of an operator.
    ///
    /// # Errors
    /// `Unsupported` where the broker has none.
    fn operator(&self) -> Result<&dyn Steer> {
        self.steer().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "this broker cannot be steered")
                .broker(self.caps().name)
        })
    }
}

impl<B: Broker + ?Sized> BrokerExt for B {}

/// The one answer of a batch of one.
fn only(mut answers: Vec<Result<()>>) -> Result<()> {
    answers.pop().unwrap_or_else(|| {
        Err(Error::new(ErrorKind::Internal, "the broker gave no answer for a batch of one"))
    })
}
