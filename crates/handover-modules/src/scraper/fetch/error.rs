//! What can go wrong with a fetch, said in terms of what the caller can do: try later, or never.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use hyper_util::client::legacy;

use crate::scraper::url::PageUrl;

/// Whether the same request can succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchErrorKind {
    /// The same request may succeed later: the network or the server is in trouble.
    Temporary,
    /// The same request will fail again, as far as anyone can tell.
    Permanent,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchFailure {
    /// The time limit passed, connecting or reading. Temporary.
    Timeout,
    /// No connection: unknown host, refused, unreachable. Temporary.
    Connect(String),
    /// The connection ended before the answer did. Temporary.
    Dropped(String),
    /// The server's certificate is not valid for it. Permanent.
    Certificate(String),
    /// No common ground for an encrypted connection. Permanent.
    Tls(String),
    /// Not HTTP, or more headers than are accepted. Permanent.
    Malformed(String),
    /// A status of 400 or above. Temporary are 408, 425, 429 and those from 500 on.
    Status(u16),
    /// The body is larger than allowed. Permanent.
    TooLarge {
        /// The limit, in bytes after decompression.
        limit: usize,
    },
    /// The body's compression is unknown or broken. Permanent.
    Undecodable(String),
    /// A redirect that leads to no page. Permanent.
    BadRedirect(String),
    /// A redirect to an address that redirected before. Permanent.
    RedirectLoop {
        /// The address seen before.
        to: PageUrl,
    },
    /// More redirects than allowed. Permanent.
    TooManyRedirects {
        /// The limit.
        limit: usize,
    },
    /// The caller's check refused a redirect. Permanent.
    RedirectRefused {
        /// Where it would have led.
        to: PageUrl,
        /// The check's own words.
        why: String,
    },
}

/// Why a page was not fetched.
///
/// ```
/// use handover_modules::scraper::fetch::FetchError;
/// use std::time::Duration;
///
/// fn again_after(error: &FetchError) -> Option<Duration> {
///     let default = Duration::from_secs(60);
///     error.is_temporary().then(|| error.retry_after().unwrap_or(default))
/// }
/// ```
#[derive(Debug)]
pub struct FetchError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    url: PageUrl,
    failure: FetchFailure,
    status: Option<u16>,
    retry_after: Option<Duration>,
}

impl FetchError {
    pub(super) fn new(url: &PageUrl, failure: FetchFailure) -> Self {
        let status = match failure {
            FetchFailure::Status(status) => Some(status),
            _ => None,
        };
        Self(Box::new(Inner { url: url.clone(), failure, status, retry_after: None }))
    }

    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(super) fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.0.retry_after = after;
        self
    }

    pub(super) fn from_network(url: &PageUrl, error: &legacy::Error) -> Self {
        Self::new(url, classify(error, error.is_connect()))
    }

    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> FetchErrorKind {
        if self.is_temporary() { FetchErrorKind::Temporary } else { FetchErrorKind::Permanent }
    }

    /// Whether the same request can succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self.0.failure {
            FetchFailure::Timeout | FetchFailure::Connect(_) | FetchFailure::Dropped(_) => true,
            FetchFailure::Status(status) => matches!(status, 408 | 425 | 429 | 500..),
            _ => false,
        }
    }

    /// What went wrong.
    #[must_use]
    pub fn failure(&self) -> &FetchFailure {
        &self.0.failure
    }

    /// The address whose request failed; after redirects not the one that was asked for.
    #[must_use]
    pub fn url(&self) -> &PageUrl {
        &self.0.url
    }

    /// Status of the answer, where there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// When the server said to come back, from now; at most a day.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for FetchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("the time limit passed"),
            Self::Connect(why) => write!(f, "no connection: {why}"),
            Self::Dropped(why) => write!(f, "the connection ended early: {why}"),
            Self::Certificate(why) => write!(f, "the certificate is not valid: {why}"),
            Self::Tls(why) => write!(f, "no encrypted connection: {why}"),
            Self::Malformed(why) => write!(f, "not HTTP as we know it: {why}"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::TooLarge { limit } => write!(f, "the body is larger than {limit} bytes"),
            Self::Undecodable(why) => write!(f, "the body cannot be decompressed: {why}"),
            Self::BadRedirect(why) => write!(f, "a redirect to no page: {why}"),
            Self::RedirectLoop { to } => write!(f, "redirects in a circle, back to {to}"),
            Self::TooManyRedirects { limit } => write!(f, "more than {limit} redirects"),
            Self::RedirectRefused { to, why } => write!(f, "redirect to {to} refused: {why}"),
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = if self.is_temporary() { "try again later" } else { "will not change" };
        write!(f, "{}: {} ({advice})", self.0.url, self.0.failure)
    }
}

