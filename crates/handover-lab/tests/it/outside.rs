//! Objects that were not made by the run that uses them: an exploration refuses them, and others just use them.

use handover_lab::sync::{Buffer, Condvar, Mutex, Shared};
use handover_lab::{Bounds, End, explore, record};
use std::sync::LazyLock;
use std::time::Duration;

/// How the program breaks: in each of its schedules, with this panic of its main thread.
fn refused(program: fn()) -> String {
    let found = explore(program, Bounds::default());
    assert_eq!((found.broken, found.complete), (found.schedules, true), "{found:?}");
    match found.shortest {
        Some((_, End::Panicked { thread: 0, said })) => said,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_object_made_outside_of_an_exploration_is_refused_in_it() {
    static MUTEX: LazyLock<Mutex<u32>> = LazyLock::new(|| Mutex::new("mutex", 0));
    let held = MUTEX.lock(); // also while somebody else holds it: nobody waits for it
    let said = refused(|| *MUTEX.lock() += 1);
    assert_eq!(
        said,
        "this mutex was made outside of the program that is explored: make everything shared inside it"
    );
    drop(held);
}

#[test]
fn a_condition_made_outside_of_an_exploration_is_refused_in_it() {
    static CHANGED: LazyLock<Condvar> = LazyLock::new(|| Condvar::new("changed"));
    LazyLock::force(&CHANGED);
    let said = refused(|| {
        let mutex = Mutex::new("mutex", 0);
        drop(CHANGED.wait(mutex.lock()));
    });
    assert!(said.starts_with("this condition was made outside"), "{said}");
}

#[test]
fn an_object_of_another_execution_is_refused() {
    static CELL: LazyLock<Shared<u32>> = LazyLock::new(|| Shared::new("cell", 0));
    let first = explore(|| CELL.write(0), Bounds::default());
    assert_eq!((first.broken, first.complete), (0, true), "{first:?}");
    let said = refused(|| {
        Shared::new("of its own", 0).write(0);
        CELL.write(1);
    });
    assert!(said.starts_with("this cell was made outside"), "{said}");
}

#[test]
fn an_object_made_outside_can_be_used_while_an_explored_thread_panics() {
    struct Counts;
    impl Drop for Counts {
        fn drop(&mut self) {
            *COUNT.lock() += 1;
        }
    }
    static COUNT: LazyLock<Mutex<u32>> = LazyLock::new(|| Mutex::new("count", 0));
    LazyLock::force(&COUNT);
    let said = refused(|| {
        let _counts = Counts;
        panic!("its own panic");
    });
    assert_eq!(said, "its own panic");
}

#[test]
fn outside_of_an_exploration_everybodys_objects_can_be_used() {
    static MADE: LazyLock<Buffer<u32>> = LazyLock::new(|| Buffer::new("made", 8));
    fn program() {
        MADE.send(1).unwrap();
        Shared::new("of its own", 0).write(0);
        MADE.receive().unwrap();
    }
    for _ in 0..2 {
        let trace = record(program, Duration::from_secs(60));
        assert_eq!(trace.end, Some(End::Well));
        let known = |id| id < trace.objects.len();
        assert!(trace.spans.iter().filter_map(|span| span.op.object()).all(known));
    }
    program();
}
