//! `handover demo`: the main job on the project's own book, with a worker killed in the middle.
//!
//! In reading order: `site.rs` renders the book, `server.rs` serves it on loopback, `fleet.rs` runs the worker processes,
//! `report.rs` counts what came of it; this file is the run from begin to end. Offline; nothing else is needed.

mod fleet;
mod report;
mod server;
mod site;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use handover::history::Times;
use handover::{
    Backend, BrokerExt, Client, Error, ErrorKind, JobFilter, JobId, JobState, QueueInfo, QueueName,
    Result, clock,
};
use handover_modules::crawl::CrawlPlan;
use handover_modules::scraper::url::PageUrl;

use self::fleet::Fleet;
use self::report::{Effects, Report};
use self::server::Server;
use self::site::Site;
use crate::app::App;
use crate::commands::crawl::depth_line;
use crate::exit::Exit;
use crate::failure::{Failure, unless_closed};
use crate::output::{Live, Output};
use crate::record::Pen;

/// How often the live line is drawn.
const FRAME: Duration = Duration::from_millis(100);
/// After this long without an end the demo gives up and says so.
const TIME_MAX: Duration = Duration::from_secs(300);

/// Crawl the project's own documentation, kill a worker halfway, and count what was lost.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Worker processes; one of them is killed
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(2..=32))]
    workers: u64,
    /// The most unsettled jobs the queue may hold
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    capacity: u64,
    /// How long the site takes for a page
    #[arg(long, default_value = "150ms", value_parser = crate::duration::parse)]
    latency: Duration,
    /// Keep the database and the results in this folder, which must not exist; a new temporary folder otherwise
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl DemoArgs {
    pub(crate) async fn run(self, app: &App) -> std::result::Result<Exit, Failure> {
        Ok(demo(self, app).await?)
    }
}

async fn demo(args: DemoArgs, app: &App) -> Result<Exit> {
    let out = app.out;
    let history = app.global.history.as_deref();
    let folder = folder(args.dir.as_deref())?;
    let site = Arc::new(Site::of_the_book());
    let expected = site.reachable();
    let server = Server::start(site, args.latency)
        .await
        .map_err(|error| trouble("the site cannot be served", error))?;
    let start =
        PageUrl::parse(&server.url()).map_err(|error| trouble("the site has no address", error))?;
    let queue = QueueName::new("demo")?;
    let backend = handover_sqlite::open(folder.join("handover.db"))?;
    let backend = match history {
        Some(histories) => Pen::create(histories)?.record(backend, Times::Wall)?,
        None => backend,
    };
    let settings = CrawlPlan::settings(args.capacity, 1_000_000);
    Client::new(&backend).declare(queue.as_str(), &settings).await?;
    out.note(&format!("the book is a site of {} pages at {}", expected.len(), server.url()));
    out.note(&format!(
        "{} worker processes crawl it through a queue of {} places",
        args.workers, args.capacity
    ));
    let workers = usize::try_from(args.workers).unwrap_or(usize::MAX);
    let fleet = Fleet::start(workers, &arguments(&start, &folder, args.capacity, history), &folder)
        .map_err(|error| trouble("the workers cannot be started", error))?;
    let watched = Demo { backend: &backend, queue: &queue, pages: expected.len() as u64, out };
    let info = watched.watch(fleet).await?;
    let effects = Effects::read(&backend, &queue, &folder.join("pages.jsonl")).await?;
    let report = Report::new(&expected, &effects, &info, &folder);
    backend.close().await?;
    out.note(&format!("requests repeated after the kill: {} (a job is tried at least once, its effect counts once)", server.repeated()));
    if let Some(histories) = history {
        out.note(&format!(
            "the histories are in {0}; handover trace {0} draws them",
            histories.display()
        ));
    }
    unless_closed(out.result(&report, || report.to_string()))?;
    Ok(if report.is_good() { Exit::Done } else { Exit::Failed })
}

fn folder(wanted: Option<&Path>) -> Result<PathBuf> {
    let made = match wanted {
        Some(folder) => std::fs::create_dir(folder).map(|()| folder.to_owned()),
        None => {
            tempfile::Builder::new().prefix("handover-demo-").tempdir().map(tempfile::TempDir::keep)
        }
    };
    let made = made.and_then(|folder| match folder.to_str() {
        Some(name) if !name.contains('?') => Ok(folder),
        _ => Err(std::io::Error::other(
            "its path has a '?' or is no text, and cannot stand in a URL",
        )),
    });
    made.map_err(|error| {
        trouble("the demo's folder cannot be made; name one that does not exist with --dir", error)
    })
}

