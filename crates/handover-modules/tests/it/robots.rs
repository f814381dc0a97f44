//! Asking a site for its robots.txt.

use std::time::Duration;

use handover_modules::scraper::robots::{ROBOTS_BYTES_MAX, Robots, RobotsAnswer};
use handover_modules::scraper::url::PageUrl;
use tokio::net::TcpListener;

use crate::server::{Reply, Server, fetcher};

const FILE: &str = "User-agent: handover\nDisallow: /no\nCrawl-delay: 3\n";

fn rules() -> RobotsAnswer {
    RobotsAnswer::Rules(Robots::parse(FILE.as_bytes(), "handover"))
}

async fn ask(reply: impl Fn(&str) -> Reply + Clone + Send + Sync + 'static) -> RobotsAnswer {
    let server = Server::start(reply).await;
    let answer = fetcher().fetch_robots(&server.url("/deep/page").origin()).await;
    assert!(server.heads()[0].starts_with("GET /robots.txt "));
    answer
}

#[tokio::test]
async fn a_file_of_any_type_is_obeyed() {
    for media in ["text/plain", "text/html", "application/octet-stream"] {
        let answer =
            ask(move |_| Reply::new("200 OK", &[&format!("Content-Type: {media}")], FILE)).await;
        assert_eq!(answer, rules());
    }
}

#[tokio::test]
async fn no_file_permits_everything_and_trouble_nothing() {
    let everything = RobotsAnswer::Rules(Robots::allow_all());
    assert_eq!(ask(|_| Reply::new("404 Not Found", &[], FILE)).await, everything);
    let busy = ask(|_| Reply::new("503 Busy", &["Retry-After: 9"], FILE)).await;
    assert_eq!(busy, RobotsAnswer::Later { retry_after: Some(Duration::from_secs(9)) });
    assert_eq!(ask(|_| Reply::raw("")).await, RobotsAnswer::unreachable());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = PageUrl::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    assert_eq!(fetcher().fetch_robots(&url.origin()).await, RobotsAnswer::unreachable());
}

#[tokio::test]
async fn five_redirects_are_followed_also_to_another_host() {
    let other = Server::start(|_| Reply::new("200 OK", &[], FILE)).await;
    let target = other.url("/their-robots").to_string();
    let answer = ask(move |path| match path {
        "/robots.txt" => Reply::redirect("301 Moved", "/1"),
        "/4" => Reply::redirect("301 Moved", &target),
        path => {
            let n: u32 = path[1..].parse().unwrap();
            Reply::redirect("302 Found", &format!("/{}", n + 1))
        }
    })
    .await;
    assert_eq!(answer, rules());
    let endless = ask(|path| Reply::redirect("302 Found", &format!("{path}x"))).await;
    assert_eq!(endless, RobotsAnswer::Rules(Robots::allow_all()));
    let nowhere = ask(|_| Reply::redirect("302 Found", "mailto:me")).await;
    assert_eq!(nowhere, RobotsAnswer::Rules(Robots::allow_all()));
}

#[tokio::test]
async fn an_endless_file_is_read_up_to_its_limit() {
    let answer = ask(|_| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n{FILE}");
        Reply::raw(head).repeat("# nothing but comments\n".repeat(ROBOTS_BYTES_MAX / 100))
    })
    .await;
    assert_eq!(answer, rules());
}
