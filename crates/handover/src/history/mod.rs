//! Histories: what a broker was asked and what it answered, noted as it happens, and checked afterwards.
//!
//! A [`Recorder`] wraps any broker and writes an [`Event`] before and after each call. [`History::read`] reads what the
//! recorders of several processes wrote, and [`check`] looks for broken promises: a job lost, a second effect, two owners
//! at a time, a late owner who was believed, the wrong order, a bound that did not hold, a job handed out too early.
//!
//! ```
//! use std::sync::Arc;
//! use handover::history::{Expect, History, Recorder, Times, check};
//! use handover::{Ask, Broker, BrokerExt, MemoryBroker, Message, QueueName, QueueSettings, Room, Settle};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let folder = tempfile::tempdir().unwrap();
//! let path = folder.path().join("history.jsonl");
//! let broker = Recorder::create(Arc::new(MemoryBroker::new()), &path, Times::Monotonic)?;
//! let mail = QueueName::new("mail")?;
//! broker.declare(&mail, &QueueSettings::with_capacity(10)).await?;
//! broker.send_one(&mail, Message::new("hello"), Room::now()).await?;
//! let taken = broker.receive_one(&mail, Ask::new(1)).await?.expect("it is there");
//! broker.settle_one(taken.receipt, Settle::Done).await?;
//!
//! let report = check(&History::read([&path])?, &Expect::drained())?;
//! assert!(report.is_clean(), "{report}");
//! assert_eq!((report.counts.accepted, report.counts.done), (1, 1));
//! # handover::Result::Ok(()) }).unwrap();
//! ```
//!
//! In reading order: `event.rs` is the format, `log.rs` writes it, `recorder.rs` is the broker around a broker, `read.rs`
//! reads files back, `check/` holds one rule a file over a model of the history.
//!
//! What does not live here: pictures of a history (the command line and the lessons draw those).

mod check;
mod event;
mod log;
mod read;
mod recorder;
#[cfg(test)]
mod tests;

pub use check::{Counts, Expect, Kind, Report, Violation, check};
pub use event::{
    Event, How, JobSent, NotedDelivery, NotedReceipt, Promises, Queue, SettleItem, SteerWhat, What,
};
pub use log::Times;
pub use read::{History, Place};
pub use recorder::Recorder;
