//! Fetching a page: one shared client, redirects under the caller's control, and a limit on
//! everything a server can send. Comes back with text, or with an error that says whether trying
//! again makes sense.
//!
//! Not here: whether a page may be fetched ([`robots`](super::robots)), whose turn it is
//! ([`polite`](super::polite)), and trying again, which is the queue's work. There are no cookies,
//! no proxies and no HTTP/2: with one request at a time per host it would save nothing.
//!
//! - [`error`]: what can go wrong, and what to do about it
//! - `client`: connections and TLS · `body`: limits and decompression · `charset`: bytes to text
//! - `retry_after`: when a server says to come back

use std::fmt;
use std::time::Duration;

use handover::clock;
use http_body_util::Empty;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Request, Response, StatusCode, Uri};

use super::robots::{ROBOTS_BYTES_MAX, RobotsAnswer};
use super::url::{Origin, PageUrl};

mod body;
mod charset;
mod client;
pub mod error;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod retry_after;

use body::{Coding, Limit};
pub use error::{FetchError, FetchErrorKind, FetchFailure, SetupError};

/// Redirects followed for a robots.txt: RFC 9309 (section 2.3.1.2) asks for at least five.
const ROBOTS_REDIRECTS_MAX: usize = 5;

/// Bodies nobody wants are read to their end up to this size, to keep the connection for the next
/// request; above it a new connection is cheaper.
const DRAIN_BYTES_MAX: usize = 64 * 1024;

/// Longest text kept of one header that goes into a [`Page`], in bytes.
const HEADER_TEXT_MAX: usize = 1024;

/// Limits and identity of a [`Fetcher`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchOptions {
    /// Sent as User-Agent, and the name robots.txt is read for. See [`user_agent`].
    pub user_agent: String,
    /// Largest body, in bytes after decompression. A larger one is an error, noticed while reading.
    pub body_bytes_max: usize,
    /// Longest time for a page, redirects included, from the request to the last byte. Time spent
    /// in the caller's redirect check does not count.
    pub time_limit: Duration,
    /// Longest time for a TCP connection to come about; part of `time_limit`.
    pub connect_timeout: Duration,
    /// Most redirects followed for one page.
    pub redirects_max: usize,
    /// More certificate authorities to trust, in PEM; on top of the public ones, which are
    /// compiled in. Verification cannot be turned off.
    pub extra_roots_pem: Vec<u8>,
}

impl Default for FetchOptions {
    /// 5 MiB, 30 s of which 10 s to connect, 10 redirects, the public authorities.
    fn default() -> Self {
        Self {
            user_agent: user_agent(None),
            body_bytes_max: 5 * 1024 * 1024,
            time_limit: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            redirects_max: 10,
            extra_roots_pem: Vec::new(),
        }
    }
}

/// The name handover goes by, with a way to reach who runs it: a page or a mail address.
///
/// ```
/// use handover_modules::scraper::fetch::user_agent;
/// assert!(user_agent(Some("https://example.org/bot")).ends_with(" (+https://example.org/bot)"));
/// ```
#[must_use]
pub fn user_agent(contact: Option<&str>) -> String {
    let name = concat!("handover/", env!("CARGO_PKG_VERSION"));
    match contact {
        Some(contact) => format!("{name} (+{contact})"),
        None => name.to_owned(),
    }
}

/// A fetched page.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The address that was asked for.
    pub url: PageUrl,
    /// The address that answered.
    pub final_url: PageUrl,
    /// Every address that redirected, in order, beginning with `url`; empty without redirects.
    pub redirected_from: Vec<PageUrl>,
    /// HTTP status: 2xx, or a 3xx that leads nowhere, such as 304.
    pub status: u16,
    /// Media type without parameters, in lower case.
    pub content_type: Option<String>,
    /// What the server says to robots outside of the page: one text for each X-Robots-Tag header.
    pub robots_tag: Vec<String>,
    /// The page's text, where it is HTML; other types are not read.
    pub text: Option<String>,
    /// WHATWG name of the encoding `text` was decoded from.
    pub charset: Option<&'static str>,
    /// Size of the body that was read, in bytes after decompression.
    pub bytes: usize,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("final_url", &self.final_url)
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// What one request led to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// A page, the end of the way.
    Page(Box<Page>),
    /// Go on there, if it is permitted.
    Redirect {
        /// Where the page is said to be.
        to: PageUrl,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
}

/// Fetches pages. Cheap to clone; clones share connections.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use handover_modules::scraper::fetch::{FetchOptions, Fetcher};
/// use handover_modules::scraper::url::PageUrl;
///
/// let fetcher = Fetcher::new(FetchOptions::default())?;
/// match fetcher.fetch(&PageUrl::parse("https://example.org/")?).await {
///     Ok(page) => println!("{} bytes from {}", page.bytes, page.final_url),
///     Err(e) if e.is_temporary() => println!("again in {:?}: {e}", e.retry_after()),
///     Err(e) => println!("never: {e}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Fetcher {
    client: client::Client,
    headers: HeaderMap,
    options: FetchOptions,
}

