//! What the module promises of a command, one test each, with real commands under a real worker.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::time::Duration;

use handover::{
    Backend, BrokerExt, Client, Envelope, JobId, JobState, QueueName, QueueSettings, Record,
    RetryPolicy, Status, Worker,
};
use rustix::process::{Pid, test_kill_process_group};

use super::guard::Guard;
use super::{Command, KILLED, RETRY};

const LONG: Duration = Duration::from_secs(60);
const AT_ONCE: RetryPolicy =
    RetryPolicy { attempts_max: 3, delay_first: Duration::ZERO, delay_max: Duration::ZERO };

/// What became of one job.
struct Ran {
    id: JobId,
    record: Option<Record>,
    /// The reason in the broker, where it was buried.
    buried: Option<String>,
}

impl Ran {
    fn output(&self) -> Option<&str> {
        let record = self.record.as_ref().expect("an outcome");
        assert_eq!(record.status, Status::Done, "{:?}", record.reason);
        record.output.as_deref()
    }

    fn reason(&self) -> &str {
        self.buried.as_deref().expect("a buried job")
    }
}

/// Runs one job with these arguments through `command`, until it is settled for good.
async fn run(command: Command, arguments: &[u8], timeout: Duration, retry: RetryPolicy) -> Ran {
    let backend = Backend::memory();
    let (client, queue) = (Client::new(&backend), QueueName::new("jobs").unwrap());
    client.declare("jobs", &QueueSettings::with_capacity(10)).await.unwrap();
    let job = Envelope::new("deliver", arguments.to_vec()).unwrap().into_message();
    let id = job.id;
    client.send_messages(&queue, &[job]).await.unwrap();
    let handler = command.handler().unwrap();
    let worker = Worker::new(&backend).queue("jobs").handle_any(timeout, retry, handler);
    worker.grace(LONG).until_empty().start().await.unwrap().join().await.unwrap();
    let job = backend.broker.inspector().unwrap().job(id).await.unwrap();
    let buried = job.filter(|job| job.state == JobState::Buried).and_then(|job| job.reason);
    Ran { id, record: backend.results.get(id).await.unwrap(), buried }
}

async fn run_sh(script: &str, arguments: &[u8]) -> Ran {
    run(Command::new(script), arguments, LONG, AT_ONCE).await
}

/// The group whose number a command wrote into this file.
fn group(file: &Path) -> Pid {
    let number = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
    Pid::from_raw(number).unwrap()
}

