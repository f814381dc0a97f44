//! A broker that notes every call in the case's log and changes nothing. It is also the shape of a broker with a deliberate
//! bug: wrap, delegate, differ in one place.

use std::sync::Arc;
use std::time::Duration;

use handover::{
    Ask, BoxFuture, Broker, Caps, Delivery, Explanation, Inspect, JobFilter, JobId, JobInfo,
    JobPage, JobState, Message, QueueInfo, QueueName, QueueSettings, Receipt, Result, Room, Sent,
    Settle, Steer,
};

use crate::calls::Calls;

/// The wrapper.
#[derive(Debug)]
pub(crate) struct Watched {
    broker: Arc<dyn Broker>,
    calls: Arc<Calls>,
    label: &'static str,
}

impl Watched {
    /// `label` tells the handles of one case apart in its log.
    pub(crate) fn wrap(
        broker: Arc<dyn Broker>,
        calls: &Arc<Calls>,
        label: &'static str,
    ) -> Arc<dyn Broker> {
        Arc::new(Self { broker, calls: Arc::clone(calls), label })
    }

    fn note<'a, T: 'a>(
        &'a self,
        what: String,
        future: BoxFuture<'a, Result<T>>,
        show: impl Fn(&T) -> String + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move {
            let call = self.calls.begin(format!("{}{what}", self.label));
            let answer = future.await;
            match &answer {
                Ok(value) => call.answered(&show(value)),
                Err(error) => call.answered(&format!("{error:?}")),
            }
            answer
        })
    }
}

impl Broker for Watched {
    fn caps(&self) -> &Caps {
        self.broker.caps()
    }

    fn declare<'a>(
        &'a self,
        queue: &'a QueueName,
        settings: &'a QueueSettings,
    ) -> BoxFuture<'a, Result<()>> {
        let what = format!("declare {queue} capacity {}", settings.capacity);
        self.note(what, self.broker.declare(queue, settings), |()| "ok".to_owned())
    }

    fn send<'a>(
        &'a self,
        queue: &'a QueueName,
        batch: &'a [Message],
        room: Room,
    ) -> BoxFuture<'a, Result<Sent>> {
        let child = if room.parent.is_some() { " as children" } else { "" };
        let what = format!("send {} to {queue}{child}, wait {:?}", messages(batch), room.wait);
        self.note(what, self.broker.send(queue, batch, room), |sent| {
            few(&sent.fates, |fate| format!("{fate:?}"))
        })
    }

    fn receive<'a>(
        &'a self,
        queues: &'a [QueueName],
        ask: Ask,
    ) -> BoxFuture<'a, Result<Vec<Delivery>>> {
        let names = few(queues, ToString::to_string);
        let what =
            format!("receive {} of {names}, wait {:?}, lease {:?}", ask.max, ask.wait, ask.lease);
        self.note(what, self.broker.receive(queues, ask), |deliveries| {
            few(deliveries, |delivery| {
                let text = body(&delivery.message);
                format!("{text} attempt {} token {}", delivery.attempt, delivery.receipt.token)
            })
        })
    }

    fn settle<'a>(
        &'a self,
        batch: &'a [(Receipt, Settle)],
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        let items = few(batch, |(receipt, how)| format!("token {} {how:.60}", receipt.token));
        self.note(format!("settle {items}"), self.broker.settle(batch), answers)
    }

    fn extend<'a>(
        &'a self,
        receipts: &'a [Receipt],
        lease: Duration,
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        let items = few(receipts, |receipt| format!("token {}", receipt.token));
        self.note(
            format!("extend {items} by {lease:?}"),
            self.broker.extend(receipts, lease),
            answers,
        )
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.note("close".to_owned(), self.broker.close(), |()| "ok".to_owned())
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        self.broker.inspect().map(|_| self as &dyn Inspect)
    }

    fn steer(&self) -> Option<&dyn Steer> {
        self.broker.steer().map(|_| self as &dyn Steer)
    }
}

impl Watched {
    // Both are there: `inspect` and `steer` above hand out `self` only then.
    fn inspector(&self) -> &dyn Inspect {
        self.broker.inspect().expect("the broker had an inspector when asked before")
    }

    fn operator(&self) -> &dyn Steer {
        self.broker.steer().expect("the broker had an operator when asked before")
    }
}

// Looking is not noted: cases look in a loop, and the log would hold nothing else.
impl Inspect for Watched {
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueInfo>>> {
        self.inspector().queues()
    }

    fn queue<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<QueueInfo>>> {
        self.inspector().queue(queue)
    }

    fn jobs<'a>(
        &'a self,
        queue: &'a QueueName,
        filter: JobFilter,
    ) -> BoxFuture<'a, Result<JobPage>> {
        self.inspector().jobs(queue, filter)
    }

    fn job(&self, id: JobId) -> BoxFuture<'_, Result<Option<JobInfo>>> {
        self.inspector().job(id)
    }

    fn explain(&self, id: JobId) -> BoxFuture<'_, Result<Option<Explanation>>> {
        self.inspector().explain(id)
    }
}

impl Steer for Watched {
    fn kick<'a>(&'a self, queue: &'a QueueName, max: u64) -> BoxFuture<'a, Result<u64>> {
        let what = format!("kick {max} of {queue}");
        self.note(what, self.operator().kick(queue, max), ToString::to_string)
    }

    fn kick_job(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        self.note(format!("kick {id}"), self.operator().kick_job(id), ToString::to_string)
    }

    fn cancel(&self, id: JobId, reason: String) -> BoxFuture<'_, Result<bool>> {
        self.note(format!("cancel {id}"), self.operator().cancel(id, reason), ToString::to_string)
    }

    fn delete(&self, id: JobId) -> BoxFuture<'_, Result<bool>> {
        self.note(format!("delete {id}"), self.operator().delete(id), ToString::to_string)
    }

    fn purge<'a>(&'a self, queue: &'a QueueName, state: JobState) -> BoxFuture<'a, Result<u64>> {
        let what = format!("purge {state} of {queue}");
        self.note(what, self.operator().purge(queue, state), ToString::to_string)
    }

    fn pause<'a>(&'a self, queue: &'a QueueName, paused: bool) -> BoxFuture<'a, Result<()>> {
        let what = format!("pause {queue} {paused}");
        self.note(what, self.operator().pause(queue, paused), |()| "ok".to_owned())
    }
}

/// The first few of a list, and how many there are.
fn few<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    let shown: Vec<_> = items.iter().take(6).map(show).collect();
    let more = if items.len() > shown.len() {
        format!(", … {} in all", items.len())
    } else {
        String::new()
    };
    format!("[{}{more}]", shown.join(", "))
}

fn body(message: &Message) -> String {
    String::from_utf8_lossy(&message.body).chars().take(16).collect()
}

fn messages(batch: &[Message]) -> String {
    few(batch, body)
}

#[allow(clippy::ptr_arg, reason = "it is shown as the answer's own type")]
fn answers(answers: &Vec<Result<()>>) -> String {
    few(answers, |answer| match answer {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.kind().to_string(),
    })
}
