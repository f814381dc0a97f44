//! For every kind of violation: a history that has exactly that one, and its neighbours that have none.

use serde_json::json;

use super::super::{Expect, Kind};
use super::script::{Script, id, receiving, sending, settling};
use crate::inspect::JobState;
use crate::message::QueueName;

fn left(jobs: &[u8]) -> Expect {
    let queue = QueueName::new("q").unwrap();
    Expect::left(jobs.iter().map(|job| (queue.clone(), id(*job), JobState::Ready)))
}

// Lines: 1 open, 2 and 3 declare, then two for each call; a new recorder has an open of its own before its first.

#[test]
fn a_plain_history_breaks_nothing() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1, 2]);
    script.take('a', (30, 40), &[(1, 1, 1), (2, 2, 1)]);
    script.settle('a', (50, 60), (1, 1), "done", "ok");
    script.settle('a', (70, 80), (2, 2), "bury", "ok");
    script.is_fine(Expect::drained());
}

// P1

#[test]
fn p1_more_jobs_than_the_capacity_break_the_bound() {
    let mut script = Script::new(2);
    script.send('a', (10, 20), &[1]);
    script.send('a', (30, 40), &[2, 3]);
    script.breaks(Expect::running(), Kind::Bound, &[3, 7]);
}

#[test]
fn p1_a_job_that_may_be_gone_is_not_counted() {
    let mut script = Script::new(2);
    script.send('a', (10, 20), &[1]);
    script.take('a', (21, 22), &[(1, 1, 1)]);
    script.unanswered('b', 35, settling((1, 1), "done"));
    script.send('a', (30, 40), &[2, 3]);
    script.is_fine(Expect::running());
}

#[test]
fn p1_more_parked_jobs_than_the_overdraft_break_the_bound() {
    let mut script = Script::new(1);
    script.send('a', (10, 20), &[1]);
    let parked = |script: &mut Script, at: u64, jobs: &[u8]| {
        let told = json!({"event": "sent", "fates": vec!["parked"; jobs.len()]});
        script.call('a', at, at + 1, sending(jobs, &json!({})), told);
    };
    parked(&mut script, 30, &[2, 3]);
    script.is_fine(Expect::running());
    parked(&mut script, 40, &[4]);
    script.breaks(Expect::running(), Kind::Bound, &[3, 9]);
}

#[test]
fn p1_a_full_queue_that_is_declared_smaller_keeps_its_jobs_and_has_its_overdraft_beside_them() {
    let mut script = Script::default();
    let declare = |script: &mut Script, at: u64, capacity: u64, overdraft: u64| {
        let queue = json!({"event": "declare", "queue": "q", "capacity": capacity,
            "overdraft": overdraft, "exclusive": false, "remember_us": 0});
        script.call('a', at, at + 1, queue, json!({"event": "declared"}));
    };
    declare(&mut script, 1, 10, 0);
    script.send('a', (10, 20), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    declare(&mut script, 50, 2, 5);
    let parked = |script: &mut Script, at: u64, jobs: &[u8]| {
        let told = json!({"event": "sent", "fates": vec!["parked"; jobs.len()]});
        script.call('a', at, at + 1, sending(jobs, &json!({})), told);
    };
    parked(&mut script, 60, &[11, 12, 13, 14, 15]);
    script.is_fine(Expect::running());
    parked(&mut script, 70, &[16]);
    script.breaks(Expect::running(), Kind::Bound, &[9, 13]);
}

// P2

#[test]
fn p2_an_empty_answer_over_a_ready_job_was_overslept() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('b', (30, 40), &[]);
    script.breaks(Expect::running(), Kind::Overslept, &[8]);
}

#[test]
fn p2_an_empty_answer_is_fine_while_the_job_may_be_elsewhere() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('b', (30, 40), &[]);
    script.take('a', (39, 41), &[(1, 1, 1)]);
    script.is_fine(Expect::running());
    let mut delayed = Script::new(10);
    delayed.send_with('a', (10, 20), &[1], &json!({"delay_us": 100}));
    delayed.take('b', (30, 40), &[]);
    delayed.is_fine(Expect::running());
}

// P3

