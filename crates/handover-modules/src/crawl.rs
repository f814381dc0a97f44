//! The crawl: a site's pages as jobs of one queue that its own workers fill.
//!
//! A job is one page. It takes its host's turn, fetches the page over [`scraper`](crate::scraper), sends the pages it links to as its children,
//! and keeps the turn until the pause that the host is owed has passed.
//!
//! Nothing here remembers which pages were seen, and there is no frontier: the id of a page's job is made from the crawl and
//! the page's address, so sending a page twice is one job, and children without room are parked inside the queue. Both
//! survive a kill, so a crawl that is started again goes on where it was.
//!
//! One request at a time per host holds for the whole fleet, because the host is the key of its pages' messages.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use handover::{
    Context, ErrorKind, Failure, JobId, Message, QueueName, QueueSettings, RetryPolicy, Task,
    Worker, clock,
};
use serde::{Deserialize, Serialize};

use crate::scraper::extract::{Directives, ExtractOptions, extract};
use crate::scraper::fetch::{FetchError, FetchOptions, Fetcher, Page, SetupError, Step};
use crate::scraper::polite::Politeness;
use crate::scraper::record::PageRecord;
use crate::scraper::robots::{CRAWL_DELAY_MAX, Robots, RobotsAnswer};
use crate::scraper::robots_cache::{LATER_KEPT, RobotsCache};
use crate::scraper::url::{PageUrl, Scope};

/// The arguments of a page's job. Short, because a crawl has many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PageJob {
    /// The crawl it belongs to: the name from which the ids of all its pages are derived.
    pub crawl: JobId,
    /// The page.
    pub url: PageUrl,
    /// Links followed from the start to get here.
    pub depth: u32,
    /// Redirects followed to get here.
    #[serde(default)]
    pub redirects: u32,
}

/// What a crawl follows and keeps.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CrawlPlan {
    /// Where it begins.
    pub start: PageUrl,
    /// Tells one crawl of a start from another: the same name goes on with it, a new one begins anew.
    pub run: String,
    /// Which pages belong to it.
    pub scope: Scope,
    /// The most links followed from the start.
    pub depth_max: u32,
    /// The pause between two requests to a host; a longer one in robots.txt counts instead.
    pub delay: Duration,
    /// Requests at a time to one host, in the whole fleet; 0 for no limit, which is for hosts of your own.
    pub per_host: u32,
    /// What is picked out of each page.
    pub extract: ExtractOptions,
    /// Limits and identity of the requests.
    pub fetch: FetchOptions,
}

impl CrawlPlan {
    /// A crawl of the start's host: three links deep, one request at a time with a second between them.
    #[must_use]
    pub fn new(start: PageUrl) -> Self {
        Self {
            scope: Scope::same_host(&start),
            start,
            run: "1".to_owned(),
            depth_max: 3,
            delay: Duration::from_secs(1),
            per_host: 1,
            extract: ExtractOptions::default(),
            fetch: FetchOptions::default(),
        }
    }

    /// The crawl's id: the same for the same start and run.
    #[must_use]
    pub fn id(&self) -> JobId {
        JobId::from_bytes(*b"handover's crawl").derive(self.start.as_str()).derive(&self.run)
    }

    /// The settings a crawl's queue needs: this capacity, room for `pages_max` parked pages, and an id remembered for a year,
    /// which is what keeps a page from being fetched twice.
    #[must_use]
    pub fn settings(capacity: u64, pages_max: u64) -> QueueSettings {
        let mut settings = QueueSettings::with_capacity(capacity);
        settings.overdraft = pages_max;
        settings.remember = Duration::from_secs(365 * 24 * 60 * 60);
        settings
    }

    /// The first job. Sending it again is the same job.
    ///
    /// # Errors
    /// [`Invalid`](handover::ErrorKind::Invalid) where it cannot be encoded.
    pub fn seed(&self) -> handover::Result<Message> {
        self.message(PageJob { crawl: self.id(), url: self.start.clone(), depth: 0, redirects: 0 })
    }

    fn message(&self, job: PageJob) -> handover::Result<Message> {
        let id = job.crawl.derive(job.url.as_str());
        let message = PAGE.message(&job)?.with_id(id);
        Ok(match self.key(&job.url) {
            Some(key) => message.with_key(key),
            None => message,
        })
    }

    /// The turn a page waits for: its host, or one of its host's places.
    fn key(&self, url: &PageUrl) -> Option<String> {
        match self.per_host {
            0 => None,
            1 => Some(format!("{}:{}", url.host(), url.port())),
            places => {
                // The same place for a page in every process and version, so not by std's hasher.
                let [first, second, third, fourth, ..] = *self.id().derive(url.as_str()).as_bytes();
                let place = u32::from_be_bytes([first, second, third, fourth]) % places;
                Some(format!("{}:{}/{place}", url.host(), url.port()))
            }
        }
    }
}

