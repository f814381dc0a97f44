//! Whether an answer is one that the contract allows, and what the model becomes by it. Where the contract leaves a choice
//! (how many of those that are there a receive takes, which one where there is no order), the answer makes it.

use handover::{ErrorKind, JobState};

use super::contract::{Model, Stand};
use super::step::{Answer, Claim, Draft, End, Got, Label, Lease, Q, QUEUES, Step, When};

type Judgement = Result<(), String>;

/// The one answer that is right.
fn only(answer: &Answer, right: &Answer) -> Judgement {
    if answer == right { Ok(()) } else { Err(right.to_string()) }
}

impl Model {
    pub(crate) fn judge(&mut self, step: &Step, answer: &Answer) -> Judgement {
        match step {
            Step::Declare { queue, capacity, overdraft, exclusive } => {
                let place = &mut self.queues[*queue];
                (place.capacity, place.overdraft) = (*capacity, *overdraft);
                place.exclusive = *exclusive;
                self.admit(*queue);
                only(answer, &Answer::Done)
            }
            Step::Send { queue, batch, parent, .. } => self.sent(*queue, batch, *parent, answer),
            Step::SendLater { queue, batch } => self.sent_later(*queue, batch, answer),
            Step::DropSend(name) => self.dropped(*name, answer),
            Step::Receive { queues, max, lease, patient, .. } => {
                self.received(queues, *max, *lease, *patient, answer)
            }
            Step::ReceiveLater { queues, max } => {
                self.receiver = Some((queues.clone(), *max));
                only(answer, &Answer::Waits)
            }
            Step::Settle { batch, .. } => self.settled(batch, answer),
            Step::Extend { batch, lease, .. } => self.extended(batch, *lease, answer),
            Step::LetPass => only(answer, &Answer::Done),
            _ => self.judge_operator(step, answer),
        }
    }

    fn judge_operator(&mut self, step: &Step, answer: &Answer) -> Judgement {
        match step {
            Step::Kick { queue, max, .. } => self.kicked(*queue, *max, answer),
            Step::KickJob(label) => self.kicked_job(*label, answer),
            Step::Cancel(label) => self.cancelled(*label, answer),
            Step::Delete(label) => self.deleted(*label, answer),
            Step::Purge(queue, state) => self.purged(*queue, *state, answer),
            Step::Pause(queue, paused) => {
                self.queues[*queue].paused = *paused;
                only(answer, &Answer::Done)
            }
            Step::Look(queue) => only(answer, &Answer::Seen(Box::new(self.seen(*queue)))),
            Step::LookAt(label) => self.looked_at(*label, answer),
            _ => Err("the model does not know this step".to_owned()),
        }
    }

    fn sent(
        &mut self,
        queue: Q,
        batch: &[Draft],
        parent: Option<Lease>,
        answer: &Answer,
    ) -> Judgement {
        match self.admission(queue, batch, parent, false) {
            Ok(fates) => {
                self.store(queue, batch, &fates);
                only(answer, &Answer::Fates(fates))
            }
            Err(kind) => only(answer, &Answer::Refused(kind)),
        }
    }

    fn sent_later(&mut self, queue: Q, batch: &[Draft], answer: &Answer) -> Judgement {
        match self.admission(queue, batch, None, false) {
            Err(ErrorKind::Full) => {
                let name = batch.first().map_or(0, |draft| draft.label);
                let waiting = super::contract::Waiting { name, batch: batch.to_vec() };
                self.queues[queue].line.push_back(waiting);
                only(answer, &Answer::Waits)
            }
            _ => self.sent(queue, batch, None, answer),
        }
    }

    fn dropped(&mut self, name: Label, answer: &Answer) -> Judgement {
        for queue in 0..self.queues.len() {
            self.queues[queue].line.retain(|waiting| waiting.name != name);
            self.admit(queue);
        }
        only(answer, &Answer::Done)
    }

    fn received(
        &mut self,
        queues: &[Q],
        max: usize,
        ends: When,
        patient: bool,
        answer: &Answer,
    ) -> Judgement {
        let Answer::Deliveries(got) = answer else { return Err("deliveries".to_owned()) };
        if got.len() > max {
            return Err(format!("{max} at most"));
        }
        for got in got {
            self.delivered(queues, got, ends)?;
        }
        // How many come at once is the broker's choice, but for none where there is one.
        match queues.iter().flat_map(|queue| self.next(*queue)).next() {
            Some(label) if got.is_empty() => Err(format!("m{label}")),
            _ if got.is_empty() && patient => Err("something that is due soon".to_owned()),
            _ => Ok(()),
        }
    }

    /// One delivery is right if it comes from the first queue that has any, and is one that can be taken next.
    fn delivered(&mut self, queues: &[Q], got: &Got, ends: When) -> Judgement {
        let Some((queue, next)) = queues
            .iter()
            .map(|queue| (*queue, self.next(*queue)))
            .find(|(_, next)| !next.is_empty())
        else {
            return Err(format!("nothing more: m{} cannot be taken", got.lease.of));
        };
        let names: Vec<_> = next.iter().map(|label| format!("m{label}")).collect();
        if got.queue != queue || !next.contains(&got.lease.of) {
            return Err(format!("{} of {}", names.join(" or "), QUEUES[queue]));
        }
        let (fenced, newest) = (self.rules.fenced, self.token_max(queue));
        if fenced && got.token <= newest {
            return Err(format!("a token above {newest}"));
        }
        self.take(got.lease, got.token, ends);
        let Some(job) = self.jobs.get(&got.lease.of) else { return Ok(()) };
        if let Some(attempt) = job.attempt.filter(|attempt| *attempt != got.attempt) {
            return Err(format!("m{} with attempt {attempt}", got.lease.of));
        }
        // A broker need not know why an attempt failed; what it says must be true.
        match (&job.failed, &got.failed) {
            (Some(right), Some(said)) if right != said => Err(format!("the failure {right:?}")),
            _ => Ok(()),
        }
    }

