//! Random input: nothing panics, and what is normalised stays as it is.

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
