//! Several handles on the same files: in threads here, as in other processes, because the lock does not tell them apart.

use std::sync::Barrier;
use std::thread;

use super::crashes::ClumsyHands;
use super::*;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn handles_that_race_for_the_same_jobs_write_one_line_each() {
    const HANDLES: usize = 4;
    let folder = folder();
    let records: Vec<Record> = (1..=200).map(done).collect();
    let start = Barrier::new(HANDLES);
    let stored: usize = thread::scope(|scope| {
        let race = |seed: usize| {
            let (mut records, start, folder) = (records.clone(), &start, folder.path());
            scope.spawn(move || {
                fastrand::Rng::with_seed(seed as u64).shuffle(&mut records);
                let store = buffered(folder).rotate_bytes(5_000).open().unwrap();
                start.wait();
                let mut stored = 0;
                for batch in records.chunks(seed + 1) {
                    let puts = block_on(store.put(batch)).unwrap();
                    stored += puts.iter().filter(|put| **put == Put::Stored).count();
                }
                for record in &records {
                    assert_eq!(block_on(store.get(record.id)).unwrap().as_ref(), Some(record));
                }
                stored
            })
        };
        let races: Vec<_> = (0..HANDLES).map(race).collect();
        races.into_iter().map(|race| race.join().unwrap()).sum()
    });
    assert_eq!(stored, records.len());
    let lines = lines(folder.path());
    assert_eq!(lines.len(), records.len());
    assert!(lines.values().all(|count| *count == 1));
    assert!(names(folder.path()).len() > 5, "the files were rotated meanwhile");
}

#[tokio::test]
async fn a_handle_follows_what_another_one_appends_and_rotates() {
    let folder = folder();
    let writer = buffered(folder.path()).rotate_bytes(300).open().unwrap();
    let reader = buffered(folder.path()).rotate_bytes(300).open().unwrap();
    let mut records = Vec::new();
    for token in 1..=12 {
        records.push(done(token));
        put(&writer, &records[records.len() - 1]).await.unwrap();
        if token % 5 == 0 {
            assert_eq!(put(&reader, &records[0]).await.unwrap(), Put::Kept);
            records.push(done(100 + token));
            put(&reader, &records[records.len() - 1]).await.unwrap();
        }
    }
    for store in [writer, reader] {
        let expected: Vec<u64> = records.iter().map(|record| record.token).collect();
        assert_eq!(tokens(&store, "mail", 4).await, expected);
        for record in &records {
            assert_eq!(store.get(record.id).await.unwrap().as_ref(), Some(record));
        }
    }
}

#[tokio::test]
async fn a_wait_sees_what_another_handle_puts() {
    let folder = folder();
    let writer = buffered(folder.path()).open().unwrap();
    let reader = Arc::new(buffered(folder.path()).open().unwrap());
    let records: Vec<Record> =
        (0..3).map(|token| Record { queue: format!("q{token}"), ..done(token) }).collect();
    let waits: Vec<_> = records
        .iter()
        .map(|record| {
            let (reader, id) = (Arc::clone(&reader), record.id);
            tokio::spawn(async move { reader.wait(id, Duration::MAX).await.unwrap() })
        })
        .collect();
    writer.put(&records).await.unwrap();
    for (wait, record) in waits.into_iter().zip(records) {
        assert_eq!(wait.await.unwrap(), Some(record));
    }
}

#[tokio::test]
async fn files_that_a_person_moved_away_are_forgotten_by_all_handles() {
    let folder = folder();
    let stores = [0, 1].map(|_| buffered(folder.path()).rotate_bytes(1).open().unwrap());
    let records: Vec<Record> = (1..=4).map(done).collect();
    for record in &records {
        put(&stores[0], record).await.unwrap();
    }
    assert_eq!(tokens(&stores[1], "mail", 10).await, [1, 2, 3, 4]);
    fs::remove_file(folder.path().join("mail.1.jsonl")).unwrap();
    fs::remove_file(folder.path().join("mail.3.jsonl")).unwrap();
    for store in &stores {
        assert_eq!(tokens(store, "mail", 10).await, [2, 4]);
        assert_eq!(store.get(records[0].id).await.unwrap(), None);
    }
    put(&stores[1], &records[0]).await.unwrap();
    assert_eq!(tokens(&stores[0], "mail", 10).await, [2, 4, 1]);
    fs::write(folder.path().join("mail.jsonl"), "").unwrap();
    assert_eq!(tokens(&stores[0], "mail", 10).await, [2, 4]);
}

#[tokio::test]
async fn puts_that_wait_at_the_same_time_share_one_append_and_one_sync() {
    let folder = folder();
    let hands = ClumsyHands::failing(0, 0);
    let options = FileResultsOptions::new(folder.path());
    let store = Arc::new(options.open_with(Arc::clone(&hands) as _).unwrap());
    let held = hold(folder.path());
    let first = [done(0)];
    let mut first = store.put(&first);
    assert!(poll_once(first.as_mut()).await);
    // The leader stands at the gate with the first alone, and the others gather behind.
    until(|| store.shared.batches() == 0).await;
    let puts: Vec<_> = (1..=50)
        .map(|token| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { put(&store, &done(token)).await.unwrap() })
        })
        .collect();
    until(|| store.shared.batches() == 50).await;
    drop(held);
    assert_eq!(first.await.unwrap(), [Put::Stored]);
    for put in puts {
        assert_eq!(put.await.unwrap(), Put::Stored);
    }
    assert_eq!(hands.syncs(), 2);
    assert_eq!(tokens(&store, "mail", 1000).await, (0..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_put_dropped_while_it_waits_stores_nothing_and_one_dropped_later_stores_all() {
    let folder = folder();
    let store = Arc::new(buffered(folder.path()).open().unwrap());
    let held = hold(folder.path());
    let (taken, waiting) = ([done(1), done(2)], [done(3), done(4)]);

    let mut first = store.put(&taken);
    assert!(poll_once(first.as_mut()).await);
    // The leader has taken it and stands at the gate.
    until(|| store.shared.batches() == 0).await;
    drop(first);
    let mut second = store.put(&waiting);
    assert!(poll_once(second.as_mut()).await);
    drop(second);
    drop(held);

    put(&store, &done(5)).await.unwrap();
    assert_eq!(tokens(&store, "mail", 10).await, [1, 2, 5]);
    assert_eq!(lines(folder.path()).len(), 3);
}

/// Holds the lock of a folder, as another process would.
fn hold(folder: &Path) -> gate::Entered {
    let gate = gate::Gate::open(folder.join(".lock"), layout::Access::Private).unwrap();
    gate.enter().unwrap()
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

/// True where the future is not ready yet.
async fn poll_once<T>(mut future: std::pin::Pin<&mut (dyn Future<Output = T> + Send)>) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(future.as_mut().poll(context).is_pending())
    })
    .await
}
