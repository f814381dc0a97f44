//! Addresses of pages: normalised so that duplicates are found, resolved against a page's base,
//! and held to a scope. Nothing here touches the network.
//!
//! A [`PageUrl`] never holds a user name, a password or a fragment. That is how the rest of the
//! scraper can print any address it has without thinking.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Position, Url};

/// Longest address that is followed, in bytes after normalisation.
///
/// Servers and caches commonly stop at 2 KiB to 8 KiB; addresses beyond this are almost always
/// made by a trap that grows its own links.
pub const URL_BYTES_MAX: usize = 2048;

/// Longest text that is looked at at all. A relative link may shrink while it is resolved, so this
/// is wider than [`URL_BYTES_MAX`].
const TEXT_BYTES_MAX: usize = 4 * URL_BYTES_MAX;

/// The normalised address of a page: `http` or `https`, no user name, no fragment.
///
/// Two addresses that are equal by the rules of RFC 3986 (section 6.2.2 and 6.2.3) are one
/// `PageUrl`: scheme and host in lower case, no default port, no dot segments, `/` for an empty
/// path, percent-encoding in upper case and only where it is needed. The query is kept as it is
/// written: what it means is the server's business.
///
/// ```
/// use handover_modules::scraper::url::PageUrl;
///
/// let a: PageUrl = "HTTP://Example.org:80/a/../%7euser#top".parse()?;
/// assert_eq!(a.as_str(), "http://example.org/~user");
/// # Ok::<(), handover_modules::scraper::url::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageUrl(Url);

impl PageUrl {
    /// Reads an absolute address and normalises it.
    ///
    /// # Errors
    ///
    /// [`UrlError`] when the text is no address, its scheme is not `http` or `https`, it is too
    /// long, or it carries a user name or password: handover sends no credentials, and dropping
    /// them without a word would fetch another page than was asked for.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        check_text(text)?;
        let url = Url::parse(text.trim()).map_err(|e| UrlError::invalid(text, &e))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::new(UrlErrorKind::UserInfo, text));
        }
        normalise(url)
    }

    /// Resolves a link found on this page: relative or absolute, as written in the attribute.
    /// A user name and password in the link are dropped, as a page must not choose credentials.
    ///
    /// ```
    /// # use handover_modules::scraper::url::PageUrl;
    /// let page = PageUrl::parse("https://example.org/a/b.html")?;
    /// assert_eq!(page.join("../c?x=1#y")?.as_str(), "https://example.org/c?x=1");
    /// assert!(page.join("mailto:someone@example.org").is_err());
    /// # Ok::<(), handover_modules::scraper::url::UrlError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`UrlError`] as for [`parse`](Self::parse), except for the user name.
    pub fn join(&self, link: &str) -> Result<Self, UrlError> {
        check_text(link)?;
        let mut url = self.0.join(link.trim()).map_err(|e| UrlError::invalid(link, &e))?;
        if !url.username().is_empty() || url.password().is_some() {
            // Both calls fail only for addresses that cannot have a host, which `normalise`
            // refuses below with a better message.
            let _ = url.set_username("");
            let _ = url.set_password(None);
        }
        normalise(url)
    }

    /// The normalised text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Host name or address in lower case; an IPv6 address is in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default() // normalise() refused addresses without a host
    }

    /// Port, also when it is the scheme's default and therefore not written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(80)
    }

    /// Path and query, as sent in the request line and as matched by robots.txt.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.0[Position::BeforePath..Position::AfterQuery]
    }

    /// Whether the scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Scheme, host and port: what one robots.txt rules over.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin { https: self.is_https(), host: self.host().to_owned(), port: self.port() }
    }
}

impl fmt::Display for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageUrl({})", self.as_str())
    }
}