#[test]
fn p3_two_leases_of_a_job_at_a_time_overlap() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.take('b', (1000, 1029), &[(1, 2, 2)]);
    script.breaks(Expect::running(), Kind::Overlap, &[7, 10]);
}

#[test]
fn p3_a_lease_that_may_have_ended_does_not_overlap() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.take('b', (1000, 1030), &[(1, 2, 2)]);
    script.is_fine(Expect::running());
    let mut released = Script::new(10);
    released.send('a', (10, 20), &[1]);
    released.take('a', (30, 40), &[(1, 1, 1)]);
    released.unanswered('a', 50, settling((1, 1), "release"));
    released.take('b', (45, 60), &[(1, 2, 1)]);
    released.is_fine(Expect::running());
}

#[test]
fn p3_an_extension_makes_the_lease_run_on_and_a_shorter_one_ends_it_sooner() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.extend('a', (900, 910), (1, 1), 1000, "ok");
    script.take('b', (1800, 1899), &[(1, 2, 2)]);
    script.breaks(Expect::running(), Kind::Overlap, &[7, 12]);
    let mut sooner = Script::new(10);
    sooner.send('a', (10, 20), &[1]);
    sooner.take('a', (30, 40), &[(1, 1, 1)]);
    sooner.extend('a', (50, 60), (1, 1), 100, "ok");
    sooner.take('b', (100, 150), &[(1, 2, 2)]);
    sooner.is_fine(Expect::running());
}

#[test]
fn p3_two_jobs_of_an_exclusive_queue_at_a_time_are_found() {
    let mut script = Script::default();
    let queue = json!({"event": "declare", "queue": "q", "capacity": 10, "overdraft": 0,
        "exclusive": true, "remember_us": 0});
    script.call('a', 1, 2, queue, json!({"event": "declared"}));
    script.send('a', (10, 20), &[1, 2]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.take('b', (50, 60), &[(2, 2, 1)]);
    script.breaks(Expect::running(), Kind::Exclusive, &[7, 10]);
}

#[test]
fn p3_an_owner_that_is_believed_after_a_later_token_was_late() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.take('b', (1040, 1050), &[(1, 2, 2)]);
    script.settle('a', (1060, 1070), (1, 1), "retry", "ok");
    script.breaks(Expect::running(), Kind::LateOwner, &[10, 12]);
}

#[test]
fn p3_an_owner_that_is_believed_after_its_time_was_late() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.settle('a', (1041, 1050), (1, 1), "done", "ok");
    script.breaks(Expect::running(), Kind::LateOwner, &[7, 9]);
}

#[test]
fn p3_an_owner_that_is_refused_in_time_lost_early() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.settle('a', (50, 1029), (1, 1), "done", "lease_lost");
    script.breaks(Expect::running(), Kind::LostEarly, &[7, 9]);
}

#[test]
fn p3_an_owner_may_be_refused_after_its_end_a_cancel_or_another_settlement() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1, 2, 3]);
    script.take('a', (30, 40), &[(1, 1, 1), (2, 2, 1), (3, 3, 1)]);
    script.unanswered('b', 45, settling((1, 1), "retry"));
    script.settle('a', (50, 60), (1, 1), "done", "lease_lost");
    script.steer('b', (50, 60), json!({"do": "cancel", "id": id(2)}), 1);
    script.settle('a', (70, 80), (2, 2), "done", "lease_lost");
    script.settle('a', (1000, 1031), (3, 3), "done", "lease_lost");
    script.is_fine(Expect::running());
}

#[test]
fn p3_a_token_that_does_not_grow_is_found() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1, 2]);
    script.take('a', (30, 40), &[(1, 7, 1)]);
    script.take('a', (50, 60), &[(2, 6, 1)]);
    script.breaks(Expect::running(), Kind::Token, &[7, 9]);
}

#[test]
fn p3_a_token_that_two_jobs_have_is_found_even_in_one_answer() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1, 2]);
    script.take('a', (30, 40), &[(1, 7, 1), (2, 7, 1)]);
    script.breaks(Expect::running(), Kind::Token, &[7, 7]);
}

