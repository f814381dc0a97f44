//! Several result stores as one: each outcome goes to all, and questions go to the first that can answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::memory::refuse_large;
use super::{Put, Record, ResultCaps, ResultStore};
use crate::broker::BoxFuture;
use crate::caps::Durability;
use crate::error::{Error, ErrorKind, Result};
use crate::id::JobId;
use crate::message::QueueName;

/// Several stores at once, such as a database and a file beside it.
///
/// - `put` goes to all in order, and the answer is that of the first. The error of one is an error of the whole, although
///   the stores before it have the records: put again, the stores that have them keep them.
/// - `get` asks in order until one has a record, `wait` asks all at the same time, and `list` is of the first store that
///   has anything of the queue. A store that fails is passed over while another has the answer.
/// - `forget` and `close` go to all, and the first error is the answer. With a store that only grows, `forget` is therefore
///   `Unsupported`, and the record stays where it cannot be removed.
///
/// What it promises is what the weakest of them does.
///
/// ```
/// use std::sync::Arc;
/// use handover::{BothResults, MemoryResults, ResultStore};
/// let both = BothResults::new(vec![Arc::new(MemoryResults::new()), Arc::new(MemoryResults::new())]);
/// assert_eq!(both.caps().name, "both");
/// ```
#[derive(Debug)]
pub struct BothResults {
    caps: ResultCaps,
    stores: Vec<Arc<dyn ResultStore>>,
}

impl BothResults {
    /// These stores, the one to be asked first in front. Without any store, every `put` is `Invalid`.
    #[must_use]
    pub fn new(stores: Vec<Arc<dyn ResultStore>>) -> Self {
        let all = || stores.iter().map(|store| store.caps());
        let caps = ResultCaps::new(
            "both",
            all().map(|caps| caps.durability).min().unwrap_or(Durability::Process),
            all().map(|caps| caps.output_bytes_max).min().unwrap_or(0),
            all().any(|caps| caps.progress),
        );
        Self { caps, stores }
    }

    /// A page of one of several stores begins at a place that says which store it is of.
    fn split(&self, after: u64) -> (usize, u64) {
        let count = self.stores.len().max(1) as u64;
        (usize::try_from(after % count).unwrap_or(0), after / count)
    }

    fn join(&self, index: usize, place: u64) -> Result<u64> {
        let count = self.stores.len() as u64;
        place.checked_mul(count).and_then(|place| place.checked_add(index as u64)).ok_or_else(
            || {
                Error::new(
                    ErrorKind::Unsupported,
                    "this list is too long to be paged; list one of the stores alone",
                )
                .operation("list")
            },
        )
    }
}

impl ResultStore for BothResults {
    fn caps(&self) -> &ResultCaps {
        &self.caps
    }

    fn put<'a>(&'a self, records: &'a [Record]) -> BoxFuture<'a, Result<Vec<Put>>> {
        Box::pin(async move {
            // Before the first store has anything: the smallest limit is that of all.
            refuse_large(&self.caps, records)?;
            let mut answers = None;
            for store in &self.stores {
                let puts = store.put(records).await?;
                answers.get_or_insert(puts);
            }
            answers.ok_or_else(|| Error::invalid("there is no result store to put into"))
        })
    }

    fn get(&self, id: JobId) -> BoxFuture<'_, Result<Option<Record>>> {
        Box::pin(async move {
            let mut failure = None;
            for store in &self.stores {
                match store.get(id).await {
                    Ok(Some(record)) => return Ok(Some(record)),
                    Ok(None) => {}
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            failure.map_or(Ok(None), Err)
        })
    }

    fn wait(&self, id: JobId, wait: Duration) -> BoxFuture<'_, Result<Option<Record>>> {
        Box::pin(async move {
            let mut waits: Vec<_> =
                self.stores.iter().map(|store| Some(store.wait(id, wait))).collect();
            let mut failure = None;
            poll_fn(move |context| {
                for slot in &mut waits {
                    let Some(future) = slot else { continue };
                    let Poll::Ready(answer) = future.as_mut().poll(context) else { continue };
                    *slot = None;
                    match answer {
                        Ok(Some(record)) => return Poll::Ready(Ok(Some(record))),
                        Ok(None) => {}
                        Err(error) => failure = failure.take().or(Some(error)),
                    }
                }
                if waits.iter().any(Option::is_some) {
                    return Poll::Pending;
                }
                Poll::Ready(failure.take().map_or(Ok(None), Err))
            })
            .await
        })
    }

