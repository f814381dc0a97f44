//! The writer without its thread: each test says what shares a transaction, which callers cannot.

use std::time::Duration;

use handover::{
    Delivery, Durability, ErrorKind, Message, QueueSettings, Record, Sent, Settle, Status,
};
use tempfile::TempDir;
use tokio::sync::oneshot;

mod copy;
mod mend;
mod places;
mod refused;
mod tick;

use super::op::{Parcelled, ReceiveOp, SendOp};
use super::*;
use crate::SqliteOptions;
use crate::connect;
use crate::file_time::FileTime;
use crate::sql::send::Batch;

const LEASE_MS: i64 = 600_000;

/// A file in a folder of its own, and a queue in it.
struct Desktop {
    folder: TempDir,
    queue: QueueName,
    options: SqliteOptions,
}

type Answer<T> = oneshot::Receiver<Result<T>>;

impl Desktop {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            queue: "mail".parse().unwrap(),
            options: SqliteOptions::default(),
        }
    }

    fn connect(&self) -> Connection {
        self.connect_timely().0
    }

    fn connect_timely(&self) -> (Connection, FileTime) {
        connect::writer(&self.folder.path().join("handover.db"), &self.options).unwrap()
    }

    fn writer<'c>(&self, connection: &'c Connection) -> Writer<'c> {
        let (sender, ops) = handover_buffer::bounded(16);
        let post = Post {
            ops,
            inbox: Arc::new(Inbox::new(sender)),
            counters: Arc::default(),
            who: Identity {
                label: "test".to_owned(),
                number: None,
                durability: self.options.durability,
                time: FileTime::WALL,
                results_keep_ms: 1_000_000,
                leasing: Arc::default(),
            },
            bell: Bell::new(&self.folder.path().join("handover.db")),
            log: Arc::new(Log::open(&self.folder.path().join("handover.db")).unwrap()),
        };
        Writer::new(connection, post).unwrap()
    }

    fn declare(&self, writer: &mut Writer<'_>, capacity: u64) {
        let (reply, answer) = oneshot::channel();
        let settings = Box::new(QueueSettings::with_capacity(capacity));
        writer.group(vec![Op::Declare(self.queue.clone(), settings, reply)]);
        told(answer).unwrap();
    }

    fn send(&self, batch: &[Message], wait: Duration) -> (Op, Answer<Sent>) {
        let (reply, answer) = oneshot::channel();
        let batch = Arc::new(Batch::new(&self.queue, batch, None));
        let send = SendOp { batch, wait, deadline: clock::after(wait), reply };
        (Op::Send(Box::new(send)), answer)
    }

    fn receive(&self, max: usize, wait: Duration) -> (Op, Answer<Parcelled>) {
        let (reply, answer) = oneshot::channel();
        let receive = ReceiveOp {
            queues: vec![self.queue.clone()],
            max,
            lease_ms: LEASE_MS,
            wait,
            deadline: clock::after(wait),
            reply,
        };
        (Op::Receive(Box::new(receive)), answer)
    }
}

fn told<T>(mut answer: Answer<T>) -> Result<T> {
    answer.try_recv().expect("an answer")
}

fn unpacked(answer: Answer<Parcelled>) -> Vec<Delivery> {
    told(answer).unwrap().unpack().unwrap()
}

fn messages(count: usize) -> Vec<Message> {
    (0..count).map(|n| Message::new(n.to_string())).collect()
}

fn done(got: &[Delivery]) -> (Op, Answer<Vec<Result<()>>>) {
    let (reply, answer) = oneshot::channel();
    let items = got.iter().map(|one| (one.receipt.clone(), Settle::Done)).collect();
    (Op::Settle(Arc::new(items), reply), answer)
}

/// Makes each insert of a job fail from now on, and with it the transaction.
const BREAK: &str =
    "CREATE TEMP TRIGGER broken BEFORE INSERT ON main.job BEGIN SELECT RAISE(ABORT, 'broken'); END";
