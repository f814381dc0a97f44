//! The bench a case works at: a broker on an empty place, and short words for what cases do all the time, so that a case's
//! body is input and expectation. Not here: the checks (`check.rs`), calls that wait (`later.rs`), other processes
//! (`child.rs`).

use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use handover::{
    Ask, Broker, BrokerExt, Caps, Delivery, Error, ErrorKind, Fate, Inspect, JobId, JobInfo,
    LeaseKind, Message, QueueInfo, QueueName, QueueSettings, Receipt, ResultStore, Room, Sent,
    Settle, Steer, clock,
};

use crate::calls::Calls;
use crate::case::{Case, Need, Outcome, Stop};
use crate::check::SOON;
use crate::harness::{Harness, Place, Reach};
use crate::later::Later;
use crate::watch::Watched;
use crate::watch_results::WatchedResults;

/// A wait that no case outlives: what waits this long is woken, or the case fails.
pub(crate) const FAR: Duration = Duration::from_secs(300);

/// What a case works with.
pub(crate) struct Bench {
    /// The broker of this case.
    pub(crate) broker: Arc<dyn Broker>,
    /// The suite's shortest lease or delay.
    pub(crate) short: Duration,
    pub(crate) harness: Arc<dyn Harness>,
    pub(crate) calls: Arc<Calls>,
    pub(crate) place: Place<dyn Broker>,
    results: Option<(Arc<dyn ResultStore>, Place<dyn ResultStore>)>,
    further: Mutex<Vec<Arc<dyn Broker>>>,
}

impl Bench {
    /// The bench for this case, or why the case is not owed.
    pub(crate) async fn open(
        harness: Arc<dyn Harness>,
        case: &Case,
        calls: Arc<Calls>,
        processes: bool,
    ) -> Result<Self, Stop> {
        let opened = calls.step("open an empty place", harness.fresh()).await;
        let place = opened.map_err(|error| {
            Stop::Failed(format!("the harness could not open an empty place: {error:?}"))
        })?;
        let broker = Watched::wrap(Arc::clone(&place.handle), &calls, "");
        let short = harness.short_lease();
        let facts = crate::case::Facts {
            caps: broker.caps(),
            reach: place.reach,
            inspect: broker.inspect().is_some(),
            steer: broker.steer().is_some(),
            outage: place.outage.is_some(),
            processes,
            short_lease: short,
        };
        if let Some(reason) = case.needs.iter().find_map(|need| need.unmet(&facts)) {
            return Err(Stop::Ignored(reason));
        }
        let results = open_results(&*harness, case, &calls).await?;
        let further = Mutex::default();
        Ok(Self { broker, short, harness, calls, place, results, further })
    }

    /// Closes what the case has opened.
    pub(crate) async fn close(&self) -> Outcome {
        self.broker.close().await?;
        for handle in self.take_further() {
            handle.close().await?;
        }
        if let Some((store, _)) = &self.results {
            store.close().await?;
        }
        Ok(())
    }

    fn take_further(&self) -> Vec<Arc<dyn Broker>> {
        std::mem::take(&mut *self.further.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another handle on the same place. Needs `Shared`, or `Reopen` once the first is closed.
    pub(crate) async fn open_another(&self) -> Result<Arc<dyn Broker>, Stop> {
        let opening = self.harness.open(&self.place.address);
        let handle = self.calls.step("open another handle", opening).await?;
        let handle = Watched::wrap(handle, &self.calls, "second: ");
        self.further.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&handle));
        Ok(handle)
    }

    /// A handle after the first was closed.
    pub(crate) async fn reopen(&self) -> Result<Arc<dyn Broker>, Stop> {
        self.broker.close().await?;
        self.open_another().await
    }

    /// What the broker promises.
    pub(crate) fn caps(&self) -> &Caps {
        self.broker.caps()
    }

    /// The result store. Needs `Results`.
    pub(crate) fn results(&self) -> Result<&Arc<dyn ResultStore>, Stop> {
        self.results.as_ref().map(|(store, _)| store).ok_or_else(|| Stop::failed("no result store"))
    }

    /// Another handle on the result store after the first was closed. Needs `ResultsReopen`.
    pub(crate) async fn reopen_results(&self) -> Result<Arc<dyn ResultStore>, Stop> {
        let Some((store, place)) = &self.results else {
            return Err(Stop::failed("no result store"));
        };
        store.close().await?;
        let opening = self.harness.open_results(&place.address);
        let store = self.calls.step("open the results again", opening).await?;
        Ok(WatchedResults::wrap(store, &self.calls))
    }

