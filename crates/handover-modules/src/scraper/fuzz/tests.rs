//! Random input: nothing panics, and what is normalised stays as it is.

use proptest::prelude::*;

use super::*;

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
        address(format!("{base}\n{text}").as_bytes());
        address(text.as_bytes());
    }

    #[test]
    fn no_password_survives_redaction(head in "[a-z]{0,5}:?[/\\\\]{0,3}", user in "[a-z]{0,3}", tail in "[a-z./?#@]{0,10}") {
        let shown = redact(&format!("{head}{user}:pa55word@host{tail}"));
        prop_assert!(!shown.contains("pa55word"), "{}", shown);
    }

    #[test]
    fn any_bytes_are_a_robots_txt(file in proptest::collection::vec(any::<u8>(), 0..500)) {
        robots(&file);
    }

    #[test]
    fn any_lines_are_a_robots_txt(
        lines in proptest::collection::vec("(user-agent|allow|disallow|crawl-delay|x) ?: ?[*/a$%é 0-9.]{0,12}(#x)?\r?", 0..20),
        path in "/[a/%$*é]{0,10}",
    ) {
        robots(format!("{}\n{path}", lines.join("\n")).as_bytes());
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
        page(html.as_bytes());
    }

    #[test]
    fn any_text_is_a_field_or_refused_with_a_place(text in any::<String>(), spec in "[a-z]{0,3}(\\[\\])?=[a-z.#>~+*@:()\\[\\]\"'= ,|^$é]{0,12}") {
        for text in [text, spec] {
            field(text.as_bytes());
        }
    }
}
