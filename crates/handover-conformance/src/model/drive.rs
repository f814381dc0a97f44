//! The steps of a round as calls of a real broker, through one handle or two. Not here: what the answers are worth.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use handover::{
    Ask, Broker, BrokerExt, Delivery, Error, ErrorKind, JobId, JobState, LeaseKind, Message,
    Priority, QueueName, QueueSettings, Receipt, Room, Sent, Settle,
};

use super::contract::{ROUND_MAX, Rules, reason};
use super::step::{
    Answer, Claim, Draft, End, Forged, Got, Label, Lease, Q, QUEUES, Seen, Step, When,
};
use crate::check::SOON;
use crate::harness::{Harness, Place, Reach};
use crate::later::Later;
use crate::support::{FAR, bury, with_token};

/// A place of its own, and what the clients of the round know.
pub(crate) struct Driver {
    pub(crate) rules: Rules,
    handles: Vec<Arc<dyn Broker>>,
    queues: Vec<QueueName>,
    /// So short that waiting for it is no matter.
    brief: Duration,
    /// After this, what was to end within `brief` has ended.
    passed: Duration,
    long: Duration,
    ids: HashMap<Label, JobId>,
    messages: HashMap<JobId, (Label, Message)>,
    receipts: HashMap<Label, Vec<Receipt>>,
    senders: BTreeMap<Label, (Q, Later<handover::Result<Sent>>)>,
    receiver: Option<Later<handover::Result<Vec<Delivery>>>>,
    _place: Place<dyn Broker>,
}

/// What cannot be compared: the call did not end, or its answer makes no sense.
pub(crate) type Trouble = String;

impl Driver {
    pub(crate) async fn open(harness: &dyn Harness) -> Result<Self, Trouble> {
        let place = harness.fresh().await.map_err(|error| format!("no empty place: {error:?}"))?;
        let mut handles = vec![Arc::clone(&place.handle)];
        if place.reach == Reach::Shared {
            let second = harness.open(&place.address).await;
            handles.push(second.map_err(|error| format!("no second handle: {error:?}"))?);
        }
        let broker = Arc::clone(&place.handle);
        let mut rules = Rules::new(broker.caps());
        rules.clients = handles.len();
        (rules.steer, rules.inspect) = (broker.steer().is_some(), broker.inspect().is_some());
        let mut settings = QueueSettings::with_capacity(1);
        settings.exclusive = true;
        let probe = broker.declare(&name("probe")?, &settings).await;
        rules.exclusive = probe.is_ok();
        let (short, long) = (harness.short_lease(), Duration::from_secs(120));
        // A server that counts in seconds is asked for nothing shorter.
        let fine = short <= Duration::from_millis(500);
        Ok(Self {
            rules,
            handles,
            queues: QUEUES.iter().map(|queue| name(queue)).collect::<Result<_, _>>()?,
            brief: if fine { short / 60 } else { short },
            passed: if fine { short / 15 } else { short * 2 },
            long: match broker.caps().lease {
                LeaseKind::Timed { lease_max } => long.min(lease_max),
                _ => long,
            },
            ids: HashMap::new(),
            messages: HashMap::new(),
            receipts: HashMap::new(),
            senders: BTreeMap::new(),
            receiver: None,
            _place: place,
        })
    }

    pub(crate) async fn close(mut self) {
        self.senders.clear();
        self.receiver = None;
        for handle in &self.handles {
            // The verdict stands; that closing has an end is asked elsewhere.
            let _ = tokio::time::timeout(SOON, handle.close()).await;
        }
    }

    /// Does the step. `None` where it means nothing here: it speaks of a receipt nobody has, or a send that does not wait.
    pub(crate) async fn perform(&mut self, step: &Step) -> Result<Option<Answer>, Trouble> {
        match tokio::time::timeout(SOON, self.call(step)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {SOON:?}")),
        }
    }

