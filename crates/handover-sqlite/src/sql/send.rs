//! Taking a batch in, whole or not at all.
//!
//! A row is written so that a lease later changes no column's width in bytes, and SQLite overwrites it in place: `due` is a
//! time from the start, `owner` is the sender's number (as wide as a worker's), and `token` is the negative of what the
//! job's first token will be about, if a process that is new leases it.

use std::collections::HashSet;

use handover::{Error, ErrorKind, Fate, JobId, JobState, Message, QueueName, Receipt, Sent};
use rusqlite::{OptionalExtension, params};

use super::Tx;
use super::queue::{Row, undeclared};
use super::state::{code, to_sql};
use crate::error::NAME;

/// Bodies above this are kept apart, in bytes: a lease rewrites the row, and should not rewrite a large body with it.
const INLINE_BYTES_MAX: usize = 1024;

/// A message as it will be stored, made ready on the sender's thread.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(super) id: JobId,
    pub(super) priority: i64,
    delay_ms: i64,
    key: Option<String>,
    pub(super) headers: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Parcel {
    fn new(message: &Message) -> Self {
        let headers = (!message.headers.is_empty())
            .then(|| serde_json::to_string(&message.headers).unwrap_or_default());
        Self {
            id: message.id,
            priority: message.priority.level().into(),
            delay_ms: ceil_ms(message.delay),
            key: message.key.clone(),
            headers,
            body: message.body.clone(),
        }
    }

    fn is_plain(&self) -> bool {
        self.key.is_none() && self.delay_ms <= 0 && self.body.len() <= INLINE_BYTES_MAX
    }

    fn bytes(&self) -> usize {
        self.body.len() + self.headers.as_ref().map_or(0, String::len)
    }
}

/// A duration in whole milliseconds, rounded up: never early.
pub(crate) fn ceil_ms(duration: std::time::Duration) -> i64 {
    to_sql(duration.as_nanos().div_ceil(1_000_000))
}

/// A batch for a queue.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) queue: QueueName,
    pub(crate) parcels: Vec<Parcel>,
    pub(crate) parent: Option<Receipt>,
    /// About how much it will write.
    pub(crate) bytes: usize,
    /// Ready as soon as there is room: see `fresh.rs`.
    pub(crate) plain: bool,
}

impl Batch {
    pub(crate) fn new(queue: &QueueName, messages: &[Message], parent: Option<Receipt>) -> Self {
        let parcels: Vec<Parcel> = messages.iter().map(Parcel::new).collect();
        let bytes = parcels.iter().map(Parcel::bytes).sum();
        let plain = parent.is_none() && parcels.iter().all(Parcel::is_plain);
        Self { queue: queue.clone(), parcels, parent, bytes, plain }
    }

    /// Sent by a job of the same queue: it must not wait for room, because it is what makes room.
    pub(crate) fn feeds_itself(&self) -> bool {
        self.parent.as_ref().is_some_and(|parent| parent.queue == self.queue)
    }
}

/// What became of a send.
pub(crate) enum Admission {
    Answer(handover::Result<Sent>),
    /// It does not fit now. The error is what to say to one who does not wait.
    NoRoom(Error),
}

/// Where the messages of a batch would go.
struct Plan {
    places: i64,
    room: bool,
}

impl Tx<'_, '_> {
    /// Stores the batch if there is room. `behind` says that others wait for room in this queue and came before.
    pub(crate) fn send(&mut self, batch: &Batch, behind: bool) -> rusqlite::Result<Admission> {
        let refuse = |error: Error| Ok(Admission::Answer(Err(error)));
        if let Some(parent) = &batch.parent
            && self.leased(parent)?.is_none()
        {
            return refuse(parent.lost());
        }
        let Some(queue) = self.queue(&batch.queue)? else {
            return refuse(undeclared(&batch.queue));
        };
        let feeds_itself = batch.feeds_itself();
        let row = self.row(queue);
        let largest = row.capacity + if feeds_itself { row.overdraft } else { 0 };
        if to_sql(batch.parcels.len()) > largest {
            return refuse(too_large(batch, row));
        }
        let plan = match self.plan(batch, queue, feeds_itself, behind)? {
            Ok(plan) => plan,
            Err(error) => return refuse(error),
        };
        if !plan.room {
            return Ok(Admission::NoRoom(full(self.row(queue))));
        }
        self.store(batch, queue, plan.places).map(Admission::Answer)
    }

    /// Finds out whether the batch fits. Only where that is not plain does it ask which messages are known already.
    fn plan(
        &mut self,
        batch: &Batch,
        queue: usize,
        feeds_itself: bool,
        behind: bool,
    ) -> super::Outcome<Plan> {
        let row = self.row(queue);
        let (places, size) = (row.room(), to_sql(batch.parcels.len()));
        if size <= places && (feeds_itself || !behind) {
            return Ok(Ok(Plan { places, room: true }));
        }
        let may_park = row.overdraft - row.count(JobState::Parked);
        let queue_id = row.id;
        let mut new = HashSet::new();
        for parcel in &batch.parcels {
            match self.known_to(&parcel.id, queue_id)? {
                Ok(true) => {}
                Ok(false) => _ = new.insert(parcel.id),
                Err(error) => return Ok(Err(error)),
            }
        }
        let new = to_sql(new.len());
        let room = if feeds_itself {
            new <= places + std::cmp::max(may_park, 0)
        } else {
            new == 0 || (new <= places && !behind)
        };
        Ok(Ok(Plan { places, room }))
    }