/// What each worker process is told: the same command a user would type.
fn arguments(
    start: &PageUrl,
    folder: &Path,
    capacity: u64,
    history: Option<&Path>,
) -> Vec<OsString> {
    let mut broker = OsString::from("sqlite:");
    broker.push(folder.join("handover.db"));
    let capacity = capacity.to_string();
    let words = [
        "crawl",
        start.as_str(),
        "--queue",
        "demo",
        "--capacity",
        &capacity,
        "--depth",
        "100",
        "--delay",
        "0s",
    ];
    let more = ["--per-host", "0", "--concurrency", "2", "--lease", "2s", "--quiet", "--broker"];
    let mut arguments: Vec<OsString> = words.into_iter().chain(more).map(OsString::from).collect();
    arguments.extend([
        broker,
        "--results".into(),
        "same".into(),
        "--out".into(),
        folder.join("pages.jsonl").into(),
    ]);
    if let Some(histories) = history {
        arguments.extend(["--history".into(), histories.into()]);
    }
    arguments
}

struct Demo<'a> {
    backend: &'a Backend,
    queue: &'a QueueName,
    pages: u64,
    out: Output,
}

/// A worker that was killed, and the jobs it held then.
struct Killed {
    pid: u32,
    held: BTreeSet<JobId>,
    at: clock::Instant,
}

impl Demo<'_> {
    /// Draws the live line until the workers have ended, and kills one of them halfway.
    async fn watch(&self, mut fleet: Fleet) -> Result<QueueInfo> {
        let started = clock::now();
        let live = self.out.live(self.pages);
        let mut killed: Option<Killed> = None;
        let mut frames = tokio::time::interval(FRAME);
        loop {
            frames.tick().await;
            let info = self.info().await?;
            self.draw(&live, &info, started);
            match &mut killed {
                None if info.done * 2 >= self.pages => {
                    killed = self.kill_one(&mut fleet, &live).await?
                }
                Some(killed) => self.look_for(killed, &live).await?,
                None => {}
            }
            if fleet.ended().map_err(|error| trouble("the workers cannot be watched", error))? {
                break;
            }
            if clock::now() - started > TIME_MAX {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "the demo did not end in five minutes; please report it",
                ));
            }
        }
        fleet.join().await.map_err(|error| trouble("a worker failed", error))?;
        let Some(mut killed) = killed else {
            let message = "the crawl ended before a worker could be killed; use a longer --latency";
            return Err(Error::new(ErrorKind::Internal, message));
        };
        self.look_for(&mut killed, &live).await?;
        let info = self.info().await?;
        self.draw(&live, &info, started);
        live.finish();
        Ok(info)
    }

    async fn info(&self) -> Result<QueueInfo> {
        let info = self.backend.broker.inspector()?.queue(self.queue).await?;
        info.ok_or_else(|| Error::new(ErrorKind::Internal, "the demo's queue is gone"))
    }

    fn draw(&self, live: &Live, info: &QueueInfo, started: clock::Instant) {
        let done = f64::from(u32::try_from(info.done).unwrap_or(u32::MAX));
        let seconds = (clock::now() - started).as_secs_f64().max(0.1);
        live.set(info.done, &depth_line(info, done / seconds));
    }

    /// Kills the worker that holds most jobs; nobody, for the moment, where none holds any.
    async fn kill_one(&self, fleet: &mut Fleet, live: &Live) -> Result<Option<Killed>> {
        let leases = self.leases().await?;
        let held_by = |pid: u32| -> BTreeSet<JobId> {
            let of = |owner: &str| {
                owner.rsplit(':').next().and_then(|pid| pid.parse().ok()) == Some(pid)
            };
            leases.iter().filter(|(_, owner)| of(owner)).map(|(id, _)| *id).collect()
        };
        let Some((pid, held)) =
            fleet.pids().map(|pid| (pid, held_by(pid))).max_by_key(|(_, held)| held.len())
        else {
            return Ok(None);
        };
        if held.is_empty() {
            return Ok(None);
        }
        fleet.kill(pid).await.map_err(|error| trouble("the worker cannot be killed", error))?;
        live.line(&format!("killed worker {pid} (SIGKILL) while it held {} jobs", held.len()));
        Ok(Some(Killed { pid, held, at: clock::now() }))
    }

    /// Says when the killed worker's jobs have come back to others.
    async fn look_for(&self, killed: &mut Killed, live: &Live) -> Result<()> {
        if killed.held.is_empty() {
            return Ok(());
        }
        let still: BTreeSet<JobId> = self
            .leases()
            .await?
            .into_iter()
            .filter(|(id, owner)| {
                killed.held.contains(id) && owner.ends_with(&format!(":{}", killed.pid))
            })
            .map(|(id, _)| id)
            .collect();
        if still.is_empty() {
            let seconds = (clock::now() - killed.at).as_secs_f64();
            live.line(&format!(
                "its {} leases ran out, and its jobs came back after {seconds:.1} s",
                killed.held.len()
            ));
            killed.held.clear();
        }
        Ok(())
    }

    async fn leases(&self) -> Result<Vec<(JobId, String)>> {
        let filter = JobFilter::default().state(Some(JobState::Leased)).limit(JobFilter::LIMIT_MAX);
        let page = self.backend.broker.inspector()?.jobs(self.queue, filter).await?;
        Ok(page.jobs.into_iter().filter_map(|job| Some((job.message.id, job.owner?))).collect())
    }
}

fn trouble(what: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let error = error.into();
    Error::new(ErrorKind::Unavailable, format!("{what}: {error}")).source(error)
}
