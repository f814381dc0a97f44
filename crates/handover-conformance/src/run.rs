//! Running cases: each on a tokio runtime of its own, against a place of its own, with an end that a hang cannot take away.

use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::{Builder, Runtime};

use crate::calls::Calls;
use crate::case::{Case, Stop, Verdict};
use crate::harness::Harness;
use crate::support::Bench;
use crate::{cases, child};

/// Runs the whole suite against this broker, as the main function of a test with `harness = false`.
///
/// It takes the arguments of `cargo test`: a part of a name, `--exact`, `--list`, `--test-threads`. What `Caps` does not
/// promise and what the place does not allow is shown as ignored, with the reason.
///
/// The suite starts this same program again as a process it can kill, so nothing may come before this call that a second
/// process must not do.
#[must_use]
pub fn main(harness: impl Harness + 'static) -> ExitCode {
    if let Some(address) = child::address() {
        return child::main(&harness, &address);
    }
    let harness: Arc<dyn Harness> = Arc::new(harness);
    let kind = harness.name().to_owned();
    let arguments = Arguments::from_args();
    let trials = cases::all().map(|case| {
        let harness = Arc::clone(&harness);
        let runner = move || match judge(&harness, case, true) {
            Verdict::Passed => Ok(Completion::Completed),
            Verdict::Ignored(reason) => Ok(Completion::ignored_with(reason)),
            Verdict::Failed(text) => Err(Failed::from(text)),
        };
        Trial::ignorable_test(case.name(), runner).with_kind(kind.clone())
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Runs the cases whose names `pick` wants, one after the other, and answers each one's verdict.
///
/// For a program that asks the suite about several brokers, such as one that proves that the suite finds deliberate bugs.
/// Cases that need a process to kill are ignored: only [`main`] can be started again as one.
#[must_use]
pub fn verdicts(
    harness: impl Harness + 'static,
    pick: impl Fn(&str) -> bool,
) -> Vec<(String, Verdict)> {
    let harness: Arc<dyn Harness> = Arc::new(harness);
    cases::all()
        .filter(|case| pick(&case.name()))
        .map(|case| (case.name(), judge(&harness, case, false)))
        .collect()
}

/// The names of all cases, in order: the clause (`c01_send`), two colons, the promise.
#[must_use]
pub fn names() -> Vec<String> {
    cases::all().map(|case| case.name()).collect()
}

/// The verdict on one case.
fn judge(harness: &Arc<dyn Harness>, case: &'static Case, processes: bool) -> Verdict {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return Verdict::Failed(format!("cannot start a tokio runtime: {error}")),
    };
    let calls = Calls::new();
    let (told, verdict) = mpsc::sync_channel(1);
    let work = attempt(Arc::clone(harness), case, Arc::clone(&calls), processes);
    runtime.spawn(async move {
        let ended = match tokio::spawn(work).await {
            Ok(ended) => ended,
            Err(crash) => Err(Stop::Failed(format!("the case crashed: {crash}"))),
        };
        // Nobody listens any more where the limit has passed.
        let _ = told.send(ended);
    });
    // Waiting here, outside the runtime, works even where a broker blocks all of the runtime's threads.
    let ended = verdict
        .recv_timeout(case.limit)
        .unwrap_or_else(|_| Err(Stop::Failed(format!("it hangs: no end after {:?}", case.limit))));
    runtime.shutdown_background();
    match ended {
        Ok(()) => Verdict::Passed,
        Err(Stop::Ignored(reason)) => Verdict::Ignored(reason),
        Err(Stop::Failed(text)) => Verdict::Failed(format!(
            "{text}\nthe calls of this case, the last ones:\n{}",
            calls.story()
        )),
    }
}

/// Opens the bench, works at it, and closes it.
async fn attempt(
    harness: Arc<dyn Harness>,
    case: &'static Case,
    calls: Arc<Calls>,
    processes: bool,
) -> Result<(), Stop> {
    let bench = Bench::open(harness, case, calls, processes).await?;
    let ended = (case.body)(&bench).await;
    // After a failure the close is a courtesy to the machine, and not judged.
    let closed = tokio::time::timeout(Duration::from_secs(10), bench.close()).await;
    ended?;
    closed.map_err(|_| Stop::failed("close has no end after the case"))?
}

pub(crate) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}
