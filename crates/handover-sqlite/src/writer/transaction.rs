//! One transaction of the writer from BEGIN to the answers: what it has to wait for, and what is left when it fails.
//!
//! What is done inside it is in `group.rs`; when there is something to do is in `mod.rs`.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use handover::clock;
use handover::{Durability, Error, ErrorKind, QueueName};
use rusqlite::{Connection, ErrorCode};

use super::answers::{Answers, End, Undone};
use super::group::{Desk, outdated};
use super::log::is_lost;
use super::op::{Op, Part};
use super::{LOOK_AGAIN, Round, Writer, mend};
use crate::error::{NAME, from_sqlite};
use crate::patience;
use crate::sql::{Committed, Tx};

/// After the disk was full, for how long each part of the work has a transaction of its own from the start.
const APART: Duration = Duration::from_secs(1);
/// How often the sends that are left are tried again without the one that did not fit, before all of them fail.
const SEND_TRIES: u32 = 8;
/// When the log has this many pages (8 MiB), it is copied back. Less costs more copies of the pages that change all the time.
/// More costs lone sends: a sync of a file that grows takes longer than of one that is written over.
const LOG_PAGES: u32 = 1000;
/// The same while commits are large (16 MiB): they hardly notice that the file grows, and what a copy costs beside its pages is
/// spread over more of them.
const LOG_PAGES_BUSY: u32 = 2 * LOG_PAGES;
/// A commit of this many pages (128 KiB) is large: about a hundred messages.
const LARGE_COMMIT_PAGES: u32 = 16;
/// When it has this many (32 MiB), others wait until that is done.
const LOG_PAGES_MAX: u32 = 4000;
/// How long to wait for the others then.
const HOLD_UP_MAX: Duration = Duration::from_millis(20);
/// How long nobody is made to wait after that was in vain: somebody reads for long, a backup perhaps.
const HOLD_UP_AGAIN: Duration = Duration::from_secs(1);
/// What makes room may use at most this many pages more than the file may have: 16 MiB.
const RESERVE_PAGES_MAX: u32 = 2048;

/// A transaction that was rolled back.
struct Failed {
    error: Error,
    /// The disk is full, or the file as large as it may be.
    full: bool,
    /// The disk failed, perhaps in a sync.
    disk: bool,
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let (full, disk) =
            (code == Some(ErrorCode::DiskFull), code == Some(ErrorCode::SystemIoFailure));
        Self { error: from_sqlite(error), full, disk }
    }
}

