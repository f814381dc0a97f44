//! The full cycle of send, receive and settle in one process: a thousand senders with one message each, and two receivers.
//! The two halves are functions of their own, which [`super::two`] runs in two processes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use handover::{Ask, Broker as _, BrokerExt as _, Message, QueueName, Room, Settle, clock};
use handover_sqlite::SqliteBroker;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{BATCH, Found, Pair, SENDERS, Sizes, declare, open, payload, raw};
use crate::Failure;
use crate::measure::{Pulse, rate};

const RECEIVERS: u32 = 2;
/// After this long without anything a receiver looks whether all is settled.
const RECEIVE_WAIT: Duration = Duration::from_millis(200);

pub(super) fn run(folder: &Path, sizes: Sizes, found: &mut Found) -> Result<(), Failure> {
    let runtime = crate::runtime()?;
    let mut pair = Pair::default();
    for run in 0..sizes.runs {
        pair.raw.push(raw::cycles(&folder.join(format!("raw{run}.db")), sizes.cycles)?);
        let path = folder.join(format!("handover{run}.db"));
        pair.ours.push(runtime.block_on(cycles(&path, sizes.cycles))?);
    }
    found.pairs.row(pair.row("send, receive, settle in one process", "cycles/s"));
    found.put("cycle", pair.cycles_json());
    Ok(())
}

/// Cycles a second.
async fn cycles(path: &Path, count: u64) -> Result<f64, Failure> {
    let (file, queue) = open(path)?;
    declare(&file, &queue).await?;
    let load = Load::new(file.broker(), queue, count);
    let started = clock::now();
    let mut tasks = JoinSet::new();
    load.settle_all(&mut tasks);
    load.send_all(&mut tasks);
    join(tasks).await?;
    let rate = rate(count, started.elapsed());
    file.close().await?;
    Ok(rate)
}

pub(super) async fn join(mut tasks: JoinSet<handover::Result<()>>) -> Result<(), Failure> {
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(())
}

/// What is moved through a queue, and how.
#[derive(Debug, Clone)]
pub(super) struct Load {
    broker: SqliteBroker,
    queue: QueueName,
    count: u64,
    /// Beats at each message that was accepted and each batch that was settled.
    pub(super) pulse: Arc<Pulse>,
    /// A permit for each message that may still be sent, where the depth is to stay: settling gives, sending takes.
    gate: Option<Arc<Semaphore>>,
}

impl Load {
    pub(super) fn new(broker: SqliteBroker, queue: QueueName, count: u64) -> Self {
        Self { broker, queue, count, pulse: Arc::default(), gate: None }
    }

    /// Lets the depth grow by a message for each sender at most.
    pub(super) fn steady(mut self) -> Self {
        self.gate = Some(Arc::new(Semaphore::new(usize::try_from(SENDERS).unwrap_or(1))));
        self
    }

    /// Starts the senders.
    pub(super) fn send_all(&self, tasks: &mut JoinSet<handover::Result<()>>) {
        for sender in 0..SENDERS {
            let own = self.count / SENDERS + u64::from(sender < self.count % SENDERS);
            let load = self.clone();
            tasks.spawn(async move {
                for _ in 0..own {
                    load.take_permit().await;
                    let message = Message::new(payload());
                    load.broker.send_one(&load.queue, message, Room::within(Duration::MAX)).await?;
                    load.pulse.beat();
                }
                Ok(())
            });
        }
    }

    async fn take_permit(&self) {
        let Some(gate) = &self.gate else { return };
        // Nobody closes it.
        if let Ok(permit) = gate.acquire().await {
            permit.forget();
        }
    }

    /// Starts the receivers.
    pub(super) fn settle_all(&self, tasks: &mut JoinSet<handover::Result<()>>) {
        let settled = Arc::new(AtomicU64::new(0));
        for _ in 0..RECEIVERS {
            let (load, settled) = (self.clone(), Arc::clone(&settled));
            tasks.spawn(async move {
                while settled.load(Ordering::Relaxed) < load.count {
                    let batch = load.settle_batch().await?;
                    if batch > 0 {
                        load.pulse.beat();
                        settled.fetch_add(batch, Ordering::Relaxed);
                    }
                }
                Ok(())
            });
        }
    }

    /// Receives and settles once: how many.
    async fn settle_batch(&self) -> handover::Result<u64> {
        let ask = Ask::new(usize::try_from(BATCH).unwrap_or(usize::MAX)).wait(RECEIVE_WAIT);
        let got = self.broker.receive(std::slice::from_ref(&self.queue), ask).await?;
        let done: Vec<_> = got.into_iter().map(|d| (d.receipt, Settle::Done)).collect();
        if done.is_empty() {
            return Ok(0);
        }
        self.broker.settle(&done).await?.into_iter().collect::<handover::Result<()>>()?;
        if let Some(gate) = &self.gate {
            gate.add_permits(done.len());
        }
        Ok(u64::try_from(done.len()).unwrap_or(u64::MAX))
    }
}
