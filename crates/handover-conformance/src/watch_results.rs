//! A result store that notes every call in the case's log and changes nothing.

use std::sync::Arc;
use std::time::Duration;

use handover::{BoxFuture, JobId, Put, QueueName, Record, Result, ResultCaps, ResultStore};

use crate::calls::Calls;

/// The wrapper.
#[derive(Debug)]
pub(crate) struct WatchedResults {
    store: Arc<dyn ResultStore>,
    calls: Arc<Calls>,
}

impl WatchedResults {
    pub(crate) fn wrap(store: Arc<dyn ResultStore>, calls: &Arc<Calls>) -> Arc<dyn ResultStore> {
        Arc::new(Self { store, calls: Arc::clone(calls) })
    }

    fn note<'a, T: std::fmt::Debug + 'a>(
        &'a self,
        what: String,
        future: BoxFuture<'a, Result<T>>,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move {
            let call = self.calls.begin(what);
            let answer = future.await;
            let shown: String = format!("{answer:?}").chars().take(200).collect();
            call.answered(&shown);
            answer
        })
    }
}

impl ResultStore for WatchedResults {
    fn caps(&self) -> &ResultCaps {
        self.store.caps()
    }

    fn put<'a>(&'a self, records: &'a [Record]) -> BoxFuture<'a, Result<Vec<Put>>> {
        self.note(format!("put {} records", records.len()), self.store.put(records))
    }

    fn get(&self, id: JobId) -> BoxFuture<'_, Result<Option<Record>>> {
        self.note(format!("get {id}"), self.store.get(id))
    }

    fn wait(&self, id: JobId, wait: Duration) -> BoxFuture<'_, Result<Option<Record>>> {
        self.note(format!("wait {wait:?} for {id}"), self.store.wait(id, wait))
    }

    fn list<'a>(
        &'a self,
        queue: &'a QueueName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<(Vec<Record>, Option<u64>)>> {
        let what = format!("list {limit} of {queue} after {after}");
        self.note(what, self.store.list(queue, after, limit))
    }

    fn forget(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        self.note(format!("forget {id}"), self.store.forget(id))
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.note("close the results".to_owned(), self.store.close())
    }
}
