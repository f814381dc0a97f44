//! The writer: one thread that owns the one writing connection, and everybody who waits.
//!
//! ```text
//! callers ──Op──▶ buffer ──▶ take all there is ──▶ BEGIN ─ each op ─ serve the waiting ─ COMMIT ─▶ ring, sync, answer all
//!                   ▲                                                                                          │
//!                   └─────────────── sleep until an op, the next due time, or a deadline ◀─────────────────────┘
//! ```
//!
//! It never lingers to let a group grow: a lone caller pays one commit, and under load the next group is what arrived
//! while the last one was committed.
//!
//! `op.rs` is what it is asked, `transaction.rs` one transaction and what is left when it fails, `group.rs` the work in it,
//! `answers.rs` what is told after it, `log.rs` the file that is synced before (`mend.rs` and `chain.rs`: after the disk
//! failed), `waiters.rs` who sleeps and why no wake-up is missed, `glance.rs` how a tick finds out that there is nothing to look at.

mod answers;
mod chain;
mod glance;
pub(crate) mod group;
pub(crate) mod log;
pub(crate) mod mend;
pub(crate) mod op;
pub(crate) mod transaction;
pub(crate) mod waiters;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use handover::clock::{self, Instant};
use handover::{Error, JobId, QueueName, Receipt, Result};
use handover_buffer::{Receiver, RecvTimeoutError};
use rusqlite::{Connection, OptionalExtension};

use self::glance::Glance;
use self::log::Log;
use self::op::{AwaitOp, Inbox, Op, Reply, Side};
use self::transaction::roll_back;
use self::waiters::{Gone, Waiters};
use crate::bell::Bell;
use crate::error::{closed, from_sqlite};
use crate::shared::Counters;
use crate::sql::queue::Row;
use crate::sql::state::to_sql;
use crate::sql::statements::Statements;
use crate::sql::{Identity, job_id, results};

/// The most operations in one transaction.
const GROUP_OPS_MAX: usize = 1024;
/// A transaction takes no further operation once it has this much to write, or has handed out this much, in bytes.
const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// While somebody waits, the file is looked at this long after the last look even if nobody rings.
const TICK: Duration = Duration::from_secs(5);
/// The same once nothing has been committed for as long as a tick: an idle process wakes half as often.
const QUIET_TICK: Duration = Duration::from_secs(10);
/// Where more results than this were stored since the last look, every outcome that is waited for is asked for instead.
const NEWER_MAX: i64 = 1000;
/// After a look that failed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What the writer thread is given.
pub(crate) struct Post {
    pub(crate) ops: Receiver<Op>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) who: Identity,
    pub(crate) bell: Bell,
    pub(crate) log: Arc<Log>,
}

/// The writer thread's own state. Nobody else reads or writes it.
pub(crate) struct Writer<'c> {
    connection: &'c Connection,
    sql: Statements<'c>,
    post: Post,
    waiters: Waiters,
    /// Taken from the buffer, not done yet.
    pending: VecDeque<Op>,
    /// The next due time of queues that are waited for, in the time of the file; a queue that is missing must be asked.
    dues: Dues,
    /// When ids or results are next to be forgotten; `None` for not before something is remembered.
    forget_at: Option<i64>,
    /// When the file is to be looked at for those who wait, whatever happens.
    look_at: Option<Instant>,
    /// The log before the last look, where that can tell later that another one is not needed.
    glance: Option<Glance>,
    /// The results up to this number were looked at for those who wait for outcomes. No number is given twice.
    result_seen: i64,
    /// The disk has for sure what others had committed up to this `PRAGMA data_version`.
    sure_of: Option<i64>,
    /// When everybody's outcome is to be asked for, whatever was stored since.
    look_at_all: Option<Instant>,
    /// After a failure the file is left alone until then, unless somebody asks or rings: what is overdue stays overdue, and
    /// would be tried again and again without a pause.
    rest_until: Option<Instant>,
    /// Closed in this process: a call that came past the check in time can still arrive late, and would wait for nobody.
    hushed: Vec<Side>,
    /// While the disk is full, the parts of the work do not share a transaction.
    apart_until: Option<Instant>,
    /// How many pages were in the log when it was last thought of copying it back.
    log_pages: u32,
    /// Until then a log that is too long is copied back without holding others up: a reader was in the way for longer.
    no_hold_up_until: Option<Instant>,
    /// How often the sends of this round may be tried again.
    tries_left: u32,
    /// How large the file may become, in pages, where it has such a limit.
    pages_max: Option<u32>,
    /// What `PRAGMA max_page_count` was set to.
    limited_to: Option<u32>,
    /// Leases to be given back: kept until that is committed.
    returned: Vec<Receipt>,
    /// In these a chore goes on in the next transaction.
    again: HashSet<QueueName>,
    listening: bool,
    data_version: i64,
}

