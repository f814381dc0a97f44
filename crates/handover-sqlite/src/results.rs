//! The result store in the same file as the queues, written by the same thread.

use std::sync::Arc;
use std::time::Duration;

use handover::{
    BoxFuture, Durability, Error, ErrorKind, JobId, Put, QueueName, Record, Result, ResultCaps,
    ResultStore, clock,
};

use crate::broker::named;
use crate::error::NAME;
use crate::shared::Shared;
use crate::sql::state::to_sql;
use crate::view;
use crate::writer::op::{AwaitOp, Op, Side};

/// The results in an opened file. Clones share them, and closing one closes all.
#[derive(Debug, Clone)]
pub struct SqliteResults {
    pub(crate) shared: Arc<Shared>,
}

impl SqliteResults {
    async fn get_record(&self, id: JobId) -> Result<Option<Record>> {
        let read = move |connection: &_| view::result(connection, id);
        let found = self.shared.read(Side::Results, read).await?;
        let is_outcome = found.as_ref().is_some_and(|record| record.status.is_outcome());
        if !is_outcome || self.shared.result_caps.durability != Durability::Synced {
            return Ok(found);
        }
        // The writer makes sure that the disk has it.
        let now = clock::now();
        self.shared
            .ask(Side::Results, |reply| Op::Await(AwaitOp { id, deadline: now, reply }))
            .await
    }

    async fn put_all(&self, records: &[Record]) -> Result<Vec<Put>> {
        let output_bytes_max = self.shared.result_caps.output_bytes_max;
        for record in records {
            let bytes = record.output.as_ref().map_or(0, String::len);
            if bytes > output_bytes_max {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "the output is too large; store it elsewhere and return where it is",
                )
                .fact("output_bytes", bytes)
                .fact("output_bytes_max", output_bytes_max)
                .broker(NAME));
            }
        }
        if records.is_empty() {
            self.shared.check_open(Side::Results)?;
            return Ok(Vec::new());
        }
        self.shared.ask(Side::Results, |reply| Op::Put(records.to_vec(), reply)).await
    }
}

#[deny(clippy::missing_trait_methods)]
impl ResultStore for SqliteResults {
    fn caps(&self) -> &ResultCaps {
        &self.shared.result_caps
    }

    fn put<'a>(&'a self, records: &'a [Record]) -> BoxFuture<'a, Result<Vec<Put>>> {
        named("put", self.put_all(records))
    }

    fn get(&self, id: JobId) -> BoxFuture<'_, Result<Option<Record>>> {
        named("get", self.get_record(id))
    }

    fn wait(&self, id: JobId, wait: Duration) -> BoxFuture<'_, Result<Option<Record>>> {
        let deadline = clock::after(wait);
        let wait = move |reply| Op::Await(AwaitOp { id, deadline, reply });
        named("wait", self.shared.ask_patiently(Side::Results, wait))
    }

    fn list<'a>(
        &'a self,
        queue: &'a QueueName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<(Vec<Record>, Option<u64>)>> {
        let queue = queue.clone();
        let list = move |connection: &_| view::results(connection, &queue, to_sql(after), limit);
        named("list", self.shared.read(Side::Results, list))
    }

    fn forget(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        named("forget", self.shared.ask(Side::Results, move |reply| Op::Forget(id, reply)))
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        named("close", self.shared.close(Side::Results))
    }
}
