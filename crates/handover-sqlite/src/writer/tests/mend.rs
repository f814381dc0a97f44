//! The log after the disk failed: written over itself where it is whole, and left alone where the disk lost a part of it.

use std::path::PathBuf;

use handover::Fate;

use super::*;

const HEADER: usize = 32;
const FRAME: usize = 24 + 8192;

impl Desktop {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> Vec<u8> {
        std::fs::read(self.file("handover.db-wal")).unwrap()
    }

    fn set_log(&self, bytes: &[u8]) {
        std::fs::write(self.file("handover.db-wal"), bytes).unwrap();
    }

    fn send_one(&self, writer: &mut Writer<'_>, message: &[Message]) -> Result<Fate> {
        let (send, sent) = self.send(message, Duration::ZERO);
        writer.group(vec![send]);
        told(sent).map(|sent| sent.fates[0])
    }
}

/// Where the last page ends that is committed.
fn end(connection: &Connection) -> usize {
    let pages = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get::<_, i64>(1));
    HEADER + FRAME * usize::try_from(pages.unwrap()).unwrap()
}

/// This log, as the system may read it after it dropped what the disk did not take. All of it is committed.
fn with_a_loss(whole: &[u8]) -> Vec<(String, Vec<u8>)> {
    let pages = (whole.len() - HEADER) / FRAME;
    let mut lost = Vec::new();
    let mut lose = |what: String, from: usize, bytes: &[u8]| {
        let mut log = whole.to_vec();
        log[from..from + bytes.len()].copy_from_slice(bytes);
        if log != whole {
            lost.push((what, log));
        }
    };
    for page in 0..pages {
        let at = HEADER + page * FRAME;
        lose(format!("page {page} is zeros"), at, &[0; FRAME]);
        lose(format!("page {page} has a sector of zeros"), at + FRAME - 512, &[0; 512]);
        lose(
            format!("page {page} is another one"),
            at,
            &whole[HEADER..][(page + 1) % pages * FRAME..][..FRAME],
        );
        let mut older = whole[at..at + FRAME].to_vec();
        older[8] ^= 1;
        lose(format!("page {page} is of an earlier log"), at, &older);
    }
    lose("the header is zeros".to_owned(), 0, &[0; HEADER]);
    lost.push(("it is cut off".to_owned(), whole[..whole.len() / 2].to_vec()));
    lost.push(("its last byte is missing".to_owned(), whole[..whole.len() - 1].to_vec()));
    lost.push(("it is empty".to_owned(), Vec::new()));
    lost
}

#[test]
fn a_log_that_lost_a_page_stays_distrusted_and_as_it_is_until_it_is_whole_again() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 100);
    desk.send_one(&mut writer, &messages(1)).unwrap();
    let (whole, database) = (desk.log(), std::fs::read(desk.file("handover.db")).unwrap());
    assert!(whole.len() > 4 * FRAME);
    let another = messages(1);
    for (what, log) in with_a_loss(&whole) {
        desk.set_log(&log);
        writer.post.log.distrust();
        let error = desk.send_one(&mut writer, &another).expect_err(&what);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}: {error}");
        assert!(error.to_string().contains("lost a part of its log"), "{what}: {error}");
        writer.post.log.sync().expect_err(&what);
        writer.post.log.has_pages(10_000);
        writer.copy_log_back();
        assert!(writer.post.log.is_distrusted(), "{what}");
        assert!(desk.log() == log, "nothing was written where {what}");
        assert!(std::fs::read(desk.file("handover.db")).unwrap() == database, "{what}");
    }
    desk.set_log(&whole);
    assert_eq!(desk.send_one(&mut writer, &another).unwrap(), Fate::Stored);
    assert!(!writer.post.log.is_distrusted());
    assert!(desk.log().starts_with(&whole));
}

