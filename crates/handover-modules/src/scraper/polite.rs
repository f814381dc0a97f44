//! Whose turn it is with a host: one request at a time, and a pause after each.
//!
//! This holds within one process. Several processes crawling one host are kept apart by the queue
//! (a key per host), not here. No request is made here and no robots.txt is read.
//!
//! A host's life:
//!
//! ```text
//!   unknown ──acquire──▶ busy ──permit dropped──▶ resting ──delay over──▶ idle ──room needed──▶ unknown
//!                          ▲                         │                      │
//!                          └───────acquire───────────┴──────────────────────┘
//! ```
//!
//! Only an idle host may be forgotten: forgetting a resting one would forget its pause. So when the
//! table is full of busy and resting hosts, a new host waits, which bounds memory without ever
//! being impolite.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handover::clock;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// How many hosts are remembered unless [`Politeness::hosts_max`] says otherwise.
pub const HOSTS_MAX: usize = 10_000;

/// Longest time [`Permit::hold_off`] keeps a host waiting. Whoever is told to come back later than
/// this gives the job back to its queue instead of sitting on it.
pub const HOLD_OFF_MAX: Duration = Duration::from_secs(60);

/// Admits requests to hosts, one at a time each, with a pause between them. Clones share the state.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// use handover_modules::scraper::polite::Politeness;
/// use std::time::Duration;
///
/// let polite = Politeness::new(Duration::from_millis(10));
/// let permit = polite.acquire("example.org", None).await;
/// // ... the request ...
/// drop(permit); // the pause of 10 ms begins here
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Politeness {
    delay: Duration,
    per_host: usize,
    hosts_max: usize,
    shared: Arc<Shared>,
}

struct Shared {
    /// Written by `acquire`; an entry's clones are only made under this lock, so that a count of
    /// one seen under it means that nobody is using or waiting for the host.
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    /// Rung whenever somebody lets go of a host.
    freed: Notify,
}

struct Host {
    /// Fair: the order of waiting is the order of turns.
    turns: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

struct Pace {
    /// When each free place was last left; a place in use is not in the list.
    places: Vec<Option<Instant>>,
    /// The pause that was last asked for, for deciding when the host has rested.
    delay: Duration,
    /// Set by `hold_off`.
    not_before: Option<Instant>,
}

impl Politeness {
    /// One request at a time per host, and `delay` between the end of one and the start of the
    /// next.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        let shared = Shared { hosts: Mutex::default(), freed: Notify::new() };
        Self { delay, per_host: 1, hosts_max: HOSTS_MAX, shared: Arc::new(shared) }
    }

    /// Up to `n` requests at a time per host, each place with a pause of its own; between 1 and
    /// 1000. Only for hosts whose owner agrees.
    #[must_use]
    pub fn per_host(mut self, n: usize) -> Self {
        self.per_host = n.clamp(1, 1000);
        self
    }

    /// Remembers at most `n` hosts; 0 counts as 1.
    #[must_use]
    pub fn hosts_max(mut self, n: usize) -> Self {
        self.hosts_max = if n == 0 { 1 } else { n };
        self
    }

    /// Waits for a turn with this host and for the pause since the last one; the longer of the
    /// configured delay and `crawl_delay` counts. Turns come in the order of asking.
    ///
    /// Dropping the future gives the turn to the next in line. Do not ask again for the same host
    /// while holding its permit: with one place per host that waits for itself.
    pub async fn acquire(&self, host: &str, crawl_delay: Option<Duration>) -> Permit {
        let delay = crawl_delay.map_or(self.delay, |d| if d > self.delay { d } else { self.delay });
        let user = self.host(host).await;
        let turn = Arc::clone(&user.host().turns).acquire_owned().await;
        let place = user.host().pace().take_place(delay);
        let mut permit = Permit { place: Some(place), turn: turn.ok(), user };
        loop {
            // Read again after each sleep: a hold_off may have come in between.
            let ready = permit.user.host().pace().ready(place, delay);
            match ready {
                Some(ready) if ready > clock::now() => sleep_until(ready).await,
                _ => break,
            }
        }
        permit.place = None; // from here on dropping the permit means that a request was made
        permit
    }

    /// How many hosts are remembered now.
    #[must_use]
    pub fn hosts(&self) -> usize {
        self.shared.hosts().len()
    }

