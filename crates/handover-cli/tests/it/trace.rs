//! Histories: recorded by `--history`, and drawn and judged by `handover trace`.

use std::path::PathBuf;

use handover::history::{Expect, History, check};
use serde_json::{Value, json};

use crate::support::Folder;

const ONE: &str = "0197f2f0-3a5b-7cc2-9a0e-5f2b7e6a1c44";
const OTHER: &str = "0197f2f0-3a5b-7cc2-9a0e-5f2b7e6a1d55";

/// The histories in this folder.
fn histories(folder: &Folder, name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.path(name)).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[cfg(unix)]
#[test]
fn each_process_writes_a_history_of_its_own_and_together_they_are_judged() {
    let folder = Folder::new();
    let recorded = |words: &[&str]| folder.run(&[words, &["--history", "h"]].concat());
    recorded(&["queue", "create", "mail", "--capacity", "10"]).done();
    recorded(&["send", "mail", "deliver", "1"]).done();
    recorded(&["send", "mail", "deliver", "2"]).done();
    recorded(&["work", "mail", "--exec", "true", "--until-empty"]).done();
    recorded(&["queue", "ls"]).done();
    let files = histories(&folder, "h");
    assert_eq!(files.len(), 4, "one for each process that did something: {files:?}");
    let report = check(&History::read(files).unwrap(), &Expect::drained()).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.counts.accepted, report.counts.done), (2, 2));
}

#[cfg(unix)]
#[test]
fn commands_are_told_where_histories_go_from_any_folder() {
    let folder = Folder::with_queue(10);
    let id = folder.send("1");
    let exec = r#"printf '"%s"' "$HANDOVER_HISTORY""#;
    folder.run(&["work", "mail", "--exec", exec, "--until-empty", "--history", "h"]).done();
    let told = folder.run(&["result", &id]);
    let here = folder.path("h").canonicalize().unwrap();
    assert_eq!(told.done().trim(), format!("{:?}", here.to_str().unwrap()));
}

#[test]
fn the_folder_of_histories_may_be_named_by_the_environment() {
    let folder = Folder::new();
    let mut create = folder.command(&["queue", "create", "mail", "--capacity", "10"]);
    assert!(create.env("HANDOVER_HISTORY", "h").status().unwrap().success());
    assert_eq!(histories(&folder, "h").len(), 1);
}

#[test]
fn where_no_history_can_be_written_nothing_is_begun() {
    let folder = Folder::new();
    std::fs::write(folder.path("mine"), "text").unwrap();
    let create = ["queue", "create", "mail", "--capacity", "10", "--history", "mine"];
    folder.run(&create).failed(2, "no history can be written there");
    assert_eq!(folder.names(), ["mine"], "no database");
    assert_eq!(std::fs::read_to_string(folder.path("mine")).unwrap(), "text");
    let ls = ["queue", "ls", "--history", "h"];
    folder.run(&ls).failed(3, "no database");
    assert_eq!(folder.names(), ["mine"], "no folder for a command that did nothing");
}

