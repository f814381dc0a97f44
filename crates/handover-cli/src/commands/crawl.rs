//! `handover crawl`: a site through a bounded queue, politely, and resumable.
//!
//! What a page's job does is in `handover_modules::crawl`; this file turns words into its plan, and watches.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use handover::{
    Backend, BothResults, BrokerExt, Client, FileResults, FileResultsOptions, QueueInfo, QueueName,
    QueueSettings, Result, RunningWorker, Status, Worker, WorkerStats,
};
use handover_modules::crawl::{CrawlPlan, Crawler};
use handover_modules::scraper::extract::Field;
use handover_modules::scraper::fetch::user_agent;
use handover_modules::scraper::url::{PageUrl, Scope};
use serde::Serialize;
use serde_json::Value;

use super::work::Rate;
use crate::app::App;
use crate::connect::Missing;
use crate::exit::Exit;
use crate::failure::{Failure, unless_closed};
use crate::output::{Live, Output};
use crate::{number, stop};

/// Crawl a site: robots.txt obeyed, one request at a time per host, every page once
///
/// Killed or stopped, the same command goes on where it was, and fetches no page again whose result is stored. Started in a
/// second terminal or on the same file by another process, it helps. To crawl a site anew, name another --run.
#[derive(Debug, Args)]
pub(crate) struct CrawlArgs {
    /// Where to begin
    url: String,
    /// The most links to follow from there
    #[arg(long, default_value_t = 3, value_name = "N", allow_negative_numbers = true, value_parser = number::within(0..=u32::MAX))]
    depth: u32,
    /// The most pages the queue may hold unsettled; more are parked until there is room
    #[arg(long, default_value_t = 1000, value_name = "N", allow_negative_numbers = true, value_parser = number::within(1..=QueueSettings::CAPACITY_MAX))]
    capacity: u64,
    /// The most pages parked
    #[arg(long, default_value_t = 10_000_000, value_name = "N", allow_negative_numbers = true, value_parser = number::within(0..=QueueSettings::CAPACITY_MAX))]
    parked_max: u64,
    /// Write the pages to this file too, one JSON object a line
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Pick a field out of each page: name=css, name=css@attribute, or name[]=css for all matches (repeatable)
    #[arg(long = "field", value_name = "NAME=CSS")]
    fields: Vec<String>,
    /// Follow links to this host too: example.org, or *.example.org for all below it (repeatable)
    #[arg(long = "allow", value_name = "HOST")]
    allow: Vec<String>,
    /// The pause between two requests to a host; a longer one in robots.txt counts instead
    #[arg(long, default_value = "1s", value_name = "DURATION", value_parser = crate::duration::parse)]
    delay: Duration,
    /// Requests at a time to one host, in the whole fleet; 0 is no limit, for hosts of your own
    #[arg(long, default_value_t = 1, value_name = "N", allow_negative_numbers = true, value_parser = number::within(0..=u32::MAX))]
    per_host: u32,
    /// Pages at a time in this process
    #[arg(long, default_value_t = 8, value_name = "N", allow_negative_numbers = true, value_parser = number::within(1_usize..=1000))]
    concurrency: usize,
    /// The longest time for a page
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = page_timeout)]
    page_timeout: Duration,
    /// The largest page, in bytes after decompression
    #[arg(long, default_value_t = 5 * 1024 * 1024, value_name = "BYTES", allow_negative_numbers = true, value_parser = number::within(1..=usize::MAX))]
    page_bytes_max: usize,
    /// How the site's owner can reach you: an address or a page, sent with every request
    #[arg(long, value_name = "TEXT", env = "HANDOVER_CONTACT", hide_env_values = true)]
    contact: Option<String>,
    /// Tells one crawl of a site from another
    #[arg(long, default_value = "1", value_name = "NAME")]
    run: String,
    /// The queue of the crawl's pages; made from the host and the run where nothing is said
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// How long a page is owned before a worker that died gives it back
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = crate::duration::parse)]
    lease: Duration,
}