impl Writer<'_> {
    /// Does the round's work and answers everybody: in one transaction, or in three while the disk is full.
    pub(super) fn transaction(&mut self, round: &mut Round) {
        let work = std::mem::take(&mut round.work);
        let queues = std::mem::take(&mut round.queues);
        if self.apart_until.is_some_and(|until| until > clock::now()) {
            return self.do_apart(round, work, queues);
        }
        self.apart_until = None;
        if let Err(work) = self.do_part(Part::All, work, &queues, round) {
            self.do_apart(round, work, queues);
        }
    }

    /// First what makes room, then what needs it.
    fn do_apart(&mut self, round: &mut Round, work: Vec<Op>, mut queues: HashSet<QueueName>) {
        let (mut finish, mut results, mut sends) = (Vec::new(), Vec::new(), Vec::new());
        for op in work {
            match op.part() {
                Part::Results => results.push(op),
                Part::Sends => sends.push(op),
                Part::Finish | Part::All => finish.push(op),
            }
        }
        round.changed.clear();
        // It does what else there is to do as well.
        let finished = self.do_part(Part::Finish, finish, &queues, round);
        let put = if results.is_empty() {
            Ok(())
        } else {
            self.do_part(Part::Results, results, &HashSet::new(), round)
        };
        debug_assert!(finished.is_ok() && put.is_ok(), "only all and sends are tried again");
        queues.extend(round.changed.drain(..));
        queues.retain(|queue| self.waiters.has_sends(queue));
        if sends.is_empty() && queues.is_empty() {
            return;
        }
        for left in (0..SEND_TRIES).rev() {
            self.tries_left = left;
            match self.do_part(Part::Sends, sends, &queues, round) {
                Ok(()) => break,
                Err(rest) => sends = rest,
            }
        }
    }

    /// Runs one transaction and answers everybody. `Err` has what is to be done again: everything in parts, or the other
    /// sends without the one that did not fit.
    fn do_part(
        &mut self,
        part: Part,
        work: Vec<Op>,
        queues: &HashSet<QueueName>,
        round: &mut Round,
    ) -> std::result::Result<(), Vec<Op>> {
        let mut answers = Answers::default();
        let mut work = work.into_iter();
        let operations = work.len();
        let failed = match self.try_transaction(part, &mut work, queues, &mut answers) {
            Ok(committed) => {
                self.rest_until = None;
                let done_now = operations - work.len();
                self.post.counters.operations.fetch_add(done_now as u64, Ordering::Relaxed);
                work.rev().for_each(|op| self.pending.push_front(op));
                self.committed(committed, answers, round);
                return Ok(());
            }
            Err(failed) => failed,
        };
        self.post.counters.failures.fetch_add(1, Ordering::Relaxed);
        if !failed.full {
            answers.deliver(End::RolledBack(&failed.error));
            work.for_each(|op| op.fail(&failed.error));
            self.rest();
            return Ok(());
        }
        self.disk_full();
        let one_is_to_blame = answers.file_failed();
        let mut undone: Vec<Undone> = answers.undo().collect();
        // The sends that fit are not to fail with the one that did not.
        let blamed = (part == Part::Sends && one_is_to_blame && self.tries_left > 0)
            .then(|| undone.pop())
            .flatten();
        let again = part == Part::All || blamed.is_some();
        let mut ops = Vec::new();
        for undone in undone {
            match undone {
                // It waited for work, and goes on waiting: what did not fit is not its fault.
                Undone::Receive(ticket, op) => self.waiters.restore_receive(ticket, op),
                Undone::Send(ticket, send) if again => {
                    self.waiters.restore_send(ticket, send);
                }
                undone => ops.push(undone.into_op()),
            }
        }
        ops.extend(work);
        if let Some(blamed) = blamed {
            blamed.into_op().fail(&failed.error);
        }
        if again {
            return Err(ops);
        }
        ops.into_iter().for_each(|op| op.fail(&failed.error));
        if part == Part::Finish {
            self.rest();
        }
        Ok(())
    }

    fn committed(&mut self, committed: Committed, answers: Answers, round: &mut Round) {
        self.post.counters.commits.fetch_add(1, Ordering::Relaxed);
        // Whoever waits for work hears of it at once. An outcome is shown to nobody before the disk has it.
        let early = committed.outcomes.is_empty();
        if committed.ring && early {
            self.ring();
        }
        // The books before the answers: who is answered no longer counts as waiting.
        self.publish();
        // The lock is free by now: other processes write while we wait for the disk.
        let failed = match committed.level {
            Durability::Synced => self.post.log.sync().err().map(unconfirmed),
            _ => None,
        };
        // The bell before the answers: a process may end as soon as it has its answer.
        if committed.ring && !early {
            self.ring();
        }
        answers.deliver(failed.as_ref().map_or(End::Committed, End::Unconfirmed));
        self.mend_at_once();
        round.outcomes.extend(committed.outcomes);
        let changed = committed.queues.into_iter().filter(|queue| queue.changed);
        round.changed.extend(changed.map(|queue| queue.name));
    }

    fn ring(&mut self) {
        let rung = self.post.bell.ring();
        self.post.counters.rings.fetch_add(rung, Ordering::Relaxed);
    }

    /// Makes the disk have what other processes have committed and this one is about to tell, if that was promised. What
    /// this process committed is synced already, unless that failed: then the log is distrusted. To be called after what is
    /// to be told was read.
    pub(super) fn make_sure(&mut self) -> handover::Result<()> {
        if self.post.who.durability != Durability::Synced {
            return Ok(());
        }
        // It changes with each commit of others.
        let version = self
            .connection
            .pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0))
            .map_err(from_sqlite)?;
        if self.post.log.is_distrusted() {
            self.mend_log().map_err(|failed| failed.error)?;
        } else if self.sure_of != Some(version) {
            let sure = self.post.log.sync().map_err(unsure);
            self.mend_at_once();
            sure?;
        }
        self.sure_of = Some(version);
        Ok(())
    }

    /// Copies the log back into the database once it is long, so that it is used from its start again. It comes between two
    /// groups, when the answers of the first are on their way.
    pub(super) fn copy_log_back(&mut self) {
        let pages = self.post.log.pages();
        let written = pages.saturating_sub(std::mem::replace(&mut self.log_pages, pages));
        let pages_max = if written < LARGE_COMMIT_PAGES { LOG_PAGES } else { LOG_PAGES_BUSY };
        if pages < pages_max {
            return;
        }
        // While other processes write, the copy is never complete, unless it holds them up for a moment.
        let in_vain = self.no_hold_up_until.is_some_and(|until| until > clock::now());
        let hold_up = pages >= LOG_PAGES_MAX && !in_vain;
        let mode = if hold_up { "RESTART" } else { "PASSIVE" };
        let done = patience::within(HOLD_UP_MAX, || self.checkpoint(mode));
        if hold_up && !done {
            self.no_hold_up_until = Some(clock::now() + HOLD_UP_AGAIN);
        }
        self.mend_at_once();
        self.post.log.has_pages(0); // until the next commit says
        self.log_pages = 0;
    }

    /// Copies the log back, as far as it can be. One that has holes on the disk must not be: a crash in the middle of the copy
    /// would leave half of the new pages in the database, and not find the other half in the log. False where it could not be
    /// done, or others were in the way.
    pub(super) fn checkpoint(&self, mode: &str) -> bool {
        if self.post.log.is_distrusted() {
            return false;
        }
        let pragma = format!("PRAGMA wal_checkpoint({mode})");
        match self.connection.query_row(&pragma, [], |row| row.get::<_, bool>(0)) {
            Ok(busy) => !busy,
            Err(error) => {
                tracing::debug!(%error, "the log could not be copied back");
                if Failed::from(error).disk {
                    self.post.log.distrust();
                }
                false
            }
        }
    }

    /// Remembers it for a while, and lets the log be used from its start again, if it can be.
    fn disk_full(&mut self) {
        if self.apart_until.is_some() {
            return;
        }
        self.apart_until = Some(clock::now() + APART);
        self.checkpoint("PASSIVE");
    }

    /// Lets the file alone for a moment.
    pub(super) fn rest(&mut self) {
        self.dues.clear();
        self.glance = None;
        self.look_at = Some(clock::now() + LOOK_AGAIN);
        self.rest_until = self.look_at;
    }

    fn try_transaction(
        &mut self,
        part: Part,
        work: &mut std::vec::IntoIter<Op>,
        queues: &HashSet<QueueName>,
        answers: &mut Answers,
    ) -> std::result::Result<Committed, Failed> {
        self.limit_size(part)?;
        if self.post.log.is_distrusted() {
            self.mend_log()?;
        }
        let committed = self.commit(part, work, queues, answers).inspect_err(|failed| {
            roll_back(self.connection); // whatever failed: the lock must not be kept
            if failed.disk {
                self.post.log.distrust();
            }
        })?;
        self.learn(&committed);
        Ok(committed)
    }

    /// After the disk failed, not with the next work, which may be long after. If it fails again, that work is told.
    pub(super) fn mend_at_once(&mut self) {
        if self.post.log.has_failed()
            && let Err(failed) = self.mend_log()
        {
            tracing::warn!(error = %failed.error, "the log could not be mended");
        }
    }

    /// At the start and after the disk failed: nothing is added to the log before all of it is on the disk.
    fn mend_log(&mut self) -> std::result::Result<(), Failed> {
        // Tokens that were given may be among what the disk does not have: leave out more.
        self.post.who.leasing = Arc::default();
        let written = mend::write_over(self.connection, &self.post.log)?;
        written.and_then(|()| self.post.log.sync_over()).map_err(|error| {
            let message = if is_lost(&error) {
                "the disk under the database file lost a part of its log; end every process that has the file open, \
                 look at the disk, and run the doctor: what was not answered as synced may be missing"
            } else {
                "the disk under the database file failed, and fails again; look at the cause"
            };
            let error = Error::new(ErrorKind::Unavailable, message).broker(NAME).source(error);
            Failed { error, full: false, disk: true }
        })
    }

    fn commit(
        &mut self,
        part: Part,
        work: &mut std::vec::IntoIter<Op>,
        queues: &HashSet<QueueName>,
        answers: &mut Answers,
    ) -> std::result::Result<Committed, Failed> {
        let mut tx = Tx::begin(&mut self.sql, self.post.who.clone())?;
        if tx.is_outdated()? {
            return Err(Failed { error: outdated(), full: false, disk: false });
        }
        let inbox = &self.post.inbox;
        let mut desk = Desk { waiters: &mut self.waiters, answers, inbox, part };
        let chores = matches!(part, Part::All | Part::Finish);
        let mut forget_at = self.forget_at;
        let worked = (|| {
            if chores {
                desk.give_back(&mut tx, &self.returned)?;
            }
            while let Some(next) = work.as_slice().first() {
                desk.serve_before(&mut tx, next)?;
                if desk.answers.is_full() {
                    break;
                }
                let (plain, stored) = desk.send_plain(&mut tx, work.as_slice())?;
                for op in work.by_ref().take(std::cmp::max(plain, 1)) {
                    if stored {
                        desk.sent_plain(&mut tx, op)?;
                    } else {
                        desk.execute(&mut tx, op)?;
                    }
                }
            }
            if chores && !self.again.is_empty() {
                desk.go_on(&mut tx, &self.again)?;
            }
            desk.serve_all(&mut tx, queues)?;
            if chores && forget_at.is_some_and(|at| at <= tx.now) {
                forget_at = tx.forget()?;
            }
            Ok(())
        })();
        let committed = worked.and_then(|()| tx.commit())?;
        self.forget_at = forget_at;
        if chores {
            self.returned.clear();
            self.again.clear();
        }
        Ok(committed)
    }

    fn learn(&mut self, committed: &Committed) {
        self.post.who = committed.who.clone();
        if committed.again {
            self.again.extend(committed.queues.iter().map(|queue| queue.name.clone()));
        }
        for queue in &committed.queues {
            if queue.changed {
                self.dues.remove(&queue.name);
            }
        }
        if let Some(forget) = committed.forget_at {
            self.forget_at = Some(self.forget_at.map_or(forget, |at| std::cmp::min(at, forget)));
        }
    }

    /// Sets how large the file may become, where the options say that. While the disk is full, what makes room may use a
    /// little more than the rest: it cannot free what it is not able to touch.
    fn limit_size(&mut self, part: Part) -> rusqlite::Result<()> {
        let Some(pages) = self.pages_max else { return Ok(()) };
        let reserve = (pages / 16).clamp(8, RESERVE_PAGES_MAX);
        let pages = pages.saturating_add(match part {
            Part::All | Part::Sends => 0,
            Part::Results => reserve / 2,
            Part::Finish => reserve,
        });
        if self.limited_to != Some(pages) {
            self.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            self.limited_to = Some(pages);
        }
        Ok(())
    }
}

/// What those are told whose work is in the file and perhaps not on the disk.
fn unconfirmed(error: std::io::Error) -> Error {
    let message = "what was asked is in the file, but the disk did not confirm it: a power failure could lose it; \
                   look at the cause, and send again with the same ids";
    Error::new(ErrorKind::Unavailable, message).broker(NAME).source(error)
}

/// What those are told who asked for an outcome.
fn unsure(error: std::io::Error) -> Error {
    let message = "the outcome is in the file, but the disk did not confirm it: a power failure could lose it; \
                   look at the cause, and ask again";
    Error::new(ErrorKind::Unavailable, message).broker(NAME).source(error)
}

/// After an error SQLite may have rolled back by itself, so that there is nothing to roll back.
pub(crate) fn roll_back(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}
