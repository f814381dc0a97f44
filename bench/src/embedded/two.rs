//! The full cycle over two processes that share the file, one sending and one settling, and the longest time in which either
//! of them got nothing done. Bare SQLite's two processes are in [`super::raw`].

use std::ffi::OsString;
use std::path::Path;

use handover::clock;
use serde_json::json;
use tokio::task::JoinSet;

use super::cycle::{self, Load};
use super::{Found, Pair, Sizes, declare, open, raw};
use crate::Failure;
use crate::child::{self, Child};
use crate::measure::{median, rate};
use crate::report::figure;

pub(super) fn run(folder: &Path, sizes: Sizes, found: &mut Found) -> Result<(), Failure> {
    let mut pair = Pair::default();
    let mut stalls = Vec::new();
    for run in 0..sizes.runs {
        let file = folder.join(format!("raw{run}.db"));
        drop(raw::open(&file)?);
        pair.raw.push(both("raw-send", "raw-settle", &file, sizes.cycles)?.per_s);
        let file = folder.join(format!("handover{run}.db"));
        create(&file)?;
        let ours = both("send", "settle", &file, sizes.cycles)?;
        pair.ours.push(ours.per_s);
        stalls.push(ours.stall_ms);
    }
    let worst = stalls.iter().copied().fold(0.0, f64::max);
    found.pairs.row(pair.row("the same in two processes", "cycles/s"));
    found.single(
        "longest stall of either process, median of the runs (and the worst)",
        "ms",
        &format!("{:.1} ({worst:.1})", median(&stalls)),
    );
    let mut json = pair.cycles_json();
    json["longest_stall_ms"] = figure(median(&stalls));
    json["worst_stall_ms"] = figure(worst);
    found.put("cycle_two_processes", json);
    Ok(())
}

/// The file with its queue, so that the processes find it.
fn create(file: &Path) -> Result<(), Failure> {
    let (file, queue) = open(file)?;
    crate::runtime()?.block_on(async {
        declare(&file, &queue).await?;
        Ok(file.close().await?)
    })
}

struct Both {
    per_s: f64,
    stall_ms: f64,
}

/// From the word to both until both have said that they are done.
fn both(sends: &str, settles: &str, file: &Path, count: u64) -> Result<Both, Failure> {
    let role =
        |name: &str| [OsString::from(name), file.as_os_str().to_owned(), count.to_string().into()];
    let (mut settles, mut sends) = (Child::start(role(settles))?, Child::start(role(sends))?);
    let started = clock::now();
    settles.say("go")?;
    sends.say("go")?;
    let said = [sends.json()?, settles.json()?];
    let per_s = rate(count, started.elapsed());
    sends.finish()?;
    settles.finish()?;
    let stalls = said.iter().filter_map(|said| said["stall_ms"].as_f64());
    Ok(Both { per_s, stall_ms: stalls.fold(0.0, f64::max) })
}

/// The sending process.
pub(crate) fn send(path: &Path, count: u64) -> Result<(), Failure> {
    let (file, queue) = open(path)?;
    crate::runtime()?.block_on(async {
        child::ready()?;
        let load = Load::new(file.broker(), queue, count);
        let mut tasks = JoinSet::new();
        load.send_all(&mut tasks);
        cycle::join(tasks).await?;
        child::tell(&json!({ "stall_ms": load.pulse.longest_ms() }).to_string())?;
        Ok(file.close().await?)
    })
}

/// The settling process.
pub(crate) fn settle(path: &Path, count: u64) -> Result<(), Failure> {
    let (file, queue) = open(path)?;
    crate::runtime()?.block_on(async {
        child::ready()?;
        let load = Load::new(file.broker(), queue, count);
        let mut tasks = JoinSet::new();
        load.settle_all(&mut tasks);
        cycle::join(tasks).await?;
        child::tell(&json!({ "stall_ms": load.pulse.longest_ms() }).to_string())?;
        Ok(file.close().await?)
    })
}
