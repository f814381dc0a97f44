//! The embedded broker of handover: durable queues and results in one SQLite file, shared by any number of processes.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("handover.db");
//! use handover::{Ask, BrokerExt, Message, QueueName, QueueSettings, Room, Settle};
//!
//! let backend = handover_sqlite::open(&path)?;
//! let mail = QueueName::new("mail")?;
//! backend.broker.declare(&mail, &QueueSettings::with_capacity(1000)).await?;
//! backend.broker.send_one(&mail, Message::new("hello"), Room::now()).await?; // on the disk when this returns
//! let delivery = backend.broker.receive_one(&mail, Ask::new(1)).await?.expect("it is there");
//! assert_eq!(delivery.message.body, b"hello");
//! backend.broker.settle_one(delivery.receipt, Settle::Done).await?;
//! backend.close().await?;
//! # handover::Result::Ok(()) }).unwrap();
//! ```
//!
//! In reading order:
//!
//! - `open`: the options, and the handle of an opened file. `connect`, `schema`, `patience`: what opening a connection means.
//! - `broker`, `inspect`, `steer`, `results`: the traits of handover, each a thin shell that asks the writer or the reader.
//! - `file_time`: what leases and delays are told in. `shared`: what the handles share. `writer`: the one thread that writes, and who waits. `sql`: what it writes.
//! - `reader`, `view`: looking, on a connection of its own. `bell`: how another process is woken.
//! - `backup`, `doctor`: for operators. `error`: how an error of SQLite becomes one of handover.
//!
//! What does not live here: the contract (crate `handover`), and other places for queues.

mod backup;
mod bell;
#[cfg(doctest)]
mod book;
mod broker;
mod connect;
mod doctor;
mod error;
mod file_time;
mod inspect;
mod open;
mod patience;
mod reader;
mod results;
mod schema;
mod shared;
mod sql;
mod steer;
mod view;
mod writer;

pub use backup::Progress;
pub use broker::SqliteBroker;
pub use doctor::{Finding, Report, Severity};
pub use open::{SqliteFile, SqliteOptions, Stats, open};
pub use results::SqliteResults;
