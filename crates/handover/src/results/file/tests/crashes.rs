//! Torn lines, damaged ones, and disks that refuse.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Lets the calls from number `first` on fail, `count` of them. A failed append has written half of its bytes.
#[derive(Debug, Default)]
pub(super) struct ClumsyHands {
    first: usize,
    count: usize,
    calls: AtomicUsize,
    syncs: AtomicUsize,
    panics: bool,
}

impl ClumsyHands {
    pub(super) fn failing(first: usize, count: usize) -> Arc<Self> {
        Arc::new(Self { first, count, ..Self::default() })
    }

    pub(super) fn syncs(&self) -> usize {
        self.syncs.load(Ordering::SeqCst)
    }

    fn call(&self) -> io::Result<()> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if call < self.first || call - self.first >= self.count {
            return Ok(());
        }
        assert!(!self.panics, "a bug");
        Err(io::ErrorKind::StorageFull.into())
    }
}

impl Hands for ClumsyHands {
    fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.call() {
            file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.call()?;
        file.sync_data()
    }

    fn cut(&self, file: &File, bytes: u64) -> io::Result<()> {
        self.call()?;
        file.set_len(bytes)
    }
}

/// A folder with three outcomes of one queue, and the text of its file.
async fn three() -> (TempDir, Vec<Record>, String) {
    let folder = folder();
    let records: Vec<Record> = (1..=3).map(done).collect();
    buffered(folder.path()).open().unwrap().put(&records).await.unwrap();
    let text = fs::read_to_string(folder.path().join("mail.jsonl")).unwrap();
    (folder, records, text)
}

