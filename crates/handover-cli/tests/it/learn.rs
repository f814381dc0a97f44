//! The lessons as a student has them: what is printed, counted, saved and replayed, and what is refused.

use crate::snapshots::check;
use crate::support::Folder;
use handover::history::{Expect, History, check as judge};
use serde_json::Value;

const LESSONS: [&str; 12] =
    ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"];

/// A text without its line breaks.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_list_and_some_lessons_are_those_agreed_on() {
    let folder = Folder::new();
    check("learn-list", folder.run(&["learn"]).done());
    check("learn-02", folder.run(&["learn", "02"]).done());
    // With time that passes, chance, and a disk.
    check("learn-08", folder.run(&["learn", "08"]).done());
    check("learn-10", folder.run(&["learn", "10"]).done());
}

#[test]
fn every_lesson_fits_a_terminal_without_colours_and_ends_with_a_place_in_handover() {
    let folder = Folder::new();
    for lesson in LESSONS {
        let ran = folder.run(&["learn", lesson]);
        let text = ran.done();
        let wide = text.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "lesson {lesson}");
        assert!(!text.contains('\u{1b}'));
        let parts = [
            "The question",
            "Wrong: ",
            "The schedule that breaks it",
            "Right: ",
            "The proof",
            "The picture",
            "In handover",
        ];
        for part in parts {
            let headed = text.lines().any(|line| line.starts_with(part));
            assert!(headed, "lesson {lesson} has no part {part:?}");
        }
        assert!(flat(text).contains("that breaks it has"), "lesson {lesson}");
    }
}

#[test]
fn an_exploration_counts_every_schedule_and_names_its_threads() {
    let folder = Folder::new();
    let found = folder.object(&["learn", "02", "--explore"]);
    assert_eq!(
        (&found["schedules"], &found["broken"], &found["complete"]),
        (&6.into(), &4.into(), &true.into())
    );
    let threads: Vec<&Value> =
        found["shortest"].as_array().unwrap().iter().map(|step| &step["thread"]).collect();
    assert_eq!(threads, ["a", "b", "a", "b", "main"]);
    assert_eq!(found["shortest"][0]["does"][0], "reads counter: 0");
    let repaired = folder.object(&["learn", "race", "--explore", "--program", "one_step"]);
    assert_eq!((&repaired["broken"], &repaired["shortest"]), (&0.into(), &Value::Null));
}

#[test]
fn what_was_not_explored_is_said() {
    let folder = Folder::new();
    let ran = folder.run(&["learn", "02", "--explore", "--steps", "3"]);
    let said = flat(ran.done());
    assert!(said.contains("Not all schedules were looked at: it stopped at a bound"), "{said}");
    let found = folder.object(&["learn", "06", "--explore", "--states", "10"]);
    assert_eq!((&found["complete"], &found["bounds"]["states"]), (&false.into(), &10.into()));
    let ran = folder.run(&["learn", "04", "--explore", "--program", "in_one_step"]);
    assert!(flat(ran.done()).contains("(--spurious 1 adds them)"), "{ran:?}");
}

#[test]
fn a_saved_schedule_is_run_again_step_by_step() {
    let folder = Folder::new();
    for lesson in LESSONS {
        folder.run(&["learn", lesson, "--save", "s.json"]).done();
        let explored = folder.object(&["learn", lesson, "--explore"]);
        let again = folder.object(&["learn", lesson, "--replay", "s.json"]);
        assert_eq!((&again["steps"], &again["end"]), (&explored["shortest"], &explored["end"]));
        assert_eq!((&again["broken"], &again["ended"]), (&true.into(), &true.into()));
    }
    // Whom a notification wakes, a wake-up that nobody asked for, and what chance picked are in the file too.
    for (lesson, program) in
        [("06", "one_condition"), ("04", "woken_for_nothing"), ("10", "not_synced")]
    {
        folder.run(&["learn", lesson, "--program", program, "--save", "s.json"]).done();
        let explored = folder.object(&["learn", lesson, "--program", program, "--explore"]);
        let again = folder.object(&["learn", lesson, "--replay", "s.json"]);
        assert_eq!((&again["steps"], &again["end"]), (&explored["shortest"], &explored["end"]));
    }
}

