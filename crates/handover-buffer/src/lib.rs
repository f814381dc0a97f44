//! A bounded buffer between producers and consumers, threads and async tasks alike.
//!
//! What lives here: the map of the crate and [`bounded`]. What does not: queues that outlive the
//! process; those are brokers, in the other crates.
//!
//! ```
//! let (sender, receiver) = handover_buffer::bounded(2);
//! let producer = std::thread::spawn(move || {
//!     for number in 1..=5 {
//!         sender.send(number).unwrap(); // sleeps while two numbers wait
//!     }
//! }); // the sender is dropped: the end
//! assert_eq!(receiver.iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
//! producer.join().unwrap();
//! ```
//!
//! # What it promises
//!
//! * **Bounded.** Never more than `capacity` items inside. A producer waits for room, up to its
//!   deadline, or is told that the buffer is full.
//! * **Asleep when empty.** A consumer spins for a few microseconds, then sleeps until it is woken;
//!   one waiter is woken for one item or place, and no wake-up is missed (the argument stands on
//!   top of `src/wait.rs`).
//! * **Exclusive.** Each item goes to one receiver, once. Each value that is not received is given
//!   back or dropped, once.
//! * **In order.** Items leave in the order in which their sends took effect. Waiting senders are
//!   woken in order of arrival, but a newcomer may be faster than one that is just being woken.
//! * **Cancel-safe.** A dropped send has sent nothing, a dropped receive has taken nothing, and
//!   either passes on a wake-up that it had received.
//!
//! What it does not promise: a thread that the system stops in the few instructions between
//! claiming a place and filling it holds up those who need that very place (they spin and yield);
//! the ring is quick but not lock-free in the strict sense. Across processes nothing is promised.
//!
//! # Panics by design
//!
//! [`bounded`] and [`monitor::Monitor::new`] with a capacity of 0 (or one that memory cannot hold),
//! and polling a [`SendFuture`] again after it was ready. Nothing else.
//!
//! # The files, in reading order
//!
//! * [`monitor`]: the textbook form, one mutex and two condition variables. Read this first.
//! * `ring`: the array ring, where items are and in which order; the only `unsafe`.
//! * `wait`: the two wait lists, and why no wake-up is missed; `line`, who is next in one.
//! * `channel`: both together; every operation once; closing.
//! * `sender`, `receiver`, `iter`, `future`: the public faces.
//! * `error`: one small type for each operation.
//! * `backoff`, `sync`: pauses, and the one door to std's primitives.

mod backoff;
mod channel;
mod error;
mod future;
mod iter;
mod line;
pub mod monitor;
mod receiver;
mod ring;
mod sender;
mod sync;
mod wait;

pub use error::{
    Closed, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
pub use future::{RecvFuture, RecvManyFuture, SendFuture};
pub use iter::{IntoIter, Iter, TryIter};
pub use receiver::Receiver;
pub use sender::Sender;

/// Makes a buffer with `capacity` places, and a handle for each side.
///
/// Memory for all places is allocated at once: a stamp and a `T` for each.
///
/// # Panics
///
/// If `capacity` is 0 (a buffer without a place hands nothing over), or so large that the places
/// do not fit in memory.
///
/// ```
/// let (sender, receiver) = handover_buffer::bounded(1);
/// sender.send("one").unwrap();
/// assert!(sender.try_send("two").unwrap_err().is_full());
/// assert_eq!(receiver.recv(), Ok("one"));
/// ```
///
/// ```should_panic
/// let _ = handover_buffer::bounded::<u8>(0);
/// ```
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = sync::Arc::new(channel::Channel::new(capacity));
    (Sender::new(sync::Arc::clone(&channel)), Receiver::new(channel))
}
