//! Reading a body: decompressed while it arrives, and stopped at the limit, so that a small answer
//! that unpacks to a huge one costs no more than the limit.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap};

use super::error::{FetchError, FetchFailure, classify};
use crate::scraper::url::PageUrl;

/// What to do with a body larger than this, in bytes after decompression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// It is an error.
    Refuse(usize),
    /// Keep what fits; what follows is not read.
    Cut(usize),
}

/// How a body was compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Deflate,
}

impl Coding {
    /// Reads the Content-Encoding header. We asked for gzip and deflate only, one at a time.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, FetchFailure> {
        let mut found = Self::Identity;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
            for name in text.split(',').map(str::trim) {
                let coding = match name {
                    "" | "identity" => continue,
                    "gzip" | "x-gzip" => Self::Gzip,
                    "deflate" => Self::Deflate,
                    _ => return Err(unknown(&text)),
                };
                if found != Self::Identity {
                    return Err(unknown("more than one coding"));
                }
                found = coding;
            }
        }
        Ok(found)
    }
}

fn unknown(what: &str) -> FetchFailure {
    let shown = what.chars().take(40).collect::<String>();
    FetchFailure::Undecodable(format!("Content-Encoding `{shown}`"))
}

/// A failure that does not know its page yet.
#[derive(Debug)]
pub(super) struct BodyError(FetchFailure);

impl BodyError {
    pub(super) fn at(self, url: &PageUrl) -> FetchError {
        FetchError::new(url, self.0)
    }
}

/// Reads the whole body within the limit.
pub(super) async fn read(
    mut body: Incoming,
    coding: Coding,
    limit: Limit,
) -> Result<Vec<u8>, BodyError> {
    let mut unpacker = Unpacker::new(coding, limit);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| BodyError(classify(&e, false)))?;
        let Ok(data) = frame.into_data() else { continue }; // trailers
        if !unpacker.push(&data)? {
            break;
        }
    }
    unpacker.finish()
}

/// Reads and forgets a body of at most `max` bytes, so that its connection can be used again. A
/// larger one, or one of unknown length, is left, which closes the connection.
pub(super) async fn drain(mut body: Incoming, max: usize) {
    let known = body.size_hint().exact();
    if known.is_none_or(|size| size > u64::try_from(max).unwrap_or(u64::MAX)) {
        return;
    }
    while let Some(Ok(_)) = body.frame().await {}
}

/// Turns pieces of a compressed body into bytes, up to the limit.
struct Unpacker {
    /// `None` until the first byte is here, which `deflate` is told apart by.
    decoder: Option<Decoder>,
    coding: Coding,
    limit: Limit,
}

enum Decoder {
    Identity(Bounded),
    Gzip(MultiGzDecoder<Bounded>),
    Zlib(ZlibDecoder<Bounded>),
    Raw(DeflateDecoder<Bounded>),
}

impl Unpacker {
    fn new(coding: Coding, limit: Limit) -> Self {
        Self { decoder: None, coding, limit }
    }

    /// Takes a piece; `false` means that enough has been read.
    fn push(&mut self, data: &[u8]) -> Result<bool, BodyError> {
        if data.is_empty() {
            return Ok(true);
        }
        let (coding, limit) = (self.coding, self.limit);
        let decoder = self.decoder.get_or_insert_with(|| Decoder::new(coding, limit, data[0]));
        let written = decoder.writer().write_all(data);
        if decoder.bounded().full {
            return match limit {
                Limit::Refuse(limit) => Err(BodyError(FetchFailure::TooLarge { limit })),
                Limit::Cut(_) => Ok(false),
            };
        }
        written.map(|()| true).map_err(|e| undecodable(&e))
    }

    fn finish(self) -> Result<Vec<u8>, BodyError> {
        let Some(decoder) = self.decoder else { return Ok(Vec::new()) };
        if decoder.bounded().full {
            // Only after a cut: the rest of the stream is missing on purpose.
            let mut decoder = decoder;
            return Ok(std::mem::take(&mut decoder.bounded_mut().bytes));
        }
        let limit = self.limit;
        let bounded = match decoder {
            Decoder::Identity(bounded) => Ok(bounded),
            Decoder::Gzip(d) => d.finish(),
            Decoder::Zlib(d) => d.finish(),
            Decoder::Raw(d) => d.finish(),
        };
        // What a decoder still held back may be what crosses the limit.
        match (bounded, limit) {
            (Ok(bounded), _) => Ok(bounded.bytes),
            (Err(e), Limit::Refuse(limit)) if e.kind() == io::ErrorKind::StorageFull => {
                Err(BodyError(FetchFailure::TooLarge { limit }))
            }
            (Err(e), _) => Err(undecodable(&e)),
        }
    }
}

/// The body that arrives in these pieces.
#[cfg(any(test, fuzzing))]
pub(super) fn unpack<'a>(
    coding: Coding,
    limit: Limit,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, FetchFailure> {
    let mut unpacker = Unpacker::new(coding, limit);
    for piece in pieces {
        match unpacker.push(piece) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(error.0),
        }
    }
    unpacker.finish().map_err(|error| error.0)
}

fn undecodable(error: &io::Error) -> BodyError {
    BodyError(FetchFailure::Undecodable(error.to_string()))
}

