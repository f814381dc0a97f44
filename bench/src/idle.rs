//! `bench idle`: what a worker costs that has nothing to do, and how fast it is there when it has. The worker that is woken is in
//! [`worker`]; reading a trace is in [`trace`].
//!
//! System calls are counted from outside by strace, from a second after it has come until it goes: coming interrupts what
//! the worker sleeps in, and those calls are strace's.

mod trace;
pub(crate) mod worker;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::measure::percentile;
use crate::report::{Report, Table, figure};
use crate::{Failure, Options};

const QUEUES: u32 = 100;
const WAKES: u64 = 300;
/// What the worker is given to come to rest: it looks truly five seconds after the last commit, and ten seconds after its start
/// `handover work` says how it is.
const SETTLE: Duration = Duration::from_secs(12);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the command line `handover` is; beside this program where nothing is said.
    #[arg(long, value_name = "PROGRAM")]
    handover: Option<PathBuf>,
    /// Count the calls of a worker of this program instead of `handover work`.
    #[arg(long)]
    library: bool,
    /// How long calls are counted, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

/// Times of the trace.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// For the worker to come to rest.
    settle: Duration,
    /// After strace has come, before calls count.
    grace: Duration,
    /// While calls count.
    count: Duration,
}

pub(crate) fn run(args: &Args, options: &Options) -> Result<Report, Failure> {
    let folder = options.folder()?;
    let file = folder.path().join("idle.db");
    let runtime = crate::runtime()?;
    runtime.block_on(async {
        let backend = worker::declare(&file, QUEUES).await?;
        Ok::<_, Failure>(backend.close().await?)
    })?;
    let times = if options.short {
        let tenth = Duration::from_millis(200);
        Times { settle: tenth, grace: tenth, count: Duration::from_secs(1) }
    } else {
        let second = Duration::from_secs(1);
        Times { settle: SETTLE, grace: second, count: Duration::from_secs(args.seconds) }
    };
    let mut table = Table::new(["", "unit", "handover"]);
    let mut json = serde_json::Map::new();
    let mut remarks = Vec::new();
    let what = if args.library { "a worker of the library" } else { "`handover work`" };
    if options.wants("syscalls") {
        let calls = count_calls(args, &file, &folder.path().join("trace"), times)?;
        let per_s = calls.per_s(times.count);
        table.row([&format!("system calls of {what}"), "a second", &format!("{per_s:.2}")]);
        let moments_per_s = calls.moments_per_s(times.count);
        table.row([&format!("times {what} woke up"), "a second", &format!("{moments_per_s:.2}")]);
        remarks.push(calls.remark(times.count));
        json.insert("syscalls_per_s".to_owned(), figure(per_s));
        json.insert("moments_per_s".to_owned(), figure(moments_per_s));
        json.insert("syscalls".to_owned(), calls.json());
    }
    if options.wants("wake") {
        let wakes = if options.short { 20 } else { WAKES * u64::from(options.runs_or(1)) };
        let times = runtime.block_on(async {
            worker::wake(worker::Waker::across(&file, QUEUES).await?, wakes).await
        })?;
        let (p50, p99) = (percentile(&times, 0.5) / 1e3, percentile(&times, 0.99) / 1e3);
        let text = format!("{p50:.2}, {p99:.2}");
        table.row(["from another process's send to the handler's start, p50 and p99", "ms", &text]);
        remarks.push(format!(
            "{wakes} wake-ups of a worker of the library in a process of its own, each from the call of send, which syncs, to the handler's first line."
        ));
        json.insert("wake_p50_ms".to_owned(), figure(p50));
        json.insert("wake_p99_ms".to_owned(), figure(p99));
    }
    Ok(Report {
        name: "idle",
        conditions: vec![format!(
            "One worker process on {QUEUES} empty queues in one file, durability `Synced`."
        )],
        tables: vec![table],
        remarks,
        json: json!(json),
    })
}

/// A process that is killed when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Starts a worker on the empty queues and counts its calls.
fn count_calls(
    args: &Args,
    file: &Path,
    log: &Path,
    times: Times,
) -> Result<trace::Calls, Failure> {
    let (id, _worker): (u32, Box<dyn std::any::Any>) = if args.library {
        let role = ["work".into(), file.as_os_str().to_owned(), QUEUES.to_string().into()];
        let child = crate::child::Child::start(role)?;
        (child.id(), Box::new(child))
    } else {
        let worker = command_line(args, file)?;
        (worker.id(), Box::new(Killed(worker)))
    };
    pause(times.settle);
    let from_until = attach(id, log, times)?;
    Ok(trace::Calls::read(&std::fs::read_to_string(log)?, from_until))
}

/// `handover work` on all the queues. It says that it is ready by nothing; its time to settle is long enough for its start.
/// What it logs is a call that counts, but nobody reads it.
fn command_line(args: &Args, file: &Path) -> Result<Child, Failure> {
    let program = match &args.handover {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("handover"),
    };
    let broker = format!("sqlite:{}", file.display());
    Command::new(&program)
        .args(["--broker", &broker, "work", "--exec", "true"])
        .args((0..QUEUES).map(worker::queue))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            let program = program.display();
            format!("{program}: {error}; build it, name it with --handover, or take --library")
                .into()
        })
}

/// Traces the process for the times given: from when until when, in seconds since 1970, calls count.
fn attach(process: u32, log: &Path, times: Times) -> Result<(f64, f64), Failure> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-ttt", "-o"]).arg(log).args(["-p", &process.to_string()]);
    let child = strace.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(|error| {
        format!("strace: {error}; install the package strace, or leave this part out: --only wake")
    })?;
    let mut child = Killed(child);
    let said = child.0.stderr.take().ok_or("strace without a voice")?;
    let mut lines = BufReader::new(said).lines();
    // Its first line says that it has come, or why it may not.
    let first = lines.next().ok_or("strace ended without a word")??;
    if !first.contains("attached") {
        return Err(format!("strace cannot look at the worker: {first}").into());
    }
    pause(times.grace);
    let from = wall_s();
    pause(times.count);
    Ok((from, wall_s()))
}

/// As strace writes its times.
fn wall_s() -> f64 {
    let since_1970 = Duration::from_millis(handover::clock::wall_ms());
    since_1970.as_secs_f64()
}

#[allow(clippy::disallowed_methods, reason = "the bench waits while another process is looked at")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
