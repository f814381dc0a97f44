//! Redirects: followed, recorded, asked about, and ended.

use std::sync::{Arc, Mutex};

use handover_modules::scraper::fetch::{FetchErrorKind, FetchFailure, Step};

use crate::server::{Reply, Server, fetcher, options};

#[tokio::test]
async fn a_chain_is_followed_and_every_hop_recorded() {
    let server = Server::start(|path| match path {
        "/a" => Reply::redirect("301 Moved", "/b?x=1"),
        "/b?x=1" => Reply::redirect("302 Found", "c/d"),
        "/c/d" => Reply::redirect("307 Temporary", "../e#part"),
        "/e" => Reply::redirect("308 Permanent", "//localhost.invalid/"),
        _ => Reply::html("unexpected"),
    })
    .await;
    let (asked, start) = (Arc::new(Mutex::new(Vec::new())), server.url("/a"));
    let error = fetcher()
        .fetch_checked(&start, |to| {
            asked.lock().unwrap().push(to.to_string());
            let elsewhere = to.host() == "localhost.invalid";
            async move { if elsewhere { Err("outside of the crawl".to_owned()) } else { Ok(()) } }
        })
        .await
        .unwrap_err();
    let hops = ["/b?x=1", "/c/d", "/e"].map(|path| server.url(path).to_string());
    assert_eq!(asked.lock().unwrap()[..3], hops);
    assert!(matches!(error.failure(), FetchFailure::RedirectRefused { why, .. }
        if why == "outside of the crawl"));
    assert_eq!((error.kind(), error.status()), (FetchErrorKind::Permanent, Some(308)));
    assert_eq!(error.url(), &server.url("/e"));
    assert_eq!(server.connections(), 1, "redirects of one host share its connection");
}

#[tokio::test]
async fn a_page_behind_redirects_knows_both_its_addresses() {
    let server = Server::start(|path| match path {
        "/a" => Reply::redirect("303 See Other", "/b"),
        "/b" => Reply::redirect("301 Moved", "http://me:secret@HOST/c"),
        _ => Reply::html("here"),
    })
    .await;
    let second = Server::start(|path| match path {
        "/c" => Reply::html("elsewhere"),
        _ => Reply::new("404 Not Found", &[], ""),
    })
    .await;
    let page = fetcher().fetch(&server.url("/a")).await;
    assert!(page.is_err(), "HOST is no host");

    let target = second.url("/c").to_string().replace("http://", "http://me:secret@");
    let server = Server::start(move |_| Reply::redirect("301 Moved", &target)).await;
    let page = fetcher().fetch(&server.url("/a")).await.unwrap();
    assert_eq!((&page.url, &page.final_url), (&server.url("/a"), &second.url("/c")));
    assert_eq!(page.redirected_from, [server.url("/a")]);
    assert_eq!(page.text.as_deref(), Some("elsewhere"));
    let head = second.heads().remove(0).to_lowercase();
    assert!(!head.contains("authorization"), "a redirect cannot choose credentials: {head}");
}

#[tokio::test]
async fn a_loop_is_an_error_and_is_noticed_at_the_second_visit() {
    let server = Server::start(|path| match path {
        "/a" => Reply::redirect("302 Found", "/b"),
        "/b" => Reply::redirect("302 Found", "/a#again"),
        _ => Reply::redirect("302 Found", ""),
    })
    .await;
    for (start, to) in [("/a", "/a"), ("/self", "/self")] {
        let error = fetcher().fetch(&server.url(start)).await.unwrap_err();
        assert_eq!(*error.failure(), FetchFailure::RedirectLoop { to: server.url(to) });
        assert!(!error.is_temporary());
    }
    assert_eq!(server.heads().len(), 3);
}

#[tokio::test]
async fn ten_redirects_are_followed_and_the_eleventh_is_not() {
    let server = Server::start(|path| {
        let n: u32 = path[1..].parse().unwrap();
        if n == 0 { Reply::html("end") } else { Reply::redirect("301 M", &format!("/{}", n - 1)) }
    })
    .await;
    let page = fetcher().fetch(&server.url("/10")).await.unwrap();
    assert_eq!(page.redirected_from.len(), options().redirects_max);
    let error = fetcher().fetch(&server.url("/11")).await.unwrap_err();
    assert_eq!(*error.failure(), FetchFailure::TooManyRedirects { limit: 10 });
}

#[tokio::test]
async fn a_redirect_to_no_page_is_permanent() {
    let replies: [fn() -> Reply; 4] = [
        || Reply::new("301 Moved", &[], ""),
        || Reply::redirect("302 Found", "mailto:me@example.org"),
        || Reply::redirect("302 Found", "http://"),
        || Reply::raw(b"HTTP/1.1 301 Moved\r\nLocation: /\xff\r\nContent-Length: 0\r\n\r\n"),
    ];
    for reply in replies {
        let server = Server::start(move |_| reply()).await;
        let error = fetcher().fetch(&server.url("/")).await.unwrap_err();
        assert!(matches!(error.failure(), FetchFailure::BadRedirect(_)), "{error}");
        assert!(!error.is_temporary());
    }
}

#[tokio::test]
async fn a_single_step_leaves_the_redirect_to_the_caller() {
    let server = Server::start(|_| Reply::redirect("308 Permanent", "/b")).await;
    let step = fetcher().step(&server.url("/a"), options().time_limit).await.unwrap();
    assert_eq!(step, Step::Redirect { to: server.url("/b"), status: 308 });
    assert_eq!(server.heads().len(), 1);
}

#[tokio::test]
async fn a_redirect_with_a_huge_body_does_not_hold_us_up() {
    let server = Server::start(|path| match path {
        "/a" => {
            Reply::raw("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 999999999\r\n\r\n")
                .repeat("x")
        }
        _ => Reply::html("here"),
    })
    .await;
    let page = fetcher().fetch(&server.url("/a")).await.unwrap();
    assert_eq!(page.text.as_deref(), Some("here"));
    assert_eq!(server.connections(), 2);
}
