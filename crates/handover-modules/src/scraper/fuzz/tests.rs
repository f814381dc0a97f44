//! Random input: nothing panics, and what is normalised stays as it is.

use handover_modules::scraper::extract::{ExtractOptions, Field, extract};
use handover_modules::scraper::robots::Robots;
use handover_modules::scraper::url::{PageUrl, Scope, redact};
use proptest::prelude::*;

/// Text made of what addresses are made of, so that most of it gets past the first check.
fn address_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("http://"),
        Just("https://"),
        Just("//"),
        Just("/"),
        Just("\\"),
        Just(".."),
        Just("."),
        Just("%2e"),
        Just("%"),
        Just("%7E"),
        Just("%4"),
        Just("%c3%a4"),
        Just("?"),
        Just("#"),
        Just("@"),
        Just(":"),
        Just("80"),
        Just("[::1]"),
        Just("a.b"),
        Just("ä"),
        Just(" "),
        Just("&"),
        Just("me:pw@"),
        Just("xn--"),
        Just("|^`{}\"'<>"),
        Just("\u{0}\t"),
    ];
    prop_oneof![
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_normalised_address_is_normalised_again_to_itself(text in address_like(), base in address_like()) {
        let base = PageUrl::parse(&format!("http://example.org/{base}")).ok();
        let joined = base.and_then(|base| base.join(&text).ok());
        for page in [PageUrl::parse(&text).ok(), joined].into_iter().flatten() {
            let again = PageUrl::parse(page.as_str());
            prop_assert_eq!(again.as_ref(), Ok(&page));
            prop_assert!(page.path_and_query().starts_with('/'));
            prop_assert!(!page.as_str().contains('#') && !page.host().is_empty());
            prop_assert!(page.as_str().parse::<hyper::Uri>().is_ok(), "can be requested: {}", page);
            prop_assert!(Scope::same_host(&page).contains(&page));
            let _ = page.origin().robots_url();
        }
    }

    #[test]
    fn redacting_never_panics_and_never_grows_much(text in any::<String>()) {
        prop_assert!(redact(&text).len() <= 210);
        let _ = Scope::anywhere().allow(&text);
    }

    #[test]
    fn no_password_survives_redaction(head in "[a-z]{0,5}:?[/\\\\]{0,3}", user in "[a-z]{0,3}", tail in "[a-z./?#@]{0,10}") {
        let shown = redact(&format!("{head}{user}:pa55word@host{tail}"));
        prop_assert!(!shown.contains("pa55word"), "{}", shown);
    }

    #[test]
    fn any_bytes_are_a_robots_txt(file in proptest::collection::vec(any::<u8>(), 0..500), path in any::<String>()) {
        let robots = Robots::parse(&file, "handover");
        let _ = (robots.allows(&path), robots.crawl_delay());
    }

    #[test]
    fn any_lines_are_a_robots_txt(
        lines in proptest::collection::vec("(user-agent|allow|disallow|crawl-delay|x) ?: ?[*/a$%é 0-9.]{0,12}(#x)?\r?", 0..20),
        path in "/[a/%$*é]{0,10}",
    ) {
        let robots = Robots::parse(lines.join("\n").as_bytes(), "handover");
        let _ = (robots.allows(&path), robots.crawl_delay());
    }
}

/// Markup with everything a page can trip over, in any order.
fn page_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<a href="),
        Just("<a href='x&amp;"),
        Just("'>"),
        Just(">"),
        Just("</a>"),
        Just("<title>"),
        Just("</title>"),
        Just("<base href=//>"),
        Just("<meta name=robots content="),
        Just("<noscript>"),
        Just("</noscript>"),
        Just("<!--"),
        Just("-->"),
        Just("<script>"),
        Just("</script>"),
        Just("<svg>"),
        Just("<table><tr>"),
        Just("<select><option>"),
        Just("&#x"),
        Just("&amp"),
        Just("é\u{0}\r"),
        Just("<template>"),
        Just("<![CDATA["),
        Just("<?x"),
        Just("</"),
        Just("<plaintext>"),
        Just("<b><p>"),
        Just("</b>"),
        Just("http://[::1]:99/"),
        Just("\""),
    ];
    prop_oneof![
        proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_page(html in page_like()) {
        let mut options = ExtractOptions::default();
        options.fields = Field::parse_all(&["p=p", "all[]=b", "h=a@href"]).unwrap();
        let url = PageUrl::parse("http://example.org/").unwrap();
        let found = extract(&html, &url, &options);
        prop_assert!(found.links.len() <= found.links_found);
        prop_assert!(found.title.is_none_or(|t| t.trim().len() == t.len()));
    }

    #[test]
    fn any_text_is_a_field_or_refused_with_a_place(text in any::<String>(), spec in "[a-z]{0,3}(\\[\\])?=[a-z.#>~+*@:()\\[\\]\"'= ,|^$é]{0,12}") {
        for text in [text, spec] {
            match text.parse::<Field>() {
                Ok(field) => prop_assert_eq!(field.to_string(), text),
                Err(error) => prop_assert!(error.at() <= text.len(), "{}", error),
            }
        }
    }
}
