//! What a student has done: kept in a small file, shown in the list, and never in the way.

use crate::support::{Folder, Ran};
use serde_json::{Value, json};
use std::fs;

/// Runs `learn` with a state that is kept in a file of this folder.
fn learn(folder: &Folder, words: &[&str]) -> Ran {
    let mut command = folder.command(&[&["learn"], words].concat());
    Ran::from(command.env("HANDOVER_LEARN_STATE", folder.path("kept/learn.json")).output().unwrap())
}

/// What the list says was done with the lesson of this number.
fn done(folder: &Folder, number: u32) -> Value {
    let lessons = learn(folder, &["--json"]).objects();
    lessons.into_iter().find(|lesson| lesson["number"] == number).unwrap()["done"].clone()
}

#[test]
fn what_was_done_with_a_lesson_stands_in_the_list() {
    let folder = Folder::new();
    learn(&folder, &[]).done();
    assert_eq!(done(&folder, 2), json!([]));
    assert!(!folder.path("kept").exists(), "a look at the list is no deed");
    learn(&folder, &["02", "--explore"]).done();
    learn(&folder, &["02", "--save", "s.json"]).done();
    assert_eq!(done(&folder, 2), json!(["broken"]));
    learn(&folder, &["02"]).done();
    learn(&folder, &["race", "--explore", "--program", "one_step"]).done();
    learn(&folder, &["02", "--replay", "s.json"]).done();
    learn(&folder, &["02", "--real"]).done();
    assert_eq!(done(&folder, 2), json!(["read", "broken", "proven", "replayed", "real"]));
    assert_eq!(done(&folder, 1), json!([]));
    let list = learn(&folder, &[]);
    let told = "done: read, broken, proven, replayed, real";
    let below = list.done().lines().skip_while(|line| !line.starts_with("02  race")).nth(1);
    assert_eq!(below.map(str::trim), Some(told));
}

#[test]
fn what_was_only_looked_at_in_part_proves_nothing() {
    let folder = Folder::new();
    learn(&folder, &["06", "--explore", "--program", "two_conditions", "--states", "10"]).done();
    learn(&folder, &["06", "--program", "two_conditions"]).done();
    learn(&folder, &["06", "--svg", "o.svg"]).done();
    learn(&folder, &["06", "--replay", "none.json"]).failed(1, "cannot be read");
    assert_eq!(done(&folder, 6), json!([]));
}

#[test]
fn what_was_done_can_be_forgotten() {
    let folder = Folder::new();
    let ran = learn(&folder, &["--forget"]);
    assert!(ran.done().is_empty() && ran.stderr.contains("nothing was kept"), "{ran:?}");
    learn(&folder, &["02"]).done();
    learn(&folder, &["--forget"]).done();
    assert_eq!(done(&folder, 2), json!([]));
    fs::write(folder.path("kept/learn.json"), "dear diary").unwrap();
    learn(&folder, &["--forget"]).done();
    learn(&folder, &["02"]).done();
    assert_eq!(done(&folder, 2), json!(["read"]));
}

#[test]
fn a_file_that_is_damaged_or_cannot_be_written_is_a_note_and_stays_as_it_is() {
    let folder = Folder::new();
    fs::create_dir(folder.path("kept")).unwrap();
    let file = folder.path("kept/learn.json");
    let large = format!("{{\"version\":1{}}}", " ".repeat(1 << 17));
    for (text, why) in [
        ("dear diary", "is damaged"),
        ("", "is damaged"),
        (r#"{"lessons":{}}"#, "has no version"),
        (r#"{"version":2,"lessons":{}}"#, "has version 2"),
        (r#"{"version":1,"lessons":{"2":["dreamt"]}}"#, "is damaged"),
        (r#"{"version":1,"lessons":{},"name":"x"}"#, "is damaged"),
        (&large, "is larger"),
    ] {
        fs::write(&file, text).unwrap();
        for words in [&[][..], &["02", "--explore"]] {
            let ran = learn(&folder, words);
            assert!(ran.done().contains("race"), "{ran:?}");
            assert!(ran.stderr.contains(why) && ran.stderr.contains("--forget"), "{ran:?}");
        }
        let quiet = learn(&folder, &["--quiet"]);
        assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""), "{text:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let ran = learn(&folder, &["02", "--explore"]);
    assert!(ran.done().contains("broken") && ran.stderr.contains("is not kept"), "{ran:?}");
    fs::remove_dir_all(folder.path("kept")).unwrap();
    fs::write(folder.path("kept"), "a file where a folder should be").unwrap();
    let ran = learn(&folder, &["02", "--explore"]);
    assert!(ran.done().contains("broken") && ran.stderr.contains("is not kept"), "{ran:?}");
    learn(&folder, &["--quiet"]).done();
}

#[test]
fn commands_at_the_same_time_keep_whole_files() {
    let folder = Folder::new();
    let lessons = ["01", "02", "03", "04", "05", "06", "07"];
    let children: Vec<_> = lessons
        .iter()
        .map(|lesson| {
            let mut command = folder.command(&["learn", lesson, "--explore", "--json"]);
            command.env("HANDOVER_LEARN_STATE", folder.path("kept/learn.json"));
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for (number, child) in (1..).zip(children) {
        let ran = Ran::from(child.wait_with_output().unwrap());
        ran.done();
        // Whoever came while another wrote has said so; everybody else's deed is there.
        let refused = ran.stderr.contains("another command is writing");
        assert_eq!(done(&folder, number).as_array().unwrap().is_empty(), refused, "{ran:?}");
    }
}