#[test]
fn p3_a_token_that_was_believed_and_never_given_is_found() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.settle('a', (50, 60), (1, 3), "done", "ok");
    script.breaks(Expect::running(), Kind::Token, &[7]);
}

// P4

#[test]
fn p4_a_job_that_is_gone_without_an_end_is_lost() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.breaks(Expect::drained(), Kind::Loss, &[5, 7]);
    script.breaks(left(&[]), Kind::Loss, &[5, 7]);
    script.is_fine(left(&[1]));
    script.is_fine(Expect::running());
}

#[test]
fn p4_a_job_whose_end_has_no_answer_is_not_called_lost_and_neither_is_an_unanswered_send() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.unanswered('a', 50, settling((1, 1), "done"));
    script.unanswered('b', 50, sending(&[2], &json!({})));
    script.is_fine(Expect::drained());
}

#[test]
fn p4_a_buried_job_that_is_not_there_is_lost() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.settle('a', (50, 60), (1, 1), "bury", "ok");
    script.is_fine(Expect::drained());
    script.breaks(left(&[]), Kind::Loss, &[5, 7]);
}

#[test]
fn p4_two_ends_of_one_job_are_a_second_effect() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.settle('a', (50, 60), (1, 1), "done", "ok");
    script.settle('a', (70, 80), (1, 1), "done", "ok");
    script.breaks(Expect::running(), Kind::SecondEffect, &[9, 11]);
}

#[test]
fn p4_a_lease_that_is_ended_twice_is_a_second_effect() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.settle('a', (50, 60), (1, 1), "retry", "ok");
    script.settle('a', (70, 80), (1, 1), "done", "ok");
    script.breaks(Expect::running(), Kind::SecondEffect, &[9, 11]);
}

#[test]
fn p4_a_job_that_lives_after_its_end_is_a_second_effect() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.settle('a', (50, 60), (1, 1), "done", "ok");
    script.breaks(left(&[1]), Kind::SecondEffect, &[9]);
    script.take('b', (70, 80), &[(1, 2, 2)]);
    script.breaks(Expect::running(), Kind::SecondEffect, &[9, 12]);
}

#[test]
fn p4_a_buried_job_may_come_back_when_it_is_kicked() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.settle('a', (50, 60), (1, 1), "bury", "ok");
    script.steer('a', (70, 80), json!({"do": "kick", "queue": "q", "max": 1}), 1);
    script.take('b', (90, 95), &[(1, 2, 1)]);
    script.settle('b', (96, 97), (1, 2), "done", "ok");
    script.is_fine(Expect::drained());
}

#[test]
fn p4_a_job_that_was_kicked_back_must_end_again() {
    let buried = || {
        let mut script = Script::new(10);
        script.send('a', (10, 20), &[1]);
        script.take('a', (30, 40), &[(1, 1, 1)]);
        script.settle('a', (50, 60), (1, 1), "bury", "ok");
        script
    };
    let kick = json!({"do": "kick", "queue": "q", "max": 5});
    let one = json!({"do": "kick_job", "id": id(1)});
    for (what, jobs) in [(kick.clone(), 1), (one.clone(), 1)] {
        let mut script = buried();
        script.steer('a', (70, 80), what, jobs);
        script.breaks(Expect::drained(), Kind::Loss, &[5, 7]);
        script.is_fine(Expect::running());
        // Buried again, or perhaps: the kick was not the last that happened to it.
        script.unanswered('b', 90, json!({"event": "steer", "do": "cancel", "id": id(1)}));
        script.is_fine(Expect::drained());
    }
    // Cancelled, and brought back.
    let mut cancelled = Script::new(10);
    cancelled.send('a', (10, 20), &[1]);
    cancelled.steer('a', (30, 40), json!({"do": "cancel", "id": id(1)}), 1);
    cancelled.is_fine(Expect::drained());
    cancelled.steer('a', (50, 60), one.clone(), 1);
    cancelled.breaks(Expect::drained(), Kind::Loss, &[5]);
    // It touched nothing, or another, or came too early.
    for (at, what, jobs) in [
        ((70, 80), one, 0),
        ((70, 80), json!({"do": "kick_job", "id": id(2)}), 1),
        ((55, 80), kick.clone(), 1),
    ] {
        let mut script = buried();
        let who = if at.0 == 55 { 'b' } else { 'a' };
        script.steer(who, at, what, jobs);
        script.is_fine(Expect::drained());
    }
    // Of two buried jobs one came back: nobody knows which.
    let mut script = buried();
    script.send('a', (61, 62), &[2]);
    script.take('a', (63, 64), &[(2, 2, 1)]);
    script.settle('a', (65, 66), (2, 2), "bury", "ok");
    script.steer('a', (70, 80), kick, 1);
    script.is_fine(Expect::drained());
}

