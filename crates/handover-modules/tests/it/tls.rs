//! Encrypted connections: a certificate that nobody vouches for is refused, and stays refused.

use std::sync::Arc;

use handover_modules::scraper::fetch::{FetchError, FetchFailure, Fetcher, Page};
use handover_modules::scraper::url::PageUrl;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::server::{Reply, options, serve};

/// A server whose certificate is for `name`; gives its port and its authority's certificate.
async fn start(name: &str) -> (u16, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(serve(stream, |_| Reply::html("secret"), Arc::default()));
            }
        }
    });
    (port, authority.pem())
}

async fn fetch(host: &str, port: u16, roots: &str) -> Result<Page, FetchError> {
    let mut options = options();
    options.extra_roots_pem = roots.as_bytes().to_vec();
    let url = PageUrl::parse(&format!("https://{host}:{port}/")).unwrap();
    Fetcher::new(options).unwrap().fetch(&url).await
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_accepted() {
    let (port, authority) = start("127.0.0.1").await;
    let page = fetch("127.0.0.1", port, &authority).await.unwrap();
    assert_eq!(page.text.as_deref(), Some("secret"));
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_permanent_error() {
    let (port, _) = start("127.0.0.1").await;
    let error = fetch("127.0.0.1", port, "").await.unwrap_err();
    assert!(matches!(error.failure(), FetchFailure::Certificate(_)), "{error:?}");
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_a_permanent_error() {
    let (port, authority) = start("example.org").await;
    let error = fetch("127.0.0.1", port, &authority).await.unwrap_err();
    assert!(matches!(error.failure(), FetchFailure::Certificate(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_a_permanent_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let fetched = tokio::spawn(async move { fetch("127.0.0.1", port, "").await });
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
    let error = fetched.await.unwrap().unwrap_err();
    assert!(matches!(error.failure(), FetchFailure::Tls(_)), "{error:?}");
    assert!(!error.is_temporary());
}
