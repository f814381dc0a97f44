//! Looking into the queues, on the reader's connection.
//!
//! Nothing moves a job in the file until somebody works on its queue: a delay may be over or a lease have run out and the row
//! still say otherwise. So a look first asks whether any such job is in its way; only then is the writer asked to move
//! them, as the next receive would.

use handover::{
    BoxFuture, Explanation, Inspect, JobFilter, JobId, JobInfo, JobPage, QueueInfo, QueueName,
    Result,
};
use rusqlite::Connection;

use crate::broker::{SqliteBroker, named};
use crate::sql::Outcome;
use crate::view;
use crate::writer::op::{Op, Side};

/// A queue with this many jobs to move takes that many looks divided by a few thousand; a look gives up after so many.
const SWEEPS_MAX: usize = 1000;

impl SqliteBroker {
    /// Looks, once no job of `queue` (of any where that says `None`) is overdue that was so when the look was asked for.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        queue: Option<QueueName>,
        work: impl Fn(&Connection, i64) -> Outcome<T> + Clone + Send + 'static,
    ) -> Result<T> {
        // One moment for all rounds: what becomes overdue meanwhile is not waited for, or a busy queue would never be seen.
        let now = self.shared.time.now_ms();
        for _ in 0..SWEEPS_MAX {
            let (work, queue) = (work.clone(), queue.clone());
            let look = move |connection: &Connection| {
                let snapshot = connection.unchecked_transaction()?;
                let overdue = view::overdue(&snapshot, queue.as_ref(), now)?;
                if overdue.is_empty() {
                    return Ok(work(&snapshot, now)?.map(Ok));
                }
                Ok(Ok(Err(overdue)))
            };
            match self.shared.read(Side::Broker, look).await? {
                Ok(seen) => return Ok(seen),
                Err(overdue) => {
                    self.shared.ask(Side::Broker, |reply| Op::Sweep(overdue, reply)).await?;
                }
            }
        }
        self.shared.read(Side::Broker, move |connection| work(connection, now)).await
    }

    /// The queue of a stored job.
    async fn queue_of(&self, id: JobId) -> Result<Option<QueueName>> {
        self.shared.read(Side::Broker, move |connection| view::queue_of(connection, id)).await
    }

    fn with_waiting(&self, mut info: QueueInfo) -> QueueInfo {
        let waiting =
            self.shared.counters.senders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        info.senders_waiting = waiting.get(&info.name).copied().unwrap_or(0);
        info
    }
}

impl Inspect for SqliteBroker {
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueInfo>>> {
        named("queues", async move {
            let queues = self.look(None, |connection, _| view::queues(connection)).await?;
            Ok(queues.into_iter().map(|info| self.with_waiting(info)).collect())
        })
    }

    fn queue<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<QueueInfo>>> {
        named("queue", async move {
            let name = queue.clone();
            let seen = self
                .look(Some(queue.clone()), move |connection, _| view::queue(connection, &name))
                .await?;
            Ok(seen.map(|info| self.with_waiting(info)))
        })
    }

    fn jobs<'a>(
        &'a self,
        queue: &'a QueueName,
        filter: JobFilter,
    ) -> BoxFuture<'a, Result<JobPage>> {
        let name = queue.clone();
        let look = move |connection: &_, now| view::jobs(connection, &name, filter, now);
        named("jobs", self.look(Some(queue.clone()), look))
    }

    fn job(&self, id: JobId) -> BoxFuture<'_, Result<Option<JobInfo>>> {
        named("job", async move {
            let Some(queue) = self.queue_of(id).await? else { return Ok(None) };
            self.look(Some(queue), move |connection, now| view::job(connection, id, now)).await
        })
    }

    fn explain(&self, id: JobId) -> BoxFuture<'_, Result<Option<Explanation>>> {
        named("explain", async move {
            let Some(queue) = self.queue_of(id).await? else { return Ok(None) };
            self.look(Some(queue), move |connection, now| view::explain(connection, id, now)).await
        })
    }
}
