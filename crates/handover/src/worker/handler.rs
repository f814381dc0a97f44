//! Handlers: typed functions, and what a worker knows of each by the name of its task.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Context;
use super::json;
use crate::broker::BoxFuture;
use crate::error::{Error, Result};
use crate::outcome::{Failure, Outcome};
use crate::retry::RetryPolicy;
use crate::task::{Task, arguments};

/// A function of a job's context and body, with the types erased.
type Run = dyn Fn(Context, Vec<u8>) -> BoxFuture<'static, Outcome> + Send + Sync;

/// A handler and its limits.
#[derive(Clone)]
pub(super) struct Handler {
    pub(super) run: Arc<Run>,
    pub(super) timeout: Duration,
    pub(super) retry: RetryPolicy,
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl Handler {
    pub(super) fn raw<F, Fut>(timeout: Duration, retry: RetryPolicy, handler: F) -> Self
    where
        F: Fn(Context, Vec<u8>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self {
            run: Arc::new(move |context, body| Box::pin(handler(context, body))),
            timeout,
            retry,
        }
    }

    pub(super) fn typed<A, R, F, Fut>(task: &Task<A, R>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        R: Serialize + 'static,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = std::result::Result<R, Failure>> + Send + 'static,
    {
        let (timeout, retry) = task.limits();
        let handler = Arc::new(handler);
        Self::raw(timeout, retry, move |context, body| {
            let handler = Arc::clone(&handler);
            async move {
                match arguments::<A>(&body) {
                    Ok(arguments) => {
                        let output_bytes_max = context.backend().results.caps().output_bytes_max;
                        outcome(handler(context, arguments).await, output_bytes_max)
                    }
                    // The same bytes fail the same way at every attempt.
                    Err(error) => Outcome::Bury { reason: error.to_string() },
                }
            }
        })
    }

    pub(super) fn blocking<A, R, F>(task: &Task<A, R>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        F: Fn(Context, A) -> std::result::Result<R, Failure> + Send + Sync + 'static,
    {
        let handler = Arc::new(handler);
        Self::typed(task, move |context, arguments| {
            let handler = Arc::clone(&handler);
            async move {
                let blocking = context.blocking();
                let run = move || {
                    let _until_it_returns = blocking;
                    handler(context, arguments)
                };
                match tokio::task::spawn_blocking(run).await {
                    Ok(result) => result,
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_cancelled) => Err(Failure::release(Duration::ZERO)),
                    },
                }
            }
        })
    }
}

fn outcome<R: Serialize>(
    result: std::result::Result<R, Failure>,
    output_bytes_max: usize,
) -> Outcome {
    match result.map(|value| json::within(&value, output_bytes_max)) {
        Ok(Ok(output)) => Outcome::Done { output: Some(output) },
        Ok(Err(why @ json::Refused::TooLong { .. })) => too_large(&why.to_string()),
        Ok(Err(why)) => {
            Outcome::Bury { reason: format!("the result cannot be written as JSON: {why}") }
        }
        Err(failure) => failure.into_outcome(),
    }
}

/// The outcome of a handler whose output is larger than the result store takes.
pub(super) fn too_large(how_much: &str) -> Outcome {
    Outcome::Bury {
        reason: format!(
            "the result is too large for the result store: {how_much}; store it elsewhere and return where it is"
        ),
    }
}

/// Which handler runs which task.
#[derive(Debug, Default)]
pub(super) struct Registry {
    by_task: HashMap<String, Handler>,
    /// For every task without a handler of its own.
    any: Option<Handler>,
}

impl Registry {
    pub(super) fn add(&mut self, task: &str, handler: Handler) -> Result<()> {
        match self.by_task.insert(task.to_owned(), handler) {
            Some(_) => Err(Error::invalid("the task has two handlers").fact("task", task)),
            None => Ok(()),
        }
    }

    pub(super) fn add_any(&mut self, handler: Handler) -> Result<()> {
        match self.any.replace(handler) {
            Some(_) => Err(Error::invalid("the worker has two handlers for every task")),
            None => Ok(()),
        }
    }

    /// The handler of a task.
    pub(super) fn find(&self, task: &str) -> Option<&Handler> {
        self.by_task.get(task).or(self.any.as_ref())
    }

    /// The handler of messages that name no task.
    pub(super) fn any(&self) -> Option<&Handler> {
        self.any.as_ref()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Handler> {
        self.by_task.values().chain(&self.any)
    }
}
