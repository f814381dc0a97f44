//! The same programs on real threads, recorded.

use crate::programs;
use handover_lab::{End, Op, Unit, record};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_recorded_run_has_every_operation_with_its_times() {
    let trace = record(programs::messages, LIMIT);
    assert_eq!((trace.end, trace.unit, trace.dropped), (Some(End::Well), Unit::Nanos, 0));
    assert_eq!(trace.threads, ["main", "producer"]);
    let sends = trace.spans.iter().filter(|span| matches!(span.op, Op::Send(_))).count();
    let receives = trace.spans.iter().filter(|span| matches!(span.op, Op::Receive(_))).count();
    assert_eq!((sends, receives), (3, 3));
    assert!(trace.spans.iter().all(|span| span.took.is_some_and(|took| took >= span.asked)));
    assert!(trace.spans.is_sorted_by_key(|span| span.took));
}

#[test]
fn every_program_that_holds_under_the_explorer_runs_on_threads() {
    let programs: [fn(); 5] = [
        programs::atomic_update,
        programs::busy_waiting,
        || programs::monitor(2, 2, 3, false),
        || programs::semaphores(false),
        programs::messages,
    ];
    for program in programs {
        assert_eq!(record(program, LIMIT).end, Some(End::Well));
        program(); // and without any recording
    }
}

#[test]
fn a_panic_is_told_with_its_thread() {
    let trace = record(
        || {
            let thread = handover_lab::thread::spawn("unlucky", || assert_eq!(1, 2, "out of luck"));
            thread.join();
        },
        LIMIT,
    );
    let Some(End::Panicked { thread: 1, said }) = trace.end else { panic!("{:?}", trace.end) };
    assert!(said.contains("out of luck"));
    let bystander = std::thread::spawn(|| panic!("in no recording"));
    bystander.join().unwrap_err();
}

#[test]
fn a_panic_of_a_recorded_thread_is_printed_no_more_and_that_of_another_is() {
    // The hook is the process's, and other tests' too: in a process of its own.
    let other = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "real::a_panic_is_told_with_its_thread", "--nocapture"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&other.stderr);
    assert!(other.status.success(), "{printed}");
    assert!(!printed.contains("out of luck") && !printed.contains("was joined"), "{printed}");
    assert!(printed.contains("in no recording"), "{printed}");
}

#[test]
fn a_run_without_an_end_is_left_at_its_limit_with_those_who_wait() {
    let trace = record(
        || {
            let nothing = handover_lab::sync::Buffer::<u32>::new("nothing", 1);
            nothing.receive();
        },
        Duration::from_millis(50),
    );
    assert_eq!(trace.end, Some(End::Bound));
    assert_eq!(trace.spans.iter().filter(|span| span.took.is_none()).count(), 1);
}
