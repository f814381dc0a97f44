//! Runs the script under `strace`, which makes system calls fail and writes down what they did. It needs no privilege, and
//! no code of ours inside the process that is tested.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::model::Story;
use crate::script::{FOLDER, SAID};

/// The files that the promise is about. The index of the log (`-shm`) is memory that processes share: it is made anew.
pub(crate) const FILES: [&str; 3] = ["handover.db", "handover.db-wal", "handover.db-journal"];

/// What a run did to its files, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// It was opened with leave to create it.
    Create(String),
    Write(String, usize, Vec<u8>),
    Truncate(String, usize),
    Unlink(String),
    Sync(String),
    /// A sync that answered an error: what it should have brought to the disk was dropped.
    FailedSync(String),
    SyncFolder,
    /// The run told something.
    Say(String),
}

/// A folder for one run: in memory where that can be had, because no promise here rests on the real disk.
pub(crate) fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let in_memory = memory.is_dir().then(|| tempfile::tempdir_in(memory).ok()).flatten();
    in_memory.unwrap_or_else(|| tempfile::tempdir().unwrap())
}

/// Plays the script with these further arguments of strace; the trace goes to the file that is answered.
fn run(folder: &Path, arguments: &[String]) -> PathBuf {
    let trace = folder.join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "--seccomp-bpf", "-o"]).arg(&trace).args(arguments);
    command
        .arg(std::env::current_exe().unwrap())
        .args(["script::plays_the_script_when_asked", "--exact", "--quiet"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let output = command.output().unwrap_or_else(|error| {
        panic!("strace cannot be started ({error}); install it, as with: apt-get install strace")
    });
    // What the run says of itself is judged later; here only that it was traced at all.
    assert!(trace.exists(), "strace: {}", String::from_utf8_lossy(&output.stderr));
    trace
}

/// Plays the script while these injections are made in the calls to the database's files, such as
/// `pwrite64:error=EIO:when=3`.
pub(crate) fn inject(folder: &Path, injection: &str) -> Story {
    let calls = injection.split_once(':').unwrap().0;
    let mut arguments = vec![format!("--trace={calls}"), format!("--inject={injection}")];
    arguments.extend(paths(folder));
    run(folder, &arguments);
    Story::read(&std::fs::read_to_string(folder.join(SAID)).unwrap_or_default())
}

/// How often the thread that does so most makes this call on the database's files.
pub(crate) fn count(call: &str) -> usize {
    let folder = folder();
    let mut arguments = vec![format!("--trace={call}")];
    arguments.extend(paths(folder.path()));
    let trace = std::fs::read_to_string(run(folder.path(), &arguments)).unwrap();
    let mut threads: HashMap<&str, usize> = HashMap::new();
    for line in trace.lines().filter(|line| line.contains(&format!(" {call}("))) {
        *threads.entry(line.split(' ').next().unwrap()).or_default() += 1;
    }
    threads.into_values().max().unwrap_or(0)
}

fn paths(folder: &Path) -> impl Iterator<Item = String> {
    FILES.map(|file| format!("--trace-path={}", folder.join(file).display())).into_iter()
}

/// Plays the script and writes down everything it does to its files, with an injection where one is given.
pub(crate) fn record(folder: &Path, injection: Option<&str>) -> Vec<Act> {
    let mut arguments: Vec<String> = ["-xx", "-s", "9999999", "-yy"].map(str::to_owned).into();
    arguments
        .push("--trace=openat,lseek,write,pwrite64,ftruncate,unlink,fsync,fdatasync".to_owned());
    arguments.extend(injection.map(|injection| format!("--inject={injection}")));
    let trace = run(folder, &arguments);
    let acts = parse(&std::fs::read_to_string(trace).unwrap(), folder);
    assert!(acts.iter().any(|act| matches!(act, Act::Sync(_))), "nothing was traced");
    acts
}

/// The acts in a trace. A call that another thread interrupted in the trace counts from where it ended; only what is told
/// counts from where it began, so that nothing is taken for told too late.
fn parse(trace: &str, folder: &Path) -> Vec<Act> {
    let mut unfinished: Vec<(&str, String)> = Vec::new();
    let mut acts = Vec::new();
    let mut places = HashMap::new();
    let said = format!("{}>", hex(SAID));
    let mut act = |call: &str, acts: &mut Vec<Act>| acts.extend(act(call, folder, &mut places));
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if let Some(start) = call.strip_suffix(" <unfinished ...>") {
            if start.starts_with("write(") && start.contains(&said) {
                act(&format!("{start}) = 0"), &mut acts);
            }
            unfinished.push((thread, start.to_owned()));
        } else if let Some(rest) = call.strip_prefix("<... ") {
            let place = unfinished.iter().position(|(other, _)| *other == thread).unwrap();
            let (_, start) = unfinished.swap_remove(place);
            if start.starts_with("write(") && start.contains(&said) {
                continue;
            }
            let rest = rest.split_once(" resumed>").unwrap().1;
            act(&format!("{start}{rest}"), &mut acts);
        } else {
            act(call, &mut acts);
        }
    }
    acts
}