impl<'c> Writer<'c> {
    pub(crate) fn new(connection: &'c Connection, post: Post) -> rusqlite::Result<Self> {
        /// What SQLite says where nothing was set.
        const NO_LIMIT: u32 = u32::MAX - 1;
        let pages_max = connection.pragma_query_value(None, "max_page_count", |row| row.get(0))?;
        Ok(Self {
            connection,
            sql: Statements::prepare(connection)?,
            post,
            waiters: Waiters::default(),
            pending: VecDeque::new(),
            dues: HashMap::new(),
            forget_at: Some(0),
            look_at: None,
            glance: None,
            result_seen: 0,
            sure_of: None,
            look_at_all: None,
            rest_until: None,
            hushed: Vec::new(),
            apart_until: None,
            log_pages: 0,
            no_hold_up_until: None,
            tries_left: 0,
            pages_max: (pages_max < NO_LIMIT).then_some(pages_max),
            limited_to: Some(pages_max),
            returned: Vec::new(),
            again: HashSet::new(),
            listening: false,
            data_version: 0,
        })
    }

    /// Works until the buffer is closed and empty. Then everybody who waits is told.
    pub(crate) fn run(mut self) {
        while let Some(ops) = self.next_group() {
            self.group(ops);
        }
        for outcomes in [false, true] {
            for gone in self.waiters.drop_side(outcomes) {
                gone.into_op().fail(&closed());
            }
        }
        self.publish();
        self.post.bell.close();
    }

    /// Sleeps until there is something to do. Empty for what time alone brings; `None` at the end.
    fn next_group(&mut self) -> Option<Vec<Op>> {
        if self.pending.is_empty() {
            let mut taken = Vec::with_capacity(GROUP_OPS_MAX);
            let received = match self.wake_at() {
                None => self.post.ops.recv_many(&mut taken, GROUP_OPS_MAX).is_ok(),
                Some(at) => {
                    let deadline = at.into_std();
                    let received =
                        self.post.ops.recv_many_deadline(&mut taken, GROUP_OPS_MAX, deadline);
                    !matches!(received, Err(RecvTimeoutError::Closed))
                }
            };
            if !received {
                return None;
            }
            self.pending.extend(taken);
        }
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let Some(op) = self.pending.pop_front() {
            bytes = op.bytes().saturating_add(bytes);
            group.push(op);
            if bytes >= GROUP_BYTES_MAX {
                break;
            }
        }
        Some(group)
    }

    /// When to wake without being asked.
    fn wake_at(&mut self) -> Option<Instant> {
        if !self.again.is_empty() || !self.returned.is_empty() {
            return Some(self.rest_until.unwrap_or_else(clock::now));
        }
        if self.waiters.is_empty() {
            return None;
        }
        self.ask_dues();
        let now = clock::now();
        let time = self.post.who.time.now_ms();
        let due = self
            .dues
            .values()
            .flatten()
            .min()
            .map(|due| now + Duration::from_millis(u64::try_from(due - time).unwrap_or(0)))
            .map(|due| self.rest_until.map_or(due, |until| std::cmp::max(due, until)));
        let poll = self.post.bell.poll_every().map(|every| now + every);
        [self.waiters.first_deadline(), due, self.look_at, poll].into_iter().flatten().min()
    }

    /// Asks the file for the next due time of each queue that is waited for and not known.
    fn ask_dues(&mut self) {
        self.dues.retain(|queue, _| self.waiters.waits_for(queue));
        let unknown: Vec<QueueName> = self
            .waiters
            .receive_queues()
            .filter(|name| !self.dues.contains_key(*name))
            .cloned()
            .collect();
        if unknown.is_empty() {
            return;
        }
        // A look that fails is made up for by the tick.
        let dues = at_one_moment(&mut self.sql, |sql| {
            let due = |name: QueueName| {
                let due = read_row(sql, &name)?.map_or(Ok(None), |row| next_due(sql, &row))?;
                Ok((name, due))
            };
            unknown.into_iter().map(due).collect::<rusqlite::Result<Vec<_>>>()
        });
        self.dues.extend(dues.unwrap_or_default());
    }

