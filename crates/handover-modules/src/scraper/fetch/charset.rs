//! From bytes to text: which encoding a page is in, found as browsers do, and never failing: what
//! cannot be decoded becomes U+FFFD.

use std::borrow::Cow;
use std::cell::Cell;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};
use lol_html::html_content::Element;
use lol_html::{HtmlRewriter, Settings, element};

/// How far into a page its own word about its encoding is looked for; HTML demands that it stands
/// within this many bytes.
const META_BYTES: usize = 1024;

/// Decodes a page. In order of precedence: byte order mark, the server's word, the page's word,
/// UTF-8. Also gives the encoding's name.
pub(super) fn decode(bytes: Vec<u8>, server: Option<&str>) -> (String, &'static str) {
    let (encoding, bom) = match Encoding::for_bom(&bytes) {
        Some((encoding, length)) => (encoding, length),
        None => (declared(&bytes, server), 0),
    };
    let text = if encoding == UTF_8 && bom == 0 {
        // Nearly every page comes this way, and needs no copy.
        String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    } else {
        match encoding.decode_without_bom_handling(&bytes[bom..]).0 {
            Cow::Owned(text) => text,
            Cow::Borrowed(text) => text.to_owned(),
        }
    };
    (text, encoding.name())
}

fn declared(bytes: &[u8], server: Option<&str>) -> &'static Encoding {
    let by_server = server.and_then(|label| Encoding::for_label(label.as_bytes()));
    by_server.or_else(|| in_page(bytes)).unwrap_or(UTF_8)
}

/// The encoding a page declares in `<meta charset>` or `<meta http-equiv=content-type>`.
fn in_page(bytes: &[u8]) -> Option<&'static Encoding> {
    let found: Cell<Option<&'static Encoding>> = Cell::new(None);
    let meta = element!("meta", |meta: &mut Element<'_, '_>| {
        if found.get().is_none() {
            found.set(label(meta).and_then(|label| Encoding::for_label(label.as_bytes())));
        }
        Ok(())
    });
    let settings = Settings::new().with_strict(false).append_element_content_handler(meta);
    let mut reader = HtmlRewriter::new(settings, |_: &[u8]| {});
    let head = &bytes[..bytes.len().min(META_BYTES)];
    // An error here is a limit of the reader's; what was found until then stands.
    let _ = reader.write(head);
    drop(reader);
    // A page whose <meta> could be read byte by byte is not in UTF-16, whatever it says; and one
    // that says "user defined" means the old default. Both as HTML prescribes.
    found.get().map(|encoding| match encoding {
        e if e == UTF_16LE || e == UTF_16BE => UTF_8,
        e if e == X_USER_DEFINED => WINDOWS_1252,
        e => e,
    })
}

fn label(meta: &Element<'_, '_>) -> Option<String> {
    if let Some(label) = meta.get_attribute("charset") {
        return Some(label);
    }
    let equiv = meta.get_attribute("http-equiv")?;
    if !equiv.eq_ignore_ascii_case("content-type") {
        return None;
    }
    content_type(&meta.get_attribute("content")?).1
}

/// Takes a Content-Type apart: media type in lower case, and the charset parameter.
pub(super) fn content_type(text: &str) -> (Option<String>, Option<String>) {
    let mut parts = text.split(';');
    let media = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']).trim();
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then(|| value.to_owned())
    });
    (if media.is_empty() { None } else { Some(media) }, charset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_speak_decides() {
        let cases: [(&[u8], Option<&str>, &str, &str); 16] = [
            (b"caf\xe9", Some("latin1"), "café", "windows-1252"),
            (b"caf\xe9", Some("\"x\""), "caf\u{fffd}", "UTF-8"),
            (b"caf\xe9", None, "caf\u{fffd}", "UTF-8"),
            (b"caf\xc3\xa9", None, "café", "UTF-8"),
            (b"\xef\xbb\xbfcaf\xc3\xa9", Some("latin1"), "café", "UTF-8"),
            (b"\xff\xfea\0b\0", Some("utf-8"), "ab", "UTF-16LE"),
            (b"\xfe\xff\0a\0b", None, "ab", "UTF-16BE"),
            (b"\0a\0b", Some("utf-16be"), "ab", "UTF-16BE"),
            (b"<meta charset=koi8-r>\xc1", None, "<meta charset=koi8-r>а", "KOI8-R"),
            (
                b"<META CHARSET='koi8-r'>\xc1",
                Some("utf-8"),
                "<META CHARSET='koi8-r'>\u{fffd}",
                "UTF-8",
            ),
            (
                b"<meta http-equiv=Content-Type content='text/html; Charset=\"euc-jp\"'>\xa4\xa2",
                None,
                "<meta http-equiv=Content-Type content='text/html; Charset=\"euc-jp\"'>あ",
                "EUC-JP",
            ),
            (b"<!-- <meta charset=koi8-r> -->", None, "<!-- <meta charset=koi8-r> -->", "UTF-8"),
            (
                b"<meta charset=no-such><meta charset=gbk>",
                None,
                "<meta charset=no-such><meta charset=gbk>",
                "GBK",
            ),
            (b"<meta charset=utf-16>a", None, "<meta charset=utf-16>a", "UTF-8"),
            (b"<meta content='a;charset=gbk'>", None, "<meta content='a;charset=gbk'>", "UTF-8"),
            (b"", None, "", "UTF-8"),
        ];
        for (bytes, server, text, name) in cases {
            let decoded = decode(bytes.to_vec(), server);
            assert_eq!(decoded, (text.to_owned(), name), "{bytes:?} {server:?}");
        }
    }

    #[test]
    fn a_declaration_after_1024_bytes_is_not_seen() {
        let page = |padding: usize| [&b" ".repeat(padding)[..], b"<meta charset=gbk>"].concat();
        assert_eq!(decode(page(1000), None).1, "GBK");
        assert_eq!(decode(page(1020), None).1, "UTF-8");
    }

    #[test]
    fn content_types_are_taken_apart() {
        let cases = [
            ("text/html", Some("text/html"), None),
            ("Text/HTML;charset=UTF-8", Some("text/html"), Some("UTF-8")),
            ("text/html; x=y; Charset = \"gbk\"", Some("text/html"), Some("gbk")),
            ("text/html;charset=", Some("text/html"), None),
            (";charset=a", None, Some("a")),
            ("", None, None),
        ];
        for (text, media, charset) in cases {
            let (m, c) = content_type(text);
            assert_eq!((m.as_deref(), c.as_deref()), (media, charset), "{text}");
        }
    }
}
