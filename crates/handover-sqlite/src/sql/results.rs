//! Outcomes: kept once final, and given a new place in the order when they replace progress.

use handover::{JobId, Put, Record, Status};
use rusqlite::{OptionalExtension, Row, params};

use super::state::{from_sql, to_sql};
use super::{FAR_MS, Outcome, Tx, job_id};
use crate::error::damaged;

/// The number of a status in `result.status`.
fn code(status: Status) -> i64 {
    match status {
        Status::Done => 2,
        Status::Failed => 1,
        _ => 0,
    }
}

/// A record from the columns of `RESULT_COLUMNS`.
pub(crate) fn read(row: &Row<'_>) -> Outcome<Record> {
    let id = job_id(row, 0)?;
    let Ok(queue) = row.get::<_, String>(1)?.parse() else {
        return Ok(Err(damaged("the queue of a result").fact("id", id)));
    };
    let status = match row.get::<_, i64>(3)? {
        2 => Status::Done,
        1 => Status::Failed,
        _ => Status::Running,
    };
    let mut record = Record::new(id, &queue, status);
    record.task = row.get(2)?;
    record.attempt = row.get(4)?;
    record.token = from_sql(row.get(5)?);
    record.output = row.get(6)?;
    record.reason = row.get(7)?;
    record.at_ms = from_sql(row.get(8)?);
    record.took_ms = from_sql(row.get(9)?);
    Ok(Ok(record))
}

impl Tx<'_, '_> {
    /// The record of a job.
    pub(crate) fn result(&mut self, id: JobId) -> Outcome<Option<Record>> {
        let found = self.sql.result_get.query_row([id.as_bytes()], read).optional()?;
        Ok(found.transpose())
    }

    /// Stores records, each unless one that it does not replace is there.
    pub(crate) fn put(&mut self, records: &[Record]) -> Outcome<Vec<Put>> {
        self.level = std::cmp::max(self.level, self.who.durability);
        let mut answers = Vec::with_capacity(records.len());
        for record in records {
            let old = match self.result(record.id)? {
                Ok(old) => old,
                Err(error) => return Ok(Err(error)),
            };
            if old.as_ref().is_some_and(|old| !record.replaces(old)) {
                answers.push(Put::Kept);
                continue;
            }
            if old.is_some() {
                self.sql.result_drop.execute([record.id.as_bytes()])?;
            }
            self.add(record)?;
            if record.status.is_outcome() {
                self.outcomes.push(record.id);
                self.ring = true;
            }
            answers.push(Put::Stored);
        }
        Ok(Ok(answers))
    }

    fn add(&mut self, record: &Record) -> rusqlite::Result<()> {
        self.sql.result_add.execute(params![
            record.id.as_bytes(),
            record.queue,
            record.task,
            code(record.status),
            record.attempt,
            to_sql(record.token),
            record.output,
            record.reason,
            to_sql(record.at_ms),
            to_sql(record.took_ms),
            self.now + std::cmp::min(self.who.results_keep_ms, FAR_MS)
        ])?;
        Ok(())
    }

    /// Removes the record of a job. False where there was none.
    pub(crate) fn forget_result(&mut self, id: JobId) -> Outcome<bool> {
        self.level = std::cmp::max(self.level, self.who.durability);
        Ok(Ok(self.sql.result_drop.execute([id.as_bytes()])? > 0))
    }
}