#[test]
fn who_starves_is_found_where_patience_is_bounded_and_starves_again_in_the_replay() {
    let folder = Folder::new();
    let words = ["learn", "06", "--program", "two_conditions"];
    let explored = |patience| [&words[..], &["--explore", "--patience", patience]].concat();
    let found = folder.object(&explored("10"));
    assert_eq!(found["bounds"]["patience"], 10);
    assert_eq!(found["end"], "eve starves: it has waited through 10 steps of others");
    let ran = folder.run(&explored("40"));
    let said = flat(ran.done());
    assert!(said.contains("does a thread wait through 40 steps of others"), "{said}");
    folder.run(&[&words[..], &["--patience", "10", "--save", "s.json"]].concat()).done();
    let again = folder.object(&["learn", "06", "--replay", "s.json"]);
    assert_eq!((&again["steps"], &again["end"]), (&found["shortest"], &found["end"]));
}

#[test]
fn a_picture_keeps_to_the_bounds_of_its_search() {
    let folder = Folder::new();
    // The search stops before anybody starves; its example does not.
    let words = ["learn", "14", "--program", "door", "--states", "2", "--patience", "1"];
    folder.run(&[&words[..], &["--svg", "k.svg"]].concat()).done();
    let svg = std::fs::read_to_string(folder.path("k.svg")).unwrap();
    assert!(svg.contains("door of lesson 14") && svg.contains("starves"), "{svg}");
    let ran = folder.run(&words);
    let said = flat(ran.done());
    assert!(said.contains("0 schedules, none broken; 2 states"), "{said}");
    assert!(said.contains("waits through 1 step of others"), "{said}");
    assert!(said.contains("One that was not reached:"), "{said}");
}

#[test]
fn a_search_goes_no_further_than_a_file_can_say_and_real_threads_have_an_end() {
    let folder = Folder::new();
    folder.run(&["learn", "02", "--explore", "--steps", "10000"]).done();
    folder.run(&["learn", "02", "--explore", "--steps", "10001"]).failed(2, "from 1 to 10000");
    folder.run(&["learn", "02", "--real", "--limit", "61m"]).failed(2, "at most 1h");
}

#[test]
fn pictures_are_written_for_schedules_and_for_real_threads() {
    let folder = Folder::new();
    for how in ["--explore", "--real"] {
        let words = ["learn", "06", "--program", "two_conditions", how];
        folder.run(&[&words[..], &["--svg", "o.svg", "--trace", "t.json"]].concat()).done();
        let svg = std::fs::read_to_string(folder.path("o.svg")).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("two_conditions of lesson 06"), "{how}");
        let trace = std::fs::read(folder.path("t.json")).unwrap();
        let trace: Value = serde_json::from_slice(&trace).unwrap();
        assert!(!trace["traceEvents"].as_array().unwrap().is_empty(), "{how}");
    }
    let ran = folder.run(&["learn", "04", "--svg", "alone.svg"]);
    assert_eq!(ran.done(), "", "the picture alone");
    assert!(folder.path("alone.svg").exists());
}

#[test]
fn real_threads_that_wait_for_ever_are_left_at_the_limit() {
    let folder = Folder::new();
    let run = folder.object(&["learn", "07", "--program", "full", "--real", "--limit", "50ms"]);
    assert_eq!((&run["ended"], &run["broken"]), (&false.into(), &false.into()));
    let run = folder.object(&["learn", "07", "--program", "closed", "--real", "--limit", "60s"]);
    assert_eq!((&run["ended"], &run["end"]), (&true.into(), &"it ends well".into()));
}

