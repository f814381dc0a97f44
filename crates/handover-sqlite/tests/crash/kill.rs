//! kill -9 of any process at any point: four workers and two producers on one file, and each that dies has a successor.

use std::path::Path;
use std::time::Duration;

use handover::QueueSettings;
use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::actor::Actor;
use crate::mortal::Fate;
use crate::seed::{is_long, random};
use crate::support::Stage;

const CREW: [&str; 6] = ["worker", "producer", "worker", "worker", "producer", "worker"];
const ROUNDS: u32 = 200;
const ROUNDS_LONG: u32 = 2000;
/// Nobody gets older than so many calls.
const CALLS_MAX: u64 = 60;

/// How a process is to die: by its own hand at a call, or by ours when it has told of so many.
struct Death {
    own: Fate,
    ours: Option<u64>,
}

impl Death {
    fn draw(dice: &mut fastrand::Rng) -> Self {
        let call = dice.u64(1..CALLS_MAX);
        let own = match dice.u8(0..4) {
            0 => Fate::Before(call),
            1 => Fate::During(call, dice.u64(0..3000)),
            2 => Fate::After(call),
            _ => return Self { own: Fate::Open, ours: Some(call) },
        };
        Self { own, ours: None }
    }
}

/// The life of one process, to its end.
async fn live(part: &'static str, mut actor: Actor, death: Death) -> &'static str {
    let mut told = 0;
    while actor.hears("did").await.is_some() {
        told += 1;
        if death.ours == Some(told) {
            actor.signal(Signal::KILL);
        }
    }
    actor.was_killed().await;
    part
}

fn start(part: &str, stage: &Path, history: &Path, dice: &mut fastrand::Rng) -> (Actor, Death) {
    let death = Death::draw(dice);
    let fate = death.own.to_string();
    (Actor::start(part, stage, history, dice.u64(..), &fate), death)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout, reason = "the figures of the run")]
async fn nothing_is_lost_or_done_twice_when_processes_are_killed_at_any_point() {
    let mut dice = random("kills");
    let mut settings = QueueSettings::with_capacity(20);
    settings.overdraft = 10;
    let stage = Stage::new(&settings).await;
    let began = handover::clock::now();
    let mut crew = JoinSet::new();
    let join = |crew: &mut JoinSet<_>, part, dice: &mut fastrand::Rng| {
        let (actor, death) = start(part, &stage.path(), &stage.next_history(), dice);
        crew.spawn(live(part, actor, death));
    };
    for part in CREW {
        join(&mut crew, part, &mut dice);
    }
    let rounds = if is_long() { ROUNDS_LONG } else { ROUNDS };
    for _ in 0..rounds {
        let dead = tokio::time::timeout(Duration::from_secs(60), crew.join_next()).await;
        let part = dead.expect("somebody dies within a minute").unwrap().unwrap();
        join(&mut crew, part, &mut dice);
    }
    crew.shutdown().await; // which kills those who are left
    stage.drain().await;
    let killed = handover::clock::now() - began;
    let report = stage.judge().await;
    println!("{rounds} kills in {killed:.1?}\n{report}");
    let counts = report.counts;
    assert!(counts.done > u64::from(rounds) && counts.redeliveries > u64::from(rounds / 4));
    assert!(counts.unknown > 0 && counts.settle_unknown > 0, "{report}");
}