const MEND: &str = "DROP TRIGGER broken";

#[test]
fn a_receive_that_was_rolled_back_takes_no_lease_of_another_process() {
    let desk = Desktop::new();
    let (ours, theirs) = (desk.connect(), desk.connect());
    let (mut us, mut them) = (desk.writer(&ours), desk.writer(&theirs));
    desk.declare(&mut us, 100);
    us.group(vec![desk.send(&messages(3), Duration::ZERO).0]);
    ours.execute_batch(BREAK).unwrap();
    let (receive, received) = desk.receive(3, Duration::ZERO);
    us.group(vec![receive, desk.send(&messages(1), Duration::ZERO).0]);
    assert_eq!(told(received).err().unwrap().kind(), ErrorKind::Internal);
    ours.execute_batch(MEND).unwrap();
    // Now they lease the same jobs, and get the same tokens.
    let (receive, received) = desk.receive(3, Duration::ZERO);
    them.group(vec![receive]);
    let got = unpacked(received);
    assert_eq!(got.len(), 3);
    us.group(Vec::new());
    let (settle, settled) = done(&got);
    them.group(vec![settle]);
    assert!(told(settled).unwrap().iter().all(Result::is_ok));
}

#[test]
fn what_nobody_took_goes_back_even_if_the_first_try_fails() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 100);
    writer.group(vec![desk.send(&messages(3), Duration::ZERO).0]);
    let (receive, received) = desk.receive(3, Duration::ZERO);
    writer.group(vec![receive]);
    drop(received); // nobody unpacks it
    connection.execute_batch(BREAK).unwrap();
    let (send, sent) = desk.send(&messages(1), Duration::ZERO);
    writer.group(vec![send]);
    assert_eq!(told(sent).unwrap_err().kind(), ErrorKind::Internal);
    connection.execute_batch(MEND).unwrap();
    assert!(writer.wake_at().is_some(), "it tries again by itself");
    writer.group(Vec::new());
    let (receive, received) = desk.receive(10, Duration::ZERO);
    writer.group(vec![receive]);
    let attempts: Vec<u32> = unpacked(received).iter().map(|one| one.attempt).collect();
    assert_eq!(attempts, [1, 1, 1]);
}

#[test]
fn a_transaction_that_was_left_open_is_rolled_back_and_not_in_the_way() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    desk.declare(&mut writer, 100);
}

#[test]
fn a_send_that_does_not_fit_fails_alone_and_not_what_makes_room() {
    let mut desk = Desktop::new();
    desk.options = SqliteOptions::default().file_bytes_max(600 * 1024);
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 1000);
    let fill: Vec<_> = std::iter::from_fn(|| {
        let batch = [Message::new(vec![1; 900]), Message::new(vec![2; 900])];
        let (send, sent) = desk.send(&batch, Duration::ZERO);
        writer.group(vec![send]);
        told(sent).ok()
    })
    .collect();
    assert!(fill.len() > 100, "{}", fill.len());
    let huge = || desk.send(&[Message::new(vec![0; 1 << 20])], Duration::ZERO);
    let mut held = Vec::new();
    // The first round finds the disk full, the second one knows, the third one is after a while.
    for round in 0..3 {
        if round == 2 {
            writer.apart_until = Some(clock::now());
        }
        let (receive, received) = desk.receive(20, Duration::ZERO);
        let (settle, settled) = done(&held);
        let (refused, refusal) = desk.send(&messages(2000), Duration::ZERO);
        let (huge, failed) = huge();
        writer.group(vec![huge, settle, refused, receive]);
        assert_eq!(told(failed).unwrap_err().kind(), ErrorKind::Unavailable, "{round}");
        assert!(told(refusal).is_err());
        assert!(told(settled).unwrap().iter().all(Result::is_ok), "{round}");
        held = unpacked(received);
        assert_eq!(held.len(), 20, "{round}");
    }
    // There is room for others now.
    let (send, sent) = desk.send(&messages(1), Duration::ZERO);
    writer.group(vec![send]);
    told(sent).unwrap();
}