impl Fetcher {
    /// Prepares the client; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when the user agent is no header text or the extra roots are no certificates.
    pub fn new(options: FetchOptions) -> Result<Self, SetupError> {
        let client = client::build(&options)?;
        let headers = request_headers(&options.user_agent)?;
        Ok(Self { client, headers, options })
    }

    /// The limits this fetcher works by.
    #[must_use]
    pub fn options(&self) -> &FetchOptions {
        &self.options
    }

    /// Fetches a page and follows its redirects wherever they lead.
    ///
    /// # Errors
    ///
    /// [`FetchError`]; its [`kind`](FetchError::kind) says whether the same request can succeed
    /// later.
    pub async fn fetch(&self, url: &PageUrl) -> Result<Page, FetchError> {
        self.fetch_checked(url, |_| std::future::ready(Ok(()))).await
    }

    /// Fetches a page; before each redirect is followed, `check` is asked with its target and may
    /// refuse with a reason, for robots.txt or for the crawl's scope.
    ///
    /// A check that waits for a turn with a host ([`polite`](super::polite)) must not do so for the
    /// host whose permit is held; use [`step`](Self::step) to let go of one before taking another.
    ///
    /// # Errors
    ///
    /// [`FetchError`], also for a refused redirect, a loop, and too many of them.
    pub async fn fetch_checked<C, F>(&self, url: &PageUrl, mut check: C) -> Result<Page, FetchError>
    where
        C: FnMut(PageUrl) -> F + Send,
        F: Future<Output = Result<(), String>> + Send,
    {
        let mut left = self.options.time_limit;
        let mut at = url.clone();
        let mut trail: Vec<PageUrl> = Vec::new();
        loop {
            let start = clock::now();
            let (to, status) = match self.step(&at, left).await? {
                Step::Page(mut page) => {
                    page.url = url.clone();
                    page.redirected_from = trail;
                    return Ok(*page);
                }
                Step::Redirect { to, status } => (to, status),
            };
            left = left.saturating_sub(clock::now() - start);
            let failure = if to == at || trail.contains(&to) {
                Some(FetchFailure::RedirectLoop { to: to.clone() })
            } else if trail.len() >= self.options.redirects_max {
                Some(FetchFailure::TooManyRedirects { limit: self.options.redirects_max })
            } else {
                let answer = check(to.clone()).await;
                answer.err().map(|why| FetchFailure::RedirectRefused { to: to.clone(), why })
            };
            if let Some(failure) = failure {
                return Err(FetchError::new(&at, failure).with_status(status));
            }
            trail.push(std::mem::replace(&mut at, to));
        }
    }

    /// One request within `time_limit`: a page, or where to go on. For callers that need to do more
    /// between two redirects than [`fetch_checked`](Self::fetch_checked) allows; they also bound
    /// their number.
    ///
    /// # Errors
    ///
    /// [`FetchError`] for everything but a page and a redirect.
    pub async fn step(&self, url: &PageUrl, time_limit: Duration) -> Result<Step, FetchError> {
        let step = async {
            let response = self.send(url).await?;
            if let Some(to) = redirect_target(url, &response)? {
                let status = response.status().as_u16();
                body::drain(response.into_body(), DRAIN_BYTES_MAX).await;
                return Ok(Step::Redirect { to, status });
            }
            self.read_page(url, response).await.map(|page| Step::Page(Box::new(page)))
        };
        match tokio::time::timeout(time_limit, step).await {
            Ok(step) => step,
            Err(_) => Err(FetchError::new(url, FetchFailure::Timeout)),
        }
    }