    pub(crate) fn judge_receiver(&mut self, answer: &Answer) -> Judgement {
        let Some((queues, max)) = self.receiver.take() else {
            return Err("no receive waits".to_owned());
        };
        self.received(&queues, max, When::Far, true, answer)
    }

    fn settled(&mut self, batch: &[(Claim, End)], answer: &Answer) -> Judgement {
        let mut right = Vec::new();
        for (claim, end) in batch {
            let owns = self.owns(*claim);
            right.push((!owns).then_some(ErrorKind::LeaseLost));
            if owns {
                self.settle(claim.lease, *end);
            }
        }
        only(answer, &Answer::Each(right))
    }

    fn extended(&mut self, batch: &[Claim], lease: When, answer: &Answer) -> Judgement {
        let mut right = Vec::new();
        for claim in batch {
            let owns = self.owns(*claim);
            right.push((!owns).then_some(ErrorKind::LeaseLost));
            if owns && let Some(job) = self.jobs.get_mut(&claim.lease.of) {
                job.stand = Stand::Leased { nth: claim.lease.nth, ends: lease };
            }
        }
        only(answer, &Answer::Each(right))
    }

    // -- the operator's hands

    fn kicked(&mut self, queue: Q, max: u64, answer: &Answer) -> Judgement {
        let buried = self.buried(queue);
        if buried.is_empty() {
            return only(answer, &Answer::Count(0));
        }
        let fit = max.min(self.room(queue)).min(buried.len() as u64);
        if fit == 0 {
            return only(answer, &Answer::Refused(ErrorKind::Full));
        }
        for label in buried.into_iter().take(usize::try_from(fit).unwrap_or(usize::MAX)) {
            self.bring_back(label);
        }
        only(answer, &Answer::Count(fit))
    }

    fn kicked_job(&mut self, label: Label, answer: &Answer) -> Judgement {
        match self.state(label) {
            Some(JobState::Buried) => {
                let queue = self.jobs.get(&label).map_or(0, |job| job.queue);
                if self.room(queue) == 0 {
                    return only(answer, &Answer::Refused(ErrorKind::Full));
                }
                self.bring_back(label);
                only(answer, &Answer::Truth(true))
            }
            Some(JobState::Delayed) => {
                self.learn(label);
                only(answer, &Answer::Truth(true))
            }
            _ => only(answer, &Answer::Truth(false)),
        }
    }

    fn cancelled(&mut self, label: Label, answer: &Answer) -> Judgement {
        if self.state(label).is_none() {
            return only(answer, &Answer::Truth(false));
        }
        if let Some(job) = self.jobs.get_mut(&label) {
            (job.stand, job.due) = (Stand::Buried, When::Now);
            let queue = job.queue;
            self.admit(queue);
        }
        only(answer, &Answer::Truth(true))
    }

    fn deleted(&mut self, label: Label, answer: &Answer) -> Judgement {
        match self.state(label) {
            None => return only(answer, &Answer::Truth(false)),
            Some(JobState::Leased) => return only(answer, &Answer::Refused(ErrorKind::Invalid)),
            Some(_) => {}
        }
        if let Some(job) = self.jobs.remove(&label) {
            self.admit(job.queue);
        }
        only(answer, &Answer::Truth(true))
    }

    fn purged(&mut self, queue: Q, state: JobState, answer: &Answer) -> Judgement {
        if state == JobState::Leased {
            return only(answer, &Answer::Refused(ErrorKind::Invalid));
        }
        let doomed: Vec<Label> = self
            .jobs
            .iter()
            .filter(|(label, job)| job.queue == queue && self.state(**label) == Some(state))
            .map(|(label, _)| *label)
            .collect();
        for label in &doomed {
            self.jobs.remove(label);
        }
        self.admit(queue);
        only(answer, &Answer::Count(doomed.len() as u64))
    }

    fn looked_at(&self, label: Label, answer: &Answer) -> Judgement {
        let right = self.state(label).and_then(|state| {
            let job = self.jobs.get(&label)?;
            Some((state, job.attempt, job.token))
        });
        match (right, answer) {
            (None, Answer::Job(None)) => Ok(()),
            (Some((state, attempt, token)), Answer::Job(Some(said)))
                if state == said.0
                    && attempt.is_none_or(|attempt| attempt == said.1)
                    && (!self.rules.fenced || token == said.2) =>
            {
                Ok(())
            }
            (Some((state, attempt, token)), _) => {
                only(answer, &Answer::Job(Some((state, attempt.unwrap_or(0), token))))
            }
            (None, _) => only(answer, &Answer::Job(None)),
        }
    }
}
