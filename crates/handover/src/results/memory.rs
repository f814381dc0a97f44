//! The result store in memory: what the other stores do, written to be read.
//!
//! One mutex around three maps. Nothing awaits under it, and no call does more than a page of work in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout_at;

use super::waiters::Waiters;
use super::{Put, Record, ResultCaps, ResultStore};
use crate::broker::BoxFuture;
use crate::caps::Durability;
use crate::clock::{self, Instant};
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::message::QueueName;

/// Outcomes in the memory of this process, gone with it.
///
/// It is bounded: when there are more than `records_max` records or more than `bytes_max` bytes, the oldest give way,
/// outcomes and progress alike. A job whose outcome gave way is unknown, so its repeat would be stored as if it were the
/// first. Choose the bounds, and the time to live, larger than the time in which a job can come back.
///
/// ```
/// use handover::{JobId, MemoryResults, Put, QueueName, Record, ResultStore, Status};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let results = MemoryResults::new();
/// let done = Record::new(JobId::new(), &QueueName::new("mail")?, Status::Done);
/// assert_eq!(results.put(&[done.clone()]).await?, [Put::Stored]);
/// assert_eq!(results.put(&[done.clone()]).await?, [Put::Kept]);
/// assert_eq!(results.get(done.id).await?, Some(done));
/// # Ok::<(), handover::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct MemoryResults {
    caps: ResultCaps,
    records_max: usize,
    bytes_max: usize,
    ttl: Option<Duration>,
    shelf: Mutex<Shelf>,
    waiters: Arc<Waiters>,
}

impl MemoryResults {
    /// How many records are kept where nothing else is said.
    pub const RECORDS_MAX: usize = 100_000;
    /// How many bytes of outputs and reasons are kept where nothing else is said.
    pub const BYTES_MAX: usize = 256 * 1024 * 1024;
    /// The largest output where nothing else is said, in bytes.
    pub const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

    /// An empty store with the default bounds, that keeps what it has until it must make room.
    #[must_use]
    pub fn new() -> Self {
        Self {
            caps: ResultCaps::new("memory", Durability::Process, Self::OUTPUT_BYTES_MAX, true),
            records_max: Self::RECORDS_MAX,
            bytes_max: Self::BYTES_MAX,
            ttl: None,
            shelf: Mutex::default(),
            waiters: Arc::default(),
        }
    }

    /// The same with room for this many records; 0 counts as 1.
    #[must_use]
    pub fn with_records_max(mut self, records_max: usize) -> Self {
        self.records_max = records_max.max(1);
        self
    }

    /// The same with room for this many bytes of outputs and reasons. The newest record always has room.
    #[must_use]
    pub fn with_bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// The same with this largest output, in bytes of JSON text.
    #[must_use]
    pub fn with_output_bytes_max(mut self, output_bytes_max: usize) -> Self {
        self.caps.output_bytes_max = output_bytes_max;
        self
    }

    /// The same, forgetting each record this long after it was stored.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The records that are alive now; `Closed` where the store was closed.
    fn open_shelf(&self) -> Result<MutexGuard<'_, Shelf>> {
        self.waiters.check_open()?;
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ttl) = self.ttl {
            shelf.remove_older_than(ttl);
        }
        Ok(shelf)
    }

    fn put_now(&self, records: &[Record]) -> Result<Vec<Put>> {
        refuse_large(&self.caps, records)?;
        let mut shelf = self.open_shelf()?;
        let answers = records
            .iter()
            .map(|record| {
                let put = shelf.put(record);
                shelf.make_room(self.records_max, self.bytes_max);
                put
            })
            .collect();
        drop(shelf);
        for record in records.iter().filter(|record| record.status.is_outcome()) {
            self.waiters.ring(record.id);
        }
        Ok(answers)
    }

    fn get_now(&self, id: JobId) -> Result<Option<Record>> {
        Ok(self.open_shelf()?.records.get(&id).map(|kept| kept.record.clone()))
    }
}

impl Default for MemoryResults {
    fn default() -> Self {
        Self::new()
    }
}

impl ResultStore for MemoryResults {
    fn caps(&self) -> &ResultCaps {
        &self.caps
    }

    fn put<'a>(&'a self, records: &'a [Record]) -> BoxFuture<'a, Result<Vec<Put>>> {
        Box::pin(async move { self.put_now(records) })
    }

