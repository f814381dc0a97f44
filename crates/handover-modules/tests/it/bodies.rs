//! Bodies: what becomes text, what is left unread, and where reading stops.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use handover_modules::scraper::fetch::FetchFailure;

use crate::server::{Reply, Server, fetch, fetcher, options};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_plain_page_arrives_with_its_facts() {
    let page = fetch(|| {
        let headers = ["Content-Type: Text/HTML; charset=latin1", "X-Robots-Tag: noindex"];
        Reply::new("200 OK", &headers, b"caf\xe9")
    })
    .await
    .unwrap();
    assert_eq!(page.text.as_deref(), Some("café"));
    assert_eq!((page.status, page.bytes), (200, 4));
    assert_eq!(page.content_type.as_deref(), Some("text/html"));
    assert_eq!(page.charset, Some("windows-1252"));
    assert_eq!(page.robots_tag, ["noindex"]);
    assert_eq!(page.url, page.final_url);
    assert!(page.redirected_from.is_empty());
}

#[tokio::test]
async fn a_wrong_charset_gives_marks_and_no_error() {
    let headers = ["Content-Type: text/html; charset=utf-8"];
    let page = fetch(move || Reply::new("200 OK", &headers, b"caf\xe9 <p>")).await.unwrap();
    assert_eq!(page.text.as_deref(), Some("caf\u{fffd} <p>"));
}

#[tokio::test]
async fn gzip_is_unpacked_and_counted_unpacked() {
    let page = fetch(|| {
        let body = gzip(&b"hello ".repeat(1000));
        Reply::new("200 OK", &["Content-Type: text/html", "Content-Encoding: gzip"], body)
    })
    .await
    .unwrap();
    assert_eq!(page.bytes, 6000);
    assert!(page.text.unwrap().ends_with("hello "));
}

#[tokio::test]
async fn a_gzip_bomb_is_stopped_at_the_limit() {
    let error = fetch(|| {
        let bomb = gzip(&vec![b' '; 30_000_000]);
        Reply::new("200 OK", &["Content-Type: text/html", "Content-Encoding: gzip"], bomb)
    })
    .await
    .unwrap_err();
    assert_eq!(*error.failure(), FetchFailure::TooLarge { limit: options().body_bytes_max });
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn broken_compression_is_permanent() {
    for (coding, body) in [("gzip", &b"not gzip"[..]), ("br", b"x"), ("zstd", b"x")] {
        let error =
            fetch(move || Reply::new("200 OK", &[&format!("Content-Encoding: {coding}")], body))
                .await
                .unwrap_err();
        assert!(matches!(error.failure(), FetchFailure::Undecodable(_)), "{error}");
        assert!(!error.is_temporary());
    }
}

#[tokio::test]
async fn a_body_announced_too_large_is_refused_before_it_comes() {
    let error = fetch(|| Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n").hang())
        .await
        .unwrap_err();
    assert_eq!(*error.failure(), FetchFailure::TooLarge { limit: 100_000 });
}

#[tokio::test]
async fn an_endless_body_is_stopped_at_the_limit() {
    let endless = || {
        Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .repeat("5\r\nhello\r\n".repeat(100))
    };
    let error = fetch(endless).await.unwrap_err();
    assert_eq!(*error.failure(), FetchFailure::TooLarge { limit: 100_000 });
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let page = fetch(|| Reply::html(vec![b'x'; 100_000])).await.unwrap();
    assert_eq!(page.bytes, 100_000);
}

#[tokio::test]
async fn chunks_and_bodies_that_end_with_the_connection_are_read() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n";
    let until_close = "HTTP/1.0 200 OK\r\n\r\nhello";
    for raw in [chunked, until_close] {
        let page = fetch(move || Reply::raw(raw)).await.unwrap();
        assert_eq!(page.text.as_deref(), Some("hello"), "{raw}");
        assert_eq!(page.content_type, None, "a page without a type is taken for HTML");
    }
}

#[tokio::test]
async fn other_types_come_without_body() {
    for media in ["application/pdf", "image/png", "text/plain", "application/json"] {
        let page = fetch(move || {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: 4000000000\r\n\r\n"
            );
            Reply::raw(head).hang()
        })
        .await
        .unwrap();
        assert_eq!((page.content_type.as_deref(), page.text), (Some(media), None));
        assert_eq!(page.bytes, 0);
    }
}

#[tokio::test]
async fn answers_without_content_are_pages_without_text() {
    for status in ["204 No Content", "304 Not Modified", "300 Multiple Choices"] {
        let raw = format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\n\r\n");
        let page = fetch(move || Reply::raw(&raw)).await.unwrap();
        assert_eq!(page.status.to_string(), status[..3]);
        assert_eq!(page.text, None);
    }
}

#[tokio::test]
async fn requests_say_who_we_are_and_share_a_connection() {
    let server = Server::start(|path| match path {
        "/missing" => Reply::new("404 Not Found", &[], "nothing here"),
        "/small.pdf" => Reply::new("200 OK", &["Content-Type: application/pdf"], "%PDF"),
        _ => Reply::html("hello"),
    })
    .await;
    let mut options = options();
    options.user_agent = "handover/9 (+mailto:me@example.org)".into();
    let fetcher = handover_modules::scraper::fetch::Fetcher::new(options).unwrap();
    for path in ["/a?b=c", "/missing", "/small.pdf", "/d"] {
        let _ = fetcher.fetch(&server.url(path)).await;
    }
    assert_eq!(server.connections(), 1, "also after answers nobody wanted the body of");
    let head = &server.heads()[0];
    assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{head}");
    let head = head.to_lowercase();
    assert!(head.contains("user-agent: handover/9 (+mailto:me@example.org)\r\n"), "{head}");
    assert!(head.contains("accept-encoding: gzip, deflate\r\n"), "{head}");
    assert!(head.contains(&format!("host: {}:{}\r\n", "127.0.0.1", server.url("/").port())));
    assert!(!head.contains("cookie"), "{head}");
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_is_replaced() {
    let server = Server::start(|_| Reply::html("hello").close()).await;
    let fetcher = fetcher();
    for _ in 0..100 {
        assert!(fetcher.fetch(&server.url("/")).await.is_ok());
    }
}
