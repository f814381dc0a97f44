//! From the commit to the answers: what was promised to be on the disk is answered when the disk has it.
//!
//! ```text
//! writer  ──▶ group 1 ─ commit ─┬─▶ group 2 ─ commit ──────┬─▶ group 3 …
//! confirmer                     └─▶ sync ─ answer group 1  └─▶ sync ─ answer group 2
//! ```
//!
//! While nobody else asks for anything, the writer syncs and answers by itself: a lone caller does not pay for two
//! threads. As soon as others wait, a second thread does it, and the writer goes on with the next group. Answers are given
//! in the order of the commits, also those that need no sync.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use handover::{Error, ErrorKind};
use handover_buffer::{Receiver, Sender};

use super::answers::{Answers, End};
use super::log::Log;
use crate::error::NAME;

/// Groups that are committed and wait for the one that is being synced. The writer waits when there are more: what arrives
/// meanwhile makes the next group larger.
const COMMITTED_MAX: usize = 1;

/// A group that is in the file.
struct Committed {
    answers: Answers,
    /// Something in it was promised to be on the disk.
    synced: bool,
}

/// How many groups are not answered yet. The writer adds, the confirmer takes away.
#[derive(Default)]
struct Open {
    count: Mutex<usize>,
    none: Condvar,
}

impl Open {
    fn change(&self, change: impl FnOnce(usize) -> usize) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = change(*count);
        if *count == 0 {
            self.none.notify_all();
        }
    }

    fn wait(&self) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.none.wait_while(count, |count| *count > 0));
    }

    fn is_empty(&self) -> bool {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) == 0
    }
}

/// Confirms and answers.
pub(super) struct Confirmer {
    log: Arc<Log>,
    open: Arc<Open>,
    /// Started when it is first needed.
    thread: Option<(Sender<Committed>, JoinHandle<()>)>,
}

impl Confirmer {
    pub(super) fn new(log: Arc<Log>) -> Self {
        Self { log, open: Arc::default(), thread: None }
    }

    /// Answers a committed group, once the disk has it where it was promised so. With `busy`, others wait for the writer.
    pub(super) fn answer(&mut self, answers: Answers, synced: bool, busy: bool) {
        let group = Committed { answers, synced };
        if self.open.is_empty() && (!busy || !synced) {
            return confirm(&self.log, vec![group]);
        }
        let Some(groups) = self.thread() else {
            return confirm(&self.log, vec![group]); // without a thread nothing was ever handed over
        };
        self.open.change(|count| count + 1);
        if let Err(back) = groups.send(group) {
            self.open.change(|count| count - 1);
            confirm(&self.log, vec![back.into_inner()]);
        }
    }

    fn thread(&mut self) -> Option<Sender<Committed>> {
        if self.thread.is_none() {
            let (sender, groups) = handover_buffer::bounded(COMMITTED_MAX);
            let (log, open) = (Arc::clone(&self.log), Arc::clone(&self.open));
            let thread = std::thread::Builder::new()
                .name("handover-confirm".into())
                .spawn(move || run(&log, &open, &groups))
                .ok()?;
            self.thread = Some((sender, thread));
        }
        self.thread.as_ref().map(|(groups, _)| groups.clone())
    }

    /// Waits until everybody was answered whose work is committed.
    pub(super) fn wait(&self) {
        self.open.wait();
    }

    /// Answers the rest, and ends.
    pub(super) fn close(&mut self) {
        if let Some((groups, thread)) = self.thread.take() {
            drop(groups);
            if thread.join().is_err() {
                tracing::error!("the thread that answers for the database file panicked");
            }
        }
    }
}

fn run(log: &Log, open: &Open, groups: &Receiver<Committed>) {
    let mut taken = Vec::new();
    while let Ok(count) = groups.recv_many(&mut taken, COMMITTED_MAX) {
        confirm(log, std::mem::take(&mut taken));
        open.change(|open| open - count);
    }
}

/// One sync for all of them: each was committed before.
fn confirm(log: &Log, groups: Vec<Committed>) {
    let failed = if groups.iter().any(|group| group.synced) {
        log.sync().err().map(unconfirmed)
    } else {
        None
    };
    for group in groups {
        let failed = failed.as_ref().filter(|_| group.synced);
        group.answers.deliver(failed.map_or(End::Committed, End::Unconfirmed));
    }
}

/// What those are told whose work is in the file and perhaps not on the disk.
fn unconfirmed(error: std::io::Error) -> Error {
    let message = "what was asked is in the file, but the disk did not confirm it: a power failure could lose it; \
                   look at the cause, and send again with the same ids";
    Error::new(ErrorKind::Unavailable, message).broker(NAME).source(error)
}
