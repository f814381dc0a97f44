//! The promises of the files to one user. What several users, crashes and bad disks do is in the files below this one.

mod crashes;
mod sharing;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::clock;
use crate::results::Status;

fn queue(name: &str) -> QueueName {
    QueueName::new(name).unwrap()
}

fn record(status: Status, token: u64) -> Record {
    let mut record = Record::new(JobId::new(), &queue("mail"), status);
    record.token = token;
    record.output = (status == Status::Done).then(|| format!("{{\"n\":{token}}}"));
    record
}

fn done(token: u64) -> Record {
    record(Status::Done, token)
}

/// Buffered, so that tests that are not about the disk do not wait for it.
fn buffered(folder: &Path) -> FileResultsOptions {
    FileResultsOptions::new(folder).durability(Durability::Buffered)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn put(store: &FileResults, record: &Record) -> Result<Put> {
    store.put(std::slice::from_ref(record)).await.map(|puts| puts[0])
}

/// The tokens of a queue's outcomes, read in pages of `limit`.
async fn tokens(store: &FileResults, name: &str, limit: usize) -> Vec<u64> {
    let (mut tokens, mut after) = (Vec::new(), Some(0));
    while let Some(place) = after {
        let (page, next) = store.list(&queue(name), place, limit).await.unwrap();
        assert!(page.len() <= limit && (next.is_none() || !page.is_empty()));
        tokens.extend(page.iter().map(|record| record.token));
        after = next;
    }
    tokens
}

/// How many whole lines each job has in the files of a folder, read as another program would.
fn lines(folder: &Path) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            for line in fs::read_to_string(path).unwrap().lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                *lines.entry(line["id"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
    }
    lines
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_was_put_is_there_after_the_store_was_opened_again() {
    let folder = folder();
    let store = FileResultsOptions::new(folder.path()).open().unwrap();
    assert_eq!(store.caps().durability, Durability::Synced);
    let (first, second) = (done(1), record(Status::Failed, 2));
    assert_eq!(store.put(&[first.clone(), second.clone()]).await.unwrap(), [Put::Stored; 2]);
    drop(store);
    let store = FileResultsOptions::new(folder.path()).open().unwrap();
    assert_eq!(store.get(first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.get(second.id).await.unwrap(), Some(second));
    assert_eq!(store.get(JobId::new()).await.unwrap(), None);
    assert_eq!(put(&store, &first).await.unwrap(), Put::Kept);
}

#[tokio::test]
async fn done_is_final_and_the_last_line_of_a_job_speaks() {
    let folder = folder();
    let store = buffered(folder.path()).open().unwrap();
    let failed = record(Status::Failed, 1);
    let again = Record { token: 2, ..failed.clone() };
    let good = Record { status: Status::Done, token: 3, ..failed.clone() };
    let batch = [failed.clone(), failed.clone(), again.clone(), good.clone(), failed.clone()];
    let answers = [Put::Stored, Put::Kept, Put::Stored, Put::Stored, Put::Kept];
    assert_eq!(store.put(&batch).await.unwrap(), answers);
    for store in [store, buffered(folder.path()).open().unwrap()] {
        assert_eq!(store.get(failed.id).await.unwrap(), Some(good.clone()));
        assert_eq!(put(&store, &again).await.unwrap(), Put::Kept);
        assert_eq!(tokens(&store, "mail", 1).await, [3]);
    }
    assert_eq!(lines(folder.path()).into_values().collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn progress_is_accepted_and_dropped() {
    let folder = folder();
    let store = buffered(folder.path()).open().unwrap();
    assert!(!store.caps().progress);
    let running = record(Status::Running, 1);
    assert_eq!(put(&store, &running).await.unwrap(), Put::Stored);
    assert_eq!(store.get(running.id).await.unwrap(), None);
    let good = Record { status: Status::Done, ..running.clone() };
    assert_eq!(put(&store, &good).await.unwrap(), Put::Stored);
    assert_eq!(put(&store, &running).await.unwrap(), Put::Kept);
    assert_eq!(store.put(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_full_file_is_rotated_and_a_list_goes_across_all_of_them_in_order() {
    let folder = folder();
    let store = buffered(folder.path()).rotate_bytes(1000).open().unwrap();
    let mut failed = Vec::new();
    for token in 1..=20 {
        let record = record(if token % 4 == 0 { Status::Failed } else { Status::Done }, token);
        put(&store, &record).await.unwrap();
        failed.extend((token % 4 == 0).then_some(record));
    }
    for (record, token) in failed.iter().zip(21..) {
        let good = Record { status: Status::Done, token, ..record.clone() };
        put(&store, &good).await.unwrap();
    }
    let files = names(folder.path());
    assert!(files.contains(&"mail.3.jsonl".to_owned()), "{files:?}");
    for file in files {
        assert!(fs::metadata(folder.path().join(&file)).unwrap().len() <= 1000, "{file}");
    }
    let expected: Vec<u64> = (1..=20).filter(|token| token % 4 != 0).chain(21..=25).collect();
    for store in [store, buffered(folder.path()).rotate_bytes(1000).open().unwrap()] {
        for limit in [1, 3, 7, 1000] {
            assert_eq!(tokens(&store, "mail", limit).await, expected);
        }
    }
    assert_eq!(lines(folder.path()).into_values().sum::<usize>(), 25);
}

#[tokio::test]
async fn a_place_inside_a_line_leads_to_the_next_line() {
    let folder = folder();
    let store = buffered(folder.path()).open().unwrap();
    store.put(&[done(1), done(2), done(3)]).await.unwrap();
    let (_, second) = store.list(&queue("mail"), 0, 1).await.unwrap();
    for (place, token) in [(-1, 2), (0, 2), (1, 3), (2, 3)] {
        let place = second.unwrap().checked_add_signed(place).unwrap();
        let (page, _) = store.list(&queue("mail"), place, 1).await.unwrap();
        assert_eq!(page[0].token, token);
    }
    assert_eq!(store.list(&queue("mail"), u64::MAX, 1).await.unwrap(), (Vec::new(), None));
    assert_eq!(store.list(&queue("mail"), 0, 0).await.unwrap().0, []);
}

#[tokio::test]
async fn each_queue_has_its_own_files_even_where_its_name_looks_like_a_rotated_one() {
    let folder = folder();
    let store = buffered(folder.path()).rotate_bytes(1).open().unwrap();
    let of = |name: &str, token| Record { queue: name.to_owned(), ..done(token) };
    store.put(&[of("mail", 1), of("mail.1", 2)]).await.unwrap();
    store.put(&[of("mail", 3), of("mail.1", 4)]).await.unwrap();
    for store in [store, buffered(folder.path()).open().unwrap()] {
        assert_eq!(tokens(&store, "mail", 10).await, [1, 3]);
        assert_eq!(tokens(&store, "mail.1", 10).await, [2, 4]);
        assert!(tokens(&store, "other", 10).await.is_empty());
    }
    assert_eq!(
        names(folder.path()),
        [".lock", "mail%2E1.1.jsonl", "mail%2E1.jsonl", "mail.1.jsonl", "mail.jsonl"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_put_of_this_process_wakes_a_wait_at_once() {
    let folder = folder();
    let store = buffered(folder.path()).open().unwrap();
    let record = done(1);
    let began = clock::now();
    let (waited, stored) = tokio::join!(store.wait(record.id, Duration::MAX), put(&store, &record));
    assert_eq!((waited.unwrap(), stored.unwrap()), (Some(record.clone()), Put::Stored));
    assert!(began.elapsed() < LOOK_MIN, "it did not wait for a look: {:?}", began.elapsed());
    assert_eq!(store.wait(record.id, Duration::ZERO).await.unwrap(), Some(record));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_deadline_with_nothing() {
    let folder = folder();
    let store = buffered(folder.path()).open().unwrap();
    let began = clock::now();
    assert_eq!(store.wait(JobId::new(), Duration::from_secs(3)).await.unwrap(), None);
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn close_ends_what_waits_and_what_comes_later() {
    let folder = folder();
    let store = buffered(folder.path()).open().unwrap();
    let (waited, closed) =
        tokio::join!(store.wait(JobId::new(), Duration::from_secs(3600)), store.close());
    assert_eq!(waited.unwrap_err().kind(), ErrorKind::Closed);
    assert!(closed.is_ok() && store.close().await.is_ok());
    assert_eq!(put(&store, &done(1)).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(store.get(JobId::new()).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn an_output_above_the_limit_is_refused_with_its_whole_batch() {
    let folder = folder();
    let store = buffered(folder.path()).output_bytes_max(7).open().unwrap();
    let error = store.put(&[done(1), done(10)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("output_bytes=8, output_bytes_max=7"), "{error}");
    assert!(lines(folder.path()).is_empty());
}

#[tokio::test]
async fn above_the_limit_of_the_index_a_put_is_unavailable_until_files_are_moved_away() {
    let folder = folder();
    let store = buffered(folder.path()).rotate_bytes(1).index_max(2).open().unwrap();
    let failed = record(Status::Failed, 1);
    put(&store, &failed).await.unwrap();
    put(&store, &done(2)).await.unwrap();
    let error = put(&store, &done(3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("index_max=2"), "{error}");
    // What needs no room has it.
    let good = Record { status: Status::Done, ..failed };
    assert_eq!(put(&store, &good).await.unwrap(), Put::Stored);
    let elsewhere = tempfile::tempdir_in(folder.path()).unwrap();
    fs::rename(folder.path().join("mail.2.jsonl"), elsewhere.path().join("mail.2.jsonl")).unwrap();
    assert_eq!(put(&store, &done(3)).await.unwrap(), Put::Stored);
    assert_eq!(tokens(&store, "mail", 10).await, [1, 3]);
}

#[tokio::test]
async fn a_flat_file_has_the_bare_objects_of_what_is_done() {
    let folder = folder();
    let path = folder.path().join("pages.jsonl");
    let open = || {
        FileResultsOptions::flat_file(&path).durability(Durability::Buffered).rotate_bytes(1).open()
    };
    let store = open().unwrap();
    let page = Record { output: Some("{\"url\":\"a\"}".into()), ..done(1) };
    let other = Record { output: Some("{\"url\":\"b\"}".into()), queue: "x".into(), ..done(2) };
    let text = Record { output: Some("\"no object\"".into()), ..done(3) };
    let failed = record(Status::Failed, 4);
    let batch = [page.clone(), failed.clone(), text, other.clone(), page.clone()];
    let answers = [Put::Stored, Put::Stored, Put::Stored, Put::Stored, Put::Kept];
    assert_eq!(store.put(&batch).await.unwrap(), answers);
    for store in [store, open().unwrap()] {
        assert_eq!(put(&store, &page).await.unwrap(), Put::Kept);
        assert_eq!(store.get(page.id).await.unwrap().unwrap().output, page.output);
        assert_eq!(store.get(failed.id).await.unwrap(), None);
        assert_eq!(store.list(&queue("any"), 0, 10).await.unwrap().0.len(), 2);
    }
    let expected = format!(
        "{{\"id\":\"{}\",\"url\":\"a\"}}\n{{\"id\":\"{}\",\"url\":\"b\"}}\n",
        page.id, other.id
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    assert_eq!(names(folder.path()), ["pages.jsonl", "pages.jsonl.lock"]);
}

#[tokio::test]
async fn results_are_never_forgotten_one_by_one() {
    let folder = folder();
    let store = buffered(folder.path()).open().unwrap();
    assert_eq!(store.forget(JobId::new()).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_created_in_a_folder_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let inner = folder.path().join("a/b");
    let store = buffered(&inner).open().unwrap();
    put(&store, &done(1)).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    assert_eq!((mode(&inner.join("mail.jsonl")), mode(&inner.join(".lock"))), (0o600, 0o600));
}

#[test]
fn options_out_of_range_and_places_that_are_no_folder_are_invalid() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for options in [
        buffered(folder.path()).durability(Durability::Process),
        buffered(folder.path()).rotate_bytes(0),
        buffered(folder.path()).rotate_bytes(FileResultsOptions::ROTATE_BYTES_MAX + 1),
        buffered(folder.path()).output_bytes_max(usize::MAX),
        buffered(&file),
        buffered(&file.join("below")),
        FileResultsOptions::flat_file(folder.path().join("missing/pages.jsonl")),
    ] {
        let error = options.open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
}
