//! A row that the file refuses in a statement that says `OR ROLLBACK`: SQLite ends the transaction there and then.

use handover::Durability;

use super::*;
use crate::sql::statements::ROWS;

#[test]
fn a_row_that_is_refused_takes_everybodys_work_with_it_and_nobody_is_told_otherwise() {
    let mut desk = Desktop::new();
    desk.options = SqliteOptions::default().durability(Durability::Synced);
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 1000);
    let (send, sent) = desk.send(&messages(1), Duration::ZERO);
    writer.group(vec![send]);
    assert_eq!(told(sent).unwrap().durability, Durability::Synced);
    let state = || -> (i64, i64, i64, i64, bool) {
        connection
            .query_row(
                "SELECT accepted, last_seq, (SELECT count(*) FROM job), (SELECT count(*) FROM known), paused FROM queue",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .unwrap()
    };
    let before = state();
    // No such row exists; a constraint is what refuses one in the middle of a statement, and not a trigger.
    for refusal in [
        "CREATE UNIQUE INDEX main.broken ON job(sent + seq - seq) WHERE state = 0",
        "CREATE UNIQUE INDEX main.broken ON known(queue + seq - seq)",
    ] {
        let syncs = writer.post.log.syncs();
        connection.execute_batch(refusal).unwrap();
        let broken = state();
        let (reply, paused) = oneshot::channel();
        let (first, told_first) = desk.send(&messages(3 * ROWS), Duration::ZERO);
        let (second, told_second) = desk.send(&messages(2 * ROWS), Duration::ZERO);
        let (receive, received) = desk.receive(5, Duration::ZERO);
        writer.group(vec![Op::Pause(desk.queue.clone(), true, reply), first, second, receive]);
        for error in [
            told(paused).unwrap_err(),
            told(told_first).unwrap_err(),
            told(told_second).unwrap_err(),
            told(received).err().unwrap(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
        }
        assert!(connection.is_autocommit());
        assert_eq!(state(), broken);
        assert_eq!(writer.post.log.syncs(), syncs, "nothing was promised");
        connection.execute_batch("DROP INDEX broken").unwrap();
    }
    assert_eq!(state(), before);
    let (send, sent) = desk.send(&messages(3 * ROWS), Duration::ZERO);
    writer.group(vec![send]);
    assert_eq!(told(sent).unwrap().durability, Durability::Synced);
    assert_eq!(state().2, before.2 + 3 * to_sql(ROWS));
}

#[test]
fn a_lease_of_many_that_is_refused_leases_none_and_the_next_one_does() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 1000);
    let (send, sent) = desk.send(&messages(20), Duration::ZERO);
    writer.group(vec![send]);
    told(sent).unwrap();
    connection
        .execute_batch("CREATE UNIQUE INDEX main.broken ON job(owner) WHERE state = 1")
        .unwrap();
    let (receive, received) = desk.receive(10, Duration::ZERO);
    writer.group(vec![receive]);
    assert_eq!(told(received).err().unwrap().kind(), ErrorKind::Internal);
    assert!(connection.is_autocommit());
    connection.execute_batch("DROP INDEX broken").unwrap();
    let (receive, received) = desk.receive(10, Duration::ZERO);
    writer.group(vec![receive]);
    let got = unpacked(received);
    assert_eq!(got.len(), 10);
    assert!(got.iter().all(|one| one.attempt == 1));
}

#[test]
fn where_the_disk_is_full_within_a_statement_of_many_rows_what_fits_is_stored_and_the_rest_is_told()
{
    let mut desk = Desktop::new();
    desk.options = SqliteOptions::default().file_bytes_max(400 * 1024);
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 100_000);
    let large = |count: usize| -> Vec<Message> {
        (0..count).map(|_| Message::new(vec![7; 1000])).collect()
    };
    let (mut stored, mut refused) = (0, 0);
    while refused < 3 {
        let batches = [large(2 * ROWS + 1), large(2 * ROWS + 1), large(1)];
        let asked: Vec<_> = batches.iter().map(|batch| desk.send(batch, Duration::ZERO)).collect();
        let (ops, answers): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        writer.group(ops);
        assert!(connection.is_autocommit());
        for (answer, batch) in answers.into_iter().zip(&batches) {
            match told(answer) {
                Ok(_) => stored += to_sql(batch.len()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    refused += 1;
                }
            }
        }
        let counts: (i64, i64, i64) = connection
            .query_row("SELECT ready, accepted, (SELECT count(*) FROM job) FROM queue", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(counts, (stored, stored, stored));
    }
    assert!(stored > 100, "{stored}");
}
