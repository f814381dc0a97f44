//! The memory broker: the contract as a program, written to be read, and the broker of tests.
//!
//! In reading order: `queue.rs` is one queue and its rules, `waiting.rs` is who sleeps, `state.rs` is all queues behind one
//! lock, this file is the async shell (checks, sleeping, waking), `view.rs` is looking and steering.
//!
//! The lock is a plain mutex, because nothing waits while it is held: what waits, waits on a channel outside. The state
//! is gone with the process, and [`Caps`] says so.

mod queue;
mod state;
mod view;
mod waiting;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use self::state::{Admission, State};
use self::waiting::{Ticket, WaitingReceive, WaitingSend};
use crate::broker::{BoxFuture, Broker};
use crate::caps::{Attempts, Bound, Caps, Dedup, Durability, LeaseKind, Ordering};
use crate::clock::{self, Instant};
use crate::delivery::{Ask, Delivery, Receipt, Room, Sent, Settle};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{Inspect, Steer};
use crate::limits::{check_ask, check_batch, check_lease, check_send, check_settle};
use crate::message::{Message, QueueName};
use crate::queue::QueueSettings;

/// A broker in the memory of this process. Clones share the same queues.
///
/// ```
/// use handover::{Ask, Broker, BrokerExt, MemoryBroker, Message, QueueName, QueueSettings, Room, Settle};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let broker = MemoryBroker::new();
/// let mail = QueueName::new("mail")?;
/// broker.declare(&mail, &QueueSettings::with_capacity(1)).await?;
/// broker.send_one(&mail, Message::new("hello"), Room::now()).await?;
/// let full = broker.send_one(&mail, Message::new("too much"), Room::now()).await.unwrap_err();
/// assert_eq!(full.kind(), handover::ErrorKind::Full);
/// let delivery = broker.receive_one(&mail, Ask::new(1)).await?.expect("one is there");
/// broker.settle_one(delivery.receipt, Settle::Done).await?;
/// # handover::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryBroker {
    caps: Arc<Caps>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Rung when the next thing the clock moves may have come nearer: sleeping receivers set their alarms again.
    alarm: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock would be a bug of ours in plain data code; the data is whole between its statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` under the lock, then hands what is ready to those who sleep. Rings the alarm if the next thing that the
    /// clock moves has come nearer.
    fn change<T>(&self, work: impl FnOnce(&mut State, Instant) -> T) -> T {
        let now = clock::now();
        let mut state = self.lock();
        state.tick(now);
        let before = state.next_due_of_all();
        let answer = work(&mut state, now);
        state.serve(now);
        let after = state.next_due_of_all();
        drop(state);
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.alarm.notify_waiters();
        }
        answer
    }
}

impl std::fmt::Debug for MemoryBroker {
    /// Without what is in the queues: a job's handle shows its broker, and bodies do not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryBroker")
            .field("queues", &self.shared.lock().queues.len())
            .finish_non_exhaustive()
    }
}

impl Default for MemoryBroker {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryBroker {
    /// An empty broker.
    #[must_use]
    pub fn new() -> Self {
        let mut caps = Caps::weakest("memory");
        caps.durability = Durability::Process;
        caps.bound = Bound::Exact;
        caps.lease = LeaseKind::Timed { lease_max: Duration::from_secs(12 * 60 * 60) };
        caps.attempts = Attempts::Exact;
        caps.fenced = true;
        caps.delay_max = Some(Duration::from_secs(10 * 365 * 24 * 60 * 60));
        caps.dedup = Dedup::WhileStored;
        caps.ordering = Ordering::Fifo;
        caps.priorities = 10;
        caps.keys = true;
        caps.body_bytes_max = 16 * 1024 * 1024;
        caps.batch_max = 1000;
        caps.batch_bytes_max = 64 * 1024 * 1024;
        Self { caps: Arc::new(caps), shared: Arc::default() }
    }

    /// Does `work` on an open broker.
    fn with<T>(&self, work: impl FnOnce(&mut State, Instant) -> Result<T>) -> Result<T> {
        self.shared.change(|state, now| {
            state.open()?;
            work(state, now)
        })
    }

    async fn send_or_wait(&self, name: &QueueName, batch: &[Message], room: Room) -> Result<Sent> {
        check_send(&self.caps, batch)?;
        let deadline = clock::after(room.wait);
        let (reply, answer) = oneshot::channel();
        let sleeper = self.with(|state, now| {
            let error = match state.send(name, batch, room.parent.as_ref(), now)? {
                Admission::Answer(sent) => return Ok(Ok(sent)),
                Admission::NoRoom(error) => error,
            };
            let feeds_itself = room.parent.as_ref().is_some_and(|parent| parent.queue == *name);
            if room.wait.is_zero() || feeds_itself {
                return Err(error);
            }
            let ticket = state.ticket();
            let waiting =
                WaitingSend { ticket, batch: batch.to_vec(), parent: room.parent.clone(), reply };
            state.wait_for_room(name, waiting)?;
            Ok(Err((SleepingSender { shared: &self.shared, name, ticket }, error)))
        })?;
        let (sleeper, full) = match sleeper {
            Ok(sent) => return Ok(sent),
            Err(sleeping) => sleeping,
        };
        let mut answer = answer;
        let answered = tokio::time::timeout_at(deadline, &mut answer).await;
        // Out of the line before the last look: what was admitted until then counts, nothing can be admitted after.
        drop(sleeper);
        match answered {
            Ok(Ok(sent)) => sent,
            Ok(Err(_closed)) => Err(closed()),
            Err(_deadline) => answer.try_recv().unwrap_or(Err(full)),
        }
    }

    async fn receive_or_wait(&self, queues: &[QueueName], ask: Ask) -> Result<Vec<Delivery>> {
        check_ask(&self.caps, queues, &ask)?;
        let deadline = clock::after(ask.wait);
        let mut sleeper = {
            let now = clock::now();
            let mut state = self.shared.lock();
            state.open()?;
            let taken = state.receive(queues, ask, now);
            if !taken.is_empty() || ask.wait.is_zero() {
                return Ok(taken);
            }
            let ticket = state.ticket();
            let (reply, answer) = oneshot::channel();
            state.wait_for_work(WaitingReceive {
                ticket,
                queues: queues.to_vec(),
                max: ask.max,
                lease: ask.lease,
                reply,
            });
            SleepingReceiver { shared: &self.shared, ticket, answer }
        };
        loop {
            // The alarm is armed before the look at the clock's next work, so that work which comes nearer in between rings it.
            let nearer = self.shared.alarm.notified();
            tokio::pin!(nearer);
            nearer.as_mut().enable();
            let wake =
                self.shared.lock().next_due(queues).map_or(deadline, |due| due.min(deadline));
            tokio::select! {
                biased;
                taken = &mut sleeper.answer => return taken.map_err(|_closed| closed()),
                () = nearer => {}
                () = tokio::time::sleep_until(wake) => {
                    let now = self.shared.change(|_, now| now);
                    if now >= deadline {
                        return sleeper.last_look();
                    }
                }
            }
        }
    }
}

/// A sender in the line. Dropping it takes it out.
struct SleepingSender<'a> {
    shared: &'a Shared,
    name: &'a QueueName,
    ticket: Ticket,
}

impl Drop for SleepingSender<'_> {
    fn drop(&mut self) {
        self.shared.change(|state, now| state.forget_sender(self.name, self.ticket, now));
    }
}

/// A receiver in the line. Dropping it takes it out, and gives back what it was handed and did not collect.
struct SleepingReceiver<'a> {
    shared: &'a Shared,
    ticket: Ticket,
    answer: oneshot::Receiver<Vec<Delivery>>,
}

impl SleepingReceiver<'_> {
    /// At the deadline: out of the line, and what was handed over until then.
    fn last_look(&mut self) -> Result<Vec<Delivery>> {
        self.shared.lock().forget_receiver(self.ticket);
        match self.answer.try_recv() {
            Ok(taken) => Ok(taken),
            Err(_) => {
                if self.shared.lock().closed {
                    Err(closed())
                } else {
                    Ok(Vec::new())
                }
            }
        }
    }
}

impl Drop for SleepingReceiver<'_> {
    fn drop(&mut self) {
        self.shared.change(|state, now| {
            state.forget_receiver(self.ticket);
            self.answer.close();
            if let Ok(taken) = self.answer.try_recv() {
                state.give_back(&taken, now);
            }
        });
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the broker was closed by this process").broker("memory")
}

/// Says on an error which operation of which broker it came from.
fn named<'a, T: 'a>(
    operation: &'static str,
    work: impl Future<Output = Result<T>> + Send + 'a,
) -> BoxFuture<'a, Result<T>> {
    Box::pin(async move { work.await.map_err(|error| error.operation(operation).broker("memory")) })
}

#[deny(clippy::missing_trait_methods)]
impl Broker for MemoryBroker {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn declare<'a>(
        &'a self,
        queue: &'a QueueName,
        settings: &'a QueueSettings,
    ) -> BoxFuture<'a, Result<()>> {
        named("declare", async move {
            settings.check()?;
            if settings.durability.is_some_and(|wanted| wanted > Durability::Process) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "the memory broker forgets everything with its process; choose a broker with a file or a server",
                ));
            }
            self.with(|state, now| {
                state.declare(queue, settings, now);
                Ok(())
            })
        })
    }

    fn send<'a>(
        &'a self,
        queue: &'a QueueName,
        batch: &'a [Message],
        room: Room,
    ) -> BoxFuture<'a, Result<Sent>> {
        named("send", self.send_or_wait(queue, batch, room))
    }

    fn receive<'a>(
        &'a self,
        queues: &'a [QueueName],
        ask: Ask,
    ) -> BoxFuture<'a, Result<Vec<Delivery>>> {
        named("receive", self.receive_or_wait(queues, ask))
    }

    fn settle<'a>(
        &'a self,
        batch: &'a [(Receipt, Settle)],
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        named("settle", async move {
            check_batch(&self.caps, batch.len())?;
            self.with(|state, now| {
                Ok(batch
                    .iter()
                    .map(|(receipt, how)| {
                        check_settle(&self.caps, how)?;
                        state.settle(receipt, how, now)
                    })
                    .collect())
            })
        })
    }

    fn extend<'a>(
        &'a self,
        receipts: &'a [Receipt],
        lease: Duration,
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        named("extend", async move {
            check_batch(&self.caps, receipts.len())?;
            check_lease(&self.caps, lease)?;
            self.with(|state, now| {
                Ok(receipts.iter().map(|receipt| state.extend(receipt, now + lease)).collect())
            })
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        named("close", async move {
            self.shared.lock().close();
            Ok(())
        })
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        Some(self)
    }

    fn steer(&self) -> Option<&dyn Steer> {
        Some(self)
    }
}
