//! Connections and TLS. The public certificate authorities are compiled in, so a container without
//! any still works; a company's own are added by the caller. Verification cannot be turned off.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::{FetchOptions, SetupError};

pub(super) type Client = legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Largest status line and headers together, in bytes; also the largest piece read at once.
pub(super) const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Most headers in one answer.
const HEADERS_MAX: usize = 200;

/// How long an unused connection is kept, and how many per host. A polite crawl pauses between two
/// requests, so this is longer than the usual pause.
const IDLE_KEPT: Duration = Duration::from_secs(30);
const IDLE_PER_HOST_MAX: usize = 4;

pub(super) fn build(options: &FetchOptions) -> Result<Client, SetupError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(options.connect_timeout));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls(&options.extra_roots_pem)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_KEPT)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .http1_max_buf_size(HEADER_BYTES_MAX)
        .http1_max_headers(HEADERS_MAX)
        .build(https))
}

fn tls(extra_roots_pem: &[u8]) -> Result<ClientConfig, SetupError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(extra_roots_pem) {
        let certificate = certificate.map_err(|e| SetupError::Roots(e.to_string()))?;
        roots.add(certificate).map_err(|e| SetupError::Roots(e.to_string()))?;
    }
    if !extra_roots_pem.is_empty() && roots.len() == before {
        return Err(SetupError::Roots("no certificate found".into()));
    }
    // The provider is named here and not taken from the process: another crate's choice of a
    // default must not decide how pages are fetched.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| SetupError::Roots(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_roots_that_are_no_certificates_are_refused() {
        for pem in ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let options =
                FetchOptions { extra_roots_pem: pem.as_bytes().to_vec(), ..Default::default() };
            assert!(matches!(build(&options), Err(SetupError::Roots(_))), "{pem}");
        }
        assert!(build(&FetchOptions::default()).is_ok());
    }
}
