//! The disk fails: each write and each sync in turn, once or from then on, or the process is killed there.

use crate::check::check;
use crate::crash::crashes;
use crate::model::Death;
use crate::seed::{is_long, random};
use crate::strace::{Act, count, folder, inject, record};
use crate::support::each;

/// SQLite calls the one, and this crate the other.
const SYNCS: [&str; 2] = ["fsync", "fdatasync"];

/// These faults (a `#` is the number of the call, a `~` that of the sixth after it) at every call, in the normal form at some of them. strace counts the calls
/// of each thread by itself, so a fault at the third one meets whoever gets that far.
fn injections(call: &str, faults: &[&str], share: usize, seed: &mut fastrand::Rng) -> Vec<String> {
    let calls = count(call);
    assert!(calls > 0, "a run makes no {call}");
    let offset = seed.usize(0..share);
    let numbers = (1..=calls).filter(|number| is_long() || number % share == offset);
    let at = |number: usize| {
        let fault = move |fault: &&str| {
            fault.replace('#', &number.to_string()).replace('~', &(number + 6).to_string())
        };
        faults.iter().map(fault).map(|fault| format!("{call}:{fault}"))
    };
    numbers.flat_map(at).collect()
}

/// The process goes on after the fault; then it is gone, and the file is opened by another one.
fn faulty_run(injection: &str) -> Result<(), String> {
    let folder = folder();
    let story = inject(folder.path(), injection);
    let fail = |error: String| Err(format!("{injection}: {error}\ntold was: {story:#?}"));
    let killed = injection.contains("signal");
    if story.ended == killed && !(killed && story.errors.is_empty()) {
        return fail("it did not end as it should".to_owned());
    }
    if let Some(other) = story.errors.iter().find(|error| !error.contains(" unavailable ")) {
        return fail(format!("another error than Unavailable: {other}"));
    }
    let full = |error: &&String| !error.contains("is full");
    if injection.contains("ENOSPC")
        && let Some(other) = story.errors.iter().find(full)
    {
        return fail(format!("the caller was not told that the disk is full: {other}"));
    }
    let is_over = !injection.ends_with('+') && !injection.contains("signal");
    if is_over && !story.ends_well() {
        return fail("the disk works again, and the broker does not".to_owned());
    }
    check(folder.path(), &story, Death::Process).or_else(fail)
}

#[test]
fn a_write_that_fails_is_told_and_what_was_answered_is_there() {
    let mut seed = random("failing writes");
    let faults = [
        "error=EIO:when=#",
        "error=ENOSPC:when=#",
        "error=ENOSPC:when=#..~",
        "error=EIO:when=#+",
        "error=ENOSPC:when=#+",
        "signal=KILL:when=#",
    ];
    let injections = injections("pwrite64", &faults, 8, &mut seed);
    println!("{} faults", injections.len());
    each(&injections, |injection| faulty_run(injection));
}

#[test]
fn a_sync_that_fails_is_told_and_what_was_answered_is_there() {
    let mut seed = random("failing syncs");
    let faults = ["error=EIO:when=#", "error=EIO:when=#+", "signal=KILL:when=#"];
    let injections: Vec<String> =
        SYNCS.iter().flat_map(|call| injections(call, &faults, 2, &mut seed)).collect();
    println!("{} faults", injections.len());
    each(&injections, |injection| faulty_run(injection));
}

#[test]
fn a_sync_that_failed_is_never_taken_for_done_later() {
    let mut seed = random("dropped pages");
    let mut states = 0;
    let fault = ["error=EIO:when=#"];
    let injections: Vec<String> =
        SYNCS.iter().flat_map(|call| injections(call, &fault, 3, &mut seed)).collect();
    for injection in injections {
        let folder = folder();
        let acts = record(folder.path(), Some(&injection));
        let failed = acts.iter().position(|act| matches!(act, Act::FailedSync(_)));
        let Some(failed) = failed else { continue }; // it met the folder
        let mut crashes = crashes(&acts, if is_long() { 4 } else { 0 }, &mut seed);
        crashes.retain(|crash| crash.place >= failed); // before, it is a run as any other
        states += crashes.len();
        each(&crashes, |crash| crash.check().map_err(|error| format!("{injection}: {error}")));
    }
    println!("{states} crash states");
    assert!(states > 0, "no sync failed");
}