    async fn host(&self, name: &str) -> HostUser {
        loop {
            let freed = self.shared.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable(); // before looking, or a release in between would be missed
            let wake = match self.try_host(name) {
                Ok(host) => return host,
                Err(wake) => wake,
            };
            match wake {
                None => freed.await,
                Some(at) => tokio::select! { () = freed => {}, () = sleep_until(at) => {} },
            }
        }
    }

    /// The host, or else when a resting one will be idle; `None` while all are busy.
    fn try_host(&self, name: &str) -> Result<HostUser, Option<Instant>> {
        let mut hosts = self.shared.hosts();
        if let Some(host) = hosts.get(name) {
            return Ok(HostUser::new(host, &self.shared));
        }
        if hosts.len() >= self.hosts_max {
            let now = clock::now();
            let mut wake: Option<Instant> = None;
            hosts.retain(|_, host| {
                if Arc::strong_count(host) > 1 {
                    return true;
                }
                match host.pace().rested() {
                    Some(at) if at > now => {
                        wake = Some(wake.map_or(at, |w| if at < w { at } else { w }));
                        true
                    }
                    _ => false,
                }
            });
            if hosts.len() >= self.hosts_max {
                return Err(wake);
            }
        }
        let host = Arc::new(Host {
            turns: Arc::new(Semaphore::new(self.per_host)),
            pace: Mutex::new(Pace {
                places: vec![None; self.per_host],
                delay: self.delay,
                not_before: None,
            }),
        });
        hosts.insert(name.to_owned(), Arc::clone(&host));
        Ok(HostUser::new(&host, &self.shared))
    }
}

impl fmt::Debug for Politeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Politeness")
            .field("delay", &self.delay)
            .field("per_host", &self.per_host)
            .field("hosts", &self.hosts())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Arc<Host>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    /// Takes the place that was left the longest time ago. There is one: who calls has a turn, and
    /// there are as many places as turns.
    fn take_place(&mut self, delay: Duration) -> Option<Instant> {
        self.delay = delay;
        let longest = (0..self.places.len()).min_by_key(|i| self.places[*i]);
        longest.and_then(|i| self.places.swap_remove(i))
    }

    fn ready(&self, left: Option<Instant>, delay: Duration) -> Option<Instant> {
        // `Option` orders `None` first, so this is the later of the two where there are two.
        std::cmp::max(left.map(|at| at + delay), self.not_before)
    }

    fn rested(&self) -> Option<Instant> {
        let last = self.places.iter().max().copied().flatten();
        self.ready(last, self.delay)
    }
}

/// Somebody who uses a host or waits for it. Letting go is announced after the count has fallen.
struct HostUser {
    host: Option<Arc<Host>>, // None only while it is being dropped
    shared: Arc<Shared>,
}

impl HostUser {
    fn new(host: &Arc<Host>, shared: &Arc<Shared>) -> Self {
        Self { host: Some(Arc::clone(host)), shared: Arc::clone(shared) }
    }

    fn host(&self) -> &Host {
        self.host.as_ref().expect("taken only in drop")
    }
}

impl Drop for HostUser {
    fn drop(&mut self) {
        drop(self.host.take());
        self.shared.freed.notify_waiters();
    }
}

/// A turn with a host. Dropping it ends the turn and starts the pause.
#[must_use = "the turn ends when this is dropped"]
pub struct Permit {
    /// While still waiting for the pause to end: the place as it was found, to be put back so if
    /// the wait is given up, since no request was made. `None` once admitted.
    place: Option<Option<Instant>>,
    turn: Option<OwnedSemaphorePermit>, // dropped after the place is back, before `user`
    user: HostUser,
}

impl Permit {
    /// Keeps every request to this host waiting at least this long from now, at most
    /// [`HOLD_OFF_MAX`]: for a server that answered with `Retry-After`.
    pub fn hold_off(&self, pause: Duration) {
        let pause = if pause > HOLD_OFF_MAX { HOLD_OFF_MAX } else { pause };
        let mut pace = self.user.host().pace();
        pace.not_before = std::cmp::max(pace.not_before, Some(clock::now() + pause));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let left = self.place.take().unwrap_or_else(|| Some(clock::now()));
        self.user.host().pace().places.push(left);
        drop(self.turn.take());
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