/// Writes a history: each event with the time since the beginning, in microseconds.
fn write(folder: &Folder, name: &str, process: u64, events: &[(u64, Value)]) {
    let open = json!({
        "event": "open", "broker": "sqlite", "bounded": true, "timed": true, "attempts": true, "fenced": true,
        "dedup": true, "fifo": true, "keys": true,
    });
    let mut text = String::new();
    for (n, (at, event)) in (1..).zip([&(0, open)].into_iter().chain(events)) {
        let mut line = json!({
            "v": 1, "process": format!("{process}.1"), "n": n, "at_us": 1_767_225_600_000_000 + at,
        });
        line.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
        text.push_str(&format!("{line}\n"));
    }
    let file = folder.path(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

fn declared(capacity: u64) -> [(u64, Value); 2] {
    let queue = json!({
        "event": "declare", "queue": "mail", "capacity": capacity, "overdraft": 0, "exclusive": false,
        "remember_us": 0,
    });
    [(10, queue), (20, json!({ "event": "declared", "call": 2 }))]
}

fn sent(asked: u64, answered: u64, call: u64, id: &str) -> [(u64, Value); 2] {
    let jobs = json!([{ "id": id, "priority": 5 }]);
    [
        (asked, json!({ "event": "send", "queue": "mail", "jobs": jobs, "wait_us": 1_000_000 })),
        (answered, json!({ "event": "sent", "call": call, "fates": ["stored"] })),
    ]
}

fn taken(asked: u64, answered: u64, call: u64, id: &str, token: u64) -> [(u64, Value); 2] {
    let ask = json!({ "event": "receive", "queues": ["mail"], "max": 1, "wait_us": 0, "lease_us": 50_000 });
    let jobs = json!([{ "queue": "mail", "id": id, "token": token, "attempt": token }]);
    [(asked, ask), (answered, json!({ "event": "received", "call": call, "jobs": jobs }))]
}

fn done(
    asked: u64,
    answered: u64,
    call: u64,
    id: &str,
    token: u64,
    said: &str,
) -> [(u64, Value); 2] {
    let items = json!([{ "queue": "mail", "id": id, "token": token, "how": "done" }]);
    [
        (asked, json!({ "event": "settle", "items": items })),
        (answered, json!({ "event": "settled", "call": call, "answers": [said] })),
    ]
}

/// A sender that waits for room, an owner that is heard of no more, and one that gets its job: in `h`.
fn lost_owner(folder: &Folder) {
    let sender = [declared(1), sent(1_000, 2_000, 4, ONE), sent(3_000, 93_000, 6, OTHER)];
    write(folder, "h/1.jsonl", 100, &sender.concat());
    write(folder, "h/2.jsonl", 200, &taken(500, 5_000, 2, ONE, 1));
    let owner = [
        taken(10_000, 60_000, 2, ONE, 2),
        done(90_000, 92_000, 4, ONE, 2, "ok"),
        taken(92_500, 94_000, 6, OTHER, 3),
        done(99_000, 100_000, 8, OTHER, 3, "ok"),
    ];
    // The first attempt of the other job.
    let mut owner = owner.concat();
    owner[5].1["jobs"][0]["attempt"] = json!(1);
    write(folder, "h/3.jsonl", 300, &owner);
}

#[test]
fn a_history_is_drawn_with_who_waits_who_has_a_job_and_how_full_the_queue_was() {
    let folder = Folder::new();
    lost_owner(&folder);
    let ran = folder.run(&["trace", "h"]);
    crate::snapshots::check("trace", ran.done());
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'), "no terminal, no colours");
    let object = folder.object(&["trace", "h", "--drained"]);
    assert_eq!((&object["clean"], &object["violations"]), (&true.into(), &json!([])));
    assert_eq!((&object["accepted"], &object["done"]), (&2.into(), &2.into()));
    assert_eq!(object["queues"], json!([{ "queue": "mail", "capacity": 1, "unsettled_max": 1 }]));
}

#[test]
fn the_picture_is_written_as_svg_and_for_chrome() {
    let folder = Folder::new();
    lost_owner(&folder);
    let ran = folder.run(&["trace", "h", "--svg", "o.svg", "--trace", "t.json"]);
    assert!(ran.done().contains("no promise was broken") && !ran.stdout.contains('█'), "{ran:?}");
    let svg = std::fs::read_to_string(folder.path("o.svg")).unwrap();
    for part in [
        "100 sends",
        "waits for room",
        "…7e6a1c44 of mail",
        "owner was heard of no more",
        "comes back",
    ] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    let trace: Value =
        serde_json::from_slice(&std::fs::read(folder.path("t.json")).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert!(events.iter().any(|event| event["cat"] == "has a job" && event["dur"] == 32_000));
    folder
        .run(&["trace", "h", "--svg", "no/o.svg"])
        .failed(2, "cannot be written")
        .hinted("a folder");
}

#[test]
fn one_job_is_told_line_by_line() {
    let folder = Folder::new();
    lost_owner(&folder);
    let story = folder.run(&["trace", "h", "--job", "1c44"]).done().to_owned();
    for line in [
        "1.0 ms  00:00:00.001  100  sends it to mail: stored after 1.0 ms",
        "5.0 ms  00:00:00.005  200  has it: attempt 1, token 1",
        "55 ms  00:00:00.055  200  has settled nothing when its lease is over, 50 ms later",
        "60 ms  00:00:00.060  300  has it: attempt 2, token 2",
        "92 ms  00:00:00.092  300  settles it: done",
    ] {
        assert!(story.contains(line), "{line}: {story}");
    }
    assert!(story.contains(&format!("job {ONE}, counted from 2026-01-01 00:00:00 UTC")), "{story}");
    let printed = folder.run(&["trace", "h", "--job", "…7E6A1C44"]);
    assert_eq!(printed.done(), story, "as pictures print it");
    let object = folder.object(&["trace", "h", "--job", "1c44"]);
    assert_eq!(object["story"].as_array().unwrap().len(), 5);
    assert_eq!(
        object["story"][1],
        json!({ "at_us": 5_000, "process": "200", "text": "has it: attempt 1, token 1" })
    );
    assert_eq!(object["accepted"], 2, "the rest is of the whole history");
    folder.run(&["trace", "h", "--job", ""]).failed(2, "no id").hinted("the end of it");
    folder.run(&["trace", "h", "--job", "…"]).failed(2, "no id");
    folder.run(&["trace", "h", "--job", "0197f2f0"]).failed(2, "2 jobs have").hinted(ONE);
    folder.run(&["trace", "h", "--job", "zz"]).failed(4, "no job \"zz\"").hinted("the end of it");
    folder.run(&["trace", "h", "--queue", "post"]).failed(4, "no queue \"post\"").hinted("mail");
    folder.run(&["trace", "h", "--from", "1s"]).failed(2, "nothing between").hinted("100 ms long");
    let part = folder.run(&["trace", "h", "--from", "10ms", "--to", "50ms"]);
    assert!(part.done().contains("from 10 ms to 50 ms"), "{part:?}");
}

#[test]
fn the_story_of_a_job_tells_for_what_it_waited() {
    let folder = Folder::new();
    let mut sends = [sent(1_000, 2_000, 2, ONE), sent(3_000, 4_000, 4, OTHER)].concat();
    for send in [0, 2] {
        sends[send].1["jobs"][0]["key"] = json!("anna");
    }
    sends[2].1["jobs"][0]["delay_us"] = json!(6_000);
    write(&folder, "h/1.jsonl", 100, &sends);
    let mut work = [
        taken(2_500, 2_600, 2, ONE, 1),
        done(20_000, 21_000, 4, ONE, 1, "ok"),
        taken(21_500, 22_000, 6, OTHER, 2),
        done(30_000, 31_000, 8, OTHER, 2, "ok"),
        taken(41_500, 42_000, 10, OTHER, 3),
    ]
    .concat();
    work[5].1["jobs"][0]["attempt"] = json!(1);
    work[6].1["items"][0]["how"] = json!("retry");
    work[6].1["items"][0]["after_us"] = json!(10_000);
    work[9].1["jobs"][0]["attempt"] = json!(2);
    write(&folder, "h/2.jsonl", 200, &work);
    let ran = folder.run(&["trace", "h", "--job", OTHER]);
    let story: Vec<&str> = ran.done().lines().skip(2).take(8).map(str::trim).collect();
    assert_eq!(
        story,
        [
            "3.0 ms  00:00:00.003  100  sends it to mail with key \"anna\": stored after 1.0 ms",
            "4.0 ms  00:00:00.004       waits: 200 has …7e6a1c44 of the same key",
            "4.0 ms  00:00:00.004       waits: not due before 10 ms",
            "22 ms  00:00:00.022  200  has it: attempt 1, token 2",
            "31 ms  00:00:00.031  200  settles it: to be tried again",
            "31 ms  00:00:00.031       waits: not due before 41 ms",
            "42 ms  00:00:00.042  200  has it: attempt 2, token 3",
            "",
        ]
    );
}

#[test]
fn a_broken_promise_is_marked_told_and_ends_with_1() {
    let folder = Folder::new();
    let sender = [declared(1), sent(1_000, 2_000, 4, ONE)].concat();
    write(&folder, "h/1.jsonl", 100, &sender);
    let early = [taken(500, 5_000, 2, ONE, 1), done(30_000, 31_000, 4, ONE, 1, "ok")].concat();
    write(&folder, "h/2.jsonl", 200, &early);
    // The first lease ends at 55 ms.
    let second = [taken(10_000, 20_000, 2, ONE, 2), done(32_000, 33_000, 4, ONE, 2, "ok")].concat();
    write(&folder, "h/3.jsonl", 300, &second);
    let ran = folder.run(&["trace", "h", "--svg", "o.svg"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("promises were broken 3 times (P3 overlap 1, "), "{ran:?}");
    assert!(ran.stdout.contains("1. P3 overlap at 20 ms: job 0197f2f0"), "{ran:?}");
    let svg = std::fs::read_to_string(folder.path("o.svg")).unwrap();
    assert_eq!(svg.matches("<title>1. P3 overlap at 20 ms").count(), 1, "{svg}");
    assert!(ran.stderr.contains("all processes that touched this database"), "{ran:?}");
    let lanes = folder.run(&["trace", "h"]);
    assert_eq!(lanes.code, 1);
    assert!(lanes.stdout.contains('!') && lanes.stdout.contains("a promise broken"), "{lanes:?}");
    let json = folder.run(&["trace", "h", "--json"]);
    let object: Value = serde_json::from_str(&json.stdout).unwrap();
    let first = &object["violations"][0];
    assert_eq!((json.code, &object["clean"]), (1, &false.into()));
    assert_eq!(
        (&first["promise"], &first["kind"], &first["at_us"], &first["job"]),
        (&"P3".into(), &"overlap".into(), &20_000.into(), &ONE.into())
    );
}

#[test]
fn what_is_left_is_a_loss_only_where_nothing_should_be() {
    let folder = Folder::new();
    write(&folder, "h/1.jsonl", 100, &[declared(1), sent(1_000, 2_000, 4, ONE)].concat());
    let ran = folder.run(&["trace", "h"]);
    assert!(ran.done().contains("1 job accepted, 0 done, 0 buried, 1 not"), "{ran:?}");
    let ran = folder.run(&["trace", "h", "--drained"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("P4 loss"), "{ran:?}");
    // A history that begins too late is not blamed on the broker alone.
    write(&folder, "late.jsonl", 200, &taken(500, 5_000, 2, ONE, 1));
    let ran = folder.run(&["trace", "late.jsonl"]);
    assert!(ran.code == 1 && ran.stderr.contains("from their first job on"), "{ran:?}");
}

#[test]
fn more_than_can_be_seen_is_left_out_and_said() {
    let folder = Folder::new();
    for process in 0..50 {
        let token = process + 1;
        let id = format!("0197f2f0-3a5b-7cc2-9a0e-5f2b7e6a{process:04}");
        let events = [sent(1_000, 2_000, 2, &id), taken(3_000, 4_000, 4, &id, token)].concat();
        let mut events = events;
        events[3].1["jobs"][0]["attempt"] = json!(1);
        write(&folder, &format!("h/{process}.jsonl"), 100 + process, &events);
    }
    let ran = folder.run(&["trace", "h"]);
    assert!(ran.stdout.contains("lanes more are left out"), "{ran:?}");
    assert!(ran.stdout.lines().count() < 100, "{ran:?}");
}

#[test]
fn many_short_senders_are_one_lane_and_the_workers_stay() {
    let folder = Folder::new();
    write(&folder, "h/00.jsonl", 99, &declared(100));
    let id = |number: u64| format!("0197f2f0-3a5b-7cc2-9a0e-5f2b7e6a{number:04}");
    for number in 0..45 {
        let at = 1_000 + 100 * number;
        let events = sent(at, at + 50, 2, &id(number));
        write(&folder, &format!("h/{}.jsonl", 10 + number), 100 + number, &events);
    }
    let mut work = Vec::new();
    for number in 0..45 {
        let (at, call, token) = (10_000 + 1_000 * number, 2 + 4 * number, number + 1);
        let mut given = taken(at, at + 100, call, &id(number), token);
        given[1].1["jobs"][0]["attempt"] = json!(1);
        work.extend(given);
        work.extend(done(at + 800, at + 900, call + 2, &id(number), token, "ok"));
    }
    write(&folder, "h/90.jsonl", 900, &work);
    let ran = folder.run(&["trace", "h"]);
    let names: Vec<&str> = ran.done().lines().skip(2).take(3).collect();
    assert!(names[0].starts_with("senders (45)"), "{ran:?}");
    assert!(names[1].starts_with("900 ") && names[1].contains('█'), "{ran:?}");
    assert!(names[2].starts_with("mail "), "no other lane: {ran:?}");
    assert!(!ran.stdout.contains("left out"), "{ran:?}");
    let svg = folder.run(&["trace", "h", "--svg", "o.svg"]);
    assert!(svg.done().contains("no promise was broken"), "{svg:?}");
}

#[test]
fn of_too_many_lanes_those_stay_on_which_something_is_broken_or_waits() {
    let folder = Folder::new();
    write(&folder, "h/00.jsonl", 99, &declared(100));
    for number in 0..60 {
        let idle = json!({ "event": "receive", "queues": ["mail"], "max": 1, "wait_us": 9, "lease_us": 9 });
        let answer = json!({ "event": "received", "call": 2, "jobs": [] });
        let events = [(1_000, idle), (90_000, answer)];
        write(&folder, &format!("h/{}.jsonl", 10 + number), 100 + number, &events);
    }
    let sender = [declared(1), sent(1_000, 2_000, 4, ONE)].concat();
    write(&folder, "h/97.jsonl", 970, &sender);
    write(&folder, "h/98.jsonl", 980, &taken(500, 5_000, 2, ONE, 1));
    let owner = [taken(10_000, 60_000, 2, ONE, 2), done(90_000, 92_000, 4, ONE, 2, "ok")].concat();
    write(&folder, "h/99.jsonl", 990, &owner);
    let ran = folder.run(&["trace", "h"]);
    let lane = |name: &str| ran.stdout.lines().any(|line| line.starts_with(name));
    assert!(lane("980") && lane("990") && lane("100") && !lane("159"), "{ran:?}");
    assert!(ran.stdout.contains("lanes more are left out"), "{ran:?}");
}

#[test]
fn where_nobody_declared_the_queue_it_is_not_known_who_waits() {
    let folder = Folder::new();
    write(&folder, "h/1.jsonl", 100, &sent(1_000, 90_000, 2, ONE));
    let ran = folder.run(&["trace", "h"]);
    let told = ran.done().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("capacity of mail unknown: nobody declared it in this history"),
        "{told}"
    );
    folder.run(&["trace", "h", "--svg", "o.svg"]).done();
    let svg = std::fs::read_to_string(folder.path("o.svg")).unwrap();
    assert!(svg.contains("1 job to mail, sending or waiting"), "{svg}");
}

#[test]
fn an_owner_that_settles_late_is_told_when_its_lease_was_over() {
    for (said, end) in [("ok", "settles it: done"), ("lease_lost", "settles it: done: refused")] {
        let folder = Folder::new();
        write(&folder, "h/1.jsonl", 100, &[declared(1), sent(1_000, 2_000, 4, ONE)].concat());
        let late = [taken(500, 5_000, 2, ONE, 1), done(80_000, 81_000, 4, ONE, 1, said)].concat();
        write(&folder, "h/2.jsonl", 200, &late);
        let ran = folder.run(&["trace", "h", "--job", ONE]);
        let over =
            ran.stdout.find("55 ms  00:00:00.055  200  its lease is over").expect(&ran.stdout);
        assert!(ran.stdout.find(end).expect(&ran.stdout) > over, "{ran:?}");
        assert!(ran.stdout.contains("with an owner  half within 50 ms"), "{ran:?}");
        let note = "1 settlement came after the lease was lost";
        assert_eq!(ran.stdout.contains(note), said == "lease_lost", "{ran:?}");
    }
}

/// Adds up what `queue ls` counts as not settled.
#[cfg(unix)]
fn stored(folder: &Folder) -> u64 {
    let listed = folder.run(&["queue", "ls", "--json"]);
    let all: Value = serde_json::from_str(listed.done().lines().next().unwrap()).unwrap();
    let states = ["ready", "delayed", "held", "leased", "parked"];
    states.iter().map(|state| all[*state].as_u64().unwrap()).sum()
}

#[cfg(unix)]
#[test]
fn what_an_operator_does_is_told_and_counted() {
    let folder = Folder::new();
    let recorded = |words: &[&str]| {
        folder.run(&[words, &["--history", "h"]].concat()).done().trim().to_owned()
    };
    let agree = |what: &str| {
        let told = folder.object(&["trace", "h"])["unsettled"].as_u64().unwrap();
        assert_eq!(told, stored(&folder), "after {what}");
    };
    recorded(&["queue", "create", "mail", "--capacity", "10"]);
    let [one, other, third, fourth] =
        [1, 2, 3, 4].map(|number| recorded(&["send", "mail", "t", &number.to_string()]));
    recorded(&["job", "cancel", &one]);
    agree("cancel");
    recorded(&["job", "delete", &other]);
    agree("delete");
    recorded(&["job", "kick", &one]);
    agree("kick of one job");
    recorded(&["work", "mail", "--exec", "false", "--attempts", "1", "--until-empty"]);
    agree("burying");
    recorded(&["queue", "kick", "mail", "--max", "1"]);
    agree("a kick of some");
    recorded(&["queue", "kick", "mail"]);
    agree("a kick of the others");
    recorded(&["work", "mail", "--exec", "true", "--until-empty"]);
    agree("work");
    assert_eq!(folder.object(&["trace", "h"])["unsettled"], 0);
    let fifth = recorded(&["send", "mail", "t", "5"]);
    recorded(&["queue", "purge", "mail", "--state", "ready", "--yes"]);
    agree("purge");
    let story = |id: &str| folder.run(&["trace", "h", "--job", id]).done().to_owned();
    for line in ["cancels it: buried", "  brings it back", "settles it: done"] {
        assert!(story(&one).contains(line), "{line}: {}", story(&one));
    }
    assert!(story(&other).contains("deletes it"), "{}", story(&other));
    assert!(story(&fifth).contains("purges 1 ready job of mail: this one with them"));
    assert!([third, fourth].iter().all(|id| story(id).contains("  brings it back")));
    let ran = folder.run(&["trace", "h", "--drained"]);
    assert!(ran.done().contains("0 not"), "{ran:?}");
}

#[test]
fn a_job_that_an_operator_cancels_is_not_with_its_owner_any_more() {
    let folder = Folder::new();
    let cancel = json!({ "event": "steer", "do": "cancel", "id": ONE });
    let cancelled = json!({ "event": "steered", "call": 6, "jobs": 1 });
    let sender = [declared(9), sent(1_000, 2_000, 4, ONE), [(19_000, cancel), (20_000, cancelled)]];
    write(&folder, "h/1.jsonl", 100, &sender.concat());
    let owner = [
        taken(500, 5_000, 2, ONE, 1),
        done(40_000, 41_000, 4, ONE, 1, "lease_lost"),
        sent(90_000, 91_000, 6, OTHER),
    ];
    write(&folder, "h/2.jsonl", 200, &owner.concat());
    let ran = folder.run(&["trace", "h", "--job", ONE]);
    assert!(ran.done().contains("with an owner  half within 15 ms"), "{ran:?}");
    assert!(ran.stdout.contains('x') && !ran.stdout.contains("settled nothing"), "{ran:?}");
    // An owner that says nothing more has not let the lease pass either.
    write(
        &folder,
        "h/2.jsonl",
        200,
        &[taken(500, 5_000, 2, ONE, 1), sent(90_000, 91_000, 4, OTHER)].concat(),
    );
    let ran = folder.run(&["trace", "h", "--job", ONE]);
    assert!(!ran.done().contains("settled nothing"), "{ran:?}");
}

#[test]
fn which_jobs_of_a_queue_came_back_is_told_only_where_it_is_certain() {
    let folder = Folder::new();
    let steer = |at: u64, call: u64, what: Value, jobs: u64| {
        let mut what = what;
        what["event"] = json!("steer");
        [(at, what), (at + 500, json!({ "event": "steered", "call": call, "jobs": jobs }))]
    };
    let kick = |max: u64| json!({ "do": "kick", "queue": "mail", "max": max });
    let cancel = |id: &str| json!({ "do": "cancel", "id": id });
    let events = [
        declared(9),
        sent(1_000, 2_000, 4, ONE),
        sent(3_000, 4_000, 6, OTHER),
        steer(5_000, 8, cancel(ONE), 1),
        steer(6_000, 10, cancel(OTHER), 1),
        steer(7_000, 12, kick(1), 1),
    ];
    write(&folder, "h/1.jsonl", 100, &events.concat());
    let story = |id: &str| folder.run(&["trace", "h", "--job", id]).done().to_owned();
    assert!(
        story(ONE).contains(" 5.5 ms  00:00:00.005  100  cancels it: buried"),
        "{}",
        story(ONE)
    );
    let perhaps = "brings 1 buried job of mail back: perhaps this one; the history does not say";
    assert!(story(ONE).contains(perhaps) && story(OTHER).contains(perhaps), "{}", story(ONE));
    assert_eq!(folder.object(&["trace", "h"])["unsettled"], 1);
    let more = steer(9_000, 14, kick(5), 1);
    write(&folder, "h/1.jsonl", 100, &[events.concat(), more.to_vec()].concat());
    assert!(story(ONE).contains("brings 1 buried job of mail back: this one with them"));
    assert_eq!(folder.object(&["trace", "h"])["unsettled"], 2);
}

#[test]
fn what_is_no_history_is_told() {
    let folder = Folder::new();
    let trace = |words: &[&str]| folder.run(&[&["trace"], words].concat());
    trace(&[]).failed(2, "no history is named").hinted("--history DIR");
    trace(&["none.jsonl"]).failed(4, "\"none.jsonl\" cannot be read").hinted("HANDOVER_HISTORY");
    std::fs::create_dir(folder.path("empty")).unwrap();
    trace(&["empty"]).failed(4, "no history (*.jsonl)").hinted("HANDOVER_HISTORY");
    std::fs::write(folder.path("empty/a.jsonl"), "").unwrap();
    trace(&["empty"]).failed(4, "the history is empty");
    std::fs::write(folder.path("diary"), "dear diary\n").unwrap();
    trace(&["diary"]).failed(65, "no event of a history (at=diary:1)");
    std::fs::write(folder.path("letters"), "a".repeat(3_000_000)).unwrap();
    trace(&["letters"]).failed(65, "no event of a history (at=letters:1)");
    write(&folder, "a.jsonl", 100, &declared(1));
    let text = std::fs::read_to_string(folder.path("a.jsonl")).unwrap();
    trace(&["a.jsonl", "a.jsonl"]).failed(65, "in another file too");
    std::fs::write(folder.path("new.jsonl"), text.replace("\"v\":1", "\"v\":2")).unwrap();
    trace(&["new.jsonl"]).failed(65, "a newer handover wrote it");
    std::fs::write(folder.path("old.jsonl"), text.replace("\"v\":1", "\"v\":0")).unwrap();
    trace(&["old.jsonl"]).failed(65, "no version 0");
    let gap: String = text
        .lines()
        .filter(|line| !line.contains("\"n\":2"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(folder.path("gap.jsonl"), gap).unwrap();
    trace(&["gap.jsonl"]).failed(65, "a line before it is missing");
    // What a kill leaves is no fault.
    std::fs::write(folder.path("torn.jsonl"), format!("{text}{{\"v\":1,\"pro")).unwrap();
    assert!(trace(&["torn.jsonl"]).done().contains("1 last line was torn"));
}