    /// One round: what arrived, what time brought, and those who can go on.
    fn group(&mut self, ops: Vec<Op>) {
        roll_back(self.connection); // a look that failed may have left something open
        let rung = self.post.inbox.take_ring();
        let look = rung || self.is_time_to_look();
        let mut round = Round { look, ..Round::default() };
        if self.post.inbox.take_nudge() {
            for gone in self.waiters.drop_abandoned() {
                if let Gone::Send(send) = gone {
                    round.queues.insert(send.op.batch.queue.clone());
                }
            }
        }
        self.returned.append(&mut self.post.inbox.take_returned());
        for op in ops {
            match op {
                op if op.side().is_some_and(|side| self.hushed.contains(&side)) => {
                    op.fail(&closed());
                }
                Op::Await(op) => round.awaits.push(op),
                Op::Hush(side, reply) => round.hushes.push((side, reply)),
                Op::Bell | Op::Nudge => {}
                work => round.work.push(work),
            }
        }
        round.work.sort_by_key(Op::turn);
        if round.look {
            self.post.bell.renew(&self.post.inbox);
            self.dues.clear();
            self.look_at = Some(clock::now() + TICK);
            self.glance = None;
            // Whoever rang has just written, so that asking would be in vain.
            let glance = if rung { None } else { Glance::before_look(&self.post.log) };
            match self.work_in_file() {
                Ok((queues, dues)) => {
                    round.queues.extend(queues);
                    self.dues = dues;
                    self.glance = glance;
                }
                Err(_) => self.rest(),
            }
        }
        if !self.again.is_empty()
            || !round.work.is_empty()
            || !self.returned.is_empty()
            || !round.queues.is_empty()
        {
            self.transaction(&mut round);
        }
        self.outcomes(round.look, round.outcomes);
        self.awaits(round.awaits);
        self.expire();
        self.hush(round.hushes);
        self.copy_log_back(); // when everybody has an answer
        self.listen();
    }

    /// True where the tick, a due time or another process's commit (where no bell can be had) asks for a look.
    fn is_time_to_look(&mut self) -> bool {
        if self.waiters.is_empty() || self.rest_until.is_some_and(|until| until > clock::now()) {
            return false;
        }
        let time = self.post.who.time.now_ms();
        let due = self.dues.values().flatten().any(|due| *due <= time);
        let tick = self.look_at.is_none_or(|at| at <= clock::now());
        due || (tick && !self.is_as_it_was())
            || (self.post.bell.poll_every().is_some() && self.others_wrote())
    }

    /// True where the tick can do without a look.
    fn is_as_it_was(&mut self) -> bool {
        let holds = self.glance.is_some_and(|glance| glance.still_holds(&self.post.log));
        if holds {
            self.look_at = Some(clock::now() + QUIET_TICK);
        }
        holds
    }

