//! What the tests of the worker share: a place with one queue, two tasks, and a broker and a result store that fail when
//! they are told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use handover::{
    Ask, Backend, BoxFuture, Broker, Caps, Client, Delivery, Error, ErrorKind, Inspect, JobId,
    MemoryBroker, MemoryResults, Message, Put, QueueName, QueueSettings, Receipt, Record, Result,
    ResultCaps, ResultStore, RetryPolicy, Room, Sent, Settle, Steer, Task,
};

pub(crate) const WAIT: Duration = Duration::from_secs(10);
pub(crate) const AT_ONCE: RetryPolicy = RetryPolicy {
    attempts_max: 3,
    delay_first: Duration::from_millis(1),
    delay_max: Duration::from_millis(5),
};
pub(crate) const DOUBLE: Task<u64, u64> = Task::new("double", "sums").retry(AT_ONCE);
pub(crate) const TREE: Task<u32, ()> = Task::new("tree", "sums").retry(AT_ONCE);

/// The queue `sums` of this capacity, in memory.
pub(crate) async fn place(capacity: u64) -> (Backend, Client) {
    with_queue(Backend::memory(), capacity).await
}

pub(crate) async fn with_queue(backend: Backend, capacity: u64) -> (Backend, Client) {
    let client = Client::new(&backend).room_wait(WAIT);
    client.declare("sums", &QueueSettings::with_capacity(capacity)).await.unwrap();
    (backend, client)
}

pub(crate) fn sums() -> QueueName {
    QueueName::new("sums").unwrap()
}

/// The memory broker, but for `extend`, which panics once it is told to.
#[derive(Debug, Default)]
pub(crate) struct Treacherous {
    inner: MemoryBroker,
    pub(crate) extend_panics: AtomicBool,
}

impl Broker for Treacherous {
    fn caps(&self) -> &Caps {
        self.inner.caps()
    }

    fn declare<'a>(
        &'a self,
        queue: &'a QueueName,
        settings: &'a QueueSettings,
    ) -> BoxFuture<'a, Result<()>> {
        self.inner.declare(queue, settings)
    }

    fn send<'a>(
        &'a self,
        queue: &'a QueueName,
        batch: &'a [Message],
        room: Room,
    ) -> BoxFuture<'a, Result<Sent>> {
        self.inner.send(queue, batch, room)
    }

    fn receive<'a>(
        &'a self,
        queues: &'a [QueueName],
        ask: Ask,
    ) -> BoxFuture<'a, Result<Vec<Delivery>>> {
        self.inner.receive(queues, ask)
    }

    fn settle<'a>(
        &'a self,
        batch: &'a [(Receipt, Settle)],
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.inner.settle(batch)
    }

    fn extend<'a>(
        &'a self,
        receipts: &'a [Receipt],
        lease: Duration,
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        assert!(!self.extend_panics.load(Ordering::SeqCst), "a bug in a broker");
        self.inner.extend(receipts, lease)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.close()
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        self.inner.inspect()
    }

    fn steer(&self) -> Option<&dyn Steer> {
        self.inner.steer()
    }
}

/// Results in memory, whose next puts fail.
#[derive(Debug)]
pub(crate) struct FailingResults {
    inner: MemoryResults,
    kind: ErrorKind,
    left: AtomicUsize,
    /// Puts that were tried.
    pub(crate) puts: AtomicUsize,
}

impl FailingResults {
    /// A store whose first `times` puts fail with an error of this kind.
    pub(crate) fn new(kind: ErrorKind, times: usize) -> Arc<Self> {
        let (left, puts) = (AtomicUsize::new(times), AtomicUsize::new(0));
        Arc::new(Self { inner: MemoryResults::new(), kind, left, puts })
    }
}

impl ResultStore for FailingResults {
    fn caps(&self) -> &ResultCaps {
        self.inner.caps()
    }

    fn put<'a>(&'a self, records: &'a [Record]) -> BoxFuture<'a, Result<Vec<Put>>> {
        self.puts.fetch_add(1, Ordering::SeqCst);
        let fails =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match fails {
            Ok(_) => {
                Box::pin(async { Err(Error::new(self.kind, "the disk of the results is gone")) })
            }
            Err(_) => self.inner.put(records),
        }
    }

    fn get(&self, id: JobId) -> BoxFuture<'_, Result<Option<Record>>> {
        self.inner.get(id)
    }

    fn wait(&self, id: JobId, wait: Duration) -> BoxFuture<'_, Result<Option<Record>>> {
        self.inner.wait(id, wait)
    }

    fn list<'a>(
        &'a self,
        queue: &'a QueueName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<(Vec<Record>, Option<u64>)>> {
        self.inner.list(queue, after, limit)
    }

    fn forget(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        self.inner.forget(id)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.close()
    }
}