impl CrawlArgs {
    pub(crate) async fn run(self, app: &App) -> std::result::Result<Exit, Failure> {
        let plan = self.plan()?;
        let queue = self.queue_name(&plan)?;
        // Made before anything is opened: it finds what is wrong with the plan.
        let crawler = Crawler::new(plan.clone(), queue.clone())
            .map_err(|error| Failure::usage(error.to_string()))?;
        let file = self.file()?;
        app.at(Missing::Create, async |place| {
            let backend = with_file(place.backend.clone(), file);
            self.crawl(app, &backend, &plan, &queue, &crawler).await
        })
        .await
    }

    async fn crawl(
        &self,
        app: &App,
        backend: &Backend,
        plan: &CrawlPlan,
        queue: &QueueName,
        crawler: &Crawler,
    ) -> std::result::Result<Exit, Failure> {
        let client = Client::new(backend).room_wait(Duration::MAX);
        client
            .declare(queue.as_str(), &CrawlPlan::settings(self.capacity, self.parked_max))
            .await?;
        client.send_messages(queue, &[plan.seed()?]).await?;
        let worker =
            Worker::new(backend).concurrency(self.concurrency).lease(self.lease).until_empty();
        let worker = crawler.on(worker).start().await?;
        let stopping = stop::on_signals(worker.handle(), app.out);
        let stats = watch(backend, queue, app.out, worker).await?;
        let stopped = stopping.was_told();
        let Some(info) = backend.broker.inspector()?.queue(queue).await? else {
            return Err(Failure::nothing_found("the crawl's queue is gone"));
        };
        let mut summary = Summary::new(&info, self, stats);
        summary.count(backend, queue, plan).await?;
        backend.close().await?;
        unless_closed(app.out.result(&summary, || summary.to_string()))?;
        Ok(match (stopped, summary.failed) {
            (true, _) if info.depth() + info.parked > 0 => {
                app.out.note("stopped before its end; the same command goes on");
                Exit::TryAgain
            }
            (_, 0) => Exit::Done,
            _ => Exit::Failed,
        })
    }

    fn plan(&self) -> std::result::Result<CrawlPlan, Failure> {
        let usage = |error: &dyn fmt::Display| Failure::usage(error.to_string());
        let start = PageUrl::parse(&self.url)
            .map_err(|error| usage(&error).hint("give an address such as https://example.org/"))?;
        let mut scope = Scope::same_host(&start);
        for host in &self.allow {
            scope = scope.allow(host).map_err(|error| usage(&error))?;
        }
        let mut plan = CrawlPlan::new(start);
        plan.scope = scope;
        plan.run.clone_from(&self.run);
        plan.depth_max = self.depth;
        plan.delay = self.delay;
        plan.per_host = self.per_host;
        plan.extract.fields = Field::parse_all(&self.fields).map_err(|error| usage(&error))?;
        plan.fetch.user_agent = user_agent(self.contact.as_deref());
        plan.fetch.time_limit = self.page_timeout;
        plan.fetch.body_bytes_max = self.page_bytes_max;
        plan.extract.agent.clone_from(&plan.fetch.user_agent);
        Ok(plan)
    }

    /// The queue that was named, or one of the host and the run.
    fn queue_name(&self, plan: &CrawlPlan) -> Result<QueueName> {
        if let Some(name) = &self.queue {
            return QueueName::new(name);
        }
        let name = format!("crawl.{}-{}.{}", plan.start.host(), plan.start.port(), self.run);
        let plain: String = name
            .chars()
            .map(
                |letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' },
            )
            .collect();
        if plain.len() <= QueueName::LENGTH_MAX {
            return QueueName::new(plain);
        }
        QueueName::new(format!("crawl.{}", plan.id()))
    }

    /// The file of pages, where one was asked for.
    fn file(&self) -> Result<Option<FileResults>> {
        self.out.as_ref().map(|path| FileResultsOptions::flat_file(path).open()).transpose()
    }
}

/// The same backend, with the file of pages beside its own results.
fn with_file(backend: Backend, file: Option<FileResults>) -> Backend {
    let Some(file) = file else { return backend };
    let own = Arc::clone(&backend.results);
    backend.with_results(Arc::new(BothResults::new(vec![own, Arc::new(file)])))
}

