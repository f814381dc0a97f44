//! What must hold for any text where a URL, a duration or a number belongs: the checks that fuzzing and the property tests
//! below share.

use super::{Broker, Results, broker, redacted, results};
use crate::{duration, number};

/// Takes bytes as whatever the command line reads by itself.
///
/// # Panics
/// Where a promise of a reader is broken.
pub(crate) fn words(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match broker(&text) {
        Ok(Broker::Sqlite { path, .. }) => assert!(!path.is_empty() && text.contains(path)),
        Ok(Broker::Memory) => assert_eq!(text.trim_end_matches(':'), "memory"),
        Err(failure) => assert!(failure.message.is_some_and(|message| message.len() > 10)),
    }
    match results(&text) {
        Ok(Results::Files { folder, .. }) => assert!(!folder.is_empty() && text.contains(folder)),
        Ok(Results::Same) => assert_eq!(text.trim_end_matches(':'), "same"),
        Err(failure) => assert!(failure.message.is_some_and(|message| message.len() > 10)),
    }
    let shown = redacted(&text);
    assert!(shown.len() <= text.len() + 3 && redacted(&shown) == shown);
    if let Ok(read) = duration::parse(&text) {
        assert!(!duration::show(read).is_empty());
    }
    if let Ok(number) = number::within(1..=u64::MAX)(&text) {
        assert_eq!(number.to_string(), text.trim_start_matches('0'));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_words_or_refused(bytes in any::<Vec<u8>>()) {
            words(&bytes);
        }

        #[test]
        fn what_is_like_a_url_is_one_or_refused(text in "(sqlite|file|same|memory|x)?:?/{0,3}[a-z@:]{0,4}\\??(durability|keep|rotate_mib)?=?[0-9a-z&@]{0,22}") {
            words(text.as_bytes());
        }

        #[test]
        fn what_is_like_a_duration_is_one_or_refused(text in "([0-9]{1,20}(ms|s|m|h|d)){0,3}") {
            words(text.as_bytes());
        }

        #[test]
        fn nothing_before_an_at_is_shown_but_the_scheme(scheme in "[a-z]{0,5}:?[/\\\\]{0,3}", tail in "[a-z./?#]{0,10}") {
            let shown = redacted(&format!("{scheme}user:pa55/w?rd@host{tail}"));
            prop_assert!(!shown.contains("pa55") && !shown.contains("w?rd") && shown.contains("@host"), "{}", shown);
        }

        #[test]
        fn no_message_shows_what_stands_before_an_at(scheme in "(sqlite|file|redis)", slashes in "/{2,3}", between in "[/?&=:]{0,2}", tail in "[a-z./?=&]{0,10}") {
            let url = format!("{scheme}:{slashes}user:pa55{between}w0rd@host{tail}");
            let path = slashes.len() > 2 && !between.contains('?');
            let (broker, results) = (broker(&url), results(&url));
            prop_assert!(path || (broker.is_err() && results.is_err()), "{}", url);
            for message in [broker.err(), results.err()].into_iter().flatten().filter_map(|failure| failure.message) {
                prop_assert!(!message.contains("pa55") && !message.contains("w0rd"), "{}", message);
            }
        }
    }
}
