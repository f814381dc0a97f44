//! The vocabulary of a run: threads, objects, and what the one does with the other. What a run came to is in
//! [`crate::trace`].

use std::borrow::Cow;

/// A thread of the program, numbered in the order of starting; 0 is the program's main function.
pub type ThreadId = usize;
/// An object of the program, numbered in the order of creation.
pub type ObjectId = usize;

/// What kind of object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A cell without any agreement.
    Shared,
    /// A cell that is read, changed and written in one step.
    Atomic,
    /// A mutex.
    Mutex,
    /// A condition.
    Condvar,
    /// A semaphore.
    Semaphore,
    /// A bounded buffer.
    Buffer,
    /// A disk with a cache in front of it.
    Disk,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Shared => "cell",
            Self::Atomic => "atomic",
            Self::Mutex => "mutex",
            Self::Condvar => "condition",
            Self::Semaphore => "semaphore",
            Self::Buffer => "buffer",
            Self::Disk => "disk",
        }
    }
}

/// An operation: what a thread does in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// Reads a cell.
    Read(ObjectId),
    /// Writes a cell.
    Write(ObjectId),
    /// Reads, changes and writes an atomic.
    Update(ObjectId),
    /// Takes a mutex; waits while another thread holds it.
    Lock(ObjectId),
    /// Gives it back. No choice of its own: it belongs to the step before.
    Unlock(ObjectId),
    /// Gives the mutex back and falls asleep on the condition, both at once.
    Wait {
        /// What it sleeps on.
        condvar: ObjectId,
        /// What it gives back.
        mutex: ObjectId,
    },
    /// Woken from the condition, takes the mutex again.
    Relock {
        /// What it slept on.
        condvar: ObjectId,
        /// What it takes.
        mutex: ObjectId,
    },
    /// Wakes although nobody notified it, which std permits.
    Wake(ObjectId),
    /// Wakes one who sleeps on the condition.
    NotifyOne(ObjectId),
    /// Wakes all who sleep on it.
    NotifyAll(ObjectId),
    /// Takes a place of a semaphore; waits while there is none.
    Acquire(ObjectId),
    /// Gives a place.
    Release(ObjectId),
    /// Puts a value into a buffer; waits while it is full.
    Send(ObjectId),
    /// Takes a value out of a buffer; waits while it is empty.
    Receive(ObjectId),
    /// Closes a buffer.
    Close(ObjectId),
    /// Writes a block of a disk, into the cache.
    WriteBlock {
        /// Which disk.
        disk: ObjectId,
        /// Which block, from 0.
        block: usize,
    },
    /// Reads a block of a disk.
    ReadBlock {
        /// Which disk.
        disk: ObjectId,
        /// Which block, from 0.
        block: usize,
    },
    /// Makes all that was written to a disk durable.
    Sync(ObjectId),
    /// Cuts the power of a disk: what survives of what is not durable is chosen with the step.
    Cut(ObjectId),
    /// Lets chance pick a number below `of`, which is chosen with the step.
    Pick {
        /// What is picked.
        what: &'static str,
        /// How many there are to pick from.
        of: u32,
    },
    /// Starts a thread. No choice of its own.
    Spawn(ThreadId),
    /// Waits for a thread's end.
    Join(ThreadId),
    /// Lets others go first.
    Yield,
}

impl Op {
    /// The object it is done with; for a wait the condition.
    #[must_use]
    pub fn object(self) -> Option<ObjectId> {
        match self {
            Self::Read(id)
            | Self::Write(id)
            | Self::Update(id)
            | Self::Lock(id)
            | Self::Unlock(id) => Some(id),
            Self::Wake(id) | Self::NotifyOne(id) | Self::NotifyAll(id) => Some(id),
            Self::Acquire(id) | Self::Release(id) => Some(id),
            Self::Send(id) | Self::Receive(id) | Self::Close(id) => Some(id),
            Self::Wait { condvar, .. } | Self::Relock { condvar, .. } => Some(condvar),
            Self::WriteBlock { disk, .. } | Self::ReadBlock { disk, .. } => Some(disk),
            Self::Sync(id) | Self::Cut(id) => Some(id),
            Self::Pick { .. } | Self::Spawn(_) | Self::Join(_) | Self::Yield => None,
        }
    }

    /// What it says in a list of steps, as in "producer *locks* items".
    #[must_use]
    pub fn verb(self) -> Cow<'static, str> {
        let verb = match self {
            Self::WriteBlock { block, .. } => return format!("writes block {block} of").into(),
            Self::ReadBlock { block, .. } => return format!("reads block {block} of").into(),
            Self::Read(_) => "reads",
            Self::Write(_) => "writes",
            Self::Update(_) => "updates",
            Self::Lock(_) => "locks",
            Self::Unlock(_) => "unlocks",
            Self::Wait { .. } => "falls asleep on",
            Self::Relock { .. } => "goes on after",
            Self::Wake(_) => "wakes unasked on",
            Self::NotifyOne(_) => "notifies one of",
            Self::NotifyAll(_) => "notifies all of",
            Self::Acquire(_) => "acquires",
            Self::Release(_) => "releases",
            Self::Send(_) => "sends to",
            Self::Receive(_) => "receives from",
            Self::Close(_) => "closes",
            Self::Sync(_) => "syncs",
            Self::Cut(_) => "cuts the power of",
            Self::Pick { .. } => "chance picks",
            Self::Spawn(_) => "starts",
            Self::Join(_) => "joins",
            Self::Yield => "yields",
        };
        verb.into()
    }
}