/// A page that has no time can only fail.
fn page_timeout(text: &str) -> std::result::Result<Duration, String> {
    match crate::duration::parse(text)? {
        Duration::ZERO => Err("a page needs some time, such as 30s".to_owned()),
        time => Ok(time),
    }
}

/// Draws the live line until the worker ends.
async fn watch(
    backend: &Backend,
    queue: &QueueName,
    out: Output,
    worker: RunningWorker,
) -> Result<WorkerStats> {
    let mut rate = Rate::new();
    let inspect = backend.broker.inspector()?;
    let draw = async |live: &Live| {
        // A look that fails is no reason to end the work that is looked at.
        if let Ok(Some(info)) = inspect.queue(queue).await {
            live.set(info.done, &depth_line(&info, rate.of(info.done)));
        }
    };
    out.live(0).during(worker.join(), draw).await
}

/// A queue in a line, for those who watch it.
pub(crate) fn depth_line(info: &QueueInfo, rate: f64) -> String {
    format!(
        "{} done, {} waiting, {} in flight, {} waiting for room, {rate:.1} jobs/s",
        info.done,
        info.ready + info.held + info.delayed,
        info.leased,
        info.parked + info.senders_waiting
    )
}

/// What a crawl came to: of all its runs of the program together, but for `stats`, which is of this one.
#[derive(Debug, Serialize)]
struct Summary {
    pages: u64,
    /// Pages that were not kept, by the reason.
    skipped: BTreeMap<String, u64>,
    failed: u64,
    depth_max: u64,
    capacity: u64,
    queue: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<PathBuf>,
    worker: WorkerStats,
}

impl Summary {
    fn new(info: &QueueInfo, args: &CrawlArgs, worker: WorkerStats) -> Self {
        Self {
            pages: 0,
            skipped: BTreeMap::new(),
            failed: info.buried,
            depth_max: info.depth_max,
            capacity: info.settings.capacity,
            queue: info.name.to_string(),
            out: args.out.clone(),
            worker,
        }
    }

    /// Counts what the result store holds of this crawl. Pages that were fetched before a file was asked for go into it now;
    /// those that are in it stay as they are.
    async fn count(
        &mut self,
        backend: &Backend,
        queue: &QueueName,
        plan: &CrawlPlan,
    ) -> Result<()> {
        let mut place = Some(0);
        while let Some(after) = place {
            let (records, next) = backend.results.list(queue, after, 1000).await?;
            let mut ours = Vec::new();
            for record in records.into_iter().filter(|record| record.status == Status::Done) {
                let output: Value =
                    serde_json::from_str(record.output.as_deref().unwrap_or("null"))
                        .unwrap_or_default();
                let url = output
                    .get("url")
                    .or_else(|| output.get(1))
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                if record.id != plan.id().derive(url) {
                    continue; // of another crawl in the same queue
                }
                match output.get(0) {
                    None => self.pages += 1,
                    Some(why) => *self.skipped.entry(reason(why)).or_default() += 1,
                }
                ours.push(record);
            }
            if self.out.is_some() && !ours.is_empty() {
                backend.results.put(&ours).await?;
            }
            place = next;
        }
        Ok(())
    }
}

/// The name of the reason for which a page was not kept: the variant of `Skipped`, as JSON has it.
fn reason(why: &Value) -> String {
    let name = why.as_str().or_else(|| why.as_object()?.keys().next().map(String::as_str));
    name.unwrap_or("other").to_owned()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pages         {}", self.pages)?;
        for (why, count) in &self.skipped {
            write!(f, "\n{why:<13} {count}")?;
        }
        write!(f, "\nfailed        {}", self.failed)?;
        if self.failed > 0 {
            write!(f, " (see: handover job ls {} --state buried)", self.queue)?;
        }
        write!(f, "\nhighest depth {} of {}", self.depth_max, self.capacity)?;
        if let Some(out) = &self.out {
            write!(f, "\nfile          {}", out.display())?;
        }
        Ok(())
    }
}
