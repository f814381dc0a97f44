//! Asking each site for its robots.txt once a day and not more often. How to ask is the caller's
//! business; what an answer means is [`robots`](super::robots)'s.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use handover::clock;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::robots::RobotsAnswer;
use super::url::Origin;

/// How long rules are kept: RFC 9309 (section 2.4) allows a day.
pub const RULES_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long "come back later" is kept when the server names no time of its own.
pub const LATER_KEPT: Duration = Duration::from_secs(5 * 60);

/// How many sites are remembered unless [`RobotsCache::entries_max`] says otherwise.
pub const ENTRIES_MAX: usize = 1_000;

/// The robots.txt answers of one process, by scheme, host and port.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// use handover_modules::scraper::{robots::*, robots_cache::RobotsCache, url::PageUrl};
///
/// let cache = RobotsCache::new();
/// let page = PageUrl::parse("https://example.org/a").unwrap();
/// let ask = || async { RobotsAnswer::from_status(404, b"", "handover", None) };
/// let answer = cache.get(&page.origin(), ask).await;
/// assert!(matches!(&*answer, RobotsAnswer::Rules(r) if r.allows(page.path_and_query())));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct RobotsCache {
    entries_max: usize,
    /// A slot's clones are only made under this lock, so that a count of one seen under it means
    /// that nobody is using it.
    slots: StdMutex<HashMap<Origin, Slot>>,
}

struct Slot {
    used: Instant,
    /// Locked while somebody asks; the others wait for the lock and then find the answer.
    kept: Arc<Mutex<Option<Kept>>>,
}

struct Kept {
    answer: Arc<RobotsAnswer>,
    until: Instant,
}

impl RobotsCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self { entries_max: ENTRIES_MAX, slots: StdMutex::default() }
    }

    /// Remembers at most `n` sites; 0 counts as 1. Sites that are being asked for right now may
    /// come on top, at most one for each concurrent [`get`](Self::get).
    #[must_use]
    pub fn entries_max(mut self, n: usize) -> Self {
        self.entries_max = if n == 0 { 1 } else { n };
        self
    }

    /// The answer for this site, from memory or by calling `ask`. Concurrent calls for one site
    /// ask once; if the asking call is dropped, the next in line asks.
    ///
    /// Rules are kept for [`RULES_KEPT`]. "Come back later" is kept for the time the server named,
    /// or [`LATER_KEPT`]; if rules were known before, they stay in force meanwhile, as the RFC
    /// permits for a site that cannot be reached.
    pub async fn get<F, Fut>(&self, origin: &Origin, ask: F) -> Arc<RobotsAnswer>
    where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = RobotsAnswer> + Send,
    {
        let slot = self.slot(origin);
        let mut kept = slot.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.until > clock::now()) {
            return Arc::clone(&kept.answer);
        }
        let answer = ask().await;
        let lasts = match &answer {
            RobotsAnswer::Rules(_) => RULES_KEPT,
            // The bound keeps a server's "in a year" from outliving what rules are allowed to.
            RobotsAnswer::Later { retry_after: Some(d) } if *d < RULES_KEPT => *d,
            RobotsAnswer::Later { retry_after: Some(_) } => RULES_KEPT,
            RobotsAnswer::Later { retry_after: None } => LATER_KEPT,
        };
        let before = kept.take().map(|kept| kept.answer);
        let answer = match (&answer, before) {
            (RobotsAnswer::Later { .. }, Some(old)) if matches!(*old, RobotsAnswer::Rules(_)) => {
                old
            }
            _ => Arc::new(answer),
        };
        *kept = Some(Kept { answer: Arc::clone(&answer), until: clock::now() + lasts });
        answer
    }

    /// How many sites are remembered now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots().len()
    }

    /// Whether no site is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Origin, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, origin: &Origin) -> Arc<Mutex<Option<Kept>>> {
        let now = clock::now();
        let mut slots = self.slots();
        if let Some(slot) = slots.get_mut(origin) {
            slot.used = now;
            return Arc::clone(&slot.kept);
        }
        while slots.len() >= self.entries_max {
            // A scan, since it happens once per new site and that costs a request anyway.
            let idle = slots.iter().filter(|(_, slot)| Arc::strong_count(&slot.kept) == 1);
            let oldest = idle.min_by_key(|(_, slot)| slot.used).map(|(origin, _)| origin.clone());
            match oldest {
                Some(oldest) => drop(slots.remove(&oldest)),
                None => break,
            }
        }
        let kept = Arc::new(Mutex::new(None));
        slots.insert(origin.clone(), Slot { used: now, kept: Arc::clone(&kept) });
        kept
    }
}