#[test]
fn those_who_wait_keep_their_place_when_the_disk_is_full() {
    let mut desk = Desktop::new();
    desk.options = SqliteOptions::default().file_bytes_max(300 * 1024);
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 2);
    let patience = Duration::from_secs(60);
    let (first, first_got) = desk.receive(1, patience);
    let (second, mut second_got) = desk.receive(1, patience);
    writer.group(vec![first, second]);
    let (small, small_sent) = desk.send(&messages(1), Duration::ZERO);
    let (huge, huge_sent) = desk.send(&[Message::new(vec![0; 1 << 20])], Duration::ZERO);
    // The first one is handed the small one before the huge one fails, and then again.
    let (third, mut third_got) = desk.receive(1, patience);
    writer.group(vec![small, third, huge]);
    assert_eq!(told(huge_sent).unwrap_err().kind(), ErrorKind::Unavailable);
    told(small_sent).unwrap();
    assert_eq!(unpacked(first_got).len(), 1);
    for got in [&mut second_got, &mut third_got] {
        assert!(got.try_recv().is_err(), "it waits");
    }
    writer.group(vec![desk.send(&messages(1), Duration::ZERO).0]);
    assert_eq!(unpacked(second_got).len(), 1);
    assert!(third_got.try_recv().is_err(), "it waits");
}

#[test]
fn a_call_that_arrives_after_its_side_was_closed_is_told_so_and_the_other_side_goes_on() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 10);
    let (reply, hushed) = oneshot::channel();
    writer.group(vec![Op::Hush(Side::Broker, reply)]);
    told(hushed).unwrap();
    let (receive, received) = desk.receive(1, Duration::from_secs(60));
    writer.group(vec![receive]);
    assert_eq!(told(received).err().unwrap().kind(), ErrorKind::Closed);
    let (reply, mut waited) = oneshot::channel();
    let deadline = clock::after(Duration::from_secs(60));
    let id = JobId::new();
    writer.group(vec![Op::Await(AwaitOp { id, deadline, reply })]);
    assert!(waited.try_recv().is_err(), "it waits");
}

#[test]
fn what_is_more_than_one_transaction_can_move_goes_on_in_the_next_without_being_asked() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 100_000);
    let soon = Duration::from_millis(1);
    for _ in 0..6 {
        let batch: Vec<Message> =
            messages(1000).into_iter().map(|one| one.with_delay(soon)).collect();
        writer.group(vec![desk.send(&batch, Duration::ZERO).0]);
    }
    let due = clock::wall_ms() + 2;
    while clock::wall_ms() <= due {}
    let (reply, swept) = oneshot::channel();
    writer.group(vec![Op::Sweep(vec![desk.queue.clone()], reply)]);
    told(swept).unwrap();
    let ready = || -> i64 {
        connection.query_row("SELECT ready FROM queue", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(ready(), 5000);
    assert!(writer.wake_at().is_some_and(|at| at <= clock::now()));
    writer.group(Vec::new());
    assert_eq!(ready(), 6000);
    assert!(writer.wake_at().is_none());
}

#[test]
fn a_receive_that_waits_is_served_before_one_that_comes_with_the_work() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 10);
    let patience = Duration::from_secs(60);
    let (first, first_got) = desk.receive(1, patience);
    writer.group(vec![first]);
    let (second, mut second_got) = desk.receive(1, patience);
    let (third, third_got) = desk.receive(1, Duration::ZERO);
    writer.group(vec![desk.send(&messages(1), Duration::ZERO).0, second, third]);
    assert_eq!(unpacked(first_got).len(), 1);
    assert!(second_got.try_recv().is_err(), "it waits");
    assert_eq!(unpacked(third_got).len(), 0);
}

