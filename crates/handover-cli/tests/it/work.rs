//! `handover work`: outcomes, signals, and the end of commands with their worker.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Folder, Ran};

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), signal).unwrap();
}

/// Waits until it says this.
fn heard(lines: &mut BufReader<ChildStderr>, said: &str) {
    let mut heard = String::new();
    while !heard.contains(said) {
        assert_ne!(
            lines.read_line(&mut heard).unwrap(),
            0,
            "{said:?} is not what it said: {heard}"
        );
    }
}

/// A worker whose command has begun.
fn begun(folder: &Folder, exec: &str) -> (Child, BufReader<ChildStderr>) {
    let started = folder.fifo("started");
    let mut worker = folder.start(&["work", "mail", "--exec", exec]);
    let stderr = BufReader::new(worker.stderr.take().unwrap());
    File::open(started).unwrap().read_to_string(&mut String::new()).unwrap();
    (worker, stderr)
}

#[test]
fn a_command_that_exits_with_75_is_tried_again() {
    let folder = Folder::with_queue(10);
    let id = folder.send("1");
    let ran = folder.work("test $HANDOVER_ATTEMPT -ge 3 || exit 75; echo $HANDOVER_ATTEMPT");
    assert!(ran.stderr.contains("1 done, 2 to be retried"), "{ran:?}");
    assert_eq!(folder.run(&["result", &id]).done(), "3\n");
}

#[test]
fn a_command_that_fails_is_buried_with_the_end_of_its_stderr() {
    let folder = Folder::with_queue(10);
    let id = folder.send("1");
    let ran = folder.work("echo oh no >&2; exit 1");
    assert!(ran.stderr.contains("1 buried"), "{ran:?}");
    let job = folder.object(&["job", "show", &id]);
    assert_eq!((&job["state"], &job["reason"]), (&"buried".into(), &"exit code 1: oh no".into()));
}

#[test]
fn a_command_whose_shell_says_that_a_signal_killed_it_is_tried_again() {
    let folder = Folder::with_queue(10);
    let id = folder.send("1");
    folder.work("cat; test $HANDOVER_ATTEMPT -ge 2 || { sh -c 'kill -9 $$'; exit $?; }");
    assert_eq!(folder.run(&["result", &id]).done(), "1\n");
}

#[test]
fn a_command_finds_the_database_from_another_folder() {
    let folder = Folder::with_queue(10);
    folder.run(&["queue", "create", "other", "--capacity", "10"]).done();
    folder.send("7");
    let send = |queue: &str| {
        format!("{} send {queue} deliver 7 --child >&2", env!("CARGO_BIN_EXE_handover"))
    };
    // The same task and arguments in two queues are two children.
    let ran = folder.work(&format!(
        "cd /; test $HANDOVER_ATTEMPT -gt 0 && {} && {}",
        send("other"),
        send("other")
    ));
    assert!(ran.stderr.contains("1 done"), "{ran:?}");
    assert_eq!(folder.object(&["queue", "show", "other"])["accepted"], 1);
}

#[test]
fn a_command_is_stopped_after_its_time() {
    let folder = Folder::with_queue(10);
    let id = folder.send("1");
    let more = ["--timeout", "100ms", "--attempts", "1", "--until-empty"];
    folder.run(&[&["work", "mail", "--exec", "sleep 1000"][..], &more].concat()).done();
    folder.run(&["result", &id]).failed(1, "longer than 100ms");
}

#[test]
fn a_command_can_send_jobs_itself() {
    let folder = Folder::with_queue(10);
    folder.send("1");
    let exec = format!(
        r#"cat; test "$HANDOVER_TASK" = child || {} send "$HANDOVER_QUEUE" child 2 >&2"#,
        env!("CARGO_BIN_EXE_handover")
    );
    let broker = format!("sqlite:{}", folder.path("handover.db").display());
    let mut work =
        folder.command(&["work", "mail", "--exec", &exec, "--until-empty", "--broker", &broker]);
    let ran = Ran::from(work.current_dir(std::env::temp_dir()).output().unwrap());
    assert!(ran.stderr.contains("2 done"), "{ran:?}");
}

