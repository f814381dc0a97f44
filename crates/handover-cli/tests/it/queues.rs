//! `handover queue`, `backup` and `doctor`.

use crate::support::{Folder, lines};

#[test]
fn creating_a_queue_again_changes_what_is_named_and_nothing_else() {
    let folder = Folder::new();
    let create = [
        "queue",
        "create",
        "mail",
        "--capacity",
        "10",
        "--overdraft",
        "7",
        "--exclusive",
        "--remember",
        "2h",
    ];
    assert_eq!(folder.object(&create)["capacity"], 10);
    let changed =
        folder.object(&["queue", "create", "mail", "--capacity", "20", "--durability", "buffered"]);
    assert_eq!(changed["capacity"], 20);
    assert_eq!(changed["overdraft"], 7);
    assert_eq!(changed["exclusive"], true);
    assert_eq!(changed["durability"], "buffered");
    assert_eq!(changed["remember_ms"], 7_200_000);
    assert_eq!(
        folder.object(&["queue", "create", "mail", "--exclusive=false"])["exclusive"],
        false
    );
}

#[test]
fn a_paused_queue_hands_nothing_out() {
    let folder = Folder::with_queue(10);
    let id = folder.send("1");
    folder.run(&["queue", "pause", "mail"]).done();
    assert!(folder.run(&["queue", "ls"]).done().contains("paused"));
    assert!(folder.run(&["job", "explain", &id]).done().contains("paused"));
    folder.run(&["queue", "resume", "mail"]).done();
    folder.work("true").done();
    assert_eq!(folder.object(&["queue", "show", "mail"])["done"], 1);
}

#[test]
fn buried_jobs_are_kicked_back_or_purged() {
    let folder = Folder::with_queue(10);
    folder.feed(&["send", "mail", "deliver", "-"], lines(3)).done();
    folder.work("exit 1").done();
    assert_eq!(folder.object(&["queue", "kick", "mail", "--max", "2"])["kicked"], 2);
    let purge = ["queue", "purge", "mail", "--state", "buried"];
    folder.run(&purge).failed(2, "no terminal").hinted("--yes");
    assert_eq!(folder.object(&[&purge[..], &["--yes"]].concat())["purged"], 1);
    let queue = folder.object(&["queue", "show", "mail"]);
    assert_eq!((&queue["ready"], &queue["buried"]), (&2.into(), &0.into()));
}

#[test]
fn a_backup_is_a_database_like_the_first() {
    let folder = Folder::with_queue(10);
    folder.send("1");
    folder.run(&["backup", "copy.db"]).done();
    let copy = ["queue", "show", "mail", "--broker", "sqlite:copy.db"];
    assert_eq!(folder.object(&copy)["ready"], 1);
    folder.run(&["backup", "copy.db"]).failed(2, "the backup file exists");
}

#[test]
fn the_doctor_finds_a_damaged_file() {
    let folder = Folder::with_queue(5000);
    folder.feed(&["send", "mail", "deliver", "-"], lines(5000)).done();
    folder.run(&["doctor"]).done();
    let file = folder.path("handover.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 3 * 4096].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();
    let ran = folder.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("error") && ran.stdout.contains("integrity"), "{ran:?}");
}