impl Default for RobotsCache {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RobotsCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RobotsCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;
    use tokio::time::advance;

    use super::super::robots::Robots;
    use super::super::url::PageUrl;
    use super::*;

    fn origin(text: &str) -> Origin {
        PageUrl::parse(text).unwrap().origin()
    }

    fn refusing(path: &str) -> RobotsAnswer {
        let file = format!("User-agent: *\nDisallow: {path}\n");
        RobotsAnswer::Rules(Robots::parse(file.as_bytes(), "handover"))
    }

    /// Asks through the cache, counting how often the site is really asked.
    async fn get(
        cache: &RobotsCache,
        site: &str,
        asked: &AtomicUsize,
        answer: RobotsAnswer,
    ) -> Arc<RobotsAnswer> {
        let ask = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            answer
        };
        cache.get(&origin(site), ask).await
    }

    #[tokio::test(start_paused = true)]
    async fn rules_are_asked_for_once_a_day_per_scheme_host_and_port() {
        let (cache, asked) = (RobotsCache::new(), AtomicUsize::new(0));
        for site in ["http://a/x", "http://a/y", "http://a:80/"] {
            get(&cache, site, &asked, refusing("/x")).await;
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        for site in ["https://a/", "http://a:81/", "http://b/"] {
            get(&cache, site, &asked, refusing("/x")).await;
        }
        assert_eq!(asked.load(Ordering::SeqCst), 4);
        advance(RULES_KEPT).await;
        assert_eq!(*get(&cache, "http://a/", &asked, refusing("/z")).await, refusing("/z"));
        assert_eq!(asked.load(Ordering::SeqCst), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_is_kept_for_minutes_or_as_long_as_the_server_says() {
        let (cache, asked) = (RobotsCache::new(), AtomicUsize::new(0));
        let second = Duration::from_secs(1);
        get(&cache, "http://a/", &asked, RobotsAnswer::unreachable()).await;
        advance(LATER_KEPT - second).await;
        get(&cache, "http://a/", &asked, refusing("/")).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        advance(second).await;
        let busy = RobotsAnswer::Later { retry_after: Some(10 * second) };
        assert_eq!(*get(&cache, "http://a/", &asked, busy.clone()).await, busy);
        advance(10 * second).await;
        assert_eq!(*get(&cache, "http://a/", &asked, refusing("/")).await, refusing("/"));
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn known_rules_stay_in_force_while_the_site_is_in_trouble() {
        let (cache, asked) = (RobotsCache::new(), AtomicUsize::new(0));
        get(&cache, "http://a/", &asked, refusing("/x")).await;
        advance(RULES_KEPT).await;
        let answer = get(&cache, "http://a/", &asked, RobotsAnswer::unreachable()).await;
        assert_eq!(*answer, refusing("/x"));
        advance(LATER_KEPT).await;
        get(&cache, "http://a/", &asked, refusing("/y")).await;
        assert_eq!(asked.load(Ordering::SeqCst), 3, "and the site is asked again soon");
    }

    #[tokio::test]
    async fn concurrent_calls_ask_once_and_a_dropped_one_hands_on() {
        let (cache, asked) = (Arc::new(RobotsCache::new()), Arc::new(AtomicUsize::new(0)));
        let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let call = || {
            let (cache, asked) = (Arc::clone(&cache), Arc::clone(&asked));
            let (begun, release) = (Arc::clone(&begun), Arc::clone(&release));
            tokio::spawn(async move {
                let ask = || async {
                    asked.fetch_add(1, Ordering::SeqCst);
                    begun.notify_one();
                    release.notified().await;
                    refusing("/x")
                };
                cache.get(&origin("http://a/"), ask).await
            })
        };
        let first = call();
        begun.notified().await;
        let others: Vec<_> = (0..5).map(|_| call()).collect();
        first.abort();
        begun.notified().await; // one of the others took over
        release.notify_one();
        for other in others {
            assert_eq!(*other.await.unwrap(), refusing("/x"));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_site_not_used_for_longest_is_forgotten_first() {
        let (cache, asked) = (RobotsCache::new().entries_max(2), AtomicUsize::new(0));
        for site in ["http://a/", "http://b/", "http://a/", "http://c/"] {
            get(&cache, site, &asked, refusing("/x")).await;
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!((cache.len(), asked.load(Ordering::SeqCst)), (2, 3));
        get(&cache, "http://a/", &asked, refusing("/x")).await;
        assert_eq!(asked.load(Ordering::SeqCst), 3, "a was used after b");
    }
}
