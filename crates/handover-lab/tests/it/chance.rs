//! What chance does: picked numbers, and a disk whose power is cut.

use crate::programs;
use handover_lab::picture::{self, text};
use handover_lab::sync::Disk;
use handover_lab::{Bounds, Choice, End, Exploration, Wake, chance, explore, record, replay};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn all(program: fn()) -> Exploration {
    let found = explore(program, Bounds::default());
    assert!(found.complete, "{found:?}");
    found
}

#[test]
fn every_way_that_chance_goes_is_a_schedule() {
    let found = all(programs::lost_on_the_way);
    // Not lost; the answer lost, then each of three; the request lost, then each of three.
    assert_eq!((found.schedules, found.broken), (7, 2));
    let (schedule, end) = found.shortest.unwrap();
    assert!(matches!(end, End::Panicked { thread: 0, said } if said.contains("done twice")));
    let picked: Vec<Wake> = schedule.iter().map(|choice| choice.wake).collect();
    assert_eq!(picked.iter().filter(|wake| matches!(wake, Wake::Picked(_))).count(), 4);
}

#[test]
fn what_chance_picked_is_said_where_it_picked() {
    let schedule = [1, 1].map(|picked| Choice { thread: 1, wake: Wake::Picked(picked) });
    let run = replay(programs::lost_on_the_way, &schedule[..1]).unwrap();
    let shown = text::steps(&picture::of_replay("lost", &run), false);
    assert!(shown.contains("chance picks request: 1"), "{shown}");
    let misfit = replay(programs::lost_on_the_way, &schedule).unwrap_err();
    assert_eq!(misfit.step, 2, "a read picks nothing");
}

#[test]
fn real_threads_have_some_chance() {
    let program = || {
        for of in 1..100 {
            assert!(chance::pick("anything", of) < of);
        }
    };
    program();
    let trace = record(program, LIMIT);
    assert_eq!((trace.end, trace.spans.len()), (Some(End::Well), 99));
}

#[test]
fn picking_from_nothing_is_a_panic_that_says_so() {
    let end = all(|| _ = chance::pick("nothing", 0)).shortest.unwrap().1;
    assert!(matches!(end, End::Panicked { said, .. } if said.contains("1 to 1000, not of 0")));
}

#[test]
fn what_was_synced_survives_and_what_was_not_may_be_torn() {
    assert_eq!(all(|| programs::power_cut(false)).broken, 0);
    let (schedule, end) = all(|| programs::power_cut(true)).shortest.unwrap();
    assert!(matches!(end, End::Panicked { said, .. } if said.contains("torn: (")));
    let run = replay(|| programs::power_cut(true), &schedule).unwrap();
    let contents: Vec<&str> = run.moments.iter().map(|moment| moment.values[0].as_str()).collect();
    assert_eq!(contents[..3], ["[0, 0]", "[0, 0] cache 0: 1", "[0, 0] cache 0: 1, 1: 1"]);
    assert!(contents.iter().any(|content| ["[0, 1] cut", "[1, 0] cut"].contains(content)));
    let shown = text::steps(&picture::of_replay("torn", &run), false);
    assert!(shown.contains("writes block 0 of"), "{shown}");
    assert!(shown.contains("[0, 0] cache 0: 1"), "the disk is among what is held: {shown}");
}

#[test]
fn each_version_since_the_last_sync_may_survive_a_cut() {
    let program = || {
        let disk = Disk::new("disk", 2, 0);
        disk.write(0, 1);
        disk.sync();
        for content in 2..5 {
            disk.write(0, content);
        }
        disk.write(1, 9);
        disk.cut();
        assert!(!disk.write(0, 7) && !disk.sync(), "nothing is written without power");
        assert_ne!(disk.read(0), 7);
        assert!(disk.read(0) != 0, "what was synced is lost");
        assert!(disk.read(0) != 4 || disk.read(1) != 9, "the only way that keeps both");
    };
    let found = all(program);
    assert_eq!((found.schedules, found.broken), (8, 1), "1 to 4, with 0 or 9");
}

#[test]
fn a_disk_refuses_what_it_cannot_do_and_says_why() {
    let end = |program| match all(program).shortest.unwrap().1 {
        End::Panicked { said, .. } => said,
        end => panic!("{end:?}"),
    };
    assert!(end(|| _ = Disk::new("disk", 2, 0).write(2, 1)).contains("no block 2: the disk has 2"));
    assert!(end(|| _ = Disk::new("disk", 1, 0).read(1)).contains("no block 1: the disk has 1"));
    let unsynced = || {
        let disk = Disk::new("disk", 10, 0);
        (0..10).for_each(|block| _ = disk.write(block, 1));
    };
    assert!(end(unsynced).contains("sync earlier"));
}

#[test]
fn a_disk_on_real_threads_keeps_what_was_synced() {
    assert_eq!(record(|| programs::power_cut(false), LIMIT).end, Some(End::Well));
}
