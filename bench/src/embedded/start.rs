//! From the call of send to the first line of the handler, in one process and across two. The worker and the clock are
//! those of [`crate::idle`].

use std::path::Path;

use serde_json::json;

use super::{Found, Sizes};
use crate::Failure;
use crate::idle::worker::{self, Waker};
use crate::measure::percentile;
use crate::report::figure;

pub(super) fn run(folder: &Path, sizes: Sizes, found: &mut Found) -> Result<(), Failure> {
    let runtime = crate::runtime()?;
    let wakes = sizes.starts * u64::from(sizes.runs);
    let (here, across) = (folder.join("one.db"), folder.join("two.db"));
    let one =
        runtime.block_on(async { worker::wake(Waker::here(&here, 1).await?, wakes).await })?;
    let two =
        runtime.block_on(async { worker::wake(Waker::across(&across, 1).await?, wakes).await })?;
    for (key, what, times) in [
        ("start", "from send to the handler's start", one),
        ("start_two_processes", "the same in another process", two),
    ] {
        let (p50, p99) = (percentile(&times, 0.5), percentile(&times, 0.99));
        found.single(&format!("{what}, p50 and p99"), "µs", &format!("{p50:.0}, {p99:.0}"));
        found.put(key, json!({ "p50_us": figure(p50), "p99_us": figure(p99) }));
    }
    Ok(())
}
