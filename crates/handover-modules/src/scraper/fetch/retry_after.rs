//! When a server says to come back: the Retry-After header in both its forms (RFC 9110, 10.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use handover::clock;
use hyper::header::{self, HeaderMap, HeaderName};

/// Longest wait that is believed. A server that names next year is asked again tomorrow.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait from now; `None` where the server does not say or cannot be understood.
pub(super) fn of(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let value = text(header::RETRY_AFTER)?;
    // A date is meant by the server's clock, which may be far from ours, and it tells us its own.
    let now = text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    parse(value, || now.unwrap_or_else(|| UNIX_EPOCH + Duration::from_millis(clock::wall_ms())))
}

fn parse(value: &str, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are still a number, and more than the most.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let at = httpdate::parse_http_date(value).ok()?;
        at.duration_since(now()).unwrap_or_default() // in the past: now
    };
    Some(if wait > RETRY_AFTER_MAX { RETRY_AFTER_MAX } else { wait })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let cases = [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(86_400)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Sun, 06 Nov 2044 08:49:37 GMT", Some(86_400)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text, || now).map(|d| d.as_secs()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_date_is_measured_from_the_servers_own_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        headers.insert(header::RETRY_AFTER, "Sun, 06 Nov 1994 08:50:37 GMT".parse().unwrap());
        assert_eq!(of(&headers), Some(Duration::from_secs(60)));
        headers.remove(header::DATE);
        assert_eq!(of(&headers), Some(Duration::ZERO), "by our clock it is long past");
        assert_eq!(of(&HeaderMap::new()), None);
    }
}
