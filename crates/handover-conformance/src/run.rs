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
    // Before the runtime goes: its end drops the calls that hang, and the story would say so instead of what they wait for.
    let verdict = match ended {
        Ok(()) => Verdict::Passed,
        Err(Stop::Ignored(reason)) => Verdict::Ignored(reason),
        Err(Stop::Failed(text)) => Verdict::Failed(format!(
            "{text}\nthe calls of this case, the last ones:\n{}",
            calls.story()
        )),
    };
    runtime.shutdown_background();
    verdict
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

#[cfg(test)]
mod tests {
    use handover::{BoxFuture, Broker, Error, ErrorKind, MemoryBroker, Result};

    use super::*;
    use crate::case::{Need, Outcome, case};
    use crate::check::{holds, same};
    use crate::harness::Place;

    struct Memory {
        reachable: bool,
    }

    impl Harness for Memory {
        fn name(&self) -> &str {
            "memory"
        }

        fn fresh(&self) -> BoxFuture<'_, Result<Place<dyn Broker>>> {
            Box::pin(async {
                if self.reachable {
                    Ok(Place::<dyn Broker>::alone(Arc::new(MemoryBroker::new())))
                } else {
                    Err(Error::new(ErrorKind::Unavailable, "no server on this machine"))
                }
            })
        }
    }

    async fn kept(b: &Bench) -> Outcome {
        let queue = b.queue("mail", 1).await?;
        b.send(&queue, &["a"]).await.map(drop)
    }

    async fn broken(b: &Bench) -> Outcome {
        let queue = b.queue("mail", 1).await?;
        b.send(&queue, &["only"]).await?;
        same("what is there", b.drain(&queue).await?, ["another"])
    }

    async fn hanging(b: &Bench) -> Outcome {
        let queue = b.queue("mail", 1).await?;
        let ask = b.ask(1).wait(crate::support::FAR);
        b.broker.receive(&[queue], ask).await?;
        Ok(())
    }

    async fn crashing(b: &Bench) -> Outcome {
        let some: Option<&Bench> = Some(b).filter(|_| false);
        holds("there is one", std::ptr::eq(some.expect("a bench was filtered out"), b))
    }

    static KEPT: Case = case!(kept, Need::Bound, Need::Inspect);
    static BROKEN: Case = case!(broken);
    static HANGING: Case = Case { limit: Duration::from_millis(200), ..case!(hanging) };
    static CRASHING: Case = case!(crashing);
    static CONNECTED: Case = case!(kept, Need::Connection);
    static OUTAGE: Case = case!(kept, Need::Outage);
    static PROCESS: Case = case!(kept, Need::Process);

    fn verdict(case: &'static Case, reachable: bool) -> Verdict {
        let harness: Arc<dyn Harness> = Arc::new(Memory { reachable });
        judge(&harness, case, true)
    }

    fn failure(case: &'static Case, reachable: bool) -> String {
        match verdict(case, reachable) {
            Verdict::Failed(text) => text,
            other => panic!("{} is {other:?}, not failed", case.name()),
        }
    }

    #[test]
    fn a_promise_that_is_kept_passes() {
        assert_eq!(verdict(&KEPT, true), Verdict::Passed);
    }

    #[test]
    fn a_broken_promise_fails_with_its_line_and_the_calls_before_it() {
        let text = failure(&BROKEN, true);
        let expected = r#"what is there: ["only"], expected ["another"], at "#;
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("src/run.rs:") && text.contains("send [only] to mail"), "{text}");
    }

    #[test]
    fn a_hang_fails_and_names_the_call_without_an_answer() {
        let text = failure(&HANGING, true);
        assert!(text.starts_with("it hangs: no end after 200ms"), "{text}");
        let step = text.lines().find(|line| line.contains("no answer for")).unwrap_or_default();
        assert!(step.contains("receive 1 of [mail]"), "{text}");
    }

    #[test]
    fn a_crash_is_a_failure_and_not_the_end_of_the_run() {
        assert!(failure(&CRASHING, true).contains("a bench was filtered out"));
    }

    #[test]
    fn a_place_that_cannot_be_opened_fails_and_is_not_skipped() {
        assert!(failure(&KEPT, false).contains("no server on this machine"));
    }

    #[test]
    fn what_is_not_promised_or_not_possible_is_ignored_with_the_reason() {
        for (case, reason) in [
            (&CONNECTED, "not promised: Caps says lease is Timed"),
            (&OUTAGE, "not possible here: the harness cannot take the place away"),
            (&PROCESS, "not possible here: no other process can open the place"),
        ] {
            match verdict(case, true) {
                Verdict::Ignored(text) => assert!(text.starts_with(reason), "{text}"),
                other => panic!("{reason}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_clause_is_named_by_a_case_and_no_name_stands_for_two() {
        let names = names();
        for clause in 1..=16 {
            let prefix = format!("c{clause:02}_");
            assert!(names.iter().any(|name| name.starts_with(&prefix)), "no case of C{clause}");
        }
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }

    #[test]
    fn verdicts_are_of_the_cases_that_were_picked() {
        let picked =
            verdicts(Memory { reachable: true }, |name| name.starts_with("c01_dedup::the_same"));
        assert_eq!(picked.len(), 2, "{picked:?}");
        assert!(picked.iter().all(|(_, verdict)| *verdict == Verdict::Passed), "{picked:?}");
    }
}