#[test]
fn a_group_takes_no_more_than_it_can_write_however_small_its_messages_are() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 1_000_000);
    let ops: Vec<Op> = (0..300).map(|_| desk.send(&messages(1000), Duration::ZERO).0).collect();
    writer.pending.extend(ops);
    let group = writer.next_group().unwrap();
    assert_eq!(group.len(), 65); // of 259 000 bytes or so each
    assert_eq!(writer.pending.len(), 300 - 65);
}

#[test]
fn receives_that_together_would_hand_out_too_much_are_left_to_the_next_transaction() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 100);
    let patience = Duration::from_secs(60);
    let large = || Message::new(vec![7; 9 << 20]);
    let mut answers = Vec::new();
    let mut receive = |wait| {
        let (receive, received) = desk.receive(3, wait);
        answers.push(received);
        receive
    };
    let waiting = (0..3).map(|_| receive(patience)).collect();
    writer.group(waiting);
    let (sends, _sent): (Vec<_>, Vec<_>) =
        (0..3).map(|_| desk.send(&[large(), large()], Duration::ZERO)).unzip();
    let ops = sends.into_iter().chain((0..2).map(|_| receive(Duration::ZERO))).collect();
    writer.group(ops);
    assert_eq!(writer.pending.len(), 2, "not before the third, which waits");
    while !writer.pending.is_empty() {
        let ops = writer.next_group().unwrap();
        writer.group(ops);
    }
    let got: Vec<usize> = answers.into_iter().map(|answer| unpacked(answer).len()).collect();
    assert_eq!(got, [1; 5]);
}

#[test]
fn what_was_stored_unsynced_is_on_the_disk_before_a_resend_is_answered_as_synced() {
    let mut desk = Desktop::new();
    desk.options = SqliteOptions::default().durability(Durability::Buffered);
    let (theirs, ours) = (desk.connect(), desk.connect());
    let mut them = desk.writer(&theirs);
    desk.declare(&mut them, 10);
    let once = messages(1);
    them.group(vec![desk.send(&once, Duration::ZERO).0]);
    for (durability, syncs) in [(Durability::Buffered, 0), (Durability::Synced, 1)] {
        desk.options = SqliteOptions::default().durability(durability);
        let mut us = desk.writer(&ours);
        let (send, sent) = desk.send(&once, Duration::ZERO);
        us.group(vec![send]);
        let sent = told(sent).unwrap();
        assert_eq!((sent.fates, sent.durability), (vec![handover::Fate::Duplicate], durability));
        assert_eq!(us.post.log.syncs(), syncs, "{durability:?}");
    }
}

#[test]
fn that_there_is_nothing_to_do_is_on_the_disk_before_it_is_answered() {
    let desk = Desktop::new();
    let (theirs, ours) = (desk.connect(), desk.connect());
    desk.declare(&mut desk.writer(&theirs), 10);
    let mut us = desk.writer(&ours);
    let (reply, _) = oneshot::channel();
    us.group(vec![Op::Pause(desk.queue.clone(), true, reply)]);
    let syncs = us.post.log.syncs();
    let asked = [
        Op::Pause(desk.queue.clone(), true, oneshot::channel().0),
        Op::Delete(JobId::new(), oneshot::channel().0),
        Op::Cancel(JobId::new(), String::new(), oneshot::channel().0),
        Op::KickJob(JobId::new(), oneshot::channel().0),
    ];
    for (count, op) in (1..).zip(asked) {
        us.group(vec![op]);
        assert_eq!(us.post.log.syncs(), syncs + count);
    }
}

