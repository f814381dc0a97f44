//! What a tick finds, and what it spares. The time of the log is set back, so that it counts as left alone.

use std::time::UNIX_EPOCH;

use super::*;

impl Desktop {
    /// As if nobody had written to the log for a minute.
    fn leave_alone(&self) {
        let log = std::fs::File::options()
            .write(true)
            .open(self.folder.path().join("handover.db-wal"))
            .unwrap();
        let now = Duration::from_millis(clock::wall_ms());
        log.set_modified(UNIX_EPOCH + now - Duration::from_secs(60)).unwrap();
    }

    fn has_bells(&self) -> bool {
        self.folder.path().join("handover.db-bell").exists()
    }

    /// Takes the bells away, so that nobody can be rung.
    fn take_bells(&self) {
        std::fs::remove_dir_all(self.folder.path().join("handover.db-bell")).unwrap();
    }
}

fn tick(writer: &mut Writer<'_>) {
    writer.look_at = Some(clock::now());
    writer.group(Vec::new());
}

#[test]
fn a_commit_whose_ring_nobody_heard_is_found_by_the_tick_and_a_log_left_alone_is_not_looked_into() {
    let desk = Desktop::new();
    let (ours, theirs) = (desk.connect(), desk.connect());
    let (mut us, mut them) = (desk.writer(&ours), desk.writer(&theirs));
    desk.declare(&mut us, 10);
    let (receive, mut asleep) = desk.receive(1, Duration::from_secs(600));
    us.group(vec![receive]);
    tick(&mut us);
    assert!(us.glance.is_none(), "the log was just written");
    desk.leave_alone();
    tick(&mut us);
    assert!(us.glance.is_some());
    // A look would hang the bell up again.
    desk.take_bells();
    tick(&mut us);
    assert!(!desk.has_bells(), "this tick looked at nothing");
    assert!(us.look_at.unwrap() > clock::now() + TICK, "the next one comes later");
    // They commit and cannot ring, as if they had been killed in between.
    let (send, sent) = desk.send(&messages(1), Duration::ZERO);
    them.group(vec![send]);
    told(sent).unwrap();
    assert!(asleep.try_recv().is_err());
    tick(&mut us);
    assert!(desk.has_bells(), "who comes next can ring");
    assert_eq!(unpacked(asleep).len(), 1);
}

#[test]
fn a_commit_to_a_log_that_was_begun_anew_and_is_as_long_as_before_is_found_by_the_tick() {
    let desk = Desktop::new();
    let (ours, theirs) = (desk.connect(), desk.connect());
    let (mut us, mut them) = (desk.writer(&ours), desk.writer(&theirs));
    desk.declare(&mut us, 10);
    let (receive, mut asleep) = desk.receive(1, Duration::from_secs(600));
    us.group(vec![receive]);
    desk.take_bells();
    for capacity in 11..30 {
        desk.declare(&mut them, capacity);
    }
    assert!(them.checkpoint("RESTART"), "the next commit begins at the start of the file");
    desk.leave_alone();
    tick(&mut us);
    assert!(us.glance.is_some() && asleep.try_recv().is_err());
    desk.take_bells();
    let before = us.post.log.stamp().unwrap();
    let (send, sent) = desk.send(&messages(1), Duration::ZERO);
    them.group(vec![send]);
    told(sent).unwrap();
    let after = us.post.log.stamp().unwrap();
    assert!(before.bytes == after.bytes && before != after);
    tick(&mut us);
    assert_eq!(unpacked(asleep).len(), 1);
}

#[test]
fn a_tick_wakes_for_what_is_due_however_still_the_log_is() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 10);
    let later = messages(1).remove(0).with_delay(Duration::from_millis(1));
    let (send, sent) = desk.send(&[later], Duration::ZERO);
    let (receive, asleep) = desk.receive(1, Duration::from_secs(600));
    writer.group(vec![send, receive]);
    told(sent).unwrap();
    desk.leave_alone();
    tick(&mut writer);
    // Nothing was due at that look, or it was, and is handed out already.
    let due = writer.dues.values().flatten().min().copied();
    while due.is_some_and(|due| writer.post.who.time.now_ms() < due) {
        std::thread::yield_now();
    }
    tick(&mut writer);
    assert_eq!(unpacked(asleep).len(), 1);
}

#[test]
fn after_a_look_that_failed_the_next_tick_looks_again() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 10);
    let (receive, _asleep) = desk.receive(1, Duration::from_secs(600));
    writer.group(vec![receive]);
    tick(&mut writer);
    desk.leave_alone();
    tick(&mut writer);
    assert!(writer.glance.is_some());
    writer.rest();
    assert!(writer.glance.is_none());
}