#[test]
fn p4_an_id_that_is_stored_twice_was_accepted_twice() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.send('a', (30, 40), &[1]);
    script.breaks(Expect::running(), Kind::AcceptedTwice, &[5, 7]);
}

#[test]
fn p4_an_id_that_may_be_forgotten_can_be_stored_again() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.steer('a', (21, 22), json!({"do": "delete", "id": id(1)}), 1);
    script.send('a', (30, 40), &[1]);
    script.is_fine(Expect::running());
}

#[test]
fn p4_a_job_that_nobody_sent_is_found() {
    let mut script = Script::new(10);
    let full = json!({"event": "sent", "error": "full"});
    script.call('a', 10, 20, sending(&[1], &json!({})), full);
    script.is_fine(Expect::drained());
    script.breaks(left(&[1]), Kind::Unsent, &[]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.breaks(Expect::running(), Kind::Unsent, &[7]);
}

#[test]
fn p4_attempts_that_do_not_grow_are_found_unless_the_job_was_released() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.take('a', (1040, 1050), &[(1, 2, 1)]);
    script.breaks(Expect::running(), Kind::Attempts, &[7, 9]);
    let mut released = Script::new(10);
    released.send('a', (10, 20), &[1]);
    released.take('a', (30, 40), &[(1, 1, 1)]);
    released.settle('a', (50, 60), (1, 1), "release", "ok");
    released.take('a', (70, 80), &[(1, 2, 1)]);
    released.is_fine(Expect::running());
}

// P5

#[test]
fn p5_a_later_job_of_a_key_that_overtakes_breaks_the_order() {
    let mut script = Script::new(10);
    let key = json!({"key": "k"});
    script.send_with('a', (10, 20), &[1], &key);
    script.send_with('a', (30, 40), &[2], &key);
    script.take('a', (50, 60), &[(1, 1, 1)]);
    script.take('b', (70, 80), &[(2, 2, 1)]);
    script.settle('a', (90, 99), (1, 1), "done", "ok");
    script.breaks(Expect::running(), Kind::Order, &[5, 12]);
}

#[test]
fn p5_a_later_job_of_a_key_in_one_batch_that_overtakes_breaks_the_order() {
    let mut script = Script::new(10);
    script.send_with('a', (10, 20), &[1, 2], &json!({"key": "k"}));
    script.take('b', (70, 80), &[(2, 2, 1)]);
    script.breaks(Expect::running(), Kind::Order, &[5, 8]);
}

#[test]
fn p5_jobs_of_a_key_may_follow_each_other_and_sends_at_a_time_have_no_order() {
    let mut script = Script::new(10);
    let key = json!({"key": "k"});
    script.send_with('a', (10, 20), &[1], &key);
    script.send_with('b', (15, 40), &[2], &key);
    script.take('a', (50, 60), &[(2, 1, 1)]);
    script.unanswered('a', 70, settling((2, 1), "done"));
    script.take('b', (70, 80), &[(1, 2, 1)]);
    script.is_fine(Expect::running());
}

#[test]
fn p5_a_later_job_before_an_earlier_one_breaks_the_order() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.send('a', (30, 40), &[2]);
    script.take('a', (50, 60), &[(2, 1, 1)]);
    script.take('a', (70, 80), &[(1, 2, 1)]);
    script.breaks(Expect::running(), Kind::Order, &[5, 9]);
}