#[test]
fn an_outcome_that_another_process_stores_is_found_among_the_new_ones_or_among_all() {
    let desk = Desktop::new();
    let (ours, theirs) = (desk.connect(), desk.connect());
    let (mut us, mut them) = (desk.writer(&ours), desk.writer(&theirs));
    let deadline = clock::after(Duration::from_secs(60));
    let mut seen = 0;
    // One first, then more than are looked through, then one again.
    for stored in [1, 1500, 1] {
        let (reply, mut waited) = oneshot::channel();
        let id = JobId::new();
        us.group(vec![Op::Await(AwaitOp { id, deadline, reply })]);
        us.group(Vec::new());
        assert!(waited.try_recv().is_err(), "it waits");
        let ids = std::iter::repeat_with(JobId::new).take(stored - 1).chain([id]);
        let record = |id| Record::new(id, &desk.queue, Status::Done);
        let (reply, put) = oneshot::channel();
        them.group(vec![Op::Put(ids.map(record).collect(), reply)]);
        told(put).unwrap();
        us.post.inbox.ring();
        us.group(Vec::new());
        assert_eq!(told(waited).unwrap().unwrap().id, id);
        seen += to_sql(stored);
        assert_eq!(us.result_seen, seen);
    }
}

#[test]
fn an_outcome_is_on_the_disk_before_anybody_is_told_whoever_stored_it() {
    let mut desk = Desktop::new();
    let (theirs, ours) = (desk.connect(), desk.connect());
    desk.options = SqliteOptions::default().durability(Durability::Buffered);
    let mut them = desk.writer(&theirs);
    desk.options = SqliteOptions::default();
    let mut us = desk.writer(&ours);
    desk.declare(&mut us, 10);
    let log = Arc::clone(&us.post.log);
    let deadline = clock::after(Duration::from_secs(60));
    let id = JobId::new();
    let (reply, put) = oneshot::channel();
    them.group(vec![Op::Put(vec![Record::new(id, &desk.queue, Status::Done)], reply)]);
    told(put).unwrap();
    let mut ask = |fail| {
        let before = log.syncs();
        log.next_fail.store(fail, std::sync::atomic::Ordering::Release);
        let (reply, waited) = oneshot::channel();
        us.group(vec![Op::Await(AwaitOp { id, deadline, reply })]);
        told(waited).map(|_| log.syncs() - before)
    };
    let error = ask(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("did not confirm"), "{error}");
    assert_eq!(ask(0).unwrap(), 1);
    assert_eq!(ask(0).unwrap(), 0, "nobody has committed anything since");
}

#[test]
fn a_commit_that_the_disk_does_not_confirm_is_not_told_as_nothing_stored() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 10);
    let once = messages(1);
    let log = Arc::clone(&writer.post.log);
    let mut send = |fail| {
        log.next_fail.store(fail, std::sync::atomic::Ordering::Release);
        let (send, sent) = desk.send(&once, Duration::ZERO);
        writer.group(vec![send]);
        told(sent)
    };
    let error = send(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("did not confirm"), "{error}");
    assert!(!log.is_distrusted(), "it is mended at once");
    // Nothing is added to a log that may have a hole.
    send(3).unwrap_err();
    let error = send(1).unwrap_err();
    assert!(error.to_string().contains("fails again"), "{error}");
    assert_eq!(send(0).unwrap().fates, [handover::Fate::Duplicate]);
}

#[test]
fn a_process_adds_nothing_to_the_log_of_another_before_it_has_written_that_over_itself() {
    let desk = Desktop::new();
    let theirs = desk.connect();
    desk.declare(&mut desk.writer(&theirs), 10);
    // They saw the disk fail and are quiet, or gone: nobody tells us.
    let ours = desk.connect();
    let mut us = desk.writer(&ours);
    us.post.log.next_fail.store(1, std::sync::atomic::Ordering::Release);
    for is_stored in [false, true] {
        let (send, sent) = desk.send(&messages(1), Duration::ZERO);
        us.group(vec![send]);
        assert_eq!(told(sent).is_ok(), is_stored);
        let depth: i64 = theirs.query_row("SELECT ready FROM queue", [], |row| row.get(0)).unwrap();
        assert_eq!(depth, i64::from(is_stored));
    }
}