#[test]
fn what_was_committed_before_the_loss_is_there_when_everybody_has_left() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 100);
    let (first, second) = (messages(1), messages(1));
    desk.send_one(&mut writer, &first).unwrap();
    let end = desk.log().len();
    desk.send_one(&mut writer, &second).unwrap();
    let mut log = desk.log();
    log[end..end + FRAME].fill(0);
    desk.set_log(&log);
    writer.post.log.distrust();
    desk.send_one(&mut writer, &second).unwrap_err();
    drop(writer);
    let kept = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(kept, true).unwrap();
    connection.close().unwrap();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    assert_eq!(desk.send_one(&mut writer, &first).unwrap(), Fate::Duplicate);
    assert_eq!(desk.send_one(&mut writer, &second).unwrap(), Fate::Stored, "it was not confirmed");
}

#[test]
fn pages_that_nobody_committed_and_those_of_an_earlier_log_do_not_keep_it_from_being_mended() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 100);
    let mend = |writer: &mut Writer<'_>, when: &str| {
        let before = desk.log();
        writer.post.log.distrust();
        writer.mend_at_once();
        assert!(!writer.post.log.is_distrusted(), "{when}");
        assert!(desk.log() == before, "{when}");
    };
    // With so small a cache, pages are written before the commit, and again when they change again.
    connection.pragma_update(None, "cache_size", 10).unwrap();
    let many = "BEGIN;
        CREATE TABLE many AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100)
            SELECT n, hex(randomblob(2000)) AS text FROM c;
        UPDATE many SET text = hex(randomblob(1999)); UPDATE many SET text = hex(randomblob(2000));";
    connection.execute_batch(&format!("{many} COMMIT; DROP TABLE many")).unwrap();
    mend(&mut writer, "after a commit of pages that were written twice");
    connection.execute_batch(&format!("{many} ROLLBACK")).unwrap();
    assert!(
        desk.log().len() > end(&connection) + 10 * FRAME,
        "something was left behind the last commit"
    );
    mend(&mut writer, "after a transaction was rolled back");
    desk.send_one(&mut writer, &messages(1)).unwrap();
    mend(&mut writer, "after a commit over some of that");
    assert!(writer.checkpoint("RESTART"));
    mend(&mut writer, "after all was copied back");
    desk.send_one(&mut writer, &messages(1)).unwrap();
    assert!(end(&connection) < 20 * FRAME, "it was begun anew");
    mend(&mut writer, "after it was begun anew");
}

#[test]
fn to_ask_how_long_the_log_is_copies_nothing_of_it_back() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 100);
    desk.send_one(&mut writer, &messages(1)).unwrap();
    let (log, database) = (desk.log(), std::fs::read(desk.file("handover.db")).unwrap());
    super::super::mend::write_over(&connection, &writer.post.log).unwrap().unwrap();
    assert!(desk.log() == log);
    assert!(std::fs::read(desk.file("handover.db")).unwrap() == database);
    assert!(connection.is_autocommit());
}

#[test]
fn pages_of_a_transaction_that_was_rolled_back_in_the_place_of_committed_ones_are_a_loss() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 100);
    connection.pragma_update(None, "cache_size", 10).unwrap();
    let many = "CREATE TABLE many AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100)
        SELECT n, hex(randomblob(2000)) AS text FROM c";
    connection.execute_batch(many).unwrap();
    let begin = desk.log().len();
    connection
        .execute_batch("BEGIN; UPDATE many SET text = hex(randomblob(2000)); ROLLBACK")
        .unwrap();
    let rolled_back = desk.log();
    desk.send_one(&mut writer, &messages(1)).unwrap();
    let end = end(&connection);
    let whole = desk.log();
    // Somebody synced the first, and the disk did not take the second.
    let mut log = whole.clone();
    log[begin..end].copy_from_slice(&rolled_back[begin..end]);
    let mut chain = chain::Chain::begin(log.first_chunk().unwrap()).unwrap();
    assert!(begin < end && log[HEADER..end].chunks(FRAME).all(|page| chain.goes_on(page)));
    desk.set_log(&log);
    writer.post.log.distrust();
    writer.mend_at_once();
    assert!(writer.post.log.is_distrusted());
    desk.set_log(&whole);
    writer.mend_at_once();
    assert!(!writer.post.log.is_distrusted());
}
