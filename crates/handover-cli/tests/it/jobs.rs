//! `handover job` and `handover result`.

use crate::support::{Folder, lines};

const NOBODY: &str = "0197f2f0-3a5b-7cc2-9a0e-5f2b7e6a1c44";

#[test]
fn a_listing_has_pages() {
    let folder = Folder::with_queue(10);
    folder.feed(&["send", "mail", "deliver", "-"], lines(5)).done();
    let mut seen = Vec::new();
    let mut after = "0".to_owned();
    loop {
        let page = folder
            .run(&["job", "ls", "mail", "--limit", "2", "--after", &after, "--json"])
            .objects();
        let next = page.iter().find_map(|line| line.get("next").cloned());
        seen.extend(page.into_iter().filter_map(|line| line.get("id").cloned()));
        let Some(next) = next else { break };
        after = next.to_string();
    }
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

#[test]
fn a_listing_shows_one_state() {
    let folder = Folder::with_queue(10);
    folder.send("1");
    folder.run(&["send", "mail", "deliver", "2", "--delay", "1h"]).done();
    let delayed = folder.run(&["job", "ls", "mail", "--state", "delayed", "--json"]).objects();
    assert_eq!(delayed.len(), 1);
    assert!(delayed[0]["due_in_ms"].as_u64().unwrap() > 3_000_000, "{delayed:?}");
}

#[test]
fn a_delayed_job_is_explained_and_made_due() {
    let folder = Folder::with_queue(10);
    let id =
        folder.run(&["send", "mail", "deliver", "1", "--delay", "1h"]).done().trim().to_owned();
    let why = folder.object(&["job", "explain", &id]);
    assert_eq!(why["state"], "delayed");
    assert!(why["earliest_ms"].as_u64().unwrap() > 3_000_000, "{why}");
    folder.run(&["job", "kick", &id]).done();
    assert_eq!(folder.object(&["job", "show", &id])["state"], "ready");
}

#[test]
fn a_job_is_cancelled_kicked_and_deleted() {
    let folder = Folder::with_queue(10);
    let id = folder.send("1");
    folder.run(&["job", "cancel", &id, "--reason", "a mistake"]).done();
    let job = folder.object(&["job", "show", &id]);
    assert_eq!(
        (&job["state"], job["reason"].as_str().unwrap().contains("a mistake")),
        (&"buried".into(), true)
    );
    folder.run(&["job", "kick", &id]).done();
    folder.run(&["job", "delete", &id]).done();
    folder.run(&["job", "delete", &id]).failed(4, "there is no job");
}

#[test]
fn a_failed_job_ends_with_1_and_its_reason() {
    let folder = Folder::with_queue(10);
    let id = folder.send("1");
    folder.work("echo 'no such user' >&2; exit 3").done();
    folder.run(&["result", &id]).failed(1, "exit code 3: no such user").hinted("job kick");
    let record = folder.run(&["result", &id, "--json"]);
    assert_eq!(record.code, 1);
    let record: serde_json::Value = serde_json::from_str(&record.stdout).unwrap();
    assert_eq!(record["status"], "failed");
}

#[test]
fn a_result_that_is_not_there_ends_with_4() {
    let folder = Folder::with_queue(10);
    let id = folder.send("1");
    folder.run(&["result", &id]).failed(4, "no result yet: it was ready").hinted("--wait");
    folder.run(&["result", &id, "--wait=10ms"]).failed(4, "no result yet");
    folder.run(&["result", NOBODY]).failed(4, "never sent here");
    folder.run(&["result", NOBODY, "--wait"]).failed(4, "never sent here");
    folder.run(&["job", "show", NOBODY]).failed(4, "there is no job").hinted("handover result");
    for what in ["explain", "kick", "cancel"] {
        folder.run(&["job", what, NOBODY]).failed(4, "there is no");
    }
}