    async fn call(&mut self, step: &Step) -> Result<Option<Answer>, Trouble> {
        let broker = Arc::clone(&self.handles[step.client() % self.handles.len()]);
        match step {
            Step::Declare { queue, capacity, overdraft, exclusive } => {
                let mut settings = QueueSettings::with_capacity(*capacity);
                (settings.overdraft, settings.exclusive) = (*overdraft, *exclusive);
                plain(broker.declare(&self.queues[*queue], &settings).await)
            }
            Step::Send { queue, batch, parent, briefly, .. } => {
                let mut room = Room::within(if *briefly { self.brief } else { Duration::ZERO });
                if let Some(parent) = parent {
                    let Some(receipt) = self.receipt(*parent) else { return Ok(None) };
                    room = room.child_of(receipt);
                }
                let batch = self.messages(batch)?;
                fates(broker.send(&self.queues[*queue], &batch, room).await)
            }
            Step::SendLater { queue, batch } => self.send_later(broker, *queue, batch).await,
            Step::DropSend(label) => self.drop_send(*label).await,
            Step::Receive { queues, max, lease, patient, .. } => {
                let lease = if *lease == When::Soon { self.brief } else { self.long };
                let ask = Ask::new(*max).lease(lease);
                let ask = if *patient { ask.wait(FAR) } else { ask };
                let answer = broker.receive(&self.names(queues), ask).await;
                self.deliveries(answer)
            }
            Step::ReceiveLater { queues, max } => {
                let (names, ask) = (self.names(queues), Ask::new(*max).lease(self.long).wait(FAR));
                let receive = async move { broker.receive(&names, ask).await };
                // Whether it stands in line yet is no matter: what is there when it looks is what it gets.
                self.receiver = Some(Later::start(receive));
                tokio::task::yield_now().await;
                Ok(Some(Answer::Waits))
            }
            Step::Settle { batch, .. } => self.settle(&*broker, batch).await,
            Step::Extend { batch, lease, .. } => {
                let lease = if *lease == When::Soon { self.brief } else { self.long };
                let receipts: Option<Vec<_>> =
                    batch.iter().map(|claim| self.claim(*claim)).collect();
                let Some(receipts) = receipts else { return Ok(None) };
                each(broker.extend(&receipts, lease).await)
            }
            Step::LetPass => {
                tokio::time::sleep(self.passed).await;
                Ok(Some(Answer::Done))
            }
            _ => self.operate(&*broker, step).await,
        }
    }

    async fn send_later(
        &mut self,
        broker: Arc<dyn Broker>,
        queue: Q,
        batch: &[Draft],
    ) -> Result<Option<Answer>, Trouble> {
        let (label, messages) =
            (batch.first().map_or(0, |draft| draft.label), self.messages(batch)?);
        let name = self.queues[queue].clone();
        let before = self.in_line(queue).await?;
        let sender = Arc::clone(&broker);
        let mut send =
            Later::start(async move { sender.send(&name, &messages, Room::within(FAR)).await });
        if before.is_none() {
            // Nobody can say when it stands in line; those that follow are sent well after it.
            let _ = send.waits().await;
        }
        while !send.is_answered() && before.is_some() && self.in_line(queue).await? == before {
            tokio::task::yield_now().await;
        }
        if send.is_answered() {
            let answer = send.answer().await.map_err(|stop| format!("{stop:?}"))?;
            return fates(answer);
        }
        self.senders.insert(label, (queue, send));
        Ok(Some(Answer::Waits))
    }

    /// Drops a waiting send, and returns when it has been seen to be gone: nobody is told when a broker notices.
    async fn drop_send(&mut self, label: Label) -> Result<Option<Answer>, Trouble> {
        let Some((queue, send)) = self.senders.remove(&label) else { return Ok(None) };
        let before = self.in_line(queue).await?;
        send.cancel().await;
        while before.is_some() && self.in_line(queue).await? == before {
            tokio::task::yield_now().await;
        }
        Ok(Some(Answer::Done))
    }

    async fn in_line(&self, queue: Q) -> Result<Option<u64>, Trouble> {
        let Some(inspect) = self.handles[0].inspect() else { return Ok(None) };
        match inspect.queue(&self.queues[queue]).await {
            Ok(Some(info)) => Ok(Some(info.senders_waiting)),
            other => Err(format!("the inspector says of a queue that was declared: {other:?}")),
        }
    }