    fn get(&self, id: JobId) -> BoxFuture<'_, Result<Option<Record>>> {
        Box::pin(async move { self.get_now(id) })
    }

    fn wait(&self, id: JobId, wait: Duration) -> BoxFuture<'_, Result<Option<Record>>> {
        Box::pin(async move {
            let deadline = clock::after(wait);
            let waiting = self.waiters.enter(id);
            loop {
                let rung = waiting.rung();
                let outcome = self.get_now(id)?.filter(|record| record.status.is_outcome());
                if outcome.is_some() || clock::now() >= deadline {
                    return Ok(outcome);
                }
                // Whether it was the bell or the deadline: the next look says.
                drop(timeout_at(deadline, rung).await);
            }
        })
    }

    fn list<'a>(
        &'a self,
        queue: &'a QueueName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<(Vec<Record>, Option<u64>)>> {
        Box::pin(async move { Ok(self.open_shelf()?.page(queue.as_str(), after, limit.min(1000))) })
    }

    fn forget(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move { Ok(self.open_shelf()?.remove(id)) })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.waiters.close();
            Ok(())
        })
    }
}

/// Refuses a batch with an output above the limit, whole. For every store: it is the first thing a put does.
pub(super) fn refuse_large(caps: &ResultCaps, records: &[Record]) -> Result<()> {
    let bytes = |record: &Record| record.output.as_ref().map_or(0, String::len);
    match records.iter().find(|record| bytes(record) > caps.output_bytes_max) {
        None => Ok(()),
        Some(record) => Err(Error::new(
            ErrorKind::Unsupported,
            "the output of a job is larger than the result store takes; store it elsewhere and return its address",
        )
        .operation("put")
        .broker(caps.name)
        .fact("job", record.id)
        .fact("output_bytes", bytes(record))
        .fact("output_bytes_max", caps.output_bytes_max)),
    }
}

