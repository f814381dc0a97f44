//! Ending leases, and making them longer.

use handover::{JobState, Receipt, Settle};
use rusqlite::params;

use super::send::ceil_ms;
use super::state::{code, to_sql};
use super::{Outcome, Tx};

/// A lease that runs.
pub(crate) struct Leased {
    pub(crate) queue: usize,
    pub(crate) seq: i64,
    due: i64,
    key: Option<String>,
    /// The body is in its own table.
    apart: bool,
}

impl Tx<'_, '_> {
    /// The job this receipt owns, if its lease runs: the same job, the same token, and time left. A lease whose time is
    /// over is lost even while nobody else has asked for the job, so that the answer does not depend on chance.
    pub(crate) fn leased(&mut self, receipt: &Receipt) -> rusqlite::Result<Option<Leased>> {
        let Some(queue) = self.queue(&receipt.queue)? else { return Ok(None) };
        let seq = match handle_of(receipt) {
            Some(seq) => Some(seq),
            None => self.place_of(&receipt.id)?.map(|(_, seq)| seq),
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
        Ok(Some(Leased { queue, seq, due: row.get(4)?, key: row.get(5)?, apart: row.get(6)? }))
    }

    /// Ends leases. One answer for each, in order.
    ///
    /// What is done and stands side by side in the table, as it was handed out together, is removed by one statement.
    pub(crate) fn settle_batch(
        &mut self,
        batch: &[(Receipt, Settle)],
    ) -> rusqlite::Result<Vec<handover::Result<()>>> {
        let mut answers: Vec<_> = batch.iter().map(|_| None).collect();
        for run in runs(batch) {
            if self.run_done(&run)? {
                run.iter().for_each(|done| answers[done.index] = Some(Ok(())));
            }
        }
        let settled = batch.iter().zip(answers).map(|((receipt, how), answer)| match answer {
            Some(answer) => Ok(answer),
            None => self.settle(receipt, how),
        });
        settled.collect()
    }

    /// Removes a run of neighbours, if all of them are leased as their receipts say and none needs more care.
    fn run_done(&mut self, run: &[Done<'_>]) -> rusqlite::Result<bool> {
        let [first, .., last] = run else { return Ok(false) };
        let Some(queue) = self.queue(&first.receipt.queue)? else { return Ok(false) };
        // A receipt may have been through anybody's hands.
        let Some(offset) = to_sql(first.receipt.token).checked_sub(first.seq) else {
            return Ok(false);
        };
        let place = params![first.seq, last.seq, self.rows[queue].id, offset, self.now];
        let mut ids = self.sql.run_ids.query(place)?;
        for done in run {
            let Some(row) = ids.next()? else { return Ok(false) };
            if !row.get_ref(0)?.as_blob().is_ok_and(|id| id == done.receipt.id.as_bytes()) {
                return Ok(false);
            }
        }
        drop(ids);
        self.sql.run_drop.execute([first.seq, last.seq])?;
        self.ring = true;
        self.promise(queue);
        for done in run {
            self.count_done(queue, done.receipt)?;
        }
        Ok(true)
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
                self.yield_turn(lease.queue, (lease.seq, state, due), lease.key.as_deref())?;
            }
            Settle::Release { after } => {
                let due = self.after(ceil_ms(*after));
                let state = self.come_back(lease.queue, due);
                self.sql.job_release.execute(params![lease.seq, code(state), due])?;
                self.yield_turn(lease.queue, (lease.seq, state, due), lease.key.as_deref())?;
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
        let Some(seq) = handle_of(receipt) else { return Ok(false) };
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
        self.rows[lease.queue].dirty = true; // the file has seen this moment
        if due < lease.due {
            self.ring = true; // whoever sleeps until the old end must learn of the new one
        }
        Ok(Ok(()))
    }
}

/// The job's place in the file, as this broker wrote it into the receipt.
fn handle_of(receipt: &Receipt) -> Option<i64> {
    receipt.handle.parse().ok()
}

/// One job of a batch that is done.
struct Done<'a> {
    receipt: &'a Receipt,
    seq: i64,
    /// Where its answer goes.
    index: usize,
}

/// The done jobs of a batch that stand side by side, two or more of them. A job that the batch names twice or ends in
/// another way as well is left out: its items must be taken in order.
fn runs(batch: &[(Receipt, Settle)]) -> Vec<Vec<Done<'_>>> {
    let Some(places) =
        batch.iter().map(|(receipt, _)| handle_of(receipt)).collect::<Option<Vec<_>>>()
    else {
        return Vec::new();
    };
    let mut items: Vec<(i64, usize)> = places.into_iter().zip(0..).collect();
    items.sort_unstable();
    let once = items.chunk_by(|one, next| one.0 == next.0).filter_map(|same| match same {
        [(seq, index)] if batch[*index].1 == Settle::Done => {
            Some(Done { receipt: &batch[*index].0, seq: *seq, index: *index })
        }
        _ => None,
    });
    let mut runs: Vec<Vec<Done<'_>>> = Vec::new();
    for done in once {
        match runs.last_mut().and_then(|run| Some((run.last()?.is_before(&done), run))) {
            Some((true, run)) => run.push(done),
            _ => runs.push(vec![done]),
        }
    }
    runs.retain(|run| run.len() > 1);
    runs
}

impl Done<'_> {
    fn is_before(&self, next: &Self) -> bool {
        self.seq.checked_add(1) == Some(next.seq)
            && next.receipt.token == self.receipt.token.wrapping_add(1)
            && next.receipt.queue == self.receipt.queue
    }
}
