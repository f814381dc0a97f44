//! The places of jobs: in the order of arrival whoever writes, and never given twice in a queue, though the table has gaps and
//! its last rows come and go.

use super::*;
use crate::sql::statements::ROWS;

/// The places and bodies of the jobs of this queue, in the order of the places.
fn jobs(connection: &Connection, queue: &QueueName) -> Vec<(i64, String)> {
    let text = "SELECT seq, CAST(body AS TEXT) FROM job
        WHERE queue = (SELECT id FROM queue WHERE name = ?1) ORDER BY seq";
    let mut found = connection.prepare(text).unwrap();
    let rows = found.query_map([queue.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

fn stored(desk: &Desktop, writer: &mut Writer<'_>, batch: &[Message]) -> Vec<handover::Fate> {
    let (send, sent) = desk.send(batch, Duration::ZERO);
    writer.group(vec![send]);
    told(sent).unwrap().fates
}

fn taken(desk: &Desktop, writer: &mut Writer<'_>, max: usize) -> Vec<Delivery> {
    let (receive, received) = desk.receive(max, Duration::ZERO);
    writer.group(vec![receive]);
    unpacked(received)
}

fn settled(writer: &mut Writer<'_>, got: &[Delivery]) -> Vec<bool> {
    let (settle, answer) = done(got);
    writer.group(vec![settle]);
    told(answer).unwrap().iter().map(Result::is_ok).collect()
}

#[test]
fn two_writers_give_places_in_order_and_none_again_after_the_last_rows_are_gone() {
    let desk = Desktop::new();
    let (ours, theirs) = (desk.connect(), desk.connect());
    let (mut us, mut them) = (desk.writer(&ours), desk.writer(&theirs));
    desk.declare(&mut us, 10_000);
    let mut last = 0;
    for round in 0..6 {
        let writer = if round % 2 == 0 { &mut us } else { &mut them };
        let batch = messages(2 * ROWS + 5);
        stored(&desk, writer, &batch);
        let rows = jobs(&ours, &desk.queue);
        let bodies: Vec<&str> = rows.iter().map(|row| row.1.as_str()).collect();
        let sent: Vec<&str> =
            batch.iter().map(|one| std::str::from_utf8(&one.body).unwrap()).collect();
        assert_eq!(bodies, sent);
        let first = rows[0].0;
        assert!(first > last, "{first} after {last}");
        assert!(rows.iter().map(|row| row.0).eq(first..first + to_sql(batch.len())));
        last = rows.last().unwrap().0;
        // The other one does all of it, so that the table is empty.
        let other = if round % 2 == 0 { &mut them } else { &mut us };
        let got = taken(&desk, other, batch.len());
        assert!(settled(other, &got).into_iter().all(|ok| ok));
        assert!(jobs(&ours, &desk.queue).is_empty());
    }
}

#[test]
fn a_job_in_the_place_that_one_of_another_queue_had_is_not_taken_for_it() {
    let mut desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 10_000);
    let first = desk.queue.clone();
    let sent = messages(2 * ROWS);
    stored(&desk, &mut writer, &sent);
    let places: Vec<i64> = jobs(&connection, &first).into_iter().map(|job| job.0).collect();
    let got = taken(&desk, &mut writer, 2 * ROWS);
    assert!(settled(&mut writer, &got).into_iter().all(|ok| ok));
    desk.queue = "other".parse().unwrap();
    desk.declare(&mut writer, 10_000);
    stored(&desk, &mut writer, &messages(2 * ROWS));
    let theirs = taken(&desk, &mut writer, 2 * ROWS);
    let again = jobs(&connection, &desk.queue);
    assert!(again.iter().map(|job| job.0).eq(places), "the table was empty");
    // A late owner, by the place and by the id; a second send; a person.
    assert!(settled(&mut writer, &got).into_iter().all(|ok| !ok));
    let mut by_id = got;
    by_id.iter_mut().for_each(|one| one.receipt.handle.clear());
    assert!(settled(&mut writer, &by_id).into_iter().all(|ok| !ok));
    let (reply, deleted) = oneshot::channel();
    writer.group(vec![Op::Delete(sent[0].id, reply)]);
    assert!(!told(deleted).unwrap());
    assert_eq!(jobs(&connection, &desk.queue), again);
    desk.queue = first;
    assert!(
        stored(&desk, &mut writer, &sent).iter().all(|fate| *fate == handover::Fate::Duplicate)
    );
    assert!(settled(&mut writer, &theirs).into_iter().all(|ok| ok), "the owner of now");
}