    /// The inspector. Needs `Inspect`.
    pub(crate) fn inspector(&self) -> Result<&dyn Inspect, Stop> {
        Ok(self.broker.inspector()?)
    }

    /// The operator. Needs `Steer`.
    pub(crate) fn operator(&self) -> Result<&dyn Steer, Stop> {
        Ok(self.broker.operator()?)
    }

    // -- queues

    /// A queue of this name and capacity.
    pub(crate) async fn queue(&self, name: &str, capacity: u64) -> Result<QueueName, Stop> {
        self.declare(name, &QueueSettings::with_capacity(capacity)).await
    }

    /// A queue with these settings.
    pub(crate) async fn declare(
        &self,
        name: &str,
        settings: &QueueSettings,
    ) -> Result<QueueName, Stop> {
        let queue = QueueName::new(name)?;
        self.broker.declare(&queue, settings).await?;
        Ok(queue)
    }

    /// The queue as the inspector sees it.
    pub(crate) async fn info(&self, queue: &QueueName) -> Result<QueueInfo, Stop> {
        let info = self.inspector()?.queue(queue).await?;
        info.ok_or_else(|| Stop::failed(format_args!("the inspector does not know {queue}")))
    }

    /// The job as the inspector sees it.
    #[track_caller]
    pub(crate) fn job(&self, id: JobId) -> impl Future<Output = Result<JobInfo, Stop>> + Send + '_ {
        let at = Location::caller();
        async move {
            let info = self.inspector()?.job(id).await?;
            info.ok_or_else(|| Stop::Failed(format!("the inspector does not know {id}, at {at}")))
        }
    }

    // -- in

    /// Sends these bodies, in as many batches as `batch_max` wants, and answers their ids.
    pub(crate) async fn send<S: AsRef<str> + Sync>(
        &self,
        queue: &QueueName,
        bodies: &[S],
    ) -> Result<Vec<JobId>, Stop> {
        let batch: Vec<_> = bodies.iter().map(|body| text_message(body.as_ref())).collect();
        self.put(queue, &batch).await
    }

    /// Sends the bodies `0` to `count - 1`.
    pub(crate) async fn send_many(
        &self,
        queue: &QueueName,
        count: usize,
    ) -> Result<Vec<JobId>, Stop> {
        let bodies: Vec<_> = (0..count).map(|n| n.to_string()).collect();
        self.send(queue, &bodies).await
    }

    /// Sends these messages, each of which must find a place at once.
    pub(crate) async fn put(
        &self,
        queue: &QueueName,
        batch: &[Message],
    ) -> Result<Vec<JobId>, Stop> {
        for part in batch.chunks(self.caps().batch_max.max(1)) {
            let sent = self.broker.send(queue, part, Room::now()).await?;
            if sent.fates != vec![Fate::Stored; part.len()] {
                return Err(Stop::failed(format_args!("sent, but not all stored: {sent:?}")));
            }
        }
        Ok(batch.iter().map(|message| message.id).collect())
    }

    /// Starts a send that is to wait for room, and returns when it stands in line.
    pub(crate) async fn send_later(
        &self,
        queue: &QueueName,
        bodies: &[&str],
        room: Room,
    ) -> Result<Later<handover::Result<Sent>>, Stop> {
        let batch: Vec<_> = bodies.iter().map(|body| text_message(body)).collect();
        let before = self.in_line(queue).await?;
        let (broker, name) = (Arc::clone(&self.broker), queue.clone());
        let mut send = Later::start(async move { broker.send(&name, &batch, room).await });
        if before.is_none() {
            send.waits().await?;
        }
        // One look does not do: the task may not have run yet.
        while !send.is_answered() && self.in_line(queue).await? == before && before.is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(send)
    }

    async fn in_line(&self, queue: &QueueName) -> Result<Option<u64>, Stop> {
        match self.broker.inspect() {
            Some(_) => Ok(Some(self.info(queue).await?.senders_waiting)),
            None => Ok(None),
        }
    }

    // -- out

    /// The longest lease the suite asks for: nothing that is leased for it comes back within a case.
    pub(crate) fn long(&self) -> Duration {
        let long = Duration::from_secs(120);
        match self.caps().lease {
            LeaseKind::Timed { lease_max } => long.min(lease_max),
            _ => long,
        }
    }

    /// A question for up to `max` messages at once, with a long lease.
    pub(crate) fn ask(&self, max: usize) -> Ask {
        Ask::new(max).lease(self.long())
    }

    /// Takes one message, which must be there soon, with a long lease.
    #[track_caller]
    pub(crate) fn take(
        &self,
        queue: &QueueName,
    ) -> impl Future<Output = Result<Delivery, Stop>> + Send + use<> {
        self.take_for(queue, self.long())
    }

    /// Takes one message, which must be there soon, with this lease.
    #[track_caller]
    pub(crate) fn take_for(
        &self,
        queue: &QueueName,
        lease: Duration,
    ) -> impl Future<Output = Result<Delivery, Stop>> + Send + use<> {
        take_from(&self.broker, queue, lease)
    }

    /// Takes one message at the first moment it can be had, with a long lease. It asks again and again: an alarm that rings a
    /// little late must not hide a message that could be taken a little early.
    #[track_caller]
    pub(crate) fn catch(
        &self,
        queue: &QueueName,
    ) -> impl Future<Output = Result<Delivery, Stop>> + Send + use<> {
        let (at, broker, queue) = (Location::caller(), Arc::clone(&self.broker), queue.clone());
        let ask = self.ask(1);
        async move {
            let begun = clock::now();
            while begun.elapsed() < SOON {
                if let Some(delivery) = broker.receive_one(&queue, ask).await? {
                    return Ok(delivery);
                }
                tokio::task::yield_now().await;
            }
            Err(Stop::Failed(format!("{queue} gave nothing within {SOON:?}, at {at}")))
        }
    }

    /// Takes this message, which must be the next one.
    #[track_caller]
    pub(crate) fn take_text(
        &self,
        queue: &QueueName,
        want: &str,
    ) -> impl Future<Output = Result<Delivery, Stop>> + Send + use<> {
        let (at, taking, want) = (Location::caller(), self.take(queue), want.to_owned());
        async move {
            let delivery = taking.await?;
            let got = text(&delivery);
            if got == want {
                return Ok(delivery);
            }
            Err(Stop::Failed(format!("took {got:?}, expected {want:?}, at {at}")))
        }
    }

    /// Takes what is there and leaves it leased: the bodies, in the order they came.
    pub(crate) async fn drain(&self, queue: &QueueName) -> Result<Vec<String>, Stop> {
        Ok(self.drain_deliveries(queue).await?.iter().map(text).collect())
    }

    /// Takes what is there and leaves it leased.
    pub(crate) async fn drain_deliveries(&self, queue: &QueueName) -> Result<Vec<Delivery>, Stop> {
        let mut all = Vec::new();
        let max = self.caps().batch_max.min(100);
        loop {
            let some = self.broker.receive(std::slice::from_ref(queue), self.ask(max)).await?;
            if some.is_empty() {
                return Ok(all);
            }
            all.extend(some);
        }
    }

    /// Nothing can be taken now.
    #[track_caller]
    pub(crate) fn nothing(
        &self,
        queue: &QueueName,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        self.nothing_for(queue, Duration::ZERO)
    }

    /// Nothing can be taken within this time.
    #[track_caller]
    pub(crate) fn nothing_for(
        &self,
        queue: &QueueName,
        wait: Duration,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        let (at, broker, queue) = (Location::caller(), Arc::clone(&self.broker), queue.clone());
        let ask = self.ask(1).wait(wait);
        async move {
            match broker.receive_one(&queue, ask).await? {
                None => Ok(()),
                Some(delivery) => Err(Stop::Failed(format!(
                    "took {:?} from {queue}, expected nothing, at {at}",
                    text(&delivery)
                ))),
            }
        }
    }

    /// Starts a receive that is to wait, and returns when it has been seen waiting.
    pub(crate) async fn receive_later(
        &self,
        queues: &[&QueueName],
        ask: Ask,
    ) -> Result<Later<handover::Result<Vec<Delivery>>>, Stop> {
        let broker = Arc::clone(&self.broker);
        let names: Vec<_> = queues.iter().copied().cloned().collect();
        let mut receive = Later::start(async move { broker.receive(&names, ask).await });
        receive.waits().await?;
        Ok(receive)
    }

    // -- ends

    /// Settles a delivery in this way, which must work.
    #[track_caller]
    pub(crate) fn settle(
        &self,
        delivery: &Delivery,
        how: Settle,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        let (at, broker, receipt) =
            (Location::caller(), Arc::clone(&self.broker), delivery.receipt.clone());
        async move {
            broker
                .settle_one(receipt, how)
                .await
                .map_err(|error| Stop::Failed(format!("cannot settle: {error:?}, at {at}")))
        }
    }

    /// It is done.
    #[track_caller]
    pub(crate) fn done(&self, delivery: &Delivery) -> impl Future<Output = Outcome> + Send + use<> {
        self.settle(delivery, Settle::Done)
    }

    /// It failed; again after this time.
    #[track_caller]
    pub(crate) fn retry(
        &self,
        delivery: &Delivery,
        after: Duration,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        self.settle(delivery, retry(after))
    }

    /// It was not tried; again after this time.
    #[track_caller]
    pub(crate) fn release(
        &self,
        delivery: &Delivery,
        after: Duration,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        self.settle(delivery, Settle::Release { after })
    }

    /// It is put aside.
    #[track_caller]
    pub(crate) fn bury(&self, delivery: &Delivery) -> impl Future<Output = Outcome> + Send + use<> {
        self.settle(delivery, bury("for the suite"))
    }

    /// Lets time itself pass. For what ends by time alone; never to wait for something else to happen.
    pub(crate) async fn let_pass(&self, time: Duration) {
        self.calls.step(format!("let {time:?} pass"), tokio::time::sleep(time)).await;
    }
}

