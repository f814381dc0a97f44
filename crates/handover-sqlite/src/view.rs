//! What the reader asks the file: queues, pages of jobs, one job and why it does not run, results.
//!
//! A page of jobs comes in the order of arrival, which no index of the hot table has (each index costs every send and every
//! settlement). So a small set is taken from the indexes of its states and sorted, and a large one is found by walking the
//! table: it is dense there.

use std::time::Duration;

use handover::{
    Explanation, JobFilter, JobId, JobInfo, JobPage, JobState, QueueInfo, QueueName, Record,
};
use rusqlite::{Connection, OptionalExtension, Result, Row as Columns, params};

use crate::error::damaged;
use crate::sql::queue::Row;
use crate::sql::receive::message;
use crate::sql::state::{code, from_sql, state, to_sql};
use crate::sql::statements::{QUEUE_COLUMNS, RESULT_COLUMNS};
use crate::sql::{Outcome, job_id, results as records};

/// Up to this many jobs are sorted for a page; more are walked.
const SORT_MAX: i64 = 10_000;
/// What is counted for an explanation is counted up to here.
const COUNT_MAX: i64 = 10_000;

const JOB_COLUMNS: &str = "SELECT job.seq, job.queue, state, priority, due, attempt, token, label, sent, job.id, key, reason,
    headers, coalesce(body, (SELECT bytes FROM body WHERE body.seq = job.seq)) FROM job LEFT JOIN owner ON owner.id = owner";

/// The queues (among this one, or all) in which a job is not yet where time has moved it.
pub(crate) fn overdue(
    connection: &Connection,
    queue: Option<&QueueName>,
    now: i64,
) -> Result<Vec<QueueName>> {
    let mut found = Vec::new();
    let rows = match queue {
        Some(queue) => row(connection, queue)?.into_iter().collect(),
        None => rows(connection)?,
    };
    let mut ask = connection.prepare_cached(
        "SELECT 1 FROM job INDEXED BY job_leased WHERE queue = ?1 AND state = 1 AND due <= ?2
         UNION ALL SELECT 1 FROM job INDEXED BY job_delayed WHERE queue = ?1 AND state = 2 AND due <= ?2 LIMIT 1",
    )?;
    for row in rows.into_iter().filter(Row::has_clockwork) {
        if ask.exists([row.id, now])? {
            found.push(row.name);
        }
    }
    Ok(found)
}

fn row(connection: &Connection, queue: &QueueName) -> Result<Option<Row>> {
    connection
        .prepare_cached(&format!("{QUEUE_COLUMNS} WHERE name = ?1"))?
        .query_row([queue.as_str()], Row::read)
        .optional()
}

pub(crate) fn rows(connection: &Connection) -> Result<Vec<Row>> {
    connection
        .prepare_cached(&format!("{QUEUE_COLUMNS} ORDER BY name"))?
        .query_map([], Row::read)?
        .collect()
}

fn info(row: &Row) -> QueueInfo {
    let count = |state| from_sql(row.count(state));
    let mut info = QueueInfo::new(row.name.clone(), row.settings());
    info.paused = row.paused;
    info.ready = count(JobState::Ready);
    info.delayed = count(JobState::Delayed);
    info.held = count(JobState::Held);
    info.leased = count(JobState::Leased);
    info.parked = count(JobState::Parked);
    info.buried = count(JobState::Buried);
    info.depth_max = from_sql(row.depth_max);
    info.accepted = from_sql(row.accepted);
    info.done = from_sql(row.done);
    info
}

pub(crate) fn queues(connection: &Connection) -> Outcome<Vec<QueueInfo>> {
    Ok(Ok(rows(connection)?.iter().map(info).collect()))
}

pub(crate) fn queue(connection: &Connection, queue: &QueueName) -> Outcome<Option<QueueInfo>> {
    Ok(Ok(row(connection, queue)?.as_ref().map(info)))
}

/// The queue of a stored job.
pub(crate) fn queue_of(connection: &Connection, id: JobId) -> Outcome<Option<QueueName>> {
    let name: Option<String> = connection
        .prepare_cached(
            "SELECT name FROM known JOIN job ON job.seq = known.seq AND job.id = known.id
             JOIN queue ON queue.id = job.queue WHERE known.id = ?1",
        )?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(name.map(QueueName::new).transpose())
}

/// A job from its columns.
fn read_job(columns: &Columns<'_>, queue: &QueueName, now: i64) -> Outcome<JobInfo> {
    let Some(state) = state(columns.get(2)?) else { return Ok(Err(damaged("the state of a job"))) };
    let id = job_id(columns, 9)?;
    let made = {
        let body = columns.get::<_, Option<Vec<u8>>>(13).unwrap_or_default().unwrap_or_default();
        let key = columns.get(10).unwrap_or_default();
        let headers = columns.get(12).unwrap_or_default();
        message(id, columns.get(3).unwrap_or_default(), key, headers, body)
    };
    let message = match made {
        Ok(message) => message,
        Err(error) => return Ok(Err(error)),
    };
    let mut job = JobInfo::new(message, queue.clone(), state);
    job.attempt = columns.get(5)?;
    job.token = from_sql(columns.get(6)?);
    job.age = Duration::from_millis(from_sql(now - columns.get::<_, i64>(8)?));
    job.reason = columns.get(11)?;
    if matches!(state, JobState::Leased | JobState::Delayed) {
        job.due_in = Some(Duration::from_millis(from_sql(columns.get::<_, i64>(4)? - now)));
    }
    if state == JobState::Leased {
        job.owner = columns.get(7)?;
    }
    Ok(Ok(job))
}