    fn list<'a>(
        &'a self,
        queue: &'a QueueName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<(Vec<Record>, Option<u64>)>> {
        Box::pin(async move {
            let (first, mut place) = self.split(after);
            let mut failure = None;
            for (index, store) in self.stores.iter().enumerate().skip(first) {
                match store.list(queue, place, limit).await {
                    Ok((page, None)) if page.is_empty() => {}
                    Ok((page, next)) => {
                        let next = next.map(|next| self.join(index, next)).transpose()?;
                        return Ok((page, next));
                    }
                    Err(error) => failure = failure.or(Some(error)),
                }
                // A later page is of the store that gave the first one, and of no other.
                if after > 0 {
                    break;
                }
                place = 0;
            }
            failure.map_or(Ok((Vec::new(), None)), Err)
        })
    }

    fn forget(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let mut had = Ok(false);
            for store in &self.stores {
                had = match (had, store.forget(id).await) {
                    (Ok(had), Ok(has)) => Ok(had || has),
                    (Err(error), _) | (Ok(_), Err(error)) => Err(error),
                };
            }
            had
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut answer = Ok(());
            for store in &self.stores {
                let closed = store.close().await;
                answer = answer.and(closed);
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{MemoryResults, Status};

    fn queue() -> QueueName {
        QueueName::new("mail").unwrap()
    }

    fn done(token: u64) -> Record {
        let mut record = Record::new(JobId::new(), &queue(), Status::Done);
        record.token = token;
        record.output = Some("12345".into());
        record
    }

    fn two() -> (Arc<MemoryResults>, Arc<MemoryResults>, BothResults) {
        let first = Arc::new(MemoryResults::new());
        let second = Arc::new(MemoryResults::new().with_output_bytes_max(100));
        let both = BothResults::new(vec![
            Arc::clone(&first) as Arc<dyn ResultStore>,
            Arc::clone(&second) as Arc<dyn ResultStore>,
        ]);
        (first, second, both)
    }

    #[tokio::test]
    async fn a_put_reaches_every_store_and_the_first_one_answers() {
        let (first, second, both) = two();
        let record = done(1);
        second.put(std::slice::from_ref(&record)).await.unwrap();
        assert_eq!(both.put(std::slice::from_ref(&record)).await.unwrap(), [Put::Stored]);
        assert_eq!(both.put(std::slice::from_ref(&record)).await.unwrap(), [Put::Kept]);
        assert_eq!(first.get(record.id).await.unwrap(), Some(record.clone()));
        assert_eq!(second.get(record.id).await.unwrap(), Some(record));
    }

    #[tokio::test]
    async fn it_promises_what_the_weakest_does_and_refuses_before_anything_is_stored() {
        let (first, _, both) = two();
        assert_eq!(both.caps(), &ResultCaps::new("both", Durability::Process, 100, true));
        let large = Record { output: Some("x".repeat(101)), ..done(1) };
        let error = both.put(std::slice::from_ref(&large)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(first.get(large.id).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_error_of_one_store_is_an_error_and_putting_again_is_safe() {
        let (first, second, both) = two();
        second.close().await.unwrap();
        let record = done(1);
        for _ in 0..2 {
            let error = both.put(std::slice::from_ref(&record)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Closed);
        }
        assert_eq!(first.list(&queue(), 0, 10).await.unwrap().0, [record]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_store_that_has_it_answers_get_and_wait() {
        let (first, second, both) = two();
        let record = done(1);
        second.put(std::slice::from_ref(&record)).await.unwrap();
        first.close().await.unwrap();
        assert_eq!(both.get(record.id).await.unwrap(), Some(record.clone()));
        assert_eq!(both.wait(record.id, Duration::MAX).await.unwrap(), Some(record));
        let error = both.wait(JobId::new(), Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_put_into_any_store_wakes_the_wait() {
        let (_, second, both) = two();
        let record = done(1);
        let (waited, ()) = tokio::join!(both.wait(record.id, Duration::MAX), async {
            tokio::task::yield_now().await;
            second.put(std::slice::from_ref(&record)).await.unwrap();
        });
        assert_eq!(waited.unwrap(), Some(record));
        assert_eq!(both.wait(JobId::new(), Duration::from_secs(1)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn every_page_of_a_list_is_of_the_same_store() {
        let (first, second, both) = two();
        second.put(&[done(1), done(2), done(3)]).await.unwrap();
        let (page, next) = both.list(&queue(), 0, 2).await.unwrap();
        assert_eq!(page.iter().map(|record| record.token).collect::<Vec<_>>(), [1, 2]);
        first.put(&[done(7), done(8), done(9)]).await.unwrap();
        let (page, next) = both.list(&queue(), next.unwrap(), 2).await.unwrap();
        assert_eq!(page.iter().map(|record| record.token).collect::<Vec<_>>(), [3]);
        assert_eq!(next, None);
    }

    #[tokio::test]
    async fn without_a_store_a_put_is_invalid() {
        let none = BothResults::new(Vec::new());
        let small = Record { output: None, ..done(1) };
        assert_eq!(none.put(&[small]).await.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(none.list(&queue(), 7, 2).await.unwrap(), (Vec::new(), None));
    }
}