/// The task of a page. Its queue is named where it is sent: each crawl has one of its own.
pub const PAGE: Task<PageJob, PageResult> = Task::new("page", "crawl").retry(RetryPolicy {
    attempts_max: 5,
    delay_first: Duration::from_secs(2),
    delay_max: Duration::from_secs(120),
});

/// The most redirects in a row.
const REDIRECTS_MAX: u32 = 10;

/// The most ids of children that a process remembers to have sent, at 16 bytes each and as much again for the table.
const SENT_MAX: usize = 1_000_000;

/// Why a page was not kept: its job is done, and this is its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Skipped {
    /// The site's robots.txt forbids it.
    Robots,
    /// It has moved; the page it moved to is a job of its own.
    Moved(PageUrl),
    /// It has moved out of the crawl's scope.
    Left(PageUrl),
    /// The server answered with an error that will not go away, or the page breaks a limit.
    Broken(String),
    /// The page asks not to be kept.
    NoIndex,
}

/// The result of a page's job: an object where the page was kept, `[why, url]` where it was not. A flat file of pages holds
/// the objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum PageResult {
    /// It was kept.
    Kept(Box<KeptPage>),
    /// It was not.
    Skipped(Skipped, PageUrl),
}

/// A page that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptPage {
    /// What was found on it.
    #[serde(flatten)]
    pub record: PageRecord,
    /// When, in milliseconds since 1970.
    pub fetched_at_ms: u64,
}

/// Fetches the pages of a crawl. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Crawler(Arc<Inner>);

struct Inner {
    plan: CrawlPlan,
    queue: QueueName,
    fetcher: Fetcher,
    politeness: Politeness,
    robots: RobotsCache,
    /// Children this process has sent: a page of a site's menu is linked from everywhere, and asking the queue each time
    /// whether it knows the page would be most of the work.
    sent: Mutex<HashSet<JobId>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crawler")
            .field("plan", &self.plan)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

impl Crawler {
    /// A crawler for the pages in `queue`.
    ///
    /// # Errors
    /// [`SetupError`] where the plan's user agent or certificates are not usable.
    pub fn new(plan: CrawlPlan, queue: QueueName) -> Result<Self, SetupError> {
        let per_host = if plan.per_host == 0 {
            usize::MAX
        } else {
            usize::try_from(plan.per_host).unwrap_or(usize::MAX)
        };
        Ok(Self(Arc::new(Inner {
            fetcher: Fetcher::new(plan.fetch.clone())?,
            politeness: Politeness::new(plan.delay).per_host(per_host),
            robots: RobotsCache::new(),
            sent: Mutex::default(),
            plan,
            queue,
        })))
    }

    /// The worker with this crawler's handler.
    pub fn on(&self, worker: Worker) -> Worker {
        let crawler = self.clone();
        worker.handle_in(
            self.0.queue.as_str(),
            PAGE.timeout(self.attempt_max()),
            move |context, job| {
                let crawler = crawler.clone();
                async move { crawler.page(context, job).await }
            },
        )
    }

    /// The longest an attempt takes: robots.txt and the page, each with its time and the host's pause, and the turn that is
    /// kept for one pause more.
    fn attempt_max(&self) -> Duration {
        let plan = &self.0.plan;
        let pause = plan.delay.max(CRAWL_DELAY_MAX);
        Duration::from_secs(60) + plan.fetch.time_limit * 2 + pause * 4
    }

