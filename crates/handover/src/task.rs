//! Tasks: a named function with typed arguments, and the envelope that carries a call of one inside a message.
//!
//! The envelope, version 1: the header `handover` is `1`, the header `task` is the task's name, the body is the arguments
//! as JSON. A later version changes the number; a worker that does not know it leaves the job to one that does.

#[cfg(any(test, fuzzing))]
pub mod fuzz;

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::message::Message;
use crate::retry::RetryPolicy;

/// The name of a task with the types of its arguments `A` and its result `R`. Producer and worker share the constant.
///
/// ```
/// use std::time::Duration;
/// use handover::{RetryPolicy, Task};
/// const RESIZE: Task<(String, u32), String> = Task::new("resize", "pictures")
///     .timeout(Duration::from_secs(60))
///     .retry(RetryPolicy { attempts_max: 3, ..RetryPolicy::DEFAULT });
/// assert_eq!(RESIZE.name(), "resize");
/// ```
pub struct Task<A, R> {
    name: &'static str,
    queue: &'static str,
    timeout: Duration,
    retry: RetryPolicy,
    types: PhantomData<fn(A) -> R>,
}

impl<A, R> Task<A, R> {
    /// The longest name, in bytes.
    pub const NAME_BYTES_MAX: usize = 200;

    /// The task called `name`, whose jobs go to `queue` where nothing else is said.
    ///
    /// An attempt may run for an hour, and the retry policy is [`RetryPolicy::DEFAULT`].
    #[must_use]
    pub const fn new(name: &'static str, queue: &'static str) -> Self {
        let timeout = Duration::from_secs(60 * 60);
        Self { name, queue, timeout, retry: RetryPolicy::DEFAULT, types: PhantomData }
    }

    /// The same, with this long for one attempt.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same with this retry policy.
    #[must_use]
    pub const fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The task's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The queue its jobs go to.
    #[must_use]
    pub const fn queue_name(&self) -> &'static str {
        self.queue
    }

    /// How an attempt is limited and repeated.
    #[must_use]
    pub const fn limits(&self) -> (Duration, RetryPolicy) {
        (self.timeout, self.retry)
    }
}

impl<A: Serialize, R> Task<A, R> {
    /// The message that calls this task with these arguments.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) where the arguments cannot be written as JSON, or the task has a bad name.
    pub fn message(&self, arguments: &A) -> Result<Message> {
        let body = serde_json::to_vec(arguments).map_err(|error| {
            Error::invalid("the arguments cannot be written as JSON")
                .fact("task", self.name)
                .source(error)
        })?;
        Ok(Envelope::new(self.name, body)?.into_message())
    }
}

impl<A, R> Clone for Task<A, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, R> Copy for Task<A, R> {}

impl<A, R> fmt::Debug for Task<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

/// A call of a task by name, as bytes: what a command line or another language sends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope<'a> {
    /// The task's name.
    pub task: &'a str,
    /// The arguments as JSON.
    pub body: Vec<u8>,
}

impl<'a> Envelope<'a> {
    const VERSION: &'static str = "1";

    /// The call of a task.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for an empty or too long name, or one with a control character.
    pub fn new(task: &'a str, body: Vec<u8>) -> Result<Self> {
        let length_max = Task::<(), ()>::NAME_BYTES_MAX;
        if task.is_empty() || task.len() > length_max || task.chars().any(char::is_control) {
            return Err(Error::invalid(format!(
                "{:?} cannot be a task's name: use 1 to {length_max} bytes without control characters",
                task.chars().take(100).collect::<String>()
            )));
        }
        Ok(Self { task, body })
    }

    /// The message that carries it, with a new id.
    #[must_use]
    pub fn into_message(self) -> Message {
        Message::new(self.body)
            .with_header("handover", Self::VERSION)
            .with_header("task", self.task)
    }

    /// The name of the task that a message calls.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for an envelope of a later version;
    /// [`Invalid`](crate::ErrorKind::Invalid) where the message carries none.
    pub fn task_of(message: &Message) -> Result<&str> {
        match message.headers.get("handover").map(String::as_str) {
            Some(Self::VERSION) => {}
            Some(version) => {
                return Err(Error::new(
                    crate::ErrorKind::Unsupported,
                    "the job was sent by a newer handover; update this worker",
                )
                .fact("envelope", version));
            }
            None => {
                return Err(Error::invalid(
                    "the message names no task: it has no envelope of handover",
                ));
            }
        }
        message.task().ok_or_else(|| {
            Error::invalid("the message names no task: its envelope has no header `task`")
        })
    }
}

impl Message {
    /// The name of the task that its envelope calls, unchecked: for people and records. [`Envelope::task_of`] is for workers.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        self.headers.get("task").map(String::as_str)
    }
}

/// Reads a task's arguments.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) where the body is not JSON of this type.
pub(crate) fn arguments<A: DeserializeOwned>(body: &[u8]) -> Result<A> {
    serde_json::from_slice(body)
        .map_err(|error| Error::invalid(format!("the arguments do not fit the task: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    const ADD: Task<(i32, i32), i32> = Task::new("add", "sums");

    #[test]
    fn a_call_goes_through_its_message_unchanged() {
        let message = ADD.message(&(2, 3)).unwrap();
        assert_eq!(Envelope::task_of(&message).unwrap(), "add");
        assert_eq!(arguments::<(i32, i32)>(&message.body).unwrap(), (2, 3));
    }

    #[test]
    fn an_envelope_of_another_version_is_not_guessed_at() {
        let message = ADD.message(&(2, 3)).unwrap().with_header("handover", "2");
        assert_eq!(Envelope::task_of(&message).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(Envelope::task_of(&Message::new("{}")).unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn a_task_name_has_a_limit() {
        for bad in ["", "a\nb", &"x".repeat(201)] {
            assert_eq!(Envelope::new(bad, Vec::new()).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }
}
