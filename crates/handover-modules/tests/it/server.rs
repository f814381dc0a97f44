//! A small HTTP/1.1 server that sends exactly the bytes a test tells it to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use handover_modules::scraper::fetch::{FetchError, FetchOptions, Fetcher, Page};
use handover_modules::scraper::url::PageUrl;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// Bytes to send, and what to do then.
pub(crate) struct Reply {
    bytes: Vec<u8>,
    then: Then,
}

enum Then {
    KeepOpen,
    Close,
    /// Say nothing more, but keep the connection.
    Hang,
    /// Send these bytes again and again until the client leaves.
    Repeat(Vec<u8>),
}

impl Reply {
    /// A whole answer with its length; `headers` are lines without their ends.
    pub(crate) fn new(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
        for line in headers {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        Self { bytes: [head.as_bytes(), body].concat(), then: Then::KeepOpen }
    }

    pub(crate) fn html(body: impl AsRef<[u8]>) -> Self {
        Self::new("200 OK", &["Content-Type: text/html"], body)
    }

    pub(crate) fn redirect(status: &str, to: &str) -> Self {
        Self::new(status, &[&format!("Location: {to}")], "moved")
    }

    pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self { bytes: bytes.as_ref().to_vec(), then: Then::Close }
    }

    pub(crate) fn close(mut self) -> Self {
        self.then = Then::Close;
        self
    }

    pub(crate) fn hang(mut self) -> Self {
        self.then = Then::Hang;
        self
    }

    pub(crate) fn repeat(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.then = Then::Repeat(bytes.as_ref().to_vec());
        self
    }
}

/// A server for one test; it ends with the test's runtime.
pub(crate) struct Server {
    base: String,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Answers every request by its path and query.
    pub(crate) async fn start(
        answer: impl Fn(&str) -> Reply + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            heads: Arc::default(),
            connections: Arc::default(),
        };
        let (heads, connections) = (Arc::clone(&server.heads), Arc::clone(&server.connections));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answer.clone(), Arc::clone(&heads)));
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> PageUrl {
        PageUrl::parse(&format!("{}{path}", self.base)).unwrap()
    }

    /// Request line and headers of every request so far, in order of arrival.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// How many connections were accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Answers the requests of one connection, which may be an encrypted one.
pub(crate) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: impl Fn(&str) -> Reply,
    heads: Arc<Mutex<Vec<String>>>,
) {
    while let Some(head) = read_head(&mut stream).await {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        heads.lock().unwrap().push(head);
        let reply = answer(&path);
        if stream.write_all(&reply.bytes).await.is_err() {
            return;
        }
        match reply.then {
            Then::KeepOpen => {}
            Then::Close => {
                let _ = stream.shutdown().await;
                return;
            }
            Then::Hang => return std::future::pending().await,
            Then::Repeat(bytes) => while stream.write_all(&bytes).await.is_ok() {},
        }
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// Small limits, so that tests of limits are quick.
pub(crate) fn options() -> FetchOptions {
    let mut options = FetchOptions::default();
    options.body_bytes_max = 100_000;
    options.time_limit = Duration::from_secs(20);
    options
}

pub(crate) fn fetcher() -> Fetcher {
    Fetcher::new(options()).unwrap()
}

/// Fetches `/` from a server that gives one reply to everything.
pub(crate) async fn fetch(
    reply: impl Fn() -> Reply + Clone + Send + Sync + 'static,
) -> Result<Page, FetchError> {
    let server = Server::start(move |_| reply()).await;
    fetcher().fetch(&server.url("/")).await
}