async fn open_results(
    harness: &dyn Harness,
    case: &Case,
    calls: &Arc<Calls>,
) -> Result<Option<(Arc<dyn ResultStore>, Place<dyn ResultStore>)>, Stop> {
    if !case.needs.contains(&Need::Results) {
        return Ok(None);
    }
    let Some(opening) = harness.results() else {
        return Err(Stop::Ignored("not possible here: the broker has no result store".to_owned()));
    };
    let place = calls.step("open an empty result store", opening).await?;
    let store = WatchedResults::wrap(Arc::clone(&place.handle), calls);
    if case.needs.contains(&Need::Progress) && !store.caps().progress {
        return Err(Stop::Ignored("not promised: ResultCaps says progress is false".to_owned()));
    }
    if case.needs.contains(&Need::ResultsReopen) && place.reach == Reach::Alone {
        return Err(Stop::Ignored(
            "not possible here: the store is gone with its handle".to_owned(),
        ));
    }
    Ok(Some((store, place)))
}

/// Takes one message from this handle, which must be there soon.
#[track_caller]
pub(crate) fn take_from(
    broker: &Arc<dyn Broker>,
    queue: &QueueName,
    lease: Duration,
) -> impl Future<Output = Result<Delivery, Stop>> + Send + use<> {
    let (at, broker, queue) = (Location::caller(), Arc::clone(broker), queue.clone());
    async move {
        let taken = broker.receive_one(&queue, Ask::new(1).wait(SOON).lease(lease)).await?;
        taken.ok_or_else(|| Stop::Failed(format!("{queue} gave nothing within {SOON:?}, at {at}")))
    }
}

/// A message with this text as its body.
pub(crate) fn text_message(body: &str) -> Message {
    Message::new(body.as_bytes())
}

/// The body as text.
pub(crate) fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.message.body).into_owned()
}

/// The bodies as text, in order.
pub(crate) fn texts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(text).collect()
}

/// A failed attempt.
pub(crate) fn retry(after: Duration) -> Settle {
    Settle::Retry { after, reason: "for the suite".to_owned() }
}

/// A burial.
pub(crate) fn bury(reason: &str) -> Settle {
    Settle::Bury { reason: reason.to_owned() }
}

/// A receipt as it was, but for its token.
pub(crate) fn with_token(receipt: &Receipt, token: u64) -> Receipt {
    let mut forged = receipt.clone();
    forged.token = token;
    forged
}

/// The setting is one this broker keeps; `Unsupported` is an honest answer that ignores the case.
pub(crate) fn owed<T>(what: &str, answer: Result<T, Error>) -> Result<T, Stop> {
    match answer {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Err(Stop::Ignored(format!("not promised: {what} is unsupported")))
        }
        other => Ok(other?),
    }
}