impl FromStr for PageUrl {
    type Err = UrlError;
    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for PageUrl {
    type Error = UrlError;
    fn try_from(text: String) -> Result<Self, UrlError> {
        Self::parse(&text)
    }
}

impl From<PageUrl> for String {
    fn from(url: PageUrl) -> Self {
        url.0.into()
    }
}

/// Scheme, host and port of a page: the unit of robots.txt, of connections and of the cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    https: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Host name in lower case, without the port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where this origin keeps its robots.txt.
    ///
    /// ```
    /// # use handover_modules::scraper::url::PageUrl;
    /// let page = PageUrl::parse("https://example.org/deep/page?x")?;
    /// assert_eq!(page.origin().robots_url().as_str(), "https://example.org/robots.txt");
    /// # Ok::<(), handover_modules::scraper::url::UrlError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Never: an origin is made from an address that was read before.
    #[must_use]
    pub fn robots_url(&self) -> PageUrl {
        PageUrl::parse(&format!("{self}/robots.txt")).expect("an origin is part of a valid address")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// Why a text is not an address of a page. The text is shown without user name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlError {
    kind: UrlErrorKind,
    text: String,
}

/// What is wrong with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlErrorKind {
    /// Not an address at all; the words say what the parser stumbled over.
    Invalid(String),
    /// Another scheme than `http` and `https`, such as `mailto`.
    Scheme(String),
    /// Longer than [`URL_BYTES_MAX`].
    TooLong {
        /// Length that was found, in bytes.
        bytes: usize,
    },
    /// A user name or password before the host.
    UserInfo,
}

impl UrlError {
    fn new(kind: UrlErrorKind, text: &str) -> Self {
        Self { kind, text: redact(text) }
    }

    fn invalid(text: &str, why: &url::ParseError) -> Self {
        Self::new(UrlErrorKind::Invalid(why.to_string()), text)
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &UrlErrorKind {
        &self.kind
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: ", self.text)?;
        match &self.kind {
            UrlErrorKind::Invalid(why) => write!(f, "not an address: {why}"),
            UrlErrorKind::Scheme(s) => {
                write!(f, "scheme `{s}` cannot be crawled; use http or https")
            }
            UrlErrorKind::TooLong { bytes } => {
                write!(f, "{bytes} bytes long; at most {URL_BYTES_MAX} are followed")
            }
            UrlErrorKind::UserInfo => {
                f.write_str("carries a user name or password, which are never sent; remove them")
            }
        }
    }
}

impl std::error::Error for UrlError {}

/// The text with everything between the scheme and the host's `@` replaced, and cut to a length fit
/// for one line. For anything printed that did not become a [`PageUrl`].
///
/// ```
/// use handover_modules::scraper::url::redact;
/// assert_eq!(redact("ftp://me:secret@host/x"), "ftp://***@host/x");
/// ```
#[must_use]
pub fn redact(text: &str) -> String {
    const SHOWN_MAX: usize = 200;
    // The parser takes any number of slashes, either way round, and ignores white space; so must
    // this, or a crooked address would show what a straight one hides.
    let slashes = |c: char| c == '/' || c == '\\' || c.is_whitespace();
    let after_scheme = text.find(':').map_or(0, |colon| colon + 1);
    let start = text.len() - text[after_scheme..].trim_start_matches(slashes).len();
    let (head, rest) = text.split_at(start);
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let mut out = match authority.rfind('@') {
        Some(at) => format!("{head}***{}{tail}", &authority[at..]),
        None => text.to_owned(),
    };
    if out.len() > SHOWN_MAX {
        out.truncate(out.floor_char_boundary(SHOWN_MAX));
        out.push('…');
    }
    out
}

fn check_text(text: &str) -> Result<(), UrlError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(UrlError::new(UrlErrorKind::TooLong { bytes: text.len() }, text));
    }
    Ok(())
}

/// The parser of the `url` crate has done scheme, host, port, dot segments and the empty path;
/// what is left is the fragment and the path's percent-encoding.
fn normalise(mut url: Url) -> Result<PageUrl, UrlError> {
    if !matches!(url.scheme(), "http" | "https") {
        let kind = UrlErrorKind::Scheme(redact(url.scheme()));
        return Err(UrlError::new(kind, url.as_str()));
    }
    // The standard for addresses lets a few characters into a host that no name or request can
    // hold; better here than as a failed request.
    let host = url.host_str().unwrap_or_default();
    let usable = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if host.is_empty() || !host.bytes().all(usable) {
        return Err(UrlError::new(UrlErrorKind::Invalid("no usable host".into()), url.as_str()));
    }
    url.set_fragment(None);
    if url.path().contains('%') {
        let path = normalise_percent(url.path());
        if path != url.path() {
            url.set_path(&path);
        }
    }
    if url.as_str().len() > URL_BYTES_MAX {
        let kind = UrlErrorKind::TooLong { bytes: url.as_str().len() };
        return Err(UrlError::new(kind, url.as_str()));
    }
    Ok(PageUrl(url))
}

