//! Histories: recorded by `--history`, and drawn and judged by `handover trace`.

use std::path::PathBuf;

use handover::history::{Expect, History, check};

use crate::support::Folder;

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