impl Error for FetchError {}

/// Why a [`Fetcher`](super::Fetcher) could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetupError {
    /// The user agent holds characters that no header may.
    UserAgent(String),
    /// The extra roots are not certificates in PEM; the words say why.
    Roots(String),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserAgent(text) => {
                write!(f, "user agent {text:?}: use visible ASCII characters and spaces")
            }
            Self::Roots(why) => write!(f, "extra root certificates: {why}; give PEM"),
        }
    }
}

impl Error for SetupError {}

/// Finds the cause in a chain of errors that three libraries have wrapped.
pub(super) fn classify(error: &(dyn Error + 'static), connecting: bool) -> FetchFailure {
    let mut cause = Some(error);
    let mut last = error;
    while let Some(e) = cause {
        if let Some(tls) = e.downcast_ref::<rustls::Error>() {
            return tls_failure(tls);
        }
        if let Some(http) = e.downcast_ref::<hyper::Error>()
            && http.is_parse()
        {
            return FetchFailure::Malformed(http.to_string());
        }
        let io = e.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut) {
            return FetchFailure::Timeout;
        }
        last = e;
        // An io::Error hides what it wraps: its source() is the source of that.
        let wrapped = io.and_then(|io| io.get_ref()).map(|w| w as &(dyn Error + 'static));
        cause = wrapped.or_else(|| e.source());
    }
    if connecting {
        FetchFailure::Connect(last.to_string())
    } else {
        FetchFailure::Dropped(last.to_string())
    }
}

fn tls_failure(error: &rustls::Error) -> FetchFailure {
    match error {
        rustls::Error::InvalidCertificate(_) => FetchFailure::Certificate(error.to_string()),
        _ => FetchFailure::Tls(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(failure: FetchFailure) -> FetchError {
        FetchError::new(&PageUrl::parse("http://example.org/a").unwrap(), failure)
    }

    #[test]
    fn what_may_pass_is_temporary_and_what_will_not_is_permanent() {
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(error(FetchFailure::Status(status)).is_temporary(), "{status}");
        }
        for status in [400, 401, 403, 404, 410, 418, 451] {
            let e = error(FetchFailure::Status(status));
            assert_eq!((e.kind(), e.status()), (FetchErrorKind::Permanent, Some(status)));
        }
        let why = || "x".to_owned();
        for failure in
            [FetchFailure::Timeout, FetchFailure::Connect(why()), FetchFailure::Dropped(why())]
        {
            assert_eq!(error(failure).kind(), FetchErrorKind::Temporary);
        }
        for failure in [
            FetchFailure::Certificate(why()),
            FetchFailure::Tls(why()),
            FetchFailure::Malformed(why()),
            FetchFailure::TooLarge { limit: 1 },
            FetchFailure::Undecodable(why()),
            FetchFailure::BadRedirect(why()),
            FetchFailure::TooManyRedirects { limit: 1 },
        ] {
            assert_eq!(error(failure).kind(), FetchErrorKind::Permanent);
        }
    }

    #[test]
    fn a_message_names_the_page_the_cause_and_the_way_on() {
        assert_eq!(
            error(FetchFailure::Status(503)).to_string(),
            "http://example.org/a: status 503 (try again later)"
        );
        assert_eq!(
            error(FetchFailure::TooLarge { limit: 9 }).to_string(),
            "http://example.org/a: the body is larger than 9 bytes (will not change)"
        );
    }

    #[test]
    fn causes_are_found_through_wrappers() {
        let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let wrapped = io::Error::other(certificate);
        assert!(matches!(classify(&wrapped, true), FetchFailure::Certificate(_)));
        let twice = io::Error::other(wrapped);
        assert!(matches!(classify(&twice, true), FetchFailure::Certificate(_)));
        let tls = io::Error::other(rustls::Error::DecryptError);
        assert!(matches!(classify(&tls, true), FetchFailure::Tls(_)));
        let timeout = io::Error::new(io::ErrorKind::TimedOut, "slow");
        assert_eq!(classify(&timeout, true), FetchFailure::Timeout);
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(matches!(classify(&refused, true), FetchFailure::Connect(_)));
        assert!(matches!(classify(&refused, false), FetchFailure::Dropped(_)));
    }
}