#[test]
fn p5_a_later_job_before_an_earlier_one_in_one_answer_breaks_the_order() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1, 2]);
    script.take('a', (50, 60), &[(2, 1, 1), (1, 2, 1)]);
    script.breaks(Expect::running(), Kind::Order, &[5, 7]);
}

#[test]
fn p5_a_less_urgent_job_before_a_more_urgent_one_breaks_the_order() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.send_with('a', (30, 40), &[2], &json!({"priority": 9}));
    script.take('a', (50, 60), &[(1, 1, 1)]);
    script.breaks(Expect::running(), Kind::Order, &[7, 9]);
}

#[test]
fn p5_the_priority_and_key_of_a_job_are_those_of_the_send_that_was_accepted() {
    let refused = json!({"event": "sent", "error": "full"});
    let mut urgent = Script::new(10);
    urgent.call('a', 10, 15, sending(&[1], &json!({"priority": 1})), refused.clone());
    urgent.send('a', (20, 25), &[2]);
    urgent.send_with('a', (30, 40), &[1], &json!({"priority": 9}));
    urgent.take('a', (50, 60), &[(1, 1, 1)]);
    urgent.is_fine(Expect::running());
    let mut free = Script::new(10);
    free.send_with('a', (10, 15), &[2], &json!({"key": "k"}));
    free.call('a', 16, 17, sending(&[1], &json!({"key": "k"})), refused);
    free.send('a', (20, 25), &[1]);
    free.take('a', (30, 40), &[(2, 1, 1)]);
    free.take('a', (50, 60), &[(1, 2, 1)]);
    free.is_fine(Expect::running());
}

#[test]
fn p5_nothing_is_said_of_a_job_whose_priority_or_key_nobody_knows() {
    for (one, other) in [
        (json!({"priority": 1}), json!({"priority": 9})),
        (json!({"key": "a", "priority": 1}), json!({"priority": 1})),
    ] {
        let mut script = Script::new(10);
        script.unanswered('b', 10, sending(&[1], &one));
        script.unanswered('c', 11, sending(&[1], &other));
        script.send('a', (20, 25), &[2]);
        script.take('a', (30, 40), &[(1, 1, 1)]);
        script.is_fine(Expect::running());
    }
}

#[test]
fn p5_sends_without_an_answer_that_agree_are_held_to_the_order() {
    let mut script = Script::new(10);
    script.unanswered('b', 10, sending(&[1], &json!({"priority": 1})));
    script.unanswered('c', 11, sending(&[1], &json!({"priority": 1})));
    script.send('a', (20, 25), &[2]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.breaks(Expect::running(), Kind::Order, &[9, 11]);
}

#[test]
fn p5_nothing_is_said_about_order_once_a_receive_has_no_answer() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.send('a', (30, 40), &[2]);
    script.unanswered('b', 45, receiving());
    script.take('a', (50, 60), &[(2, 1, 1)]);
    script.is_fine(Expect::running());
}

#[test]
fn p5_a_job_that_was_given_back_keeps_its_place() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1, 2]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    script.settle('a', (50, 60), (1, 1), "retry", "ok");
    script.take('a', (70, 80), &[(2, 2, 1)]);
    script.breaks(Expect::running(), Kind::Order, &[5, 11]);
}

#[test]
fn p5_a_job_before_its_time_is_early() {
    let mut script = Script::new(10);
    script.send_with('a', (10, 20), &[1], &json!({"delay_us": 100}));
    script.take('a', (90, 109), &[(1, 1, 1)]);
    script.breaks(Expect::running(), Kind::Early, &[5, 7]);
    let mut due = Script::new(10);
    due.send_with('a', (10, 20), &[1], &json!({"delay_us": 100}));
    due.take('a', (90, 110), &[(1, 1, 1)]);
    due.is_fine(Expect::running());
}

#[test]
fn p5_a_retry_before_its_time_is_early() {
    let mut script = Script::new(10);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    let mut retry = settling((1, 1), "retry");
    retry["items"][0]["after_us"] = json!(100);
    script.call('a', 50, 60, retry, json!({"event": "settled", "answers": ["ok"]}));
    script.take('b', (140, 149), &[(1, 2, 2)]);
    script.breaks(Expect::running(), Kind::Early, &[9, 12]);
}