    async fn settle(
        &self,
        broker: &dyn Broker,
        batch: &[(Claim, End)],
    ) -> Result<Option<Answer>, Trouble> {
        let mut items = Vec::with_capacity(batch.len());
        for (claim, end) in batch {
            let Some(receipt) = self.claim(*claim) else { return Ok(None) };
            let how = match end {
                End::Done => Settle::Done,
                End::Retry(after) => {
                    Settle::Retry { after: self.delay(*after), reason: reason(claim.lease) }
                }
                End::Release(after) => Settle::Release { after: self.delay(*after) },
                End::Bury => bury("for the suite"),
            };
            items.push((receipt, how));
        }
        each(broker.settle(&items).await)
    }

    async fn operate(
        &mut self,
        broker: &dyn Broker,
        step: &Step,
    ) -> Result<Option<Answer>, Trouble> {
        let no_hands = |error: Error| format!("no operator, no inspector: {error:?}");
        match step {
            Step::Look(queue) => {
                let inspect = broker.inspector().map_err(no_hands)?;
                told(inspect.queue(&self.queues[*queue]).await, |info| match info {
                    None => Answer::Seen(Box::default()),
                    Some(info) => Answer::Seen(Box::new(Seen {
                        counts: JobState::ALL.map(|state| info.count(state)),
                        paused: info.paused,
                        depth_max: info.depth_max,
                        accepted: info.accepted,
                        done: info.done,
                        senders_waiting: info.senders_waiting,
                    })),
                })
            }
            Step::LookAt(label) => {
                let id = self.id(*label);
                let inspect = broker.inspector().map_err(no_hands)?;
                told(inspect.job(id).await, |job| {
                    Answer::Job(job.map(|job| (job.state, job.attempt, job.token)))
                })
            }
            _ => self.steer(broker.operator().map_err(no_hands)?, step).await,
        }
    }

    async fn steer(
        &mut self,
        operator: &dyn handover::Steer,
        step: &Step,
    ) -> Result<Option<Answer>, Trouble> {
        match step {
            Step::Kick { queue, max, .. } => {
                told(operator.kick(&self.queues[*queue], *max).await, Answer::Count)
            }
            Step::KickJob(label) => told(operator.kick_job(self.id(*label)).await, Answer::Truth),
            Step::Cancel(label) => {
                let reason = "cancelled by the suite".to_owned();
                told(operator.cancel(self.id(*label), reason).await, Answer::Truth)
            }
            Step::Delete(label) => told(operator.delete(self.id(*label)).await, Answer::Truth),
            Step::Purge(queue, state) => {
                told(operator.purge(&self.queues[*queue], *state).await, Answer::Count)
            }
            Step::Pause(queue, paused) => {
                plain(operator.pause(&self.queues[*queue], *paused).await)
            }
            _ => Err("the driver does not know this step".to_owned()),
        }
    }

    // -- what waited

    /// What the waiting send that begins with this message was told, soon.
    pub(crate) async fn sender_told(&mut self, label: Label) -> Result<Answer, Trouble> {
        let Some((_, mut send)) = self.senders.remove(&label) else {
            return Err(format!("no send of m{label} waits"));
        };
        let answer = send.answer().await.map_err(|_| {
            format!("the waiting send of m{label} should be answered, and waits for {SOON:?} more")
        })?;
        Ok(fates(answer)?.unwrap_or(Answer::Waits))
    }

    /// What the receive that waits was given, soon.
    pub(crate) async fn receiver_told(&mut self) -> Result<Answer, Trouble> {
        let Some(mut receive) = self.receiver.take() else {
            return Err("no receive waits".to_owned());
        };
        let answer = receive.answer().await.map_err(|_| {
            format!("the waiting receive should be answered, and waits for {SOON:?} more")
        })?;
        Ok(self.deliveries(answer)?.unwrap_or(Answer::Waits))
    }

    /// A call that was answered though it should wait.
    pub(crate) fn answered_too_early(&self) -> Option<String> {
        let send = self.senders.iter().find(|(_, (_, send))| send.is_answered());
        if let Some((label, _)) = send {
            return Some(format!("the waiting send of m{label} was answered"));
        }
        let receive = self.receiver.as_ref().filter(|receive| receive.is_answered());
        receive.map(|_| "the waiting receive was answered".to_owned())
    }

    // -- words

    fn id(&mut self, label: Label) -> JobId {
        *self.ids.entry(label).or_insert_with(JobId::new)
    }

