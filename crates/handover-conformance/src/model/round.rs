//! One round: steps chosen, done and judged one after the other, and what is said when one was answered wrongly.

use std::fmt::Write as _;
use std::time::Duration;

use handover::clock;

use super::contract::Model;
use super::drive::Driver;
use super::pick::Picker;
use super::sense::makes_sense;
use super::shorten::shorten;
use super::step::{Answer, QUEUES, Step};
use super::worlds::Worlds;
use crate::case::{Outcome, Stop};
use crate::harness::Harness;

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// The seed of the first round; each one after it has the next number.
    pub(crate) seed: u64,
    pub(crate) rounds: u64,
    pub(crate) steps: usize,
    /// No round begins after this.
    pub(crate) time_max: Duration,
}

/// A step and what it was told.
pub(crate) type Line = (Step, String);

/// A round that went wrong: its lines, of which the last one is the wrong one, and why it is wrong.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) lines: Vec<Line>,
    pub(crate) why: String,
}

/// Rounds until one goes wrong.
pub(crate) async fn rounds(harness: &dyn Harness, plan: Plan) -> Outcome {
    let begun = clock::now();
    for round in 0..plan.rounds {
        if round > 0 && begun.elapsed() > plan.time_max {
            break;
        }
        let seed = plan.seed.wrapping_add(round);
        if let Err(fault) = one(harness, seed, plan.steps).await {
            let told = fault.lines.len();
            let steps: Vec<_> = fault.lines.iter().map(|(step, _)| step.clone()).collect();
            let short = shorten(harness, steps).await;
            return Err(Stop::Failed(tell(seed, told, &fault, short.as_ref())));
        }
    }
    Ok(())
}

/// What a person reads.
fn tell(seed: u64, told: usize, fault: &Fault, short: Option<&Fault>) -> String {
    let mut text = format!(
        "with seed {seed}, step {told} was answered against the contract; \
         HANDOVER_SEED={seed} and the argument `model` repeat the round\n"
    );
    let shown = short.unwrap_or(fault);
    if short.is_some() {
        let _ = writeln!(text, "the shortest way there that was found:");
    }
    for (number, (step, answer)) in shown.lines.iter().enumerate() {
        let client = if step.client() == 1 { "second client: " } else { "" };
        let _ = writeln!(text, "{:>4}. {client}{step} -> {answer}", number + 1);
    }
    let _ = write!(text, "      but the contract: {}", shown.why);
    text
}

/// A round from its seed.
async fn one(harness: &dyn Harness, seed: u64, steps: usize) -> Result<(), Fault> {
    let mut round = Round::open(harness).await?;
    let mut picker = Picker::new(seed, round.driver.rules);
    let mut ended = Ok(());
    for step in picker.first() {
        ended = ended.and(round.step(&step, &mut picker).await);
    }
    for _ in 0..steps {
        if ended.is_err() {
            break;
        }
        let step = picker.next(&round.worlds);
        ended = round.step(&step, &mut picker).await;
    }
    round.end(ended).await
}

/// The same steps again on an empty place.
pub(crate) async fn again(harness: &dyn Harness, steps: &[Step]) -> Result<(), Fault> {
    let mut round = Round::open(harness).await?;
    let mut picker = Picker::new(0, round.driver.rules);
    let mut ended = Ok(());
    for step in steps {
        ended = round.step(step, &mut picker).await;
        if ended.is_err() {
            break;
        }
    }
    round.end(ended).await
}

struct Round {
    driver: Driver,
    worlds: Worlds,
    lines: Vec<Line>,
}

impl Round {
    async fn open(harness: &dyn Harness) -> Result<Self, Fault> {
        let driver = Driver::open(harness).await.map_err(|why| Fault { lines: Vec::new(), why })?;
        let worlds = Worlds::new(Model::new(driver.rules, QUEUES.len()));
        Ok(Self { driver, worlds, lines: Vec::new() })
    }

    async fn end(mut self, ended: Result<(), String>) -> Result<(), Fault> {
        let lines = std::mem::take(&mut self.lines);
        self.driver.close().await;
        ended.map_err(|why| Fault { lines, why })
    }

    /// A step that makes no sense here leaves no line.
    async fn step(&mut self, step: &Step, picker: &mut Picker) -> Result<(), String> {
        if !makes_sense(step, &self.worlds) {
            return Ok(());
        }
        let answer = match self.driver.perform(step).await {
            Ok(None) => return Ok(()),
            Ok(Some(answer)) => answer,
            Err(trouble) => {
                self.lines.push((step.clone(), trouble));
                return Err("an answer that can be judged".to_owned());
            }
        };
        self.lines.push((step.clone(), answer.to_string()));
        note(&answer, picker);
        self.worlds.hear(step, &answer)?;
        if *step == Step::LetPass {
            self.worlds.let_pass();
        }
        self.hear_those_who_waited(picker).await
    }

    /// Those who waited are answered where the step let them go, and only there.
    async fn hear_those_who_waited(&mut self, picker: &mut Picker) -> Result<(), String> {
        for (label, right) in self.worlds.take_told() {
            let right = match right {
                Ok(fates) => Answer::Fates(fates),
                Err(kind) => Answer::Refused(kind),
            };
            let said = self.driver.sender_told(label).await?;
            self.add(&format!("; then m{label} of the line: {said}"));
            if said != right {
                return Err(format!("m{label} of the line: {right}"));
            }
        }
        if self.worlds.receiver_is_due() {
            let said = self.driver.receiver_told().await?;
            self.add(&format!("; then the waiting receive: {said}"));
            note(&said, picker);
            self.worlds
                .hear_receiver(&said)
                .map_err(|why| format!("the waiting receive: {why}"))?;
        }
        match self.driver.answered_too_early() {
            Some(who) => Err(format!("nothing is there for it yet, but {who}")),
            None => Ok(()),
        }
    }

    fn add(&mut self, text: &str) {
        if let Some((_, answer)) = self.lines.last_mut() {
            answer.push_str(text);
        }
    }
}

fn note(answer: &Answer, picker: &mut Picker) {
    if let Answer::Deliveries(got) = answer {
        for got in got {
            picker.note(got.lease);
        }
    }
}
