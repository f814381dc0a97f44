//! Tests of the model and of its driver: that they see what is wrong, say it briefly, and let pass what is allowed.

use std::sync::Arc;
use std::time::Duration;

use handover::{
    Ask, BoxFuture, Broker, Caps, Delivery, ErrorKind, Fate, Inspect, JobState, MemoryBroker,
    Message, QueueName, QueueSettings, Receipt, Result, Room, Sent, Settle, Steer,
};

use super::contract::{Model, Rules};
use super::step::{Answer, Claim, Draft, End, Forged, Got, Lease, QUEUES, Step, When};
use super::worlds::Worlds;
use super::{Plan, rounds};
use crate::case::{Stop, Verdict};
use crate::harness::{Harness, Place};

fn worlds(capacity: u64, overdraft: u64) -> Worlds {
    let rules = Rules::new(MemoryBroker::new().caps());
    let mut worlds = Worlds::new(Model::new(rules, QUEUES.len()));
    let declare = Step::Declare { queue: 0, capacity, overdraft, exclusive: false };
    worlds.hear(&declare, &Answer::Done).unwrap();
    worlds
}

fn draft(label: u32) -> Draft {
    Draft { label, priority: 5, key: None, delay: When::Now }
}

fn keyed(label: u32) -> Draft {
    Draft { key: Some(0), ..draft(label) }
}

fn send(batch: &[Draft], parent: Option<Lease>) -> Step {
    Step::Send { client: 0, queue: 0, batch: batch.to_vec(), parent, briefly: false }
}

fn sent(worlds: &mut Worlds, batch: &[Draft]) {
    worlds.hear(&send(batch, None), &Answer::Fates(vec![Fate::Stored; batch.len()])).unwrap();
}

fn lease(of: u32, nth: usize) -> Lease {
    Lease { of, nth }
}

fn receive(max: usize) -> Step {
    Step::Receive { client: 0, queues: vec![0], max, lease: When::Far, patient: false }
}

fn got(labels: &[(u32, u32)]) -> Answer {
    let got = |(index, (label, attempt)): (usize, &(u32, u32))| Got {
        queue: 0,
        lease: lease(*label, *attempt as usize),
        attempt: *attempt,
        token: u64::from(*label) * 10 + index as u64,
        failed: None,
    };
    Answer::Deliveries(labels.iter().enumerate().map(got).collect())
}

fn settle(of: u32, end: End) -> Step {
    let claim = Claim { lease: lease(of, 1), forged: Forged::Nothing };
    Step::Settle { client: 0, batch: vec![(claim, end)] }
}

#[test]
fn a_wrong_answer_is_refused_with_the_right_one() {
    let mut worlds = worlds(2, 0);
    sent(&mut worlds, &[draft(1), draft(2)]);
    let full = Answer::Refused(ErrorKind::Full);
    let stored = Answer::Fates(vec![Fate::Stored]);
    let too_many = send(&[draft(3)], None);
    assert_eq!(worlds.clone().hear(&too_many, &stored), Err("refused: full".to_owned()));
    assert_eq!(worlds.hear(&too_many, &full), Ok(()));
    assert_eq!(worlds.clone().hear(&receive(1), &got(&[(2, 1)])), Err("m1 of first".to_owned()));
    assert_eq!(worlds.clone().hear(&receive(1), &got(&[])), Err("m1".to_owned()));
    assert_eq!(worlds.hear(&receive(2), &got(&[(1, 1), (2, 1)])), Ok(()));
}

#[test]
fn how_many_come_at_once_is_free_and_their_order_is_not() {
    let mut worlds = worlds(3, 0);
    sent(&mut worlds, &[draft(1), draft(2), draft(3)]);
    for some in [&[(1, 1)][..], &[(1, 1), (2, 1)], &[(1, 1), (2, 1), (3, 1)]] {
        assert_eq!(worlds.clone().hear(&receive(3), &got(some)), Ok(()), "{some:?}");
    }
    let swapped = worlds.clone().hear(&receive(3), &got(&[(1, 1), (3, 1)]));
    assert_eq!(swapped, Err("m2 of first".to_owned()));
    let many = worlds.hear(&receive(1), &got(&[(1, 1), (2, 1)]));
    assert_eq!(many, Err("1 at most".to_owned()));
}

#[test]
fn of_a_key_the_first_has_its_turn_unless_a_later_one_is_leased() {
    let mut worlds = worlds(3, 0);
    sent(&mut worlds, &[keyed(1), keyed(2)]);
    worlds.hear(&receive(2), &got(&[(1, 1)])).unwrap();
    assert_eq!(worlds.one().state(2), Some(JobState::Held));
    worlds.hear(&settle(1, End::Bury), &Answer::Each(vec![None])).unwrap();
    worlds.hear(&receive(1), &got(&[(2, 1)])).unwrap();
    worlds.hear(&Step::KickJob(1), &Answer::Truth(true)).unwrap();
    assert_eq!(worlds.one().state(1), Some(JobState::Held));
    worlds.hear(&settle(2, End::Retry(When::Now)), &Answer::Each(vec![None])).unwrap();
    assert_eq!(worlds.one().state(1), Some(JobState::Ready));
    assert_eq!(worlds.one().state(2), Some(JobState::Held));
}

