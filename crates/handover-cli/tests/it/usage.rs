//! What is wrong with a command is said in one line, with the exit code that `--help` promises, and nothing is done.

use crate::support::Folder;

#[test]
fn words_that_make_no_command_end_with_2() {
    let folder = Folder::with_queue(10);
    for words in [
        &["fly"][..],
        &[],
        &["queue", "create"],
        &["queue", "create", "no spaces", "--capacity", "1"],
        &["queue", "purge", "mail", "--state", "asleep"],
        &["queue", "create", "q", "--capacity", "1", "--remember", "5"],
        &["queue", "create", "q", "--capacity", "1", "--durability", "maybe"],
        &["send", "mail"],
        &["send", "mail", "t", "1", "--priority", "10"],
        &["send", "mail", "t", "1", "--no-wait", "--wait", "1s"],
        &["send", "mail", "t", "1", "--key", "a", "--key-from", "b"],
        &["send", "mail", "t", "1", "--id", "7"],
        &["work", "mail"],
        &["work", "--exec", "true"],
        &["job", "ls", "mail", "--limit", "0"],
        &["job", "show", "7"],
        &["result", "7"],
        &["completions", "cobol"],
    ] {
        let ran = folder.run(words);
        assert_eq!(ran.code, 2, "{words:?}: {ran:?}");
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{words:?}: {ran:?}");
    }
}

#[test]
fn settings_out_of_range_end_with_2() {
    let folder = Folder::with_queue(10);
    folder.run(&["queue", "create", "q"]).failed(2, "needs --capacity").hinted("--capacity 1000");
    folder
        .run(&["queue", "purge", "mail", "--state", "leased", "--yes"])
        .failed(2, "cannot be purged");
    folder.run(&["queue", "ls", "--log", "handover=loud"]).failed(2, "no filter").hinted("debug");
}

#[test]
fn an_unknown_broker_ends_with_2_and_shows_no_password() {
    let folder = Folder::new();
    let ran = folder.run(&["queue", "ls", "--broker", "redis://me:secret@host/0"]);
    ran.failed(2, "redis://***@host/0").hinted("sqlite:PATH");
    assert!(!ran.stderr.contains("secret"), "{ran:?}");
    folder
        .run(&["queue", "ls", "--broker", "sqlite:x.db?speed=9"])
        .failed(2, "speed")
        .hinted("durability");
    folder
        .run(&["queue", "ls", "--broker", "memory:", "--results", "ftp:x"])
        .failed(2, "ftp:x")
        .hinted("file:DIR");
    folder.run(&["doctor", "--broker", "memory:"]).failed(2, "has no file").hinted("sqlite:");
}

#[test]
fn a_queue_that_is_not_there_ends_with_4_and_says_how_to_create_it() {
    let folder = Folder::with_queue(10);
    for words in [
        &["send", "post", "deliver", "1"][..],
        &["work", "post", "--exec", "true", "--until-empty"],
        &["queue", "show", "post"],
        &["queue", "pause", "post"],
        &["queue", "kick", "post"],
        &["queue", "purge", "post", "--state", "ready", "--yes"],
        &["job", "ls", "post"],
    ] {
        folder
            .run(words)
            .failed(4, "there is no queue \"post\"")
            .hinted("queue create post --capacity 1000");
    }
}

#[test]
fn a_database_that_is_not_there_ends_with_3_and_is_not_created() {
    let folder = Folder::new();
    for words in [&["queue", "ls"][..], &["send", "q", "t", "1"], &["doctor"], &["backup", "b.db"]]
    {
        folder.run(words).failed(3, "no database \"handover.db\"").hinted("handover queue create");
    }
    assert!(!folder.path("handover.db").exists() && !folder.path("b.db").exists());
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let folder = Folder::new();
    let text = "dear diary\n".repeat(1000);
    std::fs::write(folder.path("handover.db"), &text).unwrap();
    let ran = folder.run(&["queue", "create", "mail", "--capacity", "1"]);
    ran.failed(2, "database");
    assert_eq!(std::fs::read_to_string(folder.path("handover.db")).unwrap(), text);
}

#[test]
fn a_quiet_command_says_nothing_but_what_was_asked_for() {
    let folder = Folder::with_queue(10);
    let ran = folder.run(&["queue", "create", "other", "--capacity", "1", "--quiet"]);
    assert_eq!((ran.done(), ran.stderr.as_str()), ("", ""));
    assert!(folder.run(&["queue", "show", "nothing", "-q"]).stderr.contains("error"));
}

#[test]
fn what_is_not_a_terminal_gets_no_colours() {
    let folder = Folder::with_queue(10);
    let ran = folder.run(&["queue", "ls"]);
    let failed = folder.run(&["queue", "show", "nothing"]);
    assert!(![ran.stdout, ran.stderr, failed.stderr].concat().contains('\u{1b}'));
}