#[test]
fn an_unknown_lesson_or_program_lists_the_near_ones() {
    let folder = Folder::new();
    folder.run(&["learn", "rase"]).failed(2, "no lesson \"rase\"").hinted("02 race");
    folder.run(&["learn", "40"]).failed(2, "no lesson \"40\"").hinted("01 threads");
    folder.run(&["learn", "", "--explore"]).failed(2, "no lesson").hinted("01 threads");
    folder
        .run(&["learn", "02", "--program", "x"])
        .failed(2, "no program \"x\"")
        .hinted("lost_update, one_step");
    folder.run(&["learn", "02", "--program", "claim", "--save", "s"]).failed(4, "no schedule that");
    for words in [&["--explore"][..], &["02", "--explore", "--real"], &["02", "--steps", "0"]] {
        assert_eq!(folder.run(&[&["learn"], words].concat()).code, 2, "{words:?}");
    }
    assert!(folder.names().is_empty());
}

#[test]
fn a_schedule_that_does_not_fit_is_refused_with_the_step_where_it_leaves() {
    let folder = Folder::new();
    let replay = |text: &str| {
        std::fs::write(folder.path("s.json"), text).unwrap();
        folder.run(&["learn", "02", "--replay", "s.json"])
    };
    let schedule = |steps: &str| {
        format!(r#"{{"version":1,"lesson":2,"program":"lost_update","steps":[{steps}]}}"#)
    };
    let a = r#"{"thread":"a"}"#;
    replay(&schedule("")).done();
    let ran = replay(&schedule(&[a, a].join(",")));
    assert!(ran.done().contains("it goes on"), "{ran:?}");
    replay(&schedule(&[a, a, a].join(",")))
        .failed(65, "step 3 does not fit lost_update; possible there: b reads counter");
    replay(&schedule(&format!(r#"{a},{{"thread":"c"}}"#)))
        .failed(65, "step 2: there is no thread \"c\"; there are main, a, b");
    replay(&schedule(r#"{"thread":"a","unasked":true}"#)).failed(65, "step 1 does not fit");
    replay(&schedule(r#"{"thread":"a","wakes":"b"}"#)).failed(65, "step 1 does not fit");
    replay(&schedule(r#"{"thread":"a","picks":1}"#)).failed(65, "step 1 does not fit");
    replay(&schedule(r#"{"thread":"a","picks":1,"unasked":true}"#)).failed(65, "step 1: only one");
    let b = r#"{"thread":"b"}"#;
    let main = r#"{"thread":"main"}"#;
    replay(&schedule(&[a, a, b, b, main, a].join(","))).failed(65, "step 6 does not fit");
    replay(r#"{"version":2,"lesson":2}"#).failed(65, "has version 2").hinted("--save");
    replay(r#"{"lesson":2}"#).failed(65, "it has no version");
    replay("dear diary").failed(65, "is no schedule");
    replay(r#"{"version":1,"lesson":3,"program":"two_orders","steps":[]}"#)
        .failed(65, "is of lesson 03, not of 02")
        .hinted("learn 03");
    replay(r#"{"version":1,"lesson":2,"program":"gone","steps":[]}"#).failed(65, "no program");
    replay(&" ".repeat(2 << 20)).failed(65, "larger than a schedule");
    folder.run(&["learn", "02", "--replay", "none.json"]).failed(1, "the file \"none.json\"");
}

#[test]
fn the_real_crawl_of_lesson_12_broke_no_promise() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lessons/12_crawl.jsonl");
    let report = judge(&History::read([path]).unwrap(), &Expect::drained()).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.counts.accepted, report.counts.done), (8, 8), "every page once");
    let text = std::fs::read_to_string(path).unwrap();
    for told in [r#""duplicate""#, r#""parked""#, r#""attempt":2"#] {
        assert!(text.contains(told), "the chapter tells of {told}");
    }
    let ran = Folder::new().run(&["learn", "12"]);
    for told in ["Real work, drawn", "no promise was broken: 8 jobs accepted, 8 done"] {
        assert!(ran.done().contains(told), "{told}");
    }
}
