//! Files and folders that are not what they should be: each is refused with a message that says what to do, and is left as
//! it was.

use std::fs;

use crate::support::{Folder, Ran};

/// Every command that opens a database that should be there.
const COMMANDS: [&[&str]; 6] = [
    &["queue", "ls"],
    &["send", "mail", "t", "1"],
    &["work", "mail", "--exec", "true", "--until-empty"],
    &["job", "ls", "mail"],
    &["backup", "copy.db"],
    &["queue", "create", "mail", "--capacity", "7"],
];

/// A folder whose database has these bytes.
fn with_database(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> (Folder, Vec<u8>) {
    let folder = Folder::with_queue(10);
    folder.send("1");
    assert_eq!(
        folder.names(),
        ["handover.db"],
        "a command that has ended leaves nothing beside it"
    );
    let bytes = change(fs::read(folder.path("handover.db")).unwrap());
    fs::write(folder.path("handover.db"), &bytes).unwrap();
    (folder, bytes)
}

/// The same with a number of the header changed.
fn with_header(at: usize, number: u32) -> (Folder, Vec<u8>) {
    with_database(|mut bytes| {
        bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
        bytes
    })
}

#[test]
fn a_database_that_is_none_is_refused_and_left_as_it_is() {
    // Where SQLite's header says whose a file is, and in which version of its format.
    let (application_id, user_version) = (68, 60);
    for (what, (folder, bytes), code, said) in [
        (
            "text",
            with_database(|_| b"dear diary\n".repeat(1000)),
            2,
            "not a database; name another file",
        ),
        (
            "short text",
            with_database(|_| b"dear diary".to_vec()),
            2,
            "not a database; name another file",
        ),
        (
            "another's",
            with_header(application_id, 99),
            2,
            "belongs to another application; name another",
        ),
        ("newer", with_header(user_version, 99), 2, "by a newer handover; use that one"),
        (
            "cut in its first page",
            with_database(|bytes| bytes[..2000].to_vec()),
            1,
            "damaged; run the doctor, restore a backup",
        ),
        (
            "cut",
            with_database(|bytes| bytes[..8192].to_vec()),
            1,
            "damaged; run the doctor, restore a backup",
        ),
    ] {
        for words in COMMANDS {
            let ran = folder.run(words);
            ran.failed(code, said);
            assert_eq!(ran.stdout, "", "{what}: {words:?}");
            assert!(!ran.stderr.contains("panicked"), "{ran:?}");
            let now = fs::read(folder.path("handover.db")).unwrap();
            assert!(now == bytes, "{what}: {words:?} changed the file");
            assert!(!folder.path("copy.db").exists(), "{what}: {words:?}");
        }
        // For the doctor it is a finding, and the worst there is.
        folder.run(&["doctor"]).failed(1, said);
        let finding = folder.run(&["doctor", "--json"]);
        assert!(finding.stdout.starts_with("{\"check\":\"open\""), "{finding:?}");
    }
}

#[test]
fn a_folder_is_no_database() {
    let folder = Folder::new();
    fs::create_dir(folder.path("handover.db")).unwrap();
    for words in COMMANDS {
        folder.run(words).failed(2, "the path is a folder; name a file in it");
    }
    let create = ["queue", "create", "mail", "--capacity", "1", "--broker", "sqlite:none/x.db"];
    folder.run(&create).failed(2, "does not exist; create it first");
    assert_eq!(folder.names(), ["handover.db"]);
}

#[test]
fn results_that_cannot_be_kept_are_refused_before_anything_is_done() {
    let folder = Folder::with_queue(10);
    fs::write(folder.path("file"), "dear diary").unwrap();
    let send = ["send", "mail", "t", "1", "--results"];
    for url in ["file:file", "file:file/in/it", "file:/dev/null", "file:/dev/null/x"] {
        folder
            .run(&[&send[..], &[url]].concat())
            .failed(2, "name a folder or file that this user may write");
    }
    for url in ["file:res?rotate_mib=0", "file:res?rotate_mib=18446744073709551615"] {
        assert_eq!(folder.run(&[&send[..], &[url]].concat()).code, 2, "{url}");
    }
    assert_eq!(folder.object(&["queue", "show", "mail"])["accepted"], 0);
    assert_eq!(folder.names(), ["file", "handover.db"]);
    assert_eq!(fs::read_to_string(folder.path("file")).unwrap(), "dear diary");
}

#[test]
fn a_results_file_that_is_damaged_is_named_with_its_line() {
    let folder = Folder::with_queue(10);
    let id = folder.send("1");
    folder.run(&["work", "mail", "--exec", "cat", "--until-empty", "--results", "file:res"]).done();
    let file = folder.path("res/mail.jsonl");
    let good = fs::read_to_string(&file).unwrap();
    let result = ["result", &id, "--results", "file:res"];
    for (lines, code, said) in [
        (format!("{good}hello\n{good}"), 1, "line=2"),
        (format!("{good}\n"), 1, "line=2"),
        (good.replacen("\"v\":1", "\"v\":2", 1), 2, "a newer handover wrote these results"),
        ("dear diary".to_owned(), 1, "mend it, or move the file elsewhere"),
    ] {
        fs::write(&file, &lines).unwrap();
        let ran = folder.run(&result);
        ran.failed(code, said);
        assert!(ran.stderr.contains("mail.jsonl"), "{ran:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), lines, "it was changed");
    }
    fs::write(&file, good).unwrap();
    assert_eq!(folder.run(&result).done(), "1\n");
}

#[test]
#[cfg(unix)]
fn what_is_no_file_is_not_read_as_one() {
    let folder = Folder::with_queue(10);
    fs::create_dir(folder.path("res")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path("res/mail.jsonl")).unwrap();
    let send = ["send", "mail", "t", "1", "--results", "file:res"];
    folder.run(&send).failed(2, "name a folder or file that this user may write");
    fs::remove_file(folder.path("res/mail.jsonl")).unwrap();
    fs::create_dir(folder.path("res/mail.jsonl")).unwrap();
    folder.run(&send).failed(2, "name a folder or file that this user may write");
    let crawl = ["crawl", "http://127.0.0.1:1/", "--out", "pipe"];
    folder.fifo("pipe");
    folder.run(&crawl).failed(2, "name a folder or file that this user may write");
}

#[test]
fn a_file_of_lines_that_cannot_be_read_is_named() {
    let folder = Folder::with_queue(10);
    for (file, said) in
        [("@", "the file \"\""), ("@none", "the file \"none\""), ("@.", "cannot be read")]
    {
        let ran = folder.run(&["send", "mail", "t", file]);
        ran.failed(1, said);
        assert_eq!(ran.stdout, "");
    }
    folder.run(&["man", "--dir", "handover.db/x"]).failed(1, "the pages cannot be written");
    for (to, said) in [
        ("handover.db", "exists; name a new one"),
        (".", "exists; name a new one"),
        ("none/x.db", "create it first"),
    ] {
        folder.run(&["backup", to]).failed(2, said);
    }
}

#[test]
fn no_variable_of_the_environment_is_needed() {
    let folder = Folder::with_queue(10);
    for words in [&["queue", "ls"][..], &["send", "mail", "t", "1"]] {
        Ran::from(folder.command(words).env_clear().output().unwrap()).done();
    }
}
