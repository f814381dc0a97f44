//! The examples that the book and the README show, as a user types them.

use crate::support::{Folder, lines};

#[test]
fn a_job_goes_from_send_to_its_result() {
    let folder = Folder::new();
    folder.run(&["queue", "create", "mail", "--capacity", "1000"]).done();
    let id = folder.feed(&["send", "mail", "deliver", "-"], "{\"to\":\"a@b.c\"}\n");
    let id = id.done().trim();
    assert_eq!(folder.object(&["queue", "show", "mail"])["ready"], 1);

    folder.run(&["work", "mail", "--exec", "cat", "--concurrency", "8", "--until-empty"]).done();
    assert_eq!(folder.run(&["result", id, "--wait"]).done(), "{\"to\":\"a@b.c\"}\n");
    let queue = folder.object(&["queue", "show", "mail"]);
    assert_eq!((&queue["depth"], &queue["done"]), (&0.into(), &1.into()));
}

#[test]
#[cfg(unix)]
fn a_command_is_a_file_beside_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::with_queue(10);
    let script = folder.path("deliver.sh");
    std::fs::write(&script, "#!/bin/sh\nread line\necho \"sent $line\"\n").unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let id = folder.send("7");
    folder.work("./deliver.sh").done();
    assert_eq!(folder.run(&["result", &id]).done(), "\"sent 7\"\n");
}

#[test]
fn a_result_is_waited_for() {
    let folder = Folder::with_queue(10);
    let id = folder.send("[1]");
    let waiting = folder.start(&["result", &id, "--wait"]);
    folder.work("cat").done();
    let waited = waiting.wait_with_output().unwrap();
    assert!(waited.status.success(), "{waited:?}");
    assert_eq!(waited.stdout, b"[1]\n");
}

#[test]
fn a_thousand_lines_go_through_a_queue_of_ten() {
    let folder = Folder::with_queue(10);
    let mut worker =
        folder.start(&["work", "mail", "--exec", "true", "--concurrency", "8", "--quiet"]);
    let sent = folder.feed(&["send", "mail", "count", "-"], lines(1000));
    assert_eq!(sent.done().lines().count(), 1000);
    // The queue may still hold the last ten.
    folder.run(&["work", "mail", "--exec", "true", "--until-empty"]).done();
    worker.kill().unwrap();
    worker.wait().unwrap();
    let queue = folder.object(&["queue", "show", "mail"]);
    assert_eq!((&queue["done"], &queue["buried"]), (&1000.into(), &0.into()));
    assert!(queue["depth_max"].as_u64().unwrap() <= 10, "{queue}");
}

#[test]
fn results_may_go_to_files_or_both() {
    let folder = Folder::with_queue(10);
    let exec = ["work", "mail", "--exec", "cat", "--until-empty", "--results"];
    let first = folder.send("1");
    folder.run(&[&exec[..], &["file:results"]].concat()).done();
    folder.run(&["result", &first]).failed(4, "no result of it");
    assert_eq!(folder.run(&["result", &first, "--results", "file:results"]).done(), "1\n");

    let second = folder.send("2");
    folder
        .run(&[&exec[..], &["same", "--results", "file:results?durability=buffered"]].concat())
        .done();
    assert_eq!(folder.run(&["result", &second]).done(), "2\n");
    assert_eq!(folder.run(&["result", &second, "--results", "file:results"]).done(), "2\n");
    let written = std::fs::read_to_string(folder.path("results/mail.jsonl")).unwrap();
    assert_eq!(written.lines().count(), 2, "{written}");
}

#[test]
fn every_listing_is_json_for_programs() {
    let folder = Folder::with_queue(10);
    let id = folder.send("{\"a\": [1,\n2]}");
    folder.send("2");
    for listing in [
        &["queue", "ls"][..],
        &["queue", "show", "mail"],
        &["job", "ls", "mail"],
        &["job", "show", &id],
        &["job", "explain", &id],
        &["queue", "pause", "mail"],
        &["queue", "resume", "mail"],
        &["doctor"],
        &["backup", "copy.db"],
    ] {
        let ran = folder.run(&[listing, &["--json"]].concat());
        assert!(ran.objects().iter().all(serde_json::Value::is_object), "{listing:?}");
        assert!(!ran.stdout.is_empty(), "{listing:?}");
    }
    assert_eq!(folder.object(&["job", "show", &id])["args"]["a"][1], 2);
    folder.work("cat").done();
    assert_eq!(folder.object(&["result", &id])["output"]["a"][0], 1);
    assert_eq!(folder.object(&["work", "mail", "--exec", "cat", "--until-empty"])["done"], 0);
}

#[test]
fn the_environment_names_the_broker_too() {
    let folder = Folder::new();
    let mut create = folder.command(&["queue", "create", "mail", "--capacity", "5"]);
    create.env("HANDOVER_BROKER", "sqlite:other.db").env("HANDOVER_DURABILITY", "buffered");
    assert!(create.status().unwrap().success());
    let queue = folder.object(&["queue", "show", "mail", "--broker", "sqlite:other.db"]);
    assert_eq!(queue["durability"], "buffered");
    assert!(!folder.path("handover.db").exists());
}

#[test]
fn completions_and_man_pages_are_printed_and_written() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(folder.run(&["completions", shell]).done().contains("handover"), "{shell}");
    }
    assert!(folder.run(&["man"]).done().contains(".TH handover 1"));
    folder.run(&["man", "--dir", "pages"]).done();
    for page in ["handover.1", "handover-send.1", "handover-queue-create.1"] {
        assert!(folder.path("pages").join(page).exists(), "{page}");
    }
}
