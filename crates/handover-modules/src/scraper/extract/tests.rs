//! What pages say, and what absurd pages cost.

use super::*;

fn read(html: &str) -> Extracted {
    read_with(html, &ExtractOptions::default())
}

fn read_with(html: &str, options: &ExtractOptions) -> Extracted {
    extract(html, &PageUrl::parse("https://example.org/dir/page.html").unwrap(), options)
}

/// Links relative to the site, for short tables.
fn links(html: &str) -> Vec<String> {
    let found = read(html);
    found.links.iter().map(|l| l.as_str().replace("https://example.org", "")).collect()
}

#[test]
fn the_title_is_the_first_with_its_white_space_collapsed() {
    for (html, title) in [
        ("<title> a\n  b </title>", Some("a b")),
        ("<title>a</title><title>b</title>", Some("a")),
        ("<title>a<b>c</title>", Some("a<b>c")),
        ("<TITLE>x &amp; y &#8212; z</TITLE>", Some("x & y — z")),
        ("<html><body><svg><title>icon</title></svg>", Some("icon")),
        ("<title>open", Some("open")),
        ("<title></title>", None),
        ("<!-- <title>no</title> -->", None),
        ("plain text", None),
        ("", None),
    ] {
        assert_eq!(read(html).title.as_deref(), title, "{html}");
    }
    let found = read(&format!("<title>{}</title>", "é".repeat(10_000)));
    assert_eq!((found.title.unwrap().len(), found.cut), (4096, vec!["title".to_owned()]));
}

#[test]
fn links_are_found_wherever_html_has_them() {
    assert_eq!(
        links("<a href=x>1</a><A HREF='../y'>2</A><area href=\"/z\">"),
        ["/dir/x", "/y", "/z"]
    );
    assert_eq!(links("<p><a href=x><a href=y>"), ["/dir/x", "/dir/y"]);
    assert_eq!(links("<a name=x>no</a><a href>self</a>"), ["/dir/page.html"]);
    assert_eq!(links("<a href='?a=1&amp;b=2&copy=3'>"), ["/dir/page.html?a=1&b=2&copy=3"]);
    assert_eq!(links("<a href=' x '>"), ["/dir/x"]);
    assert_eq!(links("<noscript><a href=x></noscript><a href=y>"), ["/dir/y", "/dir/x"]);
}

#[test]
fn what_only_looks_like_a_link_is_none() {
    for html in [
        "<!-- <a href=x> -->",
        "<script>'<a href=x>'</script>",
        "<style><a href=x></style>",
        "<textarea><a href=x></textarea>",
        "<link rel=next href=x>",
        "<link rel=canonical href=x>",
        "<img src=x><iframe src=x></iframe>",
        "<a href=mailto:a@b.c><a href=javascript:void(0)><a href='http://'>",
        "<div title='<a href=x>'></div>",
    ] {
        assert!(links(html).is_empty(), "{html}");
    }
}

#[test]
fn each_page_is_linked_once_and_every_link_counted() {
    let found =
        read("<a href=x#1><a href=x#2><a href=./x><a href=#top><a href=mailto:a@b><a href=y>");
    let paths: Vec<_> = found.links.iter().map(PageUrl::path_and_query).collect();
    assert_eq!(paths, ["/dir/x", "/dir/page.html", "/dir/y"]);
    assert_eq!(found.links_found, 6);
}

#[test]
fn the_base_is_the_first_and_may_come_late() {
    assert_eq!(links("<a href=x><base href=/b/><base href=/c/>"), ["/b/x"]);
    assert_eq!(links("<base target=_top><base href='b/'><a href=x>"), ["/dir/b/x"]);
    assert_eq!(links("<base href='mailto:x'><a href=x>"), ["/dir/x"], "no base for pages");
    assert_eq!(
        links("<base href='https://other.org/a&amp;/'><a href=x>"),
        ["https://other.org/a&/x"]
    );
}

