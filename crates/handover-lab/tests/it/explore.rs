//! The explorer: what it counts, what it finds, and what it says of what it did not see.

use crate::programs;
use handover_lab::sync::Shared;
use handover_lab::{
    Bounds, Choice, End, Exploration, Lane, Op, Sleeper, Wake, explore, replay, replay_within,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

fn all(program: fn()) -> Exploration {
    let found = explore(program, Bounds::default());
    assert!(found.complete, "{found:?}");
    found
}

fn how_it_breaks(program: fn()) -> (Vec<Choice>, End) {
    all(program).shortest.expect("a schedule that breaks it")
}

/// Every schedule one by one, without a memory of states: each is an execution of its own.
fn enumerate(program: fn(), bounds: &Bounds, prefix: &mut Vec<Choice>) -> (u128, u128) {
    let replayed = replay_within(program, prefix, bounds).unwrap();
    let moment = replayed.moments.last().unwrap();
    let mut choices = moment.choices.clone();
    let woken = prefix.iter().filter(|choice| choice.wake == Wake::Spurious).count();
    let mut sum = (0, 0);
    match replayed.trace.end {
        Some(End::Deadlock { .. }) => sum = (1, 1),
        Some(end) => return (1, u128::from(end.is_broken())),
        None => {}
    }
    if woken < bounds.spurious as usize {
        let asleep = |lane: &Lane| matches!(lane, Lane::Asleep(_));
        let asleep = (0..moment.lanes.len()).filter(|&thread| asleep(&moment.lanes[thread]));
        choices.extend(asleep.map(|thread| Choice { thread, wake: Wake::Spurious }));
    }
    for choice in choices {
        prefix.push(choice);
        let (schedules, broken) = enumerate(program, bounds, prefix);
        prefix.pop();
        sum = (sum.0 + schedules, sum.1 + broken);
    }
    sum
}

/// The explorer counts what an enumeration counts.
pub(crate) fn same(program: fn(), bounds: &Bounds) {
    let found = explore(program, bounds.clone());
    assert!(found.complete, "{found:?}");
    let counted = enumerate(program, bounds, &mut Vec::new());
    assert_eq!((found.schedules, found.broken), counted);
    let Some((schedule, end)) = found.shortest else { return };
    assert_eq!(replay_within(program, &schedule, bounds).unwrap().trace.end, Some(end));
}

#[test]
fn the_lost_update_has_six_schedules_and_four_lose_it() {
    let found = all(programs::lost_update);
    assert_eq!((found.schedules, found.broken), (6, 4));
    let (schedule, end) = found.shortest.unwrap();
    assert_eq!(schedule.len(), 5, "two reads, two writes, and the look at the end");
    assert!(matches!(end, End::Panicked { thread: 0, said } if said.contains("an update is lost")));
}

#[test]
fn what_is_done_in_one_step_is_not_lost() {
    assert_eq!(all(programs::atomic_update).broken, 0);
}

#[test]
fn counts_are_those_of_an_enumeration_of_every_schedule() {
    let programs: [fn(); 17] = [
        programs::gives_back_in_a_panic,
        programs::locks_in_a_panic,
        programs::poisoned_asleep,
        programs::cleared,
        programs::learnt_before_the_rounds,
        programs::rounds_in_rounds,
        programs::lost_update,
        programs::atomic_update,
        programs::two_orders,
        programs::lost_wakeup,
        programs::messages,
        programs::poisoned,
        programs::busy_waiting,
        programs::lost_on_the_way,
        || programs::power_cut(true),
        || programs::monitor(1, 1, 2, false),
        || programs::semaphores(true),
    ];
    for program in programs {
        same(program, &Bounds::default());
    }
}

#[test]
fn counts_with_unasked_wakeups_are_those_of_an_enumeration_too() {
    for spurious in [1, 2] {
        let bounds = Bounds { spurious, ..Bounds::default() };
        same(programs::lost_wakeup, &bounds);
        same(programs::trusts_a_wakeup, &bounds);
        same(|| programs::monitor(1, 1, 1, false), &bounds);
    }
}

#[test]
fn an_unasked_wakeup_does_not_repair_what_waits_for_it() {
    let found = explore(programs::lost_wakeup, Bounds { spurious: 1, ..Bounds::default() });
    let (schedule, end) = found.shortest.expect("nobody has to wake the sleeper");
    assert!(matches!(end, End::Deadlock { .. }), "{end:?}");
    let stuck = replay(programs::lost_wakeup, &schedule).unwrap();
    let waiter = stuck.moments.last().unwrap().lanes.len() - 1;
    let woken = [&schedule[..], &[Choice { thread: waiter, wake: Wake::Spurious }]].concat();
    assert_eq!(replay(programs::lost_wakeup, &woken).unwrap().trace.end, None, "it goes on");
}

#[test]
fn two_orders_of_two_locks_are_a_circle() {
    let (schedule, end) = how_it_breaks(programs::two_orders);
    assert_eq!(schedule.len(), 2);
    assert_eq!(end, End::Deadlock { circle: vec![1, 2], lost_wakeups: vec![] });
}

#[test]
fn a_notification_before_the_sleep_is_a_lost_wakeup() {
    let (_, end) = how_it_breaks(programs::lost_wakeup);
    assert!(matches!(end, End::Deadlock { lost_wakeups, .. } if lost_wakeups == [1]));
}

/// Of every deadlock of this program, by every schedule: why each sleeper sleeps.
fn sleepers(program: fn()) -> Vec<Sleeper> {
    fn follow(program: fn(), prefix: &mut Vec<Choice>, found: &mut Vec<Sleeper>) {
        let run = replay(program, prefix).unwrap();
        found.extend(run.sleepers);
        if run.trace.end.is_none() {
            for &choice in &run.moments.last().unwrap().choices {
                prefix.push(choice);
                follow(program, prefix, found);
                prefix.pop();
            }
        }
    }
    let mut found = Vec::new();
    follow(program, &mut Vec::new(), &mut found);
    assert!(!found.is_empty(), "there are deadlocks");
    found
}

#[test]
fn a_wakeup_is_lost_that_came_between_the_look_and_the_sleep() {
    assert!(sleepers(programs::lost_wakeup).iter().all(Sleeper::is_lost));
    let all = sleepers(|| programs::gate(true, true));
    assert!(all.iter().all(|one| one.is_lost() && one.thread == 2), "{all:?}");
}

#[test]
fn a_wakeup_that_went_to_another_is_not_lost() {
    for one in sleepers(|| programs::gate(false, false)) {
        assert!(one.passed && one.would_go_on && !one.is_lost(), "{one:?}");
    }
    assert!(sleepers(|| programs::monitor(2, 2, 1, true)).iter().all(|one| !one.is_lost()));
}

#[test]
fn who_would_only_fall_asleep_again_has_lost_no_wakeup() {
    for one in sleepers(|| programs::one_loaf(&["eve", "joe"])) {
        assert!(!one.would_go_on && !one.is_lost(), "{one:?}");
    }
}

#[test]
fn a_wakeup_without_a_notification_is_a_choice_where_it_is_asked_for() {
    assert_eq!(all(programs::trusts_a_wakeup).broken, 0);
    let found = explore(programs::trusts_a_wakeup, Bounds { spurious: 1, ..Bounds::default() });
    let (schedule, end) = found.shortest.unwrap();
    assert!(schedule.iter().any(|choice| choice.wake == Wake::Spurious));
    assert!(matches!(&end, End::Panicked { said, .. } if said.contains("not ready")));
    assert_eq!(replay(programs::trusts_a_wakeup, &schedule).unwrap().trace.end, Some(end));
}

#[test]
fn a_mutex_is_poisoned_by_a_panic_of_its_holder_until_somebody_clears_it() {
    let found = all(programs::poisoned);
    assert_eq!((found.schedules, found.broken), (3, 0));
    assert_eq!(handover_lab::record(programs::poisoned, LIMIT).end, Some(End::Well));
}

#[test]
fn a_mutex_that_was_slept_with_is_still_poisoned_and_a_cleared_one_is_not() {
    assert!(
        matches!(how_it_breaks(programs::poisoned_asleep).1, End::Panicked { said, .. } if said.contains("books"))
    );
    let found = all(programs::cleared);
    assert!(found.broken > 0 && found.broken < found.schedules, "{found:?}");
}

#[test]
fn what_was_learnt_before_rounds_is_carried_into_them() {
    assert!(all(programs::learnt_before_the_rounds).broken > 0);
    assert!(all(programs::rounds_in_rounds).broken > 0);
}

#[test]
fn a_change_that_takes_a_step_is_refused_in_a_sentence() {
    let (_, end) = how_it_breaks(programs::steps_within_a_step);
    assert!(
        matches!(&end, End::Panicked { said, .. } if said.contains("may take no step")),
        "{end:?}"
    );
}

#[test]
fn what_is_done_in_a_panic_is_seen_by_nobody_in_the_midst_of_it() {
    assert_eq!(all(programs::gives_back_in_a_panic).broken, 0);
}

#[test]
fn a_panic_whose_clean_up_would_wait_is_told_and_ends_there() {
    let found = all(programs::locks_in_a_panic);
    assert_eq!(found.broken, found.schedules);
    let (schedule, end) = found.shortest.unwrap();
    assert!(
        matches!(&end, End::Panicked { thread: 0, said } if said.contains("it is none")),
        "{end:?}"
    );
    assert_eq!(replay(programs::locks_in_a_panic, &schedule).unwrap().trace.end, Some(end));
    assert!(!std::thread::panicking());
}

#[test]
fn one_condition_for_both_sides_wakes_the_wrong_one() {
    assert_eq!(all(|| programs::monitor(2, 1, 1, false)).broken, 0);
    assert_eq!(all(|| programs::monitor(1, 1, 2, true)).broken, 0, "two threads cannot tell");
    assert!(all(|| programs::monitor(2, 2, 1, true)).broken > 0);
}

#[test]
fn the_mutex_before_the_semaphore_is_a_deadlock() {
    assert_eq!(all(|| programs::semaphores(false)).broken, 0);
    assert!(matches!(how_it_breaks(|| programs::semaphores(true)).1, End::Deadlock { .. }));
}

#[test]
fn a_buffer_hands_over_in_order_and_ends() {
    assert_eq!(all(programs::messages).broken, 0);
}

#[test]
fn two_producers_and_two_consumers_are_explored_to_the_end() {
    let found = all(|| programs::monitor(2, 2, 2, false));
    assert_eq!(found.broken, 0);
    assert!(found.schedules > 100_000_000 && found.states < 100_000, "{found:?}");
}

#[test]
fn busy_waiting_that_yields_ends_in_every_schedule() {
    assert_eq!(all(programs::busy_waiting).broken, 0);
}

#[test]
fn a_program_that_need_not_end_stops_at_the_bound_and_says_so() {
    let found = explore(programs::never_ends, Bounds { steps: 8, ..Bounds::default() });
    assert!(!found.complete);
    assert_eq!(found.broken, 0, "a bound is not a finding");
    let found =
        explore(|| programs::monitor(2, 2, 2, false), Bounds { states: 100, ..Bounds::default() });
    assert!(!found.complete);
}

#[test]
fn a_replay_shows_every_moment() {
    let (schedule, _) = how_it_breaks(programs::two_orders);
    let replayed = replay(programs::two_orders, &schedule).unwrap();
    assert_eq!(replayed.moments.len(), schedule.len() + 1);
    let last = replayed.moments.last().unwrap();
    assert!(matches!(
        last.lanes[..],
        [Lane::Waits(Op::Join(1)), Lane::Waits(Op::Lock(1)), Lane::Waits(Op::Lock(0))]
    ));
    assert!(last.choices.is_empty());
    let waits: Vec<_> = replayed.trace.spans.iter().filter(|span| span.took.is_none()).collect();
    assert_eq!(waits.len(), 3, "those who wait for ever are in the trace");
}

#[test]
fn a_schedule_of_another_program_is_refused_where_it_leaves() {
    let (schedule, _) = how_it_breaks(programs::lost_update);
    let misfit = replay(programs::two_orders, &schedule).unwrap_err();
    assert_eq!(misfit.step, 3);
    assert!(misfit.to_string().contains("ended before step 3"), "{misfit}");
    let nobody = [Choice { thread: 7, wake: Wake::None }];
    assert_eq!(replay(programs::lost_update, &nobody).unwrap_err().possible.len(), 2);
}

#[test]
fn a_writer_starves_where_readers_go_first_and_not_behind_a_turnstile() {
    let patience = |steps| Bounds { patience: Some(steps), ..Bounds::default() };
    let unfair = || programs::readers_and_writer(4, false);
    assert_eq!(all(unfair).broken, 0, "nobody starves where patience has no bound");
    let found = explore(unfair, patience(10));
    let (schedule, end) = found.shortest.expect("the readers take turns");
    assert_eq!(end, End::Starved { thread: 3, steps: 10 });
    let run = replay_within(unfair, &schedule, &patience(10)).unwrap();
    assert_eq!(run.trace.end, Some(end));
    assert!(matches!(run.moments.last().unwrap().lanes[3], Lane::Waits(Op::Acquire(1))));
    assert_eq!(replay(unfair, &schedule).unwrap().trace.end, None, "it could go on");

    let fair = explore(|| programs::readers_and_writer(4, true), patience(10));
    assert!(fair.complete);
    assert_eq!(fair.broken, 0, "{:?}", fair.shortest);
}

#[test]
fn patience_counts_the_steps_of_others_from_the_first_that_it_waits_through() {
    let waits = |steps| {
        let bounds = Bounds { patience: Some(steps), ..Bounds::default() };
        explore(programs::two_at_a_mutex, bounds).shortest.map(|(_, end)| end)
    };
    assert!(matches!(waits(2), Some(End::Starved { steps: 2, .. })));
    assert_eq!(waits(3), None, "the holder has two steps, and gives the mutex back with the third");
}

#[test]
#[should_panic(expected = "does not do the same when it is run again")]
fn a_program_that_does_something_else_each_time_is_refused() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    _ = explore(
        || {
            let run = RUNS.fetch_add(1, Ordering::Relaxed);
            let cell = Arc::new(Shared::new("cell", run));
            let other = Arc::clone(&cell);
            let writer = handover_lab::thread::spawn("writer", move || other.write(1));
            cell.write(2);
            writer.join();
            cell.read();
        },
        Bounds::default(),
    );
}
