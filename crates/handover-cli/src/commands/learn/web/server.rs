//! Serves the page's files on the loopback address, to browsers of this machine only: another name for the address in the
//! request's `Host` is refused, because a page of another site that has its name point here (DNS rebinding) would send that.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::failure::Failure;
use crate::stop::Signals;

/// What one browser may take from the others.
const LIMITS: Limits = Limits {
    connections_max: 256,
    request_within: Duration::from_secs(30),
    connection_within: Duration::from_secs(120),
};
/// How long to wait where no connection can be accepted: too many files are open, and some are closed in a moment.
const PAUSE: Duration = Duration::from_millis(100);

/// Said with every answer. The page needs nothing but its own files; nobody may frame it or guess another type.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
];

#[derive(Debug, Clone, Copy)]
struct Limits {
    /// As many as a class of browsers could have; the next one waits.
    connections_max: usize,
    /// How long a browser may take to say what it wants, on a new connection or on one that it keeps.
    request_within: Duration,
    /// How long a connection lasts, whatever it is used for: one that asks and does not read the answers would keep its place
    /// for good. The page's largest file takes a moment on the loopback address, and a browser connects again by itself.
    connection_within: Duration,
}

/// The page, and the port that it is to be served on.
#[derive(Debug)]
pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    files: Arc<Files>,
    /// Heard before the address is told: whoever has it may end the server at once.
    signals: Option<Signals>,
}

/// The files by the paths of requests.
#[derive(Debug)]
struct Files {
    port: u16,
    by_path: HashMap<String, (&'static str, Bytes)>,
}

impl Server {
    /// Takes the port; any that is free for 0.
    ///
    /// # Errors
    /// Where it cannot be had, with what to do about it.
    pub(super) async fn bind(port: u16) -> Result<Self, Failure> {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = bound.map_err(|error| {
            Failure::io(format!("port {port} of this machine cannot be had"), &error)
                .hint("name another with --port, or leave it out for any that is free")
        })?;
        let address = listener.local_addr().map_err(|error| Failure::io("the port", &error))?;
        let files = Arc::new(Files::new(address.port(), super::files()));
        // Where signals cannot be heard they end the program by themselves.
        Ok(Self { listener, address, files, signals: Signals::listen().ok() })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers until Ctrl-C.
    pub(super) async fn run(self) {
        let mut signals = self.signals;
        let stopped = async {
            match &mut signals {
                Some(signals) => signals.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = accept(self.listener, self.files, LIMITS) => {}
            () = stopped => {}
        }
    }
}

async fn accept(listener: TcpListener, files: Arc<Files>, limits: Limits) {
    let room = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let files = Arc::clone(&files);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = files.answer(&request);
                async { Ok::<_, Infallible>(answer) }
            });
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(limits.request_within);
            let served = server.serve_connection(TokioIo::new(stream), service);
            // A browser that goes away, or is sent away, is none of the server's business.
            _ = tokio::time::timeout(limits.connection_within, served).await;
            drop(place);
        });
    }
}