    fn others_wrote(&mut self) -> bool {
        let version = self
            .connection
            .pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0))
            .unwrap_or_default();
        std::mem::replace(&mut self.data_version, version) != version
    }

    /// The queues in which those who wait could go on, without taking the write lock; and when time next moves a job in
    /// each queue that is waited for.
    fn work_in_file(&mut self) -> rusqlite::Result<(Vec<QueueName>, Dues)> {
        let (time, waiters) = (&self.post.who.time, &self.waiters);
        at_one_moment(&mut self.sql, |sql| {
            time.follow(|| sql.time_ahead.query_row([], |row| row.get(0)))?;
            let time = time.now_ms();
            let (mut found, mut dues) = (Vec::new(), Dues::new());
            for name in waiters.receive_queues() {
                let row = read_row(sql, name)?;
                let due = row.as_ref().map_or(Ok(None), |row| next_due(sql, row))?;
                if row.is_some_and(|row| row.hands_out()) || due.is_some_and(|due| due <= time) {
                    found.push(name.clone());
                }
                dues.insert(name.clone(), due);
            }
            for name in waiters.send_queues() {
                if read_row(sql, name)?.is_some_and(|row| row.places() > 0) {
                    found.push(name.clone());
                }
            }
            Ok((found, dues))
        })
    }

    /// Answers those who wait for outcomes: of the jobs whose outcome was just stored, and after a look of those of others.
    fn outcomes(&mut self, look: bool, mut stored: Vec<JobId>) {
        if look && self.waiters.await_outcomes() {
            // Where even that cannot be read, each of them is told why.
            stored.extend(self.newly_stored().unwrap_or_else(|_| self.waiters.awaited()));
        }
        let waiting = stored.into_iter().flat_map(|id| self.waiters.take_awaits(id)).collect();
        self.awaits(waiting);
    }

    /// The jobs whose outcome may be there by now: what was stored since the last look, and now and then everything.
    fn newly_stored(&mut self) -> rusqlite::Result<Vec<JobId>> {
        let now = clock::now();
        if self.look_at_all.is_some_and(|at| at > now) {
            let newer: Vec<(i64, JobId)> = self
                .sql
                .result_newer
                .query_map([self.result_seen, NEWER_MAX], |row| Ok((row.get(0)?, job_id(row, 1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            if to_sql(newer.len()) < NEWER_MAX {
                self.result_seen = newer.last().map_or(self.result_seen, |(number, _)| *number);
                return Ok(newer.into_iter().map(|(_, id)| id).collect());
            }
        }
        // The number first: what is stored while the others are asked is seen next time.
        self.result_seen = self.sql.result_last.query_row([self.result_seen], |row| row.get(0))?;
        self.look_at_all = Some(now + TICK);
        Ok(self.waiters.awaited())
    }

    /// Answers those whose outcome is there, once the disk has it; the others wait (again).
    fn awaits(&mut self, awaits: Vec<AwaitOp>) {
        let mut told = Vec::new();
        for op in awaits {
            let found = self
                .sql
                .result_get
                .query_row([op.id.as_bytes()], results::read)
                .map(|record| record.map(Some));
            let answer = match found {
                Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
                Ok(answer) => answer,
                Err(error) => Err(from_sqlite(error)),
            };
            let no_outcome = |answer: &Result<Option<handover::Record>>| match answer {
                Ok(record) => record.as_ref().is_none_or(|record| !record.status.is_outcome()),
                Err(_) => false,
            };
            if no_outcome(&answer) && !op.reply.is_closed() {
                self.waiters.enter_await(op);
            } else {
                told.push((op.reply, answer));
            }
        }
        if told.is_empty() {
            return;
        }
        let sure = self.make_sure();
        for (reply, answer) in told {
            let answer = match &sure {
                Err(error) => answer.and_then(|_| Err(error.duplicate())),
                Ok(()) => answer,
            };
            _ = reply.send(answer); // a caller that is gone needs no answer
        }
    }

    /// Answers those whose time to wait is over. It comes after the look, so that what was there at the deadline counts.
    fn expire(&mut self) {
        let gone = self.waiters.expire(clock::now());
        self.publish();
        for gone in gone {
            match gone {
                Gone::Send(send) => _ = send.op.reply.send(Err(send.full)),
                Gone::Receive(op) => {
                    let nothing = op::Parcelled::new(Vec::new(), Arc::clone(&self.post.inbox));
                    _ = op.reply.send(Ok(nothing));
                }
                Gone::Await(op) => _ = op.reply.send(Ok(None)),
            }
        }
    }

    fn hush(&mut self, hushes: Vec<(Side, Reply<()>)>) {
        for (side, reply) in hushes {
            for gone in self.waiters.drop_side(side == Side::Results) {
                gone.into_op().fail(&closed());
            }
            if !self.hushed.contains(&side) {
                self.hushed.push(side);
            }
            _ = reply.send(Ok(()));
        }
    }

    /// From the first waiter on, others can ring us. What happened before is found by one more look.
    fn listen(&mut self) {
        if self.waiters.is_empty() || self.listening {
            return;
        }
        self.listening = true;
        self.post.bell.listen(&self.post.inbox);
        self.others_wrote();
        self.look_at = Some(clock::now());
    }

    fn publish(&self) {
        let counts = self.waiters.send_counts();
        let mut published =
            self.post.counters.senders.lock().unwrap_or_else(PoisonError::into_inner);
        if *published != counts {
            *published = counts;
        }
    }
}

type Dues = HashMap<QueueName, Option<i64>>;

/// What a round has to do.
#[derive(Default)]
struct Round {
    look: bool,
    work: Vec<Op>,
    awaits: Vec<AwaitOp>,
    hushes: Vec<(Side, Reply<()>)>,
    /// Queues whose waiters may be able to go on.
    queues: HashSet<QueueName>,
    outcomes: Vec<JobId>,
    /// Queues that were changed.
    changed: Vec<QueueName>,
}

/// Reads in one read transaction: one pair of locks for however many queues.
fn at_one_moment<T>(
    sql: &mut Statements<'_>,
    read: impl FnOnce(&mut Statements<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    sql.begin_read.execute([])?;
    let found = read(sql);
    sql.commit.execute([])?;
    found
}

fn read_row(sql: &mut Statements<'_>, name: &QueueName) -> rusqlite::Result<Option<Row>> {
    sql.queue_by_name.query_row([name.as_str()], Row::read).optional()
}

fn next_due(sql: &mut Statements<'_>, row: &Row) -> rusqlite::Result<Option<i64>> {
    if !row.has_clockwork() {
        return Ok(None);
    }
    sql.due_next.query_row([row.id], |row| row.get(0)).optional()
}

/// Says why a thread could not start.
pub(crate) fn no_thread(error: std::io::Error) -> Error {
    Error::new(handover::ErrorKind::Unavailable, "the system starts no further thread")
        .broker(crate::error::NAME)
        .source(error)
}

#[cfg(test)]
mod tests;
