//! Words for histories: recorded from a memory broker, or written line by line with times of our own.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::super::{Expect, History, Kind, Recorder, Report, Times, check};
use crate::broker::Broker;
use crate::error::Result;
use crate::id::JobId;

/// A file in memory that several hands may hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Paper {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(super) fn recorder(&self, broker: impl Broker + 'static) -> Recorder {
        Recorder::to(Arc::new(broker), self.clone(), Times::Monotonic).unwrap()
    }

    pub(super) fn history(&self) -> History {
        read(&self.text()).unwrap()
    }
}

pub(super) fn read(text: &str) -> Result<History> {
    let mut history = History::default();
    history.add("test", text.as_bytes())?;
    Ok(history)
}

pub(super) fn id(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

/// A history written by hand: one recorder to a letter, a time for every line.
#[derive(Debug, Default)]
pub(super) struct Script {
    lines: Vec<(char, Value)>,
}

impl Script {
    /// A queue `q` with this capacity, declared by recorder `a` within the first 10 µs.
    pub(super) fn new(capacity: u64) -> Self {
        let mut script = Self::default();
        script.open('a');
        let queue = json!({"event": "declare", "queue": "q", "capacity": capacity,
            "overdraft": 2, "exclusive": false, "remember_us": 1_000_000_000u64});
        script.call('a', 1, 2, queue, json!({"event": "declared"}));
        script
    }

    fn open(&mut self, who: char) {
        let mut open = json!({"event": "open", "broker": "test"});
        for promise in ["bounded", "timed", "attempts", "fenced", "dedup", "fifo", "keys"] {
            open[promise] = json!(true);
        }
        self.line(who, 0, open);
    }

    fn line(&mut self, who: char, at: u64, mut event: Value) -> u64 {
        if event["event"] != "open" && !self.lines.iter().any(|(other, _)| *other == who) {
            self.open(who);
        }
        let n = 1 + self.lines.iter().filter(|(other, _)| *other == who).count() as u64;
        event["v"] = json!(1);
        event["process"] = json!(format!("{who}.0"));
        event["n"] = json!(n);
        event["at_us"] = json!(at);
        self.lines.push((who, event));
        n
    }

    /// A question at one time and its answer at another.
    pub(super) fn call(&mut self, who: char, asked: u64, told: u64, ask: Value, tell: Value) {
        let call = self.line(who, asked, ask);
        let mut tell = tell;
        tell["call"] = json!(call);
        self.line(who, told, tell);
    }

    /// A question that is never answered.
    pub(super) fn unanswered(&mut self, who: char, asked: u64, ask: Value) {
        self.line(who, asked, ask);
    }

    /// Jobs are sent and stored. `more` is added to each.
    pub(super) fn send_with(&mut self, who: char, at: (u64, u64), jobs: &[u8], more: &Value) {
        let fates = vec!["stored"; jobs.len()];
        self.call(who, at.0, at.1, sending(jobs, more), json!({"event": "sent", "fates": fates}));
    }

    pub(super) fn send(&mut self, who: char, at: (u64, u64), jobs: &[u8]) {
        self.send_with(who, at, jobs, &json!({}));
    }

    /// Jobs are received, each with its token and attempt, for 1000 µs.
    pub(super) fn take(&mut self, who: char, at: (u64, u64), jobs: &[(u8, u64, u32)]) {
        let taken: Vec<Value> = jobs
            .iter()
            .map(|(job, token, attempt)| {
                json!({"queue": "q", "id": id(*job), "token": token, "attempt": attempt})
            })
            .collect();
        self.call(who, at.0, at.1, receiving(), json!({"event": "received", "jobs": taken}));
    }

    /// A lease is ended, and `word` is the answer.
    pub(super) fn settle(
        &mut self,
        who: char,
        at: (u64, u64),
        job: (u8, u64),
        how: &str,
        word: &str,
    ) {
        let told = json!({"event": "settled", "answers": [word]});
        self.call(who, at.0, at.1, settling(job, how), told);
    }

    pub(super) fn extend(
        &mut self,
        who: char,
        at: (u64, u64),
        job: (u8, u64),
        lease_us: u64,
        word: &str,
    ) {
        let ask = json!({"event": "extend", "lease_us": lease_us,
            "leases": [{"queue": "q", "id": id(job.0), "token": job.1}]});
        self.call(who, at.0, at.1, ask, json!({"event": "extended", "answers": [word]}));
    }

    pub(super) fn steer(&mut self, who: char, at: (u64, u64), what: Value, jobs: u64) {
        let mut ask = what;
        ask["event"] = json!("steer");
        self.call(who, at.0, at.1, ask, json!({"event": "steered", "jobs": jobs}));
    }

    pub(super) fn text(&self) -> String {
        // As a recorder writes it: the version first.
        let written = |(_, line): &(char, Value)| {
            let mut line = line.clone();
            line.as_object_mut().unwrap().remove("v");
            let text = line.to_string();
            format!("{{\"v\":1,{}\n", text.trim_start_matches('{'))
        };
        self.lines.iter().map(written).collect()
    }

    /// Without slack: the times of a script are exact.
    #[track_caller]
    pub(super) fn judged(&self, expect: Expect) -> Report {
        let history = read(&self.text()).unwrap();
        check(&history, &expect.slack_us(0)).unwrap()
    }

    #[track_caller]
    pub(super) fn is_fine(&self, expect: Expect) {
        let report = self.judged(expect);
        assert!(report.is_clean(), "{report}\n{}", self.text());
    }

    /// Exactly this, once, proved by these lines.
    #[track_caller]
    pub(super) fn breaks(&self, expect: Expect, kind: Kind, lines: &[u32]) {
        let report = self.judged(expect);
        let found: Vec<Kind> = report.violations.iter().map(|one| one.kind).collect();
        assert_eq!(found, [kind], "{report}\n{}", self.text());
        let places: Vec<u32> = report.violations[0].places.iter().map(|one| one.line).collect();
        assert_eq!(places, lines, "{report}\n{}", self.text());
    }
}

pub(super) fn sending(jobs: &[u8], more: &Value) -> Value {
    let jobs: Vec<Value> = jobs
        .iter()
        .map(|job| {
            let mut sent = json!({"id": id(*job), "priority": 5});
            for (name, value) in more.as_object().unwrap() {
                sent[name] = value.clone();
            }
            sent
        })
        .collect();
    json!({"event": "send", "queue": "q", "jobs": jobs, "wait_us": 0})
}

pub(super) fn receiving() -> Value {
    json!({"event": "receive", "queues": ["q"], "max": 10, "wait_us": 0, "lease_us": 1000})
}

pub(super) fn settling(job: (u8, u64), how: &str) -> Value {
    json!({"event": "settle",
        "items": [{"queue": "q", "id": id(job.0), "token": job.1, "how": how}]})
}
