//! The contract of handover over one file. Checks what can be checked without the file, and asks the writer thread.

use std::sync::Arc;
use std::time::Duration;

use handover::limits::{check_ask, check_batch, check_lease, check_send, check_settle};
use handover::{
    Ask, BoxFuture, Broker, Caps, Delivery, Error, Inspect, Message, QueueName, QueueSettings,
    Receipt, Result, Room, Sent, Settle, Steer, clock,
};

use crate::error::NAME;
use crate::shared::Shared;
use crate::sql::send::{Batch, ceil_ms};
use crate::writer::op::{Op, Parcelled, ReceiveOp, SendOp, Side};

/// The queues of an opened file. Clones share them, and closing one closes all.
///
/// Two files opened apart, in one process or in two, see the same queues.
#[derive(Debug, Clone)]
pub struct SqliteBroker {
    pub(crate) shared: Arc<Shared>,
}

/// Says on an error which operation of which broker it came from.
pub(crate) fn named<'a, T: 'a>(
    operation: &'static str,
    work: impl Future<Output = Result<T>> + Send + 'a,
) -> BoxFuture<'a, Result<T>> {
    Box::pin(async move { work.await.map_err(|error| error.operation(operation).broker(NAME)) })
}

impl SqliteBroker {
    async fn send_batch(&self, queue: &QueueName, batch: &[Message], room: Room) -> Result<Sent> {
        check_send(&self.shared.caps, batch)?;
        let ours = Arc::new(Batch::new(queue, batch, room.parent));
        let batch = Arc::clone(&ours);
        let deadline = clock::after(room.wait);
        let send = |reply| Op::Send(Box::new(SendOp { batch, wait: room.wait, deadline, reply }));
        self.shared.ask_patiently(Side::Broker, send).await
    }

    async fn receive_some(&self, queues: &[QueueName], ask: Ask) -> Result<Vec<Delivery>> {
        check_ask(&self.shared.caps, queues, &ask)?;
        let receive = |reply| {
            Op::Receive(Box::new(ReceiveOp {
                queues: queues.to_vec(),
                max: ask.max,
                lease_ms: ceil_ms(ask.lease),
                wait: ask.wait,
                deadline: clock::after(ask.wait),
                reply,
            }))
        };
        self.shared.ask_patiently(Side::Broker, receive).await.and_then(Parcelled::unpack)
    }

    async fn settle_some(&self, batch: &[(Receipt, Settle)]) -> Result<Vec<Result<()>>> {
        let caps = &self.shared.caps;
        check_batch(caps, batch.len())?;
        // One bad item spoils no other: it is answered here and left out there.
        let refused: Vec<Option<Error>> =
            batch.iter().map(|(_, how)| check_settle(caps, how).err()).collect();
        let good: Vec<_> = batch
            .iter()
            .zip(&refused)
            .filter(|(_, refused)| refused.is_none())
            .map(|(item, _)| item.clone())
            .collect();
        let mut answers = if good.is_empty() {
            self.shared.check_open(Side::Broker)?;
            Vec::new().into_iter()
        } else {
            let ours = Arc::new(good);
            let good = Arc::clone(&ours);
            self.shared.ask(Side::Broker, |reply| Op::Settle(good, reply)).await?.into_iter()
        };
        let answer = |refused: Option<Error>| match refused {
            Some(error) => Err(error),
            None => answers.next().unwrap_or_else(|| Err(crate::error::closed())),
        };
        Ok(refused.into_iter().map(answer).collect())
    }
}

#[deny(clippy::missing_trait_methods)]
impl Broker for SqliteBroker {
    fn caps(&self) -> &Caps {
        &self.shared.caps
    }

    fn declare<'a>(
        &'a self,
        queue: &'a QueueName,
        settings: &'a QueueSettings,
    ) -> BoxFuture<'a, Result<()>> {
        named("declare", async move {
            settings.check()?;
            let declare = |reply| Op::Declare(queue.clone(), Box::new(settings.clone()), reply);
            self.shared.ask(Side::Broker, declare).await
        })
    }

    fn send<'a>(
        &'a self,
        queue: &'a QueueName,
        batch: &'a [Message],
        room: Room,
    ) -> BoxFuture<'a, Result<Sent>> {
        named("send", self.send_batch(queue, batch, room))
    }

    fn receive<'a>(
        &'a self,
        queues: &'a [QueueName],
        ask: Ask,
    ) -> BoxFuture<'a, Result<Vec<Delivery>>> {
        named("receive", self.receive_some(queues, ask))
    }

    fn settle<'a>(
        &'a self,
        batch: &'a [(Receipt, Settle)],
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        named("settle", self.settle_some(batch))
    }

    fn extend<'a>(
        &'a self,
        receipts: &'a [Receipt],
        lease: Duration,
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        named("extend", async move {
            check_batch(&self.shared.caps, receipts.len())?;
            check_lease(&self.shared.caps, lease)?;
            let extend = |reply| Op::Extend(receipts.to_vec(), ceil_ms(lease), reply);
            self.shared.ask(Side::Broker, extend).await
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        named("close", self.shared.close(Side::Broker))
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        Some(self)
    }

    fn steer(&self) -> Option<&dyn Steer> {
        Some(self)
    }
}
