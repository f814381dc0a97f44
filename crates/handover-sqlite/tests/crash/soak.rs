//! A soak: job after job through one file and one worker, and the memory of the process stays what it was.

use std::sync::Arc;
use std::time::Duration;

use handover::{Context, Durability, Failure, Message, QueueSettings, Room, Task, Worker, clock};
use handover_sqlite::SqliteOptions;
use tokio::sync::Semaphore;

use crate::actor::{Actor, PATIENCE, say};
use crate::child::Role;
use crate::mortal::Fate;
use crate::seed::is_long;
use crate::support::{QUEUE, Stage, queue};

const JOBS: usize = 50_000;
const JOBS_LONG: usize = 1_000_000;
const TIME_MAX: Duration = Duration::from_secs(600);
const CHECKPOINTS: usize = 40;
const BATCH: usize = 250;
/// What a thousand jobs may leave behind, in bytes. The short run still fills caches, and takes each of their steps for a
/// slope.
const SLOPE_MAX: f64 = 128.0 * 1024.0;
const SLOPE_MAX_LONG: f64 = 4.0 * 1024.0;

const STEP: Task<u64, ()> = Task::new("step", QUEUE);

/// The memory this process has, in kilobytes; `None` where the system does not say.
fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// The whole of it in one process: it sends, works, and says after every part how large it is.
pub(crate) async fn run(role: Role) {
    // Ids and results are forgotten while it runs, so that the file comes to rest as well.
    let options = SqliteOptions::default().results_keep(Duration::from_secs(1));
    let backend = options.open(role.file.path()).unwrap().backend();
    let done = Arc::new(Semaphore::new(0));
    let count = Arc::clone(&done);
    let worker = Worker::new(&backend).concurrency(64).handle(STEP, move |_: Context, _: u64| {
        count.add_permits(1);
        async { Ok::<(), Failure>(()) }
    });
    let running = worker.start().await.unwrap();
    let (jobs, began) = (if is_long() { JOBS_LONG } else { JOBS }, clock::now());
    let part = jobs / CHECKPOINTS;
    for checkpoint in 1..=CHECKPOINTS {
        for _ in 0..part / BATCH {
            let batch: Vec<Message> =
                (0..BATCH as u64).map(|number| STEP.message(&number).unwrap()).collect();
            backend.broker.send(&queue(), &batch, Room::within(PATIENCE)).await.unwrap();
        }
        let finished = u32::try_from(part / BATCH * BATCH).unwrap();
        done.acquire_many(finished).await.unwrap().forget();
        say("checkpoint", format!("{} {}", checkpoint * part, resident_kb().unwrap_or(0)));
        if clock::now() - began > TIME_MAX {
            break;
        }
    }
    running.stop().await.unwrap();
    backend.close().await.unwrap();
}

/// Bytes for each thousand jobs: the line that lies nearest to all points (least squares).
#[allow(clippy::cast_precision_loss, reason = "counts of jobs and bytes are far below 2^52")]
fn slope(points: &[(u64, u64)]) -> f64 {
    let count = points.len() as f64;
    let mean =
        |of: fn(&(u64, u64)) -> u64| points.iter().map(|one| of(one) as f64).sum::<f64>() / count;
    let (jobs, kb) = (mean(|one| one.0), mean(|one| one.1));
    let (mut over, mut under) = (0.0, 0.0);
    for point in points {
        over += (point.0 as f64 - jobs) * (point.1 as f64 - kb);
        under += (point.0 as f64 - jobs).powi(2);
    }
    over / under * 1024.0 * 1000.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout, reason = "the figures of the run")]
async fn memory_stays_flat_over_many_jobs() {
    if resident_kb().is_none() {
        return; // only Linux says
    }
    let mut settings = QueueSettings::with_capacity(2000);
    settings.durability = Some(Durability::Buffered);
    settings.remember = Duration::from_secs(1);
    let stage = Stage::new(&settings).await;
    let fate = Fate::Open.to_string();
    let began = clock::now();
    let mut child = Actor::start("soak", &stage.path(), &stage.next_history(), 0, &fate);
    let mut points: Vec<(u64, u64)> = Vec::new();
    loop {
        // The child itself ends at the first checkpoint after this time.
        let heard = tokio::time::timeout(TIME_MAX, child.hears("checkpoint")).await;
        let Some(line) = heard.expect("it comes to the next checkpoint, or to its end") else {
            break;
        };
        let (jobs, kb) = line.split_once(' ').unwrap();
        println!("{jobs} jobs: {kb} kB");
        points.push((jobs.parse().unwrap(), kb.parse().unwrap()));
    }
    assert!(child.ended().await.success());
    // Without the first quarter, in which caches fill.
    let warm = &points[points.len() / 4..];
    let (slope, last) = (slope(warm), points[points.len() - 1]);
    println!(
        "{} jobs in {:.1?}: {} kB after the first part, {} kB at the end, {slope:.0} bytes for each 1000 jobs",
        last.0,
        clock::now() - began,
        points[0].1,
        last.1
    );
    let most = if is_long() { SLOPE_MAX_LONG } else { SLOPE_MAX };
    assert!(slope < most, "{slope:.0} bytes for each 1000 jobs: {points:?}");
}
