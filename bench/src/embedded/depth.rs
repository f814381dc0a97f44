//! The rate of cycles while a thousand jobs wait, and while a million do, in turns; and the memory of the process then. Each run
//! is a process of its own, so that its memory is its own.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use handover::{Broker as _, Message, QueueName, Room, clock};
use handover_sqlite::SqliteBroker;
use serde_json::json;
use tokio::task::JoinSet;

use super::cycle::{self, Load};
use super::{BATCH, Found, Sizes, declare, open, payload};
use crate::Failure;
use crate::child::{self, Child};
use crate::measure::{median, peak_mb, rate};
use crate::report::{figure, whole};

pub(super) fn run(folder: &Path, sizes: Sizes, found: &mut Found) -> Result<(), Failure> {
    let (mut shallow, mut deep, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..sizes.runs {
        let one = |jobs: u64| {
            let file = folder.join(format!("{jobs}-{run}.db"));
            let said = at_depth(&file, jobs, sizes.cycles);
            _ = std::fs::remove_file(&file); // a million jobs are a large file; the folder goes anyway
            said
        };
        shallow.push(one(sizes.shallow)?.0);
        let (per_s, mb) = one(sizes.deep)?;
        deep.push(per_s);
        memory.push(mb);
    }
    let (shallow, deep) = (median(&shallow), median(&deep));
    let memory = memory.iter().copied().fold(0.0, f64::max);
    let deep_jobs = whole(rate(sizes.deep, Duration::from_secs(1)));
    found.single("with 1,000 jobs waiting", "cycles/s", &whole(shallow));
    found.single(&format!("with {deep_jobs} jobs waiting"), "cycles/s", &whole(deep));
    found.single("deep by shallow", "ratio", &format!("{:.2}", deep / shallow));
    found.single("most memory of the process then", "MB", &format!("{memory:.0}"));
    found.put(
        "depth",
        json!({
            "per_s_1k": figure(shallow),
            "per_s_1m": figure(deep),
            "ratio": figure(deep / shallow),
            "rss_mb": figure(memory),
        }),
    );
    Ok(())
}

/// Cycles a second with this many jobs waiting, and the most memory in MB.
fn at_depth(file: &Path, jobs: u64, cycles: u64) -> Result<(f64, f64), Failure> {
    let role: [OsString; 4] =
        ["depth".into(), file.into(), jobs.to_string().into(), cycles.to_string().into()];
    let mut child = Child::start(role)?;
    child.say("go")?;
    let said = child.json()?;
    child.finish()?;
    let number = |key: &str| said[key].as_f64().ok_or_else(|| format!("a child without {key}"));
    Ok((number("per_s")?, number("mb").unwrap_or(0.0)))
}

/// The process that is measured.
pub(crate) fn child(path: &Path, jobs: u64, count: u64) -> Result<(), Failure> {
    let (file, queue) = open(path)?;
    crate::runtime()?.block_on(async {
        declare(&file, &queue).await?;
        fill(&file.broker(), &queue, jobs).await?;
        child::ready()?;
        let load = Load::new(file.broker(), queue, count).steady();
        let mut tasks = JoinSet::new();
        let started = clock::now();
        load.settle_all(&mut tasks);
        load.send_all(&mut tasks);
        cycle::join(tasks).await?;
        let per_s = rate(count, started.elapsed());
        let mb = peak_mb(std::process::id());
        child::tell(&json!({ "per_s": per_s, "mb": mb }).to_string())?;
        Ok(file.close().await?)
    })
}

async fn fill(broker: &SqliteBroker, queue: &QueueName, jobs: u64) -> Result<(), Failure> {
    for batch in 0..jobs.div_ceil(BATCH) {
        let count = usize::try_from(BATCH.min(jobs - batch * BATCH))?;
        let messages: Vec<Message> = (0..count).map(|_| Message::new(payload())).collect();
        broker.send(queue, &messages, Room::now()).await?;
    }
    Ok(())
}
