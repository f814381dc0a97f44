//! A broker that kills its own process at its n-th call: before it, in the middle of it, or after it.
//!
//! It stands between the recorder and the real broker, so a death before the call is one after the question was noted, and a
//! death after it is one before the answer was.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use handover::{
    Ask, BoxFuture, Broker, Caps, Delivery, Inspect, Message, QueueName, QueueSettings, Receipt,
    Result, Room, Sent, Settle, Steer,
};
use rustix::process::{Signal, getpid, kill_process};

/// When it is to die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// By somebody else's hand, if at all.
    Open,
    Before(u64),
    /// After as many turns of the scheduler, while the call is under way.
    During(u64, u64),
    After(u64),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open 0 0"),
            Self::Before(call) => write!(f, "before {call} 0"),
            Self::During(call, turns) => write!(f, "during {call} {turns}"),
            Self::After(call) => write!(f, "after {call} 0"),
        }
    }
}

impl FromStr for Fate {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let [word, call, turns] = words[..] else { return Err(format!("no fate: {text}")) };
        let number = |text: &str| text.parse().map_err(|_| format!("no number: {text}"));
        Ok(match word {
            "before" => Self::Before(number(call)?),
            "during" => Self::During(number(call)?, number(turns)?),
            "after" => Self::After(number(call)?),
            _ => Self::Open,
        })
    }
}

/// Ends this process at once, as `kill -9` does.
pub(crate) fn die() {
    kill_process(getpid(), Signal::KILL).unwrap();
}

#[derive(Debug)]
pub(crate) struct Mortal {
    broker: Arc<dyn Broker>,
    fate: Fate,
    calls: AtomicU64,
}

impl Mortal {
    pub(crate) fn new(broker: Arc<dyn Broker>, fate: Fate) -> Self {
        Self { broker, fate, calls: AtomicU64::new(0) }
    }

    fn live<'a, T: Send + 'a>(&'a self, mut call: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(async move {
            match self.fate {
                Fate::Before(at) if at == number => die(),
                Fate::During(at, turns) if at == number => {
                    tokio::select! {
                        biased;
                        _ = &mut call => die(), // it was quicker: then after it
                        () = wait(turns) => die(),
                    }
                }
                Fate::After(at) if at == number => {
                    call.await;
                    die();
                }
                _ => return call.await,
            }
            std::future::pending().await // not one line more, however slowly the signal comes
        })
    }
}

/// Lets the scheduler turn so often, while the writer's thread is at work.
async fn wait(turns: u64) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

impl Broker for Mortal {
    fn caps(&self) -> &Caps {
        self.broker.caps()
    }

    fn declare<'a>(
        &'a self,
        queue: &'a QueueName,
        settings: &'a QueueSettings,
    ) -> BoxFuture<'a, Result<()>> {
        self.live(self.broker.declare(queue, settings))
    }

    fn send<'a>(
        &'a self,
        queue: &'a QueueName,
        batch: &'a [Message],
        room: Room,
    ) -> BoxFuture<'a, Result<Sent>> {
        self.live(self.broker.send(queue, batch, room))
    }

    fn receive<'a>(
        &'a self,
        queues: &'a [QueueName],
        ask: Ask,
    ) -> BoxFuture<'a, Result<Vec<Delivery>>> {
        self.live(self.broker.receive(queues, ask))
    }

    fn settle<'a>(
        &'a self,
        batch: &'a [(Receipt, Settle)],
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.live(self.broker.settle(batch))
    }

    fn extend<'a>(
        &'a self,
        receipts: &'a [Receipt],
        lease: Duration,
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.live(self.broker.extend(receipts, lease))
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.broker.close()
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        self.broker.inspect()
    }

    fn steer(&self) -> Option<&dyn Steer> {
        self.broker.steer()
    }
}
