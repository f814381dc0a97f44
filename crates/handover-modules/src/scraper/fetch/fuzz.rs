//! What must hold for any answer of a server: the checks that fuzzing and the property tests below share.

use hyper::header::{self, HeaderMap, HeaderValue};

use super::body::{Coding, Limit, unpack};
use super::{charset, retry_after};

/// The largest body that `body` allows.
const BODY_BYTES_MAX: usize = 100_000;

/// Takes bytes as a page in any encoding; the first line is what the server says of it.
///
/// # Panics
/// Where a promise of the decoder is broken.
pub fn page_bytes(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (head, page) = bytes.split_at(end);
    let said = String::from_utf8_lossy(head);
    let (media, server) = charset::content_type(&said);
    assert!(
        media.is_none_or(|media| !media.is_empty())
            && server.as_ref().is_none_or(|s| !s.is_empty())
    );
    for label in [server.as_deref(), Some(&*said), None] {
        let (text, name) = charset::decode(page.to_vec(), label);
        // A byte becomes U+FFFD, of three bytes, at most; but for a few pairs of bytes that are two characters.
        assert!(text.len() <= 3 * page.len() + 4, "{name}: {} of {}", text.len(), page.len());
        assert!(!name.is_empty());
    }
}

/// Takes bytes as the values of the headers that say when to come back.
///
/// # Panics
/// Where a promise of the reader is broken.
pub fn come_back(bytes: &[u8]) {
    let mut values = bytes.split(|byte| *byte == b'\n').map(HeaderValue::from_bytes);
    let mut headers = HeaderMap::new();
    for name in [header::RETRY_AFTER, header::DATE, header::CONTENT_ENCODING] {
        if let Some(Ok(value)) = values.next() {
            headers.insert(name, value);
        }
    }
    assert!(retry_after::of(&headers).is_none_or(|wait| wait <= retry_after::RETRY_AFTER_MAX));
    let _ = Coding::of(&headers);
}

/// Takes bytes as a body in any coding that arrives in pieces: never more comes out than is allowed.
///
/// # Panics
/// Where a promise of the reader is broken.
pub fn body(bytes: &[u8]) {
    for coding in [Coding::Identity, Coding::Gzip, Coding::Deflate] {
        for limit in [Limit::Refuse(BODY_BYTES_MAX), Limit::Cut(BODY_BYTES_MAX), Limit::Cut(0)] {
            let (Limit::Refuse(max) | Limit::Cut(max)) = limit;
            let pieces = bytes.chunks(bytes.len() / 3 + 1);
            match unpack(coding, limit, pieces) {
                Ok(text) => assert!(text.len() <= max && text.capacity() <= 2 * max + 64),
                Err(failure) => assert!(!failure.to_string().is_empty()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_a_page_in_some_encoding(bytes in any::<Vec<u8>>()) {
            page_bytes(&bytes);
        }

        #[test]
        fn any_bytes_are_a_page_in_the_encoding_that_was_said(
            label in "(utf-8|utf-16le|utf-16be|big5|gbk|gb18030|euc-jp|euc-kr|shift_jis|iso-2022-jp|koi8-r|replacement|x-user-defined)",
            bytes in any::<Vec<u8>>(),
        ) {
            page_bytes(&[b"text/html; charset=", label.as_bytes(), b"\n", &bytes].concat());
        }

        #[test]
        fn any_headers_are_a_wait_or_none(bytes in any::<Vec<u8>>(), wait in "[0-9]{0,25}", day in "(Sun, )?[0-9]{0,2} (Nov|x) [0-9]{0,5} [0-9]{0,2}:[0-9]{0,2}:[0-9]{0,2}( GMT)?") {
            come_back(&bytes);
            come_back(wait.as_bytes());
            come_back(format!("{day}\n{day}").as_bytes());
        }

        #[test]
        fn any_bytes_are_a_body_or_refused(bytes in any::<Vec<u8>>(), gzip in any::<bool>()) {
            let head: &[u8] = if gzip { b"\x1f\x8b\x08\0\0\0\0\0\0\xff" } else { b"\x78\x9c" };
            body(&[head, &bytes].concat());
            body(&bytes);
        }
    }
}
