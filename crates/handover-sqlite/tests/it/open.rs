//! Opening: what is created, what is refused, and what the caller is told.

use handover::{ErrorKind, Inspect};
use handover_sqlite::{SqliteOptions, open};
use rusqlite::Connection;

use crate::child::Actor;
use crate::support::Bench;

/// Opens the file and expects to be refused.
fn refused(bench: &Bench, kind: ErrorKind, says: &str) {
    let error = SqliteOptions::default().open(bench.path()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.to_string().contains(says), "{error}");
    assert_eq!((error.operation_name(), error.broker_name()), (Some("open"), Some("sqlite")));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let bench = Bench::new();
    let letter = "Dear reader, this is a letter and not a database. ".repeat(100);
    std::fs::write(bench.path(), &letter).unwrap();
    refused(&bench, ErrorKind::Invalid, "not a database");
    assert_eq!(std::fs::read_to_string(bench.path()).unwrap(), letter);
    assert_eq!(std::fs::read_dir(bench.folder.path()).unwrap().count(), 1);
}

#[test]
fn an_address_is_refused_and_not_taken_for_a_path() {
    for address in ["file:handover.db", "file:///handover.db?mode=ro"] {
        let error = handover_sqlite::open(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("leave out `file:`"), "{error}");
    }
}

#[test]
fn a_database_of_another_application_is_refused_and_left_alone() {
    let bench = Bench::new();
    let other = Connection::open(bench.path()).unwrap();
    other.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    refused(&bench, ErrorKind::Invalid, "another application");
    let mode: String = other.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
}

#[test]
fn a_file_of_a_newer_format_is_refused_and_both_versions_are_named() {
    let bench = Bench::new();
    drop(bench.open());
    let newer = Connection::open(bench.path()).unwrap();
    newer.pragma_update(None, "user_version", 7).unwrap();
    refused(&bench, ErrorKind::Unsupported, "format_of_file=7, format_of_this_handover=1");
}

#[tokio::test]
async fn a_process_that_has_the_file_open_stops_when_another_brings_it_to_a_newer_format() {
    let bench = Bench::new();
    let (_file, broker) = bench.broker(10).await;
    broker.queues().await.unwrap();
    let newer = Connection::open(bench.path()).unwrap();
    newer.pragma_update(None, "user_version", 7).unwrap();
    let error = broker.queues().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    let error = handover::BrokerExt::send_one(
        &broker,
        &bench.queue,
        handover::Message::new("a"),
        handover::Room::now(),
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
}

#[test]
fn a_missing_folder_a_folder_and_a_missing_file_are_told_apart() {
    let bench = Bench::new();
    let missing = open(bench.folder.path().join("no").join("a.db")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Invalid);
    assert!(missing.to_string().contains("create it first"), "{missing}");
    let folder = open(bench.folder.path()).unwrap_err();
    assert!(folder.to_string().contains("is a folder"), "{folder}");
    let absent = SqliteOptions::default().create(false).open(bench.path()).unwrap_err();
    assert!(absent.to_string().contains("no such database file"), "{absent}");
    assert!(!bench.path().exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_may_not_be_written_is_refused_when_it_is_opened() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.open().close().await.unwrap();
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(bench.folder.path(), mode(0o755)).unwrap();
    std::fs::set_permissions(bench.path(), mode(0o444)).unwrap();
    // The superuser may write anything: then somebody else has to try.
    let writable = std::fs::File::options().append(true).open(bench.path()).is_ok();
    let nobody = writable.then_some(65534);
    let mut other = Actor::start_as("open", &bench.path(), nobody);
    let said = other.says("failed").await;
    assert!(said.starts_with("invalid"), "{said}");
    assert!(said.contains("read-only"), "{said}");
}

#[tokio::test]
async fn two_processes_may_create_the_same_file_at_once() {
    for _ in 0..5 {
        let bench = Bench::new();
        let mut processes: Vec<Actor> =
            (0..4).map(|_| Actor::start("open", &bench.path())).collect();
        for process in &mut processes {
            process.says("opened").await;
        }
        let queues = bench.open().broker().queues().await.unwrap();
        assert_eq!(queues.len(), 1);
    }
}

#[test]
fn an_owner_without_a_name_is_refused() {
    let bench = Bench::new();
    for owner in ["", &"x".repeat(201)] {
        let error = SqliteOptions::default().owner(owner).open(bench.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

/// The format is a promise: a change here needs a migration and a new version. `HANDOVER_BLESS=1` writes the snapshot anew.
#[test]
fn the_format_is_the_one_in_the_snapshot() {
    let bench = Bench::new();
    drop(bench.open());
    let connection = Connection::open(bench.path()).unwrap();
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let mut dump = format!(
        "-- application_id {:#x}, user_version {}, page_size {}\n",
        number("application_id").unwrap(),
        number("user_version").unwrap(),
        number("page_size").unwrap()
    );
    let mut list = connection
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")
        .unwrap();
    let mut found = list.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        dump.push_str(&row.get::<_, String>(0).unwrap());
        dump.push_str(";\n");
    }
    let snapshot = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/schema.sql");
    if std::env::var_os("HANDOVER_BLESS").is_some() {
        std::fs::write(snapshot, &dump).unwrap();
    }
    assert_eq!(dump, std::fs::read_to_string(snapshot).unwrap());
}