#[test]
fn nofollow_and_noindex_are_read_and_obeyed() {
    let page = "<a href=x rel='noopener NoFollow'><a href=y rel=nofollower>";
    assert_eq!(links(page), ["/dir/y"]);
    let link = "<a href=x>";
    for (meta, noindex, nofollow) in [
        ("<meta name=robots content=noindex>", true, false),
        ("<meta name=Robots content='NOINDEX , nofollow'>", true, true),
        ("<meta name=robots content=none>", true, true),
        ("<meta content=nofollow name=handover>", false, true),
        ("<meta name=googlebot content=none>", false, false),
        ("<meta name=robots content='index,follow'>", false, false),
        ("<meta name=robots>", false, false),
        ("<meta name=robots content=noindex><meta name=handover content=nofollow>", true, true),
    ] {
        let found = read(&format!("{link}{meta}"));
        assert_eq!(found.directives, Directives { noindex, nofollow }, "{meta}");
        assert_eq!(found.links.is_empty(), nofollow, "{meta}");
        assert_eq!(found.links_found, 1);
    }
    let options = ExtractOptions { obey_nofollow: false, ..ExtractOptions::default() };
    let found = read_with(&format!("{page}<meta name=robots content=none>"), &options);
    assert_eq!(found.links.len(), 2, "the caller may decide otherwise");
    assert!(found.directives.nofollow);
}

#[test]
fn robots_headers_speak_to_all_or_to_one() {
    let of = |headers: &[&str]| {
        Directives::of_headers(headers.iter().copied(), "handover/0.1 (+https://x)")
    };
    let both = Directives { noindex: true, nofollow: true };
    assert_eq!(of(&["noindex, nofollow"]), both);
    assert_eq!(of(&["noindex", "handover: nofollow"]), both);
    assert_eq!(of(&["otherbot: noindex, nofollow"]), Directives::default());
    assert_eq!(of(&["unavailable_after: 25 Jun 2010 15:00:00 PST, none"]), both);
    assert_eq!(
        of(&["otherbot: none, Handover: nofollow"]),
        Directives { noindex: false, nofollow: true }
    );
    assert_eq!(of(&[]).and(both), both);
}

#[test]
fn links_stop_at_their_limit_and_say_so() {
    let html: String = (0..20).map(|n| format!("<a href={n}>")).collect();
    let mut options = ExtractOptions { links_max: 20, ..ExtractOptions::default() };
    assert!(read_with(&html, &options).cut.is_empty());
    options.links_max = 19;
    let found = read_with(&html, &options);
    assert_eq!((found.links.len(), found.links_found, found.cut), (19, 20, vec!["links".into()]));
    let long = format!("<a href=/{}><a href=x>", "a".repeat(3000));
    let found = read(&long);
    assert_eq!((found.links.len(), found.links_too_long), (1, 1));
}

#[test]
fn a_page_nested_to_kill_the_parser_costs_its_fields_only() {
    let options =
        ExtractOptions { fields: vec!["x=a".parse().unwrap()], ..ExtractOptions::default() };
    let link = "<a href=x>x</a>";
    for bomb in ["<div>", "<b>", "<div></x>", "<span><p>", "<svg><g>"] {
        let html = format!("<title>t</title>{link}{}", bomb.repeat(50_000));
        let found = read_with(&html, &options);
        assert_eq!((found.links.len(), found.title.as_deref()), (1, Some("t")), "{bomb}");
        assert_eq!((found.cut, found.fields.len()), (vec!["fields".to_owned()], 0), "{bomb}");
    }
}

#[test]
fn long_pages_without_end_tags_are_not_deep() {
    let options =
        ExtractOptions { fields: vec!["x=#last".parse().unwrap()], ..ExtractOptions::default() };
    for piece in [
        "<p>x",
        "<br>",
        "<img src=x>",
        "<ul><li>x<li>y</ul>",
        "<dl><dt>a<dd>b</dl>",
        "<table><tr><td>x<td>y</table>",
        "<div><span>x</div>",
        "<svg><path d=x /><g/></svg>",
        "<!-- <div> -->",
        "<script>'<div>'</script>",
        "<input><hr/>",
        "</div>",
    ] {
        let html = format!("{}<p id=last>ok", piece.repeat(3000));
        let found = read_with(&html, &options);
        assert_eq!(found.fields.get("x"), Some(&Value::from("ok")), "{piece}");
    }
}