    /// Asks a site for its robots.txt and says what the answer means; never fails. Up to five
    /// redirects are followed, also to other hosts, as RFC 9309 asks.
    pub async fn fetch_robots(&self, origin: &Origin) -> RobotsAnswer {
        let asked = tokio::time::timeout(self.options.time_limit, self.ask_robots(origin)).await;
        match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => RobotsAnswer::unreachable(),
        }
    }

    async fn ask_robots(&self, origin: &Origin) -> Result<RobotsAnswer, FetchError> {
        let mut at = origin.robots_url();
        let mut redirects = 0;
        loop {
            let response = self.send(&at).await?;
            let status = response.status().as_u16();
            let agent = &self.options.user_agent;
            // A redirect to nowhere is like a missing file, not like a server in trouble.
            let target = redirect_target(&at, &response).unwrap_or_default();
            if let Some(to) = target.filter(|_| redirects < ROBOTS_REDIRECTS_MAX) {
                body::drain(response.into_body(), DRAIN_BYTES_MAX).await;
                redirects += 1;
                at = to;
                continue;
            }
            let retry_after = retry_after::of(response.headers());
            let mut file = Vec::new();
            if response.status().is_success() {
                // One byte more than is used tells the parser that the last line was cut.
                let limit = Limit::Cut(ROBOTS_BYTES_MAX + 1);
                file = read_body(&at, response, limit).await?;
            } else {
                body::drain(response.into_body(), DRAIN_BYTES_MAX).await;
            }
            return Ok(RobotsAnswer::from_status(status, &file, agent, retry_after));
        }
    }

    async fn send(&self, url: &PageUrl) -> Result<Response<Incoming>, FetchError> {
        let uri: Uri = url
            .as_str()
            .parse()
            .map_err(|_| FetchError::new(url, FetchFailure::Malformed("address".into())))?;
        let request = || {
            let mut request = Request::new(Empty::<Bytes>::new());
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = self.headers.clone();
            self.client.request(request)
        };
        let error = match request().await {
            Ok(response) => return Ok(response),
            Err(e) => FetchError::from_network(url, &e),
        };
        if !matches!(error.failure(), FetchFailure::Dropped(_)) {
            return Err(error);
        }
        // Most likely a kept connection that the server closed at the moment we used it. A GET may
        // be repeated (RFC 9110, section 9.2.2), and once is enough to tell that from real trouble.
        request().await.map_err(|e| FetchError::from_network(url, &e))
    }

    async fn read_page(
        &self,
        url: &PageUrl,
        response: Response<Incoming>,
    ) -> Result<Page, FetchError> {
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            let retry_after = retry_after::of(response.headers());
            body::drain(response.into_body(), DRAIN_BYTES_MAX).await;
            let failure = FetchFailure::Status(status.as_u16());
            return Err(FetchError::new(url, failure).with_retry_after(retry_after));
        }
        let (media, charset) = match header_texts(response.headers(), header::CONTENT_TYPE).first()
        {
            Some(text) => charset::content_type(text),
            None => (None, None),
        };
        let mut page = Page {
            url: url.clone(),
            final_url: url.clone(),
            redirected_from: Vec::new(),
            status: status.as_u16(),
            robots_tag: header_texts(response.headers(), HeaderName::from_static("x-robots-tag")),
            text: None,
            charset: None,
            bytes: 0,
            content_type: media,
        };
        // A page without a type is taken for HTML, as browsers do after looking at it.
        let html = matches!(
            page.content_type.as_deref(),
            None | Some("text/html" | "application/xhtml+xml")
        );
        let empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT)
            || !status.is_success();
        if empty || !html {
            body::drain(response.into_body(), DRAIN_BYTES_MAX).await;
            return Ok(page);
        }
        let bytes = read_body(url, response, Limit::Refuse(self.options.body_bytes_max)).await?;
        page.bytes = bytes.len();
        let (text, charset) = charset::decode(bytes, charset.as_deref());
        page.text = Some(text);
        page.charset = Some(charset);
        Ok(page)
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("options", &self.options).finish_non_exhaustive()
    }
}

fn request_headers(user_agent: &str) -> Result<HeaderMap, SetupError> {
    let mut headers = HeaderMap::new();
    let agent = user_agent.parse().map_err(|_| SetupError::UserAgent(user_agent.to_owned()))?;
    headers.insert(header::USER_AGENT, agent);
    let accept = header::HeaderValue::from_static("text/html,application/xhtml+xml,*/*;q=0.1");
    headers.insert(header::ACCEPT, accept);
    let coding = header::HeaderValue::from_static("gzip, deflate");
    headers.insert(header::ACCEPT_ENCODING, coding);
    Ok(headers)
}

/// Where this answer sends us; `None` if it is no redirect.
fn redirect_target(
    from: &PageUrl,
    response: &Response<Incoming>,
) -> Result<Option<PageUrl>, FetchError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let bad = |why: String| {
        let status = response.status().as_u16();
        Err(FetchError::new(from, FetchFailure::BadRedirect(why)).with_status(status))
    };
    let Some(location) = response.headers().get(header::LOCATION) else {
        return bad("no Location header".into());
    };
    // Some servers send raw UTF-8 here; what is not even that is escaped by nobody's rule.
    match std::str::from_utf8(location.as_bytes()) {
        Ok(text) => from.join(text).map(Some).or_else(|e| bad(e.to_string())),
        Err(_) => bad("Location is not text".into()),
    }
}

async fn read_body(
    url: &PageUrl,
    response: Response<Incoming>,
    limit: Limit,
) -> Result<Vec<u8>, FetchError> {
    let coding = Coding::of(response.headers()).map_err(|failure| FetchError::new(url, failure))?;
    let body = response.into_body();
    if let (Limit::Refuse(limit), Coding::Identity) = (limit, coding)
        && body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX)
    {
        return Err(FetchError::new(url, FetchFailure::TooLarge { limit }));
    }
    body::read(body, coding, limit).await.map_err(|e| e.at(url))
}

fn header_texts(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    let values = headers.get_all(name).into_iter();
    values
        .map(|value| {
            let mut text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            text.truncate(text.floor_char_boundary(HEADER_TEXT_MAX));
            text
        })
        .collect()
}