#[tokio::test]
async fn a_line_torn_at_any_byte_is_cut_off_and_its_put_works_again() {
    let (folder, records, text) = three().await;
    let path = folder.path().join("mail.jsonl");
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    for torn in last..=text.len() {
        for zeros in [0, 7] {
            let mut left = text.as_bytes()[..torn].to_vec();
            left.resize(torn + if torn < text.len() { zeros } else { 0 }, 0);
            fs::write(&path, &left).unwrap();
            let store = buffered(folder.path()).open().unwrap();
            assert_eq!(tokens(&store, "mail", 10).await[..2], [1, 2]);
            let whole = torn >= text.len() - 1 && (zeros == 0 || torn == text.len());
            let answer = if whole { Put::Kept } else { Put::Stored };
            assert_eq!(put(&store, &records[2]).await.unwrap(), answer, "torn at {torn}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}

#[tokio::test]
async fn a_running_handle_cuts_off_what_the_crash_of_another_tore() {
    let (folder, _, text) = three().await;
    let store = buffered(folder.path()).open().unwrap();
    let mut file = File::options().append(true).open(folder.path().join("mail.jsonl")).unwrap();
    file.write_all(&text.as_bytes()[..50]).unwrap();
    put(&store, &done(4)).await.unwrap();
    assert_eq!(tokens(&store, "mail", 10).await, [1, 2, 3, 4]);
    assert_eq!(lines(folder.path()).len(), 4);
}

#[tokio::test]
async fn a_damaged_line_is_an_error_that_names_it_until_it_is_mended() {
    let (folder, records, text) = three().await;
    let path = folder.path().join("mail.jsonl");
    let check = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
        assert!(error.to_string().contains("mail.jsonl, line=2,"), "{error}");
    };
    let damaged = text.replacen("\"token\":2", "\"token\":x", 1);
    fs::write(&path, &damaged).unwrap();
    check(buffered(folder.path()).open().unwrap_err());

    fs::write(&path, &text).unwrap();
    let store = buffered(folder.path()).open().unwrap();
    fs::write(&path, &damaged).unwrap();
    check(store.get(records[1].id).await.unwrap_err());
    check(store.list(&queue("mail"), 0, 10).await.unwrap_err());
    assert_eq!(store.get(records[2].id).await.unwrap().unwrap().token, 3);

    fs::write(&path, text.lines().next().unwrap().to_owned() + "\n").unwrap();
    assert_eq!(tokens(&store, "mail", 10).await, [1]);
    fs::write(&path, &damaged).unwrap();
    for _ in 0..2 {
        check(put(&store, &records[2]).await.unwrap_err());
        check(store.get(records[2].id).await.unwrap_err());
    }
    fs::write(&path, &text).unwrap();
    assert_eq!(put(&store, &records[2]).await.unwrap(), Put::Kept);
}

#[tokio::test]
async fn a_damaged_rotated_file_is_reported_each_time() {
    let (folder, _, text) = three().await;
    let store = buffered(folder.path()).open().unwrap();
    fs::rename(folder.path().join("mail.jsonl"), folder.path().join("mail.1.jsonl")).unwrap();
    fs::write(folder.path().join("mail.1.jsonl"), text + "{\"v\":1,").unwrap();
    for _ in 0..3 {
        let error = put(&store, &done(4)).await.unwrap_err();
        assert!(error.to_string().contains("mail.1.jsonl, line=4"), "{error}");
    }
}

#[test]
fn a_file_of_somebody_else_is_refused_and_not_changed() {
    let folder = folder();
    for text in ["notes", "{\"url\":1}", "{\"url\":1}\n", "a\nb", "{\"id\":\"no job\"}\n"] {
        let path = folder.path().join("notes.txt");
        fs::write(&path, text).unwrap();
        let error = FileResultsOptions::flat_file(&path).open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn lines_of_a_newer_version_are_unsupported() {
    let folder = folder();
    fs::write(folder.path().join("mail.jsonl"), "{\"v\":2}\n").unwrap();
    let error = buffered(folder.path()).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("version=2"), "{error}");
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_leaves_no_part_of_a_line() {
    let (folder, _, text) = three().await;
    let hands = ClumsyHands::failing(0, 1);
    let store = buffered(folder.path()).open_with(hands).unwrap();
    let error = store.put(&[done(4), done(5)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("make room"), "{error}");
    assert_eq!(fs::read_to_string(folder.path().join("mail.jsonl")).unwrap(), text);
    store.put(&[done(4), done(5)]).await.unwrap();
    assert_eq!(tokens(&store, "mail", 10).await, [1, 2, 3, 4, 5]);
}

/// Every call of a short script fails in turn, alone and with those behind it. After each failure the same put works
/// again, with the same handle, and another handle never sees anything but whole lines.
#[tokio::test]
async fn whichever_call_the_disk_refuses_nothing_is_lost_torn_or_doubled() {
    for first in 0..14 {
        for count in 1..=4 {
            let folder = folder();
            let open = || FileResultsOptions::new(folder.path()).rotate_bytes(600);
            let store = open().open_with(ClumsyHands::failing(first, count)).unwrap();
            let other = open().open().unwrap();
            let mut expected = Vec::new();
            for token in 1..=4 {
                let batch =
                    [done(10 * token), Record { queue: "other".into(), ..done(10 * token + 1) }];
                expected.push(10 * token);
                for failures in 0.. {
                    assert!(failures <= count, "it works again");
                    match store.put(&batch).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
                    }
                    if failures == 1 {
                        put(&other, &batch[0]).await.unwrap();
                    }
                }
                assert_eq!(tokens(&other, "mail", 10).await, expected, "{first} {count}");
            }
            for store in [store, other, open().open().unwrap()] {
                assert_eq!(tokens(&store, "mail", 10).await, expected, "{first} {count}");
            }
            let lines = lines(folder.path());
            assert!(lines.len() == 8 && lines.values().all(|count| *count == 1), "{first} {count}");
        }
    }
}

#[tokio::test]
async fn a_line_whose_sync_failed_is_taken_back() {
    let (folder, _, text) = three().await;
    let store =
        FileResultsOptions::new(folder.path()).open_with(ClumsyHands::failing(1, 1)).unwrap();
    let record = done(4);
    assert_eq!(put(&store, &record).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(fs::read_to_string(folder.path().join("mail.jsonl")).unwrap(), text);
    assert_eq!(store.get(record.id).await.unwrap(), None);
    assert_eq!(put(&store, &record).await.unwrap(), Put::Stored);
}

#[tokio::test]
async fn a_record_that_is_kept_is_synced_before_that_is_said() {
    let (folder, records, _) = three().await;
    let hands = ClumsyHands::failing(0, 1);
    let store = FileResultsOptions::new(folder.path()).open_with(Arc::clone(&hands) as _).unwrap();
    assert_eq!(put(&store, &records[0]).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(put(&store, &records[0]).await.unwrap(), Put::Kept);
    assert_eq!(put(&store, &records[2]).await.unwrap(), Put::Kept);
    assert_eq!(hands.syncs(), 2, "one that failed, and one for the file");
}

#[tokio::test]
async fn a_panic_at_the_files_is_an_error_and_the_next_put_works() {
    let (folder, _, _) = three().await;
    let hands = Arc::new(ClumsyHands { count: 1, panics: true, ..ClumsyHands::default() });
    let store = buffered(folder.path()).open_with(hands).unwrap();
    let record = done(4);
    assert_eq!(put(&store, &record).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(put(&store, &record).await.unwrap(), Put::Stored);
    assert_eq!(tokens(&store, "mail", 10).await, [1, 2, 3, 4]);
}

#[test]
fn a_runtime_that_ends_before_the_append_leaves_the_store_usable() {
    let folder = folder();
    let store = buffered(folder.path()).open().unwrap();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    // The only thread of the pool is busy, so the leader is never begun.
    first.spawn_blocking(move || blocked.recv());
    let record = done(1);
    first.block_on(async {
        let mut put = store.put(std::slice::from_ref(&record));
        std::future::poll_fn(|context| {
            assert!(put.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    });
    first.shutdown_background();
    drop(release);
    // The pool drops the leader some time now. A put that came before that is told to put again.
    let second = runtime();
    let answer = loop {
        match second.block_on(put(&store, &record)) {
            Ok(answer) => break answer,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        }
    };
    assert_eq!(answer, Put::Stored);
}