/// A page of jobs.
pub(crate) fn jobs(
    connection: &Connection,
    queue: &QueueName,
    filter: JobFilter,
    now: i64,
) -> Outcome<JobPage> {
    let nothing = Ok(Ok(JobPage::new(Vec::new(), None)));
    let Some(row) = row(connection, queue)? else { return nothing };
    let states: Vec<JobState> = match filter.state {
        Some(state) => vec![state],
        None => JobState::ALL.to_vec(),
    };
    let meant: i64 = states.iter().map(|state| row.count(*state)).sum();
    if meant == 0 {
        return nothing;
    }
    let limit = filter.page_size();
    let mut places = if meant <= SORT_MAX {
        sorted(connection, row.id, &states, to_sql(filter.after), limit + 1)?
    } else {
        walked(connection, row.id, &states, to_sql(filter.after), limit + 1)?
    };
    let more = places.len() > limit;
    places.truncate(limit);
    let next = places.last().filter(|_| more).map(|seq| from_sql(*seq));
    let mut jobs = Vec::with_capacity(places.len());
    let mut get = connection.prepare_cached(&format!("{JOB_COLUMNS} WHERE job.seq = ?1"))?;
    for seq in places {
        match get.query_row([seq], |columns| read_job(columns, queue, now))? {
            Ok(job) => jobs.push(job),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(JobPage::new(jobs, next)))
}

/// The places of all jobs in a state.
pub(crate) fn places(
    connection: &Connection,
    queue: &QueueName,
    state: JobState,
) -> Outcome<Vec<i64>> {
    let Some(row) = row(connection, queue)? else { return Ok(Ok(Vec::new())) };
    sorted(connection, row.id, &[state], 0, usize::MAX).map(Ok)
}

/// The places of the next `limit` jobs, from the index of each state.
fn sorted(
    connection: &Connection,
    queue: i64,
    states: &[JobState],
    after: i64,
    limit: usize,
) -> Result<Vec<i64>> {
    let mut places: Vec<i64> = Vec::new();
    for state in states {
        let index = match state {
            JobState::Ready => "job_ready WHERE",
            JobState::Leased => "job_leased WHERE",
            JobState::Delayed => "job_delayed WHERE",
            JobState::Held => "job_key WHERE key IS NOT NULL AND state < 4 AND",
            _ => "job_aside WHERE state >= 4 AND",
        };
        // The state is part of the text: SQLite must see that it is the one of the index.
        let code = code(*state);
        let mut find = connection.prepare_cached(&format!(
            "SELECT seq FROM job INDEXED BY {index} state = {code} AND queue = ?1 AND seq > ?2"
        ))?;
        let mut found = find.query([queue, after])?;
        while let Some(columns) = found.next()? {
            places.push(columns.get(0)?);
        }
    }
    places.sort_unstable();
    places.truncate(limit);
    Ok(places)
}

/// The places of the next `limit` jobs, by walking the table in order.
fn walked(
    connection: &Connection,
    queue: i64,
    states: &[JobState],
    after: i64,
    limit: usize,
) -> Result<Vec<i64>> {
    let mut places = Vec::with_capacity(limit);
    let mut walk = connection.prepare_cached(
        "SELECT seq, state FROM job NOT INDEXED WHERE seq > ?2 AND queue = ?1 ORDER BY seq",
    )?;
    let mut found = walk.query([queue, after])?;
    while let Some(columns) = found.next()? {
        if state(columns.get(1)?).is_some_and(|state| states.contains(&state)) {
            places.push(columns.get(0)?);
            if places.len() == limit {
                break;
            }
        }
    }
    Ok(places)
}

/// One job and its place; `None` where it is not stored.
fn find(connection: &Connection, id: JobId, now: i64) -> Outcome<Option<(i64, Row, JobInfo)>> {
    let Some(queue) = (match queue_of(connection, id)? {
        Ok(queue) => queue,
        Err(error) => return Ok(Err(error)),
    }) else {
        return Ok(Ok(None));
    };
    let Some(row) = row(connection, &queue)? else { return Ok(Ok(None)) };
    let found = connection
        .prepare_cached(&format!(
            "{JOB_COLUMNS} WHERE job.seq = (SELECT seq FROM known WHERE id = ?1)"
        ))?
        .query_row([id.as_bytes()], |columns| {
            Ok((columns.get(0)?, read_job(columns, &queue, now)?))
        })
        .optional()?;
    Ok(match found {
        Some((seq, Ok(job))) => Ok(Some((seq, row, job))),
        Some((_, Err(error))) => Err(error),
        None => Ok(None),
    })
}

pub(crate) fn job(connection: &Connection, id: JobId, now: i64) -> Outcome<Option<JobInfo>> {
    Ok(find(connection, id, now)?.map(|found| found.map(|(_, _, job)| job)))
}

/// Why a job does not run.
pub(crate) fn explain(
    connection: &Connection,
    id: JobId,
    now: i64,
) -> Outcome<Option<Explanation>> {
    let (seq, row, job) = match find(connection, id, now)? {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Ok(None)),
        Err(error) => return Ok(Err(error)),
    };
    let mut answer = Explanation::new(job.state);
    answer.earliest = job.due_in;
    if row.paused {
        answer.because.push("the queue is paused".to_owned());
    }
    if job.state == JobState::Ready && row.exclusive && row.count(JobState::Leased) > 0 {
        answer.because.push("the queue is exclusive and another job of it is running".to_owned());
    }
    let reason = match job.state {
        JobState::Ready => match before(connection, &row, &job, seq)? {
            0 => "it is next, as soon as a worker asks for work".to_owned(),
            count if count > COUNT_MAX => {
                format!("more than {COUNT_MAX} ready jobs come before it")
            }
            count => format!("{count} ready jobs come before it"),
        },
        JobState::Delayed => match &job.reason {
            Some(reason) => {
                format!("it waits to be tried again after attempt {}: {reason}", job.attempt)
            }
            None if job.token > 0 => "it was given back for a while".to_owned(),
            None => "it was sent with a delay".to_owned(),
        },
        JobState::Leased => format!(
            "a worker has it, attempt {}: {}",
            job.attempt,
            job.owner.as_deref().unwrap_or("unknown")
        ),
        JobState::Held => {
            let key = job.message.key.as_deref().unwrap_or_default();
            answer.waits_for = in_front(connection, row.id, key)?;
            format!("another job with the key {key:?} is not settled")
        }
        JobState::Parked => format!(
            "the queue is full: {} of {} places are taken, and {} children wait with it",
            row.depth(),
            row.capacity,
            row.count(JobState::Parked) - 1
        ),
        _ => format!(
            "it was put aside: {}; kick it to bring it back",
            job.reason.as_deref().unwrap_or("no reason given")
        ),
    };
    answer.because.push(reason);
    Ok(Ok(Some(answer)))
}

