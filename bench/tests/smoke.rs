//! Each bench runs from its start to its last line, in its short form, and says what it is asked for under the agreed names.
//! Whether its figures are good is nobody's business here. The crawl needs a site: see `crawl_smoke.rs`.

#![allow(clippy::unwrap_used, reason = "a test that unwraps shows where it failed")]

use std::process::Command;

use serde_json::Value;

/// The JSON object on the last line of a short run.
fn bench(args: &[&str]) -> Value {
    let run = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(args)
        .args(["--short", "--json"])
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{args:?} ended with {}: {said}{complaint}", run.status);
    serde_json::from_str(said.lines().last().unwrap()).unwrap()
}

/// Every key names a number above zero, or one at least zero where it ends in a question mark.
fn check(json: &Value, keys: &[&str]) {
    for key in keys {
        let (path, may_be_zero) = match key.strip_suffix('?') {
            Some(path) => (path, true),
            None => (*key, false),
        };
        let number = json.pointer(path).and_then(Value::as_f64);
        let number = number.unwrap_or_else(|| panic!("no number at {path} in {json}"));
        assert!(number > 0.0 || may_be_zero && number == 0.0, "{path} is {number}");
    }
}

#[test]
fn the_buffer_is_measured_in_every_shape_beside_every_channel_that_can_have_it() {
    let json = bench(&["buffer"]);
    let shapes = json["shapes"].as_array().unwrap();
    assert_eq!(shapes.len(), 24);
    for shape in shapes {
        let name = shape["shape"].as_str().unwrap();
        assert_eq!(shape["unit"], "items/s");
        check(shape, &["/handover", "/flume", "/kanal", "/async-channel"]);
        let tasks = name.ends_with("-tasks");
        assert_eq!(shape["crossbeam-channel"].is_number(), !tasks, "{name}");
        assert_eq!(shape["std"].is_number(), !tasks && name.contains("p1c"), "{name}");
        assert_eq!(shape.as_object().unwrap().len(), 8, "{name}");
    }
}

#[test]
fn the_embedded_broker_is_measured_beside_bare_sqlite() {
    let json = bench(&["embedded"]);
    for cycle in ["cycle", "cycle_two_processes"] {
        check(&json[cycle], &["/handover_per_s", "/raw_per_s", "/ratio"]);
    }
    check(&json, &["/cycle_two_processes/longest_stall_ms"]);
    check(&json["latency"], &["/handover_us", "/bare_commit_us", "/ratio"]);
    for start in ["start", "start_two_processes"] {
        check(&json[start], &["/p50_us", "/p99_us"]);
    }
    check(&json["depth"], &["/per_s_1k", "/per_s_1m", "/ratio"]);
    #[cfg(target_os = "linux")]
    check(&json["depth"], &["/rss_mb"]);
}

/// A worker of this program is looked at, so that these tests do without the command line.
#[cfg(target_os = "linux")]
#[test]
fn an_idle_worker_is_counted_and_woken() {
    let json = bench(&["idle", "--library"]);
    check(&json, &["/syscalls_per_s?", "/wake_p50_ms", "/wake_p99_ms"]);
    assert!(json["syscalls"].is_object());
}

#[test]
fn the_lessons_engine_is_measured_at_recording_and_at_exploring() {
    let json = bench(&["lab"]);
    // So few operations may by chance be faster while they are recorded.
    check(&json["tracing"], &["/untraced_ns", "/traced_ns"]);
    assert!(json["tracing"]["per_event_ns"].is_number());
    check(&json["explore"], &["/lesson_02_s", "/buffer_2p2c_s", "/states", "/schedules"]);
    assert_eq!(json["explore"]["complete"], true);
}

#[test]
fn a_part_can_be_measured_alone_and_shown_as_the_book_has_it() {
    let json = bench(&["embedded", "--only", "latency"]);
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["latency"]);
    let shapes = bench(&["buffer", "--markdown", "--only", "1p1c-16"]);
    let names: Vec<_> = shapes["shapes"].as_array().unwrap().iter().map(|s| &s["shape"]).collect();
    assert_eq!(names, ["1p1c-16", "1p1c-16-tasks"]);
}