impl Decoder {
    fn new(coding: Coding, limit: Limit, first: u8) -> Self {
        let (Limit::Refuse(max) | Limit::Cut(max)) = limit;
        let bounded = Bounded { bytes: Vec::new(), max, full: false };
        match coding {
            Coding::Identity => Self::Identity(bounded),
            Coding::Gzip => Self::Gzip(MultiGzDecoder::new(bounded)),
            // The name means a zlib stream, but servers also send it raw. A zlib stream begins with
            // method 8 and a window of at most 32 KiB; a raw one would have to begin with a stored
            // block that is not byte-aligned to look like it.
            Coding::Deflate if first & 0x0f == 8 && first >> 4 <= 7 => {
                Self::Zlib(ZlibDecoder::new(bounded))
            }
            Coding::Deflate => Self::Raw(DeflateDecoder::new(bounded)),
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Identity(w) => w,
            Self::Gzip(w) => w,
            Self::Zlib(w) => w,
            Self::Raw(w) => w,
        }
    }

    fn bounded(&self) -> &Bounded {
        match self {
            Self::Identity(b) => b,
            Self::Gzip(d) => d.get_ref(),
            Self::Zlib(d) => d.get_ref(),
            Self::Raw(d) => d.get_ref(),
        }
    }

    fn bounded_mut(&mut self) -> &mut Bounded {
        match self {
            Self::Identity(b) => b,
            Self::Gzip(d) => d.get_mut(),
            Self::Zlib(d) => d.get_mut(),
            Self::Raw(d) => d.get_mut(),
        }
    }
}

/// Where the bytes go: takes up to `max` of them and then fails.
struct Bounded {
    bytes: Vec<u8>,
    max: usize,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = self.max - self.bytes.len();
        if data.len() > room {
            self.bytes.extend_from_slice(&data[..room]);
            self.full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn pack(coding: &str, text: &[u8]) -> Vec<u8> {
        let level = Compression::default();
        let (mut gzip, mut zlib, mut raw) = (
            GzEncoder::new(Vec::new(), level),
            ZlibEncoder::new(Vec::new(), level),
            DeflateEncoder::new(Vec::new(), level),
        );
        match coding {
            "gzip" => gzip.write_all(text).and_then(|()| gzip.finish()).unwrap(),
            "zlib" => zlib.write_all(text).and_then(|()| zlib.finish()).unwrap(),
            "raw" => raw.write_all(text).and_then(|()| raw.finish()).unwrap(),
            _ => text.to_vec(),
        }
    }

    fn unpack(coding: Coding, limit: Limit, packed: &[u8]) -> Result<Vec<u8>, FetchFailure> {
        super::unpack(coding, limit, packed.chunks(7))
    }

    const KINDS: [(&str, Coding); 4] = [
        ("plain", Coding::Identity),
        ("gzip", Coding::Gzip),
        ("zlib", Coding::Deflate),
        ("raw", Coding::Deflate),
    ];

    #[test]
    fn every_coding_gives_the_bytes_back() {
        let text = "<p>hello</p>".repeat(1000).into_bytes();
        for (name, coding) in KINDS {
            let packed = pack(name, &text);
            assert_eq!(unpack(coding, Limit::Refuse(text.len()), &packed).unwrap(), text, "{name}");
            let over = unpack(coding, Limit::Refuse(text.len() - 1), &packed).unwrap_err();
            assert_eq!(over, FetchFailure::TooLarge { limit: text.len() - 1 }, "{name}");
            assert_eq!(unpack(coding, Limit::Cut(100), &packed).unwrap(), text[..100], "{name}");
            assert_eq!(unpack(coding, Limit::Refuse(10), b"").unwrap(), b"", "{name}");
        }
    }

    #[test]
    fn gzip_in_several_members_is_one_body() {
        let packed = [pack("gzip", b"one "), pack("gzip", b"two")].concat();
        assert_eq!(unpack(Coding::Gzip, Limit::Refuse(99), &packed).unwrap(), b"one two");
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let bomb = pack("gzip", &vec![0; 50_000_000]);
        assert!(bomb.len() < 60_000);
        let mut unpacker = Unpacker::new(Coding::Gzip, Limit::Refuse(1_000_000));
        let mut taken = 0;
        let stopped = bomb.chunks(1000).any(|piece| {
            taken += piece.len();
            unpacker.push(piece).is_err()
        });
        assert!(stopped && taken < 3000, "stopped after {taken} packed bytes");
        assert!(unpacker.decoder.unwrap().bounded().bytes.capacity() <= 2_000_000);
    }

    #[test]
    fn a_broken_or_cut_stream_is_an_error() {
        let packed = pack("gzip", &b"hello world ".repeat(100));
        let mut broken = packed.clone();
        let crc = broken.len() - 8;
        broken[crc] ^= 1;
        for bad in [&packed[..packed.len() - 9], &broken[..], b"not gzip at all"] {
            let error = unpack(Coding::Gzip, Limit::Refuse(1 << 20), bad).unwrap_err();
            assert!(matches!(error, FetchFailure::Undecodable(_)), "{error}");
        }
    }

    #[test]
    fn content_encoding_is_read_or_refused() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, value.parse().unwrap());
            }
            Coding::of(&headers)
        };
        assert_eq!(of(&[]).unwrap(), Coding::Identity);
        assert_eq!(of(&["GZip"]).unwrap(), Coding::Gzip);
        assert_eq!(of(&["identity, x-gzip"]).unwrap(), Coding::Gzip);
        assert_eq!(of(&["deflate"]).unwrap(), Coding::Deflate);
        for bad in [&["br"][..], &["gzip, gzip"], &["gzip", "deflate"], &["aws-chunked"]] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }
}