    /// Fetches one page, sends what it links to, and returns what is kept of it.
    async fn page(&self, context: Context, job: PageJob) -> Result<PageResult, Failure> {
        let inner = &self.0;
        let robots = inner.robots_of(&job.url).await?;
        if !robots.allows(job.url.path_and_query()) {
            return Ok(PageResult::Skipped(Skipped::Robots, job.url.clone()));
        }
        let permit = inner.politeness.acquire(job.url.host(), robots.crawl_delay()).await;
        let step = inner.fetcher.step(&job.url, inner.plan.fetch.time_limit).await;
        let fetched = clock::now();
        if let Some(pause) = step.as_ref().err().and_then(FetchError::retry_after) {
            permit.hold_off(pause);
        }
        drop(permit);
        let kept = match step {
            Ok(Step::Page(page)) => inner.keep(&context, &job, *page).await,
            Ok(Step::Redirect { to, .. }) => inner.follow(&context, &job, to).await,
            Err(error) if error.is_temporary() => Err(again(&error)),
            Err(error) => {
                Ok(PageResult::Skipped(Skipped::Broken(error.to_string()), job.url.clone()))
            }
        };
        // The host's turn is kept until its pause has passed, so that no other worker of the fleet comes too early.
        let pause = robots.crawl_delay().unwrap_or_default().max(inner.plan.delay);
        tokio::time::sleep_until(fetched + pause).await;
        kept
    }
}

impl Inner {
    async fn robots_of(&self, url: &PageUrl) -> Result<Robots, Failure> {
        let origin = url.origin();
        let answer = self
            .robots
            .get(&origin, || async {
                let _permit = self.politeness.acquire(origin.host(), None).await;
                self.fetcher.fetch_robots(&origin).await
            })
            .await;
        match &*answer {
            RobotsAnswer::Rules(rules) => Ok(rules.clone()),
            RobotsAnswer::Later { retry_after } => Err(Failure::retry_after(
                retry_after.unwrap_or(LATER_KEPT),
                format!("{} cannot be asked for its robots.txt now", origin.host()),
            )),
        }
    }

    /// A page that moved is a job of its own, so that it is fetched once, wherever it was linked from.
    async fn follow(
        &self,
        context: &Context,
        job: &PageJob,
        to: PageUrl,
    ) -> Result<PageResult, Failure> {
        if !self.plan.scope.contains(&to) {
            if job.depth == 0 {
                return Err(Failure::bury(format!(
                    "the start has moved to {to}, out of the crawl's scope; start there"
                )));
            }
            return Ok(PageResult::Skipped(Skipped::Left(to), job.url.clone()));
        }
        if job.redirects >= REDIRECTS_MAX {
            let why = format!("more than {REDIRECTS_MAX} redirects in a row");
            return Ok(PageResult::Skipped(Skipped::Broken(why), job.url.clone()));
        }
        let child = PageJob { url: to.clone(), redirects: job.redirects + 1, ..job.clone() };
        self.send(context, vec![child]).await?;
        Ok(PageResult::Skipped(Skipped::Moved(to), job.url.clone()))
    }

    /// Sends what a page links to, and makes its record.
    async fn keep(
        &self,
        context: &Context,
        job: &PageJob,
        page: Page,
    ) -> Result<PageResult, Failure> {
        let options = &self.plan.extract;
        let found = extract(page.text.as_deref().unwrap_or_default(), &page.final_url, options);
        let said =
            Directives::of_headers(page.robots_tag.iter().map(String::as_str), &options.agent)
                .and(found.directives);
        if job.depth < self.plan.depth_max && !(options.obey_nofollow && said.nofollow) {
            let links = found.links.iter().filter(|link| self.plan.scope.contains(link));
            let children = links
                .map(|link| PageJob {
                    crawl: job.crawl,
                    url: link.clone(),
                    depth: job.depth + 1,
                    redirects: 0,
                })
                .collect();
            self.send(context, children).await?;
        }
        if said.noindex {
            return Ok(PageResult::Skipped(Skipped::NoIndex, job.url.clone()));
        }
        let record = PageRecord {
            url: page.url,
            final_url: page.final_url,
            status: page.status,
            title: found.title,
            fields: found.fields,
            depth: job.depth,
            links: found.links.len(),
            bytes: page.bytes,
            content_type: page.content_type,
            charset: page.charset.map(str::to_owned),
            cut: found.cut,
        };
        Ok(PageResult::Kept(Box::new(KeptPage { record, fetched_at_ms: clock::wall_ms() })))
    }

    async fn send(&self, context: &Context, children: Vec<PageJob>) -> Result<(), Failure> {
        let mut batch = Vec::with_capacity(children.len());
        for child in children {
            let message = self.plan.message(child)?;
            if !self.sent().contains(&message.id) {
                batch.push(message);
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        context.send_messages(&self.queue, &batch).await.map_err(|error| match error.kind() {
            // Given back without an attempt it would be fetched again and again, and hold its host's turn meanwhile.
            ErrorKind::Full => {
                Failure::retry(format!("more pages wait than may be parked; allow more: {error}"))
            }
            _ => error.into(),
        })?;
        let mut sent = self.sent();
        if sent.len() + batch.len() > SENT_MAX {
            sent.clear(); // the queue still knows them
        }
        sent.extend(batch.iter().map(|message| message.id));
        Ok(())
    }

    fn sent(&self) -> std::sync::MutexGuard<'_, HashSet<JobId>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn again(error: &FetchError) -> Failure {
    match error.retry_after() {
        Some(pause) => Failure::retry_after(pause, error.to_string()),
        None => Failure::retry(error.to_string()),
    }
}