#[test]
fn commands_that_feed_their_own_full_queue_finish_when_they_send_children() {
    let folder = Folder::with_queue(2);
    let send = format!("{} send mail deliver - --child", env!("CARGO_BIN_EXE_handover"));
    // Each job below 10 sends two more: 1 makes 2 and 3, and so on to 19, through a queue of two places. Each parent sends
    // its children twice, as one that is tried again does.
    let exec = format!(
        "read n; test $n -ge 10 || for again in 1 2; do printf '%s\\n%s\\n' $((n * 2)) $((n * 2 + 1)) | {send} >&2 || exit 75; done"
    );
    folder.send("1");
    let ran = folder.work(&exec);
    assert!(ran.stderr.contains("19 done, 0 to be retried, 0 buried"), "{ran:?}");
    let queue = folder.object(&["queue", "show", "mail"]);
    assert_eq!((&queue["depth_max"], &queue["accepted"]), (&2.into(), &19.into()));
}

#[test]
fn only_a_running_job_has_children() {
    let folder = Folder::with_queue(2);
    folder.run(&["send", "mail", "deliver", "1", "--child"]).failed(2, "HANDOVER_QUEUE is not set");
    let id = folder.send("1");
    let mut late = folder.command(&["send", "mail", "deliver", "2", "--child"]);
    late.env("HANDOVER_QUEUE", "mail").env("HANDOVER_JOB_ID", id).env("HANDOVER_TOKEN", "1");
    Ran::from(late.output().unwrap()).failed(1, "the lease is over");
}

#[test]
fn the_first_signal_lets_running_commands_finish() {
    let folder = Folder::with_queue(10);
    let (id, behind) = (folder.send("1"), folder.send("2"));
    let release = folder.fifo("release");
    let exec = "echo > started; read line < release; echo finished";
    let (worker, mut stderr) = begun(&folder, exec);
    signal(&worker, Signal::TERM);
    heard(&mut stderr, "what runs may finish");
    std::fs::write(release, "go\n").unwrap();
    let ended = worker.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(folder.run(&["result", &id]).done(), "\"finished\"\n");
    assert_eq!(folder.object(&["job", "show", &behind])["state"], "ready");
}

#[test]
fn the_second_signal_stops_them_and_gives_their_jobs_back() {
    let folder = Folder::with_queue(10);
    let id = folder.send("1");
    let (worker, mut stderr) = begun(&folder, "echo > started; sleep 1000");
    signal(&worker, Signal::INT);
    heard(&mut stderr, "what runs may finish");
    signal(&worker, Signal::INT);
    heard(&mut stderr, "1 given back");
    assert!(worker.wait_with_output().unwrap().status.success());
    let job = folder.object(&["job", "show", &id]);
    assert_eq!((&job["state"], &job["attempt"]), (&"ready".into(), &0.into()));
}

#[test]
fn commands_end_with_a_worker_that_is_killed() {
    let folder = Folder::with_queue(10);
    folder.send("1");
    // The command reads its arguments first: they come when the guard knows of it.
    let alive = folder.fifo("alive");
    let started = folder.fifo("started");
    let mut worker =
        folder.start(&["work", "mail", "--exec", "cat; exec 3> alive; echo > started; sleep 1000"]);
    let mut alive = File::open(alive).unwrap();
    File::open(started).unwrap().read_to_string(&mut String::new()).unwrap();
    worker.kill().unwrap();
    worker.wait().unwrap();
    // The end of the pipe: nobody who could write to it is left.
    assert_eq!(alive.read_to_string(&mut String::new()).unwrap(), 0);
}

#[test]
fn the_counts_are_json_for_programs() {
    let folder = Folder::with_queue(10);
    folder.send("1");
    folder.send("2");
    let stats = folder.object(&["work", "mail", "--exec", "grep -q 1", "--until-empty"]);
    assert_eq!(
        (&stats["done"], &stats["buried"], &stats["lost"]),
        (&1.into(), &1.into(), &0.into())
    );
}