/// The records, by job, by age, and by queue.
///
/// A place is a number that grows with every record stored. It is the order of `list` and the order in which records give
/// way; a record that replaces another takes a new one.
#[derive(Default)]
struct Shelf {
    records: HashMap<JobId, Kept>,
    by_age: BTreeMap<u64, JobId>,
    /// The places of outcomes. Progress is not in here.
    by_queue: HashMap<String, BTreeSet<u64>>,
    last_place: u64,
    bytes: usize,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // How much, not what: outputs are the user's business, and many.
        f.debug_struct("Shelf")
            .field("records", &self.records.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

struct Kept {
    place: u64,
    stored_at: Instant,
    record: Record,
}

impl Kept {
    fn bytes(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        length(&self.record.output) + length(&self.record.reason)
    }
}

impl Shelf {
    fn put(&mut self, record: &Record) -> Put {
        if self.records.get(&record.id).is_some_and(|old| !record.replaces(&old.record)) {
            return Put::Kept;
        }
        self.remove(record.id);
        self.last_place += 1;
        let place = self.last_place;
        self.by_age.insert(place, record.id);
        if record.status.is_outcome() {
            self.by_queue.entry(record.queue.clone()).or_default().insert(place);
        }
        let kept = Kept { place, stored_at: clock::now(), record: record.clone() };
        self.bytes += kept.bytes();
        self.records.insert(record.id, kept);
        Put::Stored
    }

    fn remove(&mut self, id: JobId) -> bool {
        let Some(kept) = self.records.remove(&id) else { return false };
        self.bytes -= kept.bytes();
        self.by_age.remove(&kept.place);
        if let Some(places) = self.by_queue.get_mut(&kept.record.queue) {
            places.remove(&kept.place);
            if places.is_empty() {
                self.by_queue.remove(&kept.record.queue);
            }
        }
        true
    }

    fn oldest(&self) -> Option<&Kept> {
        let (_, id) = self.by_age.first_key_value()?;
        self.records.get(id)
    }

    fn make_room(&mut self, records_max: usize, bytes_max: usize) {
        while self.records.len() > records_max || (self.bytes > bytes_max && self.records.len() > 1)
        {
            let Some(id) = self.oldest().map(|kept| kept.record.id) else { return };
            self.remove(id);
        }
    }

    /// The oldest comes first in `by_age`, so this looks at no more than it removes, and one.
    fn remove_older_than(&mut self, ttl: Duration) {
        let now = clock::now();
        while let Some(kept) = self.oldest()
            && now.duration_since(kept.stored_at) >= ttl
        {
            let id = kept.record.id;
            self.remove(id);
        }
    }

    fn page(&self, queue: &str, after: u64, limit: usize) -> (Vec<Record>, Option<u64>) {
        let Some(places) = self.by_queue.get(queue) else { return (Vec::new(), None) };
        let mut places = places.range(after..);
        let records = places
            .by_ref()
            .take(limit)
            .filter_map(|place| self.records.get(self.by_age.get(place)?))
            .map(|kept| kept.record.clone())
            .collect();
        (records, places.next().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Status;

    fn queue() -> QueueName {
        QueueName::new("mail").unwrap()
    }

    fn record(status: Status, token: u64) -> Record {
        let mut record = Record::new(JobId::new(), &queue(), status);
        record.token = token;
        record.output = Some(format!("{token}"));
        record
    }

    fn done(token: u64) -> Record {
        record(Status::Done, token)
    }

    async fn tokens(store: &MemoryResults, limit: usize) -> Vec<u64> {
        let (mut tokens, mut after) = (Vec::new(), Some(0));
        while let Some(place) = after {
            let (page, next) = store.list(&queue(), place, limit).await.unwrap();
            assert!(page.len() <= limit);
            tokens.extend(page.iter().map(|record| record.token));
            after = next;
        }
        tokens
    }

    #[tokio::test]
    async fn done_is_final_and_failed_gives_way_to_done() {
        let store = MemoryResults::new();
        let failed = record(Status::Failed, 1);
        let later = Record { status: Status::Done, token: 2, ..failed.clone() };
        assert_eq!(
            store
                .put(&[failed.clone(), failed.clone(), later.clone(), failed.clone()])
                .await
                .unwrap(),
            [Put::Stored, Put::Kept, Put::Stored, Put::Kept]
        );
        assert_eq!(store.get(failed.id).await.unwrap(), Some(later));
    }

    #[tokio::test]
    async fn the_oldest_record_gives_way_when_there_are_too_many() {
        let store = MemoryResults::new().with_records_max(3);
        let records: Vec<_> = (1..=5).map(done).collect();
        store.put(&records).await.unwrap();
        assert_eq!(tokens(&store, 10).await, [3, 4, 5]);
        assert_eq!(store.get(records[0].id).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_oldest_record_gives_way_when_there_are_too_many_bytes() {
        let store = MemoryResults::new().with_bytes_max(10);
        let large = |token| Record { output: Some("x".repeat(4)), ..done(token) };
        store.put(&[large(1), large(2), large(3)]).await.unwrap();
        assert_eq!(tokens(&store, 10).await, [2, 3]);
        let huge = Record { output: Some("x".repeat(11)), ..done(4) };
        store.put(&[huge]).await.unwrap();
        assert_eq!(tokens(&store, 10).await, [4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_is_forgotten_after_its_time_to_live() {
        let store = MemoryResults::new().with_ttl(Duration::from_secs(60));
        let first = done(1);
        store.put(std::slice::from_ref(&first)).await.unwrap();
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(store.get(first.id).await.unwrap().is_some());
        store.put(&[done(2)]).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(store.get(first.id).await.unwrap(), None);
        assert_eq!(tokens(&store, 10).await, [2]);
    }

    #[tokio::test]
    async fn a_list_is_in_the_order_of_storing_and_has_no_progress() {
        let store = MemoryResults::new();
        let running = record(Status::Running, 9);
        store.put(&[done(1), running.clone(), done(2), done(3)]).await.unwrap();
        for limit in 1..5 {
            assert_eq!(tokens(&store, limit).await, [1, 2, 3]);
        }
        assert_eq!(store.get(running.id).await.unwrap(), Some(running));
    }

    #[tokio::test(start_paused = true)]
    async fn a_put_wakes_the_wait_and_progress_does_not() {
        let store = MemoryResults::new();
        let outcome = done(2);
        let progress = Record { status: Status::Running, token: 1, ..outcome.clone() };
        let began = clock::now();
        let (waited, ()) = tokio::join!(store.wait(outcome.id, Duration::MAX), async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            store.put(&[progress]).await.unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
            store.put(std::slice::from_ref(&outcome)).await.unwrap();
        });
        assert_eq!(waited.unwrap(), Some(outcome));
        assert_eq!(began.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_its_deadline_with_nothing() {
        let began = clock::now();
        let waited = MemoryResults::new().wait(JobId::new(), Duration::from_secs(3)).await;
        assert_eq!((waited.unwrap(), began.elapsed().as_secs()), (None, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn close_ends_what_waits_and_what_comes_later() {
        let store = MemoryResults::new();
        let (waited, closed) =
            tokio::join!(store.wait(JobId::new(), Duration::from_secs(3600)), store.close());
        assert_eq!(waited.unwrap_err().kind(), ErrorKind::Closed);
        assert!(closed.is_ok() && store.close().await.is_ok());
        assert_eq!(store.put(&[done(1)]).await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(store.get(JobId::new()).await.unwrap_err().kind(), ErrorKind::Closed);
    }

    #[tokio::test]
    async fn a_forgotten_record_is_gone_and_can_be_stored_again() {
        let store = MemoryResults::new();
        let record = done(1);
        store.put(std::slice::from_ref(&record)).await.unwrap();
        assert!(store.forget(record.id).await.unwrap());
        assert!(!store.forget(record.id).await.unwrap());
        assert!(store.shelf.lock().unwrap().by_queue.is_empty());
        assert_eq!(store.put(&[record]).await.unwrap(), [Put::Stored]);
    }

    #[tokio::test]
    async fn an_output_above_the_limit_is_refused_with_its_whole_batch() {
        let store = MemoryResults::new().with_output_bytes_max(4);
        let large = Record { output: Some("12345".into()), ..done(2) };
        let error = store.put(&[done(1), large]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("output_bytes_max=4"), "{error}");
        assert!(tokens(&store, 10).await.is_empty());
    }
}
