//! A backend: a broker and the result store that goes with it, as opening a place by URL gives them.

use std::sync::Arc;

use crate::broker::Broker;
use crate::error::Result;
use crate::memory::MemoryBroker;
use crate::results::{MemoryResults, ResultStore};

/// Where jobs and their results live. Cloning it is cheap and shares both.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let backend = handover::Backend::memory();
/// assert_eq!(backend.broker.caps().name, "memory");
/// backend.close().await.unwrap();
/// # });
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Backend {
    /// The queues.
    pub broker: Arc<dyn Broker>,
    /// The outcomes.
    pub results: Arc<dyn ResultStore>,
}

impl Backend {
    /// A broker and a result store of your choice.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, results: Arc<dyn ResultStore>) -> Self {
        Self { broker, results }
    }

    /// Both in the memory of this process, gone with it.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(Arc::new(MemoryBroker::new()), Arc::new(MemoryResults::new()))
    }

    /// The same broker with another result store.
    #[must_use]
    pub fn with_results(mut self, results: Arc<dyn ResultStore>) -> Self {
        self.results = results;
        self
    }

    /// Closes both.
    ///
    /// # Errors
    /// The first error of either; the other is closed all the same.
    pub async fn close(&self) -> Result<()> {
        let broker = self.broker.close().await;
        let results = self.results.close().await;
        broker.and(results)
    }
}
