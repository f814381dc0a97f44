//! How fields are written, and what they pick.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::{ExtractOptions, Extracted, extract};
use super::*;
use crate::scraper::url::PageUrl;

fn found(html: &str, specs: &[&str], field_bytes_max: usize) -> Extracted {
    let fields = Field::parse_all(specs).unwrap_or_else(|e| panic!("{e}"));
    let options = ExtractOptions { fields, field_bytes_max, ..ExtractOptions::default() };
    extract(html, &PageUrl::parse("http://example.org/").unwrap(), &options)
}

fn check(html: &str, spec: &str, expected: Value) {
    let found = found(html, &[spec], 64 * 1024);
    assert_eq!(found.fields, BTreeMap::from([("x".to_owned(), expected)]), "{spec} of {html}");
    assert!(found.cut.is_empty());
}

#[test]
fn a_field_is_the_first_match_and_a_list_is_all_of_them() {
    let html = "<h1> One\n <b>more</b> </h1><h1>Two</h1>";
    check(html, "x=h1", json!("One more"));
    check(html, "x[]=h1", json!(["One more", "Two"]));
    check(html, "x=h2", Value::Null);
    check(html, "x[]=h2", json!([]));
    check("<h1></h1>", "x=h1", json!(""));
}

#[test]
fn an_attribute_is_taken_as_written() {
    let html =
        r#"<a class=p data-value=" 1 &amp; 2 ">x</a><a class=p>y</a><a class=p data-value=3>"#;
    check(html, "x=.p@data-value", json!(" 1 & 2 "));
    check(html, "x[]=.p@data-value", json!([" 1 & 2 ", "3"]));
    check(html, "x=.p@missing", Value::Null);
    check(html, r#"x=a[data-value="3"]@class"#, json!("p"));
    check("<a href='me@home'>m</a>", r#"x=a[href="me@home"]"#, json!("m"));
    check("<a href='me@home'>m</a>", r#"x=a[href*="@"]@href"#, json!("me@home"));
}

#[test]
fn selectors_are_whole_css() {
    let html = "<ul><li>1<li>2<li class=z>3</ul><p id=a>A</p><p>B</p><table><tr><td>C</table>";
    for (css, text) in [
        ("li:nth-child(2)", "2"),
        ("li + li", "2"),
        ("#a ~ p", "B"),
        ("ul > .z, #a", "3"),
        ("p:not([id])", "B"),
        ("li:last-child", "3"),
        ("table > tbody > tr > td", "C"),
        ("ul:has(.z) li", "1"),
        ("[class=z]", "3"),
    ] {
        check(html, &format!("x={css}"), json!(text));
    }
}

#[test]
fn text_reads_as_it_is_seen() {
    check("<div><p>one</p><p>two</p></div>", "x=div", json!("one two"));
    check("<div>a<br>b<b>c</b>d</div>", "x=div", json!("a bcd"));
    check("<tr><div>a<script>no()</script>b<style>p{}</style>c</div>", "x=div", json!("a b c"));
    check("<div>&lt;b&gt; &nbsp; ä&#33;</div>", "x=div", json!("<b> ä!"));
    check(r#"<script type=ld>{"a": 1}</script>"#, "x=script", json!(r#"{"a": 1}"#));
    check("<div>a<!-- no -->b</div>", "x=div", json!("ab"));
}

#[test]
fn a_field_is_cut_at_its_limit_and_says_so() {
    let found = found(
        &format!("<h1>{}</h1><p>ab<p>cd<p>ef<i id=ok>x</i>", "é ".repeat(100)),
        &["long=h1", "all[]=p", "attr=i@id", "ok=i"],
        5,
    );
    assert_eq!(found.fields["long"], "é é", "5 bytes, and not half a letter");
    assert_eq!(found.fields["all"], json!(["ab", "cd", "e"]));
    assert_eq!((&found.fields["attr"], &found.fields["ok"]), (&json!("ok"), &json!("x")));
    assert_eq!(found.cut, ["long", "all"]);
    let many = "<p>a".repeat(VALUES_MAX + 1);
    let found = super::tests::found(&many, &["x[]=p"], 1 << 20);
    assert_eq!(found.fields["x"].as_array().unwrap().len(), VALUES_MAX);
    assert_eq!(found.cut, ["x"]);
}

#[test]
fn a_wrong_field_says_where_and_how_to_write_it() {
    let cases = [
        ("h1", 2, "expected name=selector"),
        ("", 0, "expected name=selector"),
        ("=h1", 0, "the name before `=` is missing"),
        ("[]=h1", 0, "the name before `=` is missing"),
        ("a b=h1", 1, "a name has letters"),
        ("a=", 2, "the selector after `=` is missing"),
        ("a=@href", 2, "the selector after `=` is missing"),
        ("a=div >> p", 6, "not a CSS selector"),
        ("a=h1[", 4, "not a CSS selector"),
        ("a=h1::text", 4, "not a CSS selector"),
        ("a=p:nosuch", 3, "not a CSS selector"),
        ("a=]", 2, "not a CSS selector"),
        ("a=h1@", 4, "not a CSS selector"),
        ("a=é(", 4, "not a CSS selector"),
    ];
    for (spec, at, what) in cases {
        let error = spec.parse::<Field>().unwrap_err();
        assert_eq!(error.at(), at, "{error}");
        let shown = error.to_string();
        assert!(shown.contains(what) && shown.contains("write name=css"), "{shown}");
    }
    let long = format!("a={}", "b".repeat(2000));
    assert!(long.parse::<Field>().unwrap_err().to_string().len() < 1200);
}

#[test]
fn names_are_unique_and_not_too_many() {
    assert!(Field::parse_all(&["a=b", "a[]=c"]).is_err());
    let many: Vec<_> = (0..=FIELDS_MAX).map(|n| format!("f{n}=p")).collect();
    assert!(Field::parse_all(&many[1..]).is_ok());
    assert!(Field::parse_all(&many).is_err());
}

#[test]
fn a_field_travels_through_json_as_its_text() {
    let field: Field = "größe[]=.a@b".parse().unwrap();
    assert_eq!((field.name(), field.is_list(), field.attribute()), ("größe", true, Some("b")));
    let json = serde_json::to_string(&field).unwrap();
    assert_eq!(json, r#""größe[]=.a@b""#);
    assert_eq!(serde_json::from_str::<Field>(&json).unwrap(), field);
    assert!(serde_json::from_str::<Field>(r#""x""#).is_err());
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&field); // workers on several threads use one
}
