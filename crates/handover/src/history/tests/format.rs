//! The format: what a recorder writes, what a reader takes, and what it refuses.

use std::sync::Arc;
use std::time::Duration;

use super::super::{Event, Expect, History, Recorder, Times, What, check};
use super::script::{Paper, Script, id, read, settling};
use crate::broker::{Broker, BrokerExt};
use crate::delivery::{Ask, Room, Settle};
use crate::error::ErrorKind;
use crate::memory::MemoryBroker;
use crate::message::{Message, Priority, QueueName};
use crate::queue::QueueSettings;

fn wrong(text: &str, says: &str) {
    let error = read(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(says), "{error}");
}

#[tokio::test(start_paused = true)]
async fn every_call_is_two_lines_as_the_format_has_them() {
    let paper = Paper::default();
    let broker = paper.recorder(MemoryBroker::new());
    let queue = QueueName::new("q").unwrap();
    broker.declare(&queue, &QueueSettings::with_capacity(2)).await.unwrap();
    let message = Message::new("x").with_id(id(1)).with_key("k").with_priority(Priority::MAX);
    broker
        .send_one(&queue, message.with_delay(Duration::from_millis(1)), Room::now())
        .await
        .unwrap();
    let ask = Ask::new(1).wait(Duration::from_secs(1));
    let taken = broker.receive_one(&queue, ask).await.unwrap().unwrap();
    broker.extend_one(taken.receipt.clone(), Duration::from_secs(60)).await.unwrap();
    broker.settle_one(taken.receipt.clone(), Settle::Done).await.unwrap();
    broker.settle_one(taken.receipt, Settle::Done).await.unwrap_err();
    broker.operator().unwrap().kick_job(id(1)).await.unwrap();
    broker.close().await.unwrap();
    let text = paper.text();
    let body: Vec<String> = text
        .lines()
        .map(|line| {
            let event: Event = serde_json::from_str(line).unwrap();
            assert_eq!(event.v, 1);
            let whole = serde_json::to_value(&event).unwrap();
            assert_eq!(whole, serde_json::from_str::<serde_json::Value>(line).unwrap());
            serde_json::to_string(&event.what).unwrap()
        })
        .collect();
    let job = r#""queue":"q","id":"01010101-0101-0101-0101-010101010101","token":1"#;
    let expected = [
        r#"{"event":"open","broker":"memory","bounded":true,"timed":true,"attempts":true,"fenced":true,"dedup":true,"fifo":true,"keys":true}"#.to_owned(),
        r#"{"event":"declare","queue":"q","capacity":2,"overdraft":20,"exclusive":false,"remember_us":3600000000}"#.to_owned(),
        r#"{"event":"declared","call":2}"#.to_owned(),
        r#"{"event":"send","queue":"q","jobs":[{"id":"01010101-0101-0101-0101-010101010101","priority":9,"key":"k","delay_us":1000}],"wait_us":0}"#.to_owned(),
        r#"{"event":"sent","call":4,"fates":["stored"]}"#.to_owned(),
        r#"{"event":"receive","queues":["q"],"max":1,"wait_us":1000000,"lease_us":30000000}"#.to_owned(),
        format!(r#"{{"event":"received","call":6,"jobs":[{{{job},"attempt":1}}]}}"#),
        format!(r#"{{"event":"extend","leases":[{{{job}}}],"lease_us":60000000}}"#),
        r#"{"event":"extended","call":8,"answers":["ok"]}"#.to_owned(),
        format!(r#"{{"event":"settle","items":[{{{job},"how":"done"}}]}}"#),
        r#"{"event":"settled","call":10,"answers":["ok"]}"#.to_owned(),
        format!(r#"{{"event":"settle","items":[{{{job},"how":"done"}}]}}"#),
        r#"{"event":"settled","call":12,"answers":["lease_lost"]}"#.to_owned(),
        r#"{"event":"steer","do":"kick_job","id":"01010101-0101-0101-0101-010101010101"}"#.to_owned(),
        r#"{"event":"steered","call":14,"jobs":0}"#.to_owned(),
        r#"{"event":"close"}"#.to_owned(),
        r#"{"event":"closed","call":16}"#.to_owned(),
    ];
    assert_eq!(body, expected);
    let report = check(&paper.history(), &Expect::drained()).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        (report.counts.accepted, report.counts.extended, report.counts.lease_lost),
        (1, 1, 1)
    );
}

#[test]
fn the_example_of_the_book_is_a_history() {
    let page = include_str!("../../../../../docs/src/concepts/history.md");
    let example = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let history = read(example).unwrap();
    let report = check(&history, &Expect::drained()).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.counts.events, report.counts.done), (7, 1));
    for (_, event) in history.events() {
        let line = serde_json::to_string(event).unwrap();
        assert!(example.contains(&line), "the order of the fields is not that of the book: {line}");
    }
}

#[test]
fn a_torn_last_line_is_left_out_and_counted() {
    let whole = Script::new(1).text();
    let torn = &whole[..whole.len() - 5];
    let history = read(torn).unwrap();
    assert_eq!((history.torn(), history.events().count()), (1, 2));
    assert_eq!(read("").unwrap().events().count(), 0);
    for begun in ["{", "{\"v\"", "{\"v\":1,\"pro"] {
        assert_eq!(read(begun).unwrap().torn(), 1, "{begun}");
    }
}

#[test]
fn a_rest_that_does_not_begin_as_an_event_is_no_history() {
    let whole = Script::new(1).text();
    for rest in ["a", "{\"name\":", "[", &"a".repeat(3_000_000)] {
        wrong(rest, "test:1");
        wrong(&format!("{whole}{rest}"), "test:4");
    }
}

#[test]
fn any_other_line_that_is_no_event_is_an_error_with_its_file_and_line() {
    let whole = Script::new(1).text();
    wrong(&format!("{whole}{{\"v\":1}}\n"), "test:4");
    wrong(&format!("{whole}\n"), "test:4");
    wrong(&whole.replace("\"declared\"", "\"unheard\""), "test:3");
    wrong(&whole.replace("\"v\":1", "\"v\":2"), "a newer handover wrote it");
    wrong(&whole.replace("\"v\":1", "\"v\":0"), "no version 0");
}

#[test]
fn a_line_that_is_missing_or_read_twice_is_an_error() {
    let whole = Script::new(1).text();
    let lines: Vec<&str> = whole.lines().collect();
    wrong(&format!("{}\n{}\n", lines[0], lines[2]), "a line before it is missing");
    wrong(&format!("{}\n", lines[1]), "a line before it is missing");
    let mut twice = read(&whole).unwrap();
    let error = twice.add("again", whole.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("another file"), "{error}");
}

#[test]
fn answers_that_do_not_fit_their_questions_are_an_error() {
    for (from, to) in [
        (r#""answers":["ok"]"#, r#""answers":["ok","ok"]"#),
        (r#""call":4"#, r#""call":2"#),
        (r#""call":4"#, r#""call":9"#),
        (r#""event":"settled""#, r#""event":"extended""#),
        (r#""at_us":60"#, r#""at_us":5"#),
    ] {
        let mut script = Script::new(1);
        script.settle('a', (50, 60), (1, 1), "done", "ok");
        let text = script.text();
        assert!(text.contains(from), "{from} in {text}");
        let history = read(&text.replace(from, to)).unwrap();
        let error = check(&history, &Expect::running()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{to}");
    }
}

#[test]
fn an_error_that_leaves_it_open_counts_as_no_answer() {
    let mut script = Script::new(1);
    script.send('a', (10, 20), &[1]);
    script.take('a', (30, 40), &[(1, 1, 1)]);
    let away = serde_json::json!({"event": "settled", "error": "unavailable"});
    script.call('a', 50, 60, settling((1, 1), "done"), away);
    let report = script.judged(Expect::drained());
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.counts.settle_unknown, 1);
}

#[test]
fn a_file_is_one_recorders_and_names_itself_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.jsonl");
    let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new());
    let times = Times::Wall;
    let one = Recorder::create(Arc::clone(&broker), &path, times).unwrap();
    let again = Recorder::create(broker, &path, times).unwrap_err();
    assert!(again.to_string().contains("h.jsonl"), "{again}");
    drop(one);
    let history = History::read([&path]).unwrap();
    assert_eq!(history.processes(), 1);
    let (place, event) = history.events().next().unwrap();
    assert!(matches!(event.what, What::Open(_)));
    assert_eq!(history.show(place), format!("{}:1", path.display()));
    assert!(event.process.starts_with(&format!("{}.", std::process::id())));
    let error = History::read([folder.path().join("none")]).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
}

#[tokio::test]
async fn a_recorder_that_cannot_write_refuses_the_call_before_the_broker_is_asked() {
    /// Takes the first line and no other.
    struct Full(bool);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let memory = MemoryBroker::new();
    let times = Times::Monotonic;
    let broker = Recorder::to(Arc::new(memory.clone()), Full(false), times).unwrap();
    let queue = QueueName::new("q").unwrap();
    let settings = QueueSettings::with_capacity(1);
    for _ in 0..2 {
        let error = broker.declare(&queue, &settings).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert!(memory.inspector().unwrap().queue(&queue).await.unwrap().is_none());
}
