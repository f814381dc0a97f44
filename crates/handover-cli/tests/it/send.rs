//! `handover send`.

use std::io::{BufRead, BufReader, Read, Write};

use crate::support::{Folder, Ran, lines, say};

#[test]
fn a_full_queue_is_told_at_once_with_75() {
    let folder = Folder::with_queue(3);
    let full = folder.feed(&["send", "mail", "deliver", "-", "--no-wait"], lines(5));
    full.failed(75, "full; 3 jobs were sent before").hinted("--no-wait");
    assert_eq!(full.stdout.lines().count(), 3, "what was sent is printed");
    folder.run(&["send", "mail", "deliver", "1", "--no-wait"]).failed(75, "nothing was sent");
    folder.run(&["send", "mail", "deliver", "1", "--wait", "10ms"]).failed(75, "nothing was sent");
    assert_eq!(folder.object(&["queue", "show", "mail"])["depth"], 3);
}

#[test]
fn a_line_that_is_no_json_ends_it_with_65_and_nothing_after_it_is_sent() {
    let folder = Folder::with_queue(10);
    let wrong = folder.feed(&["send", "mail", "deliver", "-"], "1\n\n2\n{\"to\": oops}\n3\n");
    wrong.failed(65, "line 4: it is no JSON").hinted("one JSON value a line");
    assert!(wrong.stderr.contains("2 jobs were sent before"), "{wrong:?}");
    assert_eq!(folder.object(&["queue", "show", "mail"])["depth"], 2);
    folder.run(&["send", "mail", "deliver", "oops"]).failed(65, "no JSON").hinted("quotes");
    let first = folder.feed(&["send", "mail", "deliver", "-"], "oops\n");
    first.failed(65, "nothing was sent");
}

#[test]
fn a_line_that_is_too_long_ends_it_with_65() {
    let folder = Folder::with_queue(10);
    let long = format!("1\n\"{}\"\n", "x".repeat(17 * 1024 * 1024));
    folder.feed(&["send", "mail", "deliver", "-"], &long).failed(65, "line 2: it is longer than");
    assert_eq!(folder.object(&["queue", "show", "mail"])["depth"], 1);
}

#[test]
fn a_line_is_sent_when_it_arrives_and_not_when_a_batch_is_full() {
    let folder = Folder::with_queue(10);
    let mut send = folder.start(&["send", "mail", "deliver", "-"]);
    let mut ids = BufReader::new(send.stdout.take().unwrap());
    for count in 1..=3 {
        say(&mut send, "{}\n");
        let mut id = String::new();
        ids.read_line(&mut id).unwrap();
        assert_eq!(folder.object(&["job", "show", id.trim()])["state"], "ready");
        assert_eq!(folder.object(&["queue", "show", "mail"])["depth"], count);
    }
    drop(send.stdin.take());
    assert!(send.wait().unwrap().success());
}

#[test]
fn the_options_of_a_job_reach_the_broker() {
    let folder = Folder::with_queue(10);
    let options =
        ["send", "mail", "deliver", "{}", "--delay", "1h", "--priority", "9", "--key", "ada"];
    let id = folder.run(&options).done().trim().to_owned();
    let job = folder.object(&["job", "show", &id]);
    assert_eq!(
        (&job["state"], &job["priority"], &job["key"]),
        (&"delayed".into(), &9.into(), &"ada".into())
    );
    assert_eq!(job["task"], "deliver");
}

#[test]
fn a_key_is_taken_from_a_field_of_each_line() {
    let folder = Folder::with_queue(10);
    let two = "{\"to\":{\"id\":7}}\n{\"to\":{\"id\":8}}\n";
    folder.feed(&["send", "mail", "deliver", "-", "--key-from", "/to/id"], two).done();
    let jobs = folder.run(&["job", "ls", "mail", "--json"]).objects();
    assert_eq!((&jobs[0]["key"], &jobs[1]["key"]), (&"7".into(), &"8".into()));
    let without =
        folder.feed(&["send", "mail", "deliver", "-", "--key-from", "to"], "{\"to\":\"a\"}\n{}\n");
    without.failed(65, "line 2: there is no field \"to\"");
    assert_eq!(without.stdout.lines().count(), 1);
}

#[test]
fn the_same_id_is_the_same_job() {
    let folder = Folder::with_queue(10);
    let id = "0197f2f0-3a5b-7cc2-9a0e-5f2b7e6a1c44";
    let send = ["send", "mail", "deliver", "1", "--id", id];
    assert_eq!(folder.object(&send)["fate"], "stored");
    let again = folder.object(&send);
    assert_eq!((&again["fate"], &again["durability"]), (&"duplicate".into(), &"synced".into()));
    folder
        .feed(&["send", "mail", "deliver", "-", "--id", id], "1\n")
        .failed(2, "--id is for a single job");
}

#[test]
fn lines_may_come_from_a_file_and_no_arguments_are_null() {
    let folder = Folder::with_queue(10);
    std::fs::write(folder.path("jobs.jsonl"), lines(4)).unwrap();
    assert_eq!(folder.run(&["send", "mail", "deliver", "@jobs.jsonl"]).done().lines().count(), 4);
    folder.run(&["send", "mail", "deliver", "@none"]).failed(1, "none");
    let id = folder.run(&["send", "mail", "deliver"]).done().trim().to_owned();
    assert_eq!(folder.object(&["job", "show", &id])["body_bytes"], 4);
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let folder = Folder::with_queue(100_000);
    let mut send = folder.start(&["send", "mail", "deliver", "-"]);
    let mut ids = BufReader::new(send.stdout.take().unwrap());
    let mut stdin = send.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        // It stops reading when nobody reads from it.
        _ = std::io::Write::write_all(&mut stdin, lines(50_000).as_bytes());
    });
    ids.read_line(&mut String::new()).unwrap();
    drop(ids);
    let mut errors = String::new();
    send.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(send.wait().unwrap().success());
    assert_eq!(errors, "");
    writer.join().unwrap();
}

#[test]
fn who_stops_reading_the_ids_still_has_all_jobs_sent() {
    let folder = Folder::with_queue(100);
    let mut child = folder.start(&["send", "mail", "deliver", "-"]);
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    for number in 0..20 {
        writeln!(stdin, "{number}").unwrap();
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert_eq!(folder.object(&["queue", "show", "mail"])["accepted"], 20);
}

#[test]
fn ids_that_cannot_be_printed_are_no_reason_to_send_again() {
    let folder = Folder::with_queue(100);
    let mut send = folder.command(&["send", "mail", "deliver", "1"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    Ran::from(send.stdout(full).output().unwrap()).failed(1, "1 job was sent");
}