#[test]
fn parked_children_are_admitted_before_the_line() {
    let mut worlds = worlds(1, 2);
    sent(&mut worlds, &[draft(1)]);
    worlds.hear(&receive(1), &got(&[(1, 1)])).unwrap();
    worlds.hear(&Step::SendLater { queue: 0, batch: vec![draft(2)] }, &Answer::Waits).unwrap();
    let child = send(&[draft(3)], Some(lease(1, 1)));
    worlds.hear(&child, &Answer::Fates(vec![Fate::Parked])).unwrap();
    worlds.hear(&settle(1, End::Done), &Answer::Each(vec![None])).unwrap();
    assert_eq!(worlds.one().state(3), Some(JobState::Ready));
    assert_eq!(worlds.take_told(), []);
    worlds.hear(&Step::Delete(3), &Answer::Truth(true)).unwrap();
    assert_eq!(worlds.take_told(), [(2, Ok(vec![Fate::Stored]))]);
}

#[test]
fn what_is_due_soon_may_come_or_not_until_the_time_has_passed() {
    let mut worlds = worlds(3, 0);
    sent(&mut worlds, &[Draft { delay: When::Soon, ..draft(1) }]);
    assert_eq!(worlds.clone().hear(&receive(1), &got(&[(1, 1)])), Ok(()));
    assert_eq!(worlds.hear(&receive(1), &got(&[])), Ok(()));
    assert_eq!(worlds.soon(), 1);
    worlds.let_pass();
    assert_eq!(worlds.soon(), 0);
    assert_eq!(worlds.hear(&receive(1), &got(&[])), Err("m1".to_owned()));
}

#[test]
fn a_lease_that_ends_soon_is_over_for_ever_once_an_answer_says_so() {
    let mut worlds = worlds(3, 0);
    sent(&mut worlds, &[draft(1)]);
    let brief =
        Step::Receive { client: 0, queues: vec![0], max: 1, lease: When::Soon, patient: false };
    worlds.hear(&brief, &got(&[(1, 1)])).unwrap();
    let lost = Answer::Each(vec![Some(ErrorKind::LeaseLost)]);
    let mut kept = worlds.clone();
    assert_eq!(kept.hear(&settle(1, End::Done), &Answer::Each(vec![None])), Ok(()));
    assert_eq!(worlds.hear(&settle(1, End::Done), &lost), Ok(()));
    assert_eq!(
        worlds.hear(&settle(1, End::Done), &Answer::Each(vec![None])),
        Err(lost.to_string())
    );
    assert_eq!(worlds.one().state(1), Some(JobState::Ready));
}

/// A broker with a bug: what is buried is gone.
#[derive(Debug)]
struct Burns(MemoryBroker);

impl Broker for Burns {
    fn caps(&self) -> &Caps {
        self.0.caps()
    }

    fn declare<'a>(
        &'a self,
        queue: &'a QueueName,
        settings: &'a QueueSettings,
    ) -> BoxFuture<'a, Result<()>> {
        self.0.declare(queue, settings)
    }

    fn send<'a>(
        &'a self,
        queue: &'a QueueName,
        batch: &'a [Message],
        room: Room,
    ) -> BoxFuture<'a, Result<Sent>> {
        self.0.send(queue, batch, room)
    }

    fn receive<'a>(
        &'a self,
        queues: &'a [QueueName],
        ask: Ask,
    ) -> BoxFuture<'a, Result<Vec<Delivery>>> {
        self.0.receive(queues, ask)
    }

    fn settle<'a>(
        &'a self,
        batch: &'a [(Receipt, Settle)],
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        let burnt = |how: &Settle| match how {
            Settle::Bury { .. } => Settle::Done,
            other => other.clone(),
        };
        let batch: Vec<_> =
            batch.iter().map(|(receipt, how)| (receipt.clone(), burnt(how))).collect();
        Box::pin(async move { self.0.settle(&batch).await })
    }

    fn extend<'a>(
        &'a self,
        receipts: &'a [Receipt],
        lease: Duration,
    ) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.0.extend(receipts, lease)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.0.close()
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        self.0.inspect()
    }

    fn steer(&self) -> Option<&dyn Steer> {
        self.0.steer()
    }
}

struct Burning;

impl Harness for Burning {
    fn name(&self) -> &str {
        "burning"
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Place<dyn Broker>>> {
        Box::pin(async { Ok(Place::<dyn Broker>::alone(Arc::new(Burns(MemoryBroker::new())))) })
    }
}

async fn failure(seed: u64) -> String {
    let plan = Plan { seed, rounds: 20, steps: 80, time_max: Duration::from_secs(20) };
    match rounds(&Burning, plan).await {
        Err(Stop::Failed(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_round_that_goes_wrong_is_told_with_its_seed_and_the_few_steps_that_matter() {
    let text = failure(1).await;
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].contains("HANDOVER_SEED="), "{text}");
    assert!(text.contains(": bury"), "{text}");
    assert!(lines.last().is_some_and(|line| line.contains("but the contract: ")), "{text}");
    // Two declarations, a send, a receive, the burial, and the step that finds it gone.
    assert!(lines.len() <= 10, "{text}");
}

#[tokio::test]
async fn the_seed_repeats_the_round() {
    let text = failure(1).await;
    let (_, after) = text.split_once("with seed ").unwrap();
    let seed = after.split(',').next().unwrap().parse().unwrap();
    assert_eq!(failure(seed).await.lines().next(), text.lines().next());
}

#[test]
fn a_storm_that_goes_wrong_is_told_with_its_seed() {
    let verdicts = crate::verdicts(Burning, |name| name.contains("what_many_clients_do_at_once"));
    let [(_, Verdict::Failed(text))] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert!(text.contains("with HANDOVER_SEED="), "{text}");
}
