//! handover hands work over from producers to consumers: one item, one owner, nothing lost.
//!
//! The crate in reading order:
//!
//! - The contract: [`error`] (what failed, and what the caller can do), [`message`] (what a producer hands in), [`queue`]
//!   (capacity and the other settings), [`caps`] (what a broker promises), [`delivery`] (how a message is taken in, handed
//!   out and settled), [`broker`] (the seam), [`inspect`] (looking and steering).
//! - [`memory`]: the memory broker, which is the contract written to be read.
//! - [`results`]: where outcomes live. [`backend`]: a broker and its result store together.
//!
//! What does not live here: brokers with a dependency of their own (`handover-sqlite` and its sisters), ready-made
//! consumers (`handover-modules`), and the command line (`handover-cli`).

pub mod broker;
pub mod caps;
pub mod clock;
pub mod delivery;
pub mod error;
pub mod id;
pub mod inspect;
pub mod limits;
pub mod memory;
pub mod message;
pub mod queue;
pub mod results;

pub use broker::{BoxFuture, Broker, BrokerExt};
pub use caps::{Attempts, Bound, Caps, Dedup, Durability, LeaseKind, Ordering};
pub use delivery::{Ask, Delivery, Fate, Receipt, Room, Sent, Settle};
pub use error::{Error, ErrorKind, Result};
pub use id::JobId;
pub use inspect::{Explanation, Inspect, JobFilter, JobInfo, JobPage, JobState, QueueInfo, Steer};
pub use memory::MemoryBroker;
pub use message::{Headers, Message, Priority, QueueName};
pub use queue::QueueSettings;
pub use results::{Put, Record, ResultCaps, ResultStore, Status};