/// Hex digits in upper case, unreserved characters decoded (RFC 3986, 6.2.2.1 and 6.2.2.2).
///
/// A `%` that starts no triplet becomes `%25`: servers read it so, and otherwise decoding what
/// follows it could make a new triplet, and normalising twice would give a third address.
fn normalise_percent(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(path.len());
    let mut rest = 0; // start of what is not yet copied
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            at += 1;
            continue;
        }
        out.push_str(&path[rest..at]);
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        match (hex(at + 1), hex(at + 2)) {
            (Some(high), Some(low)) => {
                let c = char::from_u32(high * 16 + low).filter(char::is_ascii);
                match c {
                    Some(c) if c.is_ascii_alphanumeric() || "-._~".contains(c) => out.push(c),
                    _ => out.push_str(&path[at..at + 3].to_ascii_uppercase()),
                }
                at += 3;
            }
            _ => {
                out.push_str("%25");
                at += 1;
            }
        }
        rest = at;
    }
    out.push_str(&path[rest..]);
    out
}

/// Which pages belong to a crawl.
///
/// By default the pages of the start's own host. Default ports count as one, so `http` and `https`
/// of one host are the same site; `example.org:8080` is another.
///
/// ```
/// use handover_modules::scraper::url::{PageUrl, Scope};
///
/// let start = PageUrl::parse("https://example.org/")?;
/// let scope = Scope::same_host(&start).allow("*.example.net")?;
/// assert!(scope.contains(&start.join("/a")?));
/// assert!(scope.contains(&PageUrl::parse("http://docs.example.net/")?));
/// assert!(!scope.contains(&PageUrl::parse("https://elsewhere.org/")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    anywhere: bool,
    hosts: Vec<HostRule>,
}

/// One entry of the allow list, taken apart when it is given and not on every link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct HostRule {
    host: String,
    /// `None`: the scheme's default port.
    port: Option<u16>,
    subdomains: bool,
}

impl Scope {
    /// The pages of this page's host and port.
    #[must_use]
    pub fn same_host(start: &PageUrl) -> Self {
        let rule = HostRule {
            host: start.host().to_owned(),
            port: start.0.port(), // None where it is the default
            subdomains: false,
        };
        Self { anywhere: false, hosts: vec![rule] }
    }

    /// Every page of the web. Only the crawl's depth and count bound it then.
    #[must_use]
    pub fn anywhere() -> Self {
        Self { anywhere: true, hosts: Vec::new() }
    }

    /// Adds a host: `example.org`, `example.org:8080`, or `*.example.org` for the host and every
    /// host below it.
    ///
    /// # Errors
    ///
    /// [`UrlError`] when the text is no host.
    pub fn allow(mut self, text: &str) -> Result<Self, UrlError> {
        let (host, subdomains) = match text.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (text, false),
        };
        // Reading it as part of an address normalises it as every page's host was.
        let page = PageUrl::parse(&format!("http://{host}"))?;
        if page.path_and_query() != "/" || host.contains(['/', '\\', '?', '#', '@', '*']) {
            let why = "give a host, such as example.org or *.example.org";
            return Err(UrlError::new(UrlErrorKind::Invalid(why.into()), text));
        }
        let port = page.0.port();
        self.hosts.push(HostRule { host: page.host().to_owned(), port, subdomains });
        Ok(self)
    }

    /// Whether the page belongs to the crawl.
    #[must_use]
    pub fn contains(&self, page: &PageUrl) -> bool {
        self.anywhere || self.hosts.iter().any(|rule| rule.matches(page))
    }
}

impl HostRule {
    fn matches(&self, page: &PageUrl) -> bool {
        let host = page.host();
        let same = host == self.host
            || self.subdomains
                && host.strip_suffix(&self.host).is_some_and(|head| head.ends_with('.'));
        same && page.0.port() == self.port
    }
}

#[cfg(test)]
mod tests;
