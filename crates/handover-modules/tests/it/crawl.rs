//! The crawl over a queue: what it follows, what it keeps, and that it ends.

use std::time::Duration;

use handover::{Backend, BrokerExt, Client, QueueName, Record, Room, Status, Worker, WorkerStats};
use handover_modules::crawl::{CrawlPlan, Crawler};

use crate::server::{Reply, Server};

/// What a crawl of `server` with this plan comes to, through a queue of two places.
async fn crawl(server: &Server, plan: impl FnOnce(&mut CrawlPlan)) -> (Vec<Record>, WorkerStats) {
    let backend = Backend::memory();
    let outcome = crawl_on(&backend, server, plan).await;
    backend.close().await.unwrap();
    outcome
}

async fn crawl_on(
    backend: &Backend,
    server: &Server,
    change: impl FnOnce(&mut CrawlPlan),
) -> (Vec<Record>, WorkerStats) {
    let mut plan = CrawlPlan::new(server.url("/"));
    plan.delay = Duration::ZERO;
    change(&mut plan);
    let queue = QueueName::new("site").unwrap();
    let client = Client::new(backend);
    client.declare("site", &CrawlPlan::settings(2, 10_000)).await.unwrap();
    backend.broker.send_one(&queue, plan.seed().unwrap(), Room::now()).await.unwrap();
    let crawler = Crawler::new(plan, queue.clone()).unwrap();
    let worker =
        crawler.on(Worker::new(backend).concurrency(4).until_empty()).start().await.unwrap();
    let stats =
        tokio::time::timeout(Duration::from_secs(20), worker.join()).await.unwrap().unwrap();
    let info = backend.broker.inspector().unwrap().queue(&queue).await.unwrap().unwrap();
    assert!(info.depth_max <= 2, "{info:?}");
    (backend.results.list(&queue, 0, 1000).await.unwrap().0, stats)
}

/// The addresses of the pages that were kept, without the server's part, sorted.
fn kept(server: &Server, records: &[Record]) -> Vec<String> {
    let start = server.url("/").as_str().trim_end_matches('/').to_owned();
    let mut kept: Vec<String> = records
        .iter()
        .filter(|record| record.status == Status::Done)
        .filter_map(|record| {
            serde_json::from_str::<serde_json::Value>(record.output.as_deref()?).ok()
        })
        .filter_map(|page| Some(page.get("url")?.as_str()?.trim_start_matches(&start).to_owned()))
        .collect();
    kept.sort();
    kept
}

/// The paths that were asked for, in order.
fn asked(server: &Server) -> Vec<String> {
    server.heads().iter().filter_map(|head| Some(head.split(' ').nth(1)?.to_owned())).collect()
}

fn page(links: &[&str]) -> Reply {
    let links: Vec<String> = links.iter().map(|link| format!("<a href=\"{link}\">x</a>")).collect();
    Reply::html(links.join("\n"))
}

fn missing() -> Reply {
    Reply::new("404 Not Found", &[], "no")
}

#[tokio::test]
async fn every_page_is_fetched_once_although_all_link_to_all() {
    let server = Server::start(|path| match path {
        "/" | "/a" | "/b" | "/c" => page(&["/", "/a", "/b", "/c#part", "/x/../b"]),
        _ => missing(),
    })
    .await;
    let (records, stats) = crawl(&server, |_| ()).await;
    assert_eq!(kept(&server, &records), ["/", "/a", "/b", "/c"]);
    assert_eq!((stats.done, stats.buried, stats.retried), (4, 0, 0));
    assert_eq!(asked(&server).iter().filter(|path| *path == "/b").count(), 1);
}

#[tokio::test]
async fn a_site_far_larger_than_the_queue_is_crawled_to_its_end() {
    // Every page links to the next twenty: the frontier is a hundred times the two places of the queue.
    let server = Server::start(|path| match path.trim_start_matches('/').parse::<u32>() {
        _ if path == "/robots.txt" => missing(),
        number => {
            let first = number.unwrap_or(0) * 20 + 1;
            let links: Vec<String> = (first..first + 20)
                .filter(|next| *next <= 400)
                .map(|next| format!("/{next}"))
                .collect();
            page(&links.iter().map(String::as_str).collect::<Vec<_>>())
        }
    })
    .await;
    let (records, stats) = crawl(&server, |_| ()).await;
    assert_eq!((kept(&server, &records).len(), stats.done), (401, 401));
}

