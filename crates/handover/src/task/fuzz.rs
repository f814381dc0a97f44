//! What must hold for any bytes that come as a message: the checks that fuzzing and the property tests below share.

use std::str::FromStr;

use super::{Envelope, Task, arguments};
use crate::id::JobId;
use crate::message::{Message, QueueName};

/// Takes bytes as a message of lines `name:value`, and a body behind the first empty line, and reads its envelope. Then the
/// same text as every name there is.
///
/// # Panics
/// Where a promise of the envelope is broken.
pub fn envelope(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut message = Message::new(body);
    for line in head.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        message = message.with_header(name, value);
    }
    refused_in_words(message.check());
    match Envelope::task_of(&message) {
        Ok(task) => assert_eq!(message.task(), Some(task)),
        error => refused_in_words(error),
    }
    refused_in_words(arguments::<serde_json::Value>(&message.body));
    names(&text);
}

fn names(text: &str) {
    match Envelope::new(text, text.as_bytes().to_vec()) {
        Ok(envelope) => {
            assert!(text.len() <= Task::<(), ()>::NAME_BYTES_MAX && !text.contains('\n'));
            let message = envelope.into_message();
            assert_eq!(Envelope::task_of(&message).ok(), Some(text));
            assert_eq!(message.body, text.as_bytes());
            assert!(message.check().is_ok(), "an envelope can be sent");
        }
        error => refused_in_words(error),
    }
    match QueueName::new(text) {
        Ok(name) => assert_eq!(name.as_str(), text),
        error => refused_in_words(error),
    }
    match JobId::from_str(text) {
        Ok(id) => assert_eq!(id.to_string().parse::<JobId>().ok(), Some(id)),
        error => refused_in_words(error),
    }
}

/// An error is a sentence, and not the input over again.
fn refused_in_words<T>(answer: crate::error::Result<T>) {
    if let Err(error) = answer {
        let said = error.to_string();
        assert!((10..2000).contains(&said.len()), "{said}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_a_message_and_any_text_is_a_name_or_refused(bytes in any::<Vec<u8>>()) {
            envelope(&bytes);
        }

        #[test]
        fn anything_like_an_envelope_is_one_or_refused(
            lines in proptest::collection::vec("(handover|task|x):[0-3a-z ]{0,4}", 0..4),
            body in "\\PC{0,10}",
        ) {
            envelope(format!("{}\n\n{body}", lines.join("\n")).as_bytes());
        }

        #[test]
        fn any_text_without_control_characters_is_a_name_of_a_task(name in "\\PC{1,50}") {
            prop_assert!(Envelope::new(&name, Vec::new()).is_ok() || name.chars().any(char::is_control));
        }
    }
}