    /// Whether an id is known in this queue. An id of another queue is an error for the sender.
    fn known_to(&mut self, id: &JobId, queue_id: i64) -> super::Outcome<bool> {
        match self.known(id)? {
            None => Ok(Ok(false)),
            Some((owner, _)) if owner == queue_id => Ok(Ok(true)),
            Some((owner, _)) => {
                let other = self.queue_numbered(owner)?.map(|place| self.row(place).name.clone());
                Ok(Err(belongs_elsewhere(id, other)))
            }
        }
    }

    /// The queue and place of an id that is known. What is only remembered may be overdue to be forgotten.
    fn known(&mut self, id: &JobId) -> rusqlite::Result<Option<(i64, i64)>> {
        let Some(found) = self.place_of(id)? else { return Ok(None) };
        self.write_fresh()?;
        if self.sql.job_is.exists(params![found.1, id.as_bytes()])? {
            return Ok(Some(found));
        }
        self.forget_first()?;
        self.place_of(id)
    }

    /// The queue and place that an id has or had.
    pub(super) fn place_of(&mut self, id: &JobId) -> rusqlite::Result<Option<(i64, i64)>> {
        self.sql
            .known_get
            .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    }

    /// Stores what is new. What is above `places` is parked.
    fn store(&mut self, batch: &Batch, queue: usize, mut places: i64) -> super::Outcome<Sent> {
        let queue_id = self.row(queue).id;
        let depth_max = self.row(queue).depth_max;
        let mut fates = Vec::with_capacity(batch.parcels.len());
        let mut stored: Vec<(i64, JobState, &Parcel)> = Vec::with_capacity(batch.parcels.len());
        for parcel in &batch.parcels {
            let seq = self.next_seq(queue)?;
            if !self.claim(&parcel.id, queue_id, seq)? {
                match self.known_to(&parcel.id, queue_id)? {
                    Ok(true) => {
                        fates.push(Fate::Duplicate);
                        continue;
                    }
                    // It was only remembered, and overdue to be forgotten.
                    Ok(false) => _ = self.claim(&parcel.id, queue_id, seq)?,
                    Err(error) => {
                        self.take_back(queue, depth_max, &stored)?;
                        return Ok(Err(error));
                    }
                }
            }
            let parked = places <= 0;
            places -= 1;
            let state = self.insert(parcel, queue, seq, parked)?;
            stored.push((seq, state, parcel));
            fates.push(if parked { Fate::Parked } else { Fate::Stored });
        }
        self.ring |= !stored.is_empty();
        let level = self.promise(queue);
        Ok(Ok(Sent::new(level, fates)))
    }

    /// Makes an id known. False where it is already.
    fn claim(&mut self, id: &JobId, queue_id: i64, seq: i64) -> rusqlite::Result<bool> {
        Ok(self.sql.known_add.execute(params![id.as_bytes(), queue_id, seq])? > 0)
    }

    fn insert(
        &mut self,
        parcel: &Parcel,
        queue: usize,
        seq: i64,
        parked: bool,
    ) -> rusqlite::Result<JobState> {
        let due = self.after(parcel.delay_ms);
        let state = if parked {
            JobState::Parked
        } else {
            self.standing(queue, parcel.key.as_deref(), due)?
        };
        let owner = self.owner()?;
        let now = self.now;
        let row = self.row_mut(queue);
        row.accepted += 1;
        row.enter(state);
        let (queue_id, first_token) = (row.id, row.first_token());
        let inline = parcel.body.len() <= INLINE_BYTES_MAX;
        self.sql.job_add.execute(params![
            seq,
            queue_id,
            code(state),
            parcel.priority,
            due,
            -first_token,
            owner,
            now,
            parcel.id.as_bytes(),
            parcel.key,
            parcel.headers,
            inline.then_some(&parcel.body),
            0
        ])?;
        if !inline {
            self.sql.body_add.execute(params![seq, parcel.body])?;
        }
        Ok(state)
    }

    /// Undoes the first part of a batch whose later part turned out to be wrong.
    fn take_back(
        &mut self,
        queue: usize,
        depth_max: i64,
        stored: &[(i64, JobState, &Parcel)],
    ) -> rusqlite::Result<()> {
        for (seq, state, parcel) in stored {
            self.sql.known_drop.execute([parcel.id.as_bytes()])?;
            self.sql.job_drop.execute([seq])?;
            self.sql.body_drop.execute([seq])?;
            let row = self.row_mut(queue);
            row.leave(*state);
            row.accepted -= 1;
        }
        self.row_mut(queue).depth_max = depth_max;
        Ok(())
    }
}

fn too_large(batch: &Batch, row: &Row) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "the batch is larger than the queue; send it in parts, or declare more capacity",
    )
    .fact("batch", batch.parcels.len())
    .fact("capacity", row.capacity)
    .broker(NAME)
}

/// There is no room, in numbers.
pub(crate) fn full(row: &Row) -> Error {
    Error::new(ErrorKind::Full, "the queue is full; wait for room, or send later")
        .fact("queue", &row.name)
        .fact("capacity", row.capacity)
        .fact("unsettled", row.depth())
        .fact("parked", row.count(JobState::Parked))
        .fact("overdraft", row.overdraft)
        .broker(NAME)
}

fn belongs_elsewhere(id: &JobId, other: Option<QueueName>) -> Error {
    let error = Error::new(
        ErrorKind::Invalid,
        "the id belongs to a job in another queue; an id is sent to one queue",
    )
    .fact("id", id)
    .broker(NAME);
    match other {
        Some(queue) => error.fact("queue", queue),
        None => error,
    }
}
