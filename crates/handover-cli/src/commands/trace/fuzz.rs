//! Any history that can be read can be drawn: random calls of several processes, with answers that fit and answers that do not.

use handover::history::{Expect, History, check};
use handover_lab::picture::{Picture, chrome, svg, text};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::draw::{self, Detail};
use super::report::Verdict;
use super::story::Story;
use super::window::Narrow;

/// A call: by which process, how long after its last line, of which kind, for which job and token, and whether it is answered.
type Call = (usize, u64, u8, u8, u64, u8);

fn id(job: u8) -> String {
    format!("0197f2f0-3a5b-7cc2-9a0e-5f2b7e6a1c{job:02}")
}

/// The question, and its answer without the number of the question.
fn lines(kind: u8, job: u8, token: u64, answer: u8) -> (Value, Value) {
    let lease = json!({ "queue": "mail", "id": id(job), "token": token });
    let word = ["ok", "lease_lost", "unavailable"][usize::from(answer % 3)];
    let how = ["done", "retry", "release", "bury"][usize::from(job % 4)];
    let fate = ["stored", "parked", "duplicate"][usize::from(answer % 3)];
    match kind % 8 {
        0 => (
            json!({ "event": "declare", "queue": "mail", "capacity": token, "overdraft": 1, "exclusive": false, "remember_us": 0 }),
            json!({ "event": "declared" }),
        ),
        1 => (
            json!({ "event": "send", "queue": "mail", "jobs": [{ "id": id(job), "priority": 5 }], "wait_us": 9 }),
            json!({ "event": "sent", "fates": [fate] }),
        ),
        2 => (
            json!({ "event": "send", "queue": "mail", "jobs": [{ "id": id(job + 1), "priority": 5 }], "wait_us": 9, "parent": lease }),
            json!({ "event": "sent", "fates": [fate] }),
        ),
        3 | 4 => (
            json!({ "event": "receive", "queues": ["mail"], "max": 1, "wait_us": 9, "lease_us": 1000 * token }),
            json!({ "event": "received", "jobs": [{ "queue": "mail", "id": id(job), "token": token, "attempt": 1 }] }),
        ),
        5 => (
            json!({ "event": "extend", "leases": [lease], "lease_us": 700 }),
            json!({ "event": "extended", "answers": [word] }),
        ),
        6 => (
            json!({ "event": "settle", "items": [{ "queue": "mail", "id": id(job), "token": token, "how": how }] }),
            json!({ "event": "settled", "answers": [word] }),
        ),
        _ => {
            let id = id(job);
            let mut steer = match token {
                1 => json!({ "do": "kick_job", "id": id }),
                2 if job > 2 => json!({ "do": "cancel", "id": id }),
                2 => json!({ "do": "delete", "id": id }),
                _ if job > 2 => json!({ "do": "kick", "queue": "mail", "max": 2 }),
                _ => json!({ "do": "purge", "queue": "mail", "state": "ready" }),
            };
            steer["event"] = json!("steer");
            (steer, json!({ "event": "steered", "jobs": answer % 3 }))
        }
    }
}

fn history(calls: &[Call]) -> History {
    let mut files = vec![(1_000_u64, 1_u64, String::new()); 3];
    for (process, (at, n, text)) in files.iter_mut().enumerate() {
        *at += process as u64;
        let open = json!({
            "v": 1, "process": format!("{process}.1"), "n": *n, "at_us": *at, "event": "open", "broker": "x",
            "bounded": true, "timed": true, "attempts": true, "fenced": true, "dedup": true, "fifo": true, "keys": true,
        });
        text.push_str(&format!("{open}\n"));
    }
    for (process, wait, kind, job, token, answer) in calls {
        let (at, n, text) = &mut files[*process];
        let (question, reply) = lines(*kind, *job, *token, *answer);
        let asked = *n + 1;
        let mut line = |mut what: Value, more: u64| {
            // Now and then somebody sets the clock back: the checker refuses that, and what is drawn must still be a picture.
            *at = if more % 89 == 88 { at.saturating_sub(500) } else { *at + more };
            *n += 1;
            let head = json!({ "v": 1, "process": format!("{process}.1"), "n": *n, "at_us": *at });
            what.as_object_mut().unwrap().extend(head.as_object().unwrap().clone());
            if *n > asked {
                what["call"] = json!(asked);
            }
            text.push_str(&format!("{what}\n"));
        };
        line(question, *wait);
        if *answer < 8 {
            line(reply, wait / 3);
        }
    }
    let mut history = History::default();
    for (number, (_, _, text)) in files.iter().enumerate() {
        history.add(&number.to_string(), text.as_bytes()).unwrap();
    }
    history
}

/// The lanes hold what they say they do: one stretch after the other, within the picture, and arrows between them.
fn holds(picture: &Picture) {
    for lane in &picture.lanes {
        for segment in &lane.segments {
            assert!(segment.from < segment.to && segment.to <= picture.length, "{segment:?}");
        }
        for pair in lane.segments.windows(2) {
            assert!(pair[0].to <= pair[1].from, "{}: {pair:?}", lane.name);
        }
        assert!(lane.marks.iter().all(|mark| mark.at < picture.length), "{lane:?}");
    }
    for arrow in &picture.arrows {
        assert!(arrow.since <= arrow.at && arrow.at < picture.length, "{arrow:?}");
        assert!(arrow.from < picture.lanes.len() && arrow.to < picture.lanes.len(), "{arrow:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_history_that_can_be_read_can_be_drawn(
        calls in prop::collection::vec((0_usize..3, 0_u64..900, any::<u8>(), 0_u8..6, 1_u64..4, 0_u8..10), 0..60),
        from in 0_u64..2_000,
        most in 0_u8..7,
    ) {
        let history = history(&calls);
        let report = check(&history, &Expect::running()).unwrap_or_default();
        let story = Story::of(&history);
        let verdict = Verdict::new(&history, &report, &story, 3);
        let whole = Narrow { queues: Vec::new(), job: None, from: 0, to: story.length };
        let part = Narrow { from: from.min(story.length - 1), to: story.length, ..whole.clone() };
        let job = story.jobs.keys().nth(usize::from(most)).copied();
        let one = Narrow { job, ..whole.clone() };
        for narrow in [whole, part, one] {
            for detail in [Detail::Terminal, Detail::Page, Detail::All] {
                let picture = draw::picture(&story, &verdict, &narrow, detail);
                holds(&picture);
                let lines = text::lanes(&picture, false);
                prop_assert!(lines.lines().all(|line| line.chars().count() <= text::COLUMNS), "{}", lines);
                prop_assert!(svg::svg(&picture).ends_with("</svg>\n"));
                prop_assert!(chrome::chrome(&picture).contains("traceEvents"));
            }
            if let Some(job) = narrow.job {
                super::job::lines(&story, job);
                super::job::objects(&story, job);
            }
            verdict.times(&narrow);
        }
        let few = super::lanes::Lanes::of(&story, &Narrow { queues: Vec::new(), job: None, from: 0, to: story.length }, usize::from(most));
        prop_assert!(few.lanes.len() <= usize::from(most));
        prop_assert!(verdict.object()["clean"].is_boolean());
    }
}
