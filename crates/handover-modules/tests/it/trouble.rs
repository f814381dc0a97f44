//! Servers and networks in trouble: every failure says whether to try again, and when.

use std::time::Duration;

use handover_modules::scraper::fetch::{
    FetchErrorKind, FetchFailure, FetchOptions, Fetcher, SetupError,
};
use handover_modules::scraper::url::PageUrl;
use tokio::net::TcpListener;

use crate::server::{Reply, Server, fetch, fetcher, options};

#[tokio::test]
async fn too_many_requests_tells_when_to_come_back() {
    let seconds = || Reply::new("429 Too Many Requests", &["Retry-After: 7"], "slow down");
    let error = fetch(seconds).await.unwrap_err();
    assert_eq!((error.status(), error.kind()), (Some(429), FetchErrorKind::Temporary));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));

    let date = || {
        let headers =
            ["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sun, 06 Nov 1994 08:51:37 GMT"];
        Reply::new("503 Service Unavailable", &headers, "")
    };
    let error = fetch(date).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
    assert_eq!(error.kind(), FetchErrorKind::Temporary);
}

#[tokio::test]
async fn statuses_are_temporary_or_permanent() {
    for (status, kind) in [
        ("404 Not Found", FetchErrorKind::Permanent),
        ("410 Gone", FetchErrorKind::Permanent),
        ("403 Forbidden", FetchErrorKind::Permanent),
        ("500 Oops", FetchErrorKind::Temporary),
        ("599 Odd", FetchErrorKind::Temporary),
    ] {
        let error = fetch(move || Reply::new(status, &[], "sorry")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.status().unwrap().to_string(), status[..3]);
        assert_eq!(error.retry_after(), None);
    }
}

#[tokio::test]
async fn slowness_ends_at_the_time_limit() {
    let slow: [fn() -> Reply; 3] = [
        || Reply::raw("").hang(),
        || Reply::raw("HTTP/1.1 200 OK\r\nContent-").hang(),
        || Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").hang(),
    ];
    for reply in slow {
        let server = Server::start(move |_| reply()).await;
        let mut options = options();
        options.time_limit = Duration::from_millis(150);
        let error = Fetcher::new(options).unwrap().fetch(&server.url("/")).await.unwrap_err();
        assert_eq!(*error.failure(), FetchFailure::Timeout);
        assert!(error.is_temporary());
    }
}

#[tokio::test]
async fn the_time_limit_holds_for_all_redirects_together() {
    let server = Server::start(|path| match path {
        "/a" => Reply::redirect("302 Found", "/b"),
        _ => Reply::raw("").hang(),
    })
    .await;
    let mut options = options();
    options.time_limit = Duration::from_secs(1);
    let fetcher = Fetcher::new(options).unwrap();
    // The caller's own waiting does not count, however long it is.
    let check = |_| async {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(3600)).await;
        tokio::time::resume();
        Ok(())
    };
    let error = fetcher.fetch_checked(&server.url("/a"), check).await.unwrap_err();
    assert_eq!(*error.failure(), FetchFailure::Timeout);
    assert_eq!(error.url(), &server.url("/b"), "the second request was made");
}

#[tokio::test]
async fn a_dropped_connection_is_temporary() {
    let drops: [fn() -> Reply; 4] = [
        || Reply::raw(""),
        || Reply::raw("HTTP/1.1 200 OK\r\n"),
        || Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        || Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
    ];
    for (n, reply) in drops.into_iter().enumerate() {
        let error = fetch(reply).await.unwrap_err();
        assert!(matches!(error.failure(), FetchFailure::Dropped(_)), "{n}: {error:?}");
        assert!(error.is_temporary());
    }
}

#[tokio::test]
async fn a_refused_connection_is_temporary() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = PageUrl::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = fetcher().fetch(&url).await.unwrap_err();
    assert!(matches!(error.failure(), FetchFailure::Connect(_)), "{error}");
    assert!(error.is_temporary());
}

#[tokio::test]
async fn an_unknown_host_is_temporary() {
    let url = PageUrl::parse("http://no-such-host.invalid/").unwrap();
    let error = fetcher().fetch(&url).await.unwrap_err();
    assert!(matches!(error.failure(), FetchFailure::Connect(_)), "{error}");
}

#[tokio::test]
async fn what_is_not_http_or_too_much_of_it_is_permanent() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(500));
    for raw in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 OK\r\n\r\n", &long, &many] {
        let raw = raw.to_owned();
        let error = fetch(move || Reply::raw(&raw)).await.unwrap_err();
        assert!(matches!(error.failure(), FetchFailure::Malformed(_)), "{error:?}");
        assert!(!error.is_temporary());
    }
}

#[test]
fn a_user_agent_that_cannot_be_sent_is_refused_at_the_start() {
    let mut options = FetchOptions::default();
    options.user_agent = "two\nlines".into();
    let error = Fetcher::new(options).unwrap_err();
    assert_eq!(error, SetupError::UserAgent("two\nlines".into()));
    assert!(error.to_string().contains("two\\nlines"));
}