impl Files {
    fn new(port: u16, files: Vec<(String, Vec<u8>)>) -> Self {
        let by_path = files
            .into_iter()
            .map(|(name, bytes)| (format!("/{name}"), (kind(&name), Bytes::from(bytes))));
        Self { port, by_path: by_path.collect() }
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        if !host.is_some_and(|host| self.is_own(host)) {
            return said(
                StatusCode::MISDIRECTED_REQUEST,
                "this page is for browsers of this machine: open the address that was printed\n",
            );
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut refused = said(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        // The body of an answer to HEAD is left out by the HTTP library, which tells its length all the same.
        let path = request.uri().path();
        match self.by_path.get(if path == "/" { "/index.html" } else { path }) {
            Some((kind, bytes)) => answer(StatusCode::OK, kind, bytes.clone()),
            None => said(StatusCode::NOT_FOUND, "there is no such file; the page is at /\n"),
        }
    }

    fn is_own(&self, host: &str) -> bool {
        let (name, port) = host.rsplit_once(':').unwrap_or((host, "80"));
        let named = name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost");
        named && port.parse() == Ok(self.port)
    }
}

fn said(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    answer(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What a file is, by its ending.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    fn files() -> Files {
        let files = ["index.html", "app.css", "data/02-race.js", "icon.svg"];
        Files::new(8_080, files.map(|name| (name.to_owned(), name.into())).to_vec())
    }

    fn ask(method: &str, host: Option<&str>, path: &str) -> Response<Full<Bytes>> {
        let request = Request::builder().method(method).uri(path);
        let request = host.into_iter().fold(request, |request, host| request.header("host", host));
        files().answer(&request.body(()).unwrap())
    }

    #[test]
    fn every_file_is_served_with_its_type_and_under_a_strict_policy() {
        for (path, kind) in [
            ("/", "text/html; charset=utf-8"),
            ("/app.css?v=1", "text/css; charset=utf-8"),
            ("/data/02-race.js", "text/javascript; charset=utf-8"),
            ("/icon.svg", "image/svg+xml"),
        ] {
            let answer = ask("GET", Some("127.0.0.1:8080"), path);
            assert_eq!(
                (answer.status(), &answer.headers()["content-type"]),
                (StatusCode::OK, &HeaderValue::from_static(kind))
            );
            let policy = answer.headers()["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"));
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found_wherever_the_path_leads() {
        for path in ["/index.html/", "/nothing", "/../Cargo.toml", "/data", "/%2e%2e/x", "//"] {
            let answer = ask("GET", Some("localhost:8080"), path);
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn only_this_machine_s_own_names_are_answered() {
        for host in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080"] {
            assert_eq!(ask("GET", Some(host), "/").status(), StatusCode::OK, "{host}");
        }
        for host in
            ["evil.example", "evil.example:8080", "127.0.0.1", "127.0.0.1:80", "", "localhost:x"]
        {
            assert_eq!(
                ask("GET", Some(host), "/").status(),
                StatusCode::MISDIRECTED_REQUEST,
                "{host}"
            );
        }
        assert_eq!(ask("GET", None, "/").status(), StatusCode::MISDIRECTED_REQUEST);
    }

    /// Serves with room for one, so that the next client is answered when the one before has gone.
    async fn served(request_within: Duration, connection_within: Duration) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let large = ("large.js".to_owned(), vec![b' '; 1 << 20]);
        let files = Arc::new(Files::new(address.port(), vec![large]));
        let limits = Limits { connections_max: 1, request_within, connection_within };
        tokio::spawn(accept(listener, files, limits));
        address
    }

    /// The answer to one request on a connection of its own, when there is room for it.
    async fn asked(address: SocketAddr, method: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("{method} /large.js HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }

    /// Long enough for a client that asks and reads, on a busy machine too.
    const SHORT: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn a_client_that_says_nothing_gives_its_place_back() {
        let address = served(SHORT, LONG).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        assert!(asked(address, "GET").await.starts_with(b"HTTP/1.1 200 OK\r\n"));
        let mut answer = Vec::new();
        silent.read_to_end(&mut answer).await.unwrap();
        assert!(answer.is_empty(), "it was sent away without an answer");
    }

    #[tokio::test]
    async fn a_client_that_asks_and_does_not_read_gives_its_place_back() {
        let address = served(LONG, SHORT).await;
        let mut deaf = TcpStream::connect(address).await.unwrap();
        let request = format!("GET /large.js HTTP/1.1\r\nHost: {address}\r\n\r\n");
        // More than the system keeps for the two of them: the server cannot have written it all.
        deaf.write_all(request.repeat(64).as_bytes()).await.unwrap();
        assert!(asked(address, "GET").await.starts_with(b"HTTP/1.1 200 OK\r\n"));
        drop(deaf);
    }

    #[tokio::test]
    async fn the_answer_to_head_tells_the_length_and_has_no_body() {
        let address = served(LONG, LONG).await;
        let answer = String::from_utf8(asked(address, "HEAD").await).unwrap();
        assert!(answer.contains("content-length: 1048576\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }

    #[test]
    fn only_reading_is_allowed() {
        assert_eq!(ask("HEAD", Some("127.0.0.1:8080"), "/").status(), StatusCode::OK);
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = ask(method, Some("127.0.0.1:8080"), "/");
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
            assert_eq!(answer.headers()["allow"], "GET, HEAD");
        }
    }
}