    fn delay(&self, when: When) -> Duration {
        match when {
            When::Now => Duration::ZERO,
            When::Soon => self.brief,
            When::Far => ROUND_MAX,
        }
    }

    fn names(&self, queues: &[Q]) -> Vec<QueueName> {
        queues.iter().map(|queue| self.queues[*queue].clone()).collect()
    }

    fn messages(&mut self, batch: &[Draft]) -> Result<Vec<Message>, Trouble> {
        let mut messages = Vec::with_capacity(batch.len());
        for draft in batch {
            let id = self.id(draft.label);
            let body: Vec<u8> =
                (0_u8..=255).cycle().skip(7).take(draft.label as usize * 3).collect();
            let priority = Priority::new(draft.priority).map_err(|error| error.to_string())?;
            let mut message = Message::new(body)
                .with_id(id)
                .with_header("label", draft.label.to_string())
                .with_priority(priority);
            if let Some(key) = draft.key {
                message = message.with_key(format!("key {key}"));
            }
            self.messages.insert(id, (draft.label, message.clone()));
            messages.push(message.with_delay(self.delay(draft.delay)));
        }
        Ok(messages)
    }

    fn receipt(&self, lease: Lease) -> Option<Receipt> {
        self.receipts.get(&lease.of)?.get(lease.nth.checked_sub(1)?).cloned()
    }

    fn claim(&self, claim: Claim) -> Option<Receipt> {
        let receipt = self.receipt(claim.lease)?;
        Some(match claim.forged {
            Forged::Nothing => receipt,
            Forged::Token => with_token(&receipt, receipt.token.wrapping_add(1_000_000)),
            Forged::Queue => {
                let mut forged = receipt.clone();
                let other = self.queues.iter().find(|queue| **queue != receipt.queue);
                forged.queue = other.cloned().unwrap_or(receipt.queue);
                forged
            }
        })
    }

    fn deliveries(
        &mut self,
        answer: handover::Result<Vec<Delivery>>,
    ) -> Result<Option<Answer>, Trouble> {
        let deliveries = match answer {
            Ok(deliveries) => deliveries,
            Err(error) => return refused(&error),
        };
        let mut got = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let Some((label, sent)) = self.messages.get(&delivery.message.id) else {
                return Err(format!("delivered what nobody sent: {:?}", delivery.message));
            };
            if *sent != delivery.message || delivery.receipt.id != delivery.message.id {
                return Err(format!("m{label} came back as another: {delivery:?}, not {sent:?}"));
            }
            let queue = self.queues.iter().position(|queue| *queue == delivery.receipt.queue);
            let receipts = self.receipts.entry(*label).or_default();
            receipts.push(delivery.receipt.clone());
            got.push(Got {
                queue: queue.ok_or("a receipt of a queue that nobody asked for")?,
                lease: Lease { of: *label, nth: receipts.len() },
                attempt: delivery.attempt,
                token: delivery.receipt.token,
                failed: delivery.last_failure,
            });
        }
        Ok(Some(Answer::Deliveries(got)))
    }
}

fn name(queue: &str) -> Result<QueueName, Trouble> {
    QueueName::new(queue).map_err(|error| error.to_string())
}

/// A refusal is an answer; what says that something broke is not.
fn refused(error: &Error) -> Result<Option<Answer>, Trouble> {
    match error.kind() {
        ErrorKind::Internal | ErrorKind::Closed | ErrorKind::Unavailable => {
            Err(format!("answered {error:?}"))
        }
        kind => Ok(Some(Answer::Refused(kind))),
    }
}

fn told<T>(
    answer: handover::Result<T>,
    say: impl FnOnce(T) -> Answer,
) -> Result<Option<Answer>, Trouble> {
    match answer {
        Ok(value) => Ok(Some(say(value))),
        Err(error) => refused(&error),
    }
}

fn plain(answer: handover::Result<()>) -> Result<Option<Answer>, Trouble> {
    told(answer, |()| Answer::Done)
}

fn fates(answer: handover::Result<Sent>) -> Result<Option<Answer>, Trouble> {
    told(answer, |sent| Answer::Fates(sent.fates))
}

fn each(answer: handover::Result<Vec<handover::Result<()>>>) -> Result<Option<Answer>, Trouble> {
    told(answer, |each| Answer::Each(crate::check::kinds(&each)))
}
