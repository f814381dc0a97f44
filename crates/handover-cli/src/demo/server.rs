//! Serves the demo's site on a loopback port, slowly enough to watch, and counts who asked for what.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::site::Site;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<BTreeMap<String, u64>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Serves the site; each answer takes `latency`.
    pub(crate) async fn start(site: Arc<Site>, latency: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let asked: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
        let task = tokio::spawn(accept(listener, site, latency, Arc::clone(&asked)));
        Ok(Self { address, asked, task })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How often pages were asked for beyond the first time.
    pub(crate) fn repeated(&self) -> u64 {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.values().map(|times| times.saturating_sub(1)).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    site: Arc<Site>,
    latency: Duration,
    asked: Arc<Mutex<BTreeMap<String, u64>>>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files, most likely: some are closed in a moment.
            tokio::time::sleep(latency).await;
            continue;
        };
        let (site, asked) = (Arc::clone(&site), Arc::clone(&asked));
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let (site, asked) = (Arc::clone(&site), Arc::clone(&asked));
                async move {
                    tokio::time::sleep(latency).await;
                    Ok::<_, Infallible>(answer(&site, &asked, request.uri().path()))
                }
            });
            // A client that goes away, as one that is killed does, is none of the server's business.
            _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(site: &Site, asked: &Mutex<BTreeMap<String, u64>>, path: &str) -> Response<Full<Bytes>> {
    let found = site.at(path);
    if found.is_some() {
        *asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(path.to_owned())
            .or_default() += 1;
    }
    let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let (kind, body) = found
        .unwrap_or(("text/plain; charset=utf-8", Bytes::from_static(b"there is no such page\n")));
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static(kind);
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    response
}