/// Waits until nothing is left of a group. A killed process is gone only when its parent has reaped it.
async fn gone(group: Pid) {
    while test_kill_process_group(group).is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn arguments_are_stdin_and_json_on_stdout_is_the_result() {
    let ran = run_sh("cat; echo", br#"{"to": "a@b.c", "n": 1e2}"#).await;
    assert_eq!(ran.output(), Some(r#"{"to": "a@b.c", "n": 1e2}"#));
}

#[tokio::test]
async fn other_text_becomes_a_json_string_without_the_line_end() {
    assert_eq!(
        run_sh("echo 'sent to \"Ada\"'", b"null").await.output(),
        Some(r#""sent to \"Ada\"""#)
    );
}

#[tokio::test]
async fn a_command_that_prints_nothing_has_no_result() {
    assert_eq!(run_sh("true", b"null").await.output(), None);
}

#[tokio::test]
async fn bytes_that_are_no_text_do_not_lose_the_job() {
    assert_eq!(run_sh(r"printf 'a\377b'", b"null").await.output(), Some("\"a\u{fffd}b\""));
}

#[tokio::test]
async fn the_environment_names_the_job() {
    let script = r#"printf '%s %s %s %s %s' "$HANDOVER_JOB_ID" "$HANDOVER_TASK" "$HANDOVER_QUEUE" "$HANDOVER_ATTEMPT" "$EXTRA"; test "$HANDOVER_TOKEN" -gt 0"#;
    let ran = run(Command::new(script).env("EXTRA", "more"), b"null", LONG, AT_ONCE).await;
    assert_eq!(ran.output(), Some(format!("\"{} deliver jobs 1 more\"", ran.id).as_str()));
}

#[tokio::test]
async fn exit_code_75_is_tried_again() {
    let script = r#"test "$HANDOVER_ATTEMPT" -ge 3 || { echo busy >&2; exit 75; }; echo "$HANDOVER_ATTEMPT""#;
    let ran = run_sh(script, b"null").await;
    assert_eq!(ran.output(), Some("3"));
    let never = run_sh("echo busy >&2; exit 75", b"null").await;
    assert_eq!(never.reason(), "gave up after attempt 3 of 3: exit code 75: busy");
}

#[tokio::test]
async fn any_other_exit_code_is_buried_with_the_end_of_stderr() {
    let ran = run_sh("echo 'no such user' >&2; exit 3", b"null").await;
    assert_eq!(ran.reason(), "exit code 3: no such user");
    assert_eq!(ran.record.unwrap().attempt, 1);
    let long =
        run_sh("yes 0123456789 | head -c 100000 >&2; echo the end >&2; exit 1", b"null").await;
    assert!(long.reason().starts_with("exit code 1: ") && long.reason().ends_with("the end"));
    assert!(long.reason().len() > 3000 && long.reason().len() <= 4096, "{}", long.reason().len());
}

#[tokio::test]
async fn every_exit_code_is_an_outcome_at_the_edges_of_its_range_too() {
    for code in [0, 1, 2, 74, 75, 76, 126, 127, 128, 129, 137, 192, 193, 254, 255] {
        let ran = run_sh(&format!("echo why >&2; exit {code}"), b"null").await;
        let again = code == RETRY || KILLED.contains(&code);
        match code {
            0 => assert_eq!(ran.output(), None),
            _ if again => {
                let reason = ran.reason();
                let begin = format!("gave up after attempt 3 of 3: exit code {code}");
                assert!(reason.starts_with(&begin) && reason.ends_with(": why"), "{reason}");
            }
            _ => assert_eq!(ran.reason(), format!("exit code {code}: why")),
        }
        let attempt = ran.record.expect("an outcome").attempt;
        assert_eq!(attempt, if again { 3 } else { 1 }, "{code}");
    }
}

#[tokio::test]
async fn fifty_megabytes_on_stderr_cost_no_more_than_their_end() {
    let ran = run_sh("yes 0123456789 | head -c 50000000 >&2; echo the end >&2; exit 1", b"null");
    let ran = ran.await;
    assert!(ran.reason().ends_with("the end") && ran.reason().len() <= 4096);
}

#[tokio::test]
async fn a_command_that_is_killed_is_tried_again() {
    let ran = run_sh(r#"test "$HANDOVER_ATTEMPT" -ge 2 || kill -KILL $$; echo 2"#, b"null").await;
    assert_eq!(ran.output(), Some("2"));
}

#[tokio::test]
async fn more_output_than_the_store_takes_kills_the_command_and_buries_the_job() {
    let ran = run_sh("exec cat /dev/zero", b"null").await;
    assert!(ran.reason().contains("bytes to stdout"), "{}", ran.reason());
}

#[tokio::test]
async fn a_command_that_never_reads_its_arguments_ends_all_the_same() {
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    assert_eq!(run_sh("echo 1", large.as_bytes()).await.output(), Some("1"));
    assert_eq!(run_sh("exec <&-; echo 2", large.as_bytes()).await.output(), Some("2"));
}

#[tokio::test]
async fn an_attempt_out_of_time_is_asked_to_end_and_then_killed_with_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("group");
    let script = r#"echo $$ > "$FILE"; trap 'echo asked >> "$FILE.asked"' TERM; while :; do sleep 1000 & wait; done"#;
    let command = Command::new(script).env("FILE", &file).grace(Duration::from_millis(200));
    let ran = run(command, b"null", Duration::from_secs(1), RetryPolicy::NEVER).await;
    assert!(ran.reason().contains("it ran longer than 1s"), "{}", ran.reason());
    assert!(folder.path().join("group.asked").exists(), "it was not asked to end first");
    gone(group(&file)).await;
}

#[tokio::test]
async fn what_a_command_leaves_behind_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("group");
    let script = r#"echo $$ > "$FILE"; sleep 1000 & echo 1"#;
    let command = Command::new(script).env("FILE", &file).grace(Duration::from_millis(100));
    assert_eq!(run(command, b"null", LONG, AT_ONCE).await.output(), Some("1"));
    gone(group(&file)).await;
}

#[tokio::test]
async fn commands_end_with_a_worker_that_dies_without_a_word() {
    let guard = Guard::start().unwrap();
    let sleep =
        || std::process::Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
    let (mut first, mut second) = (sleep(), sleep());
    let pid = |child: &std::process::Child| Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    guard.watch(pid(&first));
    guard.watch(pid(&second));
    guard.forget(pid(&first));
    // What the death of the worker does: the last hold on the pipe is gone.
    drop(guard);
    let status = tokio::task::spawn_blocking(move || second.wait().unwrap()).await.unwrap();
    assert_eq!(status.signal(), Some(9));
    assert!(first.try_wait().unwrap().is_none(), "a group that had ended before was killed");
    first.kill().unwrap();
    first.wait().unwrap();
}
