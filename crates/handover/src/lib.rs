//! handover hands work over from producers to consumers: one item, one owner, nothing lost.
//!
//! The crate in reading order:
//!
//! - The contract: [`error`] (what failed, and what the caller can do), [`message`] (what a producer hands in), [`queue`]
//!   (capacity and the other settings), [`caps`] (what a broker promises), [`delivery`] (how a message is taken in, handed
//!   out and settled), [`broker`] (the seam), [`inspect`] (looking and steering).
//! - [`memory`]: the memory broker, which is the contract written to be read.
//! - [`results`]: where outcomes live. [`backend`]: a broker and its result store together.
//! - [`task`]: a named function with typed arguments. [`client`]: sends jobs and waits for results. [`outcome`] and [`retry`]:
//!   how an attempt ended and what becomes of it. [`worker`]: receives, executes, settles.
//! - [`history`]: notes what a broker was asked and answered, and checks the notes against the contract.
//!
//! The feature `test-util` is for tests alone: with it they set the clock on the wall and start the machine anew, both pretended
//! for their process (`clock::pretend`). Turn it on in dev-dependencies; what is shipped has no such switch.
//!
//! What does not live here: brokers with a dependency of their own (`handover-sqlite` and its sisters), ready-made
//! consumers (`handover-modules`), and the command line (`handover-cli`).

pub mod backend;
pub mod broker;
pub mod caps;
pub mod client;
pub mod clock;
pub mod delivery;
pub mod error;
pub mod history;
pub mod id;
pub mod inspect;
pub mod limits;
pub mod memory;
pub mod message;
pub mod outcome;
pub mod queue;
pub mod results;
pub mod retry;
pub mod task;
pub mod worker;

pub use backend::Backend;
pub use broker::{BoxFuture, Broker, BrokerExt};
pub use caps::{Attempts, Bound, Caps, Dedup, Durability, LeaseKind, Ordering};
pub use client::{Client, Job, JobError, NewJob};
pub use delivery::{Ask, Delivery, Fate, Receipt, Room, Sent, Settle};
pub use error::{Error, ErrorKind, Result};
pub use id::JobId;
pub use inspect::{Explanation, Inspect, JobFilter, JobInfo, JobPage, JobState, QueueInfo, Steer};
pub use memory::MemoryBroker;
pub use message::{Headers, Message, Priority, QueueName};
pub use outcome::{Failure, Outcome};
pub use queue::QueueSettings;
pub use results::{
    BothResults, FileResults, FileResultsOptions, MemoryResults, Put, Record, ResultCaps,
    ResultStore, Status,
};
pub use retry::RetryPolicy;
pub use task::{Envelope, Task};
pub use worker::{
    CancelReason, CancelSignal, Context, Health, RunningWorker, Worker, WorkerHandle, WorkerStats,
};
