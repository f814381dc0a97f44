//! Opens a file after a run and compares it with what may be in it.

use std::path::Path;

use handover::{
    Ask, Broker, Fate, Inspect, JobFilter, JobState, Message, QueueSettings, ResultStore, Room,
};
use handover_sqlite::{Severity, SqliteFile, SqliteOptions};

use crate::model::{At, Death, Job, State, Story};
use crate::script::{FILE, LEASE, body, id, messages, names, queue, queue_of};

/// Opens the file in this folder, compares it with the story, and works with it. `Err` says what is wrong.
pub(crate) fn check(folder: &Path, story: &Story, death: Death) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let opened = SqliteOptions::default().open(folder.join(FILE));
        let file = opened.map_err(|error| format!("it cannot be opened: {error:?}"))?;
        let checked = compare(&file, story, death).await;
        file.close().await.unwrap();
        checked
    })
}

async fn compare(file: &SqliteFile, story: &Story, death: Death) -> Result<(), String> {
    let examined = file.doctor().map_err(|error| format!("no doctor: {error:?}"))?;
    let is_bad = |finding: &&handover_sqlite::Finding| match finding.severity {
        Severity::Info => false,
        // Whoever held a lease is gone: that is what the test is about.
        Severity::Warning => finding.check != "leases",
        _ => true,
    };
    if let Some(finding) = examined.findings.iter().find(is_bad) {
        return Err(format!("the doctor: {finding:?}"));
    }
    let state = look(file).await.map_err(|error| format!("{error:?}"))?;
    let possible = story.possible(death);
    // Which ids are known is seen by sending them again, below; here it is what the state implies.
    let found =
        possible.iter().find(|one| one.queues == state.queues && one.outcomes == state.outcomes);
    let Some(found) = found else {
        let list: Vec<String> = possible.iter().map(|state| format!("  {state:?}")).collect();
        return Err(format!("it shows\n  {state:?}\nand may show\n{}", list.join("\n")));
    };
    work(file, story, found).await.map_err(|error| format!("it does not work: {error:?}"))?
}

async fn look(file: &SqliteFile) -> handover::Result<State> {
    let broker = file.broker();
    let mut state = State::default();
    for name in ["firm", "loose"] {
        if Inspect::queue(&broker, &queue(name)).await?.is_none() {
            continue;
        }
        let page = broker.jobs(&queue(name), JobFilter::default().limit(1000)).await?;
        let jobs: Vec<Job> = page
            .jobs
            .into_iter()
            .map(|job| {
                let name = names().find(|name| id(name) == job.message.id).unwrap();
                assert_eq!(job.message.body, body(name), "the body of {name}");
                let at = match job.state {
                    JobState::Ready => At::Ready,
                    JobState::Leased => At::Leased,
                    JobState::Buried => At::Buried,
                    other => panic!("{name} is {other}"),
                };
                (name, at, job.attempt)
            })
            .collect();
        state.queues.insert(name, jobs);
    }
    let results = file.results();
    for name in names() {
        if results.get(id(name)).await?.is_some() {
            state.outcomes.insert(name);
        }
    }
    Ok(state)
}

/// What is there is handed out with tokens that nobody was given before, what was done is not done again, and new work is
/// taken.
async fn work(
    file: &SqliteFile,
    story: &Story,
    state: &State,
) -> handover::Result<Result<(), String>> {
    let broker = file.broker();
    for (name, jobs) in &state.queues {
        let of_queue = |job: &&str| queue_of(job) == *name;
        let again: Vec<&str> = state.known.iter().copied().filter(of_queue).collect();
        if !again.is_empty() {
            let sent = broker.send(&queue(name), &messages(&again), Room::now()).await?;
            if sent.fates.iter().any(|fate| *fate != Fate::Duplicate) {
                return Ok(Err(format!("of {again:?} in {name} some were forgotten: {sent:?}")));
            }
        }
        let ready: Vec<&str> =
            jobs.iter().filter(|job| job.1 == At::Ready).map(|job| job.0).collect();
        let ask = Ask::new(100).lease(LEASE);
        let got = broker.receive(&[queue(name)], ask).await?;
        let handed: Vec<_> = got.iter().map(|one| one.message.id).collect();
        if handed != ready.iter().map(|name| id(name)).collect::<Vec<_>>() {
            return Ok(Err(format!("{name} hands out {handed:?}, and not {ready:?}")));
        }
        let mut last = story.tokens.get(name).copied().unwrap_or(0);
        for one in got {
            if one.receipt.token <= last {
                return Ok(Err(format!("token {} after {last} in {name}", one.receipt.token)));
            }
            last = one.receipt.token;
        }
    }
    broker.declare(&queue("new"), &QueueSettings::with_capacity(1)).await?;
    broker.send(&queue("new"), &[Message::new("new")], Room::now()).await?;
    Ok(Ok(()))
}
