//! What a broker's crate says about itself to the suite: how to get a broker on an empty place, and what else that place
//! allows. Not here: what a broker promises, which the suite reads from its `Caps`.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use handover::{BoxFuture, Broker, Error, ErrorKind, Result, ResultStore};

/// How the suite gets brokers. Two methods are enough; each of the others un-ignores cases.
pub trait Harness: Send + Sync {
    /// The broker's name, for the first line of the run.
    fn name(&self) -> &str;

    /// A broker on a place of its own that is empty. Called once for each case, inside that case's tokio runtime.
    ///
    /// # Errors
    /// Whatever kept the place from being opened. It fails the case: a missing service is no reason to skip.
    fn fresh(&self) -> BoxFuture<'_, Result<Place<dyn Broker>>>;

    /// A further handle on the place at this address. Called for places that are [`in_turn`](Place::in_turn) or
    /// [`shared`](Place::shared) only, also from a process that the suite started and may kill.
    ///
    /// # Errors
    /// `Unsupported` where no place has an address; otherwise whatever kept it from being opened.
    fn open<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Arc<dyn Broker>>> {
        Box::pin(async move { Err(no_address(address)) })
    }

    /// An empty result store; `None` where the broker has none.
    fn results(&self) -> Option<BoxFuture<'_, Result<Place<dyn ResultStore>>>> {
        None
    }

    /// A further handle on the result store at this address, as [`open`](Self::open).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    fn open_results<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Arc<dyn ResultStore>>> {
        Box::pin(async move { Err(no_address(address)) })
    }

    /// The shortest lease and delay the suite asks for, and with it the pace of the whole run. Raise it where the server
    /// counts in seconds.
    fn short_lease(&self) -> Duration {
        Duration::from_millis(300)
    }
}

fn no_address(address: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "this harness opens no place by its address")
        .fact("address", address)
}

/// Who can open a place besides the handle it came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nobody: the place is gone with its handle.
    Alone,
    /// Another handle, in this process or another, after the first was closed or its process died.
    InTurn,
    /// Others at the same time, in this process and in others.
    Shared,
}

/// An empty place that was made for one case, and a handle on it. It is dropped when the case is over.
pub struct Place<T: ?Sized> {
    pub(crate) handle: Arc<T>,
    pub(crate) address: String,
    pub(crate) reach: Reach,
    pub(crate) outage: Option<Arc<dyn Outage>>,
    guards: Vec<Box<dyn Any + Send + Sync>>,
}

impl<T: ?Sized> Place<T> {
    /// A place that is gone with its one handle.
    #[must_use]
    pub fn alone(handle: Arc<T>) -> Self {
        Self {
            handle,
            address: String::new(),
            reach: Reach::Alone,
            outage: None,
            guards: Vec::new(),
        }
    }

    /// A place that another handle can open at this address, in any process, once the first is closed or dead.
    #[must_use]
    pub fn in_turn(handle: Arc<T>, address: impl Into<String>) -> Self {
        Self { address: address.into(), reach: Reach::InTurn, ..Self::alone(handle) }
    }

    /// A place that handles of any process can open at this address at the same time.
    #[must_use]
    pub fn shared(handle: Arc<T>, address: impl Into<String>) -> Self {
        Self { address: address.into(), reach: Reach::Shared, ..Self::alone(handle) }
    }

    /// The same, with a way to take the place away and to bring it back.
    #[must_use]
    pub fn with_outage(mut self, outage: impl Outage + 'static) -> Self {
        self.outage = Some(Arc::new(outage));
        self
    }

    /// The same, with something that lives until the case is over, such as a temporary folder.
    #[must_use]
    pub fn keep(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guards.push(Box::new(guard));
        self
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Place<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("handle", &self.handle)
            .field("address", &self.address)
            .field("reach", &self.reach)
            .field("outage", &self.outage.is_some())
            .field("guards", &self.guards.len())
            .finish()
    }
}

/// A way to take a place away from its handles, such as stopping the server, and to bring it back with what it held.
pub trait Outage: Send + Sync {
    /// Takes the place away. When it answers, the place cannot be reached.
    ///
    /// # Errors
    /// Whatever went wrong; it fails the case.
    fn begin(&self) -> BoxFuture<'_, Result<()>>;

    /// Brings the place back. When it answers, the place can be reached.
    ///
    /// # Errors
    /// Whatever went wrong; it fails the case.
    fn end(&self) -> BoxFuture<'_, Result<()>>;
}
