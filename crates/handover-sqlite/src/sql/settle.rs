//! Ending leases, and making them longer.

use handover::{JobState, Receipt, Settle};
use rusqlite::{OptionalExtension, params};

use super::send::ceil_ms;
use super::state::{code, to_sql};
use super::{Outcome, Tx};

/// A lease that runs.
pub(crate) struct Leased {
    pub(crate) queue: usize,
    pub(crate) seq: i64,
    key: Option<String>,
    /// The body is in its own table.
    apart: bool,
}

impl Tx<'_, '_> {
    /// The job this receipt owns, if its lease runs: the same job, the same token, and time left. A lease whose time is
    /// over is lost even while nobody else has asked for the job, so that the answer does not depend on chance.
    pub(crate) fn leased(&mut self, receipt: &Receipt) -> rusqlite::Result<Option<Leased>> {
        let Some(queue) = self.queue(&receipt.queue)? else { return Ok(None) };
        let seq = match place_of(receipt) {
            Some(seq) => Some(seq),
            None => self
                .sql
                .known_get
                .query_row([receipt.id.as_bytes()], |row| row.get(1))
                .optional()?,
        };
        let Some(seq) = seq else { return Ok(None) };
        let (queue_id, now) = (self.row(queue).id, self.now);
        let mut found = self.sql.job_get.query([seq])?;
        let Some(row) = found.next()? else { return Ok(None) };
        let ours = row.get_ref(0)?.as_blob().is_ok_and(|id| id == receipt.id.as_bytes())
            && row.get::<_, i64>(1)? == queue_id
            && row.get::<_, i64>(2)? == code(JobState::Leased)
            && row.get::<_, i64>(3)? == to_sql(receipt.token)
            && row.get::<_, i64>(4)? > now;
        if !ours {
            return Ok(None);
        }
        Ok(Some(Leased { queue, seq, key: row.get(5)?, apart: row.get(6)? }))
    }

    /// Ends one lease.
    pub(crate) fn settle(&mut self, receipt: &Receipt, how: &Settle) -> Outcome<()> {
        if *how == Settle::Done && self.done_at_once(receipt)? {
            return Ok(Ok(()));
        }
        let Some(lease) = self.leased(receipt)? else { return Ok(Err(receipt.lost())) };
        self.ring = true;
        self.promise(lease.queue);
        match how {
            Settle::Done => {
                self.remove(lease.seq, lease.apart)?;
                self.count_done(lease.queue, receipt)?;
                self.pass_turn(lease.queue, lease.key.as_deref())?;
            }
            Settle::Retry { after, reason } => {
                let due = self.after(ceil_ms(*after));
                let state = self.come_back(lease.queue, due);
                let reason = Settle::cut_reason(reason);
                self.sql.job_retry.execute(params![lease.seq, code(state), due, reason])?;
            }
            Settle::Release { after } => {
                let due = self.after(ceil_ms(*after));
                let state = self.come_back(lease.queue, due);
                self.sql.job_release.execute(params![lease.seq, code(state), due])?;
            }
            Settle::Bury { reason } => {
                self.bury(lease.queue, lease.seq, JobState::Leased, reason)?;
                self.pass_turn(lease.queue, lease.key.as_deref())?;
            }
        }
        Ok(Ok(()))
    }

    /// The common case in one statement: a job without a key and with a small body, done in time.
    fn done_at_once(&mut self, receipt: &Receipt) -> rusqlite::Result<bool> {
        let Some(seq) = place_of(receipt) else { return Ok(false) };
        let Some(queue) = self.queue(&receipt.queue)? else { return Ok(false) };
        let gone = self.sql.job_done.execute(params![
            seq,
            self.rows[queue].id,
            to_sql(receipt.token),
            self.now,
            receipt.id.as_bytes()
        ])?;
        if gone == 0 {
            return Ok(false);
        }
        self.ring = true;
        self.promise(queue);
        self.count_done(queue, receipt)?;
        Ok(true)
    }

    /// Counts a job as done, and remembers its id for as long as the queue says.
    fn count_done(&mut self, queue: usize, receipt: &Receipt) -> rusqlite::Result<()> {
        let row = &mut self.rows[queue];
        row.leave(JobState::Leased);
        row.done += 1;
        if row.remember_ms <= 0 {
            self.sql.known_drop.execute([receipt.id.as_bytes()])?;
        } else {
            row.done_ids.extend_from_slice(receipt.id.as_bytes());
            self.sql
                .known_done
                .execute(params![receipt.id.as_bytes(), self.now + row.remember_ms])?;
        }
        Ok(())
    }

    /// Counts a leased job back into circulation. It keeps its place, and its turn among those with its key.
    fn come_back(&mut self, queue: usize, due: i64) -> JobState {
        let state = if due > self.now { JobState::Delayed } else { JobState::Ready };
        let row = &mut self.rows[queue];
        row.leave(JobState::Leased);
        row.enter(state);
        state
    }

    /// Puts a job aside.
    pub(super) fn bury(
        &mut self,
        queue: usize,
        seq: i64,
        from: JobState,
        reason: &str,
    ) -> rusqlite::Result<()> {
        self.sql.job_bury.execute(params![seq, Settle::cut_reason(reason)])?;
        let row = &mut self.rows[queue];
        row.leave(from);
        row.enter(JobState::Buried);
        Ok(())
    }

    /// Removes a job's row, and its body where that is apart.
    pub(super) fn remove(&mut self, seq: i64, apart: bool) -> rusqlite::Result<()> {
        self.sql.job_drop.execute([seq])?;
        if apart {
            self.sql.body_drop.execute([seq])?;
        }
        Ok(())
    }

    /// Makes one lease end later (or earlier).
    pub(crate) fn extend(&mut self, receipt: &Receipt, lease_ms: i64) -> Outcome<()> {
        let Some(lease) = self.leased(receipt)? else { return Ok(Err(receipt.lost())) };
        let due = self.after(lease_ms);
        self.sql.job_extend.execute(params![lease.seq, due])?;
        Ok(Ok(()))
    }
}

/// The job's place in the file, as this broker wrote it into the receipt.
fn place_of(receipt: &Receipt) -> Option<i64> {
    receipt.handle.parse().ok()
}