/// How many ready jobs come before this one, counted up to a limit.
fn before(connection: &Connection, row: &Row, job: &JobInfo, seq: i64) -> Result<i64> {
    connection
        .prepare_cached(
            "SELECT (SELECT count(*) FROM (SELECT 1 FROM job INDEXED BY job_ready
                WHERE queue = ?1 AND state = 0 AND priority > ?2 LIMIT ?4))
             + (SELECT count(*) FROM (SELECT 1 FROM job INDEXED BY job_ready
                WHERE queue = ?1 AND state = 0 AND priority = ?2 AND seq < ?3 LIMIT ?4))",
        )?
        .query_row(params![row.id, job.message.priority.level(), seq, COUNT_MAX + 1], |row| {
            row.get(0)
        })
}

/// The job whose turn it is among those with a key.
fn in_front(connection: &Connection, queue: i64, key: &str) -> Result<Option<JobId>> {
    connection
        .prepare_cached(
            "SELECT id FROM job INDEXED BY job_key
             WHERE queue = ?1 AND key = ?2 AND key IS NOT NULL AND state < 4 AND state <> 3 LIMIT 1",
        )?
        .query_row(params![queue, key], |row| job_id(row, 0))
        .optional()
}

/// The record of a job.
pub(crate) fn result(connection: &Connection, id: JobId) -> Outcome<Option<Record>> {
    let found = connection
        .prepare_cached(&format!("{RESULT_COLUMNS} WHERE id = ?1"))?
        .query_row([id.as_bytes()], records::read)
        .optional()?;
    Ok(found.transpose())
}

/// A page of the outcomes of a queue, in the order they were stored.
pub(crate) fn results(
    connection: &Connection,
    queue: &QueueName,
    after: i64,
    limit: usize,
) -> Outcome<(Vec<Record>, Option<u64>)> {
    let limit = limit.clamp(1, JobFilter::LIMIT_MAX);
    let mut list = connection.prepare_cached(&format!(
        "{RESULT_COLUMNS} INDEXED BY result_outcome WHERE queue = ?1 AND status > 0 AND n > ?2 ORDER BY n LIMIT ?3"
    ))?;
    let mut found = list.query(params![queue.as_str(), after, to_sql(limit + 1)])?;
    let (mut page, mut last) = (Vec::new(), 0);
    while let Some(columns) = found.next()? {
        if page.len() == limit {
            return Ok(Ok((page, Some(last))));
        }
        match records::read(columns)? {
            Ok(record) => page.push(record),
            Err(error) => return Ok(Err(error)),
        }
        last = from_sql(columns.get(10)?);
    }
    Ok(Ok((page, None)))
}