#[tokio::test]
async fn depth_scope_and_robots_bound_a_crawl() {
    let server = Server::start(|path| match path {
        "/robots.txt" => Reply::new("200 OK", &[], "User-agent: *\nDisallow: /private"),
        "/" => page(&["/1", "/private/x", "http://elsewhere.invalid/"]),
        "/1" => page(&["/2"]),
        "/2" => page(&["/3"]),
        _ => page(&[]),
    })
    .await;
    let (records, _) = crawl(&server, |plan| plan.depth_max = 2).await;
    assert_eq!(kept(&server, &records), ["/", "/1", "/2"]);
    assert!(!asked(&server).iter().any(|path| path.starts_with("/private")));
    assert!(records.iter().any(|record| {
        record.output.as_deref().is_some_and(|note| note.starts_with(r#"["robots","#))
    }));
}

#[tokio::test]
async fn a_page_that_moved_is_kept_where_it_is_now_and_once() {
    let server = Server::start(|path| match path {
        "/" => page(&["/old", "/new"]),
        "/old" => Reply::redirect("301 Moved Permanently", "/new"),
        "/new" => page(&[]),
        _ => missing(),
    })
    .await;
    let (records, _) = crawl(&server, |_| ()).await;
    assert_eq!(kept(&server, &records), ["/", "/new"]);
    assert_eq!(asked(&server).iter().filter(|path| *path == "/new").count(), 1);
}

#[tokio::test]
async fn a_ring_of_redirects_ends() {
    let server = Server::start(|path| match path {
        "/robots.txt" => missing(),
        "/" => page(&["/0"]),
        path => {
            let number: u32 = path.trim_start_matches('/').parse().unwrap_or(0);
            Reply::redirect("302 Found", &format!("/{}", (number + 1) % 3))
        }
    })
    .await;
    let (records, _) = crawl(&server, |_| ()).await;
    assert_eq!(kept(&server, &records), ["/"]);
}

#[tokio::test]
async fn what_is_broken_is_noted_and_what_is_in_trouble_is_tried_again() {
    let tries = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = std::sync::Arc::clone(&tries);
    let server = Server::start(move |path| match path {
        "/" => page(&["/gone", "/busy"]),
        "/busy" if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 => {
            Reply::new("503 Service Unavailable", &["Retry-After: 0"], "later")
        }
        "/busy" => page(&[]),
        _ => missing(),
    })
    .await;
    let (records, stats) = crawl(&server, |_| ()).await;
    assert_eq!(kept(&server, &records), ["/", "/busy"]);
    assert_eq!((stats.retried, stats.buried), (1, 0));
    assert!(
        records
            .iter()
            .any(|record| record.output.as_deref().is_some_and(|note| note.contains("broken")))
    );
}

#[tokio::test]
async fn the_same_run_again_fetches_nothing_and_another_run_begins_anew() {
    let server = Server::start(|path| if path == "/" { page(&["/a"]) } else { page(&[]) }).await;
    let backend = Backend::memory();
    assert_eq!(crawl_on(&backend, &server, |_| ()).await.1.done, 2);
    assert_eq!(crawl_on(&backend, &server, |_| ()).await.1.done, 0);
    assert_eq!(crawl_on(&backend, &server, |plan| plan.run = "2".to_owned()).await.1.done, 2);
}

#[tokio::test]
async fn a_host_is_asked_one_page_at_a_time_with_its_pause_between() {
    let server = Server::start(|path| match path {
        "/robots.txt" => missing(),
        "/" => page(&["/a", "/b", "/c"]),
        _ => page(&[]),
    })
    .await;
    let pause = Duration::from_millis(100);
    let started = handover::clock::now();
    let (records, _) = crawl(&server, |plan| plan.delay = pause).await;
    assert_eq!(kept(&server, &records).len(), 4);
    assert!(
        handover::clock::now() - started >= pause * 5,
        "robots.txt and four pages, each with its pause"
    );
}
