//! Putting together: batches that wait at the same time become one append and one sync.
//!
//! There is no thread for it. The first put that finds nobody leading starts a leader on the blocking pool; the leader
//! takes what waits, appends it, answers, and looks again; when nothing waits it ends. A put whose future was dropped
//! before the leader took its batch stores nothing, and one that was dropped later stores all of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::append::Entry;
use super::layout::Layout;
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};
use crate::results::{Put, Record};

/// A group takes no further batch once it has so many records or bytes.
const GROUP_RECORDS: usize = 4096;
const GROUP_BYTES: usize = 8 * 1024 * 1024;

type Answer = oneshot::Sender<Result<Vec<Put>>>;

/// The store, and the batches that wait for it.
#[derive(Debug)]
pub(super) struct Shared {
    /// Held by whoever works at the files, on a thread of the blocking pool.
    store: Mutex<Store>,
    layout: Layout,
    /// Held for a moment. Pushed by `put`, taken by the leader.
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<(Vec<Record>, Answer)>,
    /// True from the moment a leader is started until it finds nothing to do, or dies.
    led: bool,
}

impl Shared {
    pub(super) fn new(store: Store) -> Self {
        Self { layout: store.layout.clone(), store: Mutex::new(store), waiting: Mutex::default() }
    }

    /// The store, for one piece of work that blocks.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(|poisoned| {
            // Work that panicked may have left the books half done. The files are the truth: read them again.
            self.store.clear_poison();
            let mut store = poisoned.into_inner();
            store.forget_all();
            store
        })
    }

    /// Appends a batch, with those that wait at the same time.
    pub(super) async fn put(self: &Arc<Self>, records: Vec<Record>) -> Result<Vec<Put>> {
        let (answer, answered) = oneshot::channel();
        let lead = {
            let mut waiting = self.waiting();
            waiting.batches.push_back((records, answer));
            !std::mem::replace(&mut waiting.led, true)
        };
        if lead {
            let leader = Leader { shared: Arc::clone(self), leads: true, answers: Vec::new() };
            // It answers through the channels; its handle says nothing more.
            drop(tokio::task::spawn_blocking(move || leader.run()));
        }
        answered.await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Unavailable,
                "the append was given up, because the runtime ends or a bug made it panic; put again",
            ))
        })
    }

    /// How many batches wait that no leader has taken.
    #[cfg(test)]
    pub(super) fn batches(&self) -> usize {
        self.waiting().batches.len()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever appends now. There is one at most, and when it is gone, however that happened, nobody waits for it.
#[derive(Debug)]
struct Leader {
    shared: Arc<Shared>,
    /// False once it came to its end.
    leads: bool,
    /// Who waits for the group that is being appended. A field, because fields go after `drop` has run: who is told that
    /// the leader died can put again at once.
    answers: Vec<Answer>,
}

impl Leader {
    fn run(mut self) {
        loop {
            let group = self.take();
            if group.is_empty() {
                // Looked at under the lock once more: a put that came in between counts on this leader.
                let mut waiting = self.shared.waiting();
                if waiting.batches.is_empty() {
                    waiting.led = false;
                    self.leads = false;
                    return;
                }
                continue;
            }
            let outcome = self.shared.store().append(&group);
            match outcome {
                Ok(puts) => {
                    for (answer, put) in self.answers.drain(..).zip(puts) {
                        // Nobody listens where the future was dropped meanwhile. The batch is stored all the same.
                        drop(answer.send(put));
                    }
                }
                Err(error) => {
                    for answer in self.answers.drain(..) {
                        drop(answer.send(Err(error.duplicate())));
                    }
                }
            }
        }
    }

    /// The next group, encoded. A batch that cannot be encoded is answered here and spoils no other.
    fn take(&mut self) -> Vec<Vec<Entry>> {
        let mut group = Vec::new();
        let (mut records, mut bytes) = (0, 0);
        while records < GROUP_RECORDS && bytes < GROUP_BYTES {
            let Some((batch, answer)) = self.shared.waiting().batches.pop_front() else { break };
            if answer.is_closed() {
                continue;
            }
            let entries: Result<Vec<Entry>> =
                batch.iter().map(|record| Entry::new(&self.shared.layout, record)).collect();
            match entries {
                Ok(entries) => {
                    records += entries.len();
                    bytes += entries.iter().map(Entry::bytes).sum::<usize>();
                    group.push(entries);
                    self.answers.push(answer);
                }
                Err(error) => drop(answer.send(Err(error))),
            }
        }
        group
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.leads {
            // It panicked, or the runtime ended before it began. Dropping the answers tells those who wait.
            let mut waiting = self.shared.waiting();
            waiting.led = false;
            waiting.batches.clear();
        }
    }
}
