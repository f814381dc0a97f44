//! Streams that are closed, full, or no files: an exit code, at most a line, and never a panic.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Folder, Ran, lines};

/// Commands that print something.
const PRINTING: [&[&str]; 7] = [
    &["queue", "ls"],
    &["queue", "show", "mail"],
    &["job", "ls", "mail"],
    &["doctor"],
    &["completions", "bash"],
    &["man"],
    &["work", "mail", "--exec", "true", "--until-empty", "--json", "--quiet"],
];

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[test]
fn whoever_stops_reading_ends_a_command_quietly() {
    let folder = Folder::with_queue(10);
    folder.send("1");
    for words in PRINTING.into_iter().chain([&["--help"][..], &["--version"]]) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = folder.command(words);
        let ran = Ran::from(command.stdout(writer).output().unwrap());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{words:?}");
    }
}

#[test]
fn a_full_disk_under_stdout_is_a_failure_that_is_told() {
    let folder = Folder::with_queue(10);
    folder.send("1");
    for words in PRINTING {
        let ran = Ran::from(folder.command(words).stdout(full()).output().unwrap());
        ran.failed(1, "stdout cannot be written");
    }
}

#[test]
fn where_stderr_cannot_be_written_the_exit_code_still_speaks() {
    let folder = Folder::with_queue(10);
    for (words, code) in
        [(&["queue", "ls"][..], 0), (&["queue", "show", "none"], 4), (&["queue", "create", "/"], 2)]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        for stderr in [Stdio::from(full()), Stdio::from(writer)] {
            let mut command = folder.command(words);
            assert_eq!(Ran::from(command.stderr(stderr).output().unwrap()).code, code, "{words:?}");
        }
    }
}

#[test]
fn a_stdin_that_is_closed_or_no_file_ends_it() {
    let folder = Folder::with_queue(10);
    let send = |redirect: &str| {
        let script = format!("exec {} send mail t - {redirect}", env!("CARGO_BIN_EXE_handover"));
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(script).current_dir(folder.path("."));
        Ran::from(shell.output().unwrap())
    };
    assert_eq!(send("<&-").done(), "", "no line, no job");
    send("< .").failed(1, "the input cannot be read");
    assert_eq!(folder.object(&["queue", "show", "mail"])["accepted"], 0);
}

#[test]
fn a_full_disk_of_results_loses_no_job() {
    let folder = Folder::with_queue(10);
    let ids = folder.feed(&["send", "mail", "t", "-"], lines(4));
    let ids: Vec<&str> = ids.done().lines().collect();
    // Files may grow to 2 MiB; each result is 1 MB, and the database is far smaller.
    let script = format!(
        "trap '' XFSZ; ulimit -f 4096; exec {} work mail --exec 'printf 9; head -c 1000000 /dev/zero | tr \"\\0\" 9' --drain 0 --results file:res",
        env!("CARGO_BIN_EXE_handover")
    );
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(script).current_dir(folder.path("."));
    let mut worker = shell.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(worker.stderr.take().unwrap()).lines();
    let away = |line: &String| line.contains("a result or settlement did not arrive");
    assert!(log.by_ref().map(Result::unwrap).any(|line| away(&line)), "it never said so");
    let pid = Pid::from_raw(worker.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    log.for_each(drop);
    assert!(worker.wait().unwrap().success());

    let work = ["work", "mail", "--exec", "cat", "--until-empty", "--results", "file:res"];
    // What was given back rests for some seconds before it comes again.
    for id in &ids {
        let ran = folder.run(&["job", "kick", id]);
        assert!([0, 4].contains(&ran.code), "{ran:?}");
    }
    folder.run(&work).done();
    for id in ids {
        folder.run(&["result", id, "--results", "file:res"]).done();
    }
}