#[test]
fn a_long_reader_is_waited_for_once_and_not_in_each_group() {
    let desk = Desktop::new();
    let (ours, theirs) = (desk.connect(), desk.connect());
    let mut writer = desk.writer(&ours);
    desk.declare(&mut writer, 10);
    theirs.execute_batch("BEGIN; SELECT * FROM queue").unwrap();
    let mut group = || {
        writer.group(vec![desk.send(&messages(1), Duration::ZERO).0]);
        writer.post.log.has_pages(10_000);
        writer.copy_log_back();
        writer.no_hold_up_until.expect("it was in vain")
    };
    let first = group();
    assert_eq!(group(), first, "it did not try again");
    theirs.execute_batch("COMMIT").unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_follows_the_time_that_one_of_another_boot_has_chosen() {
    let desk = Desktop::new();
    let (ours, time) = desk.connect_timely();
    let mut us = desk.writer(&ours);
    us.post.who.time = time;
    desk.declare(&mut us, 10);
    us.group(vec![desk.send(&messages(1), Duration::ZERO).0]);
    let other = "UPDATE time SET boot = 'of a container', ahead_ms = ahead_ms + 3600000";
    ours.execute_batch(other).unwrap();
    us.group(vec![desk.send(&messages(1), Duration::ZERO).0]);
    let apart: i64 =
        ours.query_row("SELECT max(sent) - min(sent) FROM job", [], |row| row.get(0)).unwrap();
    assert!((3_600_000..4_000_000).contains(&apart), "{apart}");
}

#[test]
fn sends_that_fit_do_not_fail_with_the_one_that_does_not() {
    let mut desk = Desktop::new();
    desk.options = SqliteOptions::default().file_bytes_max(600 * 1024);
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    desk.declare(&mut writer, 100);
    let huge = [Message::new(vec![0; 1 << 20])];
    let sizes = [1, 2, 0, 3, 0, 4]; // 0 is the huge one
    let (sends, answers): (Vec<_>, Vec<_>) = sizes
        .iter()
        .map(|size| match size {
            0 => desk.send(&huge, Duration::ZERO),
            size => desk.send(&messages(*size), Duration::ZERO),
        })
        .unzip();
    writer.group(sends);
    for (size, answer) in sizes.iter().zip(answers) {
        assert_eq!(told(answer).map_or(0, |sent| sent.fates.len()), *size);
    }
}

#[test]
fn children_that_waited_for_room_all_come_in_when_the_queue_gets_larger() {
    let desk = Desktop::new();
    let connection = desk.connect();
    let mut writer = desk.writer(&connection);
    let declare = |capacity| {
        let mut settings = QueueSettings::with_capacity(capacity);
        settings.overdraft = 100_000;
        Op::Declare(desk.queue.clone(), Box::new(settings), oneshot::channel().0)
    };
    writer.group(vec![declare(1)]);
    writer.group(vec![desk.send(&messages(1), Duration::ZERO).0]);
    let (receive, received) = desk.receive(1, Duration::ZERO);
    writer.group(vec![receive]);
    let parent = unpacked(received).remove(0).receipt;
    for _ in 0..12 {
        let (reply, sent) = oneshot::channel();
        let batch = Arc::new(Batch::new(&desk.queue, &messages(1000), Some(parent.clone())));
        let wait = Duration::ZERO;
        let send = SendOp { batch, wait, deadline: clock::after(wait), reply };
        writer.group(vec![Op::Send(Box::new(send))]);
        told(sent).unwrap();
    }
    writer.group(vec![declare(100_000)]);
    let mut groups = 1;
    while writer.wake_at().is_some() {
        writer.group(Vec::new());
        groups += 1;
    }
    let counts: (i64, i64) = connection
        .query_row("SELECT ready, parked FROM queue", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!((counts, groups), ((12_000, 0), 2));
}
