//! What counts as the same page, what a link leads to, what belongs to a crawl.

use super::*;

fn page(text: &str) -> PageUrl {
    PageUrl::parse(text).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn equal_addresses_become_one() {
    let cases = [
        ("http://example.org", "http://example.org/"),
        ("HTTP://EXAMPLE.org/", "http://example.org/"),
        ("http://example.org:80/a", "http://example.org/a"),
        ("https://example.org:443/a", "https://example.org/a"),
        ("https://example.org:80/a", "https://example.org:80/a"),
        ("http://example.org/a/./b/../c", "http://example.org/a/c"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/%2e%2E/a", "http://example.org/a"),
        ("http://example.org/a#part", "http://example.org/a"),
        ("http://example.org/a#", "http://example.org/a"),
        ("http://example.org/%7euser/%61", "http://example.org/~user/a"),
        ("http://example.org/a%2fb", "http://example.org/a%2Fb"),
        ("http://example.org/a%c3%a4", "http://example.org/a%C3%A4"),
        ("http://example.org/aä", "http://example.org/a%C3%A4"),
        ("http://example.org/100%", "http://example.org/100%25"),
        ("http://example.org/%%37e", "http://example.org/%257e"),
        ("http://example.org/a b", "http://example.org/a%20b"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("  http://example.org/a\n", "http://example.org/a"),
        ("http://example.org\\a\\b", "http://example.org/a/b"),
        ("http://[0:0::1]:80/", "http://[::1]/"),
    ];
    for (given, expected) in cases {
        assert_eq!(page(given).as_str(), expected, "{given}");
    }
}

#[test]
fn the_query_is_kept_as_written() {
    for query in ["b=2&a=1", "x=%7e", "x=%c3", "", "a=%"] {
        let text = format!("http://example.org/a?{query}");
        assert_eq!(page(&text).as_str(), text);
    }
    assert_eq!(page("http://example.org?a#b").as_str(), "http://example.org/?a");
}

#[test]
fn links_are_resolved_as_a_browser_does() {
    let base = page("https://example.org/lib/os.html?v=3");
    let cases = [
        ("", "https://example.org/lib/os.html?v=3"),
        ("#path", "https://example.org/lib/os.html?v=3"),
        ("?v=4", "https://example.org/lib/os.html?v=4"),
        ("sys.html", "https://example.org/lib/sys.html"),
        ("../index.html#x", "https://example.org/index.html"),
        ("/a", "https://example.org/a"),
        ("//other.org/a", "https://other.org/a"),
        ("http:b", "http://b/"),
        (" \tsys.html\r\n", "https://example.org/lib/sys.html"),
        ("sy\ns.html", "https://example.org/lib/sys.html"),
        ("https://me:secret@other.org/", "https://other.org/"),
    ];
    for (link, expected) in cases {
        assert_eq!(base.join(link).unwrap().as_str(), expected, "{link:?}");
    }
}

#[test]
fn what_cannot_be_crawled_is_refused_with_its_kind() {
    let base = page("https://example.org/");
    for link in ["mailto:a@b.c", "javascript:void(0)", "data:text/html,x", "ftp://a/b", "tel:1"] {
        let error = base.join(link).unwrap_err();
        assert!(matches!(error.kind(), UrlErrorKind::Scheme(_)), "{link}: {error}");
    }
    for text in
        ["", "example.org", "/a", "http://", "http://a b/", "http://a`b/", "http://a:99999/"]
    {
        let error = PageUrl::parse(text).unwrap_err();
        assert!(matches!(error.kind(), UrlErrorKind::Invalid(_)), "{text}: {error}");
    }
}

#[test]
fn an_address_of_2048_bytes_is_followed_and_one_more_is_not() {
    let start = "http://example.org/";
    let fits = format!("{start}{}", "a".repeat(URL_BYTES_MAX - start.len()));
    assert_eq!(page(&fits).as_str().len(), URL_BYTES_MAX);
    let error = PageUrl::parse(&format!("{fits}a")).unwrap_err();
    assert_eq!(*error.kind(), UrlErrorKind::TooLong { bytes: URL_BYTES_MAX + 1 });
    assert!(error.to_string().len() < 400, "the message is one line: {error}");
    // What grows by encoding is measured after it.
    let grows = format!("{start}{}", "ä".repeat(500));
    assert!(matches!(
        PageUrl::parse(&grows).unwrap_err().kind(),
        UrlErrorKind::TooLong { bytes } if *bytes > 3000
    ));
    let endless = "x".repeat(10_000_000);
    assert!(page(start).join(&endless).is_err());
}

#[test]
fn no_message_shows_a_password() {
    let texts = [
        "http://me:secret@example.org/",
        "http://secret@example.org",
        "ftp://me:secret@example.org/a@b",
        "http://me:secret@exa mple.org/",
        "me:secret@example.org",
        "http:\\\\me:secret@example.org\\a",
        "https://me:se@cret@:99999/",
        "ftp:/me:secret@example.org",
        "ht\ntp:/\t/me:secret@example.org:99999/",
    ];
    for text in texts {
        let error = PageUrl::parse(text).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("cret@"), "{shown}");
    }
    let with = PageUrl::parse("http://me:secret@example.org/").unwrap_err();
    assert_eq!(*with.kind(), UrlErrorKind::UserInfo);
}

#[test]
fn a_page_travels_through_json_as_its_text() {
    let json = serde_json::to_string(&page("http://example.org/%7ea")).unwrap();
    assert_eq!(json, r#""http://example.org/~a""#);
    assert_eq!(serde_json::from_str::<PageUrl>(&json).unwrap().host(), "example.org");
    assert!(serde_json::from_str::<PageUrl>(r#""mailto:a@b.c""#).is_err());
}

#[test]
fn parts_of_an_address() {
    let p = page("https://example.org/a/b?c=1");
    assert_eq!((p.host(), p.port(), p.is_https()), ("example.org", 443, true));
    assert_eq!(p.path_and_query(), "/a/b?c=1");
    assert_eq!(p.origin().to_string(), "https://example.org:443");
    let p = page("http://[::1]:8080/x");
    assert_eq!(p.origin().robots_url().as_str(), "http://[::1]:8080/robots.txt");
}

#[test]
fn the_scope_is_the_starts_host_and_what_is_allowed() {
    let start = page("https://www.example.org/a");
    let scope = Scope::same_host(&start).allow("*.example.net").unwrap();
    let scope = scope.allow("Files.example.org:8080").unwrap();
    let cases = [
        ("https://www.example.org/b", true),
        ("http://www.example.org/b", true),
        ("http://www.example.org:8080/b", false),
        ("https://example.org/", false),
        ("https://evil-www.example.org/", false),
        ("https://example.net/", true),
        ("https://a.b.example.net/", true),
        ("https://notexample.net/", false),
        ("http://files.example.org:8080/", true),
        ("http://files.example.org/", false),
    ];
    for (text, inside) in cases {
        assert_eq!(scope.contains(&page(text)), inside, "{text}");
        assert!(Scope::anywhere().contains(&page(text)));
    }
}

#[test]
fn a_scope_entry_that_is_no_host_is_refused() {
    let scope = Scope::same_host(&page("http://a/"));
    for text in ["", "http://a/", "a/b", "a?b", "a b", "me@a", "*", "*.", "a.*.b", "a:x"] {
        assert!(scope.clone().allow(text).is_err(), "{text:?}");
    }
}