/// What a call did. `places` is where in each file the next plain write goes.
fn act(call: &str, folder: &Path, places: &mut HashMap<String, usize>) -> Option<Act> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, answer) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    let failed = answer.starts_with('-');
    // Texts and paths are written as \x61\x62, so that no sign in them can be taken for the trace's own.
    let quoted = |open: char, close: char| {
        let start = arguments.find(open)? + 1;
        let length = arguments[start..].find(close)?;
        unhex(&arguments[start..start + length])
    };
    let path = match name {
        "openat" | "unlink" => quoted('"', '"')?,
        _ => quoted('<', '>')?,
    };
    let path = PathBuf::from(String::from_utf8(path).ok()?);
    let last = |back: usize| arguments.rsplit(", ").nth(back)?.parse::<usize>().ok();
    if path == folder && matches!(name, "fsync" | "fdatasync") {
        return (!failed).then_some(Act::SyncFolder);
    }
    let file = path.strip_prefix(folder).ok()?.to_str()?.to_owned();
    if file == SAID && name == "write" {
        return Some(Act::Say(String::from_utf8(quoted('"', '"')?).unwrap()));
    }
    if !FILES.contains(&file.as_str()) {
        return None;
    }
    match name {
        "fsync" | "fdatasync" if failed => Some(Act::FailedSync(file)),
        _ if failed => None,
        "fsync" | "fdatasync" => Some(Act::Sync(file)),
        "openat" => arguments.contains("O_CREAT").then_some(Act::Create(file)),
        "unlink" => Some(Act::Unlink(file)),
        "ftruncate" => Some(Act::Truncate(file, last(0)?)),
        "lseek" => {
            places.insert(file, answer.parse().ok()?);
            None
        }
        "write" => {
            // Whoever writes so has said before where to: no plain read is between.
            let bytes = quoted('"', '"')?;
            let place = places.get_mut(&file).unwrap();
            let at = std::mem::replace(place, *place + bytes.len());
            Some(Act::Write(file, at, bytes))
        }
        "pwrite64" => {
            let mut bytes = quoted('"', '"')?;
            assert_eq!(last(1)?, bytes.len(), "the trace has cut what was written");
            bytes.truncate(answer.split(' ').next()?.parse().ok()?);
            Some(Act::Write(file, last(0)?, bytes))
        }
        other => panic!("{other} on {file} is not modelled"),
    }
}

/// A text as strace writes it with `-xx`.
fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
}

/// `None` for what is no text, such as the name of a pipe.
fn unhex(text: &str) -> Option<Vec<u8>> {
    text.split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
}

#[test]
fn a_line_of_a_trace_is_read_as_what_it_did() {
    let folder = Path::new("/f");
    let (file, said) = (hex("/f/handover.db-wal"), hex("/f/said"));
    let trace = format!(
        "9 openat(AT_FDCWD<\\x2f>, \"{file}\", O_RDWR|O_CREAT, 0644) = 4<{file}>\n\
         9 pwrite64(4<{file}>, \"{}\", 3, 8 <unfinished ...>\n\
         8 fsync(4<{file}>)   = -1 EIO (Input/output error) (INJECTED)\n\
         9 <... pwrite64 resumed>) = 2\n\
         8 fdatasync(4<{file}>) = 0\n\
         9 write(5<{said}>, \"{}\", 3) = 3\n",
        hex("abc"),
        hex("ok\n"),
    );
    let wal = || "handover.db-wal".to_owned();
    let expected = [
        Act::Create(wal()),
        Act::FailedSync(wal()),
        Act::Write(wal(), 8, b"ab".to_vec()),
        Act::Sync(wal()),
        Act::Say("ok\n".to_owned()),
    ];
    assert_eq!(parse(&trace, folder), expected);
}
