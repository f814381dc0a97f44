//! The hands of an operator. What can be long (kicking or purging a million jobs) is asked of the writer in pieces, so that
//! others have their turn in between.

use handover::{BoxFuture, Error, ErrorKind, JobId, JobState, QueueName, Result, Steer};

use crate::broker::{SqliteBroker, named};
use crate::error::NAME;
use crate::sql::steer::PIECE_MAX;
use crate::view;
use crate::writer::op::{Op, Side};

impl SqliteBroker {
    async fn kick_some(&self, queue: &QueueName, max: u64) -> Result<u64> {
        let mut kicked = 0;
        while kicked < max {
            let kick = |reply| Op::Kick(queue.clone(), max - kicked, reply);
            match self.shared.ask(Side::Broker, kick).await {
                Ok(piece) => {
                    kicked += piece;
                    if piece < u64::from(PIECE_MAX) {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Full && kicked > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(kicked)
    }

    async fn purge_all(&self, queue: &QueueName, state: JobState) -> Result<u64> {
        if state == JobState::Leased {
            return Err(Error::new(
                ErrorKind::Invalid,
                "leased jobs have an owner and cannot be purged; cancel them one by one",
            )
            .broker(NAME));
        }
        // Which jobs are meant is settled before the first one goes: behind a key, others come into this state by that.
        let name = queue.clone();
        let list = move |connection: &_, _| view::places(connection, &name, state);
        let places = self.look(Some(queue.clone()), list).await?;
        let mut purged = 0;
        for piece in places.chunks(PIECE_MAX.into()) {
            let purge = |reply| Op::Purge(queue.clone(), state, piece.to_vec(), reply);
            purged += self.shared.ask(Side::Broker, purge).await?;
        }
        Ok(purged)
    }
}

impl Steer for SqliteBroker {
    fn kick<'a>(&'a self, queue: &'a QueueName, max: u64) -> BoxFuture<'a, Result<u64>> {
        named("kick", self.kick_some(queue, max))
    }

    fn kick_job(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        named("kick_job", self.shared.ask(Side::Broker, move |reply| Op::KickJob(id, reply)))
    }

    fn cancel(&self, id: JobId, reason: String) -> BoxFuture<'_, Result<bool>> {
        named("cancel", self.shared.ask(Side::Broker, move |reply| Op::Cancel(id, reason, reply)))
    }

    fn delete(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        named("delete", self.shared.ask(Side::Broker, move |reply| Op::Delete(id, reply)))
    }

    fn purge<'a>(&'a self, queue: &'a QueueName, state: JobState) -> BoxFuture<'a, Result<u64>> {
        named("purge", self.purge_all(queue, state))
    }

    fn pause<'a>(&'a self, queue: &'a QueueName, paused: bool) -> BoxFuture<'a, Result<()>> {
        named(
            "pause",
            self.shared.ask(Side::Broker, move |reply| Op::Pause(queue.clone(), paused, reply)),
        )
    }
}
